//! `autoneural doctor`: what is here, what is missing for what.

use std::path::Path;

use autoneural::Result;
use autoneural::back::qnn::{ONNXRUNTIME, ONNXRUNTIME_QNN, Runtime, Toolkit};
use autoneural::shown::in_line;
use serde::Serialize;

use super::session::Session;

/// Shown below its options.
pub const AFTER_HELP: &str = "\
Examples:
  autoneural doctor
  autoneural doctor --toolkit ~/venv/lib/python3.12/site-packages";

#[derive(Serialize)]
struct Check {
    name: &'static str,
    ok: bool,
    /// Whether there is something, be it another version.
    here: bool,
    found: String,
    needed_for: &'static str,
    help: Option<String>,
}

impl Check {
    fn state(&self) -> &'static str {
        match (self.ok, self.here) {
            (true, _) => "ok     ",
            (false, true) => "OTHER  ",
            (false, false) => "MISSING",
        }
    }
}

/// Runs the command. Missing parts are reported, not errors: most commands work without them.
pub fn run(session: &Session) -> Result<()> {
    let toolkit = session.toolkit();
    let shown = |path: &Option<std::path::PathBuf>| {
        path.as_deref().map_or("not found".into(), |p: &Path| p.display().to_string())
    };
    let mut checks = vec![Check {
        name: "autoneural",
        ok: true,
        here: true,
        found: env!("CARGO_PKG_VERSION").into(),
        needed_for: "everything",
        help: None,
    }];
    let refusals = toolkit.refusals().join("; ");
    checks.push(Check {
        name: "toolkit",
        ok: toolkit.folder.is_some(),
        here: toolkit.folder.is_some(),
        found: match &toolkit.folder {
            Some(folder) => format!("{} ({})", folder.display(), toolkit.found),
            None => "not found".into(),
        },
        needed_for: "simulation, context binaries, NPU",
        help: Some(refusals).filter(|refusals| !refusals.is_empty()),
    });
    let mut package =
        |name, library: &Option<std::path::PathBuf>, version: &Option<String>, wanted: &str, needed_for| {
            let matches = version.as_deref() == Some(wanted);
            let found = format!("{} {}", version.as_deref().unwrap_or("version unknown"), shown(library));
            let help = match (library.is_some(), matches) {
                (false, _) => Some(toolkit.remedy()),
                (true, false) => Some(format!("this program is tested with {wanted}")),
                (true, true) => None,
            };
            let found = if library.is_some() { found } else { "not found".into() };
            let here = library.is_some();
            checks.push(Check { name, ok: here && matches, here, found, needed_for, help });
        };
    package("onnxruntime", &toolkit.runtime, &toolkit.runtime_version, ONNXRUNTIME, "simulation, context binaries");
    let provider = toolkit.provider.clone().filter(|_| toolkit.backend.is_some());
    package("onnxruntime-qnn", &provider, &toolkit.provider_version, ONNXRUNTIME_QNN, "context binaries, NPU");
    let loads = if toolkit.can_simulate() {
        match Runtime::load(&toolkit) {
            Ok(runtime) if runtime.has_npu() => Check {
                name: "loading",
                ok: true,
                here: true,
                found: "the libraries load; the QNN provider registers".into(),
                needed_for: "simulation, context binaries, NPU",
                help: None,
            },
            Ok(_) => Check {
                name: "loading",
                ok: false,
                here: false,
                found: "ONNX Runtime loads; there is no QNN provider".into(),
                needed_for: "context binaries, NPU",
                help: Some(Toolkit::how_to_get()),
            },
            Err(error) => Check {
                name: "loading",
                ok: false,
                here: false,
                found: format!("{}: {}", error.place, error.message),
                needed_for: "simulation, context binaries, NPU",
                help: error.help,
            },
        }
    } else {
        Check {
            name: "loading",
            ok: false,
            here: false,
            found: "nothing to load".into(),
            needed_for: "simulation, context binaries, NPU",
            help: Some(Toolkit::how_to_get()),
        }
    };
    checks.push(loads);
    let mut text = String::new();
    for check in &checks {
        text.push_str(&format!("{} {:<16} {}\n", check.state(), check.name, in_line(&check.found)));
        if !check.ok {
            text.push_str(&format!("        needed for: {}\n", check.needed_for));
        }
        if let Some(help) = &check.help {
            text.push_str(&format!("        help: {}\n", in_line(help)));
        }
    }
    session.print(&checks, &text)
}
