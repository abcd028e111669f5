//! Operators that no built-in model has go all the way through: samples, encodings, context binary, figures of the NPU.

use safetensors::tensor::{Dtype, TensorView, serialize};
use tempfile::TempDir;

use autoneural::bundle::{Begin, Bundle, GivenFiles, Making};
use autoneural::drivers::tensors::{Graphs, partition};
use autoneural::front::onnx::import;
use autoneural::ir::{Builder, Constant, ElementType, Graph, ops};
use autoneural::passes::{Context, as_built, freeze};
use autoneural::progress::Silent;
use autoneural::recipe::Recipe;
use autoneural::report::Demands;
use autoneural::stages::{self, Comparing, Plan};
use autoneural::target::Target;
use autoneural::verify::Extent;

use crate::common::{json, numbers, runtime};

const CHANNELS: usize = 16;

fn constant(shape: &[usize], seed: usize, size: f32) -> Constant {
    let values = numbers(shape.iter().product(), seed).into_iter().map(|value| value * size).collect();
    Constant::from_values(values, shape.to_vec())
}

/// A picture that is enlarged twice, by a transposed convolution over all channels and by one over each; its channels
/// turned around in between, by indices that are constant.
fn decoder() -> Graph {
    let mut b = Builder::new("decoder");
    let x = b.input("x", vec![1, CHANNELS, 6, 6], ElementType::F32).unwrap();
    let w = b.constant("up.weight", constant(&[CHANNELS, CHANNELS, 2, 2], 1, 0.3)).unwrap();
    let bias = b.constant("up.bias", constant(&[CHANNELS], 2, 0.2)).unwrap();
    let whole = ops::ConvTranspose { strides: [2; 2], pads: [0; 4], output_padding: [0; 2], groups: 1 };
    let y = b.node("up", whole, &[x, w, bias]).unwrap();
    let y = b.node("act", ops::HardSwish, &[y]).unwrap();
    let turned = (1..=CHANNELS as i64).map(|at| -at).collect();
    let turned = b.constant("turn", Constant::from_integers(ElementType::I64, turned, vec![CHANNELS])).unwrap();
    let y = b.node("turned", ops::Gather { axis: 1 }, &[y, turned]).unwrap();
    let w = b.constant("smooth.weight", constant(&[CHANNELS, 1, 4, 4], 3, 0.5)).unwrap();
    let each = ops::ConvTranspose { strides: [2; 2], pads: [1; 4], output_padding: [0; 2], groups: CHANNELS };
    let y = b.node("smooth", each, &[y, w]).unwrap();
    b.finish(vec![y])
}

#[test]
fn transposed_convolutions_hard_swish_and_constant_indices_reach_the_npu() {
    let folder = TempDir::new().unwrap();
    let mut recipe = "schema = 2\nname = \"decoder\"\n[recipe.decoder]\nweights = \"int8\"\nactivations = \"uint16\"\n\
        observer = \"min-max\"\n"
        .to_string();
    for at in 0..4 {
        let bytes: Vec<u8> = numbers(CHANNELS * 36, 50 + at).iter().flat_map(|value| value.to_le_bytes()).collect();
        let view = TensorView::new(Dtype::F32, vec![1, CHANNELS, 6, 6], &bytes).unwrap();
        let name = format!("{at}.safetensors");
        std::fs::write(folder.path().join(&name), serialize([("x", view)], None).unwrap()).unwrap();
        let list = if at < 3 { "calibration" } else { "verification" };
        recipe.push_str(&format!("[[{list}]]\ntensors = \"{name}\"\n"));
    }
    let path = folder.path().join("recipe.toml");
    std::fs::write(&path, recipe).unwrap();
    let (target, text) = Target::find("sa8295p").unwrap();
    let graph = freeze(&decoder(), Context { target: &target }).unwrap();
    let graphs = [partition("decoder", graph.clone()).unwrap()];
    let plan = Plan {
        source: &Graphs {
            name: "decoder",
            graphs: &graphs,
            as_built: &[as_built(&decoder()).unwrap()],
            made_of: "by hand",
        },
        target: (&target, &text),
        recipe: &Recipe::read(&path).unwrap(),
        given: &GivenFiles::default(),
        compiler: Some(runtime()),
        comparing: Comparing {
            extent: &Extent::default(),
            layers: &[],
            golden: None,
            demands: Demands { max_difference_db: 20.0, enough_db: 40.0, min_sqnr_db: Some(40.0) },
        },
    };
    let out = folder.path().join("out");
    let mut bundle = Making::begin(&out, Begin::Update, false).unwrap();
    let report = stages::compile(&mut bundle, &plan, Some(runtime()), &Silent).unwrap();
    bundle.commit().unwrap();
    let decoder = &report.partitions[0];
    assert_eq!((decoder.nodes, decoder.npu_nodes), (4, Some(4)));
    let found = decoder.outputs[0].sqnr_db;
    assert!(found.npu > Some(40.0) && found.simulated > Some(40.0), "{found:?}");
    // Over all channels each has a scale, over one channel each there is one scale for all; indices have none.
    let encodings = json(&out.join("encodings/decoder.json"));
    let scales = |name: &str| {
        let entries = encodings["param_encodings"].as_array().unwrap();
        entries.iter().find(|one| one["name"] == name).map(|one| one["scale"].as_array().unwrap().len())
    };
    assert_eq!(scales("up.weight"), Some(CHANNELS));
    assert_eq!((scales("up.bias"), scales("smooth.weight")), (Some(CHANNELS), Some(1)));
    assert_eq!(scales("turned.indices"), None);
    // The bundle says what the constants are, and its model is the graph.
    let bundle = Bundle::look(&out).unwrap();
    let partition = &bundle.partitions().unwrap()[0];
    assert_eq!(partition.graph.difference(&graph), None);
    assert_eq!(import(&bundle.float_model(partition), &[]).unwrap().graph.difference(&graph), None);
}
