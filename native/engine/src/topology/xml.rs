//! Looks an XML file over before hwloc reads it. hwloc takes on faith that objects have their sets and that sets nest,
//! and ends the process where they do not: a file that was cut, merged or edited must be an error instead.

use std::collections::BTreeSet;

mod tags;
#[cfg(test)]
mod tests;

use tags::{Tag, tags};

/// Types of objects that other objects hang below, by their CPUs.
const NORMAL: [&str; 14] = [
    "Machine", "Package", "Die", "Group", "Core", "PU", "L1Cache", "L2Cache", "L3Cache", "L4Cache", "L5Cache",
    "L1iCache", "L2iCache", "L3iCache",
];

/// Types of objects that are memory.
const MEMORY: [&str; 2] = ["NUMANode", "MemCache"];

/// Types of objects that have no CPUs of their own.
const OTHER: [&str; 4] = ["Bridge", "PCIDev", "OSDev", "Misc"];

/// Checks that this is an XML file of hwloc 2 whose objects are whole and nest.
///
/// # Errors
/// What is wrong, and in which line, to go on from "cannot be loaded: ".
pub(super) fn check(xml: &str) -> Result<(), String> {
    let mut walk = Walk::default();
    for found in tags(xml) {
        let checked = found.and_then(|tag| walk.step(&tag).map_err(|why| format!("line {}: {why}", tag.line)));
        checked.map_err(|why| if walk.is_newer { why } else { format!("{NOT_WHOLE} ({why})") })?;
    }
    let missing = match &walk {
        Walk { version: false, .. } => "it has no topology in it",
        Walk { open, .. } if !open.is_empty() => "it ends within an object",
        Walk { pus, .. } if pus.is_empty() => "it has no PU",
        Walk { nodes, .. } if nodes.is_empty() => "it has no NUMA node",
        Walk { nodes, named, .. } if nodes != named => "its NUMA nodes are not those of its machine",
        _ => return Ok(()),
    };
    Err(format!("{NOT_WHOLE} ({missing})"))
}

const NOT_WHOLE: &str = "it is not a whole XML file of hwloc 2";

/// Where the look over the file stands.
#[derive(Default)]
struct Walk {
    /// Whether the topology has begun.
    version: bool,
    /// Whether the file is of hwloc 3 or later.
    is_newer: bool,
    /// The objects that have begun and not ended, outermost first.
    open: Vec<Object>,
    /// Whether the outermost object has been seen.
    has_root: bool,
    pus: BTreeSet<u32>,
    nodes: BTreeSet<u32>,
    /// The NUMA nodes that the outermost object says there are.
    named: BTreeSet<u32>,
    /// The `gp_index` of every object.
    numbers: BTreeSet<u64>,
}

/// An object that has begun.
struct Object {
    kind: String,
    is_normal: bool,
    /// Its CPUs, those that are off-line too, and those of its children so far. Empty for objects without CPUs.
    cpuset: BTreeSet<u32>,
    complete: BTreeSet<u32>,
    taken: BTreeSet<u32>,
}

impl Object {
    /// Its CPUs are those of its children.
    fn end(self) -> Result<(), String> {
        let is_whole = !self.is_normal || self.kind == "PU" || self.cpuset == self.taken;
        if is_whole { Ok(()) } else { Err(format!("a {} without all of its PUs", self.kind)) }
    }
}

impl Walk {
    fn step(&mut self, tag: &Tag<'_>) -> Result<(), String> {
        match (tag.name, tag.is_end) {
            ("topology", false) => self.begin(tag),
            ("object", true) => match self.open.pop() {
                Some(object) => object.end(),
                None => Err("an object ends that did not begin".into()),
            },
            ("object", false) => {
                let object = self.object(tag)?;
                if tag.is_empty {
                    return object.end();
                }
                self.open.push(object);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn begin(&mut self, tag: &Tag<'_>) -> Result<(), String> {
        let version = tag.get("version").unwrap_or("1");
        let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
        self.is_newer = major.is_some_and(|major| major > 2);
        match major {
            Some(2) if !self.version => {
                self.version = true;
                Ok(())
            }
            Some(2) => Err("a second topology begins".into()),
            _ if self.is_newer => Err(format!("it was written by hwloc {version}, and files of hwloc 2 are read")),
            _ => Err("it was written by hwloc 1".into()),
        }
    }

    fn object(&mut self, tag: &Tag<'_>) -> Result<Object, String> {
        let kind = tag.get("type").ok_or("an object without type")?;
        if !self.version {
            return Err("an object before the topology".into());
        }
        let parent = self.open.last_mut();
        if parent.is_none() != (kind == "Machine") || (parent.is_none() && self.has_root) {
            return Err(format!("a {kind} where it cannot be"));
        }
        self.has_root = true;
        if let Some(number) = tag.get("gp_index") {
            let number = number.parse::<u64>().ok().filter(|number| *number > 0);
            if !number.is_some_and(|number| self.numbers.insert(number)) {
                return Err(format!("a {kind} whose gp_index is none, or another object's"));
            }
        }
        if OTHER.contains(&kind) {
            let none = BTreeSet::new;
            let kind = kind.to_owned();
            return Ok(Object { kind, is_normal: false, cpuset: none(), complete: none(), taken: none() });
        }
        let is_normal = NORMAL.contains(&kind);
        if !is_normal && !MEMORY.contains(&kind) {
            return Err(format!("an object of unknown type {kind}"));
        }
        let set = |name: &str| {
            let text = tag.get(name).ok_or_else(|| format!("a {kind} without {name}"))?;
            members(text).ok_or_else(|| format!("{name} {text:?} of a {kind} is no set"))
        };
        let (cpuset, complete) = (set("cpuset")?, set("complete_cpuset")?);
        let (nodeset, complete_nodes) = (set("nodeset")?, set("complete_nodeset")?);
        if kind == "Machine" {
            for (name, whole) in [("allowed_cpuset", &cpuset), ("allowed_nodeset", &nodeset)] {
                if tag.get(name).is_some() && !set(name)?.is_subset(whole) {
                    return Err(format!("a {kind} that does not have all of its {name}"));
                }
            }
            self.named = nodeset.clone();
        }
        let own = match kind {
            "PU" => Some((&cpuset, &mut self.pus)),
            "NUMANode" => Some((&nodeset, &mut self.nodes)),
            _ => None,
        };
        if let Some((set, known)) = own {
            let number = tag.get("os_index").and_then(|index| index.parse::<u32>().ok());
            let number = number.filter(|number| set.len() == 1 && set.contains(number));
            let number = number.ok_or_else(|| format!("a {kind} whose os_index is not its set"))?;
            if !known.insert(number) {
                return Err(format!("a second {kind} {number}"));
            }
        }
        if !cpuset.is_subset(&complete) || !nodeset.is_subset(&complete_nodes) {
            return Err(format!("a {kind} whose set is not inside its complete set"));
        }
        if !is_normal && parent.as_ref().is_none_or(|parent| cpuset != parent.cpuset) {
            return Err(format!("a {kind} whose CPUs are not those of the object around it"));
        }
        if let Some(parent) = parent.filter(|_| is_normal) {
            if !parent.is_normal || !cpuset.is_subset(&parent.cpuset) || !complete.is_subset(&parent.complete) {
                return Err(format!("a {kind} that is not inside the object around it"));
            }
            if !cpuset.is_disjoint(&parent.taken) {
                return Err(format!("a {kind} that shares CPUs with the object before it"));
            }
            parent.taken.extend(&cpuset);
        }
        Ok(Object { kind: kind.to_owned(), is_normal, cpuset, complete, taken: BTreeSet::new() })
    }
}

/// The members of a set as hwloc writes it: words of 32 bits in hexadecimal, the highest first, empty ones left out
/// (`0x00000080,,0x00000001`). `None` when it is not written so.
fn members(text: &str) -> Option<BTreeSet<u32>> {
    let mut all = BTreeSet::new();
    for (at, word) in text.rsplit(',').enumerate() {
        let bits = match word.strip_prefix("0x") {
            Some(digits) if digits.len() <= 8 => u32::from_str_radix(digits, 16).ok()?,
            None if word.is_empty() && at > 0 => 0,
            _ => return None,
        };
        let first = u32::try_from(at).ok()?.checked_mul(32)?;
        all.extend((0..32).filter(|bit| bits >> bit & 1 == 1).map(|bit| first + bit));
    }
    Some(all)
}
