//! Files that are cut off while they are mapped. Reading beyond their new end is a bus error, which would kill the
//! program without a word; with [`report`] it ends with a message that names the file.

use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use crate::error::{Error, Kind};

/// Most maps that are told apart; of more, the message does not name the file.
const MOST: usize = 512;

/// A mapped range and what is said if it cannot be read.
struct Slot {
    start: AtomicUsize,
    end: AtomicUsize,
    text: AtomicPtr<u8>,
    length: AtomicUsize,
}

static SLOTS: [Slot; MOST] = [const {
    Slot {
        start: AtomicUsize::new(0),
        end: AtomicUsize::new(0),
        text: AtomicPtr::new(std::ptr::null_mut()),
        length: AtomicUsize::new(0),
    }
}; MOST];

/// How errors are written, and what is said of a file whose name is not known.
struct Report {
    write: fn(&Error) -> String,
    of_any: String,
}

static REPORT: OnceLock<Report> = OnceLock::new();

fn error_about(place: &str) -> Error {
    let message = "was cut off while it was read, or its disk failed";
    let mut made = Error::input(place, message).help("run the command again when nobody writes to the file any more");
    made.kind = Kind::Io;
    made
}

/// Makes bus errors end this process with the exit status of [`Kind::Io`] and an error on standard error, as `write`
/// writes it.
pub fn report(write: fn(&Error) -> String) {
    let of_any = write(&error_about("a mapped file"));
    if REPORT.set(Report { write, of_any }).is_err() {
        return;
    }
    // SAFETY: the handler calls nothing but what may be called in one.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_bus_error as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        libc::sigaction(libc::SIGBUS, &action, std::ptr::null_mut());
    }
}

extern "C" fn on_bus_error(_: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the kernel gives a valid description of the fault.
    let place = unsafe { (*info).si_addr() } as usize;
    let of_slot = |slot: &Slot| {
        let range = slot.start.load(Ordering::Acquire)..slot.end.load(Ordering::Acquire);
        range.contains(&place).then(|| (slot.text.load(Ordering::Acquire), slot.length.load(Ordering::Acquire)))
    };
    let any = || REPORT.get().map(|report| (report.of_any.as_ptr().cast_mut(), report.of_any.len()));
    if let Some((text, length)) = SLOTS.iter().find_map(of_slot).or_else(any) {
        // SAFETY: the text stays until its slot is empty.
        let _ = unsafe { libc::write(libc::STDERR_FILENO, text.cast(), length) };
    }
    // SAFETY: ends the process without running anything of it.
    unsafe { libc::_exit(i32::from(Kind::Io.exit_status())) };
}

/// A mapped range that bus errors are told of by the name of its file, for as long as this lives.
pub struct Watched {
    slot: Option<&'static Slot>,
    _text: String,
}

impl Watched {
    /// Watches the map of a file.
    pub fn new(path: &Path, bytes: &[u8]) -> Self {
        let text = REPORT.get().map(|report| (report.write)(&error_about(&path.display().to_string())));
        let text = text.unwrap_or_default();
        let start = bytes.as_ptr() as usize;
        let is_free =
            |slot: &&Slot| slot.start.compare_exchange(0, usize::MAX, Ordering::AcqRel, Ordering::Acquire).is_ok();
        let slot = if text.is_empty() { None } else { SLOTS.iter().find(is_free) };
        if let Some(slot) = slot {
            slot.text.store(text.as_ptr().cast_mut(), Ordering::Release);
            slot.length.store(text.len(), Ordering::Release);
            slot.end.store(start + bytes.len(), Ordering::Release);
            slot.start.store(start, Ordering::Release);
        }
        Watched { slot, _text: text }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if let Some(slot) = self.slot {
            slot.end.store(0, Ordering::Release);
            slot.start.store(0, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map::Map;
    use std::process::Command;

    /// Where the other process finds its file.
    const FILE: &str = "AUTONEURAL_TEST_CUT_OFF";

    #[test]
    fn a_file_that_is_cut_off_ends_the_process_with_its_name() {
        if let Some(path) = std::env::var_os(FILE) {
            end_with(Path::new(&path));
        }
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("weights");
        std::fs::write(&path, vec![1; 1 << 20]).unwrap();
        let mut process = Command::new(std::env::current_exe().unwrap());
        // This test once more, which ends there.
        let own = "cut_off::tests::a_file_that_is_cut_off_ends_the_process_with_its_name";
        process.args(["--exact", own, "--nocapture"]);
        let output = process.env(FILE, &path).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(4), "{text}");
        assert!(text.contains(&format!("error: {}: was cut off while it was read", path.display())), "{text}");
    }

    fn end_with(path: &Path) -> ! {
        report(|error| format!("error: {error}\n"));
        let map = Map::open(path).unwrap();
        std::fs::File::options().write(true).open(path).unwrap().set_len(0).unwrap();
        panic!("the file is still there: {}", map[1 << 19]);
    }
}
