//! Which toolkit is loaded, and which is not: what others may write to, an older one, none.

use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::common::{stderr, stdout};

/// A copy of the program in a folder of its own, so that no toolkit of the project is near it.
pub struct Ground {
    folder: TempDir,
}

/// A library that is none: whoever takes it says that it does not load.
pub const LIBRARY: &str = "onnxruntime/capi/libonnxruntime.so.1";

impl Ground {
    pub fn new() -> Self {
        let ground = Ground { folder: tempfile::tempdir().expect("a folder") };
        ground.program(PROGRAM);
        ground
    }

    pub fn path(&self, relative: &str) -> PathBuf {
        self.folder.path().canonicalize().expect("a folder").join(relative)
    }

    /// Creates a folder that its owner alone may write to, with those above it.
    pub fn folder(&self, relative: &str) {
        let path = self.path(relative);
        std::fs::create_dir_all(&path).expect("a folder");
        for place in path.ancestors().take_while(|place| *place != self.folder.path().canonicalize().unwrap()) {
            set(place, 0o755);
        }
    }

    /// A toolkit that does not load.
    pub fn toolkit(&self, relative: &str) {
        self.folder(&format!("{relative}/onnxruntime/capi"));
        std::fs::write(self.path(relative).join(LIBRARY), "no library").expect("a file");
        set(&self.path(relative).join(LIBRARY), 0o644);
    }

    fn run(&self, program: &str, here: &str, args: &[&str], variable: Option<&Path>) -> Output {
        let mut command = self.command(program, here);
        command.args(args).envs(variable.map(|value| ("AUTONEURAL_TOOLKIT", value)));
        command.output().expect("the program starts")
    }

    /// The program in a folder, for a user whose environment names no toolkit; the home is `home`.
    pub fn command(&self, program: &str, here: &str) -> Command {
        let mut command = Command::new(self.path(program));
        command.current_dir(self.path(here)).env("HOME", self.path("home"));
        for name in ["AUTONEURAL_TOOLKIT", "VIRTUAL_ENV", "CONDA_PREFIX"] {
            command.env_remove(name);
        }
        command
    }

    /// A copy of the program. Another process writes it: a program cannot be started while anybody may write to it, as
    /// a process may that another test starts meanwhile.
    pub fn program(&self, relative: &str) {
        let path = self.path(relative);
        self.folder(Path::new(relative).parent().and_then(Path::to_str).expect("a folder"));
        let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_autoneural")).arg(path).status().expect("cp starts");
        assert!(copied.success());
    }

    fn doctor(&self, program: &str, here: &str) -> String {
        let output = self.run(program, here, &["doctor"], None);
        assert!(output.status.success(), "{}", stderr(&output));
        stdout(&output)
    }

    /// The toolkit is loaded from.
    pub fn expect_taken(&self, case: &str, said: &str, toolkit: &str, how: &str) {
        let line = format!("ok      toolkit          {} ({how})", self.path(toolkit).display());
        assert!(said.contains(&line), "{case}: {said}");
        assert!(said.contains("does not load"), "{case}: {said}");
    }

    /// The toolkit is not touched, and it is said why and what to do.
    pub fn expect_refused(&self, case: &str, said: &str, toolkit: &str, why: &str) {
        assert!(said.contains("MISSING toolkit          not found"), "{case}: {said}");
        let path = self.path(toolkit);
        let words = [format!("{} is not taken: ", path.display()), format!("--toolkit {}", path.display()), why.into()];
        words.iter().for_each(|word| assert!(said.contains(word), "{case}: no `{word}` in {said}"));
        assert!(!said.contains("does not load"), "{case}: {said}");
    }
}

pub fn set(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("a mode");
}

pub const PROGRAM: &str = "program/autoneural";

#[test]
fn a_toolkit_above_this_folder_is_the_users_own() {
    let ground = Ground::new();
    ground.toolkit("work/.vendor/toolkit");
    ground.folder("work/deep/down");
    let doctor = || ground.doctor(PROGRAM, "work/deep/down");
    let toolkit = "work/.vendor/toolkit";
    ground.expect_taken("the user's", &doctor(), toolkit, "found above this folder");
    for (place, mode, why) in [
        ("work", 0o777, "everybody may write"),
        ("work/.vendor", 0o757, "everybody may write"),
        (toolkit, 0o1777, "everybody may write"),
        ("work/.vendor/toolkit/onnxruntime", 0o777, "everybody may write"),
        ("work/.vendor/toolkit/onnxruntime/capi", 0o777, "everybody may write"),
        ("work/.vendor/toolkit/onnxruntime/capi/libonnxruntime.so.1", 0o666, "everybody may write"),
        ("work", 0o775, "the group"),
    ] {
        let path = ground.path(place);
        let before = path.metadata().expect("it is there").permissions();
        set(&path, mode);
        ground.expect_refused(place, &doctor(), toolkit, why);
        std::fs::set_permissions(&path, before).expect("a mode");
    }
    ground.expect_taken("all mended", &doctor(), toolkit, "found above this folder");
    // A sticky folder above, as /tmp is: nobody else can take the name of what is the user's.
    set(&ground.path("work"), 0o1777);
    ground.expect_taken("sticky", &doctor(), toolkit, "found above this folder");
    // As root, somebody else can be had, too.
    if rustix::process::geteuid().is_root() {
        chown(ground.path("work/.vendor"), Some(65534), None).expect("root may");
        ground.expect_refused("somebody else's", &doctor(), toolkit, "belongs to another user (65534)");
    }
}

#[test]
fn links_lead_to_what_is_looked_at() {
    let ground = Ground::new();
    ground.toolkit("elsewhere/toolkit");
    ground.folder("work/.vendor");
    symlink(ground.path("elsewhere/toolkit"), ground.path("work/.vendor/toolkit")).expect("a link");
    let doctor = || ground.doctor(PROGRAM, "work");
    ground.expect_taken("a link", &doctor(), "elsewhere/toolkit", "found above this folder");
    set(&ground.path("elsewhere"), 0o777);
    ground.expect_refused("a link to a folder of everybody", &doctor(), "elsewhere/toolkit", "everybody may write");
    set(&ground.path("elsewhere"), 0o755);
    ground.folder("open");
    std::fs::rename(ground.path("elsewhere/toolkit").join(LIBRARY), ground.path("open/lib")).expect("moved");
    symlink(ground.path("open/lib"), ground.path("elsewhere/toolkit").join(LIBRARY)).expect("a link");
    ground.expect_taken("a library that is a link", &doctor(), "elsewhere/toolkit", "found above this folder");
    set(&ground.path("open"), 0o777);
    ground.expect_refused("to everybody's", &doctor(), "elsewhere/toolkit", "everybody may write");
}

#[test]
fn the_programs_own_environment_comes_first() {
    let ground = Ground::new();
    ground.toolkit("project/.vendor/toolkit");
    ground.program("project/target/release/autoneural");
    ground.toolkit("work/.vendor/toolkit");
    const OWN: &str = "the program's own environment";
    let checkout = "project/target/release/autoneural";
    ground.expect_taken("a checkout", &ground.doctor(checkout, "work"), "project/.vendor/toolkit", OWN);
    // Whose group may replace the program may as well replace its libraries.
    set(&ground.path("project"), 0o775);
    ground.expect_taken("a group's checkout", &ground.doctor(checkout, "program"), "project/.vendor/toolkit", OWN);
    set(&ground.path("project"), 0o777);
    let said = ground.doctor(checkout, "program");
    ground.expect_refused("a checkout of everybody", &said, "project/.vendor/toolkit", "everybody may write");
    // What is refused near the program does not hide what is good elsewhere, and is told.
    let said = ground.doctor(checkout, "work");
    ground.expect_taken("the other", &said, "work/.vendor/toolkit", "found above this folder");
    assert!(said.contains("project/.vendor/toolkit is not taken"), "{said}");
}

#[test]
fn a_named_folder_is_taken_and_one_that_depends_on_this_folder_is_looked_at() {
    let ground = Ground::new();
    ground.toolkit("work/kit");
    set(&ground.path("work"), 0o777);
    let kit = ground.path("work/kit");
    let named = ground.run(PROGRAM, "program", &["doctor", "--toolkit", kit.to_str().unwrap()], None);
    ground.expect_taken("--toolkit", &stdout(&named), "work/kit", "named by --toolkit");
    let doctor = |variable: &Path| stdout(&ground.run(PROGRAM, "work", &["doctor"], Some(variable)));
    ground.expect_taken("the variable", &doctor(&kit), "work/kit", "named by AUTONEURAL_TOOLKIT");
    ground.expect_refused("a relative one", &doctor(Path::new("kit")), "work/kit", "everybody may write");
    set(&ground.path("work"), 0o755);
    ground.expect_taken("a relative one", &doctor(Path::new("kit")), "work/kit", "named by AUTONEURAL_TOOLKIT");
    // A command that needs it says why it has none, and one that loads it which it is.
    set(&ground.path("work"), 0o777);
    std::fs::rename(&kit, ground.path("work/toolkit")).expect("moved");
    ground.folder("work/.vendor");
    std::fs::rename(ground.path("work/toolkit"), ground.path("work/.vendor/toolkit")).expect("moved");
    set(&ground.path("work"), 0o777);
    let output = ground.run(PROGRAM, "work", &["target", "check", "sa8295p"], None);
    assert_eq!(output.status.code(), Some(5));
    for word in ["is missing", "work/.vendor/toolkit is not taken: everybody may write to", "--toolkit"] {
        assert!(stderr(&output).contains(word), "{}", stderr(&output));
    }
}

/// A library that says that it is ONNX Runtime of a version, and gives no interface.
fn library(path: &Path, version: &str) {
    let source = path.with_extension("rs");
    let text = format!(
        "#[repr(C)] pub struct Base(extern \"C\" fn(u32) -> usize, extern \"C\" fn() -> *const u8);\n\
         extern \"C\" fn api(_: u32) -> usize {{ 0 }}\n\
         extern \"C\" fn version() -> *const u8 {{ c\"{version}\".as_ptr().cast() }}\n\
         static BASE: Base = Base(api, version);\n\
         #[unsafe(no_mangle)] pub extern \"C\" fn OrtGetApiBase() -> *const Base {{ &BASE }}\n"
    );
    std::fs::write(&source, text).expect("a file");
    let rustc = std::env::var_os("RUSTC").unwrap_or("rustc".into());
    let mut compile = Command::new(rustc);
    compile.args(["--edition", "2024", "--crate-type", "cdylib", "--crate-name", "fake", "-o"]).arg(path).arg(&source);
    let output = compile.output().expect("rustc starts");
    assert!(output.status.success(), "{}", stderr(&output));
    std::fs::remove_file(source).expect("the source");
}

#[test]
fn an_older_onnx_runtime_is_named_with_the_version_that_is_needed() {
    let ground = Ground::new();
    for (version, words) in [
        ("1.17.3", &["is ONNX Runtime 1.17.3", "at least 1.24 is needed", "1.31.1 is tested", "make toolkit"][..]),
        // It says that it is new and yet has no interface.
        ("1.31.1", &["does not load"]),
    ] {
        ground.toolkit("kit");
        library(&ground.path("kit").join(LIBRARY), version);
        let kit = ground.path("kit");
        let args = ["target", "check", "sa8295p", "--operator", "Neg", "--toolkit", kit.to_str().unwrap()];
        std::fs::create_dir_all(kit.join("onnxruntime_qnn")).expect("a folder");
        for name in ["libonnxruntime_providers_qnn.so", "libQnnHtp.so"] {
            std::fs::copy(kit.join(LIBRARY), kit.join("onnxruntime_qnn").join(name)).expect("a copy");
        }
        let output = ground.run(PROGRAM, "program", &args, None);
        let said = stderr(&output);
        let error = said.lines().skip_while(|line| !line.starts_with("error: ")).collect::<Vec<_>>().join("\n");
        assert_eq!(output.status.code(), Some(5), "{version}: {said}");
        words.iter().for_each(|word| assert!(error.contains(word), "{version}: no `{word}` in {said}"));
        assert!(!error.contains("glibc") && !error.contains("defect"), "{version}: {said}");
    }
}
