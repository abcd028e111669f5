//! `autoneural synth`: a checkpoint of made-up weights, on the definition of the demonstration model.

use std::path::Path;

use autoneural::front::Checkpoint;
use safetensors::SafeTensors;
use tempfile::TempDir;

use crate::common::bench::{INPUT, OS, USAGE, contents, names};
use crate::common::synth::{GRAPH, synth, text};
use crate::common::{autoneural, json, root, stderr, succeed};

/// Texts of a definition and what stands in their place.
type Edits<'a> = &'a [(&'a str, &'a str)];

/// A copy of the demonstration model's definition in which some text is another.
fn definition(folder: &Path, edits: Edits) -> String {
    let mut definition = std::fs::read_to_string(root(GRAPH)).expect("the definition");
    for (from, to) in edits {
        assert!(definition.contains(from), "the definition lacks `{from}`");
        definition = definition.replacen(from, to, 1);
    }
    let path = folder.join("graph.toml");
    std::fs::write(&path, definition).expect("the definition");
    text(&path).to_string()
}

#[test]
fn the_seed_decides_every_byte() {
    let folder = TempDir::new().expect("a folder");
    let [first, again, other] = ["first", "again", "other"].map(|name| folder.path().join(name));
    let made = synth(GRAPH, &first, &["--seed", "7"]);
    synth(GRAPH, &again, &["--seed", "7"]);
    synth(GRAPH, &other, &["--seed", "8"]);
    assert_eq!(contents(&first), contents(&again));
    let weights = "model-00001-of-00001.safetensors";
    assert_ne!(contents(&first)[weights], contents(&other)[weights]);
    let wanted = ["chat_template.jinja", weights, "model.safetensors.index.json", "synth.json", "tokenizer.json"];
    assert_eq!(names(&first), wanted);
    assert_eq!(names(folder.path()), ["again", "first", "other"], "nothing is left beside them");
    // The trained checkpoint of this definition has exactly these tensors.
    let trained = Checkpoint::open(&root("models/autoneural-tiny")).expect("the trained model");
    let opened = Checkpoint::open(&first).expect("a checkpoint");
    let shapes = |checkpoint: &Checkpoint| {
        checkpoint.tensors().iter().map(|(name, info)| (name.clone(), info.shape.clone())).collect::<Vec<_>>()
    };
    assert_eq!(shapes(&opened), shapes(&trained));
    let parameters: usize = shapes(&trained).iter().map(|(_, shape)| shape.iter().product::<usize>()).sum();
    assert_eq!(made["parameters"], parameters);
    assert_eq!(made["bytes"], 2 * parameters);
    assert_eq!(made["tensors"], shapes(&trained).len());
}

#[test]
fn shards_hold_no_more_than_they_may_and_the_same_numbers() {
    let folder = TempDir::new().expect("a folder");
    let [whole, parts] = ["whole", "parts"].map(|name| folder.path().join(name));
    synth(GRAPH, &whole, &[]);
    let made = synth(GRAPH, &parts, &["--shard-size", "500kB"]);
    let shards = made["shards"].as_u64().expect("a number");
    assert!((8..=10).contains(&shards), "{shards} shards of 3.6 MB");
    let single = std::fs::read(whole.join("model-00001-of-00001.safetensors")).expect("a file");
    let single = SafeTensors::deserialize(&single).expect("a checkpoint");
    let mut seen = 0;
    for shard in 1..=shards {
        let bytes = std::fs::read(parts.join(format!("model-{shard:05}-of-{shards:05}.safetensors"))).expect("a file");
        let part = SafeTensors::deserialize(&bytes).expect("a shard");
        let size: usize = part.tensors().iter().map(|(_, view)| view.data().len()).sum();
        assert!(size <= 500_000, "{size}");
        for (name, view) in part.tensors() {
            assert!(view == single.tensor(&name).expect("the tensor"), "{name}");
            seen += 1;
        }
    }
    assert_eq!(seen, single.len());
}

/// Root mean square of each row.
fn row_sizes(rows: &[f32], length: usize) -> Vec<f32> {
    rows.chunks(length).map(|row| (row.iter().map(|x| x * x).sum::<f32>() / length as f32).sqrt()).collect()
}

#[test]
fn weights_look_like_trained_ones() {
    let folder = TempDir::new().expect("a folder");
    let out = folder.path().join("made");
    synth(GRAPH, &out, &[]);
    let checkpoint = Checkpoint::open(&out).expect("a checkpoint");
    let note = json(&out.join("synth.json"));
    let outliers: Vec<usize> = note["choices"]["outlier_channels"]
        .as_array()
        .expect("channels")
        .iter()
        .map(|outlier| outlier["channel"].as_u64().expect("a channel") as usize)
        .collect();
    assert_eq!(outliers.len(), 2);
    let (mut wide, mut writers, mut outlying) = (Vec::new(), 0, vec![0.0; outliers.len()]);
    for (name, info) in checkpoint.tensors() {
        let values = checkpoint.tensor(name, &info.shape).expect("a tensor").to_f32();
        assert!(values.iter().all(|value| value.is_finite() && value.abs() < 50.0), "{name}");
        if info.shape.len() == 1 {
            let gains = name.ends_with("gamma") || !name.ends_with("bias");
            assert!(!gains || values.iter().all(|&value| value > 0.0), "{name}");
            continue;
        }
        let length = values.len() / info.shape[0];
        let sizes = row_sizes(&values, length);
        if values.len() >= 1 << 14 && length >= 64 {
            // Within its channel, so that it is the tails that are heavy and not the channels that differ.
            let (mut second, mut fourth) = (0.0, 0.0);
            for (value, size) in
                values.chunks(length).zip(&sizes).flat_map(|(row, size)| row.iter().map(move |x| (x, size)))
            {
                let square = (value / size).powi(2);
                (second, fourth) = (second + f64::from(square), fourth + f64::from(square * square));
            }
            let kurtosis = fourth / values.len() as f64 / (second / values.len() as f64).powi(2);
            assert!(kurtosis > 3.3, "{name}: {kurtosis}");
        }
        let mut sorted = sizes.clone();
        sorted.sort_by(f32::total_cmp);
        if info.shape[0] >= 256 && !name.contains("embed_tokens") {
            wide.push(sorted[sorted.len() - 1] / sorted[0]);
        }
        let writes = ["out_proj.weight", "w2.weight"].iter().any(|end| name.ends_with(end));
        if writes {
            writers += 1;
            let middle = sorted[sorted.len() / 2];
            outliers.iter().zip(&mut outlying).for_each(|(&channel, sum)| *sum += sizes[channel] / middle);
        }
    }
    assert!(wide.iter().all(|spread| (4.0..100.0).contains(spread)), "{wide:?}");
    wide.sort_by(f32::total_cmp);
    assert!(wide[wide.len() / 2] > 8.0, "channels spread over about an order of magnitude: {wide:?}");
    assert_eq!(writers, 12);
    // 5 to 24 times as large in a stream of 128 channels.
    assert!(outlying.iter().all(|sum| sum / writers as f32 > 4.0), "{outlying:?}");
}

#[test]
fn other_models_of_the_definition_get_their_own_tensors() {
    let folder = TempDir::new().expect("a folder");
    let graph = definition(
        folder.path(),
        &[("tied_embeddings = true", "tied_embeddings = false"), ("layer_scale = true", "layer_scale = false")],
    );
    let [weights, bundle] = ["weights", "bundle"].map(|name| folder.path().join(name));
    synth(&graph, &weights, &[]);
    let checkpoint = Checkpoint::open(&weights).expect("a checkpoint");
    assert_eq!(checkpoint.tensors()["lm_head.weight"].shape, [768, 128]);
    assert!(!checkpoint.tensors().keys().any(|name| name.contains("layer_scale")));
    succeed(&["export", &graph, "--weights", text(&weights), "--target", "sa8295p", "--out", text(&bundle), "-q"]);
}

#[test]
fn only_a_synthetic_checkpoint_is_replaced_and_only_by_force() {
    let folder = TempDir::new().expect("a folder");
    let out = folder.path().join("made");
    let run = |more: &[&str]| autoneural(&[&["synth", GRAPH, "--out", text(&out), "-q"], more].concat());
    std::fs::create_dir(&out).expect("a folder");
    for note in ["{\"made_by\": \"hand\"}", "no JSON"] {
        std::fs::write(out.join("synth.json"), note).expect("a file");
        for (more, word) in [(&[][..], "exists already"), (&["--force"][..], "is no synthetic checkpoint")] {
            let output = run(more);
            assert_eq!(output.status.code(), Some(INPUT), "{more:?}");
            assert!(stderr(&output).contains(word), "{}", stderr(&output));
            assert_eq!((names(&out), names(folder.path())), (vec!["synth.json".into()], vec!["made".into()]));
        }
    }
    std::fs::remove_dir_all(&out).expect("the folder");
    assert!(run(&[]).status.success());
    assert_eq!(run(&["--seed", "1"]).status.code(), Some(INPUT));
    assert_eq!(json(&out.join("synth.json"))["seed"], 0);
    assert!(run(&["--seed", "1", "--force"]).status.success());
    assert_eq!(json(&out.join("synth.json"))["seed"], 1);
    assert_eq!(names(folder.path()), ["made"]);
}

#[test]
fn what_cannot_be_made_is_told_and_leaves_nothing() {
    // 1000 layers of 4 billion weights each.
    let layers = format!("layers = [{}", "\"conv\", ".repeat(1000));
    let cases: [(&str, Edits, &[&str], i32, &str); 8] = [
        ("no definition", &[], &["nowhere.toml"], INPUT, "nowhere.toml"),
        ("no size", &[], &["--shard-size", "big"], USAGE, "a size such as 2GB"),
        ("size 0", &[], &["--shard-size", "0GB"], USAGE, "a size such as 2GB"),
        ("a size beyond all", &[], &["--shard-size", "99999999999999GB"], USAGE, "a size such as 2GB"),
        (
            "vocabulary",
            &[("vocabulary = 768", "vocabulary = 200")],
            &[],
            INPUT,
            "language.vocabulary: 200 is too small",
        ),
        ("one number twice", &[("eos = 2", "eos = 1")], &[], INPUT, "1 is both `<|startoftext|>` and `<|im_end|>`"),
        (
            "a tensor beyond all",
            &[("feed_forward = 384", "feed_forward = 1048576"), ("hidden = 128", "hidden = 1048576")],
            &[],
            INPUT,
            "a tensor has 1 to",
        ),
        (
            "more than any disk holds",
            &[
                ("layers = [", &layers),
                ("hidden = 128", "hidden = 16384"),
                ("feed_forward = 384", "feed_forward = 65536"),
            ],
            &[],
            OS,
            "are free there",
        ),
    ];
    for (case, edits, more, status, word) in cases {
        let folder = TempDir::new().expect("a folder");
        let graph = definition(folder.path(), edits);
        let out = folder.path().join("made");
        let mut args = vec!["synth"];
        if !more.first().is_some_and(|first| first.ends_with(".toml")) {
            args.push(&graph);
        }
        args.extend(more);
        args.extend(["--out", text(&out), "-q"]);
        let output = autoneural(&args);
        assert_eq!(output.status.code(), Some(status), "{case}: {}", stderr(&output));
        assert!(stderr(&output).contains(word), "{case}: {}", stderr(&output));
        assert_eq!(names(folder.path()), ["graph.toml"], "{case}");
    }
}
