//! Copies out network and storage devices, and which part of the machine each is near to.

use hwlocality::object::TopologyObject;
use hwlocality::object::attributes::ObjectAttributes;
use hwlocality::object::types::{OSDeviceType, ObjectType};

use super::copy::{Positions, info, pus, text};
use super::{Device, DeviceKind, NumaNode};

/// The devices that data may go through, in hwloc's order. What hwloc knows no place of is near to the whole machine.
pub(super) fn devices(machine: &hwlocality::Topology, nodes: &[NumaNode], positions: &Positions) -> Vec<Device> {
    machine.os_devices().filter_map(|object| device(object, nodes, positions)).collect()
}

fn device(object: &TopologyObject, nodes: &[NumaNode], positions: &Positions) -> Option<Device> {
    let Some(ObjectAttributes::OSDevice(attributes)) = object.attributes() else { return None };
    let kind = match attributes.device_type() {
        OSDeviceType::Network => DeviceKind::Network,
        OSDeviceType::OpenFabrics => DeviceKind::OpenFabrics,
        OSDeviceType::Storage => DeviceKind::Storage,
        _ => return None,
    };
    let place = object.first_non_io_ancestor()?;
    let cpuset = pus(place);
    let bus = object.first_ancestor_with_type(ObjectType::PCIDevice);
    let model = info(object, c"Model").or_else(|| info(bus?, c"PCIDevice"));
    Some(Device {
        name: text(object.name()?)?,
        kind,
        model,
        pci: bus.and_then(pci_address),
        numa_nodes: nodes_at(place, &cpuset, nodes),
        packages: packages_at(place, positions),
        cpuset,
    })
}

/// `0000:01:00.0`: domain, bus, device and function.
fn pci_address(bus: &TopologyObject) -> Option<String> {
    let Some(ObjectAttributes::PCIDevice(pci)) = bus.attributes() else { return None };
    Some(format!("{:04x}:{:02x}:{:02x}.{:x}", pci.domain(), pci.bus_id(), pci.bus_device(), pci.function()))
}

/// The nodes of a place: those that hwloc names, and those without memory of their own whose PUs are there.
fn nodes_at(place: &TopologyObject, cpuset: &[u32], nodes: &[NumaNode]) -> Vec<u32> {
    let named = place.nodeset();
    let is_there = |node: &&NumaNode| {
        let inside = || node.cpuset.iter().all(|pu| cpuset.binary_search(pu).is_ok());
        named.is_some_and(|named| named.is_set(node.os_index as usize)) || (!node.cpuset.is_empty() && inside())
    };
    let mut numbers: Vec<u32> = nodes.iter().filter(is_there).map(|node| node.os_index).collect();
    numbers.sort_unstable();
    numbers
}

/// The package around a place, else all packages in it.
fn packages_at(place: &TopologyObject, positions: &Positions) -> Vec<usize> {
    match positions.package_of(place) {
        Some(package) => vec![package],
        None => positions.packages_inside(place),
    }
}
