//! A finding as a plain value, with what it is in words.

use std::path::PathBuf;

use napi::bindgen_prelude::{BigInt, Uint8Array};
use napi_derive::napi;
use seedstorm_content::{FaultKind, Part, Place};
use seedstorm_engine::sink::folder_of_object;
use seedstorm_engine::task::{Finding, FindingKind, Reread, Saw, Way};

/// A place where the storage gave back something else than it was given.
#[napi(object, object_from_js = false)]
pub struct JsFinding {
    /// "bit flip", "zeroed", "stale", "misdirected", "torn", "foreign", "missing", "truncated", "too long" or "indeterminate".
    pub kind: String,
    /// Number of the object in the layout.
    pub object: f64,
    /// The object's path.
    pub path: String,
    /// Where in the object the fault begins, in bytes.
    pub offset: f64,
    /// Its length in bytes.
    pub length: f64,
    /// The unit that its first byte belongs to.
    pub unit: f64,
    /// The generation that was expected.
    pub generation: u32,
    /// More about it, for people.
    pub detail: String,
    /// Number of the lane that read it.
    pub lane: u32,
    /// When it was read, by the monotonic clock in ns.
    pub read_ns: BigInt,
    /// What was read, in a word: who reads the place again and makes the same word of it saw the same.
    pub fingerprint: String,
    /// What the same lane saw when it looked again at once; absent where the sink cannot be looked at again.
    pub again: Option<JsReread>,
    /// Its first bytes, where evidence is kept.
    pub actual: Option<Uint8Array>,
    /// What these should have been.
    pub expected: Option<Uint8Array>,
}

/// A second look at the place of a fault.
#[napi(object, object_from_js = false)]
pub struct JsReread {
    /// Whether it was read past every cache of this host; otherwise the page cache was asked to forget the place first.
    pub direct: bool,
    /// What was seen: "same", "right", "other" or "failed".
    pub saw: String,
    /// What "other" was, by its name as a finding, or how it "failed".
    pub detail: String,
    /// When, by the monotonic clock in ns.
    pub read_ns: BigInt,
}

pub(crate) fn reread_of(reread: Reread) -> JsReread {
    let (saw, detail) = match reread.saw {
        Saw::Same => ("same", String::new()),
        Saw::Right => ("right", String::new()),
        Saw::Other(kind) => ("other", kind.to_owned()),
        Saw::Failed(why) => ("failed", why),
    };
    JsReread {
        direct: reread.way == Way::Direct,
        saw: saw.to_owned(),
        detail,
        read_ns: BigInt::from(reread.read_at_ns),
    }
}

/// What a finding's path and offset start from.
pub enum Origin {
    /// Objects that have no place of their own.
    Nowhere,
    /// Files in the run's own folder of each path of the target.
    Folders(Vec<PathBuf>),
    /// The part of a device that begins at this offset, in bytes.
    Device(u64),
    /// Objects of a store whose paths begin so.
    Store(String),
}

pub(crate) fn finding_of(finding: Finding, origin: &Origin) -> JsFinding {
    let (path, start) = match origin {
        Origin::Nowhere => (PathBuf::from(&finding.file), 0),
        Origin::Folders(folders) => {
            let folder = folder_of_object(folders, finding.object);
            (folder.map_or_else(|| PathBuf::from(&finding.file), |folder| folder.join(&finding.file)), 0)
        }
        Origin::Device(start) => (PathBuf::from(&finding.file), *start),
        Origin::Store(root) => (PathBuf::from(format!("{root}{}", finding.file)), 0),
    };
    let (actual, expected) = finding.evidence.map(|kept| (kept.actual, kept.expected)).unzip();
    JsFinding {
        kind: finding.kind.name().to_owned(),
        object: finding.object as f64,
        path: path.to_string_lossy().into_owned(),
        offset: (start + finding.offset_in_file) as f64,
        length: finding.length as f64,
        unit: finding.unit as f64,
        generation: u32::from(finding.expected_generation),
        detail: detail_of(
            &finding.kind.behind(start),
            if matches!(origin, Origin::Store(_)) { "object" } else { "file" },
        ),
        lane: finding.lane as u32,
        read_ns: BigInt::from(finding.read_at_ns),
        fingerprint: finding.fingerprint,
        again: finding.again.map(reread_of),
        actual: actual.map(Into::into),
        expected: expected.map(Into::into),
    }
}

/// What a kind's name alone does not say. `what`: an object's name for people.
fn detail_of(kind: &FindingKind, what: &str) -> String {
    match kind {
        FindingKind::Wrong(kind) => detail_of_fault(kind),
        FindingKind::Truncated { file_bytes } | FindingKind::TooLong { file_bytes } => {
            format!("the {what} has {file_bytes} bytes")
        }
        FindingKind::Indeterminate { generation } => detail_of_fault(&FaultKind::Stale { generation: *generation }),
        FindingKind::Missing => String::new(),
    }
}

fn detail_of_fault(kind: &FaultKind) -> String {
    match kind {
        FaultKind::Stale { .. } | FaultKind::StaleRun { .. } | FaultKind::Misdirected(_) => {
            format!("it holds {}", held(kind))
        }
        FaultKind::BitFlip { first_byte_offset, .. } => {
            format!("{}, the first at offset {first_byte_offset}", held(kind))
        }
        FaultKind::Torn { parts, part_count } => {
            let mut parts: Vec<_> = parts.iter().map(part_of).collect();
            let others = part_count - parts.len();
            if others > 0 {
                parts.push(format!("{others} more parts"));
            }
            parts.join("; ")
        }
        FaultKind::Zeroed | FaultKind::Foreign => String::new(),
    }
}

fn part_of(part: &Part) -> String {
    let what = part.kind.as_ref().map_or_else(|| "right".to_owned(), held);
    format!("bytes {} to {}: {what}", part.offset, part.offset + part.length - 1)
}

/// What is there, in words that can stand in a list.
fn held(kind: &FaultKind) -> String {
    match kind {
        FaultKind::Stale { generation } => format!("generation {generation}"),
        FaultKind::StaleRun { run, place } => format!("{}, of earlier run {}", placed(place), run + 1),
        FaultKind::Misdirected(place) => placed(place),
        FaultKind::BitFlip { bits: 1, .. } => "1 bit differs".to_owned(),
        FaultKind::BitFlip { bits, .. } => format!("{bits} bits differ"),
        FaultKind::Zeroed => "zeros".to_owned(),
        FaultKind::Foreign | FaultKind::Torn { .. } => kind.name().to_owned(),
    }
}

fn placed(place: &Place) -> String {
    let Place { units, unit_count, offset_in_unit, generation } = place;
    let mut names: Vec<String> = units.iter().map(u64::to_string).collect();
    let others = unit_count - units.len() as u64;
    if others > 0 {
        names.push(format!("one of {others} others"));
    }
    format!("what belongs at byte {offset_in_unit} of unit {}, generation {generation}", names.join(" or "))
}
