//! From written to done: which sync comes when, under each policy, and the closing of objects. A lane comes here at the
//! end of a segment or range, never between blocks. Must never know what was written.

use std::sync::Arc;

use super::bits::Copied;
use super::lanes::LaneRun;
use super::range::{Opened, SeedRange};
use super::shared::Sink;
use super::spec::Operation;
use crate::clock::now_ns;
use crate::counters::Counter;
use crate::error::Result;
use crate::sink::SyncPolicy;
use crate::sink::object::ObjectFile;

impl LaneRun<'_> {
    /// All claims of a segment are through.
    pub(super) fn segment_written(&mut self, range: &SeedRange, segment: usize) {
        match self.policy() {
            _ if self.is_on_store() => self.object_stored(range, segment),
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
            self.sync_range(range);
            self.close_all(range);
        }
        if self.shared.spec.names_durable_apart() {
            self.sync_names(range);
        }
        if self.shared.spec.operation == Operation::Delete {
            self.remove_folders(range);
        }
    }

    /// Of all objects or of none: what is written of the range becomes durable as a whole.
    fn sync_range(&self, range: &SeedRange) {
        let noted = range.note_written(0..range.claims.count());
        let mut segments = 0..range.claims.segments();
        let outcome = segments.try_for_each(|segment| match range.open_object(segment) {
            Some(file) => self.sync(|| file.sync()),
            None => Ok(()),
        });
        let passes = self.passes(&outcome);
        take_in(range, &noted, outcome, passes);
    }

    /// The same for names: what the range named becomes durable with the directories.
    fn sync_names(&self, range: &SeedRange) {
        let noted = range.note_written(0..range.claims.count());
        let outcome = self.sync_directories(range);
        let passes = self.passes(&outcome);
        take_in(range, &noted, outcome, passes);
    }

    /// Closes everything that is open for a range which was stopped and which no lane is in. Of one that was cut short, what is
    /// written becomes durable first.
    pub(super) fn end_stopped(&mut self, range: &SeedRange) {
        if range.is_short() {
            match self.policy() {
                Some(SyncPolicy::Range) => self.sync_range(range),
                Some(SyncPolicy::File) => {
                    (0..range.claims.segments()).for_each(|segment| self.sync_segment(range, segment));
                }
                _ if self.shared.spec.names_durable_apart() => self.sync_names(range),
                _ => {}
            }
        }
        self.close_all(range);
    }

    fn sync_segment(&mut self, range: &SeedRange, segment: usize) {
        if let Some(file) = range.open_object(segment) {
            let noted = range.note_written(range.claims.segment_claims(segment));
            let outcome = self.sync(|| file.sync());
            let passes = self.passes(&outcome);
            take_in(range, &noted, outcome, passes);
            self.let_go(range, file, false);
        }
    }

    /// Makes an object durable, and with it what is written there of any range.
    pub(super) fn sync_object(&mut self, object: u64, last: bool) {
        let Some(sink) = self.shared.object_sink() else { return };
        let Some(file) = sink.kept(object) else { return };
        let ranges = self.shared.control.ranges();
        let concerned =
            ranges.iter().filter_map(|range| range.claims.segment_of(object).map(|segment| (range, segment)));
        // What is written after the sync began is not taken for durable.
        let noted: Vec<_> = concerned
            .map(|(range, segment)| (range, range.note_written(range.claims.segment_claims(segment))))
            .collect();
        let outcome = self.sync(|| file.sync());
        let passes = self.passes(&outcome);
        for (range, noted) in noted {
            take_in(range, &noted, outcome.clone(), passes);
            if range.is_stopped() && range.is_idle() {
                self.close_all(range);
            }
        }
        if last {
            drop(sink.release(object));
            if let Some(file) = Arc::into_inner(file) {
                // Its bytes are durable: what close says now changes nothing, but the time counts.
                let _ = self.shut(file);
            }
        }
        self.since_ns = now_ns();
    }

    /// Counts a sync that failed, and says whether the plan lets that pass.
    pub(super) fn passes(&self, outcome: &Result<()>) -> bool {
        let Err(error) = outcome else { return false };
        self.shared.errors.count(error, self.shared.spec.operation, self.index)
    }

    /// Closes a segment's object, or lets go of it when it is kept open for later.
    fn close(&mut self, range: &SeedRange, segment: usize) {
        match range.take_object(segment) {
            Some(Opened::File(file)) => self.let_go(range, file, true),
            Some(Opened::Upload(upload)) => {
                self.abort_upload(&upload);
                range.closed();
            }
            _ => {}
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
        if let Err(error) = self.shut(file) {
            // Nobody knows which of its bytes it is about, so that it never passes.
            self.shared.errors.count(&error, self.shared.spec.operation, self.index);
            range.fail(error);
        }
        range.closed();
    }

    /// Makes something durable; counted apart from the I/O.
    pub(super) fn sync(&self, run: impl FnOnce() -> Result<()>) -> Result<()> {
        let counters = &self.cell.counters;
        self.timed(&counters.syncs, &counters.sync_ns, run)
    }

    /// Closes an object; counted apart when it was written, for then it may have to be written back first.
    fn shut(&self, file: ObjectFile) -> Result<()> {
        let counters = &self.cell.counters;
        match self.policy() {
            Some(_) => self.timed(&counters.closes, &counters.close_ns, || file.close()),
            None => file.close(),
        }
    }

    fn timed(&self, times: &Counter, spent_ns: &Counter, run: impl FnOnce() -> Result<()>) -> Result<()> {
        let start_ns = now_ns();
        let outcome = run();
        let end_ns = now_ns();
        times.add(1);
        spent_ns.add(end_ns - start_ns);
        if outcome.is_err() {
            self.cell.counters.errors.add(1);
        }
        self.cell.note_done(end_ns);
        outcome
    }

    /// The sync policy of a task that writes files.
    fn policy(&self) -> Option<SyncPolicy> {
        match (&self.shared.sink, self.shared.spec.operation) {
            (Sink::Objects(sink), operation) if operation.writes() => Some(sink.sync_policy()),
            _ => None,
        }
    }
}

/// What a sync, or one that failed in a way that passes, brought a range.
pub(super) fn take_in(range: &SeedRange, noted: &Copied, outcome: Result<()>, passes: bool) {
    if passes {
        range.lose(noted);
    } else {
        range.synced(noted, outcome);
    }
}
