//! What is made of one block: its bytes before it goes to the sink, and what came of it after. Nothing here allocates, locks or calls the
//! system but for the I/O itself, until something is wrong. Must never know how claims are dealt
//! out, nor how many blocks are in flight.

use std::sync::Arc;

use super::claims::Claim;
use super::expected::{Expected, Stretch};
use super::in_flight::Submission;
use super::lanes::{Flow, LaneRun, fate_of};
use super::poison;
use super::queue::{Fate, Slot};
use super::range::{Opened, SeedRange};
use super::shared::Sink;
use super::spec::Operation;
use super::way::Way;
use crate::error::{Code, Error};
use crate::fill::fill_piece;
use crate::io::Answer;
use crate::sink::null;
use crate::sink::object::{Step, not_there, too_short};

/// One I/O.
#[derive(Clone, Copy)]
pub(super) struct Block {
    pub(super) segment: usize,
    pub(super) object: u64,
    /// Where in the run's linear space, in bytes.
    pub(super) offset: u64,
    /// Where in the object, in bytes.
    pub(super) in_object: u64,
    /// Its length in bytes.
    pub(super) bytes: usize,
    /// Whether it goes to the sink, or else comes from it.
    pub(super) writes: bool,
}

/// Blocks are made and compared in pieces of this size, which stay in the caches; before it makes or compares more than that,
/// of one block or of several, the lane looks whether something has come back.
const PIECE_BYTES: usize = 256 << 10;

impl LaneRun<'_> {
    /// Does the task's operation over a claim whose sink answers at once.
    pub(super) fn transfer(&mut self, range: &SeedRange, claim: &Claim) -> Flow {
        self.each_block(range, claim, |lane, block| {
            // SAFETY: such a task has nothing in flight, and this is the only reference at a time.
            let buffer = unsafe { lane.slots.memory(0, block.bytes) };
            match lane.shared.spec.operation {
                Operation::Generate => lane.generate(range, block, buffer),
                Operation::Write => lane.write(range, block, buffer),
                Operation::Read => lane.read(range, block, buffer),
                Operation::Verify => lane.verify(range, block, buffer),
                _ => unreachable!("others move no bytes, or only those of files that are opened one after the other"),
            }
        })
    }

    /// Deals with a claim whose object is not there.
    pub(super) fn without_object(&mut self, range: &SeedRange, claim: &Claim) -> Flow {
        self.each_block(range, claim, |lane, block| match lane.shared.spec.operation {
            Operation::Verify => {
                lane.missing(range, block);
                Flow::Continue(())
            }
            _ => lane.fail(range, not_there(&lane.shared.path_of(block.object))),
        })
    }

    fn each_block(&mut self, range: &SeedRange, claim: &Claim, mut each: impl FnMut(&mut Self, Block) -> Flow) -> Flow {
        let spec = &self.shared.spec;
        let unit_bytes = spec.layout.unit_bytes();
        let object = range.claims.object(claim.segment);
        let object_start = range.claims.object_start(claim.segment) * unit_bytes;
        let end = claim.units.end * unit_bytes;
        let mut offset = claim.units.start * unit_bytes;
        while offset < end {
            // A claim in progress stops here when its range is fenced or the task is called off.
            if range.is_stopped() || self.shared.control.is_cancelled() {
                return Flow::Break(Fate::Abandoned);
            }
            let bytes = (end - offset).min(spec.block_bytes as u64) as usize;
            let writes = spec.operation.writes();
            each(
                self,
                Block { segment: claim.segment, object, offset, in_object: offset - object_start, bytes, writes },
            )?;
            offset += bytes as u64;
        }
        Flow::Continue(())
    }

    /// Makes a block's bytes. There is no I/O to wait for, so the block's time runs from the end of the one before it,
    /// and one look at the clock is enough: for small blocks a second one would be a tenth of the work.
    fn generate(&mut self, range: &SeedRange, block: Block, buffer: &mut [u8]) -> Flow {
        let first = self.cell.started_ns.get() == 0;
        let late = self.since_ns >= self.shared.control.halt_ns();
        let submission = if first || late || self.pacer.is_some() {
            self.turn(range, block.bytes)?
        } else {
            Submission::at(self.since_ns)
        };
        self.fill(block.offset, buffer, range)?;
        null::write(buffer);
        self.count_now(self.shared.spec.class_of_io(block.writes, block.bytes), submission, block.bytes as u64);
        Flow::Continue(())
    }

    pub(super) fn fill(&mut self, offset: u64, buffer: &mut [u8], range: &SeedRange) -> Flow {
        let spec = &self.shared.spec;
        match spec.content.fill(spec.generation, offset, buffer) {
            Ok(()) => Flow::Continue(()),
            Err(error) => self.fail(range, no_such_content(&error)),
        }
    }

    fn write(&mut self, range: &SeedRange, block: Block, buffer: &mut [u8]) -> Flow {
        self.fill(block.offset, buffer, range)?;
        self.keep(range, block, buffer)
    }

    /// Gives a block that is made to a sink that answers at once.
    pub(super) fn keep(&mut self, range: &SeedRange, block: Block, buffer: &[u8]) -> Flow {
        let submission = self.turn(range, block.bytes)?;
        let outcome = match &mut self.memory {
            Some(memory) => memory.write(block.offset, buffer),
            None => {
                null::write(buffer);
                Ok(())
            }
        };
        match outcome {
            Ok(()) => {
                self.count_now(self.shared.spec.class_of_io(block.writes, block.bytes), submission, block.bytes as u64);
                Flow::Continue(())
            }
            Err(error) => self.fail(range, error),
        }
    }

    fn read(&mut self, range: &SeedRange, block: Block, buffer: &mut [u8]) -> Flow {
        // A read that delivers nothing must not pass. Nobody looks at all the bytes here, so marks are enough.
        poison::mark(buffer);
        let Sink::Memory(store) = &self.shared.sink else { unreachable!("refused when the task was prepared") };
        let submission = self.turn(range, block.bytes)?;
        if let Err(unit) = store.read(block.offset, buffer) {
            return self.fail(range, not_in_memory(unit));
        }
        self.count_now(self.shared.spec.class_of_io(block.writes, block.bytes), submission, block.bytes as u64);
        match self.undelivered(block, buffer) {
            None => Flow::Continue(()),
            Some(error) => self.fail(range, error),
        }
    }

    fn verify(&mut self, range: &SeedRange, block: Block, buffer: &mut [u8]) -> Flow {
        // A read that delivers nothing must not pass because the right bytes were in the buffer from before.
        poison::fill(buffer);
        let Sink::Memory(store) = &self.shared.sink else { unreachable!("refused when the task was prepared") };
        let submission = self.turn(range, block.bytes)?;
        if store.read(block.offset, buffer).is_ok() {
            self.count_now(self.shared.spec.class_of_io(block.writes, block.bytes), submission, block.bytes as u64);
            return self.check(range, block, buffer);
        }
        // Some unit is not there: what is there of the block is still verified, unit by unit.
        let unit_bytes = store.unit_bytes() as usize;
        let mut at = 0;
        while at < block.bytes {
            let bytes = (unit_bytes - (block.offset as usize + at) % unit_bytes).min(block.bytes - at);
            let part =
                Block { offset: block.offset + at as u64, in_object: block.in_object + at as u64, bytes, ..block };
            let submission = self.may_submit(range)?;
            match store.read(part.offset, &mut buffer[..bytes]) {
                Ok(()) => {
                    self.count_now(self.shared.spec.class_of_io(block.writes, bytes), submission, bytes as u64);
                    self.check(range, part, &buffer[..bytes])?;
                }
                Err(_) => self.missing_unit(range, part),
            }
            at += bytes;
        }
        Flow::Continue(())
    }

    /// Makes what is in a slot's memory before its block goes to the system.
    pub(super) fn make(&mut self, slot: u32) -> Flow {
        if self.shared.spec.operation.is_by_object() {
            return Flow::Continue(());
        }
        let Slot { block, work, .. } = *self.queue.slot(slot);
        // SAFETY: the block is not handed over yet, and this is the only reference.
        let memory = unsafe { self.slots.memory(slot, block.bytes) };
        match self.shared.spec.operation {
            Operation::Write => {
                for (nth, piece) in memory.chunks_mut(PIECE_BYTES).enumerate() {
                    self.look_before(piece.len());
                    let spec = &self.shared.spec;
                    let offset = block.offset + (nth * PIECE_BYTES) as u64;
                    if let Err(error) = fill_piece(&spec.content, self.streams, spec.generation, offset, piece) {
                        let range = Arc::clone(&self.queue.slot_and_hold(slot).1.range);
                        return self.fail(&range, no_such_content(&error));
                    }
                }
            }
            Operation::Mixed if block.writes => return self.fill_cells(work, block, memory),
            // A read that delivers nothing must not pass because the right bytes were in the memory from before. Where
            // nobody will look at all bytes, marks are enough.
            Operation::Verify | Operation::Mixed => poison::fill(memory),
            _ => poison::mark(memory),
        }
        Flow::Continue(())
    }

    /// So many bytes are to be made or compared next.
    pub(super) fn look_before(&mut self, bytes: usize) {
        if self.unlooked_bytes + bytes > PIECE_BYTES {
            self.look();
        }
        self.unlooked_bytes += bytes;
    }

    /// Deals with the answer to a block's I/O.
    pub(super) fn answered(&mut self, answer: Answer) {
        let slot = answer.slot;
        self.queue.in_flight -= 1;
        if let Some(Way::Store(store)) = &mut self.io {
            let done = store.take(slot);
            return self.store_answered(slot, done);
        }
        let (of, hold) = self.queue.slot_and_hold(slot);
        let Opened::File(file) = &hold.opened else {
            unreachable!("only blocks of objects that are open are in flight")
        };
        let (block, submission, done_ns) = (of.block, of.submission, of.done_ns);
        let (bytes, offset) = (block.bytes, block.in_object);
        let step = file.answered(block.writes, bytes, offset, &mut of.progress, answer.outcome);
        let done = match step {
            Ok(Step::Again) => return self.queue.ready.push(slot),
            Ok(Step::Done(got)) => {
                self.count(self.shared.spec.class_of_io(block.writes, block.bytes), submission, done_ns, got as u64);
                self.moved(slot, block, got)
            }
            Err(error) => {
                let range = self.range_of(slot);
                self.fail(&range, error)
            }
        };
        self.through(slot, fate_of(done));
    }

    /// Looks at what a block's I/O brought.
    pub(super) fn moved(&mut self, slot: u32, block: Block, got: usize) -> Flow {
        // SAFETY: the block is answered, and this is the only reference.
        let memory = unsafe { self.slots.memory(slot, got) };
        match self.shared.spec.operation {
            Operation::Verify | Operation::Mixed if !block.writes => {
                let checked = self.check_read(slot, block, memory);
                if got < block.bytes {
                    let file_bytes = self.object_bytes(slot);
                    let range = self.range_of(slot);
                    self.truncated(&range, block, got, file_bytes);
                }
                checked
            }
            Operation::Read if got < block.bytes => {
                let range = self.range_of(slot);
                self.fail(&range, too_short(&self.shared.path_of(block.object), block.in_object, block.bytes, got))
            }
            Operation::Read => match self.undelivered(block, memory) {
                None => Flow::Continue(()),
                Some(error) => {
                    let range = self.range_of(slot);
                    self.fail(&range, error)
                }
            },
            _ => Flow::Continue(()),
        }
    }

    fn check_read(&mut self, slot: u32, block: Block, memory: &[u8]) -> Flow {
        if self.mixed.is_some() {
            let work = self.queue.slot(slot).work;
            self.check_block(work, block, memory);
            return Flow::Continue(());
        }
        if self.shared.replays.is_some() {
            let range = self.range_of(slot);
            return self.check_cells(&range, block, memory);
        }
        self.check_pieces(slot, block, memory)
    }

    /// Cuts the bytes of a block into pieces: where they begin in it, and how long they are.
    pub(super) fn pieces(bytes: usize) -> impl Iterator<Item = (usize, usize)> {
        (0..bytes).step_by(PIECE_BYTES).map(move |at| (at, PIECE_BYTES.min(bytes - at)))
    }

    /// Compares what was read with what cells hold that may have been overwritten.
    fn check_cells(&mut self, range: &SeedRange, block: Block, actual: &[u8]) -> Flow {
        let shared = self.shared;
        let Some(replays) = &shared.replays else { return Flow::Continue(()) };
        let mut wrong: Vec<Stretch> = Vec::new();
        let mut at = 0;
        while at < actual.len() {
            let offset = block.offset + at as u64;
            let of_range = range.shards.of_unit(offset / shared.spec.layout.unit_bytes());
            let is_stopped = || shared.control.is_cancelled() || range.is_stopped();
            let Some(shard) = of_range.and_then(|shard| shard.replayed(replays, is_stopped)) else {
                return Flow::Break(Fate::Abandoned);
            };
            let bytes = (shard.end - offset).min((actual.len() - at).min(PIECE_BYTES) as u64);
            self.look_before(bytes as usize);
            let expected = Expected::new(&shared.spec.content, shared.sector_bytes, shard, offset, bytes);
            self.cell.cells_in_doubt.add(expected.in_doubt());
            wrong.extend(expected.compare(&actual[at..at + bytes as usize]));
            at += bytes as usize;
        }
        if !wrong.is_empty() {
            self.corrupt_cells(range, block, actual, wrong);
        }
        Flow::Continue(())
    }

    fn check_pieces(&mut self, slot: u32, block: Block, memory: &[u8]) -> Flow {
        for (nth, piece) in memory.chunks(PIECE_BYTES).enumerate() {
            self.look_before(piece.len());
            let at = (nth * PIECE_BYTES) as u64;
            let spec = &self.shared.spec;
            match spec.content.compare(spec.generation, block.offset + at, piece) {
                Ok(None) => {}
                // Whatever is wrong with the block is named as a whole.
                Ok(Some(_)) => {
                    let range = self.range_of(slot);
                    self.corrupt(&range, block, memory);
                    return Flow::Continue(());
                }
                Err(error) => {
                    let range = self.range_of(slot);
                    return self.fail(&range, no_such_content(&error));
                }
            }
        }
        Flow::Continue(())
    }

    #[cold]
    pub(super) fn range_of(&mut self, slot: u32) -> Arc<SeedRange> {
        Arc::clone(&self.queue.slot_and_hold(slot).1.range)
    }

    /// How long the object of a slot's block is, as far as that can be found out.
    #[cold]
    fn object_bytes(&mut self, slot: u32) -> Option<u64> {
        let object = self.queue.slot(slot).block.object;
        match (&mut self.io, &self.queue.slot_and_hold(slot).1.opened) {
            (Some(Way::Store(store)), _) => store.length(object),
            (_, Opened::File(file)) => file.bytes().ok(),
            _ => None,
        }
    }

    /// What there is to say of a read that says that it went well, and brought nothing in some page.
    pub(super) fn undelivered(&self, block: Block, buffer: &[u8]) -> Option<Error> {
        let at = poison::undelivered(buffer)?;
        Some(undelivered(&self.shared.name_of(block.object), block.in_object + at as u64))
    }

    /// Compares what was read with what it must be.
    pub(super) fn check(&mut self, range: &SeedRange, block: Block, actual: &[u8]) -> Flow {
        if self.shared.replays.is_some() {
            return self.check_cells(range, block, actual);
        }
        let spec = &self.shared.spec;
        match spec.content.compare(spec.generation, block.offset, actual) {
            Ok(None) => Flow::Continue(()),
            Ok(Some(_)) => {
                self.corrupt(range, block, actual);
                Flow::Continue(())
            }
            Err(error) => self.fail(range, no_such_content(&error)),
        }
    }
}

pub(super) fn not_in_memory(unit: u64) -> Error {
    let what = format!("unit {unit} is not in memory");
    Error::new(Code::ObjectMissing, what, "write the data before it is read, with the same engine")
}

fn undelivered(file: &str, offset: u64) -> Error {
    Error::new(
        Code::Io,
        format!("a read of {file} succeeded but delivered nothing at offset {offset}"),
        "verify the data; look at this host's kernel log and at the file system",
    )
}

pub(super) fn no_such_content(error: &dyn std::error::Error) -> Error {
    Error::new(Code::InvalidArgument, format!("the content function refused: {error}"), "report this as a defect")
}
