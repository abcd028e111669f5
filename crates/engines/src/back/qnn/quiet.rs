//! What the vendor's libraries read from the environment, so that nothing leaves the machine.
//!
//! ONNX Runtime's builds for Linux record events (program, graph and node names among them) in a database under the
//! user's cache, give the machine an id, and send both to a host of Microsoft's. A variable of the environment keeps
//! all of that from being made; the C API cannot, because it comes after the first event. The QNN provider has the same
//! code for Windows alone.

use autoneural_base::error::{Error, Result};

/// Variables that are set whatever the user's environment says.
const SET: [(&str, &str); 1] = [("ORT_DISABLE_TELEMETRY", "1")];

/// Variables that are taken out: with the first a model's metadata choose the session's options (among them a file that
/// is written), with the second the provider takes other operators for its own, with the third it is another program.
const UNSET: [&str; 3] = ["ORT_LOAD_CONFIG_FROM_MODEL", "ORT_QNN_CUSTOM_OP_DOMAINS", "ORT_RUNNING_UNIT_TESTS"];

/// Changes the environment so that the vendor's libraries record and send nothing. A program must call it first of all,
/// while it has only one thread.
///
/// # Errors
/// The environment is another one and cannot be changed any more, because other threads may be reading it.
pub fn quiet() -> Result<()> {
    if is_quiet() {
        return Ok(());
    }
    if threads() != Some(1) {
        let wanted: Vec<String> = SET.iter().map(|(name, value)| format!("{name}={value}")).collect();
        return Err(Error::toolkit(
            "environment",
            format!(
                "the vendor's libraries would record what they do: {} is not set, and threads run already",
                SET[0].0
            ),
        )
        .help(format!(
            "set {} and unset {} before the program starts, or call `autoneural::back::qnn::quiet` first of all",
            wanted.join(" "),
            UNSET.join(", "),
        )));
    }
    // SAFETY: no other thread reads or writes the environment, because there is none.
    unsafe {
        SET.iter().for_each(|(name, value)| std::env::set_var(name, value));
        UNSET.iter().for_each(|name| std::env::remove_var(name));
    }
    Ok(())
}

fn is_quiet() -> bool {
    SET.iter().all(|(name, value)| std::env::var_os(name).is_some_and(|found| found == *value))
        && UNSET.iter().all(|name| std::env::var_os(name).is_none())
}

/// Number of threads of this process, if the system tells.
fn threads() -> Option<usize> {
    std::fs::read_dir("/proc/self/task").ok().map(Iterator::count)
}
