//! What a block device is known by wherever it is attached and whatever it is called there: one string that no other
//! device has. Must never know what is on the device.

use std::fs;

use super::device::{Device, Node, System, number_in, text_in};

/// What comes before the serial number in page 80h of a SCSI device's vital product data (SPC-4, 7.8.13).
const VPD_HEADER_BYTES: usize = 4;

/// How names begin, or what they contain, that emulators make up: the same in each virtual machine.
const MADE_UP: [&str; 6] = ["QEMU", "VBOX", "Virtual_disk", "nvme.1b36-", "nvme.80ee-", "eui.525400"];

/// The identity of a device; none when the system knows nothing that is the device's own.
///
/// For a disk, the first of these that the system knows: its world-wide name (`naa.…`, `eui.…`, `nvme.…`), the uuid of a
/// device-mapper or RAID device, the file behind a loop device, a serial number. Where another host may have another
/// device of the same name (clones of a volume or of a virtual machine, serial numbers from a hypervisor), the identity is
/// marked with this boot of this host, and holds no longer. So does the number that the kernel gives each disk as it
/// appears, for disks that say nothing of themselves. A partition has its disk's identity, its number and its place: a
/// partition's own uuid is copied with the disk.
pub(super) fn identity_of(system: &System, device: &Device) -> Option<String> {
    let Some(disk) = &device.disk else { return of_disk(system, &device.node) };
    let told = |name: &str| number_in(&device.node.folder.join(name));
    let (number, start, sectors) = (told("partition")?, told("start")?, told("size")?);
    Some(format!("{}-part{number}@{start}+{sectors}", of_disk(system, disk)?))
}

fn of_disk(system: &System, disk: &Node) -> Option<String> {
    let text = |name: &str| text_in(&disk.folder.join(name)).map(|text| word(&text));
    let here = |name: String| Some(format!("{name}@{}", boot(system)?));
    if let Some(name) = text("wwid").or_else(|| text("device/wwid")).or_else(|| serial_of_maker(disk)) {
        return if MADE_UP.iter().any(|part| name.contains(part)) { here(name) } else { Some(name) };
    }
    if let Some(uuid) = text("dm/uuid").or_else(|| text("md/uuid")) {
        // A path to a disk has the disk's own name.
        return if uuid.starts_with("mpath-") { Some(uuid) } else { here(format!("uuid-{uuid}")) };
    }
    let number = text("diskseq").map(|number| format!("disk{number}"));
    if let Some(behind) = of_loop(disk) {
        // What is attached again under the same name of a file may be another file.
        return here(number.map_or(behind.clone(), |number| format!("{behind}-{number}")));
    }
    let serial = text("serial").map(|serial| format!("{}-{serial}", bus_of(disk)));
    serial.or(number).and_then(here)
}

/// What the disk is attached by: `virtio`, `mmc`.
fn bus_of(disk: &Node) -> String {
    let bus = fs::read_link(disk.folder.join("device/subsystem")).ok();
    bus.and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned())).unwrap_or_else(|| "disk".to_owned())
}

/// What the maker of a disk without a world-wide name has given it: vendor, model and serial number of a SCSI or SATA disk,
/// the number of a memory card.
fn serial_of_maker(disk: &Node) -> Option<String> {
    if let Some(number) = text_in(&disk.folder.join("device/cid")) {
        return Some(format!("mmc-{}", word(&number)));
    }
    let page = fs::read(disk.folder.join("device/vpd_pg80")).ok()?;
    let serial = word(&String::from_utf8_lossy(page.get(VPD_HEADER_BYTES..)?));
    let text = |name: &str| text_in(&disk.folder.join("device").join(name)).map(|text| word(&text));
    (!serial.is_empty()).then_some(format!("scsi-{}-{}-{serial}", text("vendor")?, text("model")?))
}

/// What a loop device stands for: the file, and the part of it where it is not all.
fn of_loop(disk: &Node) -> Option<String> {
    let file = text_in(&disk.folder.join("loop/backing_file"))?;
    let part = |name: &str| number_in(&disk.folder.join("loop").join(name)).unwrap_or(0);
    let part = match (part("offset"), part("sizelimit")) {
        (0, 0) => String::new(),
        (offset, bytes) => format!("[{offset}+{bytes}]"),
    };
    Some(format!("loop-{}{part}", word(&file)))
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
