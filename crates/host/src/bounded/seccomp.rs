//! What a process that runs foreign code may ask of the system: memory, and to read and write what is open. A filter of
//! system calls, as seccomp(2) takes it.

#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xc000_00b7;
#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xc000_003e;

/// Offsets in `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCHITECTURE_AT: u32 = 4;

/// Calls that pass: those of pipes, memory, locks, limits, clocks, and of the way out. None opens, connects or starts
/// anything.
const ALLOWED: [libc::c_long; 26] = [
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_close,
    libc::SYS_brk,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_getrandom,
    libc::SYS_clock_gettime,
    libc::SYS_prlimit64,
    libc::SYS_sigaltstack,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_tgkill,
    libc::SYS_restart_syscall,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// From now on this thread may make only the system calls that foreign code needs; all others fail with EPERM. Returns
/// whether the kernel supports this. Without seccomp the limits of [`super::limits`] still hold.
pub(crate) fn enter() -> bool {
    let step = |code: u32, jt: usize, jf: usize, k: u32| libc::sock_filter {
        code: code as u16,
        jt: jt as u8,
        jf: jf as u8,
        k,
    };
    let load = |at: u32| step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, at);
    let is = |value: u32, yes: usize, no: usize| step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, yes, no, value);
    let end = |what: u32| step(libc::BPF_RET | libc::BPF_K, 0, 0, what);
    // Jumps count the steps between: from the architecture and from each call to the refusal or the permission at the
    // end.
    let count = ALLOWED.len();
    let mut filter = vec![load(ARCHITECTURE_AT), is(ARCHITECTURE, 0, count + 1), load(NUMBER)];
    filter.extend(ALLOWED.iter().enumerate().map(|(at, &call)| is(call as u32, count - at, 0)));
    filter.push(end(libc::SECCOMP_RET_ERRNO | libc::EPERM as u32));
    filter.push(end(libc::SECCOMP_RET_ALLOW));
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: the kernel copies the filter, which lives until it has.
    unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) == 0
    }
}

#[cfg(test)]
mod tests {
    /// Of the thread that is meant alone: the filter is not for whoever runs the tests.
    #[test]
    fn a_thread_of_foreign_code_opens_and_starts_nothing() {
        let tried = std::thread::spawn(|| {
            let is_on = super::enter();
            let memory = vec![1u8; 64 << 20].iter().map(|&byte| usize::from(byte)).sum::<usize>();
            let opened = std::fs::File::open("/proc/self/status").map(drop);
            let connected = std::os::unix::net::UnixStream::pair().map(drop);
            let started = std::process::Command::new("/bin/true").spawn().map(drop);
            (is_on, memory, [opened, connected, started].map(|tried| tried.map_err(|error| error.raw_os_error())))
        });
        let (is_on, memory, tried) = tried.join().unwrap();
        assert_eq!(memory, 64 << 20);
        // A kernel without seccomp is none to fail on.
        assert!(!is_on || tried.iter().all(|tried| *tried == Err(Some(libc::EPERM))), "{tried:?}");
    }
}
