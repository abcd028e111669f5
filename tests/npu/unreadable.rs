//! Paths of the user that lead to nothing that can be read: wrong input, whatever argument names them, and not the
//! operating system's trouble.

use std::collections::BTreeSet;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::common::bench::names;
use crate::common::{SMALL_RECIPE, demo_bundle, root, stderr, succeed};

/// Command lines that work. An argument `file:NAME` stands for the path of a file, `folder:NAME` for that of a folder,
/// `any:NAME` for either.
const LINES: [&str; 32] = [
    "compile file:graph.toml --weights any:weights --target file:target.toml --calibration file:recipe.toml \
     --encodings file:encodings.json --out out --toolkit folder:empty",
    "export file:graph.toml --weights any:weights --target file:target.toml --out out",
    "calibrate folder:bundle --calibration file:recipe.toml",
    "quantize folder:bundle --calibration file:recipe.toml --encodings file:encodings.json",
    "emit folder:bundle",
    "build folder:bundle",
    "verify folder:bundle --calibration file:recipe.toml --verify none",
    "run folder:bundle --prompt Who? --on float --image file:a.png",
    "golden folder:bundle --vectors file:reference.safetensors",
    "eval folder:bundle --set any:set --on float",
    "parity folder:bundle --reference file:reference.safetensors",
    "synth file:graph.toml --out out",
    "doctor --toolkit folder:empty",
    "target check file:target.toml",
    "inspect any:weights --definition file:graph.toml",
    "inspect any:bundle",
    "inspect any:bundle/model/vision.onnx",
    "inspect any:bundle --graph vision",
    "graph folder:bundle --out out",
    "report folder:bundle --out out --against folder:bundle",
    "report folder:bundle --out out --baseline file:baseline.json --thresholds file:thresholds.toml",
    "gate folder:bundle --baseline file:baseline.json --thresholds file:thresholds.toml",
    "gate folder:bundle --baseline out --update",
    "init file:graph.toml --out out",
    "diff any:bundle --calibration file:recipe.toml --target file:target.toml --on simulated",
    "diff any:bundle --input file:reference.safetensors --partition vision --on simulated",
    "eval folder:bundle --text file:prose.txt --window 64 --on float",
    "eval folder:bundle --set any:set --on float --join folder:empty",
    "merge folder:bundle folder:empty --calibration file:recipe.toml",
    "emit folder:bundle --join folder:empty",
    "tune file:graph.toml --weights any:weights --target file:target.toml --calibration file:recipe.toml --out out \
     --budget-mb 1 --text file:prose.txt",
    // Weights are read behind the parts.
    "tune file:graph.toml --weights out --target file:target.toml --calibration file:recipe.toml --out out --budget-mb 1 \
     --join folder:empty",
];

/// Options that name what is written, one that every command has, and two that models with words do not take.
const OTHERS: [&str; 9] =
    ["--recipe", "--classes", "--out", "--part", "--junit", "--sarif", "--markdown", "--dump-logits", "--toolkit"];

struct Ground(TempDir);

impl Ground {
    fn new() -> Self {
        let ground = Ground(TempDir::new().expect("a folder"));
        let path = |name: &str| ground.path(name);
        crate::common::copy(demo_bundle(), &path("bundle"));
        crate::common::copy(&root(crate::common::WEIGHTS), &path("weights"));
        ["empty", "set", "folder.toml"].iter().for_each(|name| std::fs::create_dir(path(name)).expect("a folder"));
        for (from, to) in [
            (crate::common::GRAPH, "graph.toml"),
            ("targets/sa8295p.toml", "target.toml"),
            ("calibration/demo-eval/images/cluster-01.png", "photo.png"),
            ("calibration/demo-eval/images/cluster-01.png", "a.png"),
        ] {
            std::fs::copy(root(from), path(to)).expect("a copy");
        }
        std::fs::copy(path("bundle/encodings/projector.json"), path("encodings.json")).expect("a copy");
        std::fs::copy(path("weights/model.safetensors"), path("reference.safetensors")).expect("a copy");
        let line = "{\"use\": \"a\", \"images\": [], \"question\": \"Who?\", \"answer\": \"I.\"}\n";
        std::fs::write(path("set/questions.jsonl"), line).expect("a file");
        std::fs::write(path("recipe.toml"), SMALL_RECIPE).expect("a file");
        std::fs::write(path("plain"), "text").expect("a file");
        std::fs::write(path("prose.txt"), "Nobody knows.").expect("a file");
        std::fs::write(path("thresholds.toml"), succeed(&["gate", "--print-thresholds"])).expect("a file");
        let update = ["gate", &ground.text("bundle"), "--baseline", &ground.text("baseline.json"), "--update"];
        succeed(&update);
        symlink("circle.toml", path("circle.toml")).expect("a link");
        std::fs::write(path("secret.toml"), "schema = 1").expect("a file");
        std::fs::set_permissions(path("secret.toml"), PermissionsExt::from_mode(0o000)).expect("rights");
        ground
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().expect("UTF-8").to_string()
    }

    /// What leads to nothing, with a part of what the system says of it.
    fn wrong(&self, kind: &str) -> Vec<(String, &'static str)> {
        let long = format!("{}.toml", "n".repeat(300));
        let mut made = vec![
            (self.text("nowhere.toml"), "No such file|there is no baseline"),
            (self.text("no/such/way.toml"), "No such file|there is no baseline"),
            (self.text("plain/below.toml"), "a part of the path is a file"),
            (self.text(&long), "the name is too long"),
            (self.text("circle.toml"), "in a circle"),
        ];
        match kind {
            "file" => made.push((self.text("folder.toml"), "older|irectory")),
            "folder" => made.push((self.text("plain"), "is a file|manifest.json")),
            _ => {}
        }
        // Root may read everything.
        if kind == "file" && std::fs::File::open(self.path("secret.toml")).is_err() {
            made.push((self.text("secret.toml"), "Permission denied"));
        }
        made
    }
}

/// Words of a line, with the paths that they stand for; `wrong` in place of one of them.
fn words(ground: &Ground, line: &str, wrong: Option<(usize, &str)>) -> Vec<String> {
    let mut made = Vec::new();
    for (at, word) in line.split_whitespace().enumerate() {
        made.push(match (wrong, word.split_once(':')) {
            (Some((place, path)), _) if place == at => path.to_string(),
            (_, Some((_, name))) => ground.text(name),
            (_, None) if word == "out" => ground.text("out"),
            _ => word.to_string(),
        });
    }
    made
}

#[test]
fn whatever_argument_names_it_what_cannot_be_read_is_wrong_input() {
    let ground = Ground::new();
    let before = names(ground.0.path());
    for line in LINES {
        for (at, word) in line.split_whitespace().enumerate() {
            let Some((kind, _)) = word.split_once(':') else { continue };
            for (path, said) in ground.wrong(kind) {
                let args = words(&ground, line, Some((at, &path)));
                let mut command = Command::new(env!("CARGO_BIN_EXE_autoneural"));
                let output = command.args(&args).arg("-q").output().expect("the program starts");
                let text = stderr(&output);
                let case = format!("{args:?}: {text}");
                // `gate` says that it could not judge.
                let status = if args[0] == "gate" { 2 } else { 3 };
                assert_eq!(output.status.code(), Some(status), "{case}");
                assert!(text.contains(&path) && said.split('|').any(|said| text.contains(said)), "{case}");
                let named = match args[at - 1].strip_prefix("--") {
                    Some(option) => format!("(given as --{option})"),
                    None => "(given as ".to_string(),
                };
                assert!(text.contains(&named), "{named} {case}");
                assert_eq!(names(ground.0.path()), before, "{case}");
            }
        }
    }
}

/// The lines above have every argument that is read from a path.
#[test]
fn every_argument_that_is_a_path_is_tried() {
    let tried: BTreeSet<(String, String)> = LINES
        .iter()
        .flat_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let command = if words[0] == "target" { "target check" } else { words[0] };
            let is_path = |at: &usize| words[*at].contains(':');
            let name = |at: usize| if words[at - 1].starts_with("--") { words[at - 1] } else { "" };
            let made: Vec<_> =
                (1..words.len()).filter(is_path).map(|at| (command.to_string(), name(at).to_string())).collect();
            made
        })
        .collect();
    let all = succeed(&["--help"]);
    let commands = all.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    let mut found = 0;
    for command in commands.filter(|name| !name.is_empty() && !name.starts_with('-') && *name != "autoneural") {
        let command = if command == "target" { "target check" } else { command };
        let args: Vec<&str> = command.split(' ').chain(["-h"]).collect();
        let output = Command::new(env!("CARGO_BIN_EXE_autoneural")).args(&args).output().expect("the program starts");
        // Words of the list of exit statuses are no commands.
        if !output.status.success() {
            continue;
        }
        for (option, value) in arguments(&String::from_utf8_lossy(&output.stdout)) {
            let is_path =
                ["DIR", "FILE", "BUNDLE", "GRAPH", "RECIPE", "PATH", "TARGET"].iter().any(|of| value.starts_with(of));
            if is_path && !OTHERS.contains(&option.as_str()) {
                assert!(tried.contains(&(command.to_string(), option.clone())), "{command} {option} <{value}>");
                found += 1;
            }
        }
    }
    assert!(found >= 30, "{found}");
}

/// Options and positional arguments (without a name) of a help text, with the names of their values.
fn arguments(help: &str) -> Vec<(String, String)> {
    let mut made = Vec::new();
    for line in help.lines().map(str::trim_start) {
        let (option, rest) = match line.split_once(' ') {
            Some((word, rest)) if word.starts_with("--") => (word, rest),
            _ => ("", line),
        };
        let value = rest.strip_prefix(['<', '[']).and_then(|rest| rest.split(['>', ']']).next());
        if let Some(value) = value {
            made.push((option.to_string(), value.to_string()));
        }
    }
    made
}

/// What a file of the user names in turn is as much the user's.
#[test]
fn what_a_recipe_or_a_set_names_is_wrong_input_too() {
    let ground = Ground::new();
    let long = format!("{}.png", "n".repeat(300));
    for image in ["nowhere.png", "plain/below.png", long.as_str(), "circle.toml", "folder.toml"] {
        std::fs::write(ground.path("recipe.toml"), SMALL_RECIPE.replacen("photo.png", image, 1)).expect("the recipe");
        let output = run(&words(&ground, LINES[0], None));
        assert_eq!(output.status.code(), Some(3), "{image}: {}", stderr(&output));
        assert!(stderr(&output).contains("calibration[0]") && stderr(&output).contains(image), "{}", stderr(&output));
        let line =
            format!("{{\"use\": \"a\", \"images\": [\"{image}\"], \"question\": \"Who?\", \"answer\": \"I.\"}}\n");
        std::fs::write(ground.path("set/questions.jsonl"), line).expect("the set");
        let output = run(&words(&ground, LINES[8], None));
        assert_eq!(output.status.code(), Some(3), "{image}: {}", stderr(&output));
    }
    assert!(!Path::new(&ground.text("out")).exists());
}

fn run(args: &[String]) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_autoneural")).args(args).arg("-q").output().expect("the program starts")
}
