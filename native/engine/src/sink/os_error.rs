//! What an errno of the operating system means to a user: which code, what happened to which path, what to do next.
//! The one place where an errno becomes an [`Error`].

use std::path::Path;

use rustix::io::Errno;

use crate::error::{Code, Error, ErrorKind};

/// An error of the operating system while it did `what` ("write 4096 bytes at offset 0 of") to `path`.
pub(crate) fn os_error(what: &str, path: &Path, errno: Errno) -> Error {
    let (code, mend) = match errno {
        Errno::NOSPC if makes_name(what) => {
            (Code::DiskFull, "free space or inodes on it (df, df -i), or make fewer and smaller files")
        }
        Errno::NOSPC => (Code::DiskFull, "free space on it, or make the data smaller"),
        Errno::MLINK => (Code::Io, "put fewer directories into one: set target.tree.branching"),
        Errno::NOENT if makes_name(what) => {
            (Code::Io, "look for who removed the directory that it is to be in: it is the run's own")
        }
        Errno::DQUOT => (Code::DiskFull, "raise the quota of this user, or make the data smaller"),
        Errno::ACCESS | Errno::PERM | Errno::ROFS => {
            (Code::TargetNotWritable, "give this user the right to it, or choose another target")
        }
        Errno::LOOP => (Code::Io, "remove the symbolic link: objects are never reached through one"),
        Errno::MFILE | Errno::NFILE => (Code::Io, "raise the limit of open files (ulimit -n), or sync per file"),
        Errno::FBIG => (Code::Io, "use more files, so that each is shorter, or raise the limit of a file's size"),
        Errno::IO => (Code::Io, "look at this host's kernel log for the device or the server behind it"),
        Errno::STALE | Errno::NOTCONN | Errno::TIMEDOUT => (Code::Io, "look whether the file server still answers"),
        _ => (Code::Io, "look at this host's kernel log and at the file system"),
    };
    Error::new(code, format!("could not {what} {}: {}", path.display(), text(errno)), mend).about(kind_of(what), path)
}

/// Whether what was attempted makes a name.
fn makes_name(what: &str) -> bool {
    matches!(what, "mkdir" | "create" | "rename")
}

/// The kind of what was attempted, by its first word.
fn kind_of(what: &str) -> ErrorKind {
    match what.split(' ').next() {
        Some("read") => ErrorKind::Read,
        Some("stat") => ErrorKind::Stat,
        Some("list") => ErrorKind::List,
        Some("mkdir") => ErrorKind::Mkdir,
        Some("rename") => ErrorKind::Rename,
        Some("write") => ErrorKind::Write,
        Some("sync" | "close") => ErrorKind::Sync,
        Some("remove") => ErrorKind::Delete,
        _ => ErrorKind::Open,
    }
}

/// The system's words for an errno, without Rust's "(os error N)" behind it.
pub(crate) fn text(errno: Errno) -> String {
    let text = std::io::Error::from(errno).to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_and_a_full_quota_are_told_from_a_broken_disk() {
        let code = |errno| os_error("write to", Path::new("/target/f00000000"), errno).code;
        assert_eq!(code(Errno::NOSPC), Code::DiskFull);
        assert_eq!(code(Errno::DQUOT), Code::DiskFull);
        assert_eq!(code(Errno::IO), Code::Io);
        assert_eq!(code(Errno::ROFS), Code::TargetNotWritable);
    }

    #[test]
    fn an_error_is_counted_under_what_was_attempted_and_at_the_object() {
        let kind = |what| os_error(what, Path::new("/t/f00000001"), Errno::IO).about.unwrap().kind;
        assert_eq!(kind("write 4096 bytes at offset 8192 of"), ErrorKind::Write);
        assert_eq!((kind("read 1 bytes at offset 0 of"), kind("stat")), (ErrorKind::Read, ErrorKind::Stat));
        assert_eq!(
            (kind("mkdir"), kind("create"), kind("rename"), kind("list")),
            (ErrorKind::Mkdir, ErrorKind::Open, ErrorKind::Rename, ErrorKind::List)
        );
        assert_eq!(
            (kind("sync"), kind("sync the folder"), kind("close")),
            (ErrorKind::Sync, ErrorKind::Sync, ErrorKind::Sync)
        );
        assert_eq!(
            (kind("remove"), kind("open"), kind("make the folder")),
            (ErrorKind::Delete, ErrorKind::Open, ErrorKind::Open)
        );
        assert_eq!(
            os_error("open", Path::new("/t/f00000001"), Errno::IO).about.unwrap().path,
            Path::new("/t/f00000001")
        );
    }

    #[test]
    fn the_message_names_what_was_done_to_which_path_and_why_it_failed() {
        let error = os_error("write 4096 bytes at offset 8192 of", Path::new("/t/f00000001"), Errno::IO);
        assert_eq!(error.what, "could not write 4096 bytes at offset 8192 of /t/f00000001: Input/output error");
    }
}
