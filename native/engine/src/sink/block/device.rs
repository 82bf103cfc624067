//! What the system says of a block device: its number and name, its size and sectors, and what it is a part of. From
//! `/sys` alone, without udev. Must never know what is on it or who uses it.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, major, minor, stat};
use rustix::io::Errno;

use super::super::os_error::os_error;
use crate::error::{Code, Error, Result};

/// Sizes in `/sys` are in these, whatever the device's own sectors are.
const SYS_SECTOR_BYTES: u64 = 512;

/// Where the system tells about itself; another one only in tests.
#[derive(Clone, Debug)]
pub(super) struct System {
    pub(super) sys: PathBuf,
    pub(super) proc: PathBuf,
    /// The number of the block device at a path. `None`: there is none.
    pub(super) number_of: fn(&Path) -> Option<Number>,
}

impl Default for System {
    fn default() -> Self {
        Self { sys: "/sys".into(), proc: "/proc".into(), number_of: |path| block_number(path).ok().flatten() }
    }
}

/// What the kernel knows a device by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number {
    pub(super) major: u32,
    pub(super) minor: u32,
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.major, self.minor)
    }
}

/// A device, or one that shares its bytes, in `/sys`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    /// The kernel's name of it: `nvme0n1p2`.
    pub(super) name: String,
    pub(super) number: Number,
    pub(super) folder: PathBuf,
}

/// A block device.
#[derive(Clone, Debug)]
pub(super) struct Device {
    /// As the plan names it.
    pub(super) path: PathBuf,
    pub(super) node: Node,
    /// The disk, where the device is a partition of one.
    pub(super) disk: Option<Node>,
    /// Its own partitions.
    pub(super) partitions: Vec<Node>,
    pub(super) bytes: u64,
    /// What offsets and lengths of direct I/O must be multiples of.
    pub(super) logical_bytes: u64,
    /// What the device really writes at a time.
    pub(super) physical_bytes: u64,
    pub(super) is_read_only: bool,
}

impl Device {
    /// Looks at what is at `path`.
    ///
    /// # Errors
    /// [`Code::TargetMissing`], [`Code::DeviceUnfit`] when it is no block device or the system tells too little of it.
    pub(super) fn look(system: &System, path: &Path) -> Result<Self> {
        let number = match block_number(path) {
            Ok(Some(number)) => number,
            Ok(None) => return Err(no_block_device(path)),
            Err(Errno::NOENT | Errno::NOTDIR) => {
                return Err(Error::new(
                    Code::TargetMissing,
                    format!("the device {} does not exist", path.display()),
                    "attach the device to this host, or mend target.device in the plan",
                ));
            }
            Err(errno) => return Err(os_error("look at", path, errno)),
        };
        Self::of_number(system, path, number)
    }

    /// The device of a number. `path` is for messages.
    pub(super) fn of_number(system: &System, path: &Path, number: Number) -> Result<Self> {
        let link = system.sys.join(format!("dev/block/{number}"));
        let folder = fs::canonicalize(&link).map_err(|error| untold(path, &link, &error.to_string()))?;
        let node = node_in(folder).ok_or_else(|| untold(path, &link, "no device number"))?;
        let parent = node.folder.parent().filter(|_| node.folder.join("partition").exists());
        let disk = parent.and_then(|folder| node_in(folder.to_owned()));
        let queue = disk.as_ref().unwrap_or(&node).folder.join("queue");
        let wanted = |file: PathBuf| number_in(&file).ok_or_else(|| untold(path, &file, "no number"));
        let logical_bytes = wanted(queue.join("logical_block_size"))?;
        Ok(Self {
            path: path.to_owned(),
            bytes: wanted(node.folder.join("size"))? * SYS_SECTOR_BYTES,
            logical_bytes,
            physical_bytes: number_in(&queue.join("physical_block_size")).unwrap_or(logical_bytes),
            is_read_only: number_in(&node.folder.join("ro")) == Some(1),
            partitions: partitions_in(&node.folder),
            disk,
            node,
        })
    }

    /// The devices whose bytes are, in part or in whole, this one's.
    pub(super) fn relatives(&self) -> impl Iterator<Item = &Node> {
        std::iter::once(&self.node).chain(&self.disk).chain(&self.partitions)
    }
}

/// The number of a block device. `None`: something else is at this path.
fn block_number(path: &Path) -> std::result::Result<Option<Number>, Errno> {
    let status = stat(path)?;
    let is_device = FileType::from_raw_mode(status.st_mode).is_block_device();
    Ok(is_device.then(|| Number { major: major(status.st_rdev), minor: minor(status.st_rdev) }))
}

fn node_in(folder: PathBuf) -> Option<Node> {
    let (major, minor) = text_in(&folder.join("dev"))?.split_once(':').map(|(a, b)| (a.to_owned(), b.to_owned()))?;
    let name = folder.file_name()?.to_string_lossy().into_owned();
    Some(Node { name, number: Number { major: major.parse().ok()?, minor: minor.parse().ok()? }, folder })
}

fn partitions_in(folder: &Path) -> Vec<Node> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let folders = entries.flatten().map(|entry| entry.path()).filter(|path| path.join("partition").exists());
    let mut nodes: Vec<Node> = folders.filter_map(node_in).collect();
    nodes.sort_by_key(|node| node.number.minor);
    nodes
}

/// What a file of `/sys` says; nothing when it is not there, not readable or empty.
pub(super) fn text_in(file: &Path) -> Option<String> {
    let text = fs::read(file).ok()?;
    let text = String::from_utf8_lossy(&text).trim_matches(['\0', '\n', ' ']).to_owned();
    (!text.is_empty()).then_some(text)
}

pub(super) fn number_in(file: &Path) -> Option<u64> {
    text_in(file)?.parse().ok()
}

fn no_block_device(path: &Path) -> Error {
    let what = match stat(path).map(|status| FileType::from_raw_mode(status.st_mode)) {
        Ok(kind) if kind.is_file() => "a regular file",
        Ok(kind) if kind.is_dir() => "a folder",
        Ok(kind) if kind.is_char_device() => "a character device",
        _ => "something else",
    };
    Error::new(
        Code::DeviceUnfit,
        format!("{} is {what}, not a block device", path.display()),
        "give the path of a block device such as /dev/nvme0n1, or use target.kind: file for files",
    )
}

fn untold(path: &Path, file: &Path, why: &str) -> Error {
    Error::new(
        Code::DeviceUnfit,
        format!("the system tells too little of {}: {}: {why}", path.display(), file.display()),
        "let the agent see /sys as the host has it",
    )
}
