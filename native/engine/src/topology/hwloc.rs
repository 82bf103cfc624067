//! Opens a machine with hwloc, and writes it as XML: sources, refusals, limits. What is inside is copied by `copy`.
//!
//! Everything is loaded, what is not allowed too, so that a node whose memory is off limits is still known by number.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use hwlocality::cpu::cpuset::CpuSet;
use hwlocality::object::types::ObjectType;
use hwlocality::topology::builder::{BuildFlags, TopologyBuilder, TypeFilter};
use hwlocality::topology::editor::AllowSet;
use hwlocality::topology::export::xml::XMLExportFlags;

use super::TopologySource;
use crate::apart;
use crate::error::{Code, Error, Result};

/// The largest XML file that is read; real machines of 1,000 PUs need about 1 MiB.
const MAX_XML_BYTES: u64 = 64 << 20;

/// The largest machine that is made from a description: hwloc takes 3 s for it, and four times that for twice as many
/// PUs. Linux knows at most 8,192.
const MAX_DESCRIBED_PUS: u128 = 16_384;

/// Parts of hwloc that start the drivers of GPUs or ask a display: nobody here asks for GPUs, and a driver may take
/// seconds to start.
const COMPONENTS_LEFT_OUT: [&str; 6] = ["cuda", "gl", "levelzero", "nvml", "opencl", "rsmi"];

/// Whether hwloc looks for network and storage devices.
#[derive(Clone, Copy)]
pub(super) enum Devices {
    /// It does.
    Loaded,
    /// It does not.
    LeftOut,
}

/// The machine of this source, with what is not allowed.
pub(super) fn open(source: &TopologySource, devices: Devices) -> Result<hwlocality::Topology> {
    let builder = builder(source, devices)?;
    let refused = || unreadable(&name(source), why(source), mend(source));
    let builder = match source {
        TopologySource::ThisMachine => builder,
        TopologySource::XmlFile(path) => {
            let xml = read_xml(path)?;
            if xml.contains("<topology version=\"3") {
                return Err(unreadable(&name(source), "it was written by hwloc 3, and hwloc 2 reads it", mend(source)));
            }
            builder.from_xml(&xml).map_err(|_| refused())?
        }
        TopologySource::Synthetic(description) => {
            let pus = described_pus(description);
            if pus > MAX_DESCRIBED_PUS {
                let why = format!("it has {pus} PUs, and {MAX_DESCRIBED_PUS} are the most");
                return Err(unreadable(&name(source), &why, "describe a smaller machine"));
            }
            builder.from_synthetic(description).map_err(|_| refused())?
        }
    };
    builder.build().map_err(|_| refused())
}

fn builder(source: &TopologySource, devices: Devices) -> Result<TopologyBuilder> {
    let defect =
        |error: &dyn std::fmt::Display| unreadable(&name(source), &error.to_string(), "report this as a defect");
    let mut builder = TopologyBuilder::new()
        .with_flags(BuildFlags::INCLUDE_DISALLOWED)
        .map_err(|error| defect(&error))?
        // By default a die that is all of its package, or no more than an L3, would be left out.
        .with_type_filter(ObjectType::Die, TypeFilter::KeepAll)
        .map_err(|error| defect(&error))?;
    if let Devices::LeftOut = devices {
        return Ok(builder);
    }
    builder = builder.with_io_type_filter(TypeFilter::KeepImportant).map_err(|error| defect(&error))?;
    for component in COMPONENTS_LEFT_OUT {
        // hwloc refuses to leave out what it was built without, and the builder is then gone.
        if TopologyBuilder::new().without_component(component).is_ok() {
            builder = builder.without_component(component).map_err(|error| defect(&error))?;
        }
    }
    Ok(builder)
}

/// The machine as XML of hwloc 2, with the process's affinity among its limits.
pub(super) fn export(source: &TopologySource) -> Result<String> {
    let refused = |error: &dyn std::fmt::Display| {
        unreadable(&name(source), &format!("hwloc cannot write it as XML: {error}"), mend(source))
    };
    let mut machine = open(source, Devices::Loaded)?;
    if machine.is_this_system() {
        let mut usable = CpuSet::new();
        let limits = machine.allowed_cpuset();
        affinity()?.into_iter().map(|pu| pu as usize).filter(|pu| limits.is_set(*pu)).for_each(|pu| usable.set(pu));
        if limits != usable {
            let usable = AllowSet::Custom { cpuset: Some(&usable), nodeset: None };
            machine.edit(|editor| editor.allow(usable)).map_err(|error| refused(&error))?;
        }
    }
    let xml = machine.export_xml(XMLExportFlags::empty()).map_err(|error| refused(&error))?;
    Ok(xml.as_str().to_owned())
}

/// How many PUs a synthetic description means: the product of the numbers of its levels. What stands in brackets is
/// attributes, or hangs beside the levels.
fn described_pus(description: &str) -> u128 {
    let mut depth = 0_usize;
    let levels: String = description
        .chars()
        .map(|letter| {
            depth += usize::from(matches!(letter, '(' | '['));
            let is_level = depth == 0;
            depth = depth.saturating_sub(usize::from(matches!(letter, ')' | ']')));
            if is_level { letter } else { ' ' }
        })
        .collect();
    let number_of = |level: &str| level.rsplit(':').next().and_then(|number| number.parse::<u128>().ok());
    levels.split_whitespace().filter_map(number_of).fold(1, u128::saturating_mul)
}

/// What a refusal of hwloc means: its own error is no more than "invalid argument".
fn why(source: &TopologySource) -> &'static str {
    match source {
        TopologySource::ThisMachine => "hwloc cannot make sense of it",
        TopologySource::XmlFile(_) => "it is not a whole XML file of hwloc 2",
        TopologySource::Synthetic(_) => "it is not a synthetic description of hwloc",
    }
}

fn mend(source: &TopologySource) -> &'static str {
    match source {
        TopologySource::ThisMachine => "run `lstopo` to see what hwloc says of this machine",
        TopologySource::XmlFile(_) => XML_MEND,
        TopologySource::Synthetic(_) => "write it as hwloc does, for example \"package:2 numa:1 core:8 pu:2\"",
    }
}

const XML_MEND: &str = "export the machine again: seedstorm topology --export machine.xml";

/// The name of a machine from this source, for messages.
pub(super) fn name(source: &TopologySource) -> String {
    match source {
        TopologySource::ThisMachine => "this machine".into(),
        TopologySource::XmlFile(path) => path.display().to_string(),
        TopologySource::Synthetic(description) => format!("\"{description}\""),
    }
}

fn unreadable(name: &str, why: &str, mend: &str) -> Error {
    Error::new(Code::TopologyUnreadable, format!("the topology of {name} cannot be loaded: {why}"), mend)
}

/// The file is read here and not by hwloc, to tell a missing file from a broken one.
fn read_xml(path: &Path) -> Result<String> {
    let shown = path.display().to_string();
    let refused = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::InvalidData => unreadable(&shown, "it is not text", XML_MEND),
        _ => unreadable(&shown, &error.to_string(), "check the path and its rights"),
    };
    let mut xml = String::new();
    File::open(path).map_err(refused)?.take(MAX_XML_BYTES + 1).read_to_string(&mut xml).map_err(refused)?;
    if xml.len() as u64 > MAX_XML_BYTES {
        return Err(unreadable(&shown, "it is larger than 64 MiB", XML_MEND));
    }
    if xml.trim().is_empty() {
        return Err(unreadable(&shown, "it is empty", XML_MEND));
    }
    Ok(xml)
}

/// OS indexes of the PUs that the process may run on: hwloc honours the cgroup's cpuset but not the process's own
/// affinity (`taskset`, Slurm's binding).
pub(super) fn affinity() -> Result<Vec<u32>> {
    apart::allowed().map_err(|error| {
        unreadable(
            "this machine",
            &format!("the affinity of the process cannot be read: {error}"),
            "allow the system call sched_getaffinity",
        )
    })
}
