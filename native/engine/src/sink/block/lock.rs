//! One run at a time on a device, as far as one host can see: all tasks of a run share a lock, and whoever comes from
//! another run is told which one has it. Held while a task lives; a process that dies lets go. Must never know of lanes.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;

use super::device::Number;
use crate::error::{Code, Error, Result};

/// Where locks of devices are by custom (FHS 3.0, 3.15.3), and gone after the host boots.
pub(super) const FOLDER: &str = "/run/lock";

/// The longest name of a run that is read.
const MAX_OWNER_BYTES: u64 = 1024;

/// For how long another task of the same run may be at the moment in which it writes its name.
const PATIENCE: Duration = Duration::from_secs(2);

/// For how long a name may be that of a run which lets go at this moment.
const LEAVING: Duration = Duration::from_millis(50);

/// A hold on a device.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

/// Takes part in the hold of the run `owner` on a device. `Ok(Err)`: why this host knows no locks, for people.
///
/// # Errors
/// [`Code::TargetLocked`] when another run has it.
pub(super) fn lock(
    folder: &Path,
    device: &Path,
    number: Number,
    owner: &str,
) -> Result<std::result::Result<Lock, String>> {
    let path = folder.join(format!("seedstorm-block-{}-{}", number.major, number.minor));
    match open(&path) {
        Ok(file) => hold(file, device, owner),
        Err(error) => Ok(Err(format!("{}: {error}", path.display()))),
    }
}

fn open(path: &PathBuf) -> std::io::Result<File> {
    let nofollow = OFlags::NOFOLLOW.bits() as i32;
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o666).custom_flags(nofollow).open(path)
}

fn hold(mut file: File, device: &Path, owner: &str) -> Result<std::result::Result<Lock, String>> {
    let began = Instant::now();
    loop {
        let outcome = match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            // Nobody has it. To share it now is not one step with this: whoever comes between finds our name.
            Ok(()) => write_owner(&mut file, owner)
                .and_then(|()| Ok(flock(&file, FlockOperation::NonBlockingLockShared)?))
                .and_then(|()| read_owner(&mut file)),
            Err(Errno::WOULDBLOCK) => match flock(&file, FlockOperation::NonBlockingLockShared) {
                Ok(()) => read_owner(&mut file),
                Err(errno) => Err(errno.into()),
            },
            Err(errno) => Err(errno.into()),
        };
        match outcome {
            Ok(has) if has == owner => return Ok(Ok(Lock { _file: file })),
            // It may have let go between the two attempts, and left its name.
            Ok(_) if began.elapsed() < LEAVING => drop(flock(&file, FlockOperation::Unlock)),
            Ok(has) => return Err(locked(device, &has)),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock && began.elapsed() < PATIENCE => {}
            Err(error) => return Ok(Err(error.to_string())),
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn write_owner(file: &mut File, owner: &str) -> std::io::Result<()> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(owner.as_bytes())
}

fn read_owner(file: &mut File) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.take(MAX_OWNER_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn locked(device: &Path, owner: &str) -> Error {
    Error::new(
        Code::TargetLocked,
        format!("{} is used by another run on this host: {owner}", device.display()),
        "wait until that run has ended, or choose another device",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const DISK: Number = Number { major: 8, minor: 0 };

    /// A folder for locks, for one test.
    fn with_folder(test: &str, body: impl FnOnce(&Path)) {
        let folder = std::env::temp_dir().join(format!("seedstorm-lock-{}-{test}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        body(&folder);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    fn take(folder: &Path, owner: &str) -> Result<Lock> {
        lock(folder, Path::new("/dev/sda"), DISK, owner).map(|lock| lock.unwrap())
    }

    #[test]
    fn tasks_of_one_run_share_a_device_and_another_run_is_told_whose_it_is() {
        with_folder("shared", |folder| {
            let (first, second) = (take(folder, "run-1").unwrap(), take(folder, "run-1").unwrap());
            drop(first);
            let error = take(folder, "run-2").unwrap_err();
            assert_eq!(error.code, Code::TargetLocked);
            assert_eq!(error.what, "/dev/sda is used by another run on this host: run-1");
            drop(second);
            let third = take(folder, "run-2").unwrap();
            assert!(take(folder, "run-1").is_err());
            drop(third);
        });
    }

    #[test]
    fn tasks_of_one_run_that_come_at_once_all_get_it() {
        with_folder("at-once", |folder| {
            std::thread::scope(|scope| {
                let tasks: Vec<_> = (0..16).map(|_| scope.spawn(|| take(folder, "run-1"))).collect();
                let locks: Vec<_> = tasks.into_iter().map(|task| task.join().unwrap().unwrap()).collect();
                assert_eq!(locks.len(), 16);
            });
        });
    }

    #[test]
    fn another_device_is_another_lock_and_a_host_without_locks_says_so() {
        with_folder("apart", |folder| {
            let _held = take(folder, "run-1").unwrap();
            let other = Number { major: 8, minor: 16 };
            assert!(lock(folder, Path::new("/dev/sdb"), other, "run-2").unwrap().is_ok());
            assert!(lock(&folder.join("none"), Path::new("/dev/sda"), DISK, "run-2").unwrap().is_err());
        });
    }
}
