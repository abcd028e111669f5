//! Nothing leaves the machine: no host is looked up or reached, and nothing is written but the output and temporary
//! files, by the program, by the vendor's libraries in it and by the processes that it starts.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use autoneural::back::qnn::{Runtime, Toolkit};

use crate::common::bench::names;
use crate::common::tracer::{Action, Event, Outcome, run};
use crate::common::{GRAPH, RECIPE, WEIGHTS, demo_bundle, root, toolkit};

/// Files by which a process learns where a host is.
const RESOLVER: [&str; 6] =
    ["/etc/resolv.conf", "/etc/hosts", "/etc/host.conf", "/etc/gai.conf", "/etc/nsswitch.conf", "/var/run/nscd/socket"];

/// Files that are written to and are none: outputs, and the names of threads.
const NO_FILES: [&str; 3] = ["/dev/null", "/dev/tty", "/proc/"];

/// A user's home that stays empty, a folder to run in, a folder for temporary files, and a folder for outputs.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Place { folder: tempfile::tempdir().expect("a folder") };
        for folder in ["home", "here", "tmp", "out"] {
            std::fs::create_dir(place.path(folder)).expect("a folder");
        }
        place
    }

    fn path(&self, relative: &str) -> PathBuf {
        self.folder.path().canonicalize().expect("a folder").join(relative)
    }

    /// A command of a user whose environment wants everything that the libraries can do.
    fn command(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(args).current_dir(self.path("here"));
        command.env("HOME", self.path("home")).env("TMPDIR", self.path("tmp"));
        // Without it bash asks the system for the user's shell, and reads how names are looked up.
        command.env("SHELL", "/bin/sh");
        for name in ["XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR"] {
            command.env(name, self.path("home").join(name));
        }
        command.env_remove("LD_LIBRARY_PATH").env("ORT_DISABLE_TELEMETRY", "0").env("ORT_LOAD_CONFIG_FROM_MODEL", "1");
        command.env("AUTONEURAL_TOOLKIT", toolkit());
        command
    }

    /// Runs a command; gives what it did that it should not have.
    fn faults(&self, command: Command) -> (Outcome, Vec<String>) {
        let mut faults = Vec::new();
        let mut look = |event: &Event| {
            if let Some(fault) = self.fault(event) {
                faults.push(fault);
            }
            Action::Go
        };
        let outcome = run(command, &mut look);
        (outcome, faults)
    }

    fn fault(&self, event: &Event) -> Option<String> {
        let family = event.address.first_chunk::<2>().map(|bytes| i32::from(u16::from_ne_bytes(*bytes)));
        if matches!(family, Some(libc::AF_INET | libc::AF_INET6)) {
            return Some(format!("{} to {:?}", event.call, event.address));
        }
        if let Some(path) = event.paths.iter().find(|path| RESOLVER.iter().any(|known| **path == *Path::new(known))) {
            return Some(format!("{} of {}", event.call, path.display()));
        }
        let allowed = |path: &PathBuf| {
            // Pipes and sockets have a name that is no path; the tracer gives the program files without a name to print
            // to.
            let text = path.to_string_lossy();
            !path.is_absolute()
                || event.call.starts_with("write") && text.ends_with(" (deleted)")
                || NO_FILES.iter().any(|known| text.starts_with(known))
                || ["out", "tmp"].iter().any(|folder| path.starts_with(self.path(folder)))
        };
        let elsewhere = event.paths.iter().find(|path| event.writes() && !allowed(path));
        elsewhere.map(|path| format!("{} of {}", event.call, path.display()))
    }

    fn expect_quiet(&self, args: &[&str]) -> Outcome {
        let (outcome, faults) = self.faults(self.command(env!("CARGO_BIN_EXE_autoneural"), args));
        assert!(outcome.status.success(), "{args:?}: {}", outcome.stderr);
        assert_eq!(faults, Vec::<String>::new(), "{args:?}");
        for folder in ["home", "here", "tmp"] {
            assert_eq!(names(&self.path(folder)), Vec::<String>::new(), "{args:?}: something is left in {folder}");
        }
        outcome
    }
}

#[test]
fn no_command_looks_up_a_host_or_writes_elsewhere() {
    let place = Place::new();
    let project = |relative: &str| root(relative).to_str().expect("UTF-8").to_string();
    let out = |name: &str| place.path("out").join(name).to_str().expect("UTF-8").to_string();
    let (bundle, baseline) = (out("bundle"), out("baseline.json"));
    let (graph, weights, recipe) = (project(GRAPH), project(WEIGHTS), project(RECIPE));
    let (set, image) = (project("calibration/demo-eval"), project("calibration/photos/cat.jpg"));
    let compile = ["compile", &graph, "--weights", &weights, "--calibration", &recipe, "--target", "sa8295p"];
    let doctor = place.expect_quiet(&["doctor"]);
    assert!(doctor.stdout.contains("the libraries load; the QNN provider registers"), "{}", doctor.stdout);
    place.expect_quiet(&[&compile[..], &["--out", &bundle, "--require-npu", "--layers", "npu"]].concat());
    for args in [
        &["build", &bundle][..],
        &["verify", &bundle, "--calibration", &recipe, "--require-npu"],
        &["run", &bundle, "--on", "float,simulated,npu", "--image", &image, "--prompt", "Who?", "--max-tokens", "2"],
        &["eval", &bundle, "--set", &set, "--limit", "1", "--on", "float,simulated,npu"],
        &["report", &bundle],
        &["gate", &bundle, "--baseline", &baseline, "--update"],
        &["gate", &bundle, "--baseline", &baseline, "--junit", &out("gate.xml"), "--sarif", &out("gate.sarif")],
        &["graph", &bundle, "--out", &out("graph.svg")],
        &["inspect", &bundle],
        &["target", "check", "sa8295p", "--operator", "Neg"],
        // Its steps are commands that stand above; a folder without a toolkit spares them.
        &["demo", "--out", &out("demo"), "--toolkit", &out("")],
    ] {
        place.expect_quiet(args);
    }
}

#[test]
fn what_leaves_would_be_seen() {
    let place = Place::new();
    for (script, word) in [
        ("echo x > \"$HOME/x\"", "home/x"),
        ("echo x > x", "here/x"),
        ("mkdir \"$XDG_CACHE_HOME\"", "home/XDG_CACHE_HOME"),
        ("read x < /etc/hosts", "/etc/hosts"),
        ("exec 3<> /dev/udp/127.0.0.1/9", "connect to"),
        ("(echo x > x)", "here/x"),
    ] {
        let (_, faults) = place.faults(place.command("bash", &["-c", script]));
        assert!(faults.iter().any(|fault| fault.contains(word)), "{script}: {faults:?}");
    }
    let (_, faults) = place.faults(place.command("bash", &["-c", "echo x > \"$TMPDIR/x\"; echo x"]));
    assert_eq!(faults, Vec::<String>::new());
}

/// What lies in the current folder is neither loaded nor changes what is made: the provider asks there for a driver.
#[test]
fn libraries_come_from_the_toolkit_and_the_system_alone() {
    let place = Place::new();
    let decoys = [
        "libHtpUsrDrv.so",
        "libQnnSystem.so",
        "libQnnHtpV68Stub.so",
        "libatomic.so.1",
        "libcdsprpc.so",
        "libonnxruntime_providers_shared.so",
    ];
    for name in decoys {
        std::fs::write(place.path("here").join(name), "no library").expect("a file");
    }
    let toolkit = toolkit().canonicalize().expect("a folder");
    let own: Vec<PathBuf> =
        vec![toolkit, PathBuf::from("/lib"), "/lib64".into(), "/usr/lib".into(), "/usr/lib64".into()];
    let bundle = place.path("out").join("bundle");
    let project = |relative: &str| root(relative).to_str().expect("UTF-8").to_string();
    let (graph, weights, recipe) = (project(GRAPH), project(WEIGHTS), project(RECIPE));
    let args =
        ["compile", &graph, "--weights", &weights, "--calibration", &recipe, "--target", "sa8295p", "--require-npu"];
    let command =
        place.command(env!("CARGO_BIN_EXE_autoneural"), &[&args[..], &["--out", bundle.to_str().unwrap()]].concat());
    let (mut opened, mut others) = (0, Vec::new());
    let outcome = run(command, &mut |event| {
        let is_library =
            |path: &&PathBuf| path.file_name().map(OsStr::to_string_lossy).is_some_and(|name| name.contains(".so"));
        for path in event.paths.iter().filter(is_library).filter(|path| !path.starts_with("/etc")) {
            opened += 1;
            if !own.iter().any(|folder| path.starts_with(folder)) {
                others.push(path.clone());
            }
        }
        Action::Go
    });
    assert!(outcome.status.success(), "{}", outcome.stderr);
    assert!(opened > 20, "the tracer sees libraries");
    assert_eq!(others, Vec::<PathBuf>::new());
    for name in names(&bundle.join("context")) {
        let read = |bundle: &Path| std::fs::read(bundle.join("context").join(&name)).expect("a file");
        assert!(read(&bundle) == read(demo_bundle()), "{name} is another one");
    }
}

/// In a program that did not begin quietly the library loads nothing: the environment cannot be changed behind other
/// threads.
#[test]
fn loading_into_threads_that_run_is_refused() {
    const INNER: &str = "AUTONEURAL_TEST_LOADS_HERE";
    if std::env::var_os(INNER).is_some() {
        // This test runs in a thread of its own, beside the one that waits for it.
        let error = Runtime::load(&Toolkit::find(Some(&toolkit()))).err().map(|error| error.to_string());
        println!("refused: {}", error.unwrap_or_default());
        return;
    }
    let inner = |variable: Option<&str>| {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.args(["outside::loading_into_threads_that_run_is_refused", "--exact", "--nocapture"]);
        command.env(INNER, "1").env_remove("ORT_DISABLE_TELEMETRY");
        let output = command.envs(variable.map(|value| ("ORT_DISABLE_TELEMETRY", value))).output().expect("it starts");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    for variable in [None, Some("0"), Some("")] {
        let said = inner(variable);
        assert!(said.contains("refused: environment: the vendor's libraries would record"), "{variable:?}: {said}");
    }
    let said = inner(Some("1"));
    assert!(said.contains("refused: \n"), "{said}");
}
