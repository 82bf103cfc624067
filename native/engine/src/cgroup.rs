//! What this process's control groups leave it: memory and CPU time, of version 1 and 2, from its own group up to the
//! highest that can be seen from here. Knows nothing of lanes.

use std::fs;
use std::path::{Path, PathBuf};

/// More than this as a limit of memory means none: version 1 writes a number near 2^63.
const NO_LIMIT_BYTES: u64 = 1 << 60;

/// Bytes that may still be had within the limits of all groups; what cached files hold counts as to be had. `None`: no
/// limit.
pub(crate) fn memory_left() -> Option<u64> {
    groups("memory").iter().filter_map(Group::memory_left).min()
}

/// CPUs' worth of time, in thousandths, that the narrowest group may use. `None`: no limit.
pub(crate) fn cpu_quota_milli() -> Option<u64> {
    groups("cpu").iter().filter_map(Group::cpu_quota_milli).min()
}

/// A group's folder.
#[derive(Debug, PartialEq, Eq)]
enum Group {
    V1(PathBuf),
    V2(PathBuf),
}

fn groups(controller: &str) -> Vec<Group> {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    groups_of(controller, &read("/proc/self/cgroup"), &read("/proc/self/mountinfo"))
}

/// The groups that limit by a controller: from the texts of `/proc/self/cgroup` and `/proc/self/mountinfo`.
fn groups_of(controller: &str, own: &str, mounts: &str) -> Vec<Group> {
    let mut groups = Vec::new();
    for line in own.lines() {
        let mut fields = line.splitn(3, ':');
        let (Some(hierarchy), Some(controllers), Some(path)) = (fields.next(), fields.next(), fields.next()) else {
            continue;
        };
        let is_v2 = hierarchy == "0" && controllers.is_empty();
        if !is_v2 && !controllers.split(',').any(|name| name == controller) {
            continue;
        }
        let mount = mounts.lines().filter_map(Mount::parse).find(|mount| mount.has(is_v2, controller));
        let Some(mount) = mount else { continue };
        // A container may see its own group as the root of the mount.
        let inside = Path::new(path).strip_prefix(mount.root).unwrap_or(Path::new(""));
        for ancestor in inside.ancestors() {
            let folder = Path::new(mount.point).join(ancestor);
            groups.push(if is_v2 { Group::V2(folder) } else { Group::V1(folder) });
        }
    }
    groups
}

/// A line of `/proc/self/mountinfo`: `id parent device root point options … - type source options`.
struct Mount<'a> {
    root: &'a str,
    point: &'a str,
    kind: &'a str,
    options: &'a str,
}

impl<'a> Mount<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (before, after) = line.split_once(" - ")?;
        let mut before = before.split(' ').skip(3);
        let mut after = after.split(' ');
        let (root, point) = (before.next()?, before.next()?);
        Some(Self { root: root.trim_start_matches("/.."), point, kind: after.next()?, options: after.nth(1)? })
    }

    fn has(&self, is_v2: bool, controller: &str) -> bool {
        match self.kind {
            "cgroup2" => is_v2,
            "cgroup" => !is_v2 && self.options.split(',').any(|name| name == controller),
            _ => false,
        }
    }
}

impl Group {
    fn memory_left(&self) -> Option<u64> {
        let (limit, used, cache) = match self {
            Self::V1(folder) => (
                number(folder, "memory.limit_in_bytes")?,
                number(folder, "memory.usage_in_bytes")?,
                field(folder, "memory.stat", "total_inactive_file"),
            ),
            Self::V2(folder) => (
                number(folder, "memory.max")?,
                number(folder, "memory.current")?,
                field(folder, "memory.stat", "inactive_file"),
            ),
        };
        (limit < NO_LIMIT_BYTES).then(|| limit.saturating_sub(used.saturating_sub(cache.unwrap_or(0))))
    }

    fn cpu_quota_milli(&self) -> Option<u64> {
        let (quota, period) = match self {
            Self::V1(folder) => (number(folder, "cpu.cfs_quota_us")?, number(folder, "cpu.cfs_period_us")?),
            Self::V2(folder) => {
                let text = fs::read_to_string(folder.join("cpu.max")).ok()?;
                let (quota, period) = text.trim().split_once(' ')?;
                (quota.parse().ok()?, period.parse().ok()?)
            }
        };
        quota.checked_mul(1000)?.checked_div(period)
    }
}

/// The number in a file; `None` for "max", for −1 and where there is no such file.
fn number(folder: &Path, file: &str) -> Option<u64> {
    fs::read_to_string(folder.join(file)).ok()?.trim().parse().ok()
}

fn field(folder: &Path, file: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(folder.join(file)).ok()?;
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const V2: &str = "29 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate";
    const V1: &str = "30 25 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
                      31 25 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory";

    fn folders(groups: &[Group]) -> Vec<String> {
        let folder = |group: &Group| match group {
            Group::V1(folder) => format!("1 {}", folder.display()),
            Group::V2(folder) => format!("2 {}", folder.display()),
        };
        groups.iter().map(folder).collect()
    }

    #[test]
    fn a_group_and_all_above_it_limit_a_process() {
        let groups = groups_of("cpu", "0::/slurm/job_7/step_0\n", V2);
        let expected =
            ["slurm/job_7/step_0", "slurm/job_7", "slurm", ""].map(|path| format!("2 /sys/fs/cgroup/{path}"));
        assert_eq!(folders(&groups), expected);
        let own = "4:cpu,cpuacct:/job\n3:memory:/\n0::/\n";
        let expected = ["job", ""].map(|path| format!("1 /sys/fs/cgroup/cpu,cpuacct/{path}"));
        assert_eq!(folders(&groups_of("cpu", own, V1)), expected);
        assert_eq!(folders(&groups_of("memory", own, V1)), ["1 /sys/fs/cgroup/memory/"]);
    }

    #[test]
    fn a_container_sees_its_own_group_as_the_root() {
        let mounts = "30 25 0:27 /docker/abc /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu";
        assert_eq!(folders(&groups_of("cpu", "4:cpu:/docker/abc\n", mounts)), ["1 /sys/fs/cgroup/cpu/"]);
        let outside = groups_of("cpu", "4:cpu:/elsewhere\n", mounts);
        assert_eq!(folders(&outside), ["1 /sys/fs/cgroup/cpu/"]);
        assert!(groups_of("cpu", "nonsense\n", mounts).is_empty() && groups_of("cpu", "4:cpu:/x\n", "").is_empty());
    }

    #[test]
    fn limits_are_read_as_the_kernel_writes_them() {
        let folder = std::env::temp_dir().join(format!("seedstorm-cgroup-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let write = |file: &str, text: &str| fs::write(folder.join(file), text).unwrap();
        let (v1, v2) = (Group::V1(folder.clone()), Group::V2(folder.clone()));
        assert_eq!((v1.cpu_quota_milli(), v2.cpu_quota_milli(), v2.memory_left()), (None, None, None));
        write("cpu.max", "max 100000\n");
        assert_eq!(v2.cpu_quota_milli(), None);
        write("cpu.max", "250000 100000\n");
        assert_eq!(v2.cpu_quota_milli(), Some(2500));
        write("cpu.cfs_period_us", "100000\n");
        write("cpu.cfs_quota_us", "-1\n");
        assert_eq!(v1.cpu_quota_milli(), None);
        write("cpu.cfs_quota_us", "50000\n");
        assert_eq!(v1.cpu_quota_milli(), Some(500));
        write("memory.max", "1000\n");
        write("memory.current", "900\n");
        write("memory.stat", "anon 500\ninactive_file 300\n");
        assert_eq!(v2.memory_left(), Some(400));
        write("memory.max", "max\n");
        assert_eq!(v2.memory_left(), None);
        write("memory.limit_in_bytes", "9223372036854771712\n");
        write("memory.usage_in_bytes", "900\n");
        assert_eq!(v1.memory_left(), None);
        write("memory.limit_in_bytes", "100\n");
        assert_eq!(v1.memory_left(), Some(0));
        fs::remove_dir_all(&folder).unwrap();
    }
}
