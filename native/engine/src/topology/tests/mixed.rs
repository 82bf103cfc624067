//! A machine with everything that is rare: see `by-hand-hybrid-hbm-cxl.xml` in test/topologies/README.md.

use super::*;

fn machine() -> Topology {
    xml("by-hand-hybrid-hbm-cxl.xml")
}

#[test]
fn cores_of_two_kinds_are_told_apart() {
    let machine = machine();
    let speeds: Vec<_> = machine.core_kinds.iter().map(|kind| (kind.speed, kind.pus.len())).collect();
    assert_eq!(speeds, [(Some(0), 7), (Some(1), 16)]);
    let info = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(machine.core_kinds[0].infos, [info("CoreType", "IntelAtom"), info("FrequencyMaxMHz", "3000")]);
    let kinds: Vec<_> = machine.cores.iter().map(|core| core.kind.unwrap()).collect();
    assert_eq!(kinds, [1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0]);
}

#[test]
fn kinds_of_memory_are_told_apart_with_what_the_firmware_says_of_their_speed() {
    let machine = machine();
    let memory = |node: u32| {
        let node = machine.numa_node(node).unwrap();
        (node.kind.as_deref(), node.memory_bytes >> 30, node.bandwidth_mib_per_s, node.latency_ns)
    };
    assert_eq!(memory(0), (Some("DRAM"), 64, Some(120_000), Some(90)));
    assert_eq!(memory(1), (Some("HBM"), 16, Some(800_000), Some(110)));
    assert_eq!(memory(2), (None, 0, None, None));
    assert_eq!(memory(3), (Some("CXL-DRAM"), 256, Some(60_000), Some(250)));
}

#[test]
fn a_node_with_cpus_only_keeps_them_although_far_memory_is_local_to_all() {
    let machine = machine();
    let node = machine.numa_node(2).unwrap();
    assert_eq!((node.cpuset.clone(), node.package), ((12..23).collect::<Vec<u32>>(), Some(1)));
    assert!(machine.cores[8..].iter().all(|core| core.numa_node == Some(2) && core.numa_nodes == [2, 3]));
    assert!(machine.cores[..8].iter().all(|core| core.numa_node == Some(0) && core.numa_nodes == [0, 1, 3]));
}

#[test]
fn what_is_off_line_is_told_from_what_is_not_allowed() {
    let machine = machine();
    assert_eq!(machine.complete.pus, (0..24).collect::<Vec<u32>>());
    assert!(machine.pus.iter().all(|pu| pu.os_index != 23), "off-line");
    assert!(machine.pus.iter().any(|pu| pu.os_index == 3) && !machine.is_pu_allowed(3), "there, and not allowed");
}

#[test]
fn devices_are_near_to_a_package_or_to_none() {
    let machine = machine();
    let device = |name: &str| machine.devices.iter().find(|device| device.name == name).unwrap();
    let drive = device("nvme0n1");
    assert_eq!((drive.kind, drive.pci.as_deref()), (DeviceKind::Storage, Some("0000:01:00.0")));
    assert_eq!((drive.numa_nodes.as_slice(), drive.packages.as_slice()), ([0, 1, 3].as_slice(), [0].as_slice()));
    assert_eq!(drive.model.as_deref(), Some("Made-up NVMe 3.84 TB"));
    let adapter = device("mlx5_0");
    assert_eq!((adapter.kind, adapter.packages.as_slice()), (DeviceKind::OpenFabrics, [1].as_slice()));
    assert_eq!(adapter.numa_nodes, [2, 3], "its node has no memory and is near all the same");
    let nowhere = device("eth0");
    assert_eq!(
        (nowhere.numa_nodes.len(), nowhere.packages.as_slice(), nowhere.cpuset.len()),
        (4, [0, 1].as_slice(), 23)
    );
}
