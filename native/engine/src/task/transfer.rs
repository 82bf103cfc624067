//! What moves bytes: one claim, block by block, through the lane's buffer. Nothing here allocates, locks or calls the
//! system but for the I/O itself, until something is wrong. Must never know how claims are dealt out.

use super::claims::Claim;
use super::lanes::{Flow, LaneRun};
use super::poison;
use super::range::{Opened, SeedRange};
use super::shared::Sink;
use super::spec::Operation;
use crate::error::{Code, Error};
use crate::sink::null;
use crate::sink::object::{not_there, too_short};

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
}

impl LaneRun<'_> {
    /// Does the task's operation over a claim.
    pub(super) fn transfer(&mut self, range: &SeedRange, claim: &Claim, buffer: &mut [u8]) -> Flow {
        if self.shared.spec.operation == Operation::Generate {
            return self.blocks(range, claim, None, buffer);
        }
        self.take_up(range, claim.segment)?;
        // Taken out for the time of the claim, so that it is lent to the I/O without counting references.
        let object = self.object.take();
        let done = self.blocks(range, claim, object.as_ref().map(|(_, opened)| opened), buffer);
        self.object = object;
        done
    }

    fn blocks(&mut self, range: &SeedRange, claim: &Claim, opened: Option<&Opened>, buffer: &mut [u8]) -> Flow {
        let spec = &self.shared.spec;
        let unit_bytes = spec.layout.unit_bytes();
        let object = range.claims.object(claim.segment);
        let object_start = spec.layout.units_of(object).start * unit_bytes;
        let end = claim.units.end * unit_bytes;
        let mut offset = claim.units.start * unit_bytes;
        while offset < end {
            // A claim in progress stops here when its range is fenced or the task is called off.
            if range.is_stopped() || self.shared.control.is_cancelled() {
                return Flow::Break(());
            }
            let bytes = (end - offset).min(spec.block_bytes as u64) as usize;
            let block = Block { segment: claim.segment, object, offset, in_object: offset - object_start, bytes };
            let buffer = &mut buffer[..bytes];
            match spec.operation {
                Operation::Generate => self.generate(range, block, buffer)?,
                Operation::Write => self.write(range, block, opened, buffer)?,
                Operation::Read => self.read(range, block, opened, buffer)?,
                Operation::Verify => self.verify(range, block, opened, buffer)?,
                Operation::Delete => unreachable!("a delete moves no bytes"),
            }
            offset += bytes as u64;
        }
        Flow::Continue(())
    }

    /// Makes a block's bytes. There is no I/O to wait for, so the block's time runs from the end of the one before it,
    /// and one look at the clock is enough: for small blocks a second one would be a tenth of the work.
    fn generate(&mut self, range: &SeedRange, block: Block, buffer: &mut [u8]) -> Flow {
        let first = self.cell.started_ns.get() == 0;
        let late = self.since_ns >= self.shared.control.deadline_ns();
        let start_ns = if first || late { self.may_submit(range)? } else { self.since_ns };
        self.fill(range, block, buffer)?;
        null::write(buffer);
        self.count(start_ns, block.bytes as u64);
        Flow::Continue(())
    }

    fn fill(&mut self, range: &SeedRange, block: Block, buffer: &mut [u8]) -> Flow {
        let spec = &self.shared.spec;
        match spec.content.fill(spec.generation, block.offset, buffer) {
            Ok(()) => Flow::Continue(()),
            Err(error) => self.fail(range, no_such_content(&error)),
        }
    }

    fn write(&mut self, range: &SeedRange, block: Block, opened: Option<&Opened>, buffer: &mut [u8]) -> Flow {
        self.fill(range, block, buffer)?;
        let start_ns = self.may_submit(range)?;
        let outcome = match (&self.shared.sink, opened) {
            (Sink::Objects(_), Some(Opened::File(file))) => file.write_at(buffer, block.in_object),
            (Sink::Objects(sink), _) => Err(not_there(&sink.path_of(block.object))),
            (Sink::Memory(_), _) => match &mut self.memory {
                Some(memory) => memory.write(block.offset, buffer),
                None => unreachable!("a lane of a task on memory has its way into the store"),
            },
            (Sink::Null, _) => {
                null::write(buffer);
                Ok(())
            }
        };
        match outcome {
            Ok(()) => {
                self.count(start_ns, block.bytes as u64);
                Flow::Continue(())
            }
            Err(error) => self.fail(range, error),
        }
    }

    fn read(&mut self, range: &SeedRange, block: Block, opened: Option<&Opened>, buffer: &mut [u8]) -> Flow {
        // A read that delivers nothing must not pass. Nobody looks at all the bytes here, so marks are enough.
        poison::mark(buffer);
        let start_ns = self.may_submit(range)?;
        let outcome = match (&self.shared.sink, opened) {
            (Sink::Objects(_), Some(Opened::File(file))) => match file.read_at(buffer, block.in_object) {
                Ok(got) if got < block.bytes => Err(too_short(file.path(), block.in_object, block.bytes, got)),
                Ok(_) => Ok(()),
                Err(error) => Err(error),
            },
            (Sink::Objects(sink), _) => Err(not_there(&sink.path_of(block.object))),
            (Sink::Memory(store), _) => store.read(block.offset, buffer).map_err(not_in_memory),
            (Sink::Null, _) => unreachable!("refused when the task was prepared"),
        };
        if let Err(error) = outcome {
            return self.fail(range, error);
        }
        self.count(start_ns, block.bytes as u64);
        match poison::undelivered(buffer) {
            None => Flow::Continue(()),
            Some(at) => self.fail(range, undelivered(&self.shared.name_of(block.object), block.in_object + at as u64)),
        }
    }

    fn verify(&mut self, range: &SeedRange, block: Block, opened: Option<&Opened>, buffer: &mut [u8]) -> Flow {
        // A read that delivers nothing must not pass because the right bytes were in the buffer from before.
        poison::fill(buffer);
        let file = match (&self.shared.sink, opened) {
            (Sink::Objects(_), Some(Opened::File(file))) => file,
            (Sink::Objects(_), _) => {
                self.missing(range, block);
                return Flow::Continue(());
            }
            _ => return self.verify_memory(range, block, buffer),
        };
        let start_ns = self.may_submit(range)?;
        match file.read_at(buffer, block.in_object) {
            Ok(got) => {
                self.count(start_ns, got as u64);
                self.check(range, block, &buffer[..got])?;
                if got < block.bytes {
                    self.truncated(range, block, got, file);
                }
                Flow::Continue(())
            }
            Err(error) => self.fail(range, error),
        }
    }

    fn verify_memory(&mut self, range: &SeedRange, block: Block, buffer: &mut [u8]) -> Flow {
        let Sink::Memory(store) = &self.shared.sink else { unreachable!("other sinks are dealt with") };
        let start_ns = self.may_submit(range)?;
        if store.read(block.offset, buffer).is_ok() {
            self.count(start_ns, block.bytes as u64);
            return self.check(range, block, buffer);
        }
        // Some unit is not there: what is there of the block is still verified, unit by unit.
        let unit_bytes = store.unit_bytes() as usize;
        let mut at = 0;
        while at < block.bytes {
            let bytes = (unit_bytes - (block.offset as usize + at) % unit_bytes).min(block.bytes - at);
            let part =
                Block { offset: block.offset + at as u64, in_object: block.in_object + at as u64, bytes, ..block };
            let start_ns = self.may_submit(range)?;
            match store.read(part.offset, &mut buffer[..bytes]) {
                Ok(()) => {
                    self.count(start_ns, bytes as u64);
                    self.check(range, part, &buffer[..bytes])?;
                }
                Err(_) => self.missing_unit(part),
            }
            at += bytes;
        }
        Flow::Continue(())
    }

    /// Compares what was read with what it must be.
    #[inline]
    fn check(&mut self, range: &SeedRange, block: Block, actual: &[u8]) -> Flow {
        let spec = &self.shared.spec;
        match spec.content.compare(spec.generation, block.offset, actual) {
            Ok(None) => Flow::Continue(()),
            Ok(Some(_)) => {
                self.corrupt(block, actual);
                Flow::Continue(())
            }
            Err(error) => self.fail(range, no_such_content(&error)),
        }
    }
}

fn not_in_memory(unit: u64) -> Error {
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

fn no_such_content(error: &dyn std::error::Error) -> Error {
    Error::new(Code::InvalidArgument, format!("the content function refused: {error}"), "report this as a defect")
}
