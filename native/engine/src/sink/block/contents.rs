//! What is on a block device: file systems, RAID members, volumes and partition tables, which the system's own `blkid`
//! knows, and behind it whatever is not zeros where such things have their marks. Must never know who uses the device.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use rustix::io::Errno;
use seedstorm_content::{Content, Fault, FaultKind};

use super::device::Device;
use crate::error::Result;
use crate::memory::{LaneBuffer, Wish};
use crate::sink::os_error::os_error;
use crate::task::FIRST_OVERWRITE;

/// More than the logical sector of any device that Linux drives: what a buffer for direct I/O is aligned to.
const MAX_SECTOR_BYTES: usize = 64 << 10;

/// How much is looked at from each end, in bytes: file systems, volume managers and partition tables have their first
/// or their spare marks within it.
const EDGE_BYTES: u64 = 1 << 20;

/// The grain of what is told apart: data of other generations may lie side by side with it.
const SECTOR_BYTES: usize = 512;

/// Where `blkid` is for users whose path leaves out the system's folders.
const BLKID: [&str; 3] = ["/usr/sbin/blkid", "/sbin/blkid", "blkid"];

/// What the run itself may have left on the device.
#[derive(Clone, Copy, Debug)]
pub struct Own<'a> {
    /// The run's content function.
    pub content: &'a Content,
    /// The last generation that may be there.
    pub generation: u16,
}

/// What stands at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edge {
    /// Zeros.
    Empty,
    /// Zeros and data of this very run, or of an earlier one with its seed and namespace.
    Own,
    /// Something else, from this offset on.
    Unknown { offset: u64 },
}

/// What is on the device, in words that follow “there is”; none when it is empty, or holds nothing but `own` data.
/// `part` is what the run uses of it, in bytes.
pub(super) fn found(device: &Device, file: &File, part: &Range<u64>, own: Option<Own<'_>>) -> Result<Option<String>> {
    let mut buffer = LaneBuffer::aligned(EDGE_BYTES as usize, MAX_SECTOR_BYTES, Wish::ANYWHERE)?;
    let edge = edges(file, device, part, own, buffer.as_mut_slice()).map_err(|error| {
        let errno = Errno::from_io_error(&error).unwrap_or(Errno::IO);
        os_error("look at what is on", &device.path, errno)
    })?;
    // Data of one's own may look like anything by chance, and once it was let through nothing else is left there.
    if edge == Edge::Own && part.start == 0 {
        return Ok(None);
    }
    let known = match blkid(&device.path) {
        Ok(known) => known,
        Err(error) => {
            return Ok(Some(format!("nobody who knows what is on it: blkid could not be asked ({error})")));
        }
    };
    let unknown = match edge {
        Edge::Unknown { offset } => {
            Some(format!("data of unknown origin on it, an earlier run's or somebody's, first at offset {offset}"))
        }
        Edge::Empty | Edge::Own => None,
    };
    Ok(known.or(unknown))
}

/// What stands at both ends of the device and of the part of it that is used.
fn edges(file: &File, device: &Device, part: &Range<u64>, own: Option<Own<'_>>, buffer: &mut [u8]) -> io::Result<Edge> {
    let mut edge = Edge::Empty;
    for Range { start, end } in [0..device.bytes, part.clone()] {
        let length = EDGE_BYTES.min(end - start);
        for at in [start, end - length] {
            let bytes = &mut buffer[..length as usize];
            file.read_exact_at(bytes, at)?;
            match sectors(bytes, at, part, own) {
                Edge::Empty => {}
                Edge::Own => edge = Edge::Own,
                unknown @ Edge::Unknown { .. } => return Ok(unknown),
            }
        }
    }
    Ok(edge)
}

/// What these bytes are that stand at `offset` of the device.
fn sectors(bytes: &[u8], offset: u64, part: &Range<u64>, own: Option<Own<'_>>) -> Edge {
    let mut edge = Edge::Empty;
    for (index, sector) in bytes.chunks(SECTOR_BYTES).enumerate() {
        if sector.iter().all(|byte| *byte == 0) {
            continue;
        }
        let at = offset + (index * SECTOR_BYTES) as u64;
        let is_own = |own: Own<'_>| {
            part.contains(&at)
                && ((0..=own.generation)
                    .rev()
                    .any(|generation| own.content.compare(generation, at - part.start, sector) == Ok(None))
                    || is_overwritten(&own, at - part.start, sector))
        };
        if !own.is_some_and(is_own) {
            return Edge::Unknown { offset: at };
        }
        edge = Edge::Own;
    }
    edge
}

/// Whether a sector holds what belongs there of a generation beyond those of whole writes: single blocks were overwritten.
fn is_overwritten(own: &Own<'_>, offset: u64, sector: &[u8]) -> bool {
    let faults = own.content.diagnose(own.generation, offset, sector);
    matches!(&faults[..], [Fault { kind: FaultKind::Stale { generation }, .. }] if *generation >= FIRST_OVERWRITE)
}

/// What the system knows on the device; none when it knows nothing there.
///
/// By the command and not by libblkid, whose bindings need a C parser at build time; it comes with `mount` in util-linux.
fn blkid(path: &Path) -> io::Result<Option<String>> {
    let ask = |program| Command::new(program).args(["-p", "-o", "export", "--"]).arg(path).output();
    let answers = BLKID.iter().map(ask);
    let answer = answers.reduce(|found, next| found.or(next)).expect("there is more than one place to look");
    let answer = answer?;
    match answer.status.code() {
        Some(0) => Ok(in_words(&String::from_utf8_lossy(&answer.stdout))),
        Some(2) if answer.stderr.is_empty() => Ok(None),
        // Several things at once.
        Some(8) => Ok(Some("more than one file system, volume or partition table on it".into())),
        _ => Err(io::Error::other(String::from_utf8_lossy(&answer.stderr).trim().to_owned())),
    }
}

/// From blkid's `KEY=value` lines to words; none when they tell only of the device itself and of its place in the table of
/// the disk that it is a part of.
fn in_words(answer: &str) -> Option<String> {
    let is_of_the_device = |line: &str| line.starts_with("DEVNAME=") || line.starts_with("PART_ENTRY_");
    if answer.lines().all(|line| line.is_empty() || is_of_the_device(line)) {
        return None;
    }
    let value = |key: &str| answer.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    let label = value("LABEL").map(|label| format!(" “{label}”")).unwrap_or_default();
    Some(match (value("TYPE"), value("USAGE"), value("PTTYPE")) {
        (Some(kind), Some("filesystem"), _) => format!("a file system on it: {kind}{label}"),
        (Some(kind), Some("raid"), _) => format!("a member of a RAID or volume group on it: {kind}{label}"),
        (Some(kind), _, _) => format!("something on it: {kind}{label}"),
        (None, _, Some(kind)) => format!("a partition table on it: {kind}"),
        (None, ..) => "something on it that blkid knows".into(),
    })
}

#[cfg(test)]
mod tests {
    use seedstorm_content::Parameters;

    use super::*;

    fn content(seed: u64) -> Content {
        Content::new(&Parameters { seed, ..Parameters::default() }).unwrap()
    }

    #[test]
    fn data_of_this_run_is_told_from_anybody_elses() {
        let (own, other) = (content(1), content(2));
        let part = 8192..1 << 30;
        let judge = |bytes: &[u8], offset| sectors(bytes, offset, &part, Some(Own { content: &own, generation: 3 }));
        let mut bytes = vec![0; 4096];
        assert_eq!(judge(&bytes, 8192), Edge::Empty);
        for generation in [0, 3] {
            own.fill(generation, 4096, &mut bytes).unwrap();
            assert_eq!(judge(&bytes, 8192 + 4096), Edge::Own);
        }
        own.fill(2, 4096, &mut bytes[..1024]).unwrap();
        assert_eq!(judge(&bytes, 8192 + 4096), Edge::Own, "a write of the next generation may have got this far");
        assert_eq!(judge(&bytes, 8192), Edge::Unknown { offset: 8192 }, "it belongs elsewhere");
        own.fill(4, 4096, &mut bytes).unwrap();
        assert_eq!(judge(&bytes, 8192 + 4096), Edge::Unknown { offset: 8192 + 4096 });
        other.fill(0, 4096, &mut bytes[3584..]).unwrap();
        own.fill(0, 4096, &mut bytes[..3584]).unwrap();
        assert_eq!(judge(&bytes, 8192 + 4096), Edge::Unknown { offset: 8192 + 4096 + 3584 });
    }

    #[test]
    fn what_lies_outside_of_the_part_in_use_is_never_taken_for_ones_own() {
        let own = content(1);
        let mut bytes = vec![0; 4096];
        own.fill(0, 0, &mut bytes).unwrap();
        let edge = sectors(&bytes, 0, &(4096..8192), Some(Own { content: &own, generation: 0 }));
        assert_eq!(edge, Edge::Unknown { offset: 0 });
    }

    #[test]
    fn what_blkid_says_becomes_words() {
        let words = |answer| in_words(answer).unwrap();
        assert_eq!(
            words("DEVNAME=/dev/loop0\nLABEL=data\nUUID=1\nTYPE=ext4\nUSAGE=filesystem\n"),
            "a file system on it: ext4 “data”"
        );
        assert_eq!(words("TYPE=LVM2_member\nUSAGE=raid\n"), "a member of a RAID or volume group on it: LVM2_member");
        assert_eq!(words("PTUUID=1\nPTTYPE=gpt\n"), "a partition table on it: gpt");
        assert_eq!(words("TYPE=swap\nUSAGE=other\n"), "something on it: swap");
        assert_eq!(words("TYPE=crypto_LUKS\nUSAGE=crypto\n"), "something on it: crypto_LUKS");
    }

    #[test]
    fn an_empty_partition_is_empty_although_blkid_knows_its_place_on_the_disk() {
        assert_eq!(in_words("DEVNAME=/dev/sda1\nPART_ENTRY_SCHEME=gpt\nPART_ENTRY_NUMBER=1\n"), None);
        assert!(in_words("DEVNAME=/dev/sda1\nPART_ENTRY_NUMBER=1\nTYPE=xfs\nUSAGE=filesystem\n").is_some());
        assert!(in_words("DEVNAME=/dev/sda1\nSBMAGIC=x\n").is_some(), "what is not understood is not nothing");
    }
}
