//! Golden vectors as they come and go, a host's own tensors held against them, and the logits of `run`.

use serde_json::Value;
use tempfile::TempDir;

use crate::common::{autoneural, copy, demo_bundle, stderr, stdout, succeed, toolkit};
use crate::host::{ENGINES, codes, manifest, tensors};

#[test]
fn golden_vectors_come_and_go_with_verification() {
    let folder = TempDir::new().unwrap();
    let bundle = folder.path().join("bundle");
    copy(demo_bundle(), &bundle);
    let named = bundle.to_str().unwrap();
    let recipe = crate::common::RECIPE;
    let held = || {
        let made: Value = serde_json::from_str(&succeed(&["inspect", named, "--json"])).unwrap();
        made["sizes"]["device"]["total_bytes"].as_u64().unwrap_or_else(|| panic!("{made}"))
    };
    let before = held();
    assert_eq!(manifest(&bundle)["golden"]["engines"], serde_json::json!(ENGINES));
    let toolkit = toolkit();
    let verify = |more: &[&str]| {
        let args = ["verify", named, "--calibration", recipe, "--toolkit", toolkit.to_str().unwrap(), "-q"];
        succeed(&[&args[..], more].concat());
        manifest(&bundle)["golden"].clone()
    };
    // Asked for, they are the same bytes again.
    assert_eq!(verify(&["--verify", "none", "--golden", "npu"])["engines"], serde_json::json!(ENGINES));
    for file in ["golden/golden.json", "golden/tensors.safetensors"] {
        assert!(
            std::fs::read(bundle.join(file)).unwrap() == std::fs::read(demo_bundle().join(file)).unwrap(),
            "{file}"
        );
    }
    // Where nothing is compared those that are there stay; without them the device holds the same.
    assert_eq!(verify(&["--verify", "none"])["engines"], serde_json::json!(ENGINES));
    assert!(verify(&["--verify", "none", "--golden", "none"]).is_null());
    assert!(!bundle.join("golden").exists());
    assert_eq!(held(), before);
    let output = autoneural(&["golden", named]);
    assert_eq!(output.status.code(), Some(3));
    assert!(stderr(&output).contains("has no golden vectors") && stderr(&output).contains("--golden"));
    assert_eq!(verify(&["--verify", "none", "--golden", "simulated"])["engines"], serde_json::json!(["simulated"]));
    let said = succeed(&["golden", named]);
    assert!(said.contains("simulated: answer of") && said.contains("language.prefill.0") && !said.contains("npu"));
}

/// A tensor of a host: name, type, shape, bytes.
type Given<'a> = (&'a str, safetensors::Dtype, &'a [usize], &'a [u8]);

#[test]
fn vectors_that_cannot_be_compared_say_why() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("dump");
    let bundle = demo_bundle().to_str().unwrap();
    let kept = tensors(&demo_bundle().join("golden/tensors.safetensors"));
    let write = |list: &[Given]| {
        let views = list.iter().map(|&(name, dtype, shape, bytes)| {
            (name, safetensors::tensor::TensorView::new(dtype, shape.to_vec(), bytes).unwrap())
        });
        std::fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
    };
    let run = || autoneural(&["golden", bundle, "--vectors", path.to_str().unwrap(), "--on", "simulated"]);
    let expect = |status: i32, words: &[&str]| {
        let output = run();
        assert_eq!(output.status.code(), Some(status), "{}{}", stdout(&output), stderr(&output));
        let said = stdout(&output) + &stderr(&output);
        words.iter().for_each(|word| assert!(said.contains(word), "{word}: {said}"));
    };
    std::fs::write(&path, "text").unwrap();
    expect(3, &["is no safetensors file"]);
    write(&[("mine", safetensors::Dtype::U8, &[1], &[1])]);
    expect(3, &["no tensor with the name of a golden one", "`vision.0/image`"]);
    // Another shape; one integer that is another; the same.
    let (shape, bytes) = &kept["simulated.projector.0/embeds"];
    let flat = [bytes.len() / 2];
    write(&[("projector.0/embeds", safetensors::Dtype::U16, &flat, bytes)]);
    expect(6, &["projector.0/embeds", "is uint16 ["]);
    let mut other = bytes.clone();
    other[2] ^= 3;
    write(&[
        ("projector.0/embeds", safetensors::Dtype::U16, shape, &other),
        ("\u{1b}[31m", safetensors::Dtype::U8, &[1], &[1]),
    ]);
    expect(6, &["1 of ", "first at [0, 0, 1]", "not known here: \\u{1b}[31m"]);
    write(&[("projector.0/embeds", safetensors::Dtype::U16, shape, bytes)]);
    expect(0, &["simulated: 1 tensors equal, 0 different"]);
    // The answer counts, too.
    write(&[("answer", safetensors::Dtype::I32, &[1], &[9, 9, 0, 0])]);
    expect(6, &["`answer` is the first tensor that differs", "is [2313]"]);
}

#[test]
fn logits_are_written_step_by_step() {
    let folder = TempDir::new().unwrap();
    let (path, toolkit) = (folder.path().join("logits"), toolkit());
    let bundle = demo_bundle().to_str().unwrap();
    let file = path.to_str().unwrap();
    let prompt = "word ".repeat(12);
    let args = ["run", bundle, "--prompt", &prompt, "--on", "float,npu", "--max-tokens", "3", "--dump-logits", file];
    let made = succeed(&[&args[..], &["--json", "--toolkit", toolkit.to_str().unwrap()]].concat());
    let made: Value = serde_json::from_str(&made).unwrap();
    let dump = tensors(&path);
    let numbers = |name: &str| -> Vec<i32> {
        let bytes = dump[name].1.chunks_exact(4);
        bytes.map(|bytes| i32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])).collect()
    };
    for (at, engine) in ["float", "npu"].into_iter().enumerate() {
        let answer = &made["answers"][at];
        let of = |name: &str| format!("{engine}.{name}");
        let (positions, counts, chosen) = (numbers(&of("position")), numbers(&of("count")), numbers(&of("chosen")));
        let prompt_tokens = answer["prompt_tokens"].as_i64().unwrap() as i32;
        // The prompt in chunks, then one token a step.
        assert!(prompt_tokens > 32 && positions[..2] == [0, 32] && counts[0] == 32, "{positions:?} {counts:?}");
        for step in 1..positions.len() {
            assert_eq!(positions[step], positions[step - 1] + counts[step - 1]);
        }
        assert_eq!(numbers(&of("tokens")).len() as i32, counts.iter().sum::<i32>());
        let answered: Vec<i32> =
            answer["tokens"].as_array().unwrap().iter().map(|one| one.as_i64().unwrap() as i32).collect();
        let behind: Vec<i32> = chosen.iter().copied().filter(|&token| token >= 0).collect();
        assert!(behind.starts_with(&answered), "{behind:?} {answered:?}");
        assert!(chosen[0] == -1);
        let (shape, bytes) = &dump[&of("logits")];
        assert_eq!(*shape, [positions.len(), 512]);
        let logits: Vec<f32> = bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        for (row, &token) in logits.chunks(512).zip(&chosen).filter(|(_, token)| **token >= 0) {
            assert_eq!(autoneural::host::best(row) as i32, token);
        }
        assert_eq!(dump.contains_key(&of("codes")), engine == "npu");
        if engine == "npu" {
            let manifest = manifest(demo_bundle());
            let port = manifest["partitions"][3]["outputs"][0].clone();
            let (scale, zero) = (port["scale"].as_f64().unwrap() as f32, port["zero_point"].as_i64().unwrap());
            let codes = codes(&dump[&of("codes")]);
            assert!(codes.iter().zip(&logits).all(|(&code, &real)| (i64::from(code) - zero) as f32 * scale == real));
        }
    }
    // In a conversation nobody would know which question they are of.
    let output = autoneural(&["run", bundle, "--dump-logits", file]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
}
