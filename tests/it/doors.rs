//! What the program opens and where it writes, when somebody else laid out the files: links and pipes in a bundle, results to
//! pipes and links, notes that were written elsewhere, a bundle that changes underneath.

use std::fs::File;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::bad_input::{Bench, COMPILE, EXPORT, INPUT, names};
use crate::common::{GOLDEN, copy, demo_bundle, root, stderr, stdout, toolkit};
use crate::pipeline::{files, json};
use crate::sealed::Sealed;
use crate::tracer::{Action, run};

const CALIBRATE: [&str; 4] = ["calibrate", "{out/bundle}", "--calibration", "{recipe/recipe.toml}"];
const EVAL: [&str; 6] = ["eval", "{out/bundle}", "--set", "{set}", "--on", "float"];
const SECRET: &str = "what others must not touch\n";

/// A bench with a bundle that was compiled elsewhere and copied here, a set of questions, and a file that is nobody's business.
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
fn links_where_files_are_written_lead_nowhere() {
    let desk = Desk::new();
    let secret = desk.path("secret");
    desk.succeed(&EVAL);
    // The folder of this set's journal.
    let mut journal = desk.path("out/bundle/.evaluation");
    for _ in 0..2 {
        journal = journal.join(names(&journal).pop().expect("a folder"));
    }
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
    let mut journal = desk.path("out/bundle/.evaluation");
    for _ in 0..2 {
        journal = journal.join(names(&journal).pop().expect("a folder"));
    }
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
    fifo(&desk.path("pipe"));
    symlink("pipe", desk.path("linked")).expect("a link");
    symlink("/dev/zero", desk.path("device")).expect("a link");
    for (name, kind) in [("pipe", "is a FIFO"), ("linked", "is a FIFO"), ("device", "is a device")] {
        let place = format!("{{{name}}}");
        for from in ["{graph.toml}", "{recipe/recipe.toml}", "sa8295p"] {
            // A target that is a path has a slash or ends in .toml.
            let args = compile(from, &place);
            desk.refuse(from, &args.each_ref().map(String::as_str), &[name, kind, "a regular file is wanted"]);
        }
        let given = [&COMPILE[..], &["--encodings", &place]].concat();
        desk.refuse("encodings", &given, &[name, kind]);
        for more in [&["--thresholds", &place][..], &["--baseline", &place]] {
            desk.refuse("report", &[&["report", "{out/bundle}"], more].concat(), &[name, kind]);
        }
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

#[test]
fn a_file_that_was_changed_in_place_is_seen_whatever_its_times_say() {
    let bench = Bench::new();
    assert!(bench.compile().status.success());
    // A stage, so that all files have had a second name.
    assert!(bench.run(&CALIBRATE).status.success());
    assert!(bench.run(&["quantize", "{out/bundle}"]).status.success());
    for name in ["model/language.data", "encodings/vision.json", "model/target.toml"] {
        let path = bench.path("out/bundle").join(name);
        let (before, meta) = (std::fs::read(&path).expect("read"), std::fs::metadata(&path).expect("there"));
        let mut bytes = before.clone();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        let times = std::fs::FileTimes::new().set_modified(meta.modified().expect("a time"));
        let put = |bytes: &[u8]| {
            std::fs::write(&path, bytes).expect("written");
            File::options().append(true).open(&path).and_then(|file| file.set_times(times)).expect("set");
        };
        put(&bytes);
        for stage in ["emit", "quantize"] {
            let output = bench.run(&[stage, "{out/bundle}"]);
            assert_eq!(output.status.code(), Some(INPUT), "{name} {stage}");
            let said = stderr(&output);
            assert!(said.contains(name) && said.contains("is not the file that was written"), "{said}");
        }
        put(&before);
    }
    assert!(bench.run(&["emit", "{out/bundle}"]).status.success());
}

/// What was done, by the lines on standard error of a run that is not quiet.
fn said(desk: &Desk, args: &[&str]) -> String {
    // The last argument of a bench's run is -q.
    let output = desk.bench.run_in_shell("set -- \"${@:1:$#-1}\"; exec \"$0\" \"$@\"", args);
    assert!(output.status.success(), "{}", stderr(&output));
    stderr(&output)
}

/// A bundle moved to another place as an archive does it, and nothing else.
fn as_an_archive(desk: &Desk) {
    let (bundle, spare) = (desk.path("out/bundle"), desk.path("spare"));
    copy(&bundle, &spare);
    std::fs::remove_dir_all(&bundle).expect("removed");
    copy(&spare, &bundle);
    std::fs::remove_dir_all(&spare).expect("removed");
}

#[test]
fn a_ledger_from_elsewhere_proves_nothing() {
    for more in [&[][..], &["--check-contents"]] {
        let desk = Desk::new();
        std::fs::remove_dir_all(desk.path("out/bundle")).expect("removed");
        desk.succeed(&COMPILE);
        let honest = files(&desk.path("out/bundle"));
        assert!(!said(&desk, &COMPILE).contains("done in"), "what was made here is known");
        // Somebody changes a model, and writes into ledger and manifest that it has always been so.
        let model = desk.path("out/bundle/qdq/projector.onnx");
        let mut bytes = std::fs::read(&model).expect("read");
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        let hash = |bytes: &[u8]| Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        for notes in [".ledger.json", "manifest.json"] {
            let text = desk.bench.read(&format!("out/bundle/{notes}"));
            let was = hash(&std::fs::read(&model).expect("read"));
            assert!(text.contains(&was));
            desk.bench.write(&format!("out/bundle/{notes}"), text.replace(&was, &hash(&bytes)));
        }
        let ledger = desk.bench.read("out/bundle/.ledger.json");
        std::fs::write(&model, &bytes).expect("written");
        as_an_archive(&desk);
        assert_eq!(desk.bench.read("out/bundle/.ledger.json"), ledger);
        let lines = said(&desk, &[&COMPILE[..], more].concat());
        assert!(lines.contains("emit projector: done in") && !lines.contains("unchanged"), "{lines}");
        let made = files(&desk.path("out/bundle"));
        assert!(made["qdq/projector.onnx"] == honest["qdq/projector.onnx"], "the forged file stayed");
        assert!(!said(&desk, &COMPILE).contains("done in"));
    }
}

#[test]
fn work_begun_elsewhere_is_begun_anew() {
    let desk = Desk::new();
    std::fs::rename(desk.path("out/bundle"), desk.path("out/.bundle.work")).expect("moved");
    std::fs::create_dir(desk.path("outside")).expect("a folder");
    std::fs::remove_dir_all(desk.path("out/.bundle.work/model")).expect("removed");
    symlink(desk.path("outside"), desk.path("out/.bundle.work/model")).expect("a link");
    let lines = said(&desk, &COMPILE);
    assert!(!lines.contains("unchanged"), "{lines}");
    assert_eq!(names(&desk.path("outside")), Vec::<String>::new(), "nothing is written through a link");
    assert_eq!(names(&desk.path("out")), ["bundle"]);
}

#[test]
fn answers_from_elsewhere_are_asked_again() {
    let desk = Desk::new();
    let eval = [&EVAL[..], &["--json"]].concat();
    let honest: Value = serde_json::from_str(&stdout(&desk.succeed(&eval))).expect("JSON");
    let mut journal = desk.path("out/bundle/.evaluation");
    for _ in 0..2 {
        journal = journal.join(names(&journal).pop().expect("a folder"));
    }
    let path = journal.join("float.jsonl");
    let lines = std::fs::read_to_string(&path).expect("the journal");
    let mut line: Value = serde_json::from_str(&lines).expect("a line");
    assert_eq!(line["record"]["exact"], false, "{line}");
    line["record"]["exact"] = true.into();
    std::fs::write(&path, format!("{line}\n")).expect("written");
    as_an_archive(&desk);
    let again: Value = serde_json::from_str(&stdout(&desk.succeed(&eval))).expect("JSON");
    assert_eq!(again, honest);

    // What was answered here stays true when the report is made again; what is from elsewhere does not come into it.
    let verify = ["verify", "{out/bundle}", "--calibration", "{recipe/recipe.toml}", "--toolkit", "{empty}"];
    let evaluations = || json(&desk.path("out/bundle/report.json"))["evaluations"].as_array().map_or(0, Vec::len);
    desk.succeed(&verify);
    assert_eq!(evaluations(), 1);
    as_an_archive(&desk);
    desk.succeed(&verify);
    assert_eq!(evaluations(), 0);
}

#[test]
fn a_bundle_that_changes_underneath_is_noticed() {
    let desk = Desk::new();
    // Another run holds the lock.
    let lock = File::create(desk.path("out/.bundle.lock")).expect("created");
    lock.lock().expect("locked");
    for args in [&EVAL[..], &CALIBRATE, &COMPILE] {
        desk.refuse("locked", args, &["is being made by another run", "help: wait"]);
    }
    desk.succeed(&["inspect", "{out/bundle}"]);
    drop(lock);

    // Somebody who knows no locks puts another bundle there while questions are asked.
    let other = Desk::new();
    let before = files(&other.path("out/bundle"));
    for args in [&EVAL[..], &CALIBRATE] {
        let (mut struck, bundle) = (false, desk.path("out/bundle"));
        let expand = |text: &&str| text.replace('{', &format!("{}/", desk.path("").display())).replace('}', "");
        let mut command = Command::new(env!("CARGO_BIN_EXE_autoneural"));
        command.args(args.iter().map(expand));
        let begins = if args[0] == "eval" { "float.jsonl" } else { ".images.json" };
        let outcome = run(command, &mut |event| {
            if !struck && event.paths.iter().any(|path| path.to_string_lossy().contains(begins)) && event.writes() {
                struck = true;
                std::fs::remove_dir_all(&bundle).expect("removed");
                copy(&other.path("out/bundle"), &bundle);
            }
            Action::Go
        });
        assert!(struck, "{args:?} writes no {begins}: {}", outcome.stderr);
        assert!(!outcome.status.success(), "{args:?}: {}", outcome.stderr);
        assert!(files(&desk.path("out/bundle")) == before, "{args:?} wrote into a bundle that is another one");
        desk.succeed(&["inspect", "{out/bundle}"]);
    }
}

#[test]
fn results_go_where_the_user_says() {
    let desk = Desk::new();
    let graph = |out: &str| vec!["graph".to_string(), "{out/bundle}".into(), "--out".into(), out.into()];
    let shell = |line: &str, args: &[String]| {
        let output = desk.bench.run_in_shell(line, &args.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(output.status.success(), "{line} {args:?}: {}", stderr(&output));
        stdout(&output)
    };
    desk.succeed(&["graph", "{out/bundle}", "--out", "{demo.svg}"]);
    let wanted = desk.bench.read("demo.svg");
    assert!(wanted.starts_with("<svg"));
    let straight = "exec \"$0\" \"$@\"";
    for out in ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"] {
        assert_eq!(shell(straight, &graph(out)), wanted, "{out}");
        // Behind what is there, as the shell was asked.
        desk.bench.write("log", "first\n");
        shell(&format!("exec \"$0\" \"$@\" >> {}", desk.path("log").display()), &graph(out));
        assert_eq!(desk.bench.read("log"), format!("first\n{wanted}"), "{out}");
    }
    let error = format!("exec \"$0\" \"$@\" 2> {}", desk.path("log").display());
    shell(&error, &graph("/dev/stderr"));
    assert!(desk.bench.read("log").contains(&wanted));
    assert_eq!(shell("exec \"$0\" \"$@\" --out >(cat >&2) 2>&1 | cat", &graph("/dev/null")[..2]).trim(), wanted.trim());
    shell(straight, &graph("/dev/null"));
    // A pipe with a name.
    assert!(Command::new("mkfifo").arg(desk.path("pipe")).status().expect("mkfifo starts").success());
    let piped = format!("cat {} & \"$0\" \"$@\" > /dev/null; wait", desk.path("pipe").display());
    assert_eq!(shell(&piped, &graph("{pipe}")), wanted);
    // A link stays a link, to the new contents; one that leads nowhere yet gets them, too.
    std::fs::create_dir(desk.path("far")).expect("a folder");
    desk.bench.write("far/old.svg", "old");
    for (link, to) in [("old.svg", "far/old.svg"), ("new.svg", "far/new.svg"), ("twice.svg", "new.svg")] {
        symlink(to, desk.path(link)).expect("a link");
        shell(straight, &graph(&format!("{{{link}}}")));
        assert!(desk.path(link).is_symlink(), "{link}");
        assert_eq!(desk.bench.read(to), wanted, "{link}");
    }
    assert_eq!(names(&desk.path("far")), ["new.svg", "old.svg"]);
    symlink("circle", desk.path("circle")).expect("a link");
    desk.refuse("a circle", &["graph", "{out/bundle}", "--out", "{circle}"], &["circle"]);
    desk.refuse("a folder", &["graph", "{out/bundle}", "--out", "{far}"], &["far", "is a folder"]);

    // The other results of the same kind.
    let gate = ["gate", "{out/bundle}", "--baseline", "{base.json}"];
    desk.succeed(&[&gate[..], &["--update"]].concat());
    let baseline = desk.bench.read("base.json");
    let to_stdout = ["gate", "{out/bundle}", "--update", "--baseline", "/dev/stdout"];
    assert_eq!(stdout(&desk.succeed(&to_stdout)), baseline);
    symlink("far/base.json", desk.path("linked.json")).expect("a link");
    desk.succeed(&["gate", "{out/bundle}", "--update", "--baseline", "{linked.json}"]);
    assert_eq!(desk.bench.read("far/base.json"), baseline);
    for form in ["--junit", "--sarif", "--markdown"] {
        let file = desk.bench.run(&[&gate[..], &[form, "{form}"]].concat());
        let text = stdout(&desk.bench.run(&[&gate[..], &[form, "/dev/stdout"]].concat()));
        assert_eq!((text, file.status.code().is_some()), (desk.bench.read("form"), true), "{form}");
    }
    desk.succeed(&["report", "{out/bundle}", "--markdown", "{page.md}"]);
    let page = stdout(&desk.succeed(&["report", "{out/bundle}", "--markdown", "/dev/stdout"]));
    assert_eq!(page, desk.bench.read("page.md"));
}

#[test]
fn a_file_that_is_replaced_keeps_its_access_rights_and_its_other_names() {
    use std::os::unix::fs::PermissionsExt;
    let desk = Desk::new();
    desk.bench.write("mine.svg", "old");
    std::fs::set_permissions(desk.path("mine.svg"), std::fs::Permissions::from_mode(0o600)).expect("set");
    std::fs::hard_link(desk.path("mine.svg"), desk.path("kept.svg")).expect("a second name");
    desk.succeed(&["graph", "{out/bundle}", "--out", "{mine.svg}"]);
    assert_eq!(std::fs::metadata(desk.path("mine.svg")).expect("there").mode() & 0o777, 0o600);
    assert_eq!(desk.bench.read("kept.svg"), "old");
}

#[test]
fn a_bundle_is_written_through_a_link() {
    let bench = Bench::new();
    std::fs::create_dir(bench.path("far")).expect("a folder");
    // A link to where nothing is yet, and then to a bundle.
    symlink("../far/bundle", bench.path("out/bundle")).expect("a link");
    for args in [&EXPORT[..], &COMPILE, &CALIBRATE, &["quantize", "{out/bundle}"]] {
        let output = bench.run(args);
        assert!(output.status.success(), "{args:?}: {}", stderr(&output));
        assert!(bench.path("out/bundle").is_symlink(), "{args:?}");
        assert_eq!((names(&bench.path("out")), names(&bench.path("far"))), (vec!["bundle".into()], vec!["bundle".into()]));
    }
    let manifest = json(&bench.path("far/bundle/manifest.json"));
    assert!(manifest["stages"].as_array().expect("stages").iter().any(|stage| stage["name"] == "quantize"));
    // With a slash at the end it is the same folder.
    let output = bench.run(&["emit", "{out/bundle}/"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(bench.path("out/bundle").is_symlink() && !bench.path("far/bundle").is_symlink());
    // A made-up checkpoint, too.
    symlink("../far/weights", bench.path("out/weights")).expect("a link");
    for more in [&[][..], &["--force"]] {
        let synth = ["synth", "{graph.toml}", "--out", "{out/weights}", "--seed", "1"];
        let output = bench.run(&[&synth[..], more].concat());
        assert!(output.status.success(), "{}", stderr(&output));
        assert!(bench.path("out/weights").is_symlink() && bench.path("far/weights/synth.json").is_file());
    }
}

#[test]
fn what_a_killed_run_left_is_swept_by_any_command() {
    let desk = Desk::new();
    desk.succeed(&["gate", "{out/bundle}", "--baseline", "{base.json}", "--update"]);
    for args in [
        &["inspect", "{out/bundle}"][..],
        &["report", "{out/bundle}", "--out", "{page.html}"],
        &["graph", "{out/bundle}", "--out", "{graph.svg}"],
        &["gate", "{out/bundle}", "--baseline", "{base.json}", "--update"],
        &["run", "{out/bundle}", "--on", "float", "--prompt", "Who?", "--max-tokens", "1"],
        &EVAL,
        &CALIBRATE,
        &COMPILE,
    ] {
        copy(&desk.path("out/bundle"), &desk.path("out/.bundle.replaced"));
        std::fs::create_dir_all(desk.path("out/.bundle.stage/model")).expect("a folder");
        desk.bench.write("out/.bundle.lock", "1\n");
        desk.succeed(args);
        assert_eq!(names(&desk.path("out")), ["bundle"], "{args:?}");
    }
    // Killed between the two halves of an exchange, where a file system cannot do it at once.
    std::fs::rename(desk.path("out/bundle"), desk.path("out/.bundle.replaced")).expect("moved");
    desk.succeed(&["inspect", "{out/bundle}"]);
    assert_eq!(names(&desk.path("out")), ["bundle"]);
}

#[test]
fn a_context_model_refers_to_a_binary_that_was_checked() {
    let toolkit = toolkit();
    let toolkit = toolkit.to_str().expect("UTF-8");
    let ask = ["run", "bundle", "--on", "npu", "--prompt", "Who?", "--max-tokens", "1", "-q", "--toolkit", toolkit];
    // A name of the same length, so that the model stays one.
    for (other, words) in [
        (".anguage.decode_qnn.bin", &["context/language.decode.onnx", "no hidden one"][..]),
        ("lenguage.decode_qnn.bin", &["context/language.decode.onnx", "which the manifest does not list"]),
    ] {
        let sealed = Sealed::of(demo_bundle());
        let model = sealed.path("bundle/context/language.decode.onnx");
        let mut bytes = std::fs::read(&model).expect("the model");
        let name = b"language.decode_qnn.bin";
        let at = bytes.windows(name.len()).position(|window| window == name).expect("the name");
        bytes[at..at + name.len()].copy_from_slice(other.as_bytes());
        std::fs::write(&model, bytes).expect("written");
        sealed.seal("context/language.decode.onnx");
        let binary = sealed.path("bundle/context/language.decode_qnn.bin");
        std::fs::copy(&binary, binary.with_file_name(other)).expect("copied");
        let output = sealed.run(&ask);
        assert_eq!(output.status.code(), Some(INPUT), "{other}: {}", stderr(&output));
        words.iter().for_each(|word| assert!(stderr(&output).contains(word), "{word}: {}", stderr(&output)));
    }
    let sealed = Sealed::of(demo_bundle());
    let binary = sealed.path("bundle/context/language.decode_qnn.bin");
    std::fs::rename(&binary, sealed.path("elsewhere.bin")).expect("moved");
    symlink(sealed.path("elsewhere.bin"), &binary).expect("a link");
    for args in [&ask[..], &["inspect", "bundle/context/language.decode.onnx"]] {
        let output = sealed.run(args);
        assert_eq!(output.status.code(), Some(INPUT), "{}", stderr(&output));
        assert!(stderr(&output).contains("_qnn.bin: is a link"), "{}", stderr(&output));
    }
}
