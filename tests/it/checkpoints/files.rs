//! Which files of a folder are meant.

use std::os::unix::fs::symlink;

use safetensors::Dtype;
use serde_json::json;

use super::{EMBED, export, f32s, models, warnings};
use crate::common::bench::{Bench, FILE, INPUT, Tensors, change};
use crate::common::stderr;

const INDEX: &str = "weights/model.safetensors.index.json";

/// Writes the checkpoint as two shards with an index; the embedding table stands in both, and only the second holds the
/// right one.
fn overlaid(bench: &Bench) {
    let mut first = bench.tensors();
    let names: Vec<String> = first.0.keys().cloned().collect();
    let mut second = Tensors(first.0.split_off(&names[names.len() / 2]));
    second.0.insert(EMBED.into(), first.0[EMBED].clone());
    change(&mut first, EMBED, |_, number| number + 1.0);
    let mut map = serde_json::Map::new();
    for (file, part) in [("model-1.safetensors", &first), ("model-2.safetensors", &second)] {
        part.write(&bench.path(&format!("weights/{file}")));
        map.extend(part.0.keys().map(|name| (name.clone(), file.into())));
    }
    bench.write(INDEX, json!({ "weight_map": map }).to_string());
}

#[test]
fn of_a_tensor_in_two_shards_the_index_chooses_one() {
    let bench = Bench::new();
    let wanted = models(&bench, "one file", "{weights}");
    std::fs::rename(bench.path(FILE), bench.path("model.safetensors")).unwrap();
    std::fs::rename(bench.path("model.safetensors"), bench.path(FILE)).unwrap();
    overlaid(&bench);
    std::fs::remove_file(bench.path(FILE)).unwrap();
    assert!(models(&bench, "two shards", "{weights}") == wanted, "the other shard's table is taken");
    assert_eq!(warnings(&bench, "two shards"), Vec::<String>::new());
    assert!(models(&bench, "the index itself", &format!("{{{INDEX}}}")) == wanted);
}

#[test]
fn a_file_beside_an_index_is_not_read_and_said_to_be() {
    let bench = Bench::new();
    overlaid(&bench);
    let made = warnings(&bench, "stray");
    assert_eq!(made.len(), 1, "{made:?}");
    assert!(made[0].starts_with("model.safetensors: is not read: the index"), "{made:?}");
}

#[test]
fn hidden_files_are_no_weights() {
    let bench = Bench::new();
    let wanted = models(&bench, "alone", "{weights}");
    bench.write("weights/._model.safetensors", b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        ");
    bench.write("weights/.model.safetensors", b"left by a download");
    assert!(models(&bench, "hidden files", "{weights}") == wanted);
    let output = export(&bench, "{weights/._model.safetensors}");
    bench.expect("the hidden file itself", &output, INPUT, &["._model.safetensors", "AppleDouble"]);
}

#[test]
fn the_weights_may_be_one_file_of_a_folder() {
    let bench = Bench::new();
    let wanted = models(&bench, "alone", "{weights}");
    let mut other = Tensors(Default::default());
    other.0.insert("layers.0.attention.wq.weight".into(), f32s(&[2], &[0.0, 1.0]));
    other.write(&bench.path("weights/consolidated.safetensors"));
    let file = bench.text(FILE);
    let words =
        ["consolidated.safetensors: `layers.0.attention.wq.weight`", "is not part", &format!("--weights {file}")];
    bench.expect("other names", &bench.export(), INPUT, &words);
    bench.tensors().write(&bench.path("weights/consolidated.safetensors"));
    bench.expect("the same names", &bench.export(), INPUT, &["is also in", "--weights takes a file, too"]);
    assert!(models(&bench, "the file", "{weights/model.safetensors}") == wanted);
}

#[test]
fn adapters_are_named_for_what_they_are() {
    let bench = Bench::new();
    let mut adapter = Tensors(Default::default());
    let name = "base_model.model.model.layers.1.self_attn.q_proj.lora_A.weight";
    adapter.0.insert(name.into(), f32s(&[2, 128], &[0.0; 256]));
    adapter.write(&bench.path("weights/adapter_model.safetensors"));
    let words = ["adapter_model.safetensors", "LoRA adapter", "not applied", "merge"];
    bench.expect("beside the model", &bench.export(), INPUT, &words);
    bench.expect("alone", &export(&bench, "{weights/adapter_model.safetensors}"), INPUT, &words);
    std::fs::remove_file(bench.path("weights/adapter_model.safetensors")).unwrap();
    let mut inside = bench.tensors();
    inside.0.insert(name.into(), f32s(&[2, 128], &[0.0; 256]));
    inside.write(&bench.path(FILE));
    bench.expect("in the model's file", &bench.export(), INPUT, &["model.safetensors", "LoRA adapter", name]);
}

#[test]
fn files_of_other_kinds_are_named_for_what_they_are() {
    let bench = Bench::new();
    let pointer =
        format!("version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 2340697936\n", "3f".repeat(32));
    for (case, bytes, words) in [
        ("pointer", pointer.as_bytes(), ["git-lfs pointer", "git lfs pull"]),
        ("GGUF", b"GGUF\x03\0\0\0\0\0\0\0", ["a GGUF file", "safetensors format"]),
        ("PyTorch", b"PK\x03\x04\0\0\0\0\0\0\0\0", ["a file of PyTorch", "safetensors.torch.save_file"]),
        ("web page", b"<!DOCTYPE html><html>", ["a web page", "download"]),
    ] {
        bench.write(FILE, bytes);
        let words = [&["model.safetensors"], &words[..]].concat();
        bench.expect(case, &bench.export(), INPUT, &words);
        bench.expect(case, &bench.run(&["inspect", "{weights}"]), INPUT, &words);
    }
    bench.write(INDEX, &pointer);
    bench.expect("index", &bench.export(), INPUT, &["index.json", "git-lfs pointer", "git lfs pull"]);
    for (name, bytes, words) in [
        ("pytorch_model.bin", &b"PK\x03\x04"[..], ["pytorch_model.bin is a file of PyTorch", "save_file"]),
        ("model.pth", b"\x80\x02", ["model.pth is a file of PyTorch", "save_file"]),
        ("model-q4.gguf", b"GGUF", ["model-q4.gguf is a GGUF file", "safetensors format"]),
        ("pytorch_model.bin", pointer.as_bytes(), ["pytorch_model.bin is a git-lfs pointer", "git lfs pull"]),
    ] {
        std::fs::remove_dir_all(bench.path("weights")).unwrap();
        std::fs::create_dir(bench.path("weights")).unwrap();
        bench.write(&format!("weights/{name}"), bytes);
        bench.write("weights/config.json", "{}");
        let words = [&["holds no .safetensors file"], &words[..]].concat();
        bench.expect(name, &bench.export(), INPUT, &words);
    }
    bench.write("weights/pytorch_model.bin", b"PK\x03\x04");
    bench.expect("itself", &bench.run(&["inspect", "{weights/pytorch_model.bin}"]), INPUT, &["a file of PyTorch"]);
}

#[test]
fn a_repository_of_a_hub_cache_is_the_snapshot_in_use() {
    let bench = Bench::new();
    let wanted = models(&bench, "a folder", "{weights}");
    let repository = "cache/hub/models--acme--car";
    for folder in ["snapshots/aaaa", "snapshots/bbbb", "blobs", "refs"] {
        std::fs::create_dir_all(bench.path(&format!("{repository}/{folder}"))).unwrap();
    }
    for (number, file) in ["model.safetensors", "tokenizer.json"].into_iter().enumerate() {
        let blob = format!("blobs/{number}");
        std::fs::rename(bench.path(&format!("weights/{file}")), bench.path(&format!("{repository}/{blob}"))).unwrap();
        symlink(format!("../../{blob}"), bench.path(&format!("{repository}/snapshots/bbbb/{file}"))).unwrap();
    }
    let repository = |rest: &str| bench.path(&format!("{repository}{rest}"));
    let given = "{cache/hub/models--acme--car}";
    let words = ["more than one snapshot", "snapshots/aaaa", "snapshots/bbbb"];
    bench.expect("two snapshots", &export(&bench, given), INPUT, &words);
    // A name that is a way out of the folder is not followed.
    std::fs::write(repository("/refs/main"), "../../../../weights").unwrap();
    bench.expect("a way out", &export(&bench, given), INPUT, &words);
    std::fs::write(repository("/refs/main"), "bbbb\n").unwrap();
    assert!(models(&bench, "the main branch", given) == wanted);
    assert!(models(&bench, "the cache of one repository", "{cache/hub}") == wanted);
    std::fs::remove_file(repository("/refs/main")).unwrap();
    std::fs::remove_dir(repository("/snapshots/aaaa")).unwrap();
    assert!(models(&bench, "the only one", given) == wanted);
    std::fs::create_dir(bench.path("cache/hub/models--acme--bus")).unwrap();
    bench.expect(
        "two repositories",
        &export(&bench, "{cache/hub}"),
        INPUT,
        &["more than one repository", "models--acme--bus"],
    );
    std::fs::remove_file(repository("/blobs/0")).unwrap();
    let words = ["snapshots/bbbb/model.safetensors", "was not downloaded", "../../blobs/0"];
    bench.expect("a blob is not there", &export(&bench, given), INPUT, &words);
}

#[test]
fn what_is_no_file_is_no_shard() {
    let bench = Bench::new();
    std::fs::rename(bench.path(FILE), bench.path("model.safetensors")).unwrap();
    let make: [(&str, &dyn Fn()); 4] = [
        ("is a FIFO; a regular file is wanted", &|| {
            let mode = rustix_mode();
            rustix::fs::mkfifoat(rustix::fs::CWD, bench.path(FILE), mode).unwrap();
        }),
        ("is a device; a regular file is wanted", &|| symlink("/dev/zero", bench.path(FILE)).unwrap()),
        ("is a folder, a file is wanted", &|| std::fs::create_dir(bench.path(FILE)).unwrap()),
        ("leads nowhere", &|| symlink("elsewhere", bench.path(FILE)).unwrap()),
    ];
    for (words, make) in make {
        make();
        for weights in ["{weights}", "{weights/model.safetensors}"] {
            if !(weights.contains("model.safetensors") && words.contains("folder")) {
                bench.expect(words, &export(&bench, weights), INPUT, &["model.safetensors", words]);
            }
        }
        bench.write(INDEX, json!({ "weight_map": { EMBED: "model.safetensors" } }).to_string());
        bench.expect(words, &bench.export(), INPUT, &["model.safetensors", words]);
        std::fs::remove_file(bench.path(INDEX)).unwrap();
        std::fs::remove_file(bench.path(FILE)).or_else(|_| std::fs::remove_dir(bench.path(FILE))).unwrap();
    }
    // People keep large files elsewhere.
    symlink("../model.safetensors", bench.path(FILE)).unwrap();
    models(&bench, "a link to a file", "{weights}");
}

fn rustix_mode() -> rustix::fs::Mode {
    rustix::fs::Mode::from_raw_mode(0o600)
}

#[test]
fn tensors_without_elements_are_left_out() {
    let bench = Bench::new();
    let mut tensors = bench.tensors();
    tensors.0.insert("model.vision_tower.timm_model.head.weight".into(), f32s(&[0, 256], &[]));
    tensors.write(&bench.path(FILE));
    models(&bench, "no elements", "{weights}");
    let mut scalar = f32s(&[], &[3.0]);
    scalar.dtype = Dtype::F32;
    tensors.0.insert("model.logit_scale".into(), scalar);
    tensors.write(&bench.path(FILE));
    let output = bench.export();
    bench.expect("a scalar", &output, INPUT, &["`model.logit_scale`", "is not part of the model"]);
    assert!(stderr(&output).contains("ignore"));
}
