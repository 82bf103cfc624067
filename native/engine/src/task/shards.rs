//! What a range knows of the shards that its units are in: what was done to them before, and in a mixed task how far each has
//! come. Lanes and the control plane meet here in atomics. Must never do I/O.

use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use super::replay::{Prefix, Replays, Shard, ShardHistory};
use crate::error::{Code, Error, Result};
use crate::layout::Layout;

/// The most shards of a range: what is told of them fits a message.
const MAX_SHARDS: usize = 1 << 16;

/// Operations of a shard that are reserved ahead, at least.
const MIN_AHEAD: u64 = 4096;

/// Operations of a shard that are reserved ahead, at most: what is in doubt after a death.
const MAX_AHEAD: u64 = 1 << 20;

/// The shards of one range; none where nothing is overwritten.
#[derive(Debug, Default)]
pub(super) struct Shards(Box<[RangeShard]>);

/// One shard of a range.
#[derive(Debug)]
pub(super) struct RangeShard {
    /// The shard's units, also those outside the range.
    units: Range<u64>,
    pub(super) history: ShardHistory,
    /// Its cells, once a lane of a verify needed them.
    replayed: OnceLock<Option<Shard>>,
    /// All operations below were acknowledged.
    done: AtomicU64,
    /// All operations below were begun.
    begun: AtomicU64,
    /// What was begun when it was last told.
    told: AtomicU64,
    /// None at or behind this one may be begun.
    limit: AtomicU64,
}

impl Shards {
    /// Those of a range, in the order of their units.
    pub(super) fn new(
        replays: Option<&Replays>,
        layout: &Layout,
        units: Range<u64>,
        histories: Vec<ShardHistory>,
    ) -> Result<Self> {
        let refuse = |what: String| {
            Err(Error::new(Code::InvalidArgument, what, "tell of each shard that has units in the range, in order"))
        };
        let Some(replays) = replays else {
            return if histories.is_empty() { Ok(Self::default()) } else { refuse("nothing was overwritten".into()) };
        };
        let mut shards = Vec::new();
        let mut next = units.start;
        let given = histories.len();
        for history in histories {
            if next >= units.end.min(layout.units()) || shards.len() >= MAX_SHARDS {
                return refuse(format!("{given} shards are told of, more than the range has or may have"));
            }
            replays.validate(&history)?;
            let of_shard = replays.units_of_shard(next);
            if replays.own().is_some() && (of_shard.start < units.start || of_shard.end > units.end) {
                return refuse(format!("the range from {} to {} cuts a shard", units.start, units.end));
            }
            next = of_shard.end;
            let done = history.own.before.done;
            shards.push(RangeShard {
                units: of_shard,
                replayed: OnceLock::new(),
                done: AtomicU64::new(done),
                begun: AtomicU64::new(done),
                told: AtomicU64::new(done),
                limit: AtomicU64::new(history.own.limit),
                history,
            });
        }
        if next < units.end {
            return refuse(format!("{given} shards are told of, and the range has more"));
        }
        Ok(Self(shards.into()))
    }

    /// The nth of them.
    pub(super) fn nth(&self, nth: u64) -> &RangeShard {
        &self.0[nth as usize]
    }

    /// The one that a unit of the range is in; `None` where nothing was overwritten.
    #[inline]
    pub(super) fn of_unit(&self, unit: u64) -> Option<&RangeShard> {
        if self.0.is_empty() {
            return None;
        }
        let at = self.0.partition_point(|shard| shard.units.end <= unit);
        self.0.get(at)
    }

    /// How far each has come, where operations were begun or allowed: what counts of it as done, and up to where operations may
    /// be begun next; where the range has ended, what was begun, by earlier holders too. `is_durable`: of the nth, whether what
    /// is acknowledged is done in the plan's sense.
    pub(super) fn progress(&self, has_ended: bool, is_durable: impl Fn(u64) -> bool) -> Vec<Prefix> {
        let of_shard = |(nth, shard): (usize, &RangeShard)| {
            let begun = shard.begun.load(Ordering::Acquire);
            // What was taken back is begun no more.
            let since = begun.saturating_sub(shard.told.swap(begun, Ordering::Relaxed));
            let ahead = (2 * since).clamp(MIN_AHEAD, MAX_AHEAD);
            let wanted = begun.saturating_add(ahead).min(shard.history.own.operations);
            let done =
                if is_durable(nth as u64) { shard.done.load(Ordering::Acquire) } else { shard.history.own.before.done };
            let before = shard.history.own.before.reserved;
            let reserved = if has_ended { begun.max(before) } else { shard.limit().max(wanted) };
            Prefix { done, reserved }
        };
        self.0.iter().enumerate().map(of_shard).collect()
    }

    /// Allows operations below these limits; limits that are lower than those before are passed over.
    pub(super) fn allow(&self, limits: &[u64]) {
        for (shard, limit) in self.0.iter().zip(limits) {
            shard.limit.fetch_max(*limit, Ordering::AcqRel);
        }
    }
}

impl RangeShard {
    /// Its units, also those outside the range.
    pub(super) fn units(&self) -> &Range<u64> {
        &self.units
    }

    /// Its cells, replayed by the first lane that asks, while the others wait. `None`: `is_cancelled` said so.
    pub(super) fn replayed(&self, replays: &Replays, is_cancelled: impl Fn() -> bool) -> Option<&Shard> {
        self.replayed.get_or_init(|| replays.shard(&self.units, &self.history, is_cancelled)).as_ref()
    }

    /// None at or behind this operation may be begun.
    pub(super) fn limit(&self) -> u64 {
        self.limit.load(Ordering::Acquire)
    }

    /// All operations below this one were begun.
    #[inline]
    pub(super) fn set_begun(&self, operations: u64) {
        self.begun.store(operations, Ordering::Release);
    }

    /// This operation, and those behind it, came to nothing: they were never handed to the sink.
    pub(super) fn take_back(&self, operation: u64) {
        self.begun.fetch_min(operation, Ordering::AcqRel);
    }

    /// All operations below this one were acknowledged.
    #[inline]
    pub(super) fn set_done(&self, operations: u64) {
        self.done.store(operations, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::pattern::{Order, PatternSpec};
    use crate::task::replay::{Layer, Overwrites, OwnShard};

    fn replays(layout: &Layout) -> Replays {
        let own = PatternSpec { stage: 0, writes_of_65536: 1, order: Order::Uniform, block_bytes: 4096 };
        let overwrites = Overwrites { shard_units: 4, layers: vec![], own: Some(own) };
        Replays::new(&overwrites, layout, 0, [0; 16]).unwrap()
    }

    /// Of a task that only looks at what an earlier one overwrote.
    fn of_verify(layout: &Layout) -> Replays {
        let pattern = PatternSpec { stage: 0, writes_of_65536: 1, order: Order::Uniform, block_bytes: 4096 };
        let layers = vec![Layer { pattern, rewritten: false }];
        Replays::new(&Overwrites { shard_units: 4, layers, own: None }, layout, 0, [0; 16]).unwrap()
    }

    fn fresh(limit: u64) -> ShardHistory {
        ShardHistory { layers: vec![], own: OwnShard { limit, operations: u64::MAX, ..OwnShard::default() } }
    }

    #[test]
    fn a_range_is_told_of_each_of_its_shards_or_refused() {
        let layout = Layout::new(4096, 20, 10).unwrap();
        let replays = of_verify(&layout);
        let told = ShardHistory { layers: vec![Prefix::default()], ..ShardHistory::default() };
        let shards = |units: Range<u64>, count| Shards::new(Some(&replays), &layout, units, vec![told.clone(); count]);
        // Objects of ten units have shards of 4, 4 and 2.
        assert!(shards(0..20, 6).is_ok() && shards(5..7, 1).is_ok() && shards(7..11, 3).is_ok());
        for (units, count) in [(0..20, 5), (0..20, 7), (5..7, 0), (5..7, 2)] {
            assert_eq!(shards(units, count).unwrap_err().code, Code::InvalidArgument);
        }
        let none = Shards::new(None, &layout, 0..20, vec![fresh(1)]);
        assert_eq!(none.unwrap_err().code, Code::InvalidArgument);
        let range = shards(5..15, 4).unwrap();
        let units = |unit| range.of_unit(unit).unwrap().units().clone();
        assert_eq!([units(5), units(8), units(10), units(14)], [4..8, 8..10, 10..14, 14..18]);
    }

    #[test]
    fn a_shard_has_one_holder_so_that_a_range_of_a_mixed_task_cuts_none() {
        let layout = Layout::new(4096, 20, 10).unwrap();
        let shards =
            |units: Range<u64>, count| Shards::new(Some(&replays(&layout)), &layout, units, vec![fresh(1); count]);
        assert!(shards(4..14, 3).is_ok());
        for (units, count) in [(5..8, 1), (4..7, 1), (8..13, 2)] {
            assert_eq!(shards(units, count).unwrap_err().code, Code::InvalidArgument);
        }
    }

    #[test]
    fn operations_are_reserved_ahead_of_those_that_were_begun_and_only_what_is_durable_is_done() {
        let layout = Layout::new(4096, 8, 8).unwrap();
        let shards = Shards::new(Some(&replays(&layout)), &layout, 0..8, vec![fresh(10); 2]).unwrap();
        assert_eq!(shards.progress(false, |_| true)[0], Prefix { done: 0, reserved: MIN_AHEAD });
        assert_eq!(shards.nth(0).limit(), 10, "what is told is not yet allowed");
        shards.allow(&[MIN_AHEAD, 5]);
        assert_eq!((shards.nth(0).limit(), shards.nth(1).limit()), (MIN_AHEAD, 10));
        shards.nth(0).set_begun(4000);
        shards.nth(0).set_done(3990);
        assert_eq!(shards.progress(false, |_| true)[0], Prefix { done: 3990, reserved: 4000 + 8000 });
        assert_eq!(shards.progress(false, |_| false)[0], Prefix { done: 0, reserved: 4000 + MIN_AHEAD });
        assert_eq!(shards.progress(true, |_| true)[0], Prefix { done: 3990, reserved: 4000 }, "nothing more comes");
        shards.nth(0).take_back(3990);
        assert_eq!(shards.progress(true, |_| true)[0], Prefix { done: 3990, reserved: 3990 });
    }
}
