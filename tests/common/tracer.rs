//! Runs the program under a tracer that stops it at every call to the system that changes or opens files, and may let
//! the call fail, or kill the program there: every point of a run at which a disk fills or a power cut comes, without
//! waiting for one.
//!
//! [`run`] tells of each call with its paths; what it is told to do comes back. Threads and children are followed.

use std::collections::BTreeSet;
use std::ffi::{CStr, OsStr};
use std::fs::File;
use std::io::{Error, Read, Seek};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use libc::{c_int, c_long, c_void, pid_t};

/// Calls that are told of. Not the one that starts a program: it is made before there is anybody to tell.
const CALLS: &[(c_long, &str)] = &[
    (libc::SYS_open, "open"),
    (libc::SYS_openat, "openat"),
    (libc::SYS_openat2, "openat2"),
    (libc::SYS_creat, "creat"),
    (libc::SYS_write, "write"),
    (libc::SYS_writev, "writev"),
    (libc::SYS_pwrite64, "pwrite64"),
    (libc::SYS_pwritev, "pwritev"),
    (libc::SYS_sendfile, "sendfile"),
    (libc::SYS_copy_file_range, "copy_file_range"),
    (libc::SYS_truncate, "truncate"),
    (libc::SYS_ftruncate, "ftruncate"),
    (libc::SYS_fallocate, "fallocate"),
    (libc::SYS_fsync, "fsync"),
    (libc::SYS_fdatasync, "fdatasync"),
    (libc::SYS_rename, "rename"),
    (libc::SYS_renameat, "renameat"),
    (libc::SYS_renameat2, "renameat2"),
    (libc::SYS_link, "link"),
    (libc::SYS_linkat, "linkat"),
    (libc::SYS_symlink, "symlink"),
    (libc::SYS_symlinkat, "symlinkat"),
    (libc::SYS_unlink, "unlink"),
    (libc::SYS_unlinkat, "unlinkat"),
    (libc::SYS_rmdir, "rmdir"),
    (libc::SYS_mkdir, "mkdir"),
    (libc::SYS_mkdirat, "mkdirat"),
    (libc::SYS_mknod, "mknod"),
    (libc::SYS_mknodat, "mknodat"),
    (libc::SYS_chmod, "chmod"),
    (libc::SYS_fchmod, "fchmod"),
    (libc::SYS_fchmodat, "fchmodat"),
    (libc::SYS_utimensat, "utimensat"),
    (libc::SYS_connect, "connect"),
    (libc::SYS_sendto, "sendto"),
];

/// A call to the system, before it is made.
pub struct Event {
    /// Its name.
    pub call: &'static str,
    /// Files that it is about, absolute: those that it names, or that of the descriptor that it takes. Links in them
    /// are not followed.
    pub paths: Vec<PathBuf>,
    /// Flags of a call that opens a file; 0 of the others.
    pub flags: c_int,
    /// Whom a call wants to reach over a socket: the address as the system has it, family first.
    pub address: Vec<u8>,
}

impl Event {
    /// Whether it makes, changes, renames or removes something below a folder, or brings it to the disk.
    pub fn changes(&self, folder: &Path) -> bool {
        let changes = match self.call {
            "open" | "openat" | "openat2" => self.flags & (libc::O_CREAT | libc::O_TRUNC) != 0,
            "connect" | "sendto" => false,
            _ => true,
        };
        changes && self.paths.iter().any(|path| path.starts_with(folder))
    }

    /// Whether it opens a file to write, or changes one, wherever that is.
    pub fn writes(&self) -> bool {
        match self.call {
            "open" | "openat" | "openat2" => {
                self.flags & (libc::O_CREAT | libc::O_TRUNC) != 0 || self.flags & libc::O_ACCMODE != libc::O_RDONLY
            }
            "connect" | "sendto" => false,
            _ => true,
        }
    }
}

/// What becomes of a call.
pub enum Action {
    /// It is made.
    Go,
    /// It is not made, and fails with this error.
    Fail(c_int),
    /// The program is killed in place of it, with its children.
    Kill,
}

/// What became of the program.
pub struct Outcome {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

/// Runs a program to its end. `decide` is asked before every call of [`CALLS`], of any of its threads and children.
pub fn run(mut command: Command, decide: &mut (dyn FnMut(&Event) -> Action + Send)) -> Outcome {
    let file = || tempfile::tempfile().expect("a file");
    let (mut out, mut err) = (file(), file());
    command.stdin(Stdio::null());
    command.stdout(out.try_clone().expect("a file")).stderr(err.try_clone().expect("a file"));
    // Whoever starts the program is its tracer, and waits for what it traces alone: a thread of its own.
    let status = std::thread::scope(|scope| scope.spawn(|| trace(&mut command, decide)).join().expect("a tracer"));
    let text = |file: &mut File| {
        let mut text = Vec::new();
        file.rewind().and_then(|()| file.read_to_end(&mut text)).expect("what it said");
        String::from_utf8_lossy(&text).into_owned()
    };
    let (stdout, stderr) = (text(&mut out), text(&mut err));
    Outcome { status, stdout, stderr }
}

fn trace(command: &mut Command, decide: &mut (dyn FnMut(&Event) -> Action + Send)) -> ExitStatus {
    let filter = filter();
    // SAFETY: between fork and exec only calls to the system are made.
    unsafe {
        command.pre_exec(move || {
            let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_ptr().cast_mut() };
            let made = libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) == 0
                && libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
                && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) == 0;
            if made { Ok(()) } else { Err(Error::last_os_error()) }
        });
    }
    #[expect(clippy::zombie_processes, reason = "the tracer waits for it")]
    let child = command.spawn().expect("the program starts");
    let main = child.id() as pid_t;
    let mut known: BTreeSet<pid_t> = BTreeSet::from([main]);
    let mut end = None;
    let mut is_set = false;
    loop {
        let mut status: c_int = 0;
        // SAFETY: the status is ours.
        let thread = unsafe { libc::waitpid(-1, &raw mut status, libc::__WALL | libc::__WNOTHREAD) };
        if thread < 0 {
            break;
        }
        if !libc::WIFSTOPPED(status) {
            known.remove(&thread);
            if thread == main {
                end = Some(ExitStatus::from_raw(status));
            }
            continue;
        }
        if !is_set {
            let options = libc::PTRACE_O_TRACESECCOMP
                | libc::PTRACE_O_TRACECLONE
                | libc::PTRACE_O_TRACEFORK
                | libc::PTRACE_O_TRACEVFORK
                | libc::PTRACE_O_TRACEEXEC
                | libc::PTRACE_O_EXITKILL;
            ask(libc::PTRACE_SETOPTIONS, thread, 0, options as usize);
            is_set = true;
        }
        known.insert(thread);
        let (signal, event) = (libc::WSTOPSIG(status), status >> 16);
        let mut passed_on = 0;
        if event == libc::PTRACE_EVENT_SECCOMP {
            let mut registers = registers(thread);
            match decide(&event_of(thread, &registers)) {
                Action::Go => {}
                Action::Fail(error) => {
                    registers.orig_rax = u64::MAX;
                    registers.rax = (-i64::from(error)).cast_unsigned();
                    ask(libc::PTRACE_SETREGS, thread, 0, (&raw const registers) as usize);
                }
                Action::Kill => {
                    for &process in &known {
                        // SAFETY: it is one of ours, and not waited for yet.
                        unsafe { libc::kill(process, libc::SIGKILL) };
                    }
                    continue;
                }
            }
        } else if event == 0 && signal != libc::SIGTRAP && signal != libc::SIGSTOP {
            passed_on = signal as usize;
        }
        ask(libc::PTRACE_CONT, thread, 0, passed_on);
    }
    end.expect("the program ended")
}

/// Asks the system about a thread that is stopped; one that was killed meanwhile answers nothing.
fn ask(request: libc::c_uint, thread: pid_t, address: usize, data: usize) {
    // SAFETY: the data are what the request takes.
    unsafe { libc::ptrace(request, thread, address as *mut c_void, data as *mut c_void) };
}

fn registers(thread: pid_t) -> libc::user_regs_struct {
    // SAFETY: all zeros are registers.
    let mut registers: libc::user_regs_struct = unsafe { std::mem::zeroed() };
    ask(libc::PTRACE_GETREGS, thread, 0, (&raw mut registers) as usize);
    registers
}

/// Stops at the calls, and at no other: a program runs nearly as fast as without.
fn filter() -> Vec<libc::sock_filter> {
    let line = |code: u32, jt, k: u32| libc::sock_filter { code: code as u16, jt, jf: 0, k };
    let (load, equal, give) =
        (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, libc::BPF_RET);
    // The number of the call is the first thing that the system tells.
    let mut lines = vec![line(load, 0, 0)];
    for (index, (call, _)) in CALLS.iter().enumerate() {
        lines.push(line(equal, (CALLS.len() - index) as u8, *call as u32));
    }
    lines.push(line(give, 0, libc::SECCOMP_RET_ALLOW));
    lines.push(line(give, 0, libc::SECCOMP_RET_TRACE));
    lines
}

fn event_of(thread: pid_t, registers: &libc::user_regs_struct) -> Event {
    let number = registers.orig_rax as c_long;
    let call = CALLS.iter().find(|(known, _)| *known == number).map_or("?", |(_, name)| name);
    let arguments = [registers.rdi, registers.rsi, registers.rdx, registers.r10, registers.r8];
    let [first, second, third, fourth, fifth] = arguments;
    let at = |folder: u64, address: u64| resolve(thread, folder as c_int, &text(thread, address));
    let here = |address: u64| at(libc::AT_FDCWD as u64, address);
    let of = |descriptor: u64| descriptor_path(thread, descriptor as c_int);
    let mut event = Event { call, paths: vec![], flags: 0, address: vec![] };
    match call {
        "open" => (event.paths, event.flags) = (vec![here(first)], second as c_int),
        "openat" => (event.paths, event.flags) = (vec![at(first, second)], third as c_int),
        "openat2" => {
            let how = memory(thread, third, 8).try_into().map_or(0, u64::from_ne_bytes);
            (event.paths, event.flags) = (vec![at(first, second)], how as c_int);
        }
        "creat" => (event.paths, event.flags) = (vec![here(first)], libc::O_CREAT | libc::O_TRUNC | libc::O_WRONLY),
        "rename" | "link" => event.paths = vec![here(first), here(second)],
        "renameat" | "renameat2" | "linkat" => event.paths = vec![at(first, second), at(third, fourth)],
        "symlink" => event.paths = vec![here(second)],
        "symlinkat" => event.paths = vec![at(second, third)],
        "unlink" | "rmdir" | "mkdir" | "mknod" | "chmod" | "truncate" => event.paths = vec![here(first)],
        "unlinkat" | "mkdirat" | "mknodat" | "fchmodat" => event.paths = vec![at(first, second)],
        "utimensat" if second != 0 => event.paths = vec![at(first, second)],
        "copy_file_range" => event.paths = vec![of(third)],
        "connect" => event.address = memory(thread, second, third.min(128) as usize),
        "sendto" => event.address = memory(thread, fifth, if fifth == 0 { 0 } else { registers.r9.min(128) as usize }),
        // The others take a descriptor first.
        _ => event.paths = vec![of(first)],
    }
    event
}

/// What a thread has in memory; less where that ends.
fn memory(thread: pid_t, address: u64, bytes: usize) -> Vec<u8> {
    let mut found = vec![0; bytes];
    let read = File::open(format!("/proc/{thread}/mem")).and_then(|file| file.read_at(&mut found, address));
    found.truncate(read.unwrap_or(0));
    found
}

fn text(thread: pid_t, address: u64) -> PathBuf {
    // To the end of the page at first: what is behind it may not be there.
    let mut bytes = memory(thread, address, 4096 - (address % 4096) as usize);
    if !bytes.contains(&0) {
        bytes.extend(memory(thread, address + bytes.len() as u64, 4096));
    }
    let text = CStr::from_bytes_until_nul(&bytes).map(CStr::to_bytes).unwrap_or_default();
    PathBuf::from(OsStr::from_bytes(text))
}

fn resolve(thread: pid_t, folder: c_int, path: &Path) -> PathBuf {
    if path.is_absolute() {
        return path.to_path_buf();
    }
    match folder {
        libc::AT_FDCWD => std::fs::read_link(format!("/proc/{thread}/cwd")).unwrap_or_default().join(path),
        folder => descriptor_path(thread, folder).join(path),
    }
}

fn descriptor_path(thread: pid_t, descriptor: c_int) -> PathBuf {
    std::fs::read_link(format!("/proc/{thread}/fd/{descriptor}")).unwrap_or_default()
}
