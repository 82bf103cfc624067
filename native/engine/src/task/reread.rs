//! A place where a fault was found, looked at again: by the lane that found it, at once, and by anybody who asks later.
//! Only reached when something is wrong, so it may allocate. Must never decide what a fault is called.

use super::expected::diagnosis_of;
use super::findings::{Finding, FindingKind};
use super::shared::Sink;
use super::spec::{MAX_BLOCK_BYTES, Operation, TaskSpec};
use crate::clock::now_ns;
use crate::error::{Code, Error, Result};
use crate::sink::again::AgainFile;
use crate::sink::s3::StoreSink;

/// The most bytes that are read again where an object, or its end, was not there and now is.
const MAX_RETURNED_BYTES: u64 = 1 << 20;

/// How a place was read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// With O_DIRECT, or from a sink that has no cache.
    Direct,
    /// Through the page cache, which was asked to forget the place first.
    Cache,
}

/// What a second look saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Saw {
    /// The very same.
    Same,
    /// What should be there.
    Right,
    /// Something else that is wrong: its name as a finding.
    Other(&'static str),
    /// Nothing: the storage gave an error.
    Failed(String),
}

/// A second look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reread {
    /// How it was read.
    pub way: Way,
    /// What was seen.
    pub saw: Saw,
    /// When, by CLOCK_MONOTONIC in ns.
    pub read_at_ns: u64,
}

/// A place to look at again, as whoever found the fault tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Number of the object in the layout.
    pub object: u64,
    /// Where in the object, in bytes.
    pub offset: u64,
    /// How many bytes.
    pub length: u64,
    /// What was seen there ([`Finding::fingerprint`]).
    pub fingerprint: String,
}

impl Place {
    /// The place of a finding.
    pub fn of(finding: &Finding) -> Self {
        let Finding { object, offset_in_file: offset, length, ref fingerprint, .. } = *finding;
        Self { object, offset, length, fingerprint: fingerprint.clone() }
    }

    fn validate(&self, spec: &TaskSpec) -> Result<()> {
        let layout = &spec.layout;
        let is_there = self.object < layout.objects()
            && (self.length > 0 || layout.bytes_of(self.object) == 0)
            && self.offset.checked_add(self.length).is_some_and(|end| end <= layout.bytes_of(self.object));
        if is_there && self.bytes_to_read() <= MAX_BLOCK_BYTES as u64 {
            return Ok(());
        }
        let what = format!("no fault is at object {}, offset {}, length {}", self.object, self.offset, self.length);
        Err(Error::new(Code::InvalidArgument, what, "give a place that a finding names"))
    }

    /// Whether the object went on behind its end: where it ends is then to be looked at, and not what is in it.
    fn is_too_long(&self) -> bool {
        self.fingerprint.starts_with("has ")
    }

    /// All where there were bytes, so that they can be compared; the first of them where there was nothing.
    fn bytes_to_read(&self) -> u64 {
        let had_bytes = self.fingerprint.starts_with("bytes ");
        if had_bytes { self.length } else { self.length.min(MAX_RETURNED_BYTES) }
    }
}

/// What was seen at a place in one word, so that two readers need not send each other bytes to know that they saw the same.
pub(super) fn fingerprint_of(kind: &FindingKind, actual: &[u8]) -> String {
    match kind {
        FindingKind::Wrong(_) | FindingKind::Indeterminate { .. } => word_of(actual),
        FindingKind::Missing => "missing".to_owned(),
        FindingKind::Truncated { file_bytes } => format!("ends at {file_bytes}"),
        FindingKind::TooLong { file_bytes } => length_word(*file_bytes),
    }
}

/// The length of an object that is longer than it may be, in one word.
fn length_word(file_bytes: u64) -> String {
    format!("has {file_bytes}")
}

/// Bytes in one word.
fn word_of(bytes: &[u8]) -> String {
    format!("bytes {}", &blake3::hash(bytes).to_hex()[..32])
}

/// Looks at a place again, with nothing but the task that the place belongs to: no engine, no lanes. Calls the file
/// system, which may take its time. `None`: this sink cannot be looked at from here.
///
/// # Errors
/// Those of [`super::Task::prepare`]; [`Code::InvalidArgument`] for a place that the layout does not have.
pub fn look_again(spec: &TaskSpec, place: &Place) -> Result<Option<Reread>> {
    let spec = TaskSpec { operation: Operation::Verify, ..spec.clone() };
    spec.validate()?;
    place.validate(&spec)?;
    let sink = Sink::prepare(&spec)?;
    Ok(reread(&sink, &spec, place))
}

/// As [`look_again`], on a sink that is open.
pub(super) fn reread(sink: &Sink, spec: &TaskSpec, place: &Place) -> Option<Reread> {
    let object_start = spec.layout.units_of(place.object).start * spec.layout.unit_bytes();
    let judge = Judge { spec, object_start, sector_bytes: sink.sector_bytes(&spec.layout) };
    let mut way = Way::Direct;
    let saw = match sink {
        Sink::Objects(sink) => match sink.open_again(place.object) {
            Ok(Some(file)) => {
                let saw = in_file(&file, &judge, place);
                if !file.is_direct() {
                    way = Way::Cache;
                }
                saw
            }
            Ok(None) => Ok(same_or(place, "missing", "missing")),
            Err(error) => Err(error),
        },
        Sink::Memory(store) => {
            let mut bytes = vec![0; place.bytes_to_read() as usize];
            match store.read(object_start + place.offset, &mut bytes) {
                Ok(()) => Ok(judge.bytes(place, &bytes)),
                Err(_) => Ok(same_or(place, "missing", "missing")),
            }
        }
        Sink::Store(store) => in_store(store, &judge, place),
        Sink::Null => return None,
    };
    let saw = saw.unwrap_or_else(|error| Saw::Failed(error.what));
    Some(Reread { way, saw, read_at_ns: now_ns() })
}

fn in_file(file: &AgainFile, judge: &Judge<'_>, place: &Place) -> Result<Saw> {
    let length = place.bytes_to_read();
    if length == 0 || place.is_too_long() {
        return Ok(in_length(judge.spec, place, file.bytes()?));
    }
    let bytes = file.read(place.offset, length)?;
    if (bytes.len() as u64) < length {
        return Ok(same_or(place, &format!("ends at {}", file.bytes()?), "truncated"));
    }
    Ok(judge.bytes(place, &bytes))
}

/// What there is to say of an object's length alone.
fn in_length(spec: &TaskSpec, place: &Place, bytes: u64) -> Saw {
    match bytes {
        bytes if bytes > spec.layout.bytes_of(place.object) => same_or(place, &length_word(bytes), "too long"),
        bytes if bytes < spec.layout.bytes_of(place.object) => Saw::Other("truncated"),
        _ => Saw::Right,
    }
}

fn in_store(store: &StoreSink, judge: &Judge<'_>, place: &Place) -> Result<Saw> {
    let wanted = place.bytes_to_read();
    if wanted == 0 || place.is_too_long() {
        let length = store.length_again(place.object)?;
        return Ok(
            length.map_or_else(|| same_or(place, "missing", "missing"), |length| in_length(judge.spec, place, length))
        );
    }
    let Some(bytes) = store.read_again(place.object, place.offset, wanted)? else {
        return Ok(same_or(place, "missing", "missing"));
    };
    if (bytes.len() as u64) < wanted {
        let length = store.length_again(place.object)?.unwrap_or(0);
        return Ok(same_or(place, &format!("ends at {length}"), "truncated"));
    }
    Ok(judge.bytes(place, &bytes))
}

/// Knows what the bytes of an object must be.
struct Judge<'a> {
    spec: &'a TaskSpec,
    /// Where the object begins in the run's linear space, in bytes.
    object_start: u64,
    /// What the storage writes as a whole.
    sector_bytes: u64,
}

impl Judge<'_> {
    /// Compares the bytes of a place with what they must be, and with what was seen there before.
    fn bytes(&self, place: &Place, bytes: &[u8]) -> Saw {
        let Self { spec, object_start, sector_bytes } = *self;
        let offset = object_start + place.offset;
        if matches!(spec.content.compare(spec.generation, offset, bytes), Ok(None)) {
            return Saw::Right;
        }
        let faults = diagnosis_of(&spec.content, sector_bytes).run(spec.generation, offset, bytes);
        let other = faults.first().map_or("foreign", |fault| fault.kind.name());
        same_or(place, &word_of(bytes), other)
    }
}

fn same_or(place: &Place, fingerprint: &str, other: &'static str) -> Saw {
    if place.fingerprint == fingerprint { Saw::Same } else { Saw::Other(other) }
}
