//! What a host is told: a program that reads the manifest and the files named there, and nothing else, gives the
//! tokens and the integers of this program.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use autoneural::engine::EngineKind;
use autoneural::host::{Limits, Message, Role, Sampling, load_square, normalized};
use autoneural::progress::Silent;
use autoneural::runner::Model;
use safetensors::SafeTensors;
use serde_json::Value;
use tempfile::TempDir;

use crate::common::{autoneural, copy, demo_bundle, json, root, runtime, serve, stderr, stdout, succeed, toolkit};

const CAT: &str = "calibration/photos/cat.jpg";
const DOGS: &str = "calibration/photos/dogs.jpg";
pub const ENGINES: [&str; 2] = ["simulated", "npu"];

/// Runs the sample host in the Python of the machine, with numpy and the toolkit beside it.
fn host(bundle: &Path, args: &[&str]) -> Output {
    let packages = std::env::var_os("AUTONEURAL_CHECK_PYTHONPATH").expect("run the tests with `make test`");
    let path = std::env::join_paths([PathBuf::from(packages), toolkit()]).unwrap();
    let mut command = Command::new("python3");
    command
        .arg(root("tools/host/host.py"))
        .arg(bundle)
        .args(args)
        .env("PYTHONPATH", path)
        .env("PYTHONDONTWRITEBYTECODE", "1");
    command.output().expect("python3 starts")
}

/// What the sample host says.
fn answer(output: &Output) -> Value {
    let said = stdout(output);
    // The vendor's library may write a line of its own behind it.
    let line = said.lines().find(|line| line.starts_with('{')).unwrap_or_default();
    serde_json::from_str(line).unwrap_or_else(|_| panic!("{said}{}", stderr(output)))
}

pub fn manifest(bundle: &Path) -> Value {
    json(&bundle.join("manifest.json"))
}

/// The tensors of a safetensors file: shape and bytes by name.
pub fn tensors(path: &Path) -> BTreeMap<String, (Vec<usize>, Vec<u8>)> {
    let bytes = std::fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    file.tensors().into_iter().map(|(name, one)| (name, (one.shape().to_vec(), one.data().to_vec()))).collect()
}

pub fn codes(tensor: &(Vec<usize>, Vec<u8>)) -> Vec<u16> {
    tensor.1.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect()
}

#[test]
fn a_host_of_the_manifest_alone_meets_the_golden_vectors() {
    let (folder, bundle) = (TempDir::new().unwrap(), demo_bundle());
    let named = bundle.to_str().unwrap();
    for engine in ENGINES {
        let dump = folder.path().join(engine);
        let dump = dump.to_str().unwrap();
        let output = host(bundle, &["--engine", engine, "--golden", "--dump", dump]);
        assert!(output.status.success(), "{engine}: {}{}", stdout(&output), stderr(&output));
        assert_eq!(answer(&output)["different"], serde_json::json!([]));
        let found: Value =
            serde_json::from_str(&succeed(&["golden", named, "--vectors", dump, "--on", engine, "--json"])).unwrap();
        assert_eq!((found["engine"].as_str(), found["missing"].as_u64()), (Some(engine), Some(0)), "{found}");
        assert!(found["equal"].as_u64().unwrap() > 60 && found["different"] == serde_json::json!([]), "{found}");
    }
    // A partition in several models is one model after the other.
    let output = host(crate::segments::without_gelu(), &["--engine", "npu", "--golden"]);
    assert!(output.status.success(), "{}{}", stdout(&output), stderr(&output));
    // The NPU is what is compared with where nothing is said; the simulation gives other integers.
    let other = folder.path().join("simulated");
    let output = autoneural(&["golden", named, "--vectors", other.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(6), "{}", stdout(&output));
    assert!(stderr(&output).contains("`vision.0/features` is the first tensor that differs"), "{}", stderr(&output));
    assert!(stderr(&output).contains("the model made it"), "{}", stderr(&output));
}

#[test]
fn a_host_that_begins_with_integer_zero_is_found_out() {
    let (folder, bundle) = (TempDir::new().unwrap(), demo_bundle());
    let dump = folder.path().join("wrong");
    let dump = dump.to_str().unwrap();
    let output = host(bundle, &["--golden", "--fill", "0", "--dump", dump]);
    assert_eq!(output.status.code(), Some(1), "{}{}", stdout(&output), stderr(&output));
    let output = autoneural(&["golden", bundle.to_str().unwrap(), "--vectors", dump, "--on", "simulated"]);
    assert_eq!(output.status.code(), Some(6));
    let said = stderr(&output);
    let fill = &state_of(&manifest(bundle), "language.prefill", "layers.0.conv_state")["fill"];
    for word in ["`language.prefill.0/layers.0.conv_state`", &format!("0, not {fill}"), "the host made it"] {
        assert!(said.contains(word), "{word}: {said}");
    }
}

#[test]
fn a_host_answers_as_run_does() {
    let (folder, bundle) = (TempDir::new().unwrap(), demo_bundle());
    serve();
    let model = Model::open(bundle, &[EngineKind::Simulated, EngineKind::Npu], &Silent).unwrap();
    let (vision, language) = (model.definition().seeing().unwrap(), &model.definition().language);
    // Less than a chunk, several and a rest, whole chunks, into the last chunk of the context, and until it is full.
    let long = |words: usize| "word ".repeat(words);
    let mut lengths = Vec::new();
    for (images, text, kinds) in [
        (&[][..], "Who?".to_string(), &[EngineKind::Simulated, EngineKind::Npu][..]),
        (&[CAT], "What is it?".to_string(), &[EngineKind::Simulated, EngineKind::Npu]),
        (&[CAT, DOGS], "Which of them?".to_string(), &[EngineKind::Npu]),
        (&[DOGS], long(12), &[EngineKind::Simulated]),
        (&[], long(75), &[EngineKind::Simulated]),
        (&[], long(81), &[EngineKind::Simulated]),
    ] {
        let tokens = model.tokens(&[Message::new(Role::User, images.len(), &text)]).unwrap();
        let listed: Vec<String> = tokens.iter().map(u32::to_string).collect();
        let listed = listed.join(",");
        let mut args = vec!["--tokens", &listed, "--max-tokens", "5"];
        let squares: Vec<Vec<u8>> = images.iter().map(|path| load_square(&root(path), vision).unwrap()).collect();
        let places: Vec<String> = (0..images.len()).map(|at| format!("{}/{at}", folder.path().display())).collect();
        for (place, square) in places.iter().zip(&squares) {
            std::fs::write(place, square).unwrap();
            args.extend(["--pixels", place]);
        }
        let pixels: Vec<_> = squares.iter().map(|square| normalized(square, vision)).collect();
        for &kind in kinds {
            let limits = Limits { max_tokens: 5, sampling: None::<Sampling> };
            let generator = model.generator(kind, Some(runtime())).unwrap();
            let mut talk = model.conversation(generator, None, false, &limits).unwrap();
            let wanted = talk.ask(&pixels, &text, &mut |_| Ok(())).unwrap();
            let output = host(bundle, &[&args[..], &["--engine", kind.name()]].concat());
            let made = answer(&output);
            assert_eq!(made["tokens"], serde_json::json!(wanted.tokens), "{text} on {}", kind.name());
            assert_eq!(made["prompt_tokens"], serde_json::json!(wanted.prompt_tokens));
        }
        lengths.push(tokens.len());
    }
    let chunk = language.prefill;
    assert!(lengths.iter().any(|&length| length > chunk && length % chunk != 0), "{lengths:?}");
    assert!(lengths.iter().any(|&length| length < chunk), "{lengths:?}");
    assert!(lengths.iter().any(|&length| length > language.context - chunk), "{lengths:?}");
}

fn state_of(manifest: &Value, partition: &str, port: &str) -> Value {
    let partitions = manifest["partitions"].as_array().unwrap();
    let inputs = partitions.iter().find(|one| one["name"] == partition).unwrap()["inputs"].as_array().unwrap();
    inputs.iter().find(|one| one["name"] == port).unwrap()["state"].clone()
}

#[test]
fn every_state_says_what_it_begins_with_and_what_follows() {
    let manifest = manifest(demo_bundle());
    let sequence = &manifest["host"]["sequence"];
    let (context, prefill) = (sequence["context"].as_u64().unwrap(), sequence["prefill"].as_u64().unwrap());
    assert_eq!((context, prefill), (256, 32));
    let mut states = 0;
    for partition in manifest["partitions"].as_array().unwrap() {
        let outputs = partition["outputs"].as_array().unwrap();
        for port in partition["inputs"].as_array().unwrap() {
            let (role, state) = (port["role"].as_str().unwrap(), &port["state"]);
            let axis = match role {
                "keys" => Some(3),
                "values" => Some(2),
                "conv-state" => None,
                _ => {
                    assert!(state.is_null(), "{port}");
                    continue;
                }
            };
            states += 1;
            assert_eq!(state["fill"], port["zero_point"]);
            assert_ne!(state["fill"], 0);
            let next = outputs.iter().find(|one| one["name"] == state["next"]).unwrap();
            assert_eq!(next["encoding_key"], port["encoding_key"]);
            let of_step = if partition["name"] == "language.prefill" { prefill } else { 1 };
            match axis {
                Some(axis) => {
                    assert_eq!((state["update"].as_str(), state["axis"].as_u64()), (Some("append"), Some(axis)));
                    assert_eq!(state["columns"], context - of_step);
                    assert_eq!(port["shape"][axis as usize], state["columns"]);
                    assert_eq!(next["shape"][axis as usize], of_step);
                }
                None => {
                    assert_eq!(state["update"], "replace");
                    assert_eq!(next["shape"], port["shape"]);
                }
            }
        }
    }
    assert_eq!(states % 2, 0);
    assert!(states >= 6, "{states}");
}

#[test]
fn models_say_which_file_they_are_and_what_made_it() {
    let (bundle, manifest) = (demo_bundle(), manifest(demo_bundle()));
    let models = manifest["models"].as_array().unwrap();
    let names: Vec<&str> = models.iter().map(|one| one["partition"].as_str().unwrap()).collect();
    assert_eq!(names, ["vision", "projector", "language.prefill", "language.decode"]);
    let listed: Vec<&str> =
        manifest["files"].as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap()).collect();
    for model in models {
        let context = &model["context"];
        for file in [&model["quantized"], &model["data"], &context["binary"], &context["model"]] {
            assert!(listed.contains(&file.as_str().unwrap()), "{file}");
        }
        assert_eq!((context["htp_arch"].as_u64(), context["soc_model"].as_u64()), (Some(68), Some(39)));
        let binary = std::fs::read(bundle.join(context["binary"].as_str().unwrap())).unwrap();
        for text in [&context["graph"], &context["sdk_build"]] {
            let text = text.as_str().unwrap().as_bytes();
            assert!(text.len() > 8 && binary.windows(text.len()).any(|part| part == text), "{context}");
        }
        assert!(context["sdk_build"].as_str().unwrap().starts_with("v2.51.0."), "{context}");
    }
    let tables = tensors(&bundle.join(manifest["host"]["image"]["file"].as_str().unwrap()));
    // This model's pixels are 0..1: their codes are exact.
    let wanted: Vec<u16> = (0..3).flat_map(|_| (0..256).map(|pixel| 257 * pixel as u16)).collect();
    assert_eq!(codes(&tables["image"]), wanted);
    let rotary = &manifest["host"]["rotary"];
    let (cos, size) = (&tables[rotary["cos"].as_str().unwrap()], rotary["size"].as_u64().unwrap() as usize);
    assert_eq!(cos.0, [256, size]);
    let rows = codes(cos);
    for row in rows.chunks(size) {
        assert_eq!(row[..size / 2], row[size / 2..], "both halves are alike");
    }
    assert!(rows[..size].iter().all(|&code| code == rows[0]) && rows[size] < rows[0]);
}

#[test]
fn the_example_of_the_prompt_is_what_run_feeds() {
    serve();
    let model = Model::open(demo_bundle(), &[EngineKind::Float], &Silent).unwrap();
    let prompt = &manifest(demo_bundle())["host"]["prompt"];
    let example = &prompt["example"];
    let text = example["messages"][0]["content"][1]["text"].as_str().unwrap();
    let tokens = model.tokens(&[Message::new(Role::User, 1, text)]).unwrap();
    assert_eq!(example["tokens"], serde_json::json!(tokens));
    assert!(example["text"].as_str().unwrap().contains(text));
    let image = prompt["image"]["id"].as_u64().unwrap();
    let visual = tokens.iter().filter(|&&token| u64::from(token) == image).count();
    assert_eq!(prompt["visual_tokens"].as_u64(), Some(visual as u64));
    assert_eq!(example["tokens"][0], prompt["bos"]["id"]);
    assert_eq!(prompt["template"]["content"]["user"], "parts");
    assert_eq!(prompt["template"]["variables"]["add_generation_prompt"], true);
    assert!(prompt["ends"].as_array().unwrap().contains(&prompt["image"]["id"]));
}

#[test]
fn a_bundle_of_the_version_before_still_runs() {
    let folder = TempDir::new().unwrap();
    let bundle = folder.path().join("bundle");
    copy(demo_bundle(), &bundle);
    let mut old = manifest(&bundle);
    for key in ["host", "models", "runtime", "golden"] {
        assert!(old.as_object_mut().unwrap().remove(key).is_some());
    }
    for partition in old["partitions"].as_array_mut().unwrap() {
        for port in partition["inputs"].as_array_mut().unwrap() {
            ["state", "padding"].iter().for_each(|key| drop(port.as_object_mut().unwrap().remove(*key)));
        }
    }
    let files = old["files"].as_array_mut().unwrap();
    files.retain(|file| {
        !file["path"].as_str().unwrap().starts_with("golden/") && file["path"] != "qdq/tables.safetensors"
    });
    std::fs::write(bundle.join("manifest.json"), old.to_string()).unwrap();
    std::fs::remove_dir_all(bundle.join("golden")).unwrap();
    std::fs::remove_file(bundle.join("qdq/tables.safetensors")).unwrap();
    let (named, toolkit) = (bundle.to_str().unwrap(), toolkit());
    let ask = |bundle: &str| {
        let more =
            ["--prompt", "Who?", "--max-tokens", "2", "--on", "npu", "--toolkit", toolkit.to_str().unwrap(), "--json"];
        let made: Value = serde_json::from_str(&succeed(&[&["run", bundle], &more[..]].concat())).unwrap();
        made["answers"][0]["tokens"].clone()
    };
    assert_eq!(ask(named), ask(demo_bundle().to_str().unwrap()));
    assert!(succeed(&["inspect", named]).contains("a device holds"));
    assert_eq!(autoneural(&["golden", named]).status.code(), Some(3));
}
