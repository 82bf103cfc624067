//! What is known of a machine, and what happens to descriptions that are none.

use std::path::{Path, PathBuf};

mod export;
mod mixed;

use super::*;
use crate::error::Code;

fn machines() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../test/topologies")
}

/// Every machine that there is a file of.
fn files() -> Vec<PathBuf> {
    let all = std::fs::read_dir(machines()).unwrap().map(|entry| entry.unwrap().path());
    all.filter(|path| path.extension().is_some_and(|extension| extension == "xml")).collect()
}

fn xml(file: &str) -> Topology {
    Topology::load_with_devices(&TopologySource::XmlFile(machines().join(file))).unwrap()
}

fn synthetic(description: &str) -> Topology {
    Topology::load(&TopologySource::Synthetic(description.into())).unwrap()
}

/// A file that lives as long as the test.
struct Temporary(PathBuf);

impl Temporary {
    fn new(name: &str, content: &[u8]) -> Self {
        let path = std::env::temp_dir().join(format!("seedstorm-topology-{}-{name}", std::process::id()));
        std::fs::write(&path, content).unwrap();
        Self(path)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn an_epyc_node_is_known_down_to_its_caches() {
    let machine = xml("AMD-19h-Zen4-2xEpyc-9654.xml");
    assert!(!machine.is_this_machine);
    assert_eq!((machine.packages.len(), machine.numa_nodes.len()), (2, 2));
    assert_eq!((machine.cores.len(), machine.pus.len(), machine.allowed.pus.len()), (192, 384, 384));
    assert_eq!(machine.caches.iter().filter(|cache| cache.level == 3).count(), 24);
    assert_eq!(machine.l2_bytes_per_core(), Some(1 << 20));
    let core = &machine.cores[0];
    assert_eq!((core.pus.as_slice(), core.numa_node, core.package), ([0, 192].as_slice(), Some(0), Some(0)));
    assert_eq!(machine.caches[core.l3.unwrap()].pus.len(), 16);
    assert_eq!(machine.caches[core.l2.unwrap()].pus, [0, 192]);
    assert_eq!(machine.numa_nodes.iter().map(|node| node.package).collect::<Vec<_>>(), [Some(0), Some(1)]);
}

#[test]
fn dies_are_known_although_each_holds_just_one_l3() {
    let machine = xml("AMD-19h-Zen4-2xEpyc-9654.xml");
    assert_eq!((machine.dies.len(), machine.groups.len()), (24, 0));
    assert_eq!(machine.dies[12].cpuset, machine.caches[machine.cores[96].l3.unwrap()].pus);
    assert_eq!(machine.dies[12].package, Some(1));
    assert_eq!(machine.packages[1].model.as_deref(), Some("AMD EPYC 9654 96-Core Processor"));
}

#[test]
fn groups_of_packages_are_known_and_belong_to_no_package() {
    let machine = xml("192em64t-12gr2n8c2t.xml");
    assert_eq!(machine.groups.len(), 12);
    assert!(machine.groups.iter().all(|group| group.package.is_none() && group.cpuset.len() == 32));
    assert_eq!(machine.core_kinds, []);
}

#[test]
fn a_nic_is_known_with_the_node_it_is_near_to() {
    let machine = xml("192em64t-12gr2n8c2t.xml");
    let places: Vec<_> = machine
        .devices
        .iter()
        .map(|of| (of.name.as_str(), of.kind, of.numa_nodes.as_slice(), of.packages.clone()))
        .collect();
    use DeviceKind::{Network, OpenFabrics, Storage};
    let expected: [(&str, DeviceKind, &[u32], Vec<usize>); 10] = [
        ("eth0", Network, &[0], vec![0]),
        ("eth1", Network, &[0], vec![0]),
        ("sda", Storage, &[1], vec![1]),
        ("sdb", Storage, &[1], vec![1]),
        ("eth2", Network, &[4], vec![4]),
        ("eth3", Network, &[4], vec![4]),
        ("eth4", Network, &[4], vec![4]),
        ("eth5", Network, &[4], vec![4]),
        ("ib0", Network, &[6], vec![6]),
        ("mlx4_0", OpenFabrics, &[6], vec![6]),
    ];
    assert_eq!(places, expected);
    assert_eq!(machine.devices[8].pci.as_deref(), Some("0003:01:00.0"));
    assert_eq!(machine.devices[8].model.as_deref(), Some("MT27500 Family [ConnectX-3]"));
}

#[test]
fn distances_between_nodes_are_known_where_the_machine_tells_them() {
    let machine = xml("192em64t-12gr2n8c2t.xml");
    assert!(machine.numa_nodes.iter().all(|node| node.memory_bytes > 30 << 30));
    let distances = machine.distances.as_ref().unwrap();
    assert_eq!((distances.nodes.len(), distances.values.len()), (24, 24 * 24));
    let (here, there) = (distances.nodes[0], distances.nodes[23]);
    assert!(distances.between(here, here).unwrap() < distances.between(here, there).unwrap());
    assert_eq!(distances.between(here, 1000), None);
}

#[test]
fn a_node_whose_memory_is_off_limits_keeps_its_number_and_cpus() {
    let machine = xml("16amd64-8n2c-cpusets.xml");
    assert_eq!(machine.allowed.pus, [0, 1, 2, 3, 5, 6, 12, 13, 14, 15]);
    assert_eq!(machine.allowed.nodes, [1, 2, 3, 4, 5]);
    assert_eq!(machine.complete.pus, (0..16).collect::<Vec<u32>>());
    assert_eq!(machine.complete.nodes, (0..8).collect::<Vec<u32>>());
    let node = machine.numa_node(0).unwrap();
    assert_eq!((node.cpuset.as_slice(), node.memory_bytes), ([0, 1].as_slice(), 0));
    assert!(machine.numa_node(4).unwrap().cpuset.iter().all(|pu| !machine.is_pu_allowed(*pu)));
}

#[test]
fn this_machine_is_limited_to_what_the_process_may_use() {
    let machine = Topology::load(&TopologySource::ThisMachine).unwrap();
    assert!(machine.is_this_machine);
    assert_eq!(machine.allowed.pus, crate::cpuset::allowed_to_process().unwrap());
    assert!(machine.allowed.pus.iter().all(|pu| machine.pus.iter().any(|known| known.os_index == *pu)));
    assert!(!machine.allowed.nodes.is_empty());
}

#[test]
fn a_machine_that_tells_of_no_cores_has_one_for_every_pu() {
    let machine = synthetic("numa:2 pu:3");
    assert_eq!((machine.cores.len(), machine.pus.len()), (6, 6));
    assert!(machine.cores.iter().all(|core| core.pus.len() == 1));
}

#[test]
fn a_broken_xml_file_is_named_with_what_to_do() {
    let whole = std::fs::read_to_string(machines().join("16amd64-8n2c-cpusets.xml")).unwrap();
    let newer = whole.replacen("<topology version=\"2.0\">", "<topology version=\"3.0\">", 1);
    assert_ne!(newer, whole);
    let cases: [(&str, &[u8]); 7] = [
        ("empty", b""),
        ("text", b"not XML at all"),
        ("other-root", b"<?xml version=\"1.0\"?><plan></plan>"),
        ("truncated", &whole.as_bytes()[..whole.len() / 2]),
        ("newer", newer.as_bytes()),
        ("binary", &[0xff, 0xfe, 0x00, 0x81]),
        ("nul", b"<topology>\0</topology>"),
    ];
    for (name, content) in cases {
        let file = Temporary::new(name, content);
        let error = Topology::load(&TopologySource::XmlFile(file.0.clone())).unwrap_err();
        assert_eq!(error.code, Code::TopologyUnreadable, "{name}");
        assert!(error.what.contains(file.0.to_str().unwrap()), "{error}");
        assert_eq!(error.what.contains("hwloc 3"), name == "newer", "{error}");
    }
}

#[test]
fn a_missing_file_is_not_taken_for_a_broken_one() {
    let path = machines().join("no-such-machine.xml");
    let error = Topology::load(&TopologySource::XmlFile(path.clone())).unwrap_err();
    assert_eq!(error.code, Code::TopologyUnreadable);
    assert!(error.what.contains(path.to_str().unwrap()) && error.what.contains("No such file"), "{error}");
    let error = Topology::load(&TopologySource::XmlFile(machines())).unwrap_err();
    assert_eq!(error.code, Code::TopologyUnreadable);
}

#[test]
fn a_wrong_synthetic_description_is_repeated_in_the_error() {
    for description in ["", "nonsense", "core:0", "core:-1", "package:2 core", "pu:2 core:2", "core:2\0"] {
        let error = Topology::load(&TopologySource::Synthetic(description.into())).unwrap_err();
        assert_eq!(error.code, Code::TopologyUnreadable, "{description:?}");
        assert!(error.what.contains(&format!("\"{description}\"")), "{error}");
    }
}

#[test]
fn a_description_of_too_many_pus_is_refused_before_it_takes_all_memory() {
    let cases = [
        ("core:100000 pu:4", "400000"),
        (
            "package:99999999999 core:99999999999 pu:99999999999 pu:99999999999",
            "340282366920938463463374607431768211455",
        ),
        ("1000 1000", "1000000"),
        ("[numa(memory=1GB)] l3:200(size=1MB) pu:100", "20000"),
    ];
    for (description, pus) in cases {
        let error = Topology::load(&TopologySource::Synthetic(description.into())).unwrap_err();
        assert_eq!(error.code, Code::TopologyUnreadable);
        assert!(error.what.contains(&format!("it has {pus} PUs, and 16384 are the most")), "{error}");
    }
    let attributes = synthetic("package:2 [numa(memory=99999999999)] l3:2(size=4000000) pu:3");
    assert_eq!(attributes.pus.len(), 12, "sizes are no numbers of PUs");
}

#[test]
fn devices_are_looked_for_only_when_asked() {
    let source = TopologySource::XmlFile(machines().join("192em64t-12gr2n8c2t.xml"));
    let (bare, whole) = (Topology::load(&source).unwrap(), Topology::load_with_devices(&source).unwrap());
    assert_eq!((bare.devices.len(), whole.devices.len()), (0, 10));
    assert_eq!(Topology { devices: Vec::new(), ..whole }, bare);
}
