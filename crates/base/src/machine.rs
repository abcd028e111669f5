//! The machine that the program runs on: its memory and its cores.

use std::path::{Component, Path, PathBuf};
use std::sync::OnceLock;
use std::thread::available_parallelism;

use rustix::process::{Resource, getrlimit};

/// Bytes of memory that this process can have: those of the machine, or fewer where its control group or a limit of its
/// own says so.
pub fn memory() -> u64 {
    let info = rustix::system::sysinfo();
    let installed = info.totalram.saturating_mul(u64::from(info.mem_unit));
    let address_space = getrlimit(Resource::As).current;
    [group_limit(Path::new("/")), address_space].into_iter().flatten().fold(installed, u64::min)
}

/// Threads that run at the same time: as many as the process may use cores. What it may use is asked once, since that
/// takes longer than some of the work that is shared.
pub fn threads() -> usize {
    static KNOWN: OnceLock<usize> = OnceLock::new();
    *KNOWN.get_or_init(|| available_parallelism().map_or(1, usize::from))
}

/// Gives memory that was freed back to the machine. The allocator keeps what a model took for the next, but the next
/// work is done by other processes.
pub fn release_memory() {
    // SAFETY: no pointer of ours is touched; the allocator looks through its own free memory.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0);
    }
}

/// A version of control groups: how its hierarchy is recognized and where a group has its limits.
struct Version {
    file_system: &'static str,
    /// The controller that has to be among those of the hierarchy; version 2 has but one hierarchy.
    controller: Option<&'static str>,
    /// Above `memory.high` a group is slowed down until it is of no use.
    limits: &'static [&'static str],
}

const VERSIONS: [Version; 2] = [
    Version { file_system: "cgroup2", controller: None, limits: &["memory.max", "memory.high"] },
    Version { file_system: "cgroup", controller: Some("memory"), limits: &["memory.limit_in_bytes"] },
];

/// The least limit of memory of this process's control group and of those around it, as far as they can be seen.
fn group_limit(root: &Path) -> Option<u64> {
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap_or_default();
    let (groups, mounts) = (read("proc/self/cgroup"), read("proc/self/mountinfo"));
    let limit = |version: &Version| {
        let group = groups.lines().find_map(|line| group_of(line, version))?;
        let mounts = mounts.lines().filter_map(|line| mount_of(line, version));
        mounts.filter_map(|(inside, place)| limit_of(root, group, &inside, &place, version)).min()
    };
    VERSIONS.iter().filter_map(limit).min()
}

/// The path of the group in a line `number:controllers:path`.
fn group_of<'a>(line: &'a str, version: &Version) -> Option<&'a str> {
    let mut parts = line.splitn(3, ':');
    let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
    let is_own = match version.controller {
        Some(controller) => controllers.split(',').any(|one| one == controller),
        None => controllers.is_empty(),
    };
    is_own.then_some(path)
}

/// What of a hierarchy is mounted, and where, in a line of the table of mounts.
fn mount_of(line: &str, version: &Version) -> Option<(PathBuf, PathBuf)> {
    let (mount, system) = line.split_once(" - ")?;
    let mut system = system.split(' ');
    let (file_system, options) = (system.next()?, system.next_back()?);
    let has_controller = version.controller.is_none_or(|one| options.split(',').any(|option| option == one));
    if file_system != version.file_system || !has_controller {
        return None;
    }
    let mut fields = mount.split(' ').skip(3);
    // Blanks in paths are written as numbers.
    let path = |field: &str| PathBuf::from(field.replace("\\040", " "));
    Some((path(fields.next()?), path(fields.next()?)))
}

/// The least limit from a group up to where its hierarchy is mounted.
fn limit_of(root: &Path, group: &str, inside: &Path, place: &Path, version: &Version) -> Option<u64> {
    // In a container the group may be named from outside of what is mounted in it; that is then its own group.
    let below = Path::new(group).strip_prefix(inside).unwrap_or(Path::new(""));
    let below: PathBuf = match below.components().all(|part| matches!(part, Component::Normal(_))) {
        true => below.to_path_buf(),
        false => PathBuf::new(),
    };
    let top = root.join(place.strip_prefix("/").unwrap_or(place));
    let limits = below.ancestors().flat_map(|group| {
        let folder = top.join(group);
        let read = move |file: &str| std::fs::read_to_string(folder.join(file)).ok();
        // What is around the mounted part is in the statistics alone.
        let hierarchical = read("memory.stat").and_then(|text| {
            let line = text.lines().find_map(|line| line.strip_prefix("hierarchical_memory_limit "))?;
            line.trim().parse().ok()
        });
        // `max` is no number, and no limit.
        let own = version.limits.iter().filter_map(move |file| read(file)?.trim().parse().ok());
        own.chain(hierarchical).collect::<Vec<u64>>()
    });
    limits.min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    /// A file system with these files.
    fn machine(files: &[(&str, &str)]) -> TempDir {
        let root = TempDir::new().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        root
    }

    const V2: &str = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";
    const V1: &str = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n\
        34 31 0:31 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n\
        35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n";

    #[test]
    fn there_is_some() {
        assert!(memory() > 64 << 20);
    }

    #[test]
    fn the_least_limit_of_all_groups_around_the_process_is_in_force() {
        let nested = [
            ("proc/self/cgroup", "0::/user.slice/job/step\n"),
            ("proc/self/mountinfo", V2),
            ("sys/fs/cgroup/user.slice/memory.max", "max\n"),
            ("sys/fs/cgroup/user.slice/job/memory.max", "3000\n"),
            ("sys/fs/cgroup/user.slice/job/step/memory.max", "5000\n"),
        ];
        assert_eq!(group_limit(machine(&nested).path()), Some(3000));
        let high = [&nested[..], &[("sys/fs/cgroup/user.slice/job/step/memory.high", "2000\n")]].concat();
        assert_eq!(group_limit(machine(&high).path()), Some(2000));
        let root = [nested[1], ("proc/self/cgroup", "0::/\n"), ("sys/fs/cgroup/memory.max", "700\n")];
        assert_eq!(group_limit(machine(&root).path()), Some(700));
        let none = [nested[0], nested[1], nested[2]];
        assert_eq!(group_limit(machine(&none).path()), None);
    }

    #[test]
    fn the_first_version_has_its_limits_elsewhere() {
        let nested = [
            ("proc/self/cgroup", "5:devices:/\n4:memory:/docker/abc\n0::/\n"),
            ("proc/self/mountinfo", V1),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
            ("sys/fs/cgroup/memory/docker/memory.limit_in_bytes", "8000\n"),
            ("sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes", "9000\n"),
        ];
        assert_eq!(group_limit(machine(&nested).path()), Some(8000));
        let stat = ("sys/fs/cgroup/memory/docker/abc/memory.stat", "cache 1\nhierarchical_memory_limit 6000\n");
        assert_eq!(group_limit(machine(&[&nested[..], &[stat]].concat()).path()), Some(6000));
        // In a container the own group alone is mounted; its name is that of the machine outside.
        let mount = "35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n";
        let inside =
            [nested[0], ("proc/self/mountinfo", mount), ("sys/fs/cgroup/memory/memory.limit_in_bytes", "4000\n")];
        assert_eq!(group_limit(machine(&inside).path()), Some(4000));
        // Or it is named from a group beside it.
        let beside = [("proc/self/cgroup", "4:memory:/../other\n"), inside[1], inside[2]];
        assert_eq!(group_limit(machine(&beside).path()), Some(4000));
    }

    #[test]
    fn both_versions_at_once_are_looked_at() {
        let both = [
            ("proc/self/cgroup", "4:memory:/job\n0::/job\n"),
            ("proc/self/mountinfo", &[V1, "42 31 0:39 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"].concat()),
            ("sys/fs/cgroup/memory/job/memory.limit_in_bytes", "5000\n"),
            ("sys/fs/cgroup/unified/job/memory.max", "max\n"),
        ];
        assert_eq!(group_limit(machine(&both).path()), Some(5000));
        assert_eq!(group_limit(machine(&[]).path()), None);
    }
}
