//! Where partitions are cut, without the toolkit.

use std::path::Path;

use autoneural::encoding::{Encoding, IntegerType};
use autoneural::ir::{Builder, Constant, ElementType, ops};
use autoneural::partition::Partition;
use autoneural::passes::Frozen;
use autoneural::program::Group;
use autoneural::quantize::Table;
use autoneural::segment::segments;
use autoneural::target::Target;
use tempfile::TempDir;

use crate::common::segments::{list, partitions, target_with};
use crate::common::{GRAPH, RECIPE, WEIGHTS, succeed};

/// Integers decide too: here one operator is known and taken in other integers than the recipe's, with a constant and
/// without.
#[test]
fn nodes_in_integers_that_the_npu_does_not_take_go_to_the_cpu() {
    let folder = TempDir::new().unwrap();
    let (out, target, empty) =
        (folder.path().join("bundle"), folder.path().join("target.toml"), folder.path().join("empty"));
    std::fs::create_dir(&empty).unwrap();
    let mut text = target_with(|name| !["Softmax", "RMSNormalization"].contains(&name));
    text += "[[operator]]\nname = \"Softmax\"\nactivations = [\"uint8\"]\n";
    text += "[[operator]]\nname = \"RMSNormalization\"\nactivations = [\"uint8\"]\nweights = [\"uint8 per tensor\"]\n";
    std::fs::write(&target, text).unwrap();
    let [target, out_text, empty] = [&target, &out, &empty].map(|path| path.to_str().unwrap());
    let args = ["compile", GRAPH, "--weights", WEIGHTS, "--calibration", RECIPE, "--target", target, "--out", out_text];
    let said = succeed(&[&args[..], &["--toolkit", empty]].concat());
    let softmax = "target sa8295p does not take Softmax in uint16";
    let norm = "target sa8295p does not take RMSNormalization in uint16, weights uint16 per tensor";
    for name in ["vision", "language.prefill", "language.decode"] {
        let partition = &partitions(&out.join("report.json"))[name];
        let whys = list(partition, "segments").iter().flat_map(|segment| list(segment, "why"));
        let whys: Vec<&str> = whys.map(|why| why.as_str().unwrap()).collect();
        assert!(whys.contains(&softmax) && whys.contains(&norm), "{name}: {whys:?}");
        let line = said.lines().find(|line| line.starts_with(&format!("{name}: on the CPU "))).unwrap();
        assert!(line.contains(softmax) && line.contains(norm) && line.contains("multiply-adds"), "{line}");
        // Nothing was compiled here, so nothing is said to be on the NPU.
        assert!(partition["npu_nodes"].is_null() && partition["cpu_nodes"].as_u64() > Some(0));
    }
}

/// A matrix product of 2 MiB of weights, for a chip whose context binaries hold one.
#[test]
fn a_node_that_no_binary_holds_is_named_with_both_sizes() {
    let mut builder = Builder::new("vision");
    let x = builder.input("image", vec![1, 1024], ElementType::F32).unwrap();
    let w = builder.constant("w", Constant::from_values(vec![0.5; 1024 * 2048], vec![1024, 2048])).unwrap();
    let y = builder.node("features", ops::MatMul, &[x, w]).unwrap();
    let graph = Frozen::new(builder.finish(vec![y])).unwrap();
    let partition =
        Partition { name: "vision".into(), group: Group::fixed("vision"), graph, inputs: vec![], outputs: vec![] };
    let mut table = Table::default();
    for name in ["image", "features"] {
        table.activations.insert(name.into(), Encoding::of_range(IntegerType::Uint16, -1.0, 1.0));
    }
    table.params.insert("w".into(), Encoding::symmetric(IntegerType::Int8, &[0.5], None));
    let text = target_with(|_| true).replace("[memory]\n", "[memory]\ncontext_mib = 1\n");
    let target = Target::parse(&text, Path::new("small.toml")).unwrap();
    let error = segments(&partition, &table, &target).unwrap_err().to_string();
    let words = "vision: features: has weights of 2.10 MB; target sa8295p holds 1 MiB in one context binary";
    assert!(error.contains(words), "{error}");
}
