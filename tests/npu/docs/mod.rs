//! The documentation does what it says: commands are run as they stand, and what is shown is what is printed.

mod session;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use tempfile::TempDir;

use self::session::{follow, matches};
use crate::common::documents::{Document, guides, is_run};
use crate::common::{copy, root};

/// What the reader of a document has in the folder: everything that a document before left there, or files of the
/// project under names of their own.
fn ground(name: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    match name {
        CONVERT => weights(folder.path()),
        _ => copy(&converted().0, folder.path()),
    }
    if name == "docs/runtime.md" {
        std::fs::copy(root("tools/host/host.py"), folder.path().join("host.py")).unwrap();
    }
    folder
}

/// A model whose weights lie in three folders, with a recipe.
fn weights(folder: &Path) {
    let put = |from: &str, to: &str| {
        let to = folder.join(to);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        assert!(std::fs::copy(root(from), to).is_ok(), "{from}");
    };
    put("graphs/autoneural-tiny.toml", "my-model.toml");
    put("models/autoneural-tiny/encodings.json", "learned.json");
    put("calibration/demo-eval/images/cluster-01.png", "cluster.png");
    let checkpoint = "models/autoneural-tiny";
    for name in ["tokenizer.json", "chat_template.jinja"] {
        put(&format!("{checkpoint}/{name}"), &format!("weights/language/{name}"));
    }
    split(&root(checkpoint).join("model.safetensors"), &folder.join("weights"));
    put("calibration/demo.toml", "recipe.toml");
    copy(&root("calibration/demo"), &folder.join("demo"));
}

/// Writes the tensors of a checkpoint into a file each for vision, projector and language.
fn split(file: &Path, folder: &Path) {
    let bytes = std::fs::read(file).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut parts: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for (name, tensor) in tensors.tensors() {
        let part = match &name {
            name if name.contains("vision_tower") => "vision",
            name if name.contains("multi_modal_projector") => "projector",
            _ => "language",
        };
        parts.entry(part).or_default().push((name, tensor));
    }
    assert_eq!(parts.len(), 3);
    for (part, tensors) in parts {
        let folder = folder.join(part);
        std::fs::create_dir_all(&folder).unwrap();
        safetensors::serialize_to_file(tensors, None, &folder.join("model.safetensors")).unwrap();
    }
}

/// The document that takes a checkpoint to a bundle. The others begin with what it leaves.
const CONVERT: &str = "docs/convert.md";

/// The folder as that document leaves it, made once, and what its commands printed.
fn converted() -> &'static (PathBuf, String) {
    static MADE: OnceLock<(PathBuf, String)> = OnceLock::new();
    MADE.get_or_init(|| {
        let folder = ground(CONVERT);
        let printed = follow(&Document::read(&root(CONVERT)), folder.path());
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("converted");
        let _ = std::fs::remove_dir_all(&kept);
        copy(folder.path(), &kept);
        (kept, printed)
    })
}

/// Runs a document's commands in a folder of its own.
fn works(name: &str) {
    if name == CONVERT {
        converted();
    } else {
        follow(&Document::read(&root(name)), ground(name).path());
    }
}

/// A test for each document that has commands, and the list of them.
macro_rules! documents {
    ($($test:ident: $name:literal,)*) => {
        const TESTED: &[&str] = &[$($name),*];
        $(
            #[test]
            fn $test() {
                works($name);
            }
        )*
    };
}

documents! {
    commands_of_bundle_work: "docs/bundle.md",
    commands_of_cli_work: "docs/cli.md",
    commands_of_convert_work: "docs/convert.md",
    commands_of_definition_work: "docs/definition.md",
    commands_of_gate_work: "docs/gate.md",
    commands_of_recipe_work: "docs/recipe.md",
    commands_of_report_work: "docs/report.md",
    commands_of_run_work: "docs/run.md",
    commands_of_runtime_work: "docs/runtime.md",
    commands_of_samples_work: "docs/samples.md",
    commands_of_shards_work: "docs/shards.md",
    commands_of_targets_work: "docs/targets.md",
    commands_of_tune_work: "docs/tune.md",
}

#[test]
fn every_document_with_commands_is_tested() {
    let with_commands = guides().into_iter().filter(|document| document.blocks.iter().any(is_run));
    let found: BTreeSet<String> = with_commands.map(|document| document.name).collect();
    assert_eq!(found, TESTED.iter().map(|name| name.to_string()).collect());
}

/// What README.md and other documents show of a compilation is what it prints.
#[test]
fn what_is_shown_is_what_is_printed() {
    let mut count = 0;
    for document in guides() {
        for block in document.blocks.iter().filter(|block| block.note("shown").is_some()) {
            let shown: Vec<String> = block.text.lines().map(str::to_string).collect();
            if let Err(missing) = matches(&shown, &converted().1) {
                panic!("{}:{}: shows\n  {missing}\nbut printed was\n{}", document.name, block.line, converted().1);
            }
            count += 1;
        }
    }
    assert!(count >= 2, "{count} blocks are shown");
}
