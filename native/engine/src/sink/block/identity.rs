//! What a block device is known by wherever it is attached and whatever it is called there: one string that no other
//! device has. Must never know what is on the device.

use std::fs;

use super::device::{Device, Node, System, number_in, text_in};

/// What comes before the serial number in page 80h of a SCSI device's vital product data (SPC-4, 7.8.13).
const VPD_HEADER_BYTES: usize = 4;

/// The identity of a device; none when the system knows nothing that is the device's own.
///
/// For a disk, the first of these that the system knows: its world-wide name (`naa.…`, `eui.…`, `nvme.…`), the uuid of a
/// device-mapper or RAID device, a serial number under the driver that tells it. Loop devices have what they stand for,
/// and disks that say nothing of themselves the number that the kernel gives each disk that appears; both hold on one
/// host until it boots again, and are marked with that boot. A partition has its disk's identity, its number and its
/// place: a partition's own uuid is copied with the disk.
pub(super) fn identity_of(system: &System, device: &Device) -> Option<String> {
    let Some(disk) = &device.disk else { return of_disk(system, &device.node) };
    let told = |name: &str| number_in(&device.node.folder.join(name));
    let (number, start, sectors) = (told("partition")?, told("start")?, told("size")?);
    Some(format!("{}-part{number}@{start}+{sectors}", of_disk(system, disk)?))
}

fn of_disk(system: &System, disk: &Node) -> Option<String> {
    let text = |name: &str| text_in(&disk.folder.join(name)).map(|text| word(&text));
    let bus = bus_of(disk);
    let named = |serial: String| format!("{bus}-{serial}");
    text("wwid")
        .or_else(|| text("device/wwid"))
        .or_else(|| text("dm/uuid").map(|uuid| format!("dm-{uuid}")))
        .or_else(|| text("md/uuid").map(|uuid| format!("md-{uuid}")))
        .or_else(|| of_loop(system, disk))
        .or_else(|| text("serial").map(named))
        .or_else(|| text("device/cid").map(named))
        .or_else(|| scsi_serial(disk).map(named))
        .or_else(|| Some(format!("disk{}@{}", text("diskseq")?, boot(system)?)))
}

/// What the disk is attached by: `virtio`, `scsi`. Its own name would not do, for it is another one on another host.
fn bus_of(disk: &Node) -> String {
    let bus = fs::read_link(disk.folder.join("device/subsystem")).ok();
    bus.and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned())).unwrap_or_else(|| "disk".to_owned())
}

/// Vendor, model and serial number of a SCSI or SATA disk without a world-wide name.
fn scsi_serial(disk: &Node) -> Option<String> {
    let page = fs::read(disk.folder.join("device/vpd_pg80")).ok()?;
    let serial = word(&String::from_utf8_lossy(page.get(VPD_HEADER_BYTES..)?));
    let text = |name: &str| text_in(&disk.folder.join("device").join(name)).map(|text| word(&text));
    (!serial.is_empty()).then_some(format!("{}-{}-{serial}", text("vendor")?, text("model")?))
}

/// What a loop device stands for: the file, and the part of it where it is not all.
fn of_loop(system: &System, disk: &Node) -> Option<String> {
    let file = text_in(&disk.folder.join("loop/backing_file"))?;
    let part = |name: &str| number_in(&disk.folder.join("loop").join(name)).unwrap_or(0);
    let part = match (part("offset"), part("sizelimit")) {
        (0, 0) => String::new(),
        (offset, bytes) => format!("[{offset}+{bytes}]"),
    };
    Some(format!("loop-{}{part}@{}", word(&file), boot(system)?))
}

/// This boot of this host.
fn boot(system: &System) -> Option<String> {
    text_in(&system.proc.join("sys/kernel/random/boot_id"))
}

/// Without what would not survive a plan: runs of blanks are one underscore, as udev has them.
fn word(text: &str) -> String {
    text.split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("_")
}
