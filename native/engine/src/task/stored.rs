//! Objects of a store: begun, answered, made whole or given up. An object counts as written when the store acknowledged all
//! of it, by one request or by the completion of its upload. Must never know how requests travel.

use std::sync::Arc;

use super::claims::Claim;
use super::durability::take_in;
use super::in_flight::Submission;
use super::lanes::{Flow, LaneRun, fate_of};
use super::range::{Opened, SeedRange};
use super::shared::{Shared, Sink};
use super::spec::Operation;
use super::way::Way;
use crate::classes::{Class, OperationKind};
use crate::clock::now_ns;
use crate::error::{Error, ErrorKind, Result};
use crate::sink::s3::{S3Done, Upload};

impl LaneRun<'_> {
    /// Whether this lane's sink is a store.
    #[inline]
    pub(super) fn is_on_store(&self) -> bool {
        matches!(self.io, Some(Way::Store(_)))
    }

    /// Whether there is nothing to do for a claim: its object belongs to the range with its beginning, or a delete spares it.
    pub(super) fn is_left_alone(&self, range: &SeedRange, claim: &Claim) -> bool {
        let spec = &self.shared.spec;
        if !spec.operation.is_by_object() {
            return false;
        }
        let deletes = spec.operation == Operation::Delete;
        let is_spared = deletes && spec.spared_objects.contains(&range.claims.object(claim.segment));
        if is_spared {
            self.cell.counters.spared.add(1);
        }
        is_spared || claim.units.start != range.claims.object_start(claim.segment)
    }

    /// What a lane needs of a segment's object: nothing, or the upload that it is made by when it has several parts.
    pub(super) fn take_up_stored(&mut self, range: &SeedRange, segment: usize) -> Flow<Opened> {
        let spec = &self.shared.spec;
        let units = range.claims.segment_units(segment);
        let bytes = (units.end - units.start) * spec.layout.unit_bytes();
        if spec.operation != Operation::Write || bytes <= spec.block_bytes as u64 {
            return Flow::Continue(Opened::ByName);
        }
        let object = range.claims.object(segment);
        self.may_submit(range)?;
        let Some(Way::Store(store)) = &mut self.io else { unreachable!("the caller has looked") };
        let mut begun = None;
        let opened = range.object(segment, || {
            let start_ns = now_ns();
            let upload = store.lane.begin_upload(object)?;
            begun = Some(Submission::at(start_ns));
            Ok(Opened::Upload(upload))
        });
        if let Some(submission) = begun {
            self.count_now(Class::of(OperationKind::Create, 0), submission, 0);
        }
        match opened {
            Ok(opened) => Flow::Continue(opened),
            Err(error) => self.fail(range, self.shared.of_store(error, ErrorKind::Open, object)),
        }
    }

    /// Deals with the end of a request.
    pub(super) fn store_answered(&mut self, slot: u32, done: S3Done) {
        let S3Done { submitted_ns, attempt_ns, first_byte_ns, done_ns, outcome, .. } = done;
        let operation = self.shared.spec.operation;
        let of = self.queue.slot(slot);
        let (block, intended_ns) = (of.block, of.submission.intended_ns);
        // What is measured as an operation is the last attempt; those before it kept a place in the queue.
        self.cell.counters.io_ns.add(attempt_ns - submitted_ns);
        let class = self.shared.spec.class_of_io(block.writes, block.bytes);
        let submission = Submission { at_ns: attempt_ns, intended_ns };
        let flow = match outcome {
            Ok(_) if operation == Operation::Delete => {
                self.count(class, submission, done_ns, 0);
                Flow::Continue(())
            }
            Ok(length) if operation == Operation::Stat => {
                self.count(class, submission, done_ns, 0);
                let range = self.range_of(slot);
                self.length_found(&range, block.object, Some(length), self.shared.spec.layout.bytes_of(block.object));
                Flow::Continue(())
            }
            Err(error) if operation == Operation::Stat && error.is_missing() => {
                self.count(class, submission, done_ns, 0);
                let range = self.range_of(slot);
                self.length_found(&range, block.object, None, 0);
                Flow::Continue(())
            }
            Ok(got) => {
                self.count(class, submission, done_ns, got);
                if first_byte_ns > attempt_ns && operation != Operation::Write {
                    let first_byte = Class { operation: OperationKind::FirstByte, ..class };
                    self.cell.count(first_byte, first_byte_ns - attempt_ns, 0);
                }
                self.moved(slot, block, got as usize)
            }
            Err(error) if operation == Operation::Verify && error.is_missing() => {
                let range = self.range_of(slot);
                self.missing(&range, block);
                Flow::Continue(())
            }
            Err(error) => {
                let range = self.range_of(slot);
                let kind = match operation {
                    Operation::Write => ErrorKind::Write,
                    Operation::Delete => ErrorKind::Delete,
                    Operation::Stat => ErrorKind::Stat,
                    _ => ErrorKind::Read,
                };
                self.fail(&range, self.shared.of_store(error.error, kind, block.object))
            }
        };
        self.through(slot, fate_of(flow));
    }

    /// All claims of a segment are through: the object is made whole, or what there is of it is given up.
    pub(super) fn object_stored(&mut self, range: &SeedRange, segment: usize) {
        // Whoever leaves a range last that was stopped gives up what is open for it.
        let is_lost = range.is_stopped() && !range.is_short();
        if self.shared.spec.operation != Operation::Write || is_lost {
            return;
        }
        let noted = range.note_written(range.claims.segment_claims(segment));
        let Some(Opened::Upload(upload)) = range.take_object(segment) else {
            return take_in(range, &noted, Ok(()), false);
        };
        let (outcome, passes) = if range.is_segment_whole(segment) {
            let outcome = self.complete(range, segment, &upload);
            if outcome.is_err() {
                self.abort_upload(&upload);
            }
            let passes = self.passes(&outcome);
            (outcome, passes)
        } else {
            // Some of it failed in a way that passes, and with it all of the object.
            self.abort_upload(&upload);
            (Ok(()), true)
        };
        take_in(range, &noted, outcome, passes);
        range.closed();
    }

    fn complete(&mut self, range: &SeedRange, segment: usize, upload: &Upload) -> Result<()> {
        let spec = &self.shared.spec;
        let units = range.claims.segment_units(segment);
        let bytes = (units.end - units.start) * spec.layout.unit_bytes();
        let parts = bytes.div_ceil(spec.block_bytes as u64) as usize;
        let Some(Way::Store(store)) = &mut self.io else { unreachable!("uploads are made by lanes that ask a store") };
        let start_ns = now_ns();
        let outcome = store.lane.complete_upload(upload, parts, bytes);
        let class = Class::of(OperationKind::Complete, 0);
        match &outcome {
            Ok(()) => self.count_now(class, Submission::at(start_ns), 0),
            Err(_) => self.cell.count_error(class),
        }
        outcome.map_err(|error| self.shared.of_store(error.error, ErrorKind::Sync, upload.object()))
    }

    /// Gives an upload up that no part is in flight of.
    pub(super) fn abort_upload(&mut self, upload: &Upload) {
        let Some(Way::Store(store)) = &mut self.io else { return };
        if let Err(error) = store.lane.abort_upload(upload) {
            self.shared.note_left_open(&error.error);
        }
    }
}

impl Shared {
    /// An error of a request for an object, to be counted as one of this kind.
    pub(super) fn of_store(&self, error: Error, kind: ErrorKind, object: u64) -> Error {
        error.about(kind, &self.path_of(object))
    }

    /// Gives up uploads of a task that has ended.
    pub(super) fn abort_uploads(&self, uploads: &[Arc<Upload>]) {
        if let (Sink::Store(store), false) = (&self.sink, uploads.is_empty())
            && let Err(error) = store.abort(uploads)
        {
            self.note_left_open(&error);
        }
    }

    fn note_left_open(&self, error: &Error) {
        self.note_io("s3", Some(format!("an upload was left open: {}", error.what)));
    }
}
