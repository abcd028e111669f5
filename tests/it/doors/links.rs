//! Links, pipes and devices where files are wanted.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use super::{CALIBRATE, Desk, EVAL, SECRET, journal_of};
use crate::common::bench::{COMPILE, EXPORT};
use crate::common::stderr;

#[test]
fn links_in_a_bundle_are_refused() {
    let desk = Desk::new();
    let all = [&["inspect", "{out/bundle}"][..], &["emit", "{out/bundle}"], &EVAL, &["report", "{out/bundle}"]];
    for name in [
        "manifest.json",
        "report.json",
        "model/definition.toml",
        "model/language.data",
        "qdq/vision.onnx",
        "model/tokenizer.json",
        "model",
        "calibration",
    ] {
        desk.link_out(name);
        for args in &all {
            desk.refuse(name, args, &[&format!("bundle/{name}"), "is a link"]);
        }
        desk.put_back(name, true);
    }
    // What the manifest does not list, for those that use it.
    for (name, args) in [
        (".ledger.json", &["emit", "{out/bundle}"][..]),
        (".ledger.json", &CALIBRATE),
        (".ledger.json", &COMPILE),
        (".evaluation", &EVAL),
    ] {
        let was_there = desk.path("out/bundle").join(name).exists();
        desk.link_out(name);
        desk.refuse(name, args, &[name, "is a link"]);
        desk.put_back(name, was_there);
    }
    desk.succeed(&EVAL);
}

#[test]
fn what_the_host_reads_is_in_the_manifest() {
    let desk = Desk::new();
    for name in
        ["chat_template.jinja", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "host.json"]
    {
        let path = desk.path("out/bundle/model").join(name);
        if path.exists() {
            continue;
        }
        std::fs::write(&path, "{}").expect("a file");
        desk.refuse(name, &EVAL, &[name, "is not in the bundle's manifest"]);
        desk.refuse(
            name,
            &["run", "{out/bundle}", "--on", "float", "--prompt", "a"],
            &["is not in the bundle's manifest"],
        );
        std::fs::remove_file(&path).expect("removed");
    }
    desk.succeed(&EVAL);
}

#[test]
fn links_where_files_are_written_lead_nowhere() {
    let desk = Desk::new();
    let secret = desk.path("secret");
    desk.succeed(&EVAL);
    // The folder of this set's journal.
    let journal = journal_of(&desk);
    for name in ["report.json.partial", "manifest.json.partial", ".ledger.json.partial"] {
        symlink(&secret, desk.path("out/bundle").join(name)).expect("a link");
    }
    symlink(&secret, desk.path("out/bundle.html.partial")).expect("a link");
    std::fs::remove_file(journal.join("float-00000.safetensors")).expect("removed");
    symlink(&secret, journal.join("float-00000.partial")).expect("a link");
    desk.succeed(&EVAL);
    desk.succeed(&["report", "{out/bundle}"]);
    desk.succeed(&CALIBRATE);
    assert_eq!(desk.bench.read("secret"), SECRET);

    // In the journal's own place.
    let desk = Desk::new();
    desk.succeed(&EVAL);
    let journal = journal_of(&desk);
    std::fs::rename(journal.join("float.jsonl"), desk.path("float.jsonl")).expect("moved");
    symlink(desk.path("secret"), journal.join("float.jsonl")).expect("a link");
    desk.refuse("the journal", &EVAL, &["float.jsonl", "is a link"]);
    std::fs::remove_file(journal.join("float.jsonl")).expect("removed");
    std::fs::hard_link(desk.path("secret"), journal.join("float.jsonl")).expect("a second name");
    desk.succeed(&EVAL);
    assert_eq!(desk.bench.read("secret"), SECRET, "a file with another name is replaced and not written into");
    std::fs::remove_file(journal.join("float-00000.safetensors")).expect("removed");
    symlink(desk.path("secret"), journal.join("float-00000.safetensors")).expect("a link");
    let output = desk.bench.run(&EVAL);
    assert!(output.status.success() || stderr(&output).contains("is a link"), "{}", stderr(&output));
    assert_eq!(desk.bench.read("secret"), SECRET);
    std::fs::rename(&journal, desk.path("elsewhere")).expect("moved");
    symlink(desk.path("elsewhere"), &journal).expect("a link");
    desk.refuse("the journal's folder", &EVAL, &["is a link"]);

    // Beside the bundle.
    for name in [".bundle.lock", ".bundle.stage", ".bundle.replaced", ".bundle.work"] {
        let desk = Desk::new();
        symlink(desk.path("secret"), desk.path("out").join(name)).expect("a link");
        for args in [&CALIBRATE[..], &EVAL, &COMPILE] {
            match name {
                ".bundle.lock" => desk.refuse(name, args, &[name, "is a link"]),
                _ => drop(desk.succeed(args)),
            }
            assert_eq!(desk.bench.read("secret"), SECRET, "{name} {args:?}");
        }
    }
    let desk = Desk::new();
    std::fs::hard_link(desk.path("secret"), desk.path("out/.bundle.lock")).expect("a second name");
    desk.refuse("a second name", &EVAL, &[".bundle.lock", "another name"]);
    // The page that nobody named.
    symlink(desk.path("secret"), desk.path("out/bundle.html")).expect("a link");
    desk.refuse("the page", &["report", "{out/bundle}"], &["bundle.html", "is a link", "--out"]);
}

#[test]
fn pipes_and_devices_are_not_waited_for() {
    let desk = Desk::new();
    let compile = |from: &str, to: &str| COMPILE.map(|arg| if arg == from { to.to_string() } else { arg.to_string() });
    let fifo = |path: &Path| {
        let _ = std::fs::remove_file(path);
        assert!(Command::new("mkfifo").arg(path).status().expect("mkfifo starts").success());
    };
    fifo(&desk.path("pipe.toml"));
    symlink("pipe.toml", desk.path("linked.toml")).expect("a link");
    symlink("/dev/zero", desk.path("device.toml")).expect("a link");
    for (name, kind) in [("pipe.toml", "is a FIFO"), ("linked.toml", "is a FIFO"), ("device.toml", "is a device")] {
        let place = format!("{{{name}}}");
        for from in ["{graph.toml}", "{recipe/recipe.toml}", "sa8295p"] {
            let args = compile(from, &place);
            desk.refuse(from, &args.each_ref().map(String::as_str), &[name, kind, "a regular file is wanted"]);
        }
        let given = [&COMPILE[..], &["--encodings", &place]].concat();
        desk.refuse("encodings", &given, &[name, kind]);
        for more in [&["--thresholds", &place][..], &["--baseline", &place]] {
            desk.refuse("report", &[&["report", "{out/bundle}"], more].concat(), &[name, kind]);
        }
    }
    // What belongs to a checkpoint.
    for name in ["chat_template.jinja", "tokenizer_config.json", "tokenizer.json"] {
        let desk = Desk::new();
        fifo(&desk.path("weights").join(name));
        desk.refuse(name, &[&EXPORT[..], &["--force"]].concat(), &[name, "is a FIFO"]);
    }
    // A sample's picture, a set's.
    fifo(&desk.path("recipe/photo.png"));
    let recompile = [&COMPILE[..], &["--force"]].concat();
    desk.refuse("a picture", &recompile, &["photo.png", "is a FIFO"]);
    fifo(&desk.path("set/photo.png"));
    desk.refuse("a set's picture", &EVAL, &["photo.png"]);
    fifo(&desk.path("set/questions.jsonl"));
    desk.refuse("a set", &EVAL, &["questions.jsonl", "is a FIFO"]);
    // What the bundle holds.
    for name in ["model/target.toml", "encodings/vision.json", "manifest.json", ".ledger.json"] {
        let desk = Desk::new();
        fifo(&desk.path("out/bundle").join(name));
        desk.refuse(name, &["emit", "{out/bundle}"], &[name, "is a FIFO"]);
    }
}
