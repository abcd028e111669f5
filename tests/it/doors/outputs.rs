//! Results to pipes, devices and links, and what killed runs left.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::process::Command;

use super::{CALIBRATE, Desk, EVAL};
use crate::common::bench::{Bench, COMPILE, EXPORT, names};
use crate::common::{copy, json, stderr, stdout};

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
    assert!(wanted.contains("<svg"));
    let straight = "exec \"$0\" \"$@\"";
    for out in ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"] {
        assert!(shell(straight, &graph(out)) == wanted, "{out}");
        // Behind what is there, as the shell was asked.
        desk.bench.write("log", "first\n");
        shell(&format!("exec \"$0\" \"$@\" >> {}", desk.path("log").display()), &graph(out));
        assert!(desk.bench.read("log") == format!("first\n{wanted}"), "{out}");
    }
    let error = format!("exec \"$0\" \"$@\" 2> {}", desk.path("log").display());
    shell(&error, &graph("/dev/stderr"));
    assert!(desk.bench.read("log").contains(&wanted));
    assert!(shell("\"$0\" \"$@\" --out >(cat) > /dev/null", &graph("")[..2]) == wanted, "a process of the shell");
    shell(straight, &graph("/dev/null"));
    // A pipe with a name.
    assert!(Command::new("mkfifo").arg(desk.path("pipe")).status().expect("mkfifo starts").success());
    let piped = format!("cat {} & \"$0\" \"$@\" > /dev/null; wait", desk.path("pipe").display());
    assert!(shell(&piped, &graph("{pipe}")) == wanted, "a pipe");
    // A link stays a link, to the new contents; one that leads nowhere yet gets them, too.
    std::fs::create_dir(desk.path("far")).expect("a folder");
    desk.bench.write("far/old.svg", "old");
    for (link, to) in [("old.svg", "far/old.svg"), ("new.svg", "far/new.svg"), ("twice.svg", "new.svg")] {
        symlink(to, desk.path(link)).expect("a link");
        shell(straight, &graph(&format!("{{{link}}}")));
        assert!(desk.path(link).is_symlink(), "{link}");
        assert!(desk.bench.read(to) == wanted, "{link}");
    }
    assert_eq!(names(&desk.path("far")), ["new.svg", "old.svg"]);
    symlink("circle", desk.path("circle")).expect("a link");
    desk.refuse("a circle", &["graph", "{out/bundle}", "--out", "{circle}"], &["circle"]);

    // The other results of the same kind.
    let gate = ["gate", "{out/bundle}", "--baseline", "{base.json}"];
    desk.succeed(&[&gate[..], &["--update"]].concat());
    let baseline = desk.bench.read("base.json");
    let to_stdout = ["gate", "{out/bundle}", "--update", "--baseline", "/dev/stdout"];
    assert!(stdout(&desk.succeed(&to_stdout)) == baseline, "standard output");
    symlink("far/base.json", desk.path("linked.json")).expect("a link");
    desk.succeed(&["gate", "{out/bundle}", "--update", "--baseline", "{linked.json}"]);
    assert!(desk.bench.read("far/base.json") == baseline, "a link");
    for form in ["--junit", "--sarif", "--markdown"] {
        let file = desk.bench.run(&[&gate[..], &[form, "{form}"]].concat());
        let text = stdout(&desk.bench.run(&[&gate[..], &[form, "/dev/stdout"]].concat()));
        assert!(file.status.code().is_some() && text == desk.bench.read("form"), "{form}: {text}");
    }
    desk.succeed(&["report", "{out/bundle}", "--markdown", "{page.md}"]);
    let page = stdout(&desk.succeed(&["report", "{out/bundle}", "--markdown", "/dev/stdout"]));
    assert!(page == desk.bench.read("page.md"), "a page");
}

#[test]
fn a_file_that_is_replaced_keeps_its_access_rights_and_its_other_names() {
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
        assert_eq!(
            (names(&bench.path("out")), names(&bench.path("far"))),
            (vec!["bundle".into()], vec!["bundle".into()])
        );
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
    // Killed right behind the exchange: the old bundle has the name of what was being made.
    std::fs::rename(desk.path("out/bundle"), desk.path("out/.bundle.work")).expect("moved");
    copy(&desk.path("out/.bundle.work"), &desk.path("out/bundle"));
    desk.succeed(&["inspect", "{out/bundle}"]);
    assert_eq!(names(&desk.path("out")), ["bundle"]);
    // Killed between the two halves of an exchange, where a file system cannot do it at once.
    std::fs::rename(desk.path("out/bundle"), desk.path("out/.bundle.replaced")).expect("moved");
    desk.succeed(&["inspect", "{out/bundle}"]);
    assert_eq!(names(&desk.path("out")), ["bundle"]);
}
