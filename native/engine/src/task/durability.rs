//! From written to done: which sync comes when, under each policy, and the closing of objects. A lane comes here at the
//! end of a segment or range, never between blocks. Must never know what was written.

use std::sync::Arc;

use super::lanes::LaneRun;
use super::range::SeedRange;
use super::shared::Sink;
use super::spec::Operation;
use crate::clock::now_ns;
use crate::error::Result;
use crate::sink::SyncPolicy;
use crate::sink::object::ObjectFile;

impl LaneRun<'_> {
    /// All claims of a segment are through.
    pub(super) fn segment_written(&mut self, range: &SeedRange, segment: usize) {
        match self.policy() {
            Some(SyncPolicy::File) => {
                self.sync_segment(range, segment);
                self.close(range, segment);
            }
            // Synced with the range, for which it must stay open.
            Some(SyncPolicy::Range) => {}
            _ => self.close(range, segment),
        }
        if range.segment_written() {
            self.range_written(range);
        }
    }

    /// All claims of a range are through.
    fn range_written(&mut self, range: &SeedRange) {
        if self.policy() == Some(SyncPolicy::Range) {
            // Of all objects or of none: the range becomes durable as a whole.
            let noted = range.note_written(0..range.claims.count());
            let mut segments = 0..range.claims.segments();
            let outcome = segments.try_for_each(|segment| match range.open_object(segment) {
                Some(file) => self.timed(|| file.sync()),
                None => Ok(()),
            });
            range.synced(&noted, outcome);
            self.close_all(range);
        }
        if self.shared.spec.operation == Operation::Delete {
            self.remove_folders(range);
        }
    }

    fn sync_segment(&mut self, range: &SeedRange, segment: usize) {
        if let Some(file) = range.open_object(segment) {
            let noted = range.note_written(range.claims.segment_claims(segment));
            range.synced(&noted, self.timed(|| file.sync()));
            self.let_go(range, file, false);
        }
    }

    /// Makes an object durable, and with it what is written there of any range.
    pub(super) fn sync_object(&mut self, object: u64, last: bool) {
        let Some(sink) = self.shared.file_sink() else { return };
        let Some(file) = sink.kept(object) else { return };
        let ranges = self.shared.control.ranges();
        let concerned =
            ranges.iter().filter_map(|range| range.claims.segment_of(object).map(|segment| (range, segment)));
        // What is written after the sync began is not taken for durable.
        let noted: Vec<_> = concerned
            .map(|(range, segment)| (range, range.note_written(range.claims.segment_claims(segment))))
            .collect();
        let outcome = self.timed(|| file.sync());
        for (range, noted) in noted {
            range.synced(&noted, outcome.clone());
            if range.is_stopped() && range.is_idle() {
                self.close_all(range);
            }
        }
        if last {
            drop(sink.release(object));
            if let Some(file) = Arc::into_inner(file) {
                // Its bytes are durable: what close says now changes nothing, but the time counts.
                let _ = self.timed(|| file.close());
            }
        }
        self.since_ns = now_ns();
    }

    /// Closes a segment's object, or lets go of it when it is kept open for later.
    fn close(&mut self, range: &SeedRange, segment: usize) {
        if let Some(file) = range.take_object(segment) {
            self.let_go(range, file, true);
        }
    }

    /// Closes everything that is open for a range which was stopped.
    pub(super) fn close_all(&mut self, range: &SeedRange) {
        (0..range.claims.segments()).for_each(|segment| self.close(range, segment));
    }

    /// Gives up one hold on an object; whoever gives up the last one closes it. `range_gone`: this was the range's own.
    pub(super) fn let_go(&mut self, range: &SeedRange, file: Arc<ObjectFile>, range_gone: bool) {
        if self.shared.spec.syncs_at_end() {
            if range_gone {
                range.closed();
            }
            return;
        }
        let Some(file) = Arc::into_inner(file) else { return };
        let closed = if self.policy().is_some() { self.timed(|| file.close()) } else { file.close() };
        if let Err(error) = closed {
            range.fail(error);
        }
        range.closed();
    }

    /// Runs a sync or a close, counted apart from the I/O.
    fn timed(&self, run: impl FnOnce() -> Result<()>) -> Result<()> {
        let start_ns = now_ns();
        let outcome = run();
        let end_ns = now_ns();
        let counters = &self.cell.counters;
        counters.sync_ns.add(end_ns - start_ns);
        counters.syncs.add(1);
        if outcome.is_err() {
            counters.errors.add(1);
        }
        self.cell.last_done_ns.set(end_ns);
        outcome
    }

    /// The sync policy of a task that writes files.
    fn policy(&self) -> Option<SyncPolicy> {
        match (&self.shared.sink, self.shared.spec.operation) {
            (Sink::File(sink), Operation::Write) => Some(sink.sync_policy()),
            _ => None,
        }
    }
}
