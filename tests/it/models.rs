//! Other definitions through the same builder: the full model's graphs, a head of its own.

use autoneural::bundle::Bundle;
use autoneural::front::Definition;
use autoneural::front::onnx::import;
use tempfile::TempDir;

use crate::common::{GRAPH, WEIGHTS, autoneural, root, stderr, succeed};

#[test]
fn the_full_definition_has_the_dimensions_of_the_full_model() {
    let definition = Definition::read(&root("graphs/autoneural-vl-1.5b.toml")).unwrap();
    assert_eq!(definition.seeing().unwrap().tokens(), 256);
    let autoneural::front::Vision::MobileNetV5(vision) = definition.seeing().unwrap() else { panic!("another family") };
    let blocks: Vec<usize> = vision.blocks().iter().map(Vec::len).collect();
    // timm's mobilenetv5_300m_enc has as many blocks a stage.
    assert_eq!(blocks, [3, 5, 37, 39]);
    assert_eq!((definition.language.layers.len(), definition.language.context), (16, 4096));
}

#[test]
fn the_definition_of_the_baseline_has_its_dimensions() {
    let definition = Definition::read(&root("graphs/internvl2-2b.toml")).unwrap();
    assert_eq!((definition.seeing().unwrap().tokens(), definition.seeing().unwrap().channels()), (256, 4096));
    assert_eq!((definition.language.layers.len(), definition.language.context), (24, 4096));
}

/// What this program writes, it reads: the float models of all partitions.
#[test]
fn float_models_come_back_as_the_graphs_that_they_were() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("out");
    let args = ["export", GRAPH, "--weights", WEIGHTS, "--target", "sa8295p", "--out", out.to_str().unwrap()];
    succeed(&args);
    let bundle = Bundle::look(&out).unwrap();
    let partitions = bundle.partitions().unwrap();
    assert_eq!(partitions.len(), 4);
    for partition in partitions {
        let back = import(&bundle.float_model(&partition), &[]).unwrap().graph;
        assert_eq!(partition.graph.difference(&back), None, "{}", partition.name);
    }
}

/// A model in text form is the model: what `--text` prints of a file, and what Python's `onnx` wrote.
#[test]
fn models_in_text_form_are_taken_like_others() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let binary = "tests/fixtures/onnx/shuffle.onnx";
    std::fs::write(path("shuffle.pbtxt"), succeed(&["inspect", binary, "--text"])).unwrap();
    let graph = |model: &str, name: &str| {
        let out = path(&format!("{}-{name}", model.len()));
        succeed(&["export", model, "--target", "sa8295p", "--out", &out]);
        succeed(&["inspect", &out, "--graph", name])
    };
    assert_eq!(graph(&path("shuffle.pbtxt"), "shuffle"), graph(binary, "shuffle"));
    // Two operators became one of the IR.
    let text = "tests/fixtures/onnx-text/gated.textproto";
    assert!(graph(text, "gated").contains("HardSwish"), "{}", graph(text, "gated"));
    assert!(succeed(&["inspect", text]).contains("1 HardSwish"));
    // Printed again it is the same model.
    let again = succeed(&["inspect", text, "--text"]);
    std::fs::write(path("again.textproto"), &again).unwrap();
    assert_eq!(succeed(&["inspect", &path("again.textproto"), "--text"]), again);

    std::fs::write(path("broken.textproto"), again.replace("op_type: \"Add\"", "op_kind: \"Add\"")).unwrap();
    let output = autoneural(&["inspect", &path("broken.textproto")]);
    assert_eq!(output.status.code(), Some(3));
    let line = again.lines().position(|line| line.contains("op_type: \"Add\"")).unwrap() + 1;
    let wanted = format!("broken.textproto:{line}: is no ONNX model in text form: `op_kind` is no field of NodeProto");
    assert!(stderr(&output).contains(&wanted), "{}", stderr(&output));
}

/// A head that the checkpoint holds beside tied embeddings must be the same; one that is not tied is used.
#[test]
fn a_head_of_its_own_is_never_dropped_in_silence() {
    use safetensors::tensor::{Dtype, TensorView};
    let folder = TempDir::new().unwrap();
    let weights = folder.path().join("weights");
    std::fs::create_dir(&weights).unwrap();
    for name in ["model.safetensors", "tokenizer.json"] {
        std::fs::copy(root(WEIGHTS).join(name), weights.join(name)).unwrap();
    }
    let write_head = |value: f32| {
        let bytes: Vec<u8> = (0..512 * 128).flat_map(|_| value.to_le_bytes()).collect();
        let view = TensorView::new(Dtype::F32, vec![512, 128], &bytes).unwrap();
        let file = safetensors::serialize([("lm_head.weight", view)], None).unwrap();
        std::fs::write(weights.join("head.safetensors"), file).unwrap();
    };
    write_head(0.5);
    let out = folder.path().join("out");
    let (weights_text, out_text) = (weights.to_str().unwrap(), out.to_str().unwrap());
    let output =
        autoneural(&["export", GRAPH, "--weights", weights_text, "--target", "sa8295p", "--out", out_text, "-q"]);
    assert_eq!(output.status.code(), Some(3));
    let said = stderr(&output);
    assert!(said.contains("`lm_head.weight`") && said.contains("tied_embeddings = false"), "{said}");

    let graph = folder.path().join("graph.toml");
    let text = std::fs::read_to_string(root(GRAPH)).unwrap();
    std::fs::write(&graph, text.replace("tied_embeddings = true", "tied_embeddings = false")).unwrap();
    let graph = graph.to_str().unwrap();
    succeed(&["export", graph, "--weights", weights_text, "--target", "sa8295p", "--out", out_text, "-q"]);
    let bundle = Bundle::look(&out).unwrap();
    let decode = &bundle.partitions().unwrap()[3].graph;
    let head = decode.value(decode.find("lm_head.weight").unwrap());
    assert!(head.constant().unwrap().to_f32().iter().all(|&value| value == 0.5));

    std::fs::remove_file(weights.join("head.safetensors")).unwrap();
    let output = autoneural(&[
        "export",
        graph,
        "--weights",
        weights_text,
        "--target",
        "sa8295p",
        "--out",
        out_text,
        "-q",
        "--force",
    ]);
    assert_eq!(output.status.code(), Some(3));
    assert!(stderr(&output).contains("there is no tensor `lm_head.weight`"), "{}", stderr(&output));
}
