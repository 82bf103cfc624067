//! What is exported loads elsewhere as the same machine.

use super::*;
use crate::placement::{PlacementOptions, place};

/// Exports, loads again, and compares all but the name; gives the machine as it was loaded first.
fn round_trip(name: &str, source: &TopologySource) -> Topology {
    let machine = Topology::load_with_devices(source).unwrap();
    let file = Temporary::new(name, Topology::export_xml(source).unwrap().as_bytes());
    let again = Topology::load_with_devices(&TopologySource::XmlFile(file.0.clone())).unwrap();
    let renamed = Topology { name: machine.name.clone(), is_this_machine: machine.is_this_machine, ..again };
    assert_eq!(renamed, machine);
    for options in [PlacementOptions::default(), PlacementOptions { smt: true, ..Default::default() }] {
        assert_eq!(place(&renamed, &options), place(&machine, &options));
    }
    machine
}

#[test]
fn this_machine_is_the_same_when_loaded_elsewhere() {
    assert!(round_trip("this", &TopologySource::ThisMachine).is_this_machine);
}

#[test]
fn machines_from_files_and_descriptions_are_the_same_when_loaded_again() {
    for file in files() {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        round_trip(&name, &TopologySource::XmlFile(file));
    }
    for description in ["pu:1", "package:2 numa:2 l3:2 core:4 pu:2", "group:3 package:2 numa:1 core:2 pu:1"] {
        round_trip("synthetic", &TopologySource::Synthetic(description.into()));
    }
}

#[test]
fn what_cannot_be_loaded_cannot_be_exported() {
    let error = Topology::export_xml(&TopologySource::Synthetic("castle:2".into())).unwrap_err();
    assert_eq!(error.code, Code::TopologyUnreadable);
}
