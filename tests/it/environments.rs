//! The toolkit among the packages of Python environments: the one that the program is installed in, and the active one.

use std::os::unix::fs::symlink;

use crate::common::{stderr, stdout};
use crate::trust::{Ground, LIBRARY, PROGRAM, set};

const OWN: &str = "the program's own environment";
const ACTIVE: &str = "the active virtual environment";
const BESIDES: &str = "Python packages of the user or the system";

impl Ground {
    /// What `doctor` says where these variables are set.
    fn doctor_with(&self, program: &str, variables: &[(&str, &str)]) -> String {
        let mut command = self.command(program, "work");
        let output = command.arg("doctor").envs(variables.iter().copied()).output().expect("the program starts");
        assert!(output.status.success(), "{}", stderr(&output));
        stdout(&output)
    }

    /// A virtual environment, with lines of its own.
    fn environment(&self, relative: &str, lines: &str) {
        self.folder(&format!("{relative}/bin"));
        let path = self.path(relative).join("pyvenv.cfg");
        std::fs::write(path, format!("home = {}\nversion = 3.12.1\n{lines}", self.path("base/bin").display())).unwrap();
    }

    /// What pip leaves beside the packages where it installed the program.
    fn note(&self, site: &str) {
        self.folder(&format!("{site}/autoneural-{}.dist-info", env!("CARGO_PKG_VERSION")));
    }
}

fn ground() -> Ground {
    let ground = Ground::new();
    ["work", "home"].iter().for_each(|folder| ground.folder(folder));
    ground
}

/// A plain Python, as the system, pyenv, a container or conda have it; Debian's; the user's own packages; a Python of
/// Fedora; the folder of `pip install --target`.
#[test]
fn packages_beside_the_programs_folder_are_its_environment() {
    for (prefix, site) in [
        ("usr/local", "lib/python3.12/site-packages"),
        ("usr/local", "lib/python3.11/dist-packages"),
        ("usr", "lib/python3/dist-packages"),
        ("home/.local", "lib/python3.13/site-packages"),
        ("usr/local", "lib64/python3.14/site-packages"),
        ("target", "."),
    ] {
        let ground = ground();
        ground.program(&format!("{prefix}/bin/autoneural"));
        ground.toolkit(&format!("{prefix}/{site}"));
        let wanted = ground.path(&format!("{prefix}/{site}")).canonicalize().unwrap();
        let wanted = wanted.to_str().unwrap();
        ground.expect_taken(site, &ground.doctor_with(&format!("{prefix}/bin/autoneural"), &[]), wanted, OWN);
    }
}

/// pipx and uv keep an environment for each program, and link the program into the user's folder.
#[test]
fn a_linked_program_belongs_to_the_environment_that_it_lies_in() {
    let ground = ground();
    let environment = "home/.local/share/pipx/venvs/autoneural";
    ground.environment(environment, "");
    ground.program(&format!("{environment}/bin/autoneural"));
    ground.toolkit(&format!("{environment}/lib/python3.12/site-packages"));
    ground.folder("home/.local/bin");
    symlink(ground.path(environment).join("bin/autoneural"), ground.path("home/.local/bin/autoneural")).unwrap();
    let said = ground.doctor_with("home/.local/bin/autoneural", &[]);
    ground.expect_taken("pipx", &said, &format!("{environment}/lib/python3.12/site-packages"), OWN);
}

/// Of several Pythons in one folder it is the one that pip installed the program for.
#[test]
fn the_python_that_the_program_was_installed_for_comes_first() {
    let ground = ground();
    ground.program("usr/bin/autoneural");
    for version in ["3.9", "3.11", "3.12"] {
        ground.toolkit(&format!("usr/lib/python{version}/site-packages"));
    }
    let doctor = || ground.doctor_with("usr/bin/autoneural", &[]);
    ground.expect_taken("the newest", &doctor(), "usr/lib/python3.12/site-packages", OWN);
    ground.note("usr/lib/python3.11/site-packages");
    ground.expect_taken("the noted", &doctor(), "usr/lib/python3.11/site-packages", OWN);
}

/// A program that pip installed for the user works with packages that were there for all, as its Python does; a virtual
/// environment is shut off unless it says otherwise.
#[test]
fn packages_of_the_user_are_seen_where_python_sees_them() {
    let ground = ground();
    ground.toolkit("home/.local/lib/python3.12/site-packages");
    let user = "home/.local/lib/python3.12/site-packages";
    ground.program("opt/bin/autoneural");
    let doctor = || ground.doctor_with("opt/bin/autoneural", &[]);
    assert!(doctor().contains("MISSING toolkit"), "a program that was copied there: {}", doctor());
    ground.note("opt/lib/python3.12/site-packages");
    ground.expect_taken("installed by pip", &doctor(), user, BESIDES);
    ground.environment("opt", "include-system-site-packages = false\n");
    assert!(doctor().contains("MISSING toolkit"), "shut off: {}", doctor());
    ground.environment("opt", "include-system-site-packages = true\n");
    ground.expect_taken("open", &doctor(), user, BESIDES);
    // The Python that it was made of comes before the user.
    ground.toolkit("base/lib/python3.12/site-packages");
    ground.expect_taken("its base", &doctor(), "base/lib/python3.12/site-packages", BESIDES);
}

#[test]
fn the_active_environment_is_looked_at_as_any_other_folder() {
    let ground = ground();
    let site = "env/lib/python3.12/site-packages";
    ground.toolkit(site);
    let env = ground.path("env");
    let env = env.to_str().unwrap();
    let doctor = || ground.doctor_with(PROGRAM, &[("VIRTUAL_ENV", env)]);
    assert!(doctor().contains("MISSING toolkit"), "no virtual environment: {}", doctor());
    ground.environment("env", "");
    ground.expect_taken("active", &doctor(), site, ACTIVE);
    assert!(ground.doctor_with(PROGRAM, &[]).contains("MISSING toolkit"), "not active");
    assert!(ground.doctor_with(PROGRAM, &[("VIRTUAL_ENV", "../env")]).contains("MISSING toolkit"), "a relative one");
    for (place, mode) in [("env", 0o777), ("env/lib/python3.12", 0o777), (site, 0o1777), ("env/lib", 0o775)] {
        set(&ground.path(place), mode);
        let why = if mode == 0o775 { "the group" } else { "everybody may write" };
        ground.expect_refused(place, &doctor(), site, why);
        set(&ground.path(place), 0o755);
    }
    let library = ground.path(site).join(LIBRARY);
    set(&library, 0o666);
    ground.expect_refused("a library", &doctor(), site, "everybody may write");
    set(&library, 0o644);
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(ground.path("env"), Some(65534), None).expect("root may");
        ground.expect_refused("somebody else's", &doctor(), site, "belongs to another user (65534)");
        std::os::unix::fs::chown(ground.path("env"), Some(0), None).expect("root may");
    }
    ground.expect_taken("mended", &doctor(), site, ACTIVE);
    // The environment that the program is installed in is the nearer one.
    ground.environment("own", "");
    ground.program("own/bin/autoneural");
    ground.toolkit("own/lib/python3.12/site-packages");
    let said = ground.doctor_with("own/bin/autoneural", &[("VIRTUAL_ENV", env)]);
    ground.expect_taken("its own", &said, "own/lib/python3.12/site-packages", OWN);
    // conda has no file of a virtual environment.
    ground.folder("conda/conda-meta");
    ground.toolkit("conda/lib/python3.12/site-packages");
    let conda = ground.path("conda");
    let said = ground.doctor_with(PROGRAM, &[("CONDA_PREFIX", conda.to_str().unwrap())]);
    ground.expect_taken("conda", &said, "conda/lib/python3.12/site-packages", ACTIVE);
}

/// An environment that has ONNX Runtime alone, for something else, does not hide the toolkit.
#[test]
fn a_whole_toolkit_comes_before_a_part() {
    let ground = ground();
    ground.environment("env", "");
    ground.toolkit("env/lib/python3.12/site-packages");
    let env = ground.path("env");
    let doctor = || ground.doctor_with(PROGRAM, &[("VIRTUAL_ENV", env.to_str().unwrap())]);
    ground.toolkit("work/.vendor/toolkit");
    ground.expect_taken("two parts", &doctor(), "env/lib/python3.12/site-packages", ACTIVE);
    ground.folder("work/.vendor/toolkit/onnxruntime_qnn");
    for name in ["libonnxruntime_providers_qnn.so", "libQnnHtp.so"] {
        let path = ground.path("work/.vendor/toolkit/onnxruntime_qnn").join(name);
        std::fs::write(&path, "no library").unwrap();
        set(&path, 0o644);
    }
    ground.expect_taken("a whole one", &doctor(), "work/.vendor/toolkit", "found above this folder");
}

/// Whoever has the wheel has no Makefile, and the other way round.
#[test]
fn how_to_get_the_toolkit_depends_on_how_the_program_came() {
    let ground = ground();
    let errors = |program: &str| {
        let output = ground.command(program, "work").args(["target", "check", "sa8295p"]).output().unwrap();
        assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
        stderr(&output)
    };
    let said = errors(PROGRAM);
    assert!(said.contains("`make toolkit`") && !said.contains("pip install"), "{said}");
    ground.environment("env", "");
    ground.program("env/bin/autoneural");
    ground.note("env/lib/python3.12/site-packages");
    let said = errors("env/bin/autoneural");
    let words = ["`pip install onnxruntime==1.31.1 onnxruntime-qnn==2.7.0`", ground.path("env").to_str().unwrap()]
        .map(String::from);
    words.iter().for_each(|word| assert!(said.contains(word.as_str()), "no {word} in {said}"));
    assert!(!said.contains("make toolkit"), "{said}");
}
