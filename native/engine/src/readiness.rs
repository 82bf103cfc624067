//! What this host lets a process do that drives storage hard: how many files it may open, how much memory it may lock, and
//! which of the kernel's ways of asynchronous I/O are open to it. Only looks; must never know of plans or tasks.

use std::fs;
use std::path::Path;

use io_uring::IoUring;
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

/// A limit of this process. `None`: there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// What holds now.
    pub soft: Option<u64>,
    /// What it may raise the limit to by itself.
    pub hard: Option<u64>,
}

/// What this host allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Readiness {
    /// How many files may be open (`ulimit -n`).
    pub open_files: Limit,
    /// How many bytes of memory may be locked (`ulimit -l`), of no meaning to those who may lock without limit.
    pub locked_memory_bytes: Limit,
    /// Why io_uring cannot be used, where it cannot.
    pub no_io_uring: Option<String>,
    /// Why Linux AIO cannot be used, where it cannot.
    pub no_linux_aio: Option<String>,
    /// How many more I/Os Linux AIO takes from the whole host, where it tells.
    pub linux_aio_left: Option<u64>,
}

/// Looks at this process and its host, by trying where there is no other way to know.
pub fn readiness() -> Readiness {
    Readiness {
        open_files: limit(Resource::Nofile),
        locked_memory_bytes: limit(Resource::Memlock),
        no_io_uring: no_io_uring(),
        no_linux_aio: no_linux_aio(),
        linux_aio_left: linux_aio_left(),
    }
}

fn limit(resource: Resource) -> Limit {
    let limit = getrlimit(resource);
    Limit { soft: limit.current, hard: limit.maximum }
}

fn no_io_uring() -> Option<String> {
    let error = IoUring::new(1).err()?;
    let disabled = fs::read_to_string("/proc/sys/kernel/io_uring_disabled").ok();
    Some(why_no_io_uring(Errno::from_io_error(&error).unwrap_or(Errno::IO), disabled.as_deref().map(str::trim)))
}

/// `disabled`: what `kernel.io_uring_disabled` says, where there is such a setting.
fn why_no_io_uring(errno: Errno, disabled: Option<&str>) -> String {
    match (errno, disabled) {
        (Errno::NOSYS, _) => "this kernel has none, or a seccomp filter hides it".into(),
        (Errno::PERM | Errno::ACCESS, Some("2")) => "kernel.io_uring_disabled is 2, which forbids it to all".into(),
        (Errno::PERM | Errno::ACCESS, Some("1")) => {
            "kernel.io_uring_disabled is 1, which forbids it to all but kernel.io_uring_group".into()
        }
        (Errno::PERM | Errno::ACCESS, _) => "a seccomp filter, such as a container's, forbids it".into(),
        (Errno::NOMEM, _) => "its ring does not fit the limit of locked memory (ulimit -l)".into(),
        (errno, _) => errno.to_string(),
    }
}

fn no_linux_aio() -> Option<String> {
    let mut context: libc::c_ulong = 0;
    // SAFETY: io_setup writes one word to the address given, which is that of a local variable.
    let made = unsafe { libc::syscall(libc::SYS_io_setup, 1, &raw mut context) };
    if made != 0 {
        return Some(match Errno::from_io_error(&std::io::Error::last_os_error()) {
            Some(Errno::AGAIN) => "fs.aio-max-nr is used up on this host".into(),
            Some(Errno::NOSYS) => "this kernel has none, or a seccomp filter hides it".into(),
            errno => errno.map_or_else(|| "unknown error".to_owned(), |errno| errno.to_string()),
        });
    }
    // SAFETY: the context was made just now and nothing was submitted to it.
    unsafe { libc::syscall(libc::SYS_io_destroy, context) };
    None
}

fn linux_aio_left() -> Option<u64> {
    let number = |name: &str| fs::read_to_string(Path::new("/proc/sys/fs").join(name)).ok()?.trim().parse::<u64>().ok();
    Some(number("aio-max-nr")?.saturating_sub(number("aio-nr")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_forbids_io_uring_is_named_so_that_it_can_be_mended() {
        assert!(why_no_io_uring(Errno::PERM, Some("2")).contains("io_uring_disabled is 2"));
        assert!(why_no_io_uring(Errno::PERM, Some("1")).contains("io_uring_group"));
        assert!(why_no_io_uring(Errno::PERM, Some("0")).contains("seccomp"));
        assert!(why_no_io_uring(Errno::PERM, None).contains("seccomp"), "kernels before 6.6 know no such setting");
        assert!(why_no_io_uring(Errno::NOSYS, None).contains("kernel"));
        assert!(why_no_io_uring(Errno::NOMEM, Some("0")).contains("ulimit -l"));
    }

    #[test]
    fn the_limits_are_those_of_this_process() {
        let told = fs::read_to_string("/proc/self/limits").unwrap();
        let line = told.lines().find(|line| line.starts_with("Max open files")).unwrap();
        let soft = line.split_whitespace().nth(3).unwrap();
        let text = readiness().open_files.soft.map_or_else(|| "unlimited".into(), |limit| limit.to_string());
        assert_eq!(text, soft);
    }
}
