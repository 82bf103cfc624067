//! A lane's blocks in the making and in flight, the claims that they belong to and the objects that they need. Pure
//! bookkeeping, made once for a task: must never do I/O, nor decide what comes next.

use std::sync::Arc;

use super::claims::Claim;
use super::in_flight::Submission;
use super::range::{Opened, SeedRange};
use super::transfer::Block;
use crate::io::FileHandle;
use crate::sink::object::Progress;

/// The part of a range that lies in one object, with that object: what blocks at hand have in common. As long as a lane
/// has it, the range is not drained and the object is not closed.
pub(super) struct Hold {
    pub(super) range: Arc<SeedRange>,
    pub(super) segment: usize,
    pub(super) opened: Opened,
    /// How the lane's I/O knows the object.
    pub(super) file: Option<FileHandle>,
    /// Claims in work.
    works: usize,
}

/// A claim in work: blocks up to `next` are cut, and `outstanding` of them are not through.
pub(super) struct Work {
    pub(super) hold: u32,
    pub(super) claim: Claim,
    /// Where the next block begins, in bytes of the run's linear space; in a mixed task the number of the next operation.
    pub(super) next: u64,
    /// Where the claim ends, likewise.
    pub(super) end: u64,
    outstanding: usize,
    fate: Fate,
}

/// What became of a block; of a claim, what became of the worst of its blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fate {
    /// It went well.
    Whole,
    /// It failed with an error that the plan lets pass.
    Failed,
    /// It failed, or was never tried, and nothing is known of it.
    Abandoned,
}

/// One block, in the slot of memory that has its number.
#[derive(Clone, Copy)]
pub(super) struct Slot {
    pub(super) work: u32,
    pub(super) block: Block,
    /// Which operation of its claim it is, in a mixed task.
    pub(super) number: u64,
    pub(super) progress: Progress,
    /// When it was first handed to the system.
    pub(super) submission: Submission,
    /// When its answer was seen, in ns.
    pub(super) done_ns: u64,
}

/// See the module.
pub(super) struct Queue {
    slots: Slab<Slot>,
    works: Slab<Work>,
    holds: Slab<Hold>,
    /// Slots that wait to be handed to the system, in the order in which they were made.
    pub(super) ready: Vec<u32>,
    pub(super) in_flight: usize,
}

impl Queue {
    /// For at most `depth` blocks at once.
    pub(super) fn new(depth: usize) -> Self {
        // One more: a claim is taken, and its object opened, before its first block has a slot.
        Self::with_works(depth, depth + 1)
    }

    /// The same for at most so many claims at once.
    pub(super) fn with_works(depth: usize, works: usize) -> Self {
        let (slots, works, holds) = (Slab::new(depth), Slab::new(works), Slab::new(works + 1));
        Self { slots, works, holds, ready: Vec::with_capacity(depth), in_flight: 0 }
    }

    /// Whether no block is ready or in flight.
    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    pub(super) fn has_room(&self) -> bool {
        self.slots.has_room()
    }

    pub(super) fn slot(&mut self, slot: u32) -> &mut Slot {
        self.slots.get(slot)
    }

    pub(super) fn work(&mut self, work: u32) -> &mut Work {
        self.works.get(work)
    }

    pub(super) fn hold(&mut self, hold: u32) -> &mut Hold {
        self.holds.get(hold)
    }

    /// What a claim in work needs.
    pub(super) fn hold_of(&mut self, work: u32) -> &mut Hold {
        let hold = self.works.get(work).hold;
        self.holds.get(hold)
    }

    /// A slot, and the object that its block is in.
    pub(super) fn slot_and_hold(&mut self, slot: u32) -> (&mut Slot, &mut Hold) {
        let slot = self.slots.get(slot);
        let hold = self.works.get(slot.work).hold;
        (slot, self.holds.get(hold))
    }

    /// The part of a range that is at hand, if it is.
    pub(super) fn find(&self, range: &Arc<SeedRange>, segment: usize) -> Option<u32> {
        self.holds.find(|hold| hold.segment == segment && Arc::ptr_eq(&hold.range, range))
    }

    /// Takes a part of a range in hand. The lane must be inside the range, which is entered once more for it.
    pub(super) fn take_up(
        &mut self,
        range: Arc<SeedRange>,
        segment: usize,
        opened: Opened,
        file: Option<FileHandle>,
    ) -> u32 {
        range.enter();
        self.holds.insert(Hold { range, segment, opened, file, works: 0 })
    }

    /// Gives back a part of a range that no claim in work needs, for the caller to let go of.
    pub(super) fn put_back(&mut self) -> Option<Hold> {
        let idle = self.holds.find(|hold| hold.works == 0)?;
        Some(self.holds.remove(idle))
    }

    /// Begins with a claim over these bytes.
    pub(super) fn begin(&mut self, hold: u32, claim: Claim, next: u64, end: u64) -> u32 {
        self.holds.get(hold).works += 1;
        self.works.insert(Work { hold, claim, next, end, outstanding: 0, fate: Fate::Whole })
    }

    /// Gives a block of a claim a slot. There must be room.
    pub(super) fn add(&mut self, work: u32, block: Block) -> u32 {
        let of = self.works.get(work);
        of.outstanding += 1;
        of.next = block.offset + block.bytes as u64;
        self.insert(work, block, 0)
    }

    /// Gives an operation of a claim a slot. There must be room.
    pub(super) fn add_operation(&mut self, work: u32, block: Block, number: u64) -> u32 {
        let of = self.works.get(work);
        of.outstanding += 1;
        of.next = number + 1;
        self.insert(work, block, number)
    }

    fn insert(&mut self, work: u32, block: Block, number: u64) -> u32 {
        let progress = Progress::default();
        self.slots.insert(Slot { work, block, number, progress, submission: Submission::default(), done_ns: 0 })
    }

    /// A block is through; its slot is free again. Gives its claim back when that was the last of it. When the block failed
    /// and that passes, what of the claim is in flight goes on, and no more is cut from it.
    pub(super) fn through(&mut self, slot: u32, fate: Fate) -> Option<Through> {
        let work = self.slots.remove(slot).work;
        let of = self.works.get(work);
        of.outstanding -= 1;
        of.fate = of.fate.max(fate);
        if fate == Fate::Failed {
            of.end = of.next;
        }
        self.end_if_done(work)
    }

    /// No more blocks are cut from a claim, and no better than this becomes of it. Gives it back when none of it is outstanding.
    pub(super) fn end(&mut self, work: u32, fate: Fate) -> Option<Through> {
        let of = self.works.get(work);
        of.fate = of.fate.max(fate);
        of.end = of.next;
        self.end_if_done(work)
    }

    fn end_if_done(&mut self, work: u32) -> Option<Through> {
        let of = self.works.get(work);
        if of.outstanding > 0 || of.next < of.end {
            return None;
        }
        let Work { hold, claim, fate, .. } = self.works.remove(work);
        self.holds.get(hold).works -= 1;
        Some(Through { hold, claim, fate })
    }
}

/// A claim of which no block is outstanding.
pub(super) struct Through {
    pub(super) hold: u32,
    pub(super) claim: Claim,
    pub(super) fate: Fate,
}

/// A few things that keep their numbers; as many places as it was made with.
struct Slab<T> {
    places: Box<[Option<T>]>,
    free: Vec<u32>,
}

impl<T> Slab<T> {
    fn new(places: usize) -> Self {
        Self { places: (0..places).map(|_| None).collect(), free: (0..places as u32).rev().collect() }
    }

    fn is_empty(&self) -> bool {
        self.free.len() == self.places.len()
    }

    fn has_room(&self) -> bool {
        !self.free.is_empty()
    }

    fn insert(&mut self, thing: T) -> u32 {
        let place = self.free.pop().expect("whoever inserts has looked whether there is room");
        self.places[place as usize] = Some(thing);
        place
    }

    fn remove(&mut self, place: u32) -> T {
        self.free.push(place);
        self.places[place as usize].take().expect("what has a number is there")
    }

    fn get(&mut self, place: u32) -> &mut T {
        self.places[place as usize].as_mut().expect("what has a number is there")
    }

    fn find(&self, is_it: impl Fn(&T) -> bool) -> Option<u32> {
        self.places.iter().position(|place| place.as_ref().is_some_and(&is_it)).map(|place| place as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Layout;
    use crate::task::claims::Claims;

    const UNIT: u64 = 4096;

    /// A queue with a claim of eight blocks, of which two are cut.
    fn at_work() -> (Queue, u32, [u32; 2]) {
        let layout = Layout::new(UNIT, 8, 8).unwrap();
        let range = Arc::new(SeedRange::new(1, Claims::new(&layout, 0..8, 8), false));
        let claim = range.claim().unwrap();
        let mut queue = Queue::new(4);
        let hold = queue.take_up(range, 0, Opened::Missing, None);
        let work = queue.begin(hold, claim, 0, 8 * UNIT);
        let block = |at| Block {
            segment: 0,
            object: 0,
            offset: at * UNIT,
            in_object: at * UNIT,
            bytes: UNIT as usize,
            writes: true,
        };
        let slots = [queue.add(work, block(0)), queue.add(work, block(1))];
        (queue, work, slots)
    }

    #[test]
    fn a_block_whose_failure_passes_fails_its_claim_once_the_others_in_flight_are_back() {
        let (mut queue, _, [first, second]) = at_work();
        assert!(queue.through(first, Fate::Failed).is_none());
        let through = queue.through(second, Fate::Whole).expect("no more is cut from it");
        assert_eq!(through.fate, Fate::Failed);
        assert!(queue.is_empty() && queue.put_back().is_some());
    }

    #[test]
    fn what_is_left_in_the_middle_counts_neither_as_done_nor_as_failed() {
        let (mut queue, work, [first, second]) = at_work();
        assert!(queue.through(first, Fate::Whole).is_none());
        assert!(queue.end(work, Fate::Abandoned).is_none());
        assert_eq!(queue.through(second, Fate::Failed).map(|through| through.fate), Some(Fate::Abandoned));
    }
}
