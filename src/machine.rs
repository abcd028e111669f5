//! The machine that the program runs on: its memory.

use rustix::process::{Resource, getrlimit};

/// Bytes of memory that this process can have: those of the machine, or fewer where its control group or a limit of its own
/// says so.
pub fn memory() -> u64 {
    let info = rustix::system::sysinfo();
    let installed = info.totalram.saturating_mul(u64::from(info.mem_unit));
    let group = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let group = group.and_then(|text| text.trim().parse().ok());
    let address_space = getrlimit(Resource::As).current;
    [group, address_space].into_iter().flatten().fold(installed, u64::min)
}

/// Gives memory that was freed back to the machine. The allocator keeps what a model took for the next, but the next work is
/// done by other processes.
pub fn release_memory() {
    // SAFETY: no pointer of ours is touched; the allocator looks through its own free memory.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn there_is_some() {
        assert!(super::memory() > 64 << 20);
    }
}
