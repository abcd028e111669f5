//! The ready workflows, in a repository like a user's own: the jobs are taken as they stand in the files, from the
//! wheel to the gate.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::common::workflows::{Step, github_steps, job, read};
use crate::common::{stderr, stdout};
use crate::wheel::{pip, wheel};

/// The steps of a script of a job for GitLab CI: lines, and blocks of lines.
fn gitlab_steps(text: &str, title: &str, script: &str) -> Vec<Step> {
    let lines = job(text, title).into_iter().skip_while(|line| line.trim() != script).skip(1);
    let mut steps: Vec<Step> = Vec::new();
    for line in lines.map_while(|line| line.strip_prefix("    ")).filter(|line| !line.starts_with('#')) {
        match (line.strip_prefix("- "), steps.last_mut()) {
            (Some("|"), _) => steps.push(Step { name: format!("a block of {script}"), script: String::new() }),
            (Some(line), _) => steps.push(Step { name: line.to_string(), script: line.to_string() }),
            (None, Some(block)) => block.script += &format!("{}\n", line.strip_prefix("  ").expect("a block")),
            (None, None) => panic!("{line}"),
        }
    }
    steps
}

/// Settings of a workflow: `NAME: value` with two spaces before it.
fn settings(text: &str, title: &str) -> Vec<(String, String)> {
    let lines = text.lines().skip_while(|line| *line != title).skip(1).map_while(|line| line.strip_prefix("  "));
    let pairs = lines.filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(": "));
    pairs.map(|(name, value)| (name.into(), value.into())).collect()
}

fn names(steps: &[Step]) -> Vec<&str> {
    steps.iter().map(|step| step.name.as_str()).collect()
}

/// A machine that a job gets: an empty home, and the repository.
struct Runner<'a> {
    repository: &'a Path,
    home: TempDir,
    settings: Vec<(String, String)>,
    /// Folders of programs, the first first.
    path: Vec<PathBuf>,
}

impl<'a> Runner<'a> {
    fn new(repository: &'a Path, settings: &[(String, String)]) -> Self {
        let system = std::env::var_os("PATH").expect("a PATH");
        let path = std::env::split_paths(&system).collect();
        Runner { repository, home: TempDir::new().unwrap(), settings: settings.to_vec(), path }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Runs a step; what it adds to the path counts for the next.
    fn step(&mut self, script: &str) -> Output {
        let mut command = Command::new("bash");
        command.args(["-e", "-o", "pipefail", "-c", script]).current_dir(self.repository).env_clear();
        command.envs(self.settings.iter().map(|(name, value)| (name, value)));
        command.envs([("RUNNER_TEMP", self.home.path()), ("HOME", self.home.path())]);
        command.envs([("GITHUB_PATH", self.file("path")), ("GITHUB_STEP_SUMMARY", self.file("summary.md"))]);
        command.env("PATH", std::env::join_paths(&self.path).unwrap());
        pip(&mut command);
        let output = command.output().unwrap();
        let added = std::fs::read_to_string(self.file("path")).unwrap_or_default();
        let _ = std::fs::remove_file(self.file("path"));
        self.path.splice(0..0, added.lines().map(PathBuf::from));
        output
    }

    fn succeed(&mut self, step: &Step) {
        let output = self.step(&step.script);
        assert!(output.status.success(), "{}:\n{}\n{}", step.name, stdout(&output), stderr(&output));
    }

    /// A Python of its own, as the image of a job has one.
    fn with_python(mut self) -> Self {
        let folder = self.file("python");
        let made = Command::new("python3").args(["-m", "venv"]).arg(&folder).output().expect("python3 starts");
        assert!(made.status.success(), "{}{}", stdout(&made), stderr(&made));
        self.path.insert(0, folder.join("bin"));
        self
    }
}

/// A repository that has what the folder of the demonstration has, and the wheel.
fn repository(wheel_at: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    autoneural::demo::lay_out(folder.path()).unwrap();
    let path = folder.path().join(wheel_at);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::copy(wheel(), path).unwrap();
    folder
}

#[test]
fn the_jobs_of_both_workflows_compile_and_gate_a_repository() {
    let (github, gitlab) = (read("github.yml"), read("gitlab.yml"));
    let env = settings(&github, "env:");
    assert_eq!(env.len(), 9, "{env:?}");
    assert_eq!(settings(&gitlab, "variables:"), env, "both workflows have the same settings");
    let setting = |name: &str| env.iter().find(|(known, _)| known == name).unwrap().1.clone();
    assert_eq!(Path::new(&setting("WHEEL")).file_name(), wheel().file_name(), "the wheel that is made");
    let folder = repository(&setting("WHEEL"));

    let compile = github_steps(&github, "compile:");
    assert_eq!(names(&compile), ["Install", "Compile"]);
    let mut runner = Runner::new(folder.path(), &env);
    compile.iter().for_each(|step| runner.succeed(step));
    assert!(folder.path().join("bundle/report.json").is_file());
    // Another machine, which has the bundle and no toolkit.
    let gate = github_steps(&github, "gate:");
    assert_eq!(names(&gate), ["Install", "Gate", "Report"]);
    let mut runner = Runner::new(folder.path(), &env);
    gate.iter().for_each(|step| runner.succeed(step));
    let doctor = runner.step("autoneural doctor");
    assert!(stdout(&doctor).contains("MISSING toolkit"), "{}", stdout(&doctor));
    for made in ["quantization.html", "gate.xml", "gate.sarif"] {
        assert!(folder.path().join(made).is_file(), "{made}");
    }
    assert!(runner.file("summary.md").is_file());
    // A worse result ends the same step with the status of a regression.
    let committed = std::fs::read_to_string(folder.path().join("baseline.json")).unwrap();
    let mut facts: serde_json::Value = serde_json::from_str(&committed).unwrap();
    let sqnr = &mut facts["partitions"]["vision"]["outputs"]["features"]["sqnr_db"]["npu"];
    *sqnr = (sqnr.as_f64().unwrap() + 2.0).into();
    std::fs::write(folder.path().join("worse.json"), facts.to_string()).unwrap();
    runner.settings.iter_mut().find(|(name, _)| name == "BASELINE").unwrap().1 = "worse.json".into();
    let output = runner.step(&gate[1].script);
    assert_eq!(output.status.code(), Some(1), "{}\n{}", stdout(&output), stderr(&output));
    assert!(stdout(&output).contains("::error"), "{}", stdout(&output));
    assert!(stdout(&output).contains("vision: features"), "{}", stdout(&output));

    // In an image of Python the packages of the system come first, which are not to be had here.
    let compile = gitlab_steps(&gitlab, "compile:", "script:");
    assert_eq!(compile[0].script, "apt-get update && apt-get install --yes libatomic1");
    let mut runner = Runner::new(folder.path(), &env).with_python();
    compile[1..].iter().for_each(|step| runner.succeed(step));
    let (gate, after) = (gitlab_steps(&gitlab, "gate:", "script:"), gitlab_steps(&gitlab, "gate:", "after_script:"));
    assert_eq!((compile.len(), gate.len(), after.len()), (3, 2, 1));
    std::fs::remove_file(folder.path().join("quantization.html")).unwrap();
    let mut runner = Runner::new(folder.path(), &env).with_python();
    gate.iter().chain(&after).for_each(|step| runner.succeed(step));
    assert!(folder.path().join("gate.md").is_file() && folder.path().join("quantization.html").is_file());
}

/// A candidate that misses a goal is compiled, and it is the gate that fails; an exception in the file of thresholds
/// accepts it.
#[test]
fn a_candidate_that_misses_a_goal_reaches_the_gate_and_fails_there() {
    let (github, gitlab) = (read("github.yml"), read("gitlab.yml"));
    let env = settings(&github, "env:");
    let folder = repository(&env.iter().find(|(name, _)| name == "WHEEL").unwrap().1);
    let recipe = folder.path().join("calibration/recipe.toml");
    let text = std::fs::read_to_string(&recipe).unwrap();
    assert!(text.contains("\"vision/features\" = 40\n"), "{text}");
    std::fs::write(&recipe, text.replace("\"vision/features\" = 40\n", "\"vision/features\" = 150\n")).unwrap();
    let compile = github_steps(&github, "compile:");
    let mut runner = Runner::new(folder.path(), &env);
    compile.iter().for_each(|step| runner.succeed(step));
    // Other failures still fail: no block hides them.
    for script in [&compile[1].script, &gitlab_steps(&gitlab, "compile:", "script:")[2].script] {
        let missing = script.replace("\"$RECIPE\"", "missing.toml").replace("\"$OUT\"", "other");
        assert!(!runner.step(&missing).status.success(), "{missing}");
    }
    let gate = github_steps(&github, "gate:");
    let failed = runner.step(&gate[1].script);
    assert_eq!(failed.status.code(), Some(1), "{}\n{}", stdout(&failed), stderr(&failed));
    assert!(stdout(&failed).contains("title=goal-missed::vision: features: "), "{}", stdout(&failed));
    let xml = std::fs::read_to_string(folder.path().join("gate.xml")).unwrap();
    assert!(xml.contains("classname=\"gate.goal-missed\"") && xml.contains("<failure "), "{xml}");
    runner.succeed(&gate[2]);
    assert!(folder.path().join("quantization.html").is_file());
    // The same in the form of GitLab: the page is made after the script failed.
    let block = gitlab_steps(&gitlab, "gate:", "script:").remove(1);
    assert_eq!(runner.step(&block.script).status.code(), Some(1));
    runner.succeed(&gitlab_steps(&gitlab, "gate:", "after_script:")[0]);
    // With an exception in the repository it passes.
    let exception = "[[exception]]\nplace = \"vision: features\"\ncheck = \"goal-missed\"\nreason = \"on trial\"\n\
                     last_day = 9999-12-31\n";
    std::fs::write(folder.path().join("gate.toml"), exception).unwrap();
    gate[1..].iter().chain([&block]).for_each(|step| runner.succeed(step));
}
