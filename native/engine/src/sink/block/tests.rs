//! The look at a device, on machines that are folders: disks, partitions, mounts and whatever else the system tells of.

use std::fs;
use std::os::unix::fs::symlink;

use super::device::{Device, Number, System};
use super::identity::identity_of;
use super::look::{BlockPlace, BlockUse, look_in};
use super::users::users;
use super::*;

/// A machine as its kernel would tell of it; removed when it is dropped.
struct Machine {
    root: PathBuf,
}

impl Machine {
    /// One with two disks of 1 GiB: `sda` (8:0) with two partitions, and `nvme0n1` (259:0), which has a name.
    fn new(test: &str) -> Self {
        let root = std::env::temp_dir().join(format!("seedstorm-block-{}-{test}", std::process::id()));
        let machine = Self { root };
        machine.file("proc/sys/kernel/random/boot_id", "b007");
        machine.disk("sda", "8:0", 1 << 21);
        machine.partition("sda", "sda1", "8:1", 1, 2048, 1 << 20);
        machine.partition("sda", "sda2", "8:2", 2, 2048 + (1 << 20), 1 << 19);
        machine.disk("nvme0n1", "259:0", 1 << 21);
        machine.file("sys/devices/nvme0n1/wwid", "eui.0025");
        machine
    }

    fn file(&self, path: &str, text: &str) {
        let file = self.root.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, format!("{text}\n")).unwrap();
    }

    fn disk(&self, name: &str, number: &str, sectors: u64) {
        self.node(&format!("sys/devices/{name}"), name, number, sectors);
        self.file(&format!("sys/devices/{name}/queue/logical_block_size"), "512");
        self.file(&format!("sys/devices/{name}/queue/physical_block_size"), "4096");
        fs::create_dir_all(self.root.join("sys/block")).unwrap();
        symlink(format!("../devices/{name}"), self.root.join("sys/block").join(name)).unwrap();
    }

    fn partition(&self, disk: &str, name: &str, number: &str, index: u32, start: u64, sectors: u64) {
        let folder = format!("sys/devices/{disk}/{name}");
        self.node(&folder, name, number, sectors);
        self.file(&format!("{folder}/partition"), &index.to_string());
        self.file(&format!("{folder}/start"), &start.to_string());
    }

    fn node(&self, folder: &str, name: &str, number: &str, sectors: u64) {
        self.file(&format!("{folder}/dev"), number);
        self.file(&format!("{folder}/size"), &sectors.to_string());
        self.file(&format!("{folder}/ro"), "0");
        // Stands for the device: it holds its number, as the device itself has it.
        self.file(&format!("dev/{name}"), number);
        fs::create_dir_all(self.root.join(folder).join("holders")).unwrap();
        fs::create_dir_all(self.root.join("sys/dev/block")).unwrap();
        symlink(self.root.join(folder), self.root.join("sys/dev/block").join(number)).unwrap();
    }

    fn dev(&self, name: &str) -> String {
        self.root.join("dev").join(name).display().to_string()
    }

    fn system(&self) -> System {
        let number_of = |path: &Path| {
            let text = fs::read_to_string(path).ok()?;
            let (major, minor) = text.trim().split_once(':')?;
            Some(Number { major: major.parse().ok()?, minor: minor.parse().ok()? })
        };
        System { sys: self.root.join("sys"), proc: self.root.join("proc"), number_of }
    }

    fn device(&self, name: &str) -> Device {
        let system = self.system();
        let number = (system.number_of)(&self.root.join("dev").join(name)).unwrap();
        Device::of_number(&system, &Path::new("/dev").join(name), number).unwrap()
    }

    fn identity(&self, name: &str) -> Option<String> {
        identity_of(&self.system(), &self.device(name))
    }

    fn users(&self, name: &str) -> Vec<String> {
        users(&self.system(), &self.device(name))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

#[test]
fn size_and_sectors_of_a_partition_are_its_own_and_its_disks() {
    let device = Machine::new("sizes").device("sda2");
    assert_eq!((device.bytes, device.logical_bytes, device.physical_bytes), (256 << 20, 512, 4096));
    let names: Vec<_> = device.relatives().map(|node| node.name.as_str()).collect();
    assert_eq!(names, ["sda2", "sda"], "the partition beside it has no byte in common with it");
}

#[test]
fn a_device_that_nobody_uses_is_free() {
    let machine = Machine::new("free");
    machine.file("proc/self/mountinfo", "22 27 0:21 / /proc rw - proc proc rw\n23 27 253:7 / / rw - ext4 /dev/root rw");
    machine.file("proc/swaps", "Filename Type Size Used Priority\n/dev/zram0 partition 1 0 -2");
    for name in ["sda", "sda1", "nvme0n1"] {
        assert_eq!(machine.users(name), Vec::<String>::new());
    }
}

#[test]
fn a_mount_is_found_on_the_device_its_partitions_and_its_disk_and_nowhere_else() {
    let machine = Machine::new("mounts");
    machine.file("proc/self/mountinfo", "30 1 8:1 / /mnt/my\\040data rw,relatime shared:1 - ext4 /dev/x rw");
    assert_eq!(machine.users("sda1"), ["sda1 is mounted on /mnt/my data"]);
    assert_eq!(machine.users("sda"), ["sda1 is mounted on /mnt/my data"]);
    assert_eq!(machine.users("sda2"), Vec::<String>::new());
    machine.file("proc/self/mountinfo", "30 1 8:0 / /mnt rw - ext4 /dev/x rw");
    assert_eq!(machine.users("sda2"), ["sda is mounted on /mnt"]);
}

#[test]
fn a_btrfs_which_is_mounted_under_a_number_of_its_own_is_found_by_its_source() {
    let machine = Machine::new("btrfs");
    let source = machine.dev("nvme0n1");
    machine.file("proc/self/mountinfo", &format!("30 1 0:44 /sub /srv rw - btrfs {source} rw"));
    assert_eq!(machine.users("nvme0n1"), ["nvme0n1 is mounted on /srv"]);
}

#[test]
fn swap_volumes_and_loop_devices_on_it_are_users() {
    let machine = Machine::new("held");
    let text = format!("Filename Type Size Used Priority\n{} partition 1 0 -2", machine.dev("sda2"));
    machine.file("proc/swaps", &text);
    fs::create_dir_all(machine.root.join("sys/devices/sda/sda1/holders/dm-3")).unwrap();
    machine.disk("loop4", "7:4", 2048);
    machine.file("sys/devices/loop4/loop/backing_file", &machine.dev("nvme0n1"));
    assert_eq!(machine.users("sda"), ["sda2 is used as swap", "sda1 is held by dm-3"]);
    assert_eq!(machine.users("nvme0n1"), ["nvme0n1 is held by loop4"]);
}

#[test]
fn a_world_wide_name_is_the_identity_whatever_else_there_is() {
    let machine = Machine::new("wwid");
    machine.file("sys/devices/nvme0n1/serial", "S1");
    machine.file("sys/devices/sda/device/wwid", "t10.ATA     Disk   ZA01  ");
    assert_eq!(machine.identity("nvme0n1").unwrap(), "eui.0025");
    assert_eq!(machine.identity("sda").unwrap(), "t10.ATA_Disk_ZA01");
}

#[test]
fn a_partition_is_told_from_its_disk_from_its_sisters_and_from_its_own_copy() {
    let machine = Machine::new("partition");
    machine.file("sys/devices/sda/device/wwid", "naa.5000");
    assert_eq!(machine.identity("sda1").unwrap(), "naa.5000-part1@2048+1048576");
    assert_ne!(machine.identity("sda1"), machine.identity("sda2"));
}

#[test]
fn a_disk_that_says_nothing_of_itself_is_known_for_as_long_as_this_host_runs() {
    let machine = Machine::new("nameless");
    assert_eq!(machine.identity("sda"), None);
    machine.file("sys/devices/sda/diskseq", "9");
    assert_eq!(machine.identity("sda").unwrap(), "disk9@b007");
    machine.file("sys/devices/sda/serial", "");
    assert_eq!(machine.identity("sda").unwrap(), "disk9@b007", "an empty serial is none");
}

#[test]
fn a_makers_serial_number_is_the_same_on_hosts_that_call_the_disk_another_name() {
    let machine = Machine::new("serial");
    for (disk, number) in [("sdc", "8:32"), ("sdd", "8:48")] {
        machine.disk(disk, number, 2048);
        machine.file(&format!("sys/devices/{disk}/device/vendor"), "ATA     ");
        machine.file(&format!("sys/devices/{disk}/device/model"), "Great Disk");
        machine.file(&format!("sys/devices/{disk}/device/vpd_pg80"), "\0\0\0\u{8}  ZA0123");
        assert_eq!(machine.identity(disk).unwrap(), "scsi-ATA-Great_Disk-ZA0123");
    }
}

#[test]
fn what_another_host_may_have_as_well_holds_on_this_host_alone() {
    let machine = Machine::new("clones");
    let identity_with = |file: &str, text: &str| {
        machine.file(&format!("sys/devices/sda/{file}"), text);
        let identity = machine.identity("sda").unwrap();
        fs::remove_file(machine.root.join("sys/devices/sda").join(file)).unwrap();
        identity
    };
    assert_eq!(identity_with("device/wwid", "t10.ATA QEMU HARDDISK QM00001"), "t10.ATA_QEMU_HARDDISK_QM00001@b007");
    assert_eq!(identity_with("wwid", "nvme.1b36-6465-51454d55-00000001"), "nvme.1b36-6465-51454d55-00000001@b007");
    assert_eq!(identity_with("dm/uuid", "LVM-1234"), "uuid-LVM-1234@b007");
    assert_eq!(identity_with("dm/uuid", "mpath-3600508b1"), "mpath-3600508b1", "the name is the disk's");
    symlink("../../bus/virtio", machine.root.join("sys/devices/sda/device/subsystem")).unwrap();
    assert_eq!(identity_with("serial", "overlayblk"), "virtio-overlayblk@b007");
}

#[test]
fn two_loop_devices_on_parts_of_one_file_are_two_devices() {
    let machine = Machine::new("loops");
    for (name, number, offset) in [("loop0", "7:0", "0"), ("loop1", "7:1", "1048576")] {
        machine.disk(name, number, 2048);
        machine.file(&format!("sys/devices/{name}/diskseq"), "17");
        machine.file(&format!("sys/devices/{name}/loop/backing_file"), "/srv/a disk.img");
        machine.file(&format!("sys/devices/{name}/loop/offset"), offset);
        machine.file(&format!("sys/devices/{name}/loop/sizelimit"), "0");
    }
    assert_eq!(machine.identity("loop0").unwrap(), "loop-/srv/a_disk.img-disk17@b007");
    assert_eq!(machine.identity("loop1").unwrap(), "loop-/srv/a_disk.img[1048576+0]-disk17@b007");
}

/// What a plan wants of a device of which nothing is read.
const READ: BlockUse<'static> =
    BlockUse { writes: false, data_bytes: 1 << 20, unit_bytes: 1 << 20, block_bytes: 1 << 20, own: None };

#[test]
fn what_is_no_block_device_is_refused_by_its_name() {
    let machine = Machine::new("kinds");
    let look = |device: PathBuf| {
        let place = BlockPlace { device, offset: 0, bytes: None, identity: None };
        look_in(&machine.system(), &place, &READ).unwrap_err()
    };
    let error = look(machine.root.join("dev/sda"));
    assert_eq!(error.code, Code::DeviceUnfit);
    assert!(error.what.ends_with("is a regular file, not a block device"), "{}", error.what);
    assert!(look("/dev/null".into()).what.ends_with("is a character device, not a block device"));
    assert!(look(std::env::temp_dir()).what.ends_with("is a folder, not a block device"));
    assert_eq!(look(machine.root.join("dev/sdz")).code, Code::TargetMissing);
}
