//! Where samples are from: pictures, arrays, raw numbers and lists become the same samples, and what cannot be is
//! refused by name.

use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, TensorView, serialize};
use serde_json::Value;
use tempfile::TempDir;

use autoneural::bundle::{Begin, Making, Stage};
use autoneural::drivers::tensors::{Graphs, Tensors, partition};
use autoneural::drivers::{Driver, Source};
use autoneural::ir::{Builder, ElementType, Graph, ops};
use autoneural::passes::{Context, freeze};
use autoneural::program::Group;
use autoneural::program::groups;
use autoneural::progress::Silent;
use autoneural::recipe::Recipe;
use autoneural::samples::Given;
use autoneural::target::Target;

use crate::common::bench::INPUT;
use crate::common::{autoneural, json, root, stderr, succeed};

/// A bundle of a graph that only has float models.
fn bundle(graph: Graph, folder: &Path) -> PathBuf {
    let (target, text) = Target::find("sa8295p").unwrap();
    let graphs = [partition("net", freeze(&graph, Context { target: &target }).unwrap()).unwrap()];
    let source = Graphs { name: "net", graphs: &graphs, as_built: &[], made_of: "by hand" };
    let out = folder.join("bundle");
    let mut bundle = Making::begin(&out, Begin::New, false).unwrap();
    source.export(&mut bundle, (&target, &text), &Silent).unwrap();
    bundle.finish_stage(Stage::Export).unwrap();
    bundle.commit().unwrap();
    out
}

/// Takes `x` [1, 2, 3] and `y` [2, 3].
fn sums() -> Graph {
    let mut made = Builder::new("net");
    let x = made.input("x", vec![1, 2, 3], ElementType::F32).unwrap();
    let y = made.input("y", vec![2, 3], ElementType::F32).unwrap();
    let sum = made.node("sum", ops::Add, &[x, y]).unwrap();
    made.finish(vec![sum])
}

/// Takes `image` of a shape.
fn pictures(shape: &[usize]) -> Graph {
    let mut made = Builder::new("net");
    let image = made.input("image", shape.to_vec(), ElementType::F32).unwrap();
    let out = made.node("out", ops::Sigmoid, &[image]).unwrap();
    made.finish(vec![out])
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Calibrates; gives the statistics and what is kept of the recipe.
fn calibrated(bundle: &Path, more: &[&str]) -> (Value, Recipe) {
    succeed(&[&["calibrate", text(bundle)], more].concat());
    let kept = bundle.join("calibration/recipe.toml");
    (json(&bundle.join("calibration/statistics.json")), Recipe::read(&kept).unwrap())
}

/// What the fixtures hold: numbers of `x` and `y` in sample `at`.
fn numbers(at: usize) -> [Vec<f32>; 2] {
    let all = at * 6..(at + 1) * 6;
    [all.clone().map(|n| (n as f64 / 7.0 - 1.0) as f32).collect(), all.map(|n| (n * 5) as f32).collect()]
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// NumPy's compressed archive of a float64 array in Fortran's order and of bytes, a list of raw files in both of its
/// forms, and a folder of safetensors files give the same statistics.
#[test]
fn all_kinds_of_arrays_are_the_same_samples() {
    let folder = TempDir::new().unwrap();
    let bundle = bundle(sums(), folder.path());
    let samples = folder.path().join("samples");
    std::fs::create_dir_all(samples.join("in")).unwrap();
    std::fs::create_dir_all(folder.path().join("files")).unwrap();
    let (mut pairs, mut plain) = ("#sum\n% sum\n\n".to_string(), String::new());
    for at in 0..4 {
        let arrays = numbers(at);
        for (name, values) in ["x", "y"].iter().zip(&arrays) {
            std::fs::write(samples.join(format!("in/{name}{at}.raw")), bytes(values)).unwrap();
        }
        pairs.push_str(&format!("y:=in/y{at}.raw x:=./in/x{at}.raw\n"));
        plain.push_str(&format!("in/x{at}.raw {}\r\n", samples.join(format!("in/y{at}.raw")).display()));
        let [x, y] = arrays.each_ref().map(|values| bytes(values));
        let views = [("x", vec![1, 2, 3], &x), ("net/y", vec![2, 3], &y)];
        let views = views.map(|(name, shape, bytes)| (name, TensorView::new(Dtype::F32, shape, bytes).unwrap()));
        std::fs::write(folder.path().join(format!("files/{at}.safetensors")), serialize(views, None).unwrap()).unwrap();
    }
    std::fs::write(samples.join("pairs.txt"), pairs).unwrap();
    std::fs::write(folder.path().join("plain.txt"), "").unwrap();
    let npz = root("tests/fixtures/numpy/both.npz");
    let (wanted, recipe) = calibrated(&bundle, &["--calibration", text(&npz)]);
    // The last of the four judges.
    assert_eq!((recipe.calibration.len(), recipe.verification.len()), (3, 1));
    assert_eq!(recipe.verification[0].title(), "both.npz[3]");
    for (name, at) in [("x", 0), ("y", 1)] {
        let found = &wanted["net"][name];
        let most = f64::from(numbers(2)[at][5]);
        assert!((found["max"].as_f64().unwrap() - most).abs() < 1e-6 && found["runs"] == 3, "{found}");
    }
    let (found, recipe) = calibrated(&bundle, &["--calibration", text(&samples)]);
    assert_eq!(found, wanted, "a folder with a list");
    assert_eq!(recipe.calibration[1].title(), "in/x1.raw, in/y1.raw");
    std::fs::write(samples.join("pairs.txt"), plain).unwrap();
    let (found, _) = calibrated(&bundle, &["--calibration", text(&samples.join("pairs.txt"))]);
    assert_eq!(found, wanted, "plain paths");
    let files = folder.path().join("files");
    let (found, _) = calibrated(&bundle, &["--calibration", text(&files)]);
    assert_eq!(found, wanted, "a folder of files");
    // Of another recipe those that judge: the last of its two.
    let recipe = files.join("recipe.toml");
    let lists = "[[calibration]]\ntensors = \"2.safetensors\"\n[[calibration]]\ntensors = \"1.safetensors\"\n";
    let head =
        "schema = 2\nname = \"r\"\n[recipe.net]\nweights = \"int8\"\nactivations = \"uint8\"\nobserver = \"min-max\"\n";
    std::fs::write(&recipe, format!("{head}{lists}")).unwrap();
    let (_, kept) = calibrated(&bundle, &["--calibration", text(&npz), "--verification", text(&recipe)]);
    let judging: Vec<&str> = kept.verification.iter().map(|sample| sample.title()).collect();
    assert_eq!((kept.calibration.len(), judging), (4, vec!["1.safetensors"]));
    // A recipe takes others to judge by, if it has none itself.
    let (_, kept) = calibrated(&bundle, &["--calibration", text(&recipe), "--verification", text(&npz)]);
    assert_eq!((kept.calibration.len(), kept.verification.len(), kept.name.as_str()), (2, 4, "r"));
    std::fs::remove_file(&recipe).unwrap();
    // Others judge: then all four calibrate.
    let more = ["--calibration", text(&files), "--verification", text(&npz), "--samples", "4"];
    let (found, recipe) = calibrated(&bundle, &more);
    assert_ne!(found, wanted);
    assert_eq!((recipe.calibration.len(), recipe.verification.len()), (4, 4));
    assert_eq!(recipe.calibration[2].title(), "2.safetensors");
}

#[test]
fn what_is_taken_for_granted_is_said() {
    let folder = TempDir::new().unwrap();
    let bundle = bundle(sums(), folder.path());
    let npz = root("tests/fixtures/numpy/both.npz");
    let output = autoneural(&["calibrate", text(&bundle), "--calibration", text(&npz), "--samples", "2"]);
    let said = stderr(&output);
    assert!(output.status.success(), "{said}");
    for words in [
        "no recipe says how to quantize: W8A16",
        "2 of 4 samples are taken, evenly spread",
        "x: float64 is rounded to float32",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let warnings = json(&bundle.join("manifest.json"))["warnings"].to_string();
    assert!(warnings.contains("float64 is rounded"), "{warnings}");
}

/// A picture of one colour with a grey frame, wider than it is high.
fn picture(path: &Path, color: [u8; 3]) {
    let inside = |x: u32| (8..24).contains(&x);
    let made = image::RgbImage::from_fn(32, 16, |x, _| image::Rgb(if inside(x) { color } else { [100; 3] }));
    made.save(path).unwrap();
}

#[test]
fn pictures_become_inputs_as_the_recipe_says_or_by_a_guess_that_is_said() {
    let folder = TempDir::new().unwrap();
    let photos = folder.path().join("photos");
    std::fs::create_dir_all(photos.join("a")).unwrap();
    for (name, color) in [("a/0.png", [255, 0, 51]), ("1.png", [255, 0, 51]), ("2.PNG", [0, 255, 255])] {
        picture(&photos.join(name), color);
    }
    std::fs::write(photos.join("README.md"), "pictures").unwrap();
    std::fs::write(photos.join(".hidden.npz"), "").unwrap();
    let bundle = bundle(pictures(&[1, 3, 16, 16]), folder.path());
    let output = autoneural(&["calibrate", text(&bundle), "--calibration", text(&photos)]);
    let said = stderr(&output);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("nothing says how pictures become `image`; taken: shorter side resized to 16"), "{said}");
    assert!(said.contains("`README.md` in the folder are no samples"), "{said}");
    // 1.png and 2.PNG calibrate, a/0.png judges; the frame is cropped off.
    let range = |bundle: &Path| {
        let found = &json(&bundle.join("calibration/statistics.json"))["net"]["image"];
        ["min", "max"].map(|key| found[key].as_f64().unwrap())
    };
    let imagenet =
        |channel: usize, value: f64| (value - [0.485, 0.456, 0.406][channel]) / [0.229, 0.224, 0.225][channel];
    let close = |found: [f64; 2], wanted: [f64; 2]| found.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-5);
    assert!(close(range(&bundle), [imagenet(0, 0.0), imagenet(2, 1.0)]), "{:?}", range(&bundle));
    let kept = std::fs::read_to_string(bundle.join("calibration/recipe.toml")).unwrap();
    assert!(kept.contains("[preprocess.\"image\"]\nsize = 16\ncrop = [16, 16]\n"), "{kept}");
    // A list whose file names have blanks, and other preprocessing.
    std::fs::rename(photos.join("1.png"), photos.join("one picture.png")).unwrap();
    std::fs::write(photos.join("list.txt"), "one picture.png\n").unwrap();
    let recipe = folder.path().join("bits.toml");
    succeed(&["init", text(&bundle), "--out", text(&recipe)]);
    let written = std::fs::read_to_string(&recipe).unwrap();
    let changed = written
        .replace("colors = \"RGB\"", "colors = \"BGR\"")
        .replace("mean = [0.485, 0.456, 0.406]", "mean = [0.0, 0.5, 0.25]")
        .replace("std = [0.229, 0.224, 0.225]", "std = [1.0, 1.0, 0.5]");
    std::fs::write(&recipe, changed).unwrap();
    let list = photos.join("list.txt");
    let output = autoneural(&["calibrate", text(&bundle), "--calibration", text(&list), "--recipe", text(&recipe)]);
    let said = stderr(&output);
    assert!(output.status.success() && !said.contains("nothing says"), "{said}");
    // Blue 51 comes first: 0.2; green 0 second: -0.5; red 255 last: (1 - 0.25) / 0.5.
    assert!(close(range(&bundle), [-0.5, 1.5]), "{:?}", range(&bundle));
    // Channels last, without normalization.
    let last = TempDir::new().unwrap();
    let bundle = self::bundle(pictures(&[1, 16, 16, 3]), last.path());
    succeed(&["calibrate", text(&bundle), "--calibration", text(&list)]);
    assert!(close(range(&bundle), [0.0, 1.0]), "{:?}", range(&bundle));
}

/// A file of NumPy's with this dictionary and these bytes behind it.
fn npy(header: &str, elements: &[u8]) -> Vec<u8> {
    let mut made = b"\x93NUMPY\x01\x00".to_vec();
    made.extend((header.len() as u16).to_le_bytes());
    [made, header.as_bytes().to_vec(), elements.to_vec()].concat()
}

#[test]
fn samples_that_cannot_be_are_refused_by_name() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    let (two, one) = (at("two"), at("one"));
    [&two, &one].iter().for_each(|place| std::fs::create_dir(place).unwrap());
    let (two, one) = (bundle(sums(), &two), bundle(pictures(&[1, 3, 16, 16]), &one));
    for name in ["empty", "mixed", "raws", "texts"] {
        std::fs::create_dir(at(name)).unwrap();
    }
    let write = |name: &str, bytes: &[u8]| std::fs::write(at(name), bytes).unwrap();
    picture(&at("mixed/a.png"), [0; 3]);
    write("mixed/b.raw", &[0; 24]);
    write("raws/x.raw", &[0; 24]);
    write("raws/short.raw", &[0; 20]);
    write("raws/nan.raw", &bytes(&[0.0, f32::NAN, 0.0, 0.0, 0.0, 0.0]));
    write("texts/notes.md", b"nothing");
    write("cut.png", &std::fs::read(at("mixed/a.png")).unwrap()[..60]);
    write("missing.txt", b"# outputs\nraws/x.raw raws/x.raw\nraws/x.raw raws/none.raw\n");
    write("few.txt", b"x:=raws/x.raw\n");
    write("twice.txt", b"x:=raws/x.raw x:=raws/x.raw\n");
    write("other.txt", b"x:=raws/x.raw z:=raws/x.raw\n");
    write("out.txt", b"x:=raws/x.raw y:=../x.raw\n");
    write("short.txt", b"x:=raws/x.raw y:=raws/short.raw\n");
    write("nan.txt", b"x:=raws/x.raw y:=raws/nan.raw\n");
    write("long.npy", &npy("{'descr': '<f4', 'fortran_order': False, 'shape': (5, 3, 16, 17), }", &[0; 16320]));
    write("cut.npy", &npy("{'descr': '<f4', 'fortran_order': False, 'shape': (5, 3, 16, 16), }", &[0; 8]));
    write("huge.npy", &npy("{'descr': '<f4', 'fortran_order': True, 'shape': (9000000000, 0), }", &[]));
    write("zip.npz", b"PK\x05\x06");
    let objects = root("tests/fixtures/numpy/objects.npy");
    let both = root("tests/fixtures/numpy/both.npz");
    let recipe = at("recipe.toml");
    succeed(&["init", text(&two), "--out", text(&recipe)]);
    type Case<'a> = (&'a Path, PathBuf, &'a [&'a str]);
    let cases: &[Case] = &[
        (&two, at("nowhere"), &["nowhere", "No such file"]),
        (&two, at("empty"), &["empty", "holds no sample"]),
        (&two, at("texts"), &["texts", "holds no sample"]),
        (&two, at("mixed"), &["mixed", "holds pictures (`a.png`) and raw numbers (`b.raw`)"]),
        (&two, at("raws"), &["nan.raw", "for one input; the model takes `x`", "INPUT:=FILE"]),
        (&two, at("missing.txt"), &["missing.txt:3", "`raws/none.raw` is not there"]),
        (&two, at("few.txt"), &["few.txt:1", "names no file for `y`"]),
        (&two, at("twice.txt"), &["twice.txt:1", "`x` is named twice"]),
        (&two, at("other.txt"), &["other.txt:1", "`z` is the input of no graph"]),
        (&two, at("out.txt"), &["out.txt:1", "leaves the folder"]),
        (&two, at("short.txt"), &["short.raw", "`y`", "has 20 bytes; float32 [2, 3] has 24"]),
        (&two, at("nan.txt"), &["nan.raw", "element 1 is NaN"]),
        (&two, objects, &["objects.npy", "Python objects"]),
        (&two, at("cut.png"), &["cut.png", "for one input"]),
        (&two, at("recipe.toml"), &["recipe.toml", "missing field `calibration`"]),
        (&one, at("cut.png"), &["cut.png", "cannot be read as an image"]),
        (&one, at("raws/x.raw"), &["x.raw", "has 24 bytes; float32 [1, 3, 16, 16] has 3072"]),
        (&one, at("long.npy"), &["long.npy", "is float32 [5, 3, 16, 17]", "[1, 3, 16, 16]"]),
        (&one, at("cut.npy"), &["cut.npy", "float32 [5, 3, 16, 16] has 15"]),
        (&one, at("huge.npy"), &["huge.npy", "is float32 [9000000000, 0]"]),
        (&one, at("zip.npz"), &["zip.npz", "is no archive of arrays"]),
        (&one, both, &["both.npz", "is the input of no graph"]),
    ];
    for (bundle, samples, words) in cases {
        let output = autoneural(&["calibrate", text(bundle), "--calibration", text(samples)]);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(INPUT), "{samples:?}: {said}");
        words.iter().for_each(|word| assert!(said.contains(word), "{samples:?}: {word}: {said}"));
    }
    // What is asked of a recipe beside samples.
    for (more, words) in [
        (["--verification", text(&recipe)], "missing field `calibration`"),
        (["--recipe", text(&at("raws/x.raw"))], "x.raw"),
        (["--samples", "0"], "at least 1"),
    ] {
        let npz = root("tests/fixtures/numpy/both.npz");
        let output = autoneural(&[&["calibrate", text(&two), "--calibration", text(&npz)][..], &more[..]].concat());
        assert!(!output.status.success() && stderr(&output).contains(words), "{words}: {}", stderr(&output));
    }
    let demo = root("calibration/demo");
    let args = ["compile", "graphs/autoneural-tiny.toml", "--weights", "models/autoneural-tiny", "--target", "sa8295p"];
    let out = at("demo");
    let output = autoneural(&[&args[..], &["--out", text(&out), "--calibration", text(&demo)]].concat());
    assert_eq!(output.status.code(), Some(INPUT));
    assert!(
        stderr(&output).contains("is no recipe; this model is asked with pictures and words"),
        "{}",
        stderr(&output)
    );
}

/// What `init` writes is read as a recipe: of a model with words as it stands, of another with samples beside it.
#[test]
fn init_writes_a_recipe_to_begin_with() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("recipe.toml");
    let said = succeed(&["init", "graphs/autoneural-tiny.toml", "--out", text(&out)]);
    assert!(said.contains("recipe: "), "{said}");
    let recipe = Recipe::read(&out).unwrap();
    assert_eq!((recipe.calibration.len(), recipe.verification.len(), recipe.steps()), (1, 1, 4));
    let again = autoneural(&["init", "autoneural-tiny", "--out", text(&out)]);
    assert!(again.status.code() == Some(INPUT) && stderr(&again).contains("is there already"), "{}", stderr(&again));
    // A model that takes text alone gets samples of text.
    let of_text = succeed(&["init", "smollm2-135m", "-o", "-"]);
    assert!(of_text.contains("windows = \"0..12\"") && !of_text.contains("picture"), "{of_text}");
    std::fs::write(folder.path().join("prose.txt"), "Words. ".repeat(100)).unwrap();
    let of_text = Recipe::parse(of_text, &out).unwrap();
    assert_eq!((of_text.calibration.len(), of_text.verification.len()), (12, 1));
    let language = of_text.part(&Group::fixed("language")).unwrap();
    assert_eq!(language.weights.to_string(), "int4 in blocks of 32");
    // Its windows fit into the context, with what is decoded behind them.
    let of_short = succeed(&["init", "tests/fixtures/llama-random/definition.toml", "-o", "-"]);
    assert_eq!(of_short.matches("\nwindow = 252\n").count(), 2, "{of_short}");
    let bundle = bundle(pictures(&[1, 3, 48, 320]), folder.path());
    let said = succeed(&["init", text(&bundle), "-o", "-"]);
    for line in [
        "#   `image` float32 [1, 3, 48, 320] of net",
        "[recipe.net]",
        "[preprocess.\"image\"]",
        "size = [48, 320]",
        "mean = [0.485, 0.456, 0.406]",
        "# inputs = { \"image\" = \"samples/0.png\" }",
    ] {
        assert!(said.lines().any(|found| found == line), "{line}: {said}");
    }
    std::fs::write(&out, &said).unwrap();
    assert!(Recipe::without_samples(&out).unwrap().preprocess.contains_key("image"));
    // Its samples only have to be uncommented.
    let whole = said.replace("# [[cal", "[[cal").replace("# inputs", "inputs").replace("# tensors", "tensors");
    let whole = whole.replace("# row", "row");
    assert_eq!(Recipe::parse(whole, &out).unwrap().calibration.len() + 1, 2);
}

/// Whatever is wrong with the bytes of an archive, it is refused or read, and nothing else happens.
#[test]
fn damaged_archives_end_in_errors() {
    let folder = TempDir::new().unwrap();
    let (target, _) = Target::find("sa8295p").unwrap();
    let graphs = [partition("net", freeze(&sums(), Context { target: &target }).unwrap()).unwrap()];
    let source = Graphs { name: "net", graphs: &graphs, as_built: &[], made_of: "by hand" };
    let driver = Tensors::new(groups(&graphs));
    let sound = std::fs::read(root("tests/fixtures/numpy/both.npz")).unwrap();
    let path = folder.path().join("damaged.npz");
    let read = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        let given = Given { calibration: Some(path.clone()), ..Given::default() };
        given.recipe(|| source.takes()).and_then(|recipe| driver.refuse_unfit(&recipe, &graphs))
    };
    read(&sound).unwrap();
    let mut refused = 0;
    for at in 0..sound.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut damaged = sound.clone();
            damaged[at] ^= flip;
            refused += usize::from(read(&damaged).is_err());
        }
        assert!(read(&sound[..at]).is_err(), "the first {at} bytes");
    }
    assert!(refused > sound.len(), "{refused} of {} were refused", 3 * sound.len());
}
