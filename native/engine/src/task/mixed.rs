//! A lane in a mixed task: it has several shards at hand and draws its next operation from them in turn, each shard's in
//! order, never two on one block at a time. Must never know what happens inside a sink, nor how shards came to be its own.

use std::sync::Arc;

use super::claims::Claim;
use super::expected::Expected;
use super::lanes::{Flow, LaneRun, fate_of};
use super::pattern::Operation;
use super::poison;
use super::queue::{Fate, Slot};
use super::range::{Opened, SeedRange};
use super::replay::{Replays, Shard};
use super::shared::{Shared, Sink};
use super::transfer::{Block, no_such_content, not_in_memory};
use crate::fill::fill_piece;

/// The most shards that a lane has at hand: each may need a file that is open.
const MAX_SHARDS: u64 = 64;

/// What the cells of a lane's shards may take, in bytes.
const MAX_CELLS_BYTES: u64 = 16 << 20;

/// Operations of a shard that may be acknowledged behind one that is not: as many as a lane can have in flight.
const WINDOW: u64 = 1024;

/// Operations that take so long to replay that answers would be seen too late.
const LONG_REPLAY: u64 = 4096;

/// The shards that a lane has at hand.
pub(super) struct MixedLane {
    /// By the number of their work in the lane's queue.
    shards: Box<[Option<Box<Active>>]>,
    at_hand: usize,
    /// Whose turn it was last.
    turn: usize,
    /// One more shard may be taken: between two operations, so that lanes that begin together share what there is.
    may_take: bool,
}

/// A shard at work.
struct Active {
    range: Arc<SeedRange>,
    /// Which of the range's shards it is.
    nth: u64,
    segment: usize,
    object: u64,
    /// Where its object begins in the run's linear space, in bytes.
    object_start: u64,
    shard: Shard,
    /// How many blocks it has.
    blocks: u64,
    /// Its next operation, and where that goes once it is drawn.
    next: u64,
    drawn: Option<Operation>,
    operations: u64,
    /// All operations below were acknowledged.
    done: u64,
    /// Of the [`WINDOW`] operations from `done` on, those that were acknowledged, a bit each.
    behind: [u64; (WINDOW / 64) as usize],
    /// Blocks with an operation in flight, a bit each.
    busy: Box<[u64]>,
    limit: u64,
    /// With this operation more are asked for.
    ask_at: u64,
    /// An operation failed or was given up: no further one is begun.
    ended: bool,
}

impl Active {
    fn is_busy(&self, block: u64) -> bool {
        self.busy[(block / 64) as usize] >> (block % 64) & 1 == 1
    }

    fn flip(&mut self, block: u64) {
        self.busy[(block / 64) as usize] ^= 1 << (block % 64);
    }

    /// Operation `n` was acknowledged.
    fn acknowledge(&mut self, n: u64) {
        self.behind[(n % WINDOW / 64) as usize] |= 1 << (n % 64);
        while self.behind[(self.done % WINDOW / 64) as usize] >> (self.done % 64) & 1 == 1 {
            self.behind[(self.done % WINDOW / 64) as usize] ^= 1 << (self.done % 64);
            self.done += 1;
        }
        self.range.shards.nth(self.nth).set_done(self.done);
    }

    /// Whether its next operation may be begun now.
    fn is_ready(&mut self, replays: &Replays) -> bool {
        if self.ended || self.next >= self.operations || self.next - self.done >= WINDOW {
            return false;
        }
        if self.next >= self.limit {
            self.limit = self.range.shards.nth(self.nth).limit();
            self.ask_at = self.next + self.limit.saturating_sub(self.next) / 2;
            if self.next >= self.limit {
                return false;
            }
        }
        let operation = match self.drawn {
            Some(drawn) => drawn,
            None => {
                let pattern = replays.own().expect("a mixed task has a pattern");
                let drawn = pattern.shard(self.first_unit(), self.blocks).operation(self.next);
                *self.drawn.insert(drawn)
            }
        };
        !self.is_busy(operation.cell)
    }

    fn first_unit(&self) -> u64 {
        self.range.shards.nth(self.nth).units().start
    }
}

impl MixedLane {
    /// For a task that is mixed.
    pub(super) fn of(shared: &Shared) -> Option<Self> {
        let replays = shared.replays.as_ref().filter(|replays| replays.own().is_some())?;
        let most = (MAX_CELLS_BYTES / replays.memory_bytes().max(1)).clamp(1, MAX_SHARDS);
        Some(Self { shards: (0..most).map(|_| None).collect(), at_hand: 0, turn: 0, may_take: true })
    }

    /// The most shards that are at hand at once.
    pub(super) fn most(&self) -> usize {
        self.shards.len()
    }

    /// Whether no shard is at hand.
    pub(super) fn is_empty(&self) -> bool {
        self.at_hand == 0
    }

    fn get(&mut self, work: u32) -> &mut Active {
        self.shards[work as usize].as_mut().expect("a work of a mixed task is a shard at hand")
    }

    /// Forgets a shard that is through.
    pub(super) fn forget(&mut self, work: u32) {
        self.shards[work as usize] = None;
        self.at_hand -= 1;
    }

    fn takes_more(&self) -> bool {
        self.at_hand < self.most()
    }
}

impl LaneRun<'_> {
    /// Begins with the next shard or operation. `false`: neither can be begun before something has come back or is allowed.
    pub(super) fn feed_mixed(&mut self) -> bool {
        if let Some((range, claim)) = self.taken.take() {
            return self.begin(range, claim);
        }
        let takes = self.mixed.as_ref().is_some_and(|mixed| mixed.may_take && mixed.takes_more());
        if takes && self.claim() {
            self.set_may_take(false);
            return true;
        }
        if !self.queue.has_room() {
            return false;
        }
        if let Some(work) = self.next_shard() {
            self.begin_operation(work);
            self.set_may_take(true);
            return true;
        }
        // No operation can be begun: shards are taken without one in between.
        let is_new = self.mixed.as_ref().is_some_and(|mixed| !mixed.may_take && mixed.takes_more());
        self.set_may_take(true);
        is_new
    }

    fn set_may_take(&mut self, may_take: bool) {
        if let Some(mixed) = &mut self.mixed {
            mixed.may_take = may_take;
        }
    }

    /// Whether a shard must wait until what is in flight has come back, because to replay it takes its time.
    pub(super) fn is_long_replay(&self, range: &SeedRange, claim: &Claim) -> bool {
        let history = &range.shards.nth(claim.index).history;
        let reserved = history.layers.iter().chain([&history.own.before]).map(|prefix| prefix.reserved);
        reserved.sum::<u64>() > LONG_REPLAY
    }

    /// Takes a shard of the memory sink at hand.
    pub(super) fn begin_in_memory(&mut self, range: Arc<SeedRange>, claim: Claim) {
        let hold = match self.queue.find(&range, claim.segment) {
            Some(hold) => hold,
            None => self.queue.take_up(range, claim.segment, Opened::Missing, None),
        };
        self.take_shard(hold, claim);
    }

    /// Takes a shard at hand, its object in hand.
    pub(super) fn take_shard(&mut self, hold: u32, claim: Claim) {
        let shared = self.shared;
        let (Some(replays), Some(mixed)) = (&shared.replays, &mut self.mixed) else { return };
        let range = Arc::clone(&self.queue.hold(hold).range);
        let of_range = range.shards.nth(claim.index);
        let is_stopped = || shared.control.is_cancelled() || range.is_stopped();
        let Some(shard) = replays.shard(of_range.units(), &of_range.history, is_stopped) else { return };
        let own = of_range.history.own;
        if own.before.done >= own.operations {
            return self.without_blocks(range, &claim, Fate::Whole);
        }
        let blocks = (shard.end - shard.start).div_ceil(shared.spec.block_bytes as u64);
        let layout = &shared.spec.layout;
        let object = range.claims.object(claim.segment);
        let active = Box::new(Active {
            nth: claim.index,
            segment: claim.segment,
            object,
            object_start: layout.units_of(object).start * layout.unit_bytes(),
            shard,
            blocks,
            next: own.before.done,
            drawn: None,
            operations: own.operations,
            done: own.before.done,
            behind: [0; (WINDOW / 64) as usize],
            busy: vec![0; blocks.div_ceil(64) as usize].into(),
            limit: own.before.done,
            ask_at: u64::MAX,
            ended: false,
            range,
        });
        let work = self.queue.begin(hold, claim, own.before.done, own.operations);
        mixed.shards[work as usize] = Some(active);
        mixed.at_hand += 1;
    }

    /// The next shard in turn whose next operation may be begun now. Shards of ranges that were stopped are given up.
    fn next_shard(&mut self) -> Option<u32> {
        let shared = self.shared;
        let replays = shared.replays.as_ref()?;
        for _ in 0..self.mixed.as_ref()?.most() {
            let mixed = self.mixed.as_mut()?;
            mixed.turn = (mixed.turn + 1) % mixed.most();
            let work = mixed.turn as u32;
            let Some(active) = &mut mixed.shards[work as usize] else { continue };
            if active.range.is_stopped() {
                if !active.ended {
                    active.ended = true;
                    let fate = end_of(&active.range);
                    self.end_work(work, fate);
                }
            } else if active.is_ready(replays) {
                return Some(work);
            }
        }
        None
    }

    /// Gives up all shards at hand; what of them is in flight comes back.
    pub(super) fn give_up_shards(&mut self) {
        for work in 0..self.mixed.as_ref().map_or(0, MixedLane::most) {
            let Some(active) = self.mixed.as_mut().and_then(|mixed| mixed.shards[work].as_mut()) else { continue };
            if !active.ended {
                active.ended = true;
                self.abandon(work as u32);
            }
        }
    }

    fn begin_operation(&mut self, work: u32) {
        let shared = self.shared;
        let block_bytes = shared.spec.block_bytes as u64;
        let Some(mixed) = &mut self.mixed else { return };
        let active = mixed.get(work);
        let Some(operation) = active.drawn.take() else { return };
        let number = active.next;
        active.next += 1;
        active.flip(operation.cell);
        active.range.shards.nth(active.nth).set_begun(active.next);
        active.shard.overwrite(block_bytes, operation);
        if number == active.ask_at {
            // Whoever takes snapshots often does so when this changes.
            shared.control.note_ended_work();
        }
        let offset = active.shard.start + operation.cell * block_bytes;
        let bytes = block_bytes.min(active.shard.end - offset) as usize;
        let (segment, object, in_object) = (active.segment, active.object, offset - active.object_start);
        let block = Block { segment, object, offset, in_object, bytes, writes: operation.writes };
        let slot = self.queue.add_operation(work, block, number);
        if self.io.is_none() {
            let done = self.in_memory(work, block);
            return self.through(slot, fate_of(done));
        }
        if let Flow::Break(fate) = self.make(slot) {
            return self.through(slot, fate);
        }
        self.queue.ready.push(slot);
        self.hand_over_some();
    }

    /// Does an operation on the memory sink.
    fn in_memory(&mut self, work: u32, block: Block) -> Flow {
        let Sink::Memory(store) = &self.shared.sink else { unreachable!("other sinks have objects") };
        let Some(mixed) = &mut self.mixed else { return Flow::Continue(()) };
        let range = Arc::clone(&mixed.get(work).range);
        // SAFETY: such a task has nothing in flight, and this is the only reference at a time.
        let buffer = unsafe { self.slots.memory(0, block.bytes) };
        if block.writes {
            self.fill_cells(work, block, buffer)?;
            return self.keep(&range, block, buffer);
        }
        poison::fill(buffer);
        let submission = self.turn(&range, block.bytes)?;
        if let Err(unit) = store.read(block.offset, buffer) {
            return self.fail(&range, not_in_memory(unit));
        }
        self.count_now(self.shared.spec.class_of_io(block.writes, block.bytes), submission, block.bytes as u64);
        self.check_block(work, block, buffer);
        Flow::Continue(())
    }

    /// Makes what the cells of a block are to hold.
    pub(super) fn fill_cells(&mut self, work: u32, block: Block, memory: &mut [u8]) -> Flow {
        let (shared, streams) = (self.shared, self.streams);
        let mut refused = None;
        for (at, piece) in Self::pieces(memory.len()) {
            self.look_before(piece);
            let Some(mixed) = &mut self.mixed else { break };
            let content = &shared.spec.content;
            let offset = block.offset + at as u64;
            Expected::new(content, shared.sector_bytes, &mixed.get(work).shard, offset, piece as u64).fill(
                |generation, offset, within| {
                    let within = at + within.start..at + within.end;
                    refused =
                        fill_piece(content, streams, generation, offset, &mut memory[within]).err().or(refused.take());
                },
            );
        }
        match refused {
            None => Flow::Continue(()),
            Some(error) => {
                let range = Arc::clone(&self.queue.hold_of(work).range);
                self.fail(&range, no_such_content(&error))
            }
        }
    }

    /// Compares what was read of a block with what its cells hold.
    pub(super) fn check_block(&mut self, work: u32, block: Block, actual: &[u8]) {
        let shared = self.shared;
        let mut wrong = Vec::new();
        for (at, piece) in Self::pieces(actual.len()) {
            self.look_before(piece);
            let Some(mixed) = &mut self.mixed else { return };
            let shard = &mixed.get(work).shard;
            let offset = block.offset + at as u64;
            let expected = Expected::new(&shared.spec.content, shared.sector_bytes, shard, offset, piece as u64);
            wrong.extend(expected.compare(&actual[at..at + piece]));
        }
        if !wrong.is_empty() {
            let range = Arc::clone(&self.queue.hold_of(work).range);
            self.corrupt_cells(&range, block, actual, wrong);
        }
    }

    /// What became of an operation. Says what with that becomes of its shard.
    pub(super) fn operation_through(&mut self, of: &Slot, fate: Fate) -> Fate {
        let block_bytes = self.shared.spec.block_bytes as u64;
        let Some(mixed) = &mut self.mixed else { return fate };
        let active = mixed.get(of.work);
        active.flip((of.block.offset - active.shard.start) / block_bytes);
        if fate == Fate::Whole {
            active.acknowledge(of.number);
            return fate;
        }
        active.ended = true;
        if fate == Fate::Abandoned && of.submission.at_ns == 0 {
            active.range.shards.nth(active.nth).take_back(of.number);
        }
        if fate == Fate::Abandoned { end_of(&active.range) } else { fate }
    }
}

/// What becomes of a shard whose range is stopped: one whose time is over has done what it did.
fn end_of(range: &SeedRange) -> Fate {
    if range.is_short() { Fate::Whole } else { Fate::Abandoned }
}
