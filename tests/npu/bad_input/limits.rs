//! Limits of a process that runs the toolkit: the error names the limit, and not the model.

use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::{Command, Output};

use crate::common::bench::{Bench, COMPILE, OS, TOOLKIT, names};
use crate::common::{demo_bundle, stderr, toolkit};

impl Bench {
    /// Runs a command with the vendor toolkit by a shell line, in which it is `"$0"` and its arguments are `"$@"`.
    fn run_with_toolkit(&self, line: &str, args: &[&str]) -> Output {
        let expand = |text: &&str| text.replace('{', &format!("{}/", self.path("").display())).replace('}', "");
        let mut command = Command::new("bash");
        command.arg("-c").arg(line).arg(env!("CARGO_BIN_EXE_autoneural")).args(args.iter().map(expand)).arg("-q");
        command.env("AUTONEURAL_TOOLKIT", toolkit()).current_dir(self.path(""));
        command.output().expect("bash starts")
    }
}

/// Arguments of a compilation that needs the NPU.
fn compile() -> Vec<&'static str> {
    [&COMPILE[..10], &["--require-npu"]].concat()
}

#[test]
fn a_limit_of_memory_is_named() {
    let bench = Bench::new();
    let demo = demo_bundle().to_str().expect("UTF-8");
    let recipe = "{recipe/recipe.toml}";
    // Below the first the system cannot load the program itself.
    let program = std::fs::metadata(env!("CARGO_BIN_EXE_autoneural")).expect("the program").len() / 1024;
    for kilobytes in [program + 12_000, program + 24_000, 120_000, 200_000, 300_000, 400_000, 500_000, 600_000, 900_000]
    {
        let line = format!("ulimit -c 0; ulimit -v {kilobytes}; exec \"$0\" \"$@\"");
        for args in [
            &compile()[..],
            &["verify", demo, "--calibration", recipe, "--require-npu"],
            &["run", demo, "--on", "npu", "--prompt", "hi", "--max-tokens", "1"],
        ] {
            let case = format!("{} in {kilobytes} kB", args[0]);
            let output = bench.run_with_toolkit(&line, args);
            let said = stderr(&output);
            assert_eq!(output.status.code(), Some(OS), "{case}: {said}");
            assert!(said.contains("memory") && said.contains("`ulimit -v`"), "{case}: {said}");
            assert!(!said.contains("target file") && !said.contains("defect"), "{case}: {said}");
        }
        bench.expect_no_bundle("scant memory");
    }
}

#[test]
fn too_few_descriptors_are_named() {
    let bench = Bench::new();
    let mut failed = 0;
    for most in [4, 5, 6, 8, 10, 12] {
        let output = bench.run_with_toolkit(&format!("ulimit -n {most}; exec \"$0\" \"$@\""), &compile());
        let said = stderr(&output);
        // The loader of programs has no words of ours where not even the system's libraries can be opened.
        if output.status.success() || said.contains("error while loading shared libraries") {
            continue;
        }
        failed += 1;
        assert_eq!(output.status.code(), Some(OS), "{most} files: {said}");
        assert!(said.contains("no more files") && said.contains("`ulimit -n`"), "{most} files: {said}");
    }
    assert!(failed > 0, "some limit is too low");
}

/// A path need not be text.
#[test]
fn paths_that_are_no_utf8_work() {
    let bench = Bench::new();
    let odd = |name: &[u8]| bench.path("").join(std::ffi::OsStr::from_bytes(name));
    let folder = odd(b"odd\xff\xfe");
    std::fs::rename(bench.path("weights"), odd(b"w\xff")).expect("moved");
    std::fs::rename(bench.path("recipe"), odd(b"r\xff")).expect("moved");
    std::fs::rename(bench.path("graph.toml"), odd(b"g\xff.toml")).expect("moved");
    std::fs::create_dir(&folder).expect("a folder");
    let bundle = folder.join(std::ffi::OsStr::from_bytes(b"b\xe9"));
    let run = |json: bool, args: &[&dyn AsRef<std::ffi::OsStr>]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_autoneural"));
        command.args(args.iter().map(|arg| arg.as_ref()));
        command.args(json.then_some("--json")).env("AUTONEURAL_TOOLKIT", toolkit()).current_dir(bench.path(""));
        let output = command.output().expect("the program starts");
        assert_eq!(output.status.code(), Some(0), "{:?}: {}", args[0].as_ref(), stderr(&output));
    };
    let recipe = odd(b"r\xff").join("recipe.toml");
    let (graph, weights, baseline) = (odd(b"g\xff.toml"), odd(b"w\xff"), odd(b"base\xff.json"));
    let image: PathBuf = odd(b"r\xff").join("photo.png");
    for json in [false, true] {
        run(
            json,
            &[
                &"compile",
                &graph,
                &"--weights",
                &weights,
                &"--calibration",
                &recipe,
                &"--target",
                &"sa8295p",
                &"--out",
                &bundle,
                &"--require-npu",
                &"--force",
            ],
        );
        run(json, &[&"inspect", &bundle]);
        run(json, &[&"inspect", &weights]);
        run(json, &[&"inspect", &bundle.join("context/vision_qnn.bin")]);
        run(
            json,
            &[
                &"run",
                &bundle,
                &"--on",
                &"float,simulated,npu",
                &"--prompt",
                &"hi",
                &"--max-tokens",
                &"1",
                &"--image",
                &image,
            ],
        );
        run(json, &[&"report", &bundle, &"--markdown", &odd(b"m\xff.md"), &"--out", &odd(b"p\xff.html")]);
        run(json, &[&"graph", &bundle, &"--out", &odd(b"g\xff.svg")]);
        run(json, &[&"gate", &bundle, &"--baseline", &baseline, &"--update"]);
        run(
            json,
            &[&"gate", &bundle, &"--baseline", &baseline, &"--junit", &odd(b"j\xff"), &"--sarif", &odd(b"s\xff")],
        );
        run(json, &[&"synth", &graph, &"--out", &odd(b"synth\xff"), &"--force"]);
        run(json, &[&"quantize", &bundle]);
        run(json, &[&"emit", &bundle]);
        run(json, &[&"build", &bundle]);
        run(json, &[&"verify", &bundle, &"--calibration", &recipe]);
    }
    assert_eq!(names(&folder).len(), 1, "nothing is left beside the bundle");
    // The engine takes the paths of its own libraries as text alone, and that is said before anything is done.
    let kit = odd(b"kit\xff");
    std::os::unix::fs::symlink(toolkit().canonicalize().expect("a folder"), &kit).expect("a link");
    let mut command = Command::new(env!("CARGO_BIN_EXE_autoneural"));
    command.args(["target", "check", "sa8295p", "--operator", "Neg", "--toolkit"]).arg(&kit);
    let output = command.output().expect("the program starts");
    assert_eq!(output.status.code(), Some(TOOLKIT), "{}", stderr(&output));
    assert!(stderr(&output).contains("take only paths that are UTF-8"), "{}", stderr(&output));
}
