//! Who has a block device in use: mounts, swap, devices that are built on it, and whoever else the kernel knows to hold
//! it. Must never know what is on the device, nor decide whether that matters.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;

use super::super::os_error::os_error;
use super::device::{Device, Node, System};
use crate::error::Result;

/// For how long the kernel may say that the device is held before that is believed: other agents of this host, which
/// look at the device in the same moment, hold it for a moment too.
const PATIENCE: Duration = Duration::from_secs(2);

/// Who uses the device, one of its partitions or the disk that it is a part of; one clause each.
pub(super) fn users(system: &System, device: &Device) -> Vec<String> {
    let mut users = mounts(system, device);
    users.extend(swaps(system, device));
    for node in device.relatives() {
        users.extend(holders(node).map(|holder| format!("{} is held by {holder}", node.name)));
    }
    users.extend(loops(system, device));
    users
}

/// Asks the kernel for the device alone, and gives it back at once. `false`: somebody has it.
///
/// It is not kept: all agents of a host write to the device at the same time.
pub(super) fn can_be_claimed(path: &Path) -> Result<bool> {
    let began = Instant::now();
    loop {
        match openat(CWD, path, OFlags::RDONLY | OFlags::EXCL | OFlags::CLOEXEC, Mode::empty()) {
            Ok(_) => return Ok(true),
            Err(Errno::INTR) => {}
            Err(Errno::BUSY) if began.elapsed() > PATIENCE => return Ok(false),
            Err(Errno::BUSY) => thread::sleep(Duration::from_millis(20)),
            Err(errno) => return Err(os_error("open", path, errno)),
        }
    }
}

/// By number, and by source for file systems that are mounted under a number of their own, such as Btrfs.
fn mounts(system: &System, device: &Device) -> Vec<String> {
    let text = fs::read_to_string(system.proc.join("self/mountinfo")).unwrap_or_default();
    let mut found = Vec::new();
    for line in text.lines() {
        let Some((before, after)) = line.split_once(" - ") else { continue };
        let mut before = before.split(' ').skip(2);
        let (Some(number), Some(point)) = (before.next(), before.nth(1)) else { continue };
        let source = after.split(' ').nth(1).map(unescaped).unwrap_or_default();
        let source = source.starts_with('/').then(|| (system.number_of)(Path::new(&source))).flatten();
        let is_it = |node: &&Node| node.number.to_string() == number || Some(node.number) == source;
        if let Some(node) = device.relatives().find(is_it) {
            found.push(format!("{} is mounted on {}", node.name, unescaped(point)));
        }
    }
    found.dedup();
    found
}

fn swaps(system: &System, device: &Device) -> Vec<String> {
    let text = fs::read_to_string(system.proc.join("swaps")).unwrap_or_default();
    let paths = text.lines().skip(1).filter_map(|line| line.split_whitespace().next()).map(unescaped);
    let numbers: Vec<_> = paths.filter_map(|path| (system.number_of)(Path::new(&path))).collect();
    let used = device.relatives().filter(|node| numbers.contains(&node.number));
    used.map(|node| format!("{} is used as swap", node.name)).collect()
}

/// Devices that are built on it, as those of device-mapper and RAID.
fn holders(node: &Node) -> impl Iterator<Item = String> + use<> {
    let entries = fs::read_dir(node.folder.join("holders"));
    entries.into_iter().flatten().flatten().map(|entry| entry.file_name().to_string_lossy().into_owned())
}

/// Loop devices on top of it: the kernel does not count these as holders.
fn loops(system: &System, device: &Device) -> Vec<String> {
    let entries = fs::read_dir(system.sys.join("block")).into_iter().flatten().flatten();
    let backing = |folder: &Path| super::device::text_in(&folder.join("loop/backing_file"));
    let mut found: Vec<String> = entries
        .filter_map(|entry| {
            let number = (system.number_of)(Path::new(&backing(&entry.path())?))?;
            let node = device.relatives().find(|node| node.number == number)?;
            Some(format!("{} is held by {}", node.name, entry.file_name().to_string_lossy()))
        })
        .collect();
    found.sort();
    found
}

/// Blanks in these files are written as `\040`.
fn unescaped(text: &str) -> String {
    let mut parts = text.split('\\');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) if byte.is_ascii() => {
                out.push(byte as char);
                out.push_str(&part[3..]);
            }
            _ => {
                out.push('\\');
                out.push_str(part);
            }
        }
    }
    out
}
