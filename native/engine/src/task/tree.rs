//! A tree of many small files: directories and files made, files read and renamed, one after the other in each lane. A file
//! of the tree is the first bytes of its own units. Must never know of other names than its layout's.

use std::sync::Arc;

use super::claims::Claim;
use super::findings::FindingKind;
use super::in_flight::Submission;
use super::lanes::{Flow, LaneRun};
use super::poison;
use super::range::SeedRange;
use super::spec::Operation;
use super::transfer::Block;
use crate::clock::now_ns;
use crate::error::Result;
use crate::sink::object::{ObjectFile, not_there, too_short};
use crate::sink::tree::{Made, NewFile};

impl LaneRun<'_> {
    /// Does the task's operation to the file of a claim, which belongs to the range that holds its first unit.
    pub(super) fn small_file(&mut self, range: &SeedRange, claim: &Claim) -> Flow {
        let spec = &self.shared.spec;
        let object = range.claims.object(claim.segment);
        if claim.units.start != spec.layout.units_of(object).start {
            return Flow::Continue(());
        }
        match spec.operation {
            Operation::Create => self.create(range, claim.segment, object),
            Operation::Rename => self.rename(range, object),
            _ => self.read_file(range, claim.segment, object),
        }
    }

    /// Makes the directory of a claim, which is a whole directory's part of the range.
    pub(super) fn make_directory(&mut self, range: &SeedRange, claim: &Claim) -> Flow {
        let shared = self.shared;
        let directory = range.claims.object(claim.segment);
        // A directory belongs to the range that holds its first file.
        if claim.units.start != directory * shared.spec.layout.by_folder().units_per_object() {
            return Flow::Continue(());
        }
        let submission = self.turn(range, 0)?;
        match shared.files().make_directory(directory) {
            Ok(0) => self.found_made(),
            Ok(made) => {
                let class = shared.spec.class_of(0);
                self.count_now(class, submission, 0);
                self.cell.classes.of(class).operations.add(made - 1);
                self.cell.counters.operations.add(made - 1);
                self.cell.counters.folders.add(made);
            }
            Err(error) => return self.fail(range, error),
        }
        Flow::Continue(())
    }

    /// Creates a file and writes its bytes.
    fn create(&mut self, range: &SeedRange, segment: usize, object: u64) -> Flow {
        let shared = self.shared;
        let bytes = shared.spec.layout.bytes_of(object);
        // Its first bytes are made before the file is, so that the time that counts is the storage's alone.
        let mut block = self.block_at(segment, object, 0);
        self.fill_block(range, block)?;
        let Submission { at_ns: mut since_ns, intended_ns } = self.turn(range, bytes as usize)?;
        let file = match shared.files().create(&mut self.at_hand, object) {
            Ok(file) => file,
            Err(error) => return self.fail(range, error),
        };
        let mut spent_ns = 0;
        while block.in_object < bytes {
            // SAFETY: nothing is in flight in such a task, and this is the only reference at a time.
            let buffer = unsafe { self.slots.memory(0, block.bytes) };
            if let Err(error) = shared.files().write_new(&file, buffer, block.in_object) {
                return self.fail(range, error);
            }
            block = self.block_at(segment, object, block.in_object + block.bytes as u64);
            if block.bytes > 0 {
                spent_ns += now_ns() - since_ns;
                self.fill_block(range, block)?;
                since_ns = self.may_submit(range)?.at_ns;
            }
        }
        spent_ns += now_ns() - since_ns;
        self.finish_new(range, file, (spent_ns, intended_ns), bytes)
    }

    /// Makes a new file durable, where the policy says so, and closes it.
    fn finish_new(
        &mut self,
        range: &SeedRange,
        file: NewFile,
        (spent_ns, intended_ns): (u64, u64),
        bytes: u64,
    ) -> Flow {
        let files = self.shared.files();
        if self.shared.spec.durable_apart()
            && let Err(error) = self.sync(|| files.sync_new(&file))
        {
            return self.fail(range, error);
        }
        let close_ns = now_ns();
        match files.close_new(file) {
            Ok(Made::Now) => {
                let done_ns = now_ns();
                let class = self.shared.spec.class_of(bytes as usize);
                self.count(class, Submission { at_ns: close_ns - spent_ns, intended_ns }, done_ns, bytes);
                self.since_ns = done_ns;
            }
            Ok(Made::Before) => self.found_made(),
            Err(error) => return self.fail(range, error),
        }
        Flow::Continue(())
    }

    /// What was to be made was there: an earlier attempt at the range made it. That is no operation of this one.
    fn found_made(&mut self) {
        self.cell.counters.existed.add(1);
        self.since_ns = now_ns();
        self.cell.note_done(self.since_ns);
    }

    /// Gives a file its next name.
    fn rename(&mut self, range: &SeedRange, object: u64) -> Flow {
        let submission = self.turn(range, 0)?;
        match self.shared.files().rename(&mut self.at_hand, object) {
            Ok(Made::Now) => self.count_now(self.shared.spec.class_of(0), submission, 0),
            Ok(Made::Before) => self.found_made(),
            Err(error) => return self.fail(range, error),
        }
        Flow::Continue(())
    }

    /// Reads or verifies a file: opens it, reads it, closes it, which is one operation.
    fn read_file(&mut self, range: &SeedRange, segment: usize, object: u64) -> Flow {
        let shared = self.shared;
        let verifies = shared.spec.operation == Operation::Verify;
        let submission = self.turn(range, shared.spec.layout.bytes_of(object) as usize)?;
        let file = match shared.files().open_at_hand(&mut self.at_hand, object) {
            Ok(Some(file)) => file,
            Ok(None) if verifies => {
                self.count_now(shared.spec.class_of(0), submission, 0);
                self.wrong_object(range, object, FindingKind::Missing);
                return Flow::Continue(());
            }
            Ok(None) => return self.fail(range, not_there(&shared.path_of(object))),
            Err(error) => return self.fail(range, error),
        };
        let open_ns = now_ns() - submission.at_ns;
        let (read_ns, got) = self.read_blocks(range, segment, object, &file)?;
        if verifies {
            self.check_length(range, object, &file)?;
        }
        let close_ns = now_ns();
        if let Some(file) = Arc::into_inner(file)
            && let Err(error) = file.close()
        {
            return self.fail(range, error);
        }
        let done_ns = now_ns();
        let at_ns = close_ns - open_ns - read_ns;
        self.count(shared.spec.class_of(got as usize), Submission { at_ns, ..submission }, done_ns, got);
        self.since_ns = done_ns;
        Flow::Continue(())
    }

    /// Reads all blocks of a file and looks at what came. Gives the time inside the reads in ns, and the bytes.
    fn read_blocks(&mut self, range: &SeedRange, segment: usize, object: u64, file: &ObjectFile) -> Flow<(u64, u64)> {
        let verifies = self.shared.spec.operation == Operation::Verify;
        let (mut spent_ns, mut read) = (0, 0);
        loop {
            let block = self.block_at(segment, object, read);
            if block.bytes == 0 {
                return Flow::Continue((spent_ns, read));
            }
            // SAFETY: nothing is in flight in such a task, and this is the only reference at a time.
            let buffer = unsafe { self.slots.memory(0, block.bytes) };
            // A read that delivers nothing must not pass because the right bytes were in the memory from before.
            if verifies {
                poison::fill(buffer)
            } else {
                poison::mark(buffer)
            }
            let start_ns = self.may_submit(range)?.at_ns;
            let got = match file.read_whole(buffer, block.in_object) {
                Ok(got) => got,
                Err(error) => return self.fail(range, error),
            };
            spent_ns += now_ns() - start_ns;
            read += got as u64;
            let buffer = &buffer[..got];
            if verifies {
                self.check(range, Block { bytes: got, ..block }, buffer)?;
            } else if got < block.bytes {
                return self.fail(range, too_short(&self.shared.path_of(object), block.in_object, block.bytes, got));
            } else if let Some(error) = self.undelivered(block, buffer) {
                return self.fail(range, error);
            }
            if got < block.bytes {
                return Flow::Continue((spent_ns, read));
            }
        }
    }

    /// A file of a tree is as long as the layout says, to the byte.
    fn check_length(&mut self, range: &SeedRange, object: u64, file: &ObjectFile) -> Flow {
        let wanted = self.shared.spec.layout.bytes_of(object);
        match file.bytes() {
            Ok(file_bytes) if file_bytes < wanted => {
                self.wrong_object(range, object, FindingKind::Truncated { file_bytes });
            }
            Ok(file_bytes) if file_bytes > wanted => {
                self.wrong_object(range, object, FindingKind::TooLong { file_bytes });
            }
            Ok(_) => {}
            Err(error) => return self.fail(range, error),
        }
        Flow::Continue(())
    }

    /// The block of a file that begins at this offset; one of no bytes at its end.
    fn block_at(&self, segment: usize, object: u64, in_object: u64) -> Block {
        let spec = &self.shared.spec;
        let start = spec.layout.units_of(object).start * spec.layout.unit_bytes();
        let bytes = (spec.layout.bytes_of(object) - in_object).min(spec.block_bytes as u64) as usize;
        let writes = spec.operation == Operation::Create;
        Block { segment, object, offset: start + in_object, in_object, bytes, writes }
    }

    fn fill_block(&mut self, range: &SeedRange, block: Block) -> Flow {
        if block.bytes == 0 {
            return Flow::Continue(());
        }
        // SAFETY: nothing is in flight in such a task, and this is the only reference at a time.
        let buffer = unsafe { self.slots.memory(0, block.bytes) };
        self.fill(block.offset, buffer, range)
    }

    /// Makes durable what a range named: the directories in which it made, created or renamed.
    pub(super) fn sync_directories(&self, range: &SeedRange) -> Result<()> {
        let shared = self.shared;
        let Some(tree) = shared.spec.layout.tree() else { return Ok(()) };
        let mut last = None;
        for home in shared.spec.layout.by_folder().objects_of(range.claims.units()) {
            let here = Some(tree.directory_of(home, tree.names));
            let named_in = match shared.spec.operation {
                Operation::Mkdir => [tree.parent(home), None],
                Operation::Rename => [here, tree.next.map(|next| tree.directory_of(home, next))],
                _ => [here, None],
            };
            for (nth, directory) in named_in.into_iter().enumerate() {
                let is_known = nth > 0 && (directory.is_none() || directory == here);
                if is_known || last == Some(directory) {
                    continue;
                }
                last = Some(directory);
                self.sync(|| shared.files().sync_directory(directory))?;
            }
        }
        Ok(())
    }
}
