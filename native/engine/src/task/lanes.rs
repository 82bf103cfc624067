//! A lane in a task: gets ranges, claims from them, hands each claim to its operation, and keeps count. Must never know
//! what happens inside a sink.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::control::{Parked, Work};
use super::range::{Opened, SeedRange};
use super::shared::{Shared, Sink};
use super::spec::Operation;
use crate::clock::now_ns;
use crate::counters::LaneCell;
use crate::error::{Code, Error, Result};
use crate::lane::{Job, Lane};
use crate::sink::memory::MemoryLane;
use crate::sink::objects::ObjectSink;

impl Job for Shared {
    fn run(&self, lane: &mut Lane) {
        let Some(cell) = self.cell_of(lane.index) else { return };
        if let Err(error) = lane.buffer.reserve(self.spec.block_bytes) {
            return self.control.end_early(error);
        }
        let cell = cell.get_or_init(Box::default);
        if !self.control.start.arrive_and_wait() {
            return;
        }
        cell.begun_ns.set(now_ns());
        let memory = match &self.sink {
            Sink::Memory(store) => Some(MemoryLane::new(Arc::clone(store), lane.node)),
            _ => None,
        };
        let index = lane.index;
        let mut run = LaneRun { shared: self, cell, index, memory, object: None, corrupt_unit: None, since_ns: 0 };
        run.serve(lane.buffer.as_mut_slice());
    }

    fn abort(&self, reason: &Error) {
        self.control.end_early(reason.clone());
    }

    fn finished(&self, outcome: Result<()>) {
        // What is still open after an early end is closed here, on a lane, and not by whoever drops the task.
        for range in self.control.ranges() {
            range.fence();
            for segment in 0..range.claims.segments() {
                if range.take_object(segment).is_some() {
                    range.closed();
                }
            }
        }
        if let Sink::Objects(sink) = &self.sink {
            for object in sink.kept_objects() {
                drop(sink.release(object));
            }
        }
        let outcome = outcome.and_then(|()| self.control.failure().map_or(Ok(()), Err));
        self.end(outcome);
    }
}

/// Whether a lane goes on with its range, or leaves it because it was stopped or the task ends.
pub(super) type Flow<T = ()> = ControlFlow<(), T>;

/// What a lane has with it while it works for a task.
pub(super) struct LaneRun<'a> {
    pub(super) shared: &'a Shared,
    pub(super) cell: &'a LaneCell,
    /// The lane's number in the engine.
    pub(super) index: usize,
    pub(super) memory: Option<MemoryLane>,
    /// The segment whose object this lane has at hand, and that object: so that the range's lock is taken once a
    /// segment, not once a block.
    pub(super) object: Option<(usize, Opened)>,
    /// The unit that was last counted as corrupt: a unit of many bad blocks counts once.
    pub(super) corrupt_unit: Option<u64>,
    /// When the last I/O came back, or work began; until the next I/O the lane makes or compares bytes.
    pub(super) since_ns: u64,
}

impl LaneRun<'_> {
    fn serve(&mut self, buffer: &mut [u8]) {
        let mut was_busy = false;
        loop {
            let work = self.shared.control.next(was_busy, || self.shared.kept_objects());
            was_busy = true;
            match work {
                Work::Range(range) => self.work_on(&range, buffer),
                Work::Close(range) => {
                    if range.is_idle() {
                        self.close_all(&range);
                    }
                }
                Work::Sync { object, last } => self.sync_object(object, last),
                Work::Leave => return,
            }
        }
    }

    /// Claims from a range until it has no more, or there is something more urgent.
    fn work_on(&mut self, range: &SeedRange, buffer: &mut [u8]) {
        let control = &self.shared.control;
        self.since_ns = now_ns();
        while !control.is_cancelled()
            && !control.is_sync_queued()
            && let Some(claim) = range.claim()
        {
            self.corrupt_unit = None;
            let done = match self.shared.spec.operation {
                Operation::Delete => self.remove(range, &claim),
                _ => self.transfer(range, &claim, buffer),
            };
            if done.is_break() {
                break;
            }
            if range.claim_written(&claim) {
                self.put_back(range);
                self.segment_written(range, claim.segment);
            }
        }
        self.put_back(range);
        if range.leave() {
            self.close_all(range);
        }
    }

    /// Sees to it that the object of a segment is at hand, opened by the first lane that needs it.
    pub(super) fn take_up(&mut self, range: &SeedRange, segment: usize) -> Flow {
        let Sink::Objects(sink) = &self.shared.sink else { return Flow::Continue(()) };
        if self.object.as_ref().is_some_and(|(at_hand, _)| *at_hand == segment) {
            return Flow::Continue(());
        }
        self.put_back(range);
        // To open, and with that perhaps to make, a file is a submission too.
        self.may_submit(range)?;
        match range.object(segment, || sink.open(range.claims.object(segment))) {
            Ok(opened) => {
                self.since_ns = now_ns();
                self.object = Some((segment, opened));
                Flow::Continue(())
            }
            Err(error) => self.fail(range, error),
        }
    }

    /// Lets go of the object at hand. Must be done before the lane waits: as long as it has the object, nobody can
    /// close it.
    fn put_back(&mut self, range: &SeedRange) {
        if let Some((_, Opened::File(file))) = self.object.take() {
            self.let_go(range, file, false);
        }
    }

    /// Waits until something may be submitted, and says what time it then is, in ns.
    #[inline]
    pub(super) fn may_submit(&mut self, range: &SeedRange) -> Flow<u64> {
        let now_ns = now_ns();
        self.cell.counters.content_ns.add(now_ns - self.since_ns);
        self.since_ns = now_ns;
        if now_ns < self.shared.control.deadline_ns() {
            if self.cell.started_ns.get() == 0 {
                self.cell.started_ns.set(now_ns);
            }
            return Flow::Continue(now_ns);
        }
        self.wait_for_deadline(range)
    }

    #[cold]
    fn wait_for_deadline(&mut self, range: &SeedRange) -> Flow<u64> {
        loop {
            match self.shared.control.park(range) {
                Parked::Go => {
                    self.since_ns = now_ns();
                    return self.may_submit(range);
                }
                Parked::Stop => return Flow::Break(()),
                Parked::Sync(object) => self.sync_object(object, false),
            }
        }
    }

    /// Counts an operation that went well.
    #[inline]
    pub(super) fn count(&mut self, start_ns: u64, bytes: u64) {
        let now_ns = now_ns();
        let service_ns = now_ns - start_ns;
        let counters = &self.cell.counters;
        self.cell.latency.record(service_ns);
        counters.operations.add(1);
        counters.bytes.add(bytes);
        counters.io_ns.add(service_ns);
        self.cell.last_done_ns.set(now_ns);
        self.since_ns = now_ns;
    }

    /// Fails the range; the lane leaves it. The task goes on with other ranges: whether it should is not its to say.
    #[cold]
    pub(super) fn fail<T>(&mut self, range: &SeedRange, mut error: Error) -> Flow<T> {
        self.cell.counters.errors.add(1);
        if error.code == Code::DiskFull {
            error.what.push_str(&format!("; {} bytes were written by this task before", self.shared.bytes()));
        }
        range.fail(error);
        Flow::Break(())
    }
}

impl Shared {
    /// The objects that stay open until the end.
    pub(super) fn kept_objects(&self) -> Vec<u64> {
        self.object_sink().map_or_else(Vec::new, ObjectSink::kept_objects)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Mutex;
    use std::sync::mpsc::channel;

    use seedstorm_content::{Content, Parameters};

    use super::*;
    use crate::engine::testing::unpinned;
    use crate::lanes::Lanes;
    use crate::layout::Layout;
    use crate::sink::SinkSpec;
    use crate::task::range::RangeSpec;
    use crate::task::spec::TaskSpec;

    /// A task in which one lane panics.
    struct Panics(Arc<Shared>);

    impl Job for Panics {
        fn run(&self, lane: &mut Lane) {
            assert_ne!(lane.index, 1, "as wanted by this test");
            self.0.run(lane);
        }

        fn abort(&self, reason: &Error) {
            self.0.abort(reason);
        }

        fn finished(&self, outcome: Result<()>) {
            self.0.finished(outcome);
        }
    }

    #[test]
    fn a_panic_in_a_lane_ends_the_task_with_its_own_code_and_the_engine_goes_on() {
        let engine = unpinned(3);
        let (tell, outcome) = channel();
        let tell = Mutex::new(tell);
        let spec = TaskSpec {
            operation: Operation::Generate,
            content: Arc::new(Content::new(&Parameters { unit_bytes: 4096, ..Parameters::default() }).unwrap()),
            generation: 0,
            layout: Layout::new(4096, 1 << 40, 1 << 20).unwrap(),
            sink: SinkSpec::Null,
            block_bytes: 4096,
            lanes: None,
            spared_objects: HashSet::new(),
        };
        for _ in 0..2 {
            let tell = tell.lock().unwrap().clone();
            let ended = Box::new(move |result| tell.send(result).unwrap());
            let shared = Arc::new(Shared::new(spec.clone(), Sink::Null, &engine, &Lanes::all(), ended));
            let claims = spec.claims(RangeSpec { id: 1, first: 0, end: 1 << 20 }).unwrap();
            shared.control.add(SeedRange::new(1, claims, false)).unwrap();
            shared.control.start.set(0);
            engine.submit(Arc::new(Panics(shared))).unwrap();
            assert_eq!(outcome.recv().unwrap().unwrap_err().code, Code::LanePanicked);
        }
        engine.close().unwrap();
        assert!(outcome.try_recv().is_err(), "the end is told once");
    }
}
