//! What a task is to do, and whether that makes sense. Must never touch the sink or the engine.

use std::collections::HashSet;
use std::sync::Arc;

use seedstorm_content::Content;

use super::claims::Claims;
use super::errors::ErrorLimits;
use super::pacer::Rate;
use super::range::RangeSpec;
use super::replay::{Overwrites, Replays};
use crate::classes::{Class, OperationKind};
use crate::error::{Code, Error, Result};
use crate::io::IoEngine;
use crate::layout::Layout;
use crate::sink::{Direct, SinkSpec, SyncPolicy};

/// The most claims in one range: what they cost is a bit or two each, 64 MiB in all.
const MAX_CLAIMS: u64 = 1 << 28;

/// The most bytes of a claim: what one lane works on at a time.
const MAX_CLAIM_BYTES: u64 = 4 << 30;

/// The largest block: far beyond what storage takes in one piece.
pub(super) const MAX_BLOCK_BYTES: usize = 1 << 30;

/// The smallest block: the sector of storage.
const MIN_BLOCK_BYTES: usize = 512;

/// The most blocks that a lane keeps in flight.
pub const MAX_QUEUE_DEPTH: usize = 1024;

/// The most memory of one lane's blocks: what the kernel registers in one piece.
const MAX_BUFFER_BYTES: usize = 1 << 30;

/// Memory of each block begins at a multiple of this: enough for O_DIRECT anywhere.
const SLOT_ALIGN: usize = 4096;

/// What a task does with its units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Makes their bytes in the lanes' buffers and drops them; the sink has no part in it.
    Generate,
    /// Makes their bytes and writes them to the sink.
    Write,
    /// Reads them from the sink without looking at what they are.
    Read,
    /// Reads them and compares each byte with what it must be.
    Verify,
    /// Reads, verifies and overwrites single blocks of them, in an order of its own.
    Mixed,
    /// Removes their objects. An object belongs to the range that holds its first unit.
    Delete,
    /// Asks for the length of each object by its name. An object belongs to the range that holds its first unit.
    Stat,
    /// Reads the folders that their objects are in. A folder belongs to the range that holds the first unit of its objects.
    List,
    /// Makes the directories of a tree; they belong to ranges as for a list.
    Mkdir,
    /// Creates the files of a tree and writes their bytes.
    Create,
    /// Gives the files of a tree their next names.
    Rename,
}

impl Operation {
    /// Whether it changes what is on the sink, so that there is something to sync.
    pub(super) fn writes(self) -> bool {
        matches!(self, Self::Write | Self::Mixed)
    }
}

/// What a task is to do.
#[derive(Clone)]
pub struct TaskSpec {
    /// What it does with its units.
    pub operation: Operation,
    /// The content function of the run; its unit must be the layout's.
    pub content: Arc<Content>,
    /// The generation that is written, or expected; where blocks were overwritten, that of the last write of all units.
    pub generation: u16,
    /// What overwrote parts of the data, for a verify, and what is to, for a mixed task. `None`: nothing.
    pub overwrites: Option<Arc<Overwrites>>,
    /// Where units are.
    pub layout: Layout,
    /// Where bytes go to or come from.
    pub sink: SinkSpec,
    /// Bytes of an I/O: 512 B to 1 GiB, a divisor or a multiple of the unit; for buffered files any number of bytes. At the
    /// end of an object it may be shorter.
    pub block_bytes: usize,
    /// Blocks that each lane keeps in flight, 1 to [`MAX_QUEUE_DEPTH`]. Of no meaning to sinks that answer at once.
    pub queue_depth: usize,
    /// Which way the I/O of files goes.
    pub io_engine: IoEngine,
    /// How many lanes take part, spread over the pools. `None`: all.
    pub lanes: Option<usize>,
    /// Objects that a delete leaves alone, or that a list does not miss.
    pub spared_objects: HashSet<u64>,
    /// What is done about what goes wrong.
    pub policy: Policy,
    /// The rate that operations keep, with shares that are told while the task runs. `None`: as fast as they can.
    pub rate: Option<Rate>,
}

/// What a task does about what goes wrong. By default the first I/O error of a range fails it, and bytes of faults are
/// not kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Whether the bytes of faults are kept for the next snapshot.
    pub evidence: bool,
    /// How many I/O errors a task lets pass: the units of the block count as failed, and the range goes on.
    pub errors: ErrorLimits,
}

impl Operation {
    /// What its I/O is counted as: a verify reads.
    const fn kind(self, writes: bool) -> OperationKind {
        match self {
            Self::Generate => OperationKind::Generate,
            Self::Write => OperationKind::Write,
            Self::Mixed if writes => OperationKind::Write,
            Self::Read | Self::Verify | Self::Mixed => OperationKind::Read,
            Self::Delete => OperationKind::Delete,
            Self::Stat => OperationKind::Stat,
            Self::List => OperationKind::List,
            Self::Mkdir => OperationKind::Mkdir,
            Self::Create => OperationKind::Create,
            Self::Rename => OperationKind::Rename,
        }
    }
}

impl Operation {
    /// Whether it asks one thing of each object, whatever is in it.
    pub(super) const fn is_by_object(self) -> bool {
        matches!(self, Self::Delete | Self::Stat)
    }
}

impl TaskSpec {
    /// What a call of so many bytes is counted as, in a task whose calls are all alike.
    #[inline]
    pub(super) fn class_of(&self, bytes: usize) -> Class {
        self.class_of_io(self.operation.writes(), bytes)
    }

    /// What an I/O of so many bytes is counted as. `writes`: whether they go to the sink, which a mixed task does with some.
    #[inline]
    pub(super) fn class_of_io(&self, writes: bool, bytes: usize) -> Class {
        use Operation::{Create, Generate, Mixed, Read, Verify, Write};
        let moves = matches!(self.operation, Generate | Write | Read | Verify | Create | Mixed);
        Class::of(self.operation.kind(writes), if moves { bytes as u64 } else { 0 })
    }

    /// Refuses what cannot be done.
    pub(super) fn validate(&self) -> Result<()> {
        let refuse = |what: String, mend: &str| Err(Error::new(Code::InvalidArgument, what, mend));
        let (block, unit) = (self.block_bytes as u64, self.layout.unit_bytes());
        if !(MIN_BLOCK_BYTES..=MAX_BLOCK_BYTES).contains(&self.block_bytes) {
            return refuse(
                format!("a block of {block} bytes is outside {MIN_BLOCK_BYTES} to {MAX_BLOCK_BYTES}"),
                "choose another block size",
            );
        }
        if !(1..=MAX_QUEUE_DEPTH).contains(&self.queue_depth) || self.buffer_bytes() > MAX_BUFFER_BYTES {
            let depth = self.queue_depth;
            return refuse(
                format!(
                    "{depth} blocks of {block} bytes at once are none, more than {MAX_QUEUE_DEPTH} or more than 1 GiB"
                ),
                "choose another queueDepth or block size",
            );
        }
        let buffered = matches!(self.sink, SinkSpec::File { direct: Direct::No, .. });
        if !block.is_multiple_of(unit) && !unit.is_multiple_of(block) && !buffered {
            return refuse(
                format!("a block of {block} bytes is neither a divisor nor a multiple of the unit, {unit} bytes"),
                "choose a block size that is, or write buffered files (direct: false)",
            );
        }
        if self.claim_bytes().is_none_or(|bytes| bytes > MAX_CLAIM_BYTES) {
            return refuse(
                format!("blocks of {block} bytes meet the borders of units of {unit} bytes too seldom"),
                "choose a smaller unit, or a block size that shares more factors with it",
            );
        }
        if self.content.parameters().unit_bytes != unit {
            let content = self.content.parameters().unit_bytes;
            return refuse(
                format!("the content's unit is {content} bytes and the layout's {unit}"),
                "give both the same unit",
            );
        }
        if self.lanes == Some(0) {
            return refuse("a task of 0 lanes would never end".into(), "give at least one lane, or all");
        }
        self.validate_overwrites()?;
        self.validate_sink()
    }

    fn validate_sink(&self) -> Result<()> {
        let refuse = |what: String, mend: &str| Err(Error::new(Code::InvalidArgument, what, mend));
        let reads = matches!(self.operation, Operation::Read | Operation::Verify | Operation::Mixed);
        if let Some(fault) = self.misfit() {
            return refuse(
                format!("{:?}: {fault}", self.operation),
                "use a file target, with a tree where one is needed",
            );
        }
        match &self.sink {
            SinkSpec::Null if reads => refuse("the null sink gives nothing back".into(), "read from another sink"),
            SinkSpec::Memory(store)
                if store.unit_bytes() != self.layout.unit_bytes() || store.units() < self.layout.units() =>
            {
                refuse("the memory store was made for another layout".into(), "make one for this layout")
            }
            _ => Ok(()),
        }
    }

    fn validate_overwrites(&self) -> Result<()> {
        let block_bytes = self.block_bytes as u64;
        let own = self.overwrites.as_ref().and_then(|overwrites| overwrites.own.as_ref());
        if (self.operation == Operation::Mixed) != own.is_some_and(|own| own.block_bytes == block_bytes) {
            let what = format!("a task of {:?} in blocks of {block_bytes} bytes has no such pattern", self.operation);
            return Err(Error::new(Code::InvalidArgument, what, "give a mixed task its pattern, and no other one"));
        }
        self.replays().map(drop)
    }

    /// How the shards of the task are replayed; `None` where nothing was overwritten, nor is to be.
    pub(super) fn replays(&self) -> Result<Option<Replays>> {
        let made =
            |overwrites: &Arc<Overwrites>| Replays::new(overwrites, &self.layout, self.generation, self.content.key());
        self.overwrites.as_ref().map(made).transpose()
    }

    /// Why the operation does not suit the layout and the sink, if it does not.
    fn misfit(&self) -> Option<&'static str> {
        use Operation::{Create, Generate, List, Mixed, Mkdir, Rename, Stat, Write};
        if matches!(self.sink, SinkSpec::S3(_)) && matches!(self.operation, Stat | List) {
            return None;
        }
        let files = match &self.sink {
            SinkSpec::File { folders, direct, sync, .. } => Some((folders.len(), *direct, *sync)),
            _ => None,
        };
        match (self.layout.tree(), self.operation) {
            (_, Stat | List | Mkdir | Create | Rename) if files.is_none() => Some("there are no names in this target"),
            (None, Mkdir | Create | Rename) => Some("the layout is no tree"),
            (None, _) | (Some(_), Generate) => None,
            (Some(_), Write) => Some("files of a tree are created"),
            (Some(_), Mixed) => Some("files of a tree are not overwritten in parts"),
            (Some(tree), Rename) if tree.next.is_none() => Some("there are no names to rename to"),
            (Some(_), _) => match files {
                Some((1, Direct::No, sync)) if sync != SyncPolicy::End => None,
                _ => Some("a tree lies in one path, is read and written buffered, and is not synced at the end"),
            },
        }
    }

    /// The least that holds both whole blocks and whole units, in bytes.
    fn claim_bytes(&self) -> Option<u64> {
        let (block, unit) = (self.block_bytes as u64, self.layout.unit_bytes());
        let (mut common, mut rest) = (block, unit);
        while rest > 0 {
            (common, rest) = (rest, common % rest);
        }
        (block / common).checked_mul(unit)
    }

    /// Memory of one block in flight, in bytes.
    pub(super) fn slot_bytes(&self) -> usize {
        self.block_bytes.next_multiple_of(SLOT_ALIGN)
    }

    /// Memory of all that a lane has in flight, in bytes.
    pub(super) fn buffer_bytes(&self) -> usize {
        let moves = !matches!(self.operation, Operation::Generate | Operation::List) && !self.operation.is_by_object();
        let is_queued = self.sink.sync().is_some() && moves;
        if is_queued { self.slot_bytes().saturating_mul(self.queue_depth) } else { self.block_bytes }
    }

    /// Whether it goes by calls that block, one at a time.
    pub(super) fn is_by_calls(&self) -> bool {
        let by_name =
            !matches!(self.operation, Operation::Write | Operation::Read | Operation::Verify | Operation::Mixed);
        let in_flight = matches!(self.sink, SinkSpec::S3(_)) && self.operation != Operation::List;
        (by_name || self.layout.tree().is_some()) && !in_flight
    }

    /// Whether what it names is done only after a sync of the directories.
    pub(super) fn names_durable_apart(&self) -> bool {
        let names = matches!(self.operation, Operation::Mkdir | Operation::Create | Operation::Rename);
        names && self.sink.sync() != Some(SyncPolicy::Never)
    }

    /// Whether a unit that is written is done only after a sync.
    pub(super) fn durable_apart(&self) -> bool {
        if self.names_durable_apart() {
            return true;
        }
        let syncs = |sync| matches!(sync, SyncPolicy::Range | SyncPolicy::File | SyncPolicy::End);
        self.operation.writes() && self.sink.sync().is_some_and(syncs)
    }

    /// Whether objects stay open until they are synced at the end.
    pub(super) fn syncs_at_end(&self) -> bool {
        self.operation.writes() && self.sink.sync() == Some(SyncPolicy::End)
    }

    /// Cuts a range into claims: of whole blocks and whole units; of whole objects for a delete.
    pub(super) fn claims(&self, range: RangeSpec) -> Result<Claims> {
        let RangeSpec { id, first, end } = range;
        if first >= end || end > self.layout.units() {
            return Err(Error::new(
                Code::InvalidArgument,
                format!(
                    "range {id}, units {first} to {end}, is empty or ends beyond the {} units",
                    self.layout.units()
                ),
                "give units of the layout",
            ));
        }
        let by_folder = self.layout.by_folder();
        let (layout, grain) = match self.operation {
            Operation::List | Operation::Mkdir => (&by_folder, by_folder.units_per_object()),
            Operation::Delete | Operation::Stat => (&self.layout, self.layout.units_per_object()),
            Operation::Mixed => (&self.layout, self.overwrites.as_ref().map_or(1, |overwrites| overwrites.shard_units)),
            // A file of a tree is opened once.
            _ if self.layout.tree().is_some() => (&self.layout, self.layout.units_per_object()),
            _ => (&self.layout, self.claim_bytes().unwrap_or(u64::MAX) / self.layout.unit_bytes()),
        };
        let claims = Claims::new(layout, first..end, grain);
        let has_parts = || !claims.is_whole(0) || !claims.is_whole(claims.segments() - 1);
        if matches!(self.sink, SinkSpec::S3(_)) && self.operation == Operation::Write && has_parts() {
            return Err(Error::new(
                Code::InvalidArgument,
                format!("range {id}, units {first} to {end}, has a part of an object, and a store takes objects whole"),
                "give ranges that begin and end with objects",
            ));
        }
        if claims.count() > MAX_CLAIMS {
            return Err(Error::new(
                Code::InvalidArgument,
                format!("range {id} has {} blocks, more than {MAX_CLAIMS}", claims.count()),
                "give shorter ranges or use larger blocks",
            ));
        }
        Ok(claims)
    }
}

#[cfg(test)]
mod tests {
    use seedstorm_content::Parameters;

    use super::*;
    use crate::layout::Sizes;
    use crate::sink::s3::{Retries, S3Spec, Signing, Style};

    /// Forty units in objects of one to four, on a store that nobody asks.
    fn on_store(operation: Operation) -> TaskSpec {
        let store = S3Spec {
            endpoints: vec!["http://127.0.0.1:1".into()],
            bucket: "bucket".into(),
            prefix: String::new(),
            run: "run-1".into(),
            region: None,
            style: Style::Path,
            ca: None,
            signing: Signing::Unsigned,
            retries: Retries { attempts: 1, backoff_ns: 0 },
            attempt_timeout_ns: 1,
        };
        TaskSpec {
            operation,
            content: Arc::new(Content::new(&Parameters { unit_bytes: 4096, ..Parameters::default() }).unwrap()),
            generation: 0,
            overwrites: None,
            layout: Layout::with_sizes(4096, 38, Sizes::new(&[1, 2, 3, 4], 7).unwrap()).unwrap(),
            sink: SinkSpec::S3(Box::new(store)),
            block_bytes: 8192,
            queue_depth: 2,
            io_engine: IoEngine::Auto,
            lanes: None,
            spared_objects: HashSet::new(),
            policy: Policy::default(),
            rate: None,
        }
    }

    #[test]
    fn what_is_written_to_a_store_begins_and_ends_with_objects() {
        let claims = |operation, first, end| on_store(operation).claims(RangeSpec { id: 1, first, end });
        for (first, end) in [(0, 10), (10, 30), (20, 38)] {
            claims(Operation::Write, first, end).unwrap();
        }
        let layout = on_store(Operation::Write).layout;
        let inside = (0..38).find(|unit| layout.place(*unit).offset > 0).unwrap();
        for (first, end) in [(inside, 38), (0, inside)] {
            assert_eq!(claims(Operation::Write, first, end).unwrap_err().code, Code::InvalidArgument);
            claims(Operation::Verify, first, end).unwrap();
        }
    }

    #[test]
    fn a_delete_on_a_store_is_one_claim_for_each_object_and_needs_no_memory_for_blocks() {
        let spec = on_store(Operation::Delete);
        let claims = spec.claims(RangeSpec { id: 1, first: 0, end: 38 }).unwrap();
        assert_eq!((claims.count(), claims.segments() as u64), (spec.layout.objects(), spec.layout.objects()));
        assert_eq!(spec.buffer_bytes(), spec.block_bytes);
        assert_eq!(on_store(Operation::Write).buffer_bytes(), 2 * spec.block_bytes);
    }
}
