//! Limits of the process that make other people's code fail without naming them.

use rustix::process::{Resource, getrlimit};

use crate::error::{Error, Kind};

/// Address space below which it may be the reason of what a library does not explain.
pub const ENOUGH_ADDRESS_SPACE: u64 = 2 << 30;

/// What libraries say where memory ran out.
const NO_MEMORY: [&str; 9] = [
    "bad_alloc",
    "Cannot allocate memory",
    "cannot allocate memory",
    "failed to map segment",
    "Failed to allocate",
    "failed to allocate",
    "memory allocation of",
    "Out of memory",
    "out of memory",
];
/// What they say where no more threads or processes are to be had.
const NO_THREAD: [&str; 4] =
    ["pthread_create", "failed to spawn thread", "thread constructor failed", "Resource temporarily unavailable"];
/// What they say where no more files may be open.
const NO_FILE: [&str; 1] = ["Too many open files"];

/// Bytes of address space that this process may take, where that is limited.
pub fn address_space() -> Option<u64> {
    getrlimit(Resource::As).current
}

/// An error of somebody else's code as one of the operating system, where its text says that a limit was reached. Where
/// it says nothing but the address space is scant, the help names that, too.
pub fn explained(error: Error) -> Error {
    let said = |words: &[&str]| words.iter().any(|word| error.message.contains(word));
    let (message, help) = if said(&NO_MEMORY) {
        ("memory ran out", memory_help())
    } else if said(&NO_THREAD) {
        (
            "no more threads are to be had",
            "raise the limit of processes (`ulimit -u`) or of memory (`ulimit -v`)".into(),
        )
    } else if said(&NO_FILE) {
        ("no more files can be opened", "raise the limit of open files (`ulimit -n`)".into())
    } else {
        return match address_space() {
            Some(limit) if limit < ENOUGH_ADDRESS_SPACE && error.kind != Kind::Input => {
                let help = error.help.as_ref().map_or(String::new(), |help| format!("; {help}"));
                let scant = memory_help();
                error.help(format!("{scant}{help}"))
            }
            _ => error,
        };
    };
    let message = format!("{message}: {}", error.message);
    Error { kind: Kind::Io, place: error.place, message, help: Some(help) }
}

/// Refuses to begin what is known to need this many bytes of address space.
///
/// # Errors
/// This process may take less.
pub fn refuse_scant_address_space(needed: u64) -> crate::error::Result<()> {
    match address_space() {
        Some(limit) if limit < needed => Err(Error {
            kind: Kind::Io,
            place: "memory".into(),
            message: format!(
                "the vendor's libraries need {} of address space, this process may take {}",
                crate::text::bytes(needed),
                crate::text::bytes(limit)
            ),
            help: Some("raise the limit (`ulimit -v`)".into()),
        }),
        _ => Ok(()),
    }
}

/// What to do where memory ran out.
pub fn memory_help() -> String {
    match address_space() {
        Some(limit) => format!(
            "this process may take {} of address space (`ulimit -v`); raise that limit",
            crate::text::bytes(limit)
        ),
        None => "end other programs, or take a machine with more memory".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_limit_did_is_no_fault_of_the_model() {
        for (said, word) in [
            ("the NPU compiler refuses the graph: std::bad_alloc", "memory ran out"),
            ("pthread_setaffinity_np failed: Resource temporarily unavailable", "threads"),
            ("x: cannot open shared object file: Too many open files", "files"),
        ] {
            let error = explained(Error::toolkit("vision", said).help("an entry of the target file may be wrong"));
            assert_eq!((error.kind, error.message.contains(word)), (Kind::Io, true), "{error}");
            assert!(error.message.ends_with(said) && !error.help.unwrap().contains("target file"));
        }
        let error = explained(Error::toolkit("vision", "node x is not supported"));
        assert_eq!(error.kind, Kind::Toolkit);
    }
}
