//! The wheel: what is in it, and that it is all that a newcomer needs.
//!
//! `make test` builds it first and sets AUTONEURAL_WHEELS, the folder that it is in.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::common::{root, stderr, stdout};

/// Most bytes of the wheel.
const LARGEST: u64 = 40_000_000;

/// The C library that the toolkit asks for.
const GLIBC: (u32, u32) = (2, 35);

/// The wheel. Tests that need it fail without it.
pub fn wheel() -> PathBuf {
    let folder = std::env::var_os("AUTONEURAL_WHEELS").expect("AUTONEURAL_WHEELS is set by `make test`");
    let entries = std::fs::read_dir(&folder).expect("the folder of the wheel").map(|entry| entry.unwrap().path());
    let wheels: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|end| end == "whl")).collect();
    assert_eq!(wheels.len(), 1, "{wheels:?}");
    wheels[0].clone()
}

/// Settings with which pip finds packages as it does for this user, whose home the command does not have.
pub fn pip(command: &mut Command) {
    let user = std::env::vars_os().filter(|(name, _)| {
        let name = name.to_string_lossy();
        name.starts_with("PIP_") || name.to_lowercase().ends_with("_proxy") || name.starts_with("SSL_CERT_")
    });
    command.envs(user).env("PIP_DISABLE_PIP_VERSION_CHECK", "1").env("PIP_NO_INPUT", "1").env("PIP_USER", "0");
    if let Some(home) = std::env::var_os("HOME") {
        let file = Path::new(&home).join(".config/pip/pip.conf");
        if file.is_file() && std::env::var_os("PIP_CONFIG_FILE").is_none() {
            command.env("PIP_CONFIG_FILE", file);
        }
    }
    if let Some(cache) = std::env::var_os("AUTONEURAL_WHEEL_CACHE") {
        command.env("PIP_CACHE_DIR", cache);
    }
}

/// Python, with what it prints.
fn python(script: &str, args: &[&Path]) -> String {
    let output = Command::new("python3").args(["-c", script]).args(args).output().expect("python3 starts");
    assert!(output.status.success(), "{}", stderr(&output));
    stdout(&output)
}

/// Text of a file of the wheel.
fn text_of(name: &str) -> String {
    let script = "import sys, zipfile; print(zipfile.ZipFile(sys.argv[1]).read(sys.argv[2]).decode())";
    python(script, &[&wheel(), Path::new(name)])
}

fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

#[test]
fn the_wheel_holds_the_program_and_what_belongs_to_it() {
    let wheel = wheel();
    let name = wheel.file_name().unwrap().to_str().unwrap();
    assert_eq!(name, format!("autoneural-{}-py3-none-manylinux_2_35_x86_64.whl", version()));
    let bytes = wheel.metadata().unwrap().len();
    assert!(bytes <= LARGEST, "{bytes} bytes");
    let listed =
        python("import sys, zipfile\nfor name in zipfile.ZipFile(sys.argv[1]).namelist(): print(name)", &[&wheel]);
    let (data, info) = (format!("autoneural-{}.data/", version()), format!("autoneural-{}.dist-info/", version()));
    let names: Vec<&str> = listed.lines().filter(|name| !name.ends_with('/')).collect();
    // The program, man pages and completions; no library and nothing of the toolkit.
    for name in &names {
        let ours = [format!("{data}scripts/autoneural"), format!("{data}data/share/"), info.clone()];
        assert!(ours.iter().any(|start| name.starts_with(start.as_str())), "{name} in the wheel");
        assert!(!name.contains("onnxruntime") && !name.contains(".so"), "{name} in the wheel");
    }
    for wanted in [
        format!("{data}scripts/autoneural"),
        format!("{data}data/share/man/man1/autoneural.1"),
        format!("{data}data/share/man/man1/autoneural-compile.1"),
        format!("{data}data/share/bash-completion/completions/autoneural"),
        format!("{data}data/share/zsh/site-functions/_autoneural"),
        format!("{data}data/share/fish/vendor_completions.d/autoneural.fish"),
        format!("{info}licenses/LICENSE-APACHE"),
        format!("{info}licenses/LICENSE-MIT"),
    ] {
        assert!(names.contains(&wanted.as_str()), "no {wanted} in {names:?}");
    }
    let metadata = text_of(&format!("{info}METADATA"));
    let readme = std::fs::read_to_string(root("README.md")).unwrap();
    assert!(metadata.trim_end().ends_with(readme.trim_end()), "the description is README.md");
    for line in ["License-Expression: MIT OR Apache-2.0", "Requires-Python: >=3.11, <3.15"] {
        assert!(metadata.lines().any(|known| known == line), "no `{line}` in {metadata}");
    }
}

/// The wheel's program is the one that is tested, bit by bit: nothing was compiled twice. It has no symbols and needs
/// no newer C library than the toolkit.
#[test]
fn the_program_in_the_wheel_is_the_one_that_is_tested() {
    let folder = TempDir::new().unwrap();
    let script = "import sys, zipfile\n\
                  open(sys.argv[2], 'wb').write(zipfile.ZipFile(sys.argv[1]).read(sys.argv[3]))";
    let program = folder.path().join("autoneural");
    let name = format!("autoneural-{}.data/scripts/autoneural", version());
    python(script, &[&wheel(), &program, Path::new(&name)]);
    let bytes = std::fs::read(&program).unwrap();
    assert!(bytes == std::fs::read(env!("CARGO_BIN_EXE_autoneural")).unwrap(), "another program than the tests have");
    let newest = versions_of_glibc(&bytes).max().expect("it is linked to the C library");
    assert!(newest <= GLIBC, "it needs glibc {newest:?}");
    assert!(!bytes.windows(8).any(|name| name == b".symtab\0"), "it has symbols");
}

/// Versions of the C library that a program names.
fn versions_of_glibc(bytes: &[u8]) -> impl Iterator<Item = (u32, u32)> {
    const START: &[u8] = b"\0GLIBC_";
    let found = bytes.windows(START.len()).enumerate().filter(|(_, window)| *window == START);
    found.filter_map(|(at, _)| {
        let text = bytes[at + START.len()..].split(|byte| *byte == 0).next()?;
        let mut numbers = std::str::from_utf8(text).ok()?.split('.').map(str::parse);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    })
}

/// A user with an empty home and an empty folder to be in.
struct Newcomer {
    folder: TempDir,
}

impl Newcomer {
    fn new() -> Self {
        let newcomer = Newcomer { folder: TempDir::new().unwrap() };
        ["home", "here"].iter().for_each(|name| std::fs::create_dir(newcomer.path(name)).unwrap());
        newcomer
    }

    fn path(&self, relative: &str) -> PathBuf {
        self.folder.path().join(relative)
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.path("here")).env_clear().env("HOME", self.path("home")).env("PATH", "/usr/bin:/bin");
        command
    }

    /// A virtual environment with the wheel in it.
    fn install(&self, name: &str, options: &[&str]) {
        let made = Command::new("python3").args(["-m", "venv", "--without-pip"]).arg(self.path(name)).output();
        let made = made.expect("python3 starts");
        assert!(made.status.success(), "{}", stderr(&made));
        let mut command = Command::new("python3");
        command.args(["-m", "pip", "--python"]).arg(self.path(name)).arg("install").args(options).arg(wheel());
        pip(&mut command);
        let output = command.output().expect("python3 starts");
        assert!(output.status.success(), "{}{}", stdout(&output), stderr(&output));
    }

    /// The program of an environment, by its name.
    fn run(&self, environment: &str, args: &[&str]) -> Output {
        let mut command = self.command(&self.path(environment).join("bin/autoneural"));
        command.args(args).output().expect("the program starts")
    }
}

#[test]
fn installed_into_an_empty_environment_it_gives_the_demonstration() {
    let newcomer = Newcomer::new();
    newcomer.install("env", &[]);
    let said = newcomer.run("env", &["--version"]);
    assert_eq!(stdout(&said), format!("autoneural {}\n", version()));
    assert!(newcomer.path("env/share/man/man1/autoneural.1").is_file());
    let output = newcomer.run("env", &["demo"]);
    let said = stdout(&output);
    assert!(output.status.success(), "{said}{}", stderr(&output));
    for engine in ["float", "simulated", "npu"] {
        assert!(said.contains(&format!("{engine}:\nDoor.\n")), "{said}");
    }
    let report: Value =
        serde_json::from_slice(&std::fs::read(newcomer.path("here/autoneural-demo/bundle/report.json")).unwrap())
            .unwrap();
    assert_eq!(report["left_out"], serde_json::json!([]));
    let doctor = stdout(&newcomer.run("env", &["doctor"]));
    assert!(doctor.contains("(the program's own environment)") && !doctor.contains("MISSING"), "{doctor}");
    assert_eq!(std::fs::read_dir(newcomer.path("home")).unwrap().count(), 0, "nothing in the home");

    // A gate has no need of the toolkit.
    newcomer.install("alone", &["--no-deps"]);
    let gate =
        newcomer.run("alone", &["gate", "autoneural-demo/bundle", "--baseline", "autoneural-demo/baseline.json"]);
    assert!(gate.status.success(), "{}{}", stdout(&gate), stderr(&gate));
    let refused = newcomer.run("alone", &["run", "autoneural-demo/bundle", "--prompt", "a"]);
    assert_eq!(refused.status.code(), Some(5), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("`pip install onnxruntime=="), "{}", stderr(&refused));
}
