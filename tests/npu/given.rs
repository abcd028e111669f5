//! Samples of plain graphs from whatever a user has go the whole way: an archive, pictures, raw files with a list.

use std::path::Path;

use tempfile::TempDir;

use autoneural::bundle::{Begin, GivenFiles, Making};
use autoneural::drivers::Source;
use autoneural::drivers::tensors::{Graphs, partition};
use autoneural::ir::{Builder, Constant, ElementType, Graph, ops};
use autoneural::passes::{Context, as_built, freeze};
use autoneural::progress::Silent;
use autoneural::report::{Demands, Report, table};
use autoneural::samples::Given;
use autoneural::stages::{self, Comparing, Plan};
use autoneural::target::Target;
use autoneural::verify::Extent;

use crate::common::{root, runtime, succeed, toolkit};

const SIDE: usize = 16;

/// Takes `image` [1, 3, 16, 16]; rows of it go through a layer.
fn graph() -> Graph {
    let mut made = Builder::new("net");
    let image = made.input("image", vec![1, 3, SIDE, SIDE], ElementType::F32).unwrap();
    let numbers = (0..SIDE * 24).map(|at| (at * 7919 % 2003) as f32 / 4006.0 - 0.25).collect();
    let weight = made.constant("up.weight", Constant::from_values(numbers, vec![SIDE, 24])).unwrap();
    let hidden = made.node("up", ops::MatMul, &[image, weight]).unwrap();
    let out = made.node("out", ops::Silu, &[hidden]).unwrap();
    made.finish(vec![out])
}

fn compile(given: &Given, out: &Path) -> Report {
    let (target, text) = Target::find("sa8295p").unwrap();
    let graphs = [partition("net", freeze(&graph(), Context { target: &target }).unwrap()).unwrap()];
    let as_built = [as_built(&graph()).unwrap()];
    let source = Graphs { name: "net", graphs: &graphs, as_built: &as_built, made_of: "by hand" };
    let recipe = given.recipe(|| source.takes()).unwrap();
    let plan = Plan {
        source: &source,
        target: (&target, &text),
        recipe: &recipe,
        given: &GivenFiles::default(),
        compiler: Some(runtime()),
        comparing: Comparing {
            extent: &Extent::default(),
            layers: &[],
            golden: None,
            demands: Demands { max_difference_db: 20.0, enough_db: 40.0, min_sqnr_db: Some(40.0) },
        },
    };
    let mut bundle = Making::begin(out, Begin::Update, false).unwrap();
    let report = stages::compile(&mut bundle, &plan, Some(runtime()), &Silent).unwrap();
    bundle.commit().unwrap();
    report
}

/// A file of NumPy's of 8 samples in one array.
fn npy(values: &[f32]) -> Vec<u8> {
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': (8, 3, {SIDE}, {SIDE}), }}");
    let mut made = b"\x93NUMPY\x01\x00".to_vec();
    made.extend((header.len() as u16).to_le_bytes());
    made.extend(header.as_bytes());
    made.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    made
}

#[test]
fn what_a_user_has_goes_from_samples_to_figures_on_the_npu() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    let each = 3 * SIDE * SIDE;
    let values: Vec<f32> = (0..8 * each).map(|at| (at * 7919 % 2003) as f32 / 1001.0 - 1.0).collect();
    std::fs::create_dir(at("raw")).unwrap();
    let mut list = String::new();
    for (number, values) in values.chunks(each).enumerate() {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        std::fs::write(at(&format!("raw/{number}.raw")), bytes).unwrap();
        list.push_str(&format!("image:={number}.raw\n"));
    }
    std::fs::write(at("raw/input_list.txt"), list).unwrap();
    std::fs::write(at("all.npy"), npy(&values)).unwrap();
    let python = "import sys, zipfile\nz = zipfile.ZipFile(sys.argv[2], 'w', zipfile.ZIP_DEFLATED)\n\
                  z.write(sys.argv[1], 'image.npy')\nz.close()\n";
    let zipped = std::process::Command::new("python3")
        .args(["-c", python, at("all.npy").to_str().unwrap(), at("all.npz").to_str().unwrap()])
        .status()
        .unwrap();
    assert!(zipped.success());
    let photos = root("calibration/photos");
    for (name, samples, taken) in
        [("npz", at("all.npz"), 2), ("npy", at("all.npy"), 2), ("raw", at("raw"), 2), ("photos", photos.clone(), 3)]
    {
        let given = Given { calibration: Some(samples), ..Given::default() };
        let report = compile(&given, &at(&format!("out-{name}")));
        let net = &report.partitions[0];
        assert_eq!(net.steps.compared, taken, "{name}");
        let output = &net.outputs[0];
        assert!(output.sqnr_db.npu > Some(40.0) && output.sqnr_db.simulated > Some(40.0), "{name}: {output:?}");
        assert!(output.cosine.npu > Some(0.9999) && output.cosine.npu <= Some(1.0), "{name}: {output:?}");
        assert!(output.largest_difference.npu > Some(0.0) && output.largest_difference.npu < Some(0.1), "{output:?}");
        let said: Vec<&str> = report.warnings.iter().map(|warning| warning.message.as_str()).collect();
        assert!(said.iter().any(|words| words.contains("calibration samples judge, and do not calibrate")), "{said:?}");
        assert_eq!(
            said.iter().any(|words| words.contains("how pictures become `image`")),
            name == "photos",
            "{said:?}"
        );
        let table = table(&report);
        assert!(table.contains("largest difference") && table.contains("net/out"), "{table}");
    }
    // The same numbers are the same encodings, whatever they were read from.
    let encodings = |name: &str| std::fs::read(at(&format!("out-{name}")).join("encodings/net.json")).unwrap();
    assert_eq!(encodings("npz"), encodings("npy"));
    assert_eq!(encodings("npz"), encodings("raw"));
    assert_ne!(encodings("npz"), encodings("photos"));
    // Others judge what was compiled.
    let bundle = at("out-npz");
    let toolkit = toolkit();
    let args = ["verify", bundle.to_str().unwrap(), "--verification", photos.to_str().unwrap(), "--samples", "3"];
    let said = succeed(&[&args[..], &["--toolkit", toolkit.to_str().unwrap(), "--json"]].concat());
    let report: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&report["samples"]["samples"], &report["partitions"][0]["steps"]["compared"]), (&3.into(), &3.into()));
}
