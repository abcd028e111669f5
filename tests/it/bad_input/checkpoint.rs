//! Checkpoints: tensors, headers, shards, number formats.

use safetensors::Dtype;

use crate::common::bench::{Bench, EXPORT, INPUT, Tensor, Tensors, contents, raw};
use crate::common::stderr;

const FILE: &str = "weights/model.safetensors";
const INDEX: &str = "weights/model.safetensors.index.json";
const NORM: &str = "model.embedding_norm.weight";
const EMBED: &str = "model.embed_tokens.weight";

fn add_surplus(tensors: &mut Tensors) {
    tensors.0.insert("surplus".into(), Tensor { dtype: Dtype::BF16, shape: vec![2], data: vec![0; 4] });
}

#[test]
fn wrong_tensors_are_named() {
    type Damage = fn(&mut Tensors);
    let cases: [(&str, Damage, &[&str]); 8] = [
        ("missing", |t| drop(t.0.remove(NORM)), &[NORM, "is missing", "inspect"]),
        ("first one missing", |t| drop(t.0.remove(EMBED)), &[EMBED, "language weights are missing"]),
        ("extra", add_surplus, &["model.safetensors: `surplus`", "is not part of the model", "ignore"]),
        (
            "misshapen",
            |t| t.get(NORM).shape = vec![64, 2],
            &["model.safetensors: `model.embedding_norm.weight`", "has shape [64, 2], [128] is wanted"],
        ),
        (
            "one too few",
            |t| {
                let norm = t.get(NORM);
                norm.shape = vec![127];
                norm.data.truncate(254);
            },
            &[NORM, "has shape [127], [128] is wanted"],
        ),
        (
            "i32",
            |t| {
                let norm = t.get(NORM);
                (norm.dtype, norm.data) = (Dtype::I32, vec![0; 512]);
            },
            &[NORM, "is i32; f32, f16 or bf16 is wanted"],
        ),
        (
            "i64",
            |t| {
                let norm = t.get(NORM);
                (norm.dtype, norm.data) = (Dtype::I64, vec![0; 1024]);
            },
            &[NORM, "is i64"],
        ),
        ("u16 of the right size", |t| t.get(NORM).dtype = Dtype::U16, &[NORM, "is u16"]),
    ];
    let bench = Bench::new();
    let sound = bench.tensors();
    for (case, damage, words) in cases {
        let mut tensors = Tensors(sound.0.clone());
        damage(&mut tensors);
        tensors.write(&bench.path(FILE));
        bench.expect(case, &bench.export(), INPUT, words);
    }
    let mut tensors = Tensors(sound.0.clone());
    add_surplus(&mut tensors);
    tensors.write(&bench.path(FILE));
    bench.edit("graph.toml", "ignore = [", "ignore = [\"sur*\", ");
    let output = bench.export();
    assert!(output.status.success(), "an ignored tensor may be there: {}", stderr(&output));
}

#[test]
fn numbers_that_are_not_finite_are_found() {
    let formats: [(Dtype, &[u8], &[u8]); 3] = [
        (Dtype::F32, &f32::NAN.to_le_bytes(), &f32::INFINITY.to_le_bytes()),
        (Dtype::F16, &half::f16::NAN.to_le_bytes(), &half::f16::INFINITY.to_le_bytes()),
        (Dtype::BF16, &half::bf16::NAN.to_le_bytes(), &half::bf16::INFINITY.to_le_bytes()),
    ];
    let bench = Bench::new();
    let sound = bench.tensors();
    for (dtype, nan, infinity) in formats {
        for (name, number) in [("NaN", nan), ("inf", infinity)] {
            let mut tensors = sound.cast(dtype);
            // Row 3, column 5 of the embedding table.
            let at = (3 * 128 + 5) * number.len();
            tensors.get(EMBED).data[at..at + number.len()].copy_from_slice(number);
            tensors.write(&bench.path(FILE));
            let words = ["model.safetensors: `model.embed_tokens.weight`", &format!("element [3, 5] is {name}")];
            bench.expect(&format!("{name} in {dtype:?}"), &bench.export(), INPUT, &words);
        }
    }
}

#[test]
fn truncated_and_lying_headers_are_refused() {
    let one = |body: &str| format!("{{\"a\":{{{body}}}}}");
    let length = |length: u64| [&length.to_le_bytes()[..], b"{}"].concat();
    let two = |first: [u64; 2], second: [u64; 2]| {
        format!(
            "{{\"a\":{{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":{first:?}}},\
             \"b\":{{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":{second:?}}}}}"
        )
    };
    let sound = std::fs::read(Bench::new().path(FILE)).expect("the fixture");
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("empty file", vec![], "has 0 bytes"),
        ("seven bytes", vec![0; 7], "has 7 bytes"),
        ("truncated data", sound[..sound.len() - 1].to_vec(), "is said to be bytes"),
        ("truncated header", sound[..1000].to_vec(), "after which come only 992"),
        ("longer than its header says", [&sound[..], b"tail"].concat(), "4 bytes at its end that belong to no tensor"),
        ("length beyond the file", length(1000), "says that its header has 1000 bytes, after which come only 2"),
        ("length of all bits", length(u64::MAX), "18446744073709551615 bytes"),
        ("no JSON", raw("hello", &[]), "no JSON"),
        ("no object", raw("[1, 2]", &[]), "expected an object of tensors"),
        ("no UTF-8", [&2u64.to_le_bytes()[..], &[0xff, 0xfe]].concat(), "no JSON"),
        ("deep JSON", raw(&deep, &[]), "recursion limit"),
        ("no dtype", raw(&one("\"shape\":[1],\"data_offsets\":[0,4]"), &[0; 4]), "`a`: is described wrongly"),
        (
            "unknown dtype",
            raw(&one("\"dtype\":\"X9\",\"shape\":[1],\"data_offsets\":[0,4]"), &[0; 4]),
            "unknown variant `X9`",
        ),
        (
            "negative size",
            raw(&one("\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]"), &[0; 4]),
            "`a`: is described wrongly",
        ),
        (
            "beyond the end",
            raw(&one("\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]"), &[0; 4]),
            "`a`: is said to be bytes 0 to 8 of the data, which has 4",
        ),
        (
            "backwards",
            raw(&one("\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]"), &[0; 4]),
            "`a`: is said to be bytes 4 to 0",
        ),
        (
            "other size",
            raw(&one("\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]"), &[0; 4]),
            "has 8 bytes, the header gives it 4",
        ),
        (
            "huge offsets",
            raw(
                &one("\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[18446744073709551611,18446744073709551615]"),
                &[0; 4],
            ),
            "`a`: is said to be bytes",
        ),
        (
            "overflowing shape",
            raw(&one("\"dtype\":\"F32\",\"shape\":[4294967296,4294967296,4294967296],\"data_offsets\":[0,0]"), &[]),
            "`a`: has the impossible shape",
        ),
        ("overlap", raw(&two([0, 4], [2, 6]), &[0; 6]), "shares bytes with"),
        ("the same bytes", raw(&two([0, 4], [0, 4]), &[0; 4]), "shares bytes with"),
        ("gap", raw(&two([0, 4], [6, 10]), &[0; 10]), "`b`: leaves 2 unused bytes before it"),
        ("the same name", raw(&two([0, 4], [4, 8]).replace("\"b\"", "\"a\""), &[0; 8]), "`a`: stands twice"),
    ];
    let bench = Bench::new();
    for (case, bytes, word) in cases {
        bench.write(FILE, bytes);
        bench.expect(case, &bench.export(), INPUT, &["model.safetensors", word]);
        let output = bench.run(&["inspect", "{weights/model.safetensors}"]);
        bench.expect(case, &output, INPUT, &["model.safetensors", word]);
    }
}

#[test]
fn folders_without_a_checkpoint_are_refused() {
    let bench = Bench::new();
    let with = |weights: &'static str| {
        let mut args = EXPORT;
        args[3] = weights;
        bench.run(&args)
    };
    bench.expect("empty folder", &with("{empty}"), INPUT, &["empty", "holds no .safetensors file"]);
    bench.expect("no folder", &with("{nowhere}"), INPUT, &["nowhere", "No such file or directory"]);
    bench.expect("a file of another kind", &with("{graph.toml}"), INPUT, &["graph.toml", "header"]);
    std::fs::copy(bench.path(FILE), bench.path("weights/copy.safetensors")).expect("a copy");
    bench.expect(
        "the same tensors in two files",
        &bench.export(),
        INPUT,
        &["model.safetensors", "tensor `", "is also in", "copy.safetensors"],
    );
}

#[test]
fn tokenizers_are_checked_by_the_first_stage() {
    let bench = Bench::new();
    let path = "weights/tokenizer.json";
    let sound = bench.read(path);
    let panics = concat!(
        r#"{"version":"1.0","normalizer":{"type":"Precompiled","precompiled_charsmap":"AAAA"},"#,
        r#""model":{"type":"BPE","vocab":{"a":1},"merges":[]}}"#,
    );
    let large = r#"{"version":"1.0","model":{"type":"BPE","vocab":{"a":511,"b":512},"merges":[]}}"#;
    for (case, text, word) in [
        ("empty", "", "is no tokenizer"),
        ("garbage", "\u{1}\u{2}", "is no tokenizer"),
        ("other JSON", "{\"a\": 1}", "is no tokenizer"),
        ("cut off", &sound[..sound.len() / 2], "is no tokenizer"),
        ("the library panics", panics, "is no tokenizer"),
        ("more tokens than the model", large, "has 2 tokens up to number 512; the model knows 512"),
    ] {
        bench.write(path, text);
        bench.expect(case, &bench.export(), INPUT, &["weights/tokenizer.json", word]);
    }
    std::fs::remove_file(bench.path(path)).expect("the tokenizer");
    bench.expect("missing", &bench.export(), INPUT, &["weights/tokenizer.json", "No such file", "help: "]);
}

/// Splits the checkpoint into two shards with an index; gives the name of a tensor of the first.
fn shard(bench: &Bench) -> String {
    let mut tensors = bench.tensors();
    let (names, half) = (tensors.0.keys().cloned().collect::<Vec<_>>(), tensors.0.len() / 2);
    let second = Tensors(tensors.0.split_off(&names[half]));
    std::fs::remove_file(bench.path(FILE)).expect("the checkpoint");
    let mut map = serde_json::Map::new();
    for (file, part) in [("model-1.safetensors", &tensors), ("model-2.safetensors", &second)] {
        part.write(&bench.path(&format!("weights/{file}")));
        map.extend(part.0.keys().map(|name| (name.clone(), file.into())));
    }
    bench.write(INDEX, serde_json::json!({ "metadata": {}, "weight_map": map }).to_string());
    names[0].clone()
}

fn exported_models(bench: &Bench, case: &str) -> std::collections::BTreeMap<String, Vec<u8>> {
    let output = bench.export();
    assert!(output.status.success(), "{case}: {}", stderr(&output));
    let made = contents(&bench.path("out/bundle/model"));
    std::fs::remove_dir_all(bench.path("out/bundle")).expect("the bundle");
    made
}

#[test]
fn shards_and_wider_formats_give_the_same_models() {
    let bench = Bench::new();
    let wanted = exported_models(&bench, "one file");
    let tensors = bench.tensors();
    tensors.cast(Dtype::F32).write(&bench.path(FILE));
    assert!(exported_models(&bench, "f32") == wanted, "f32 gives other models than bf16");
    tensors.cast(Dtype::F16).write(&bench.path(FILE));
    let f16 = exported_models(&bench, "f16");
    assert_eq!(f16.keys().collect::<Vec<_>>(), wanted.keys().collect::<Vec<_>>(), "f16 gives other files");
    tensors.write(&bench.path(FILE));
    shard(&bench);
    assert!(exported_models(&bench, "shards") == wanted, "two shards give other models than one file");
}

#[test]
fn an_index_is_not_believed() {
    let bench = Bench::new();
    let name = shard(&bench);
    let index: serde_json::Value = serde_json::from_str(&bench.read(INDEX)).expect("the index");
    let index_file = "model.safetensors.index.json";
    for (case, to, status, words) in [
        ("folder above", "../model-1.safetensors", INPUT, [index_file, "only plain file names"]),
        ("hidden way up", "a/../../model-1.safetensors", INPUT, [index_file, "only plain file names"]),
        ("absolute", "/etc/passwd", INPUT, [index_file, "`/etc/passwd`"]),
        ("folder below", "sub/model-1.safetensors", INPUT, [index_file, "only plain file names"]),
        ("nothing", "", INPUT, [index_file, "only plain file names"]),
        ("missing", "model-9.safetensors", INPUT, ["model-9.safetensors", "No such file"]),
        (
            "the other shard",
            "model-2.safetensors",
            INPUT,
            [index_file, "is in model-2.safetensors, which does not hold it"],
        ),
    ] {
        let mut damaged = index.clone();
        damaged["weight_map"][&name] = to.into();
        bench.write(INDEX, damaged.to_string());
        bench.expect(case, &bench.export(), status, &words);
    }
    bench.write(INDEX, "{\n\"weight_map\": [\n");
    bench.expect("no JSON", &bench.export(), INPUT, &["index.json:2"]);
    bench.write(INDEX, "{\"weight_map\": {}}");
    bench.expect("no tensors", &bench.export(), INPUT, &["weights are missing"]);
}
