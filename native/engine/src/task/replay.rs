//! From what is known of operations on shards to the generations of their cells: which shards there are, and what replaying
//! each of them gives. Must never do I/O, nor know who did the operations.

use std::ops::Range;

use super::cells::Cells;
use super::pattern::{Operation, Pattern, PatternSpec};
use crate::error::{Code, Error, Result};
use crate::layout::Layout;

/// The grain of generations in the content function: blocks that are overwritten are whole numbers of it.
pub const CELL_BYTES: u64 = 4096;

/// The most stages whose overwrites a task replays: more than a plan can have.
pub const MAX_LAYERS: usize = 128;

/// The most operations of one shard and stage that are replayed: half a minute of a lane's time.
pub const MAX_OPERATIONS: u64 = 1 << 33;

/// The most bytes of a shard: what one lane replays at a time stays in its caches.
pub const MAX_SHARD_BYTES: u64 = 4 << 30;

/// What overwrote parts of the data since it was made, and what is to overwrite it now.
#[derive(Clone, Debug, PartialEq)]
pub struct Overwrites {
    /// Units of a shard; the last of an object may have fewer.
    pub shard_units: u64,
    /// Earlier stages, in order.
    pub layers: Vec<Layer>,
    /// What a mixed task does.
    pub own: Option<PatternSpec>,
}

/// A stage that overwrote parts of the data.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// What it did.
    pub pattern: PatternSpec,
    /// Whether a stage wrote every unit after it.
    pub rewritten: bool,
}

/// What is known of the operations of a stage on one shard: all below `done` were done and are durable, and none at or
/// behind `reserved` was begun.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prefix {
    /// C.
    pub done: u64,
    /// R.
    pub reserved: u64,
}

/// What a range of a mixed task has to know of one of its shards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OwnShard {
    /// What earlier holders did. Whoever goes on begins at `done`.
    pub before: Prefix,
    /// None at or behind this one is begun, until more are allowed.
    pub limit: u64,
    /// Its operations in all; `u64::MAX`: as many as there is time for.
    pub operations: u64,
}

/// What is known of one shard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShardHistory {
    /// One for each earlier stage.
    pub layers: Vec<Prefix>,
    /// Of a mixed task.
    pub own: OwnShard,
}

/// How shards of a task are replayed.
#[derive(Debug)]
pub(super) struct Replays {
    pub(super) shard_units: u64,
    layout: Layout,
    base: u16,
    cell_bytes: u64,
    layers: Vec<(Pattern, bool)>,
    own: Option<Pattern>,
}

/// A shard with its cells.
#[derive(Debug)]
pub(super) struct Shard {
    /// Where it begins in the run's linear space, in bytes.
    pub(super) start: u64,
    /// Where it ends.
    pub(super) end: u64,
    cell_bytes: u64,
    pub(super) cells: Cells,
}

impl Shard {
    /// The cells of a stretch of the run's linear space, inside the shard.
    pub(super) fn cells_of(&self, offset: u64, bytes: u64) -> Range<u64> {
        (offset - self.start) / self.cell_bytes..(offset + bytes - self.start).div_ceil(self.cell_bytes)
    }

    /// The stretch that cells take, within `offset` and the bytes behind it.
    pub(super) fn bytes_of(&self, cells: &Range<u64>, offset: u64, bytes: u64) -> Range<u64> {
        let start = self.start + cells.start * self.cell_bytes;
        let end = self.start + cells.end * self.cell_bytes;
        start.max(offset)..end.min(offset + bytes)
    }

    fn operate(&mut self, block_bytes: u64, operation: Operation, mut on: impl FnMut(&mut Cells, u64)) {
        if operation.writes {
            let each = block_bytes / self.cell_bytes;
            let end = ((operation.cell + 1) * each).min(self.cells.count());
            (operation.cell * each..end).for_each(|cell| on(&mut self.cells, cell));
        }
    }

    /// Does an operation of blocks of so many bytes.
    #[inline]
    pub(super) fn overwrite(&mut self, block_bytes: u64, operation: Operation) {
        self.operate(block_bytes, operation, |cells, cell| {
            let _ = cells.overwrite(cell);
        });
    }
}

impl Replays {
    /// # Errors
    /// [`Code::InvalidArgument`] for what no plan resolves to.
    pub(super) fn new(overwrites: &Overwrites, layout: &Layout, base: u16, stream: [u8; 16]) -> Result<Self> {
        let refuse = |what: String| Err(Error::new(Code::InvalidArgument, what, "give what the plan resolves to"));
        let Overwrites { shard_units, layers, own } = overwrites;
        let shard_bytes = shard_units.checked_mul(layout.unit_bytes()).unwrap_or(u64::MAX);
        if shard_bytes == 0 || shard_bytes > MAX_SHARD_BYTES {
            return refuse(format!("a shard of {shard_units} units is none, or longer than {MAX_SHARD_BYTES} bytes"));
        }
        if layers.len() > MAX_LAYERS {
            return refuse(format!("{} stages of overwrites are more than {MAX_LAYERS}", layers.len()));
        }
        let mut cell_bytes = 0;
        for block in layers.iter().map(|layer| &layer.pattern).chain(own).map(|pattern| pattern.block_bytes) {
            if block == 0 || !block.is_multiple_of(CELL_BYTES) || !shard_bytes.is_multiple_of(block) {
                return refuse(format!(
                    "a block of {block} bytes is no multiple of {CELL_BYTES}, or {shard_bytes} bytes are none of it"
                ));
            }
            cell_bytes = greatest_common_divisor(block, cell_bytes);
        }
        if cell_bytes == 0 {
            return refuse("no stage overwrites anything".into());
        }
        let pattern = |spec: &PatternSpec| Pattern::new(spec.clone(), stream, shard_bytes / spec.block_bytes);
        Ok(Self {
            shard_units: *shard_units,
            layout: layout.clone(),
            base,
            cell_bytes,
            layers: layers
                .iter()
                .map(|layer| Ok((pattern(&layer.pattern)?, layer.rewritten)))
                .collect::<Result<_>>()?,
            own: own.as_ref().map(pattern).transpose()?,
        })
    }

    /// What a mixed task does.
    pub(super) fn own(&self) -> Option<&Pattern> {
        self.own.as_ref()
    }

    /// Bytes of a shard's memory while a lane works on it.
    pub(super) fn memory_bytes(&self) -> u64 {
        let cells = self.shard_units * self.layout.unit_bytes() / self.cell_bytes;
        cells * 2 + cells / 4
    }

    /// The units of the shard that a unit is in.
    pub(super) fn units_of_shard(&self, unit: u64) -> Range<u64> {
        let object = self.layout.units_of(self.layout.place(unit).object);
        let first = object.start + (unit - object.start) / self.shard_units * self.shard_units;
        first..(first + self.shard_units).min(object.end)
    }

    /// Refuses what cannot be true of a shard, or would take for ever to replay.
    pub(super) fn validate(&self, history: &ShardHistory) -> Result<()> {
        let refuse = |what: String| Err(Error::new(Code::InvalidArgument, what, "give what was reported of the shard"));
        if history.layers.len() != self.layers.len() {
            return refuse(format!(
                "{} stages are told of, and there were {}",
                history.layers.len(),
                self.layers.len()
            ));
        }
        let own = history.own.before;
        for Prefix { done, reserved } in history.layers.iter().chain([&own]) {
            if done > reserved || *reserved > MAX_OPERATIONS {
                return refuse(format!("{done} operations of at most {reserved} cannot be replayed"));
            }
        }
        if own.reserved > history.own.limit || own.done > history.own.operations {
            return refuse("a shard has more operations behind it than it may have".into());
        }
        Ok(())
    }

    /// Replays a shard: for a mixed task as whoever goes on with it finds it. `None`: `is_cancelled` said so.
    pub(super) fn shard(
        &self,
        units: &Range<u64>,
        history: &ShardHistory,
        is_cancelled: impl Fn() -> bool,
    ) -> Option<Shard> {
        let unit_bytes = self.layout.unit_bytes();
        let (start, end) = (units.start * unit_bytes, units.end * unit_bytes);
        let cells = Cells::new(self.base, (end - start).div_ceil(self.cell_bytes));
        let mut shard = Shard { start, end, cell_bytes: self.cell_bytes, cells };
        for ((pattern, rewritten), prefix) in self.layers.iter().zip(&history.layers) {
            replay(&mut shard, units.start, pattern, *prefix, &is_cancelled)?;
            shard.cells.end_stage();
            if *rewritten {
                shard.cells.rewritten();
            }
        }
        if let Some(own) = &self.own {
            replay(&mut shard, units.start, own, history.own.before, &is_cancelled)?;
        }
        Some(shard)
    }
}

fn replay(
    shard: &mut Shard,
    first_unit: u64,
    pattern: &Pattern,
    prefix: Prefix,
    is_cancelled: &impl Fn() -> bool,
) -> Option<()> {
    /// Operations between two looks whether the task is called off.
    const BATCH: u64 = 1 << 16;
    let block_bytes = pattern.block_bytes();
    let operations = pattern.shard(first_unit, (shard.end - shard.start).div_ceil(block_bytes));
    for batch in (0..prefix.reserved).step_by(BATCH as usize) {
        if is_cancelled() {
            return None;
        }
        for n in batch..(batch + BATCH).min(prefix.reserved) {
            let operation = operations.operation(n);
            if n < prefix.done {
                shard.overwrite(block_bytes, operation);
            } else {
                shard.operate(block_bytes, operation, Cells::put_in_doubt);
            }
        }
    }
    Some(())
}

fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::task::pattern::Order;

    const UNIT: u64 = 16_384;

    fn spec(stage: u32, block_bytes: u64) -> PatternSpec {
        PatternSpec { stage, writes_of_65536: 40_000, order: Order::Uniform, block_bytes }
    }

    fn replays(overwrites: &Overwrites) -> Result<Replays> {
        Replays::new(overwrites, &Layout::new(UNIT, 100, 10).unwrap(), 2, [9; 16])
    }

    proptest! {
        #[test]
        fn replaying_gives_what_a_model_that_does_each_operation_by_itself_gives(
            first in 0u64..2000, second in 0u64..2000, rewritten: bool, unit in 0u64..100,
        ) {
            let layer = Layer { pattern: spec(0, 8192), rewritten };
            let overwrites = Overwrites { shard_units: 4, layers: vec![layer], own: Some(spec(1, 4096)) };
            let replays = replays(&overwrites).unwrap();
            let own = OwnShard { before: Prefix { done: second, reserved: second }, limit: second, operations: second };
            let history = ShardHistory { layers: vec![Prefix { done: first, reserved: first }], own };
            let units = replays.units_of_shard(unit);
            prop_assert!(units.contains(&unit) && units.end - units.start <= 4);
            let shard = replays.shard(&units, &history, || false).unwrap();

            let bytes = (units.end - units.start) * UNIT;
            let (mut count, mut last) = (vec![0u16; (bytes / 4096) as usize], vec![2u16; (bytes / 4096) as usize]);
            for (pattern, operations) in [(&replays.layers[0].0, first), (replays.own().unwrap(), second)] {
                let block = pattern.block_bytes();
                let of_shard = pattern.shard(units.start, bytes.div_ceil(block));
                for operation in (0..operations).map(|n| of_shard.operation(n)).filter(|operation| operation.writes) {
                    for cell in (operation.cell * block / 4096..).take((block / 4096) as usize) {
                        count[cell as usize] += 1;
                        last[cell as usize] = 999 + count[cell as usize];
                    }
                }
                if block == 8192 && rewritten {
                    last.fill(2);
                }
            }
            for (cell, generation) in last.into_iter().enumerate() {
                prop_assert_eq!(shard.cells.generation(cell as u64), generation);
            }
        }

        #[test]
        fn a_history_that_cannot_be_true_is_refused_and_never_replayed(
            done: u64, reserved: u64, limit: u64, operations: u64, layers in 0usize..4, shard_units: u64, block_bytes: u64,
        ) {
            let layer = Layer { pattern: spec(0, 4096), rewritten: false };
            let overwrites = Overwrites { shard_units: 4, layers: vec![layer.clone()], own: Some(spec(1, 4096)) };
            let prefix = Prefix { done, reserved };
            let history =
                ShardHistory { layers: vec![prefix; layers], own: OwnShard { before: prefix, limit, operations } };
            let good = layers == 1 && done <= reserved && reserved <= MAX_OPERATIONS && reserved <= limit && done <= operations;
            prop_assert_eq!(replays(&overwrites).unwrap().validate(&history).is_ok(), good);
            let odd = Overwrites { shard_units, layers: vec![layer], own: Some(spec(1, block_bytes)) };
            let _ = replays(&odd);
        }
    }

    #[test]
    fn what_no_plan_resolves_to_is_refused() {
        let good = Overwrites { shard_units: 4, layers: vec![], own: Some(spec(0, 4096)) };
        for bad in [
            Overwrites { shard_units: 0, ..good.clone() },
            Overwrites { shard_units: u64::MAX, ..good.clone() },
            Overwrites { own: None, ..good.clone() },
            Overwrites { own: Some(spec(0, 6000)), ..good.clone() },
            Overwrites { own: Some(spec(0, 3 * 16_384)), ..good.clone() },
            Overwrites {
                layers: vec![Layer { pattern: spec(0, 4096), rewritten: true }; MAX_LAYERS + 1],
                ..good.clone()
            },
        ] {
            assert_eq!(replays(&bad).unwrap_err().code, Code::InvalidArgument, "{bad:?}");
        }
    }

    #[test]
    fn a_long_replay_ends_when_the_task_is_called_off() {
        let overwrites = Overwrites { shard_units: 4, layers: vec![], own: Some(spec(0, 4096)) };
        let own = OwnShard {
            before: Prefix { done: MAX_OPERATIONS, reserved: MAX_OPERATIONS },
            limit: MAX_OPERATIONS,
            operations: u64::MAX,
        };
        let history = ShardHistory { layers: vec![], own };
        let asked = std::cell::Cell::new(0);
        let shard = replays(&overwrites).unwrap().shard(&(0..4), &history, || asked.replace(asked.get() + 1) > 2);
        assert!(shard.is_none());
    }
}
