//! What a task is to do, and whether that makes sense. Must never touch the sink or the engine.

use std::collections::HashSet;
use std::sync::Arc;

use seedstorm_content::Content;

use super::claims::Claims;
use super::range::RangeSpec;
use crate::error::{Code, Error, Result};
use crate::layout::Layout;
use crate::sink::{SinkSpec, SyncPolicy};

/// The most claims in one range: what they cost is a bit or two each, 64 MiB in all.
const MAX_CLAIMS: u64 = 1 << 28;

/// The largest block: far beyond what storage takes in one piece.
const MAX_BLOCK_BYTES: usize = 1 << 30;

/// The smallest block: the sector of storage.
const MIN_BLOCK_BYTES: usize = 512;

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
    /// Removes their objects. An object belongs to the range that holds its first unit.
    Delete,
}

/// What a task is to do.
#[derive(Clone)]
pub struct TaskSpec {
    /// What it does with its units.
    pub operation: Operation,
    /// The content function of the run; its unit must be the layout's.
    pub content: Arc<Content>,
    /// The generation that is written, or expected.
    pub generation: u16,
    /// Where units are.
    pub layout: Layout,
    /// Where bytes go to or come from.
    pub sink: SinkSpec,
    /// Bytes of an I/O: 512 B to 1 GiB, a divisor or a multiple of the unit. At the end of an object it may be shorter.
    pub block_bytes: usize,
    /// How many lanes take part, spread over the pools. `None`: all.
    pub lanes: Option<usize>,
    /// Objects that a delete leaves alone.
    pub spared_objects: HashSet<u64>,
}

impl TaskSpec {
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
        if !block.is_multiple_of(unit) && !unit.is_multiple_of(block) {
            return refuse(
                format!("a block of {block} bytes is neither a divisor nor a multiple of the unit, {unit} bytes"),
                "choose a block size that is",
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
        self.validate_sink()
    }

    fn validate_sink(&self) -> Result<()> {
        let refuse = |what: String, mend: &str| Err(Error::new(Code::InvalidArgument, what, mend));
        let reads = matches!(self.operation, Operation::Read | Operation::Verify);
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

    /// Whether a unit that is written is done only after a sync.
    pub(super) fn durable_apart(&self) -> bool {
        let syncs = |sync| matches!(sync, SyncPolicy::Range | SyncPolicy::File | SyncPolicy::End);
        self.operation == Operation::Write && self.sink.sync().is_some_and(syncs)
    }

    /// Whether objects stay open until they are synced at the end.
    pub(super) fn syncs_at_end(&self) -> bool {
        self.operation == Operation::Write && self.sink.sync() == Some(SyncPolicy::End)
    }

    /// Cuts a range into claims: of a block or a unit, whichever is larger; of whole objects for a delete.
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
        let grain = match self.operation {
            Operation::Delete => self.layout.units_per_object(),
            _ => (self.block_bytes as u64).div_ceil(self.layout.unit_bytes()),
        };
        let claims = Claims::new(self.layout, first..end, grain);
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
