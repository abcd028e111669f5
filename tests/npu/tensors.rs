//! The driver `tensors`: a program of plain graphs, built by hand, goes all the way through.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use safetensors::tensor::{Dtype, TensorView, serialize};
use tempfile::TempDir;

use autoneural::Error;
use autoneural::bundle::{Begin, GivenFiles, Making};
use autoneural::drivers::tensors::{Graphs, partition};
use autoneural::ir::{Builder, Constant, ElementType, Graph, ops};
use autoneural::partition::Partition;
use autoneural::passes::{Context, Frozen, as_built, freeze};
use autoneural::progress::Silent;
use autoneural::recipe::Recipe;
use autoneural::report::{Demands, Report};
use autoneural::stages::{self, Comparing, Plan};
use autoneural::target::Target;
use autoneural::verify::{Extent, On};

use crate::common::{autoneural, json, numbers, runtime, stderr, succeed, toolkit};

const ROWS: usize = 8;
const WIDTHS: [usize; 4] = [32, 48, 24, 10];

fn weights(layer: usize) -> Vec<f32> {
    let scale = (WIDTHS[layer] as f32).sqrt();
    numbers(WIDTHS[layer] * WIDTHS[layer + 1], 100 + layer).iter().map(|value| value / scale).collect()
}

/// Two graphs: `encoder` makes features of `x`, `head.score` takes them as they are.
fn built() -> [Graph; 2] {
    let constant = |layer: usize| Constant::from_values(weights(layer), vec![WIDTHS[layer], WIDTHS[layer + 1]]);
    let mut encoder = Builder::new("encoder");
    let x = encoder.input("x", vec![1, ROWS, WIDTHS[0]], ElementType::F32).unwrap();
    let up = encoder.constant("up.weight", constant(0)).unwrap();
    let down = encoder.constant("down.weight", constant(1)).unwrap();
    let hidden = encoder.node("up", ops::MatMul, &[x, up]).unwrap();
    let hidden = encoder.node("act", ops::Silu, &[hidden]).unwrap();
    let features = encoder.node("features", ops::MatMul, &[hidden, down]).unwrap();
    let mut head = Builder::new("head.score");
    let taken = head.input("features", vec![1, ROWS, WIDTHS[2]], ElementType::F32).unwrap();
    let last = head.constant("scores.weight", constant(2)).unwrap();
    let active = head.node("act", ops::Sigmoid, &[taken]).unwrap();
    let scores = head.node("scores", ops::MatMul, &[active, last]).unwrap();
    [encoder.finish(vec![features]), head.finish(vec![scores])]
}

/// The same, frozen, with their ports.
fn graphs() -> Vec<Partition> {
    let target = Target::find("sa8295p").unwrap().0;
    let frozen = |graph: Graph| freeze(&graph, Context { target: &target }).unwrap();
    let mut made = built().map(|graph| partition(&graph.name.clone(), frozen(graph)).unwrap()).to_vec();
    // What the first makes is what the second takes.
    let key = made[0].outputs[0].encoding_key.clone();
    made[1].inputs[0].encoding_key = key;
    made
}

/// The same arithmetic in f64, without any of the program's: features and scores.
fn by_hand(x: &[f32]) -> [Vec<f32>; 2] {
    let matmul = |x: &[f64], layer: usize| -> Vec<f64> {
        let (weights, [inner, outer]) = (weights(layer), [WIDTHS[layer], WIDTHS[layer + 1]]);
        let dot =
            |row: &[f64], column: usize| (0..inner).map(|k| row[k] * f64::from(weights[k * outer + column])).sum();
        x.chunks(inner).flat_map(|row| (0..outer).map(move |column| dot(row, column)).collect::<Vec<f64>>()).collect()
    };
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let x: Vec<f64> = x.iter().map(|&value| value.into()).collect();
    let hidden: Vec<f64> = matmul(&x, 0).iter().map(|&x| x * sigmoid(x)).collect();
    let features = matmul(&hidden, 1);
    let active: Vec<f64> = features.iter().map(|&x| sigmoid(x)).collect();
    [features, matmul(&active, 2)].map(|values| values.iter().map(|&value| value as f32).collect())
}

fn write(path: &Path, arrays: &[(&str, Vec<usize>, Vec<f32>)]) {
    let bytes: Vec<Vec<u8>> =
        arrays.iter().map(|(_, _, values)| values.iter().flat_map(|value| value.to_le_bytes()).collect()).collect();
    let views = arrays.iter().zip(&bytes).map(|((name, shape, _), bytes)| {
        (name.to_string(), TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap())
    });
    std::fs::write(path, serialize(views, None).unwrap()).unwrap();
}

fn x(seed: usize) -> Vec<f32> {
    numbers(ROWS * WIDTHS[0], seed)
}

const RECIPE: &str = "schema = 2\nname = \"plain\"\n\
    [recipe.encoder]\nweights = \"int8\"\nactivations = \"uint16\"\nobserver = \"min-max\"\n\
    [recipe.head]\nweights = \"int4\"\nactivations = \"uint16\"\nobserver = \"min-max\"\nhead = \"int8\"\n";

/// A folder with samples and a recipe.
fn samples() -> TempDir {
    let folder = TempDir::new().unwrap();
    let mut recipe = RECIPE.to_string();
    for at in 0..8 {
        let (name, list) = (format!("{at}.safetensors"), if at < 6 { "calibration" } else { "verification" });
        write(&folder.path().join(&name), &[("x", vec![1, ROWS, WIDTHS[0]], x(at))]);
        recipe.push_str(&format!("[[{list}]]\ntensors = \"{name}\"\n"));
    }
    std::fs::write(folder.path().join("recipe.toml"), recipe).unwrap();
    folder
}

/// Compiles the graphs; gives the report, and whether there was nothing to do.
fn compile(samples: &Path, out: &Path) -> Result<(Report, bool), Error> {
    compile_of(samples, out, &built().map(|graph| as_built(&graph).unwrap()), true)
}

/// The same with these graphs as they were built, for the NPU or in float alone.
fn compile_of(samples: &Path, out: &Path, as_built: &[Frozen], on_npu: bool) -> Result<(Report, bool), Error> {
    let runtime = on_npu.then(runtime);
    let (target, text) = Target::find("sa8295p").unwrap();
    let recipe = Recipe::read(&samples.join("recipe.toml"))?;
    let graphs = graphs();
    let plan = Plan {
        source: &Graphs { name: "plain", graphs: &graphs, as_built, made_of: "by hand" },
        target: (&target, &text),
        recipe: &recipe,
        given: &GivenFiles::default(),
        compiler: runtime.map(|runtime| runtime as _),
        comparing: Comparing {
            extent: &Extent::default(),
            layers: if on_npu { &[On::Simulation, On::Npu] } else { &[] },
            golden: None,
            demands: Demands { max_difference_db: 20.0, enough_db: 40.0, min_sqnr_db: Some(40.0) },
        },
    };
    let mut bundle = Making::begin(out, Begin::Update, false)?;
    let report = stages::compile(&mut bundle, &plan, runtime, &Silent)?;
    Ok((report, bundle.commit()?.up_to_date))
}

/// The bundle, compiled once for the tests that only read it.
fn bundle() -> &'static (TempDir, PathBuf, Report) {
    static BUNDLE: OnceLock<(TempDir, PathBuf, Report)> = OnceLock::new();
    BUNDLE.get_or_init(|| {
        let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("plain-graphs");
        let _ = std::fs::remove_dir_all(&out);
        let folder = samples();
        let (report, _) = compile(folder.path(), &out).unwrap();
        (folder, out, report)
    })
}

#[test]
fn plain_graphs_go_from_samples_to_figures_on_the_npu() {
    let (_, out, report) = bundle();
    let names: Vec<&str> = report.partitions.iter().map(|partition| partition.name.as_str()).collect();
    assert_eq!(names, ["encoder", "head.score"]);
    for partition in &report.partitions {
        assert_eq!((partition.steps.taken, partition.steps.compared), (2, 2), "{}", partition.name);
        assert_eq!(partition.npu_nodes, Some(partition.nodes), "{}", partition.name);
        let found = partition.outputs[0].sqnr_db;
        assert!(found.npu > Some(40.0) && found.simulated > Some(40.0), "{}: {found:?}", partition.name);
        assert!(partition.layers.iter().all(|layer| layer.sqnr_db.npu.is_some()), "{:?}", partition.layers);
        assert!(!partition.layers.is_empty());
    }
    assert_eq!((report.failures.len(), report.chain.steps, report.samples.prompts), (0, 0, None));
    assert_eq!(report.samples.images.len(), 2);
    let program = json(&out.join("model/program.json"));
    assert_eq!(program["driver"], "tensors");
    assert_eq!(program["graphs"], serde_json::json!(["encoder", "head.score"]));
    let statistics = json(&out.join("calibration/statistics.json"));
    assert_eq!(statistics.as_object().unwrap().keys().collect::<Vec<_>>(), ["encoder", "head"]);
    // Six samples were calibrated with, and what is handed over was observed on both sides.
    for (group, name) in [("encoder", "x"), ("encoder", "features"), ("head", "features"), ("head", "scores")] {
        assert_eq!(statistics[group][name]["runs"], 6, "{group} {name}");
    }
    assert!(!out.join("golden").exists() && !out.join("model/definition.toml").exists());
    let manifest = json(&out.join("manifest.json"));
    let port = |at: usize, side: &str| manifest["partitions"][at][side][0].clone();
    assert_eq!(port(0, "outputs")["scale"], port(1, "inputs")["scale"]);
    assert_eq!((&port(1, "inputs")["role"], &port(1, "outputs")["role"]), (&"input".into(), &"output".into()));
}

#[test]
fn a_graph_that_computes_something_else_than_what_was_built_is_told() {
    let (_, _, report) = bundle();
    for partition in &report.partitions {
        let found = partition.frozen.as_ref().unwrap();
        assert!(found.sqnr_db > 100.0 && found.output == partition.outputs[0].name, "{found:?}");
    }
    let found = report.partitions.iter().find(|partition| partition.name == "head.score").unwrap();
    assert_eq!(found.frozen.as_ref().unwrap().output, "scores");
    // As if a pass had left out the last activation.
    let mut other = Builder::new("head.score");
    let taken = other.input("features", vec![1, ROWS, WIDTHS[2]], ElementType::F32).unwrap();
    let weight = Constant::from_values(weights(2), vec![WIDTHS[2], WIDTHS[3]]);
    let weight = other.constant("scores.weight", weight).unwrap();
    let scores = other.node("scores", ops::MatMul, &[taken, weight]).unwrap();
    let other = as_built(&other.finish(vec![scores])).unwrap();
    let folder = samples();
    let (report, _) = compile_of(folder.path(), &folder.path().join("out"), &[other], false).unwrap();
    // Nothing is known of how the first was built.
    assert_eq!(report.partitions[0].frozen, None);
    let found = report.partitions[1].frozen.as_ref().unwrap();
    assert!(found.sqnr_db < 10.0 && found.largest_difference > 0.1, "{found:?}");
}

/// What makes a main output has the bits that the recipe's `head` says, and not those of other weights.
#[test]
fn bits_of_the_head_are_those_of_main_outputs() {
    let (_, out, _) = bundle();
    let bits = |graph: &str| -> BTreeMap<String, u64> {
        let encodings = json(&out.join(format!("encodings/{graph}.json")));
        let entries = encodings["param_encodings"].as_array().unwrap().iter();
        entries.map(|one| (one["name"].as_str().unwrap().into(), one["bw"].as_u64().unwrap())).collect()
    };
    assert_eq!(bits("head.score"), BTreeMap::from([("scores.weight".into(), 8)]));
    // The recipe says nothing of its head.
    assert_eq!(bits("encoder"), BTreeMap::from([("down.weight".into(), 8), ("up.weight".into(), 8)]));
}

#[test]
fn float_is_what_it_is_by_hand() {
    let (_, out, _) = bundle();
    let (folder, x) = (TempDir::new().unwrap(), x(77));
    let [features, scores] = by_hand(&x);
    let recorded = folder.path().join("recorded.safetensors");
    let rows = |width: usize| vec![1, ROWS, width];
    let arrays = [
        ("x", rows(WIDTHS[0]), x),
        ("encoder/features", rows(WIDTHS[2]), features),
        ("scores", rows(WIDTHS[3]), scores),
    ];
    write(&recorded, &arrays);
    let (out, recorded) = (out.to_str().unwrap(), recorded.to_str().unwrap());
    let found = succeed(&["parity", out, "--reference", recorded, "--json"]);
    let found: serde_json::Value = serde_json::from_str(&found).unwrap();
    let names: Vec<&str> = found.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["encoder/features", "scores"]);
    write(Path::new(recorded), &arrays[..1]);
    let refused = autoneural(&["parity", out, "--reference", recorded]);
    assert!(!refused.status.success() && stderr(&refused).contains("records no output"), "{}", stderr(&refused));
}

/// Commands that know nothing of drivers take the bundle as they take any.
#[test]
fn every_command_takes_the_bundle() {
    let (samples, whole, _) = bundle();
    let folder = TempDir::new().unwrap();
    let copy = folder.path().join("bundle");
    crate::common::copy(whole, &copy);
    let (out, toolkit) = (copy.to_str().unwrap(), toolkit());
    let (recipe, toolkit) = (samples.path().join("recipe.toml"), toolkit.to_str().unwrap());
    let (recipe, page) = (recipe.to_str().unwrap(), folder.path().join("page.html"));
    assert!(succeed(&["inspect", out]).contains("plain"));
    assert!(succeed(&["inspect", out, "--graph", "head.score"]).contains("Sigmoid"));
    let picture = succeed(&["graph", out]);
    assert!(picture.contains("encoder") && picture.contains("hand-over") && !picture.contains("next token"));
    succeed(&["graph", out, "--partition", "encoder"]);
    succeed(&["report", out, "--out", page.to_str().unwrap()]);
    assert!(std::fs::read_to_string(&page).unwrap().contains("A run is a sample."));
    let baseline = folder.path().join("baseline.json");
    let baseline = baseline.to_str().unwrap();
    succeed(&["gate", out, "--baseline", baseline, "--update"]);
    succeed(&["gate", out, "--baseline", baseline]);
    // Stage by stage.
    succeed(&["calibrate", out, "--calibration", recipe]);
    for stage in ["quantize", "emit", "build"] {
        succeed(&[stage, out, "--toolkit", toolkit]);
    }
    let args = ["verify", out, "--calibration", recipe, "--toolkit", toolkit, "--verify", "head.score,sampled"];
    let table = succeed(&[&args[..], &["--require-npu", "--max-difference", "99"]].concat());
    assert!(table.contains("head.score"), "{table}");
    let steps = |at: usize| json(&copy.join("report.json"))["partitions"][at]["steps"].clone();
    assert_eq!((&steps(0)["compared"], &steps(1)["compared"]), (&0.into(), &1.into()));
    let unknown = autoneural(&["verify", out, "--calibration", recipe, "--verify", "vision"]);
    assert!(stderr(&unknown).contains("encoder, head.score"), "{}", stderr(&unknown));
    let silent = autoneural(&["run", out, "--prompt", "Who?"]);
    assert_eq!(silent.status.code(), Some(3));
    assert!(stderr(&silent).contains("holds no conversation"), "{}", stderr(&silent));
}

#[test]
fn what_is_unchanged_is_not_done_again() {
    let (folder, samples) = (TempDir::new().unwrap(), samples());
    let out = folder.path().join("plain");
    assert!(!compile(samples.path(), &out).unwrap().1);
    assert!(compile(samples.path(), &out).unwrap().1, "nothing changed");
    // Another sample of verification leaves the statistics as they are.
    let statistics = std::fs::read(out.join("calibration/statistics.json")).unwrap();
    write(&samples.path().join("7.safetensors"), &[("x", vec![1, ROWS, WIDTHS[0]], x(50))]);
    assert!(!compile(samples.path(), &out).unwrap().1);
    assert_eq!(std::fs::read(out.join("calibration/statistics.json")).unwrap(), statistics);
    write(&samples.path().join("0.safetensors"), &[("x", vec![1, ROWS, WIDTHS[0]], x(51))]);
    compile(samples.path(), &out).unwrap();
    assert_ne!(std::fs::read(out.join("calibration/statistics.json")).unwrap(), statistics);
}

#[test]
fn samples_that_do_not_fit_are_named_before_any_work() {
    let whole = vec![1, ROWS, WIDTHS[0]];
    let long = vec![1, ROWS + 1, WIDTHS[0]];
    type Arrays<'a> = Vec<(&'a str, Vec<usize>, Vec<f32>)>;
    let cases: [(&str, Arrays, [&str; 2]); 6] = [
        (
            "another shape",
            vec![("x", long, numbers((ROWS + 1) * WIDTHS[0], 1))],
            ["`x`", "encoder takes float32 [1, 8, 32]"],
        ),
        ("another name", vec![("y", whole.clone(), x(1))], ["`y`", "is the input of no graph"]),
        ("nothing", vec![], ["3.safetensors", "holds no input of any graph"]),
        (
            "one too many",
            vec![("x", whole.clone(), x(1)), ("z", vec![1], vec![0.0])],
            ["`z`", "is the input of no graph"],
        ),
        (
            "not a number",
            vec![("x", whole.clone(), [vec![f32::NAN], x(1)[1..].to_vec()].concat())],
            ["`x`", "element 0 is NaN"],
        ),
        (
            "an output",
            vec![("scores", vec![1, ROWS, WIDTHS[3]], numbers(80, 1))],
            ["`scores`", "is the input of no graph"],
        ),
    ];
    for (case, arrays, words) in cases {
        let (folder, samples) = (TempDir::new().unwrap(), samples());
        write(&samples.path().join("3.safetensors"), &arrays);
        let error = compile(samples.path(), &folder.path().join("plain")).unwrap_err().to_string();
        assert!(error.contains("calibration[3]"), "{case}: {error}");
        words.iter().for_each(|word| assert!(error.contains(word), "{case}: {error}"));
    }
    for (case, from, to, words) in [
        ("no tensors", "tensors = \"3.safetensors\"", "prompt = \"Who?\"", ["calibration[3]", "is no file of tensors"]),
        (
            "both",
            "tensors = \"3.safetensors\"",
            "tensors = \"3.safetensors\"\nanswer = \"a\"",
            ["calibration[3]", "nothing else"],
        ),
        ("above", "\"3.safetensors\"", "\"../3.safetensors\"", ["calibration[3]", "leaves the folder"]),
        ("not there", "\"3.safetensors\"", "\"33.safetensors\"", ["33.safetensors", "No such file"]),
        ("no safetensors", "\"3.safetensors\"", "\"recipe.toml\"", ["recipe.toml", "is no safetensors file"]),
        ("a group that is none", "[recipe.head]", "[recipe.tail]", ["recipe.tail", "is no group of the program"]),
        ("steps", "name =", "decode_steps = 3\nname =", ["decode_steps", "no prompts"]),
    ] {
        let (folder, samples) = (TempDir::new().unwrap(), samples());
        let path = samples.path().join("recipe.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        let mut changed = text.replacen(from, to, 1);
        if case == "no tensors" {
            // Prompts want to know how many tokens follow them.
            changed = changed.replacen("name =", "decode_steps = 3\nname =", 1);
        }
        assert_ne!(changed, text, "{case}");
        std::fs::write(&path, changed).unwrap();
        let error = compile(samples.path(), &folder.path().join("plain")).unwrap_err().to_string();
        words.iter().for_each(|word| assert!(error.contains(word), "{case}: {error}"));
    }
}

/// A program file that says what cannot be is refused, by name.
#[test]
fn a_damaged_program_is_refused() {
    let (_, whole, _) = bundle();
    type Damage = fn(&mut serde_json::Value);
    let damages: [(&str, Damage, &str); 6] = [
        ("another driver", |p| p["driver"] = "audio".into(), "driver `audio`, which is not known"),
        ("a graph too many", |p| p["graphs"].as_array_mut().unwrap().push("tail".into()), "model/tail.json"),
        ("a way out", |p| p["graphs"][0] = "../encoder".into(), "is no name of a graph"),
        ("no roles", |p| p["roles"] = serde_json::json!({}), "has no role `input`"),
        (
            "an axis too many",
            |p| p["roles"]["input"]["padding"] = serde_json::json!({"axis": 3, "rest": "continue"}),
            "wants an axis 3",
        ),
        (
            "state that stays",
            |p| p["roles"]["input"]["state"] = serde_json::json!({"update": "append", "axis": 1}),
            "no output with its encoding key",
        ),
    ];
    for (case, damage, word) in damages {
        let folder = TempDir::new().unwrap();
        let copy = crate::sealed::Sealed::of(whole);
        copy.edit("model/program.json", damage);
        let output = autoneural(&[
            "graph",
            copy.path("bundle").to_str().unwrap(),
            "--out",
            folder.path().join("x.svg").to_str().unwrap(),
        ]);
        assert_eq!(output.status.code(), Some(3), "{case}: {}", stderr(&output));
        assert!(stderr(&output).contains(word), "{case}: {}", stderr(&output));
    }
}
