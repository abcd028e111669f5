//! What bad evidence gets: samples that show little, ranges with nothing in them, moments that say too little, and
//! encodings of another model are taken, and said in the summary, in the report and in JSON.

use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, TensorView, serialize};
use serde_json::{Value, json};
use tempfile::TempDir;

use autoneural::bundle::{Begin, Making, Stage};
use autoneural::drivers::Source;
use autoneural::drivers::tensors::{Graphs, partition};
use autoneural::ir::{Builder, Constant, ElementType, Graph, ops};
use autoneural::passes::{Context, freeze};
use autoneural::progress::Silent;
use autoneural::target::Target;

use crate::common::bench::INPUT;
use crate::common::{autoneural, json, numbers, stderr, stdout, succeed};

const ROWS: usize = 4;
const WIDTHS: [usize; 3] = [16, 24, 8];

/// Numbers of the two weights of a network.
fn weights(layer: usize) -> Vec<f32> {
    numbers(WIDTHS[layer] * WIDTHS[layer + 1], 40 + layer)
}

/// `x` [1, 4, 16] times `up.weight`, a Silu, times `down.weight`.
fn net([up, down]: [Vec<f32>; 2]) -> Graph {
    let mut made = Builder::new("net");
    let x = made.input("x", vec![1, ROWS, WIDTHS[0]], ElementType::F32).unwrap();
    let [up, down] = [("up.weight", up, 0), ("down.weight", down, 1)].map(|(name, numbers, layer)| {
        made.constant(name, Constant::from_values(numbers, vec![WIDTHS[layer], WIDTHS[layer + 1]])).unwrap()
    });
    let up = made.node("up", ops::MatMul, &[x, up]).unwrap();
    let act = made.node("act", ops::Silu, &[up]).unwrap();
    let down = made.node("down", ops::MatMul, &[act, down]).unwrap();
    made.finish(vec![down])
}

/// A folder with the exported bundle of a network, and the samples for it.
struct Case {
    folder: TempDir,
    /// Of a sample.
    shape: Vec<usize>,
}

impl Case {
    fn new(weights: [Vec<f32>; 2]) -> Self {
        Case::of(net(weights))
    }

    fn of(graph: Graph) -> Self {
        let case = Case { folder: TempDir::new().unwrap(), shape: graph.value(graph.inputs()[0]).shape.clone() };
        let (target, text) = Target::find("sa8295p").unwrap();
        let graphs = [partition("net", freeze(&graph, Context { target: &target }).unwrap()).unwrap()];
        let source = Graphs { name: "net", graphs: &graphs, as_built: &[], made_of: "by hand" };
        let mut bundle = Making::begin(&case.path("bundle"), Begin::New, false).unwrap();
        source.export(&mut bundle, (&target, &text), &Silent).unwrap();
        bundle.finish_stage(Stage::Export).unwrap();
        bundle.commit().unwrap();
        case
    }

    fn sound() -> Self {
        Case::new([weights(0), weights(1)])
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_string()
    }

    fn recipe(&self, more: &str) {
        let observer = if more.contains("observer") { "" } else { "observer = \"min-max\"\n" };
        let bits = "[recipe.net]\nweights = \"int8\"\nactivations = \"uint16\"\n";
        let text = format!("schema = 2\nname = \"case\"\n{bits}{observer}{more}\n");
        std::fs::write(self.path("recipe.toml"), text).unwrap();
    }

    /// Calibrates, quantizes and rounds; gives the warnings that the bundle keeps.
    fn warnings(&self, samples: &[Vec<f32>], encodings: &[&str]) -> Vec<String> {
        write(&self.path("samples.safetensors"), samples, &self.shape);
        let (bundle, samples) = (self.text("bundle"), self.text("samples.safetensors"));
        let mut args = vec!["calibrate", &bundle, "--calibration", &samples, "--verification", &samples];
        let recipe = self.text("recipe.toml");
        if self.path("recipe.toml").exists() {
            args.extend(["--recipe", &recipe]);
        }
        succeed(&args);
        succeed(&[&["quantize", &bundle], encodings].concat());
        succeed(&["emit", &bundle]);
        said(&json(&self.path("bundle/manifest.json")))
    }
}

/// Warnings, without those about what no recipe says.
fn said(report: &Value) -> Vec<String> {
    let all = report["warnings"].as_array().cloned().unwrap_or_default();
    let text = |one: &Value| format!("{}: {}", one["place"].as_str().unwrap(), one["message"].as_str().unwrap());
    let is_meant = |text: &String| !text.contains("no recipe says") && !text.contains("nothing says how");
    all.iter().map(text).filter(is_meant).collect()
}

/// A file with samples of `x`, each of this shape.
fn write(path: &Path, samples: &[Vec<f32>], shape: &[usize]) {
    let bytes: Vec<u8> = samples.iter().flatten().flat_map(|value| value.to_le_bytes()).collect();
    let shape = [&[samples.len()], shape].concat();
    let view = TensorView::new(Dtype::F32, shape, &bytes).unwrap();
    std::fs::write(path, serialize([("x", view)], None).unwrap()).unwrap();
}

fn samples(count: usize) -> Vec<Vec<f32>> {
    (0..count).map(|at| numbers(ROWS * WIDTHS[0], at)).collect()
}

fn scaled(by: f32) -> Vec<Vec<f32>> {
    samples(8).iter().map(|sample| sample.iter().map(|value| value * by).collect()).collect()
}

fn expect(found: &[String], wanted: &[&str]) {
    assert_eq!(found.len(), wanted.len(), "{found:#?}");
    found.iter().zip(wanted).for_each(|(found, wanted)| assert!(found.contains(wanted), "{wanted}: {found:#?}"));
}

#[test]
fn sound_evidence_is_not_doubted() {
    expect(&Case::sound().warnings(&samples(8), &[]), &[]);
}

#[test]
fn samples_that_show_little_are_told() {
    let case = Case::sound();
    case.recipe("");
    let [zero, even] = [0.0, 0.25].map(|number| vec![number; ROWS * WIDTHS[0]]);
    let with = |other: &Vec<f32>| [samples(7), vec![other.clone()]].concat();
    expect(&case.warnings(&samples(1), &[]), &["calibration: one sample calibrates"]);
    expect(&case.warnings(&with(&zero), &[]), &["calibration[7] is zero throughout"]);
    expect(&case.warnings(&with(&even), &[]), &["calibration[7] is of one colour or number throughout"]);
    expect(
        &case.warnings(&with(&samples(2)[1]), &[]),
        &["1 of 8 samples repeat others: calibration[7] is calibration[1]"],
    );
    expect(&case.warnings(&vec![samples(1)[0].clone(); 5], &[]), &["all 5 samples are the same"]);
    let all = case.warnings(&vec![zero; 3], &[]);
    expect(
        &all,
        &["all 3 samples are zero", "all 3 samples are the same", "net: `x`: was zero in all of calibration, as were"],
    );
}

#[test]
fn ranges_with_nothing_in_them_are_told() {
    let case = Case::sound();
    case.recipe("");
    for by in [1e-38, 1e-42] {
        let found = case.warnings(&scaled(by), &[]);
        assert!(found[0].starts_with("net: `x`: was "), "{found:#?}");
        assert!(found[0].contains("at most in all of calibration, which no scale tells from zero"), "{found:#?}");
    }
    // A layer whose weights are zero, and one whose weights are nothing beside its bias.
    let zeros = Case::new([vec![0.0; WIDTHS[0] * WIDTHS[1]], weights(1)]);
    zeros.recipe("");
    expect(&zeros.warnings(&samples(4), &[]), &["net: `up`: was zero in all of calibration, as were"]);
    let cut = Case::new([weights(0).iter().map(|weight| weight * 1e-30).collect(), weights(1)]);
    cut.recipe("");
    expect(&cut.warnings(&samples(4), &[]), &["net: `up`: was "]);
}

/// A layer that makes the same of all samples, though these differ: its weights are zero, and its bias is not.
#[test]
fn a_layer_that_ignores_its_input_is_told() {
    let mut made = Builder::new("net");
    let x = made.input("x", vec![1, ROWS, 4, 4], ElementType::F32).unwrap();
    let weight = made.constant("w", Constant::from_values(vec![0.0; 8 * ROWS], vec![8, ROWS, 1, 1])).unwrap();
    let bias = made.constant("b", Constant::from_values(numbers(8, 3), vec![8])).unwrap();
    let attributes = ops::Conv { strides: [1, 1], pads: [0; 4], groups: 1, dilations: [1, 1] };
    let out = made.node("conv", attributes, &[x, weight, bias]).unwrap();
    let out = made.node("act", ops::Sigmoid, &[out]).unwrap();
    let case = Case::of(made.finish(vec![out]));
    let found = case.warnings(&samples(4), &[]);
    expect(&found, &["net: `conv`: had the same range in all 4 runs, though what its layer reads had not"]);
}

#[test]
fn moments_that_say_too_little_are_told() {
    let case = Case::sound();
    let few = "went by few rows: layers that read these saw fewer than a row has numbers";
    for rounding in ["gptq", "qronos"] {
        case.recipe(&format!("rounding = \"{rounding}\"\n"));
        expect(&case.warnings(&samples(8), &[]), &[]);
        let found = case.warnings(&samples(3), &[]);
        expect(&found, &[few]);
        assert!(found[0].contains(rounding) && found[0].contains("`x` 12 rows of 16 numbers"), "{found:#?}");
        let mut empty = samples(8);
        empty.iter_mut().flatten().enumerate().filter(|(at, _)| at % 3 == 0).for_each(|(_, value)| *value = 0.0);
        empty.iter_mut().flat_map(|sample| sample.chunks_mut(WIDTHS[0])).for_each(|row| row[..6].fill(0.0));
        let found = case.warnings(&empty, &[]);
        assert!(found[0].contains("knows nothing of weights that only met zeros"), "{found:#?}");
        assert!(found[0].contains("`x` 6 of 16"), "{found:#?}");
    }
    case.recipe("weight_scales = \"output-mse\"\n");
    let found = case.warnings(&samples(3), &[]);
    expect(&found, &[few]);
    assert!(found[0].contains("output-mse"), "{found:#?}");
}

#[test]
fn sums_in_coarse_steps_are_told_where_blocks_would_make_them_finer() {
    let case = Case::sound();
    let with = |bits: &str, more: &str| {
        case.recipe(&format!("{more}\n[[override]]\ntensor = \"*.weight\"\ntype = \"{bits}\"\n"));
        case.warnings(&samples(8), &[])
    };
    let found = with("int4", "");
    expect(&found, &["1 layer has one scale for all weights of a channel in few bits"]);
    // 24 input channels of the other one cannot be cut into blocks.
    assert!(found[0].contains("`up.weight` (") && !found[0].contains("down"), "{found:#?}");
    expect(&with("int8", ""), &[]);
    case.recipe("[[override]]\ntensor = \"up.weight\"\ntype = \"int4 in blocks of 16\"\n");
    expect(&case.warnings(&samples(8), &[]), &[]);
    // A narrow value is summed without steps.
    case.recipe(
        "[[override]]\ntensor = \"*.weight\"\ntype = \"int4\"\n[[override]]\ntensor = \"*\"\ntype = \"uint8\"\n",
    );
    expect(&case.warnings(&samples(8), &[]), &[]);
}

/// Observers by class of values: that of one class moves ranges of that class and no others.
#[test]
fn keys_without_effect_are_told_and_bits_are_those_of_most_weights() {
    let case = Case::sound();
    case.recipe(
        "kv_cache = \"uint8\"\nhead = \"int16\"\ndepthwise = \"int8\"\n\
         [[override]]\ntensor = \"up.weight\"\ntype = \"int4\"",
    );
    let found = case.warnings(&samples(3), &[]);
    let idle: Vec<&String> = found.iter().filter(|one| one.contains("change nothing")).collect();
    let [idle] = idle[..] else { panic!("{found:?}") };
    assert!(idle.starts_with("net: keys of `[recipe.net]` change nothing: "), "{idle}");
    for key in ["kv_cache", "depthwise"] {
        assert!(idle.contains(&format!("`{key}` (")), "{key}: {idle}");
    }
    // `down.weight` makes the main output.
    assert!(!idle.contains("`head`"), "{idle}");
    // Two thirds of the weights are in `up.weight`, whatever the recipe says of all.
    assert_eq!(json(&case.path("bundle/manifest.json"))["partitions"][0]["weights"], "W4A16");
}

#[test]
fn observers_are_chosen_by_class() {
    let case = Case::sound();
    let mut samples = samples(6);
    samples[2].iter_mut().for_each(|value| *value *= 4.0);
    let chosen = |observer: &str| {
        case.recipe(&format!("observer = {observer}"));
        case.warnings(&samples, &[]);
        let statistics = json(&case.path("bundle/calibration/statistics.json"));
        let of = |name: &str| statistics["net"][name]["chosen"]["sixteen"][1].as_f64();
        (["x", "up", "act", "down"].map(of), statistics)
    };
    let (none, statistics) = chosen("\"min-max\"");
    assert_eq!(none, [None; 4]);
    let largest = |name: &str| statistics["net"][name]["max"].as_f64().unwrap();
    let (inputs, _) = chosen("{ default = \"min-max\", inputs = \"moving-average\" }");
    assert!(inputs[0].unwrap() < 0.5 * largest("x") && inputs[1..] == [None; 3], "{inputs:?}");
    // What is cut off in 16 bits is told.
    let told = |found: &[String]| found.iter().filter(|one| one.contains("cuts off more than half")).cloned().collect();
    let found: Vec<String> = told(&case.warnings(&samples, &[]));
    assert!(found.len() == 1 && found[0].contains("`x` (") && !found[0].contains("`up`"), "{found:?}");
    case.recipe("observer = \"min-max\"");
    let found: Vec<String> = told(&case.warnings(&samples, &[]));
    assert_eq!(found, [""; 0]);
    let (layers, _) = chosen("{ default = \"min-max\", layers = \"percentile\", outputs = \"mse\" }");
    assert!(layers[0].is_none() && layers[1].is_some() && layers[3].is_some(), "{layers:?}");
    // Values that share an encoding have one observer, that of the first class.
    let mut made = Builder::new("net");
    let x = made.input("x", vec![1, ROWS, WIDTHS[0]], ElementType::F32).unwrap();
    let up = made.constant("up.weight", Constant::from_values(weights(0), vec![WIDTHS[0], WIDTHS[1]])).unwrap();
    let up = made.node("up", ops::MatMul, &[x, up]).unwrap();
    let flat = made.node("flat", ops::Reshape { shape: vec![1, ROWS * WIDTHS[1]] }, &[up]).unwrap();
    let tied = Case::of(made.finish(vec![flat]));
    tied.recipe("observer = { default = \"min-max\", outputs = \"percentile\" }");
    tied.warnings(&samples, &[]);
    let statistics = json(&tied.path("bundle/calibration/statistics.json"));
    let has = ["x", "up", "flat"].map(|name| statistics["net"][name]["chosen"].is_object());
    assert_eq!(has, [false, true, true]);
    // The order of the samples is that of the average.
    let mut swapped = samples.clone();
    swapped.swap(2, 5);
    write(&case.path("samples.safetensors"), &swapped, &case.shape);
    let bundle = case.text("bundle");
    case.recipe("observer = \"moving-average\"");
    let more =
        ["--calibration", &case.text("samples.safetensors"), "--samples", "6", "--recipe", &case.text("recipe.toml")];
    let verification = ["--verification", &case.text("samples.safetensors")];
    succeed(&[&["calibrate", &bundle], &more[..], &verification].concat());
    let later = json(&case.path("bundle/calibration/statistics.json"));
    let later = later["net"]["x"]["chosen"]["eight"][1].as_f64().unwrap();
    assert!(later > inputs[0].unwrap() * 1.05, "{later} {inputs:?}");
}

#[test]
fn encodings_of_another_model_are_refused_or_told() {
    let case = Case::sound();
    expect(&case.warnings(&samples(8), &[]), &[]);
    let own = json(&case.path("bundle/encodings/net.json"));
    let file = case.text("given.json");
    let given = |change: &dyn Fn(&mut Value)| {
        let mut made = own.clone();
        change(&mut made);
        std::fs::write(case.path("given.json"), made.to_string()).unwrap();
    };
    let each = |list: &mut Value, change: &dyn Fn(&mut Value)| list.as_array_mut().unwrap().iter_mut().for_each(change);
    let by = |factor: f64| {
        move |entry: &mut Value| {
            for scale in entry["scale"].as_array_mut().unwrap() {
                *scale = json!(scale.as_f64().unwrap() * factor);
            }
        }
    };
    let activations = |factor: f64| {
        given(&|made| {
            made["param_encodings"] = json!([]);
            each(&mut made["activation_encodings"], &by(factor));
        });
        case.warnings(&samples(8), &["--encodings", &file])
    };
    expect(&activations(0.02), &["given ranges cover less than an eighth of what the samples show: "]);
    expect(&activations(200.0), &["given ranges are more than 64 times as wide as what the samples show: "]);
    expect(&activations(0.5), &[]);
    given(&|made| {
        made["activation_encodings"] = json!([]);
        each(&mut made["param_encodings"], &by(40.0));
    });
    let found = case.warnings(&samples(8), &["--encodings", &file]);
    expect(&found, &["2 given ranges of weights are more than 16 times as wide as the weights of most channels"]);
    // What can fit nothing is refused.
    let refused = |words: &str| {
        let output = autoneural(&["quantize", &case.text("bundle"), "--encodings", &file]);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(INPUT), "{said}");
        assert!(said.contains("given.json") && said.contains(words), "{words}: {said}");
    };
    given(&|made| *made = json!({ "version": "1.0.0", "activation_encodings": [], "param_encodings": [] }));
    refused("holds no encoding");
    given(&|made| {
        for list in ["activation_encodings", "param_encodings"] {
            each(&mut made[list], &|entry| entry["name"] = json!(format!("other.{}", entry["name"].as_str().unwrap())));
        }
    });
    refused("are no tensors of the model");
    given(&|made| {
        made["activation_encodings"] = json!([]);
        each(&mut made["param_encodings"], &|entry| {
            for list in ["scale", "offset"] {
                let twice = [entry[list].as_array().unwrap().clone(), entry[list].as_array().unwrap().clone()].concat();
                entry[list] = json!(twice);
            }
        });
    });
    refused("was it made for another model?");
}

/// Pictures of noise; gives the folder.
fn photos(folder: &Path, count: u32) -> String {
    let at = folder.join("photos");
    std::fs::create_dir_all(&at).unwrap();
    for number in 0..count {
        let noise =
            |x: u32, y: u32| image::Rgb([0, 1, 2].map(|c| ((x * 71 + y * 37 + c * 11 + number * 53) % 251) as u8));
        image::RgbImage::from_fn(40, 40, noise).save(at.join(format!("{number}.png"))).unwrap();
    }
    at.to_str().unwrap().to_string()
}

/// Of pictures that judge, and in every place where a person or a script looks.
#[test]
fn doubts_stand_in_the_summary_the_report_and_json() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let photos = photos(folder.path(), 4);
    image::RgbImage::from_pixel(40, 40, image::Rgb([9, 200, 30])).save(at("photos/4.png")).unwrap();
    let (out, page, text, none) = (at("bundle"), at("page.html"), at("page.md"), at("none"));
    std::fs::create_dir(&none).unwrap();
    let args = ["compile", "tests/fixtures/onnx/classifier.onnx", "--target", "sa8295p", "--calibration", &photos];
    let more = ["--verification", &photos, "--verify", "none", "--out", &out, "--toolkit", &none];
    let output = autoneural(&[&args[..], &more].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    // The same again, in JSON.
    let again = autoneural(&[&args[..], &more, &["--json"]].concat());
    let wanted = [
        "photos: calibration: calibration[4] is of one colour or number throughout",
        "photos: verification: verification[4] is of one colour or number throughout",
        "photos: verification: 5 of 5 samples that judge also calibrate: verification[0] is calibration[0]",
    ];
    let report = json(Path::new(&format!("{out}/report.json")));
    let printed: Value = serde_json::from_str(&stdout(&again)).unwrap();
    for (place, found) in [("report.json", said(&report)), ("--json", said(&printed))] {
        wanted
            .iter()
            .for_each(|words| assert!(found.iter().any(|one| one.contains(words)), "{place}: {words}: {found:#?}"));
    }
    wanted.iter().for_each(|words| assert!(stderr(&output).contains(words), "{words}: {}", stderr(&output)));
    succeed(&["report", &out, "--out", &page, "--markdown", &text]);
    for file in [page, text] {
        let written = std::fs::read_to_string(&file).unwrap();
        assert!(written.contains("of one colour or number throughout"), "{file}");
        assert!(written.contains("samples that judge also calibrate"), "{file}");
    }
}

/// Whether there were enough samples does not depend on their order: ranges that are owed to one of them are told.
#[test]
fn ranges_that_are_owed_to_one_sample_are_told() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    std::fs::create_dir(at("none")).unwrap();
    // One of the same eight samples is loud; they begin with another one.
    let compiled = |name: &str, begin: usize, factor: f32| {
        let of = |sample: usize| if sample == 0 { factor } else { 1.0 };
        let all = (begin..begin + 8).map(|at| at % 8).flat_map(|sample| {
            let by = of(sample);
            numbers(768, sample).into_iter().map(move |value| value * by)
        });
        let bytes: Vec<u8> = all.flat_map(f32::to_le_bytes).collect();
        let view = TensorView::new(Dtype::F32, vec![8, 3, 16, 16], &bytes).unwrap();
        let file = at(&format!("{name}.safetensors"));
        std::fs::write(&file, serialize([("image", view)], None).unwrap()).unwrap();
        let args = ["compile", "tests/fixtures/onnx/classifier.onnx", "--target", "sa8295p", "--calibration", &file];
        let more = ["--verification", &file, "--verify", "none", "--out", &at(name), "--toolkit", &at("none")];
        let said = succeed(&[&args[..], &more].concat());
        (said, json(&folder.path().join(name).join("report.json"))["calibration"].clone())
    };
    let (said, even) = compiled("even", 0, 1.0);
    assert!(!said.contains("too few samples"), "{said}");
    assert_eq!((&even[0]["runs"], &even[0]["is_enough"]), (&json!(8), &json!(true)), "{even}");
    let (said, first) = compiled("first", 0, 20.0);
    assert!(said.contains("too few samples calibrate classifier: without the one run that reaches furthest"), "{said}");
    assert_eq!(first[0]["is_enough"], false, "{first}");
    assert!(first[0]["widest"][0].as_f64().unwrap() > 50.0, "{first}");
    assert_eq!(compiled("last", 1, 20.0).1, first);
    let page = at("page.md");
    succeed(&["report", &at("first"), "--out", &at("page.html"), "--markdown", &page]);
    let written = std::fs::read_to_string(&page).unwrap();
    assert!(written.contains("## Were the calibration samples enough") && written.contains("too few: add samples"));
}
