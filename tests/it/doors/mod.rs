//! What the program opens and where it writes, when somebody else laid out the files: links and pipes in a bundle,
//! results to pipes and links, notes that were written elsewhere, a bundle that changes underneath.

mod links;
mod outputs;
mod trust;

use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Output;
use std::sync::OnceLock;

use crate::common::bench::{Bench, INPUT, names};
use crate::common::{GOLDEN, copy, root, stderr};

const CALIBRATE: [&str; 4] = ["calibrate", "{out/bundle}", "--calibration", "{recipe/recipe.toml}"];
const EVAL: [&str; 6] = ["eval", "{out/bundle}", "--set", "{set}", "--on", "float"];
const SECRET: &str = "what others must not touch\n";

/// A bench with a bundle that was compiled elsewhere and copied here, a set of questions, and a file that is nobody's
/// business.
struct Desk {
    bench: Bench,
}

impl Desk {
    fn new() -> Self {
        static BUNDLE: OnceLock<tempfile::TempDir> = OnceLock::new();
        let compiled = BUNDLE.get_or_init(|| {
            let (bench, kept) = (Bench::new(), tempfile::tempdir().expect("a folder"));
            assert!(bench.compile().status.success());
            copy(&bench.path("out/bundle"), kept.path());
            kept
        });
        let bench = Bench::new();
        copy(compiled.path(), &bench.path("out/bundle"));
        std::fs::create_dir(bench.path("set")).expect("a folder");
        std::fs::copy(root(&format!("{GOLDEN}/photo.png")), bench.path("set/photo.png")).expect("a photo");
        bench.write(
            "set/questions.jsonl",
            "{\"use\": \"u\", \"images\": [\"photo.png\"], \"question\": \"Who?\", \"answer\": \"Me.\"}\n",
        );
        bench.write("secret", SECRET);
        Desk { bench }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.bench.path(name)
    }

    fn succeed(&self, args: &[&str]) -> Output {
        let output = self.bench.run(args);
        assert!(output.status.success(), "{args:?}: {}", stderr(&output));
        output
    }

    fn refuse(&self, case: &str, args: &[&str], words: &[&str]) {
        // A pipe that is waited for would hang for ever.
        let output = self.bench.run_in_shell("exec timeout 100 \"$0\" \"$@\"", args);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(INPUT), "{case}: {args:?}: {said}");
        words.iter().for_each(|word| assert!(said.contains(word), "{case}: {args:?}: no `{word}`: {said}"));
        assert_eq!(self.bench.read("secret"), SECRET, "{case}: {args:?}");
    }

    /// Puts a link to a file or folder outside in the place of one in the bundle.
    fn link_out(&self, name: &str) {
        let (inside, outside) = (self.path(&format!("out/bundle/{name}")), self.path("outside"));
        match inside.exists() {
            true => std::fs::rename(&inside, &outside).expect("moved"),
            false => std::fs::write(&outside, SECRET).expect("written"),
        }
        symlink(&outside, &inside).expect("a link");
    }

    fn put_back(&self, name: &str, was_there: bool) {
        let (inside, outside) = (self.path(&format!("out/bundle/{name}")), self.path("outside"));
        std::fs::remove_file(&inside).expect("removed");
        match was_there {
            true => std::fs::rename(&outside, &inside).expect("moved"),
            false => std::fs::remove_file(&outside).expect("removed"),
        }
    }
}

/// The folder of the one journal that the bundle has.
fn journal_of(desk: &Desk) -> PathBuf {
    let mut journal = desk.path("out/bundle/.evaluation");
    for _ in 0..2 {
        journal = journal.join(names(&journal).pop().expect("a folder"));
    }
    journal
}
