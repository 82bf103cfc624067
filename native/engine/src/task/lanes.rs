//! A lane in a task: gets ranges, claims from them, and keeps as many blocks in flight as it was told to. Must never know
//! what happens inside a sink, nor what is made of a block.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::claims::Claim;
use super::control::Work;
use super::mixed::MixedLane;
use super::pacing::LanePacer;
use super::queue::{Fate, Hold, Queue, Through};
use super::range::{Opened, SeedRange};
use super::shared::{Shared, Sink};
use super::spec::Operation;
use super::transfer::Block;
use super::way::{StoreWay, Way};
use crate::clock::now_ns;
use crate::counters::LaneCell;
use crate::error::{Code, Error, ErrorKind, Result};
use crate::io::{Answer, IoOptions, LaneIo};
use crate::lane::{Job, Lane};
use crate::sink::memory::MemoryLane;
use crate::sink::metadata::AtHand;
use crate::sink::objects::ObjectSink;

impl Job for Shared {
    fn run(&self, lane: &mut Lane) {
        let Some(cell) = self.cell_of(lane.index) else { return };
        if let Err(error) = lane.buffer.reserve(self.spec.buffer_bytes()) {
            return self.control.end_early(error);
        }
        let io = match self.open_io(lane) {
            Ok(io) => io,
            Err(error) => return self.control.end_early(error),
        };
        let cell = cell.get_or_init(Box::default);
        if self.spec.is_by_calls() {
            cell.greatest_in_flight.set(1);
        }
        // What most of its operations are counted in is made before the start.
        for writes in [false, true].into_iter().filter(|writes| *writes || self.spec.operation == Operation::Mixed) {
            cell.classes.of(self.spec.class_of_io(writes, self.spec.block_bytes));
        }
        if !self.control.start.arrive_and_wait() {
            return;
        }
        cell.begun_ns.set(now_ns());
        cell.cpu.begin();
        let memory = match &self.sink {
            Sink::Memory(store) => Some(MemoryLane::new(Arc::clone(store), lane.node)),
            _ => None,
        };
        let depth = self.spec.queue_depth;
        let pacer = self.pacer_of(lane.index, cell);
        let mixed = MixedLane::of(self);
        LaneRun {
            shared: self,
            cell,
            index: lane.index,
            memory,
            pacer,
            io,
            slots: Slots { base: lane.buffer.as_ptr(), stride: self.spec.slot_bytes() },
            queue: mixed.as_ref().map_or_else(|| Queue::new(depth), |mixed| Queue::with_works(depth, mixed.most())),
            mixed,
            answers: VecDeque::with_capacity(depth),
            at_hand: AtHand::default(),
            current: None,
            cutting: None,
            taken: None,
            ends: Vec::with_capacity(depth),
            unlooked_bytes: 0,
            unsubmitted: false,
            streams: self.spec.buffer_bytes() > self.l2_bytes,
            since_ns: 0,
        }
        .serve();
        cell.cpu.end();
    }

    fn abort(&self, reason: &Error) {
        self.control.end_early(reason.clone());
    }

    fn finished(&self, outcome: Result<()>) {
        // What is still open after an early end is closed here, on a lane, and not by whoever drops the task.
        let mut uploads = Vec::new();
        for range in self.control.ranges() {
            range.fence();
            for opened in (0..range.claims.segments()).filter_map(|segment| range.take_object(segment)) {
                if let Opened::Upload(upload) = opened {
                    uploads.push(upload);
                }
                range.closed();
            }
        }
        self.abort_uploads(&uploads);
        if let Sink::Objects(sink) = &self.sink {
            for object in sink.kept_objects() {
                drop(sink.release(object));
            }
        }
        let outcome = outcome.and_then(|()| self.control.failure().map_or(Ok(()), Err));
        self.end(outcome);
    }
}

/// Whether a lane goes on with its claim, or leaves it and what then becomes of it: it failed in a way that passes, or its
/// range was stopped or the task ends.
pub(super) type Flow<T = ()> = ControlFlow<Fate, T>;

/// What became of something that a lane went on with, or left.
pub(super) fn fate_of(flow: Flow) -> Fate {
    match flow {
        Flow::Continue(()) => Fate::Whole,
        Flow::Break(fate) => fate,
    }
}

/// A lane's buffer, cut into the memory of its slots.
#[derive(Clone, Copy)]
pub(super) struct Slots {
    base: *mut u8,
    stride: usize,
}

impl Slots {
    /// The memory of a slot.
    ///
    /// # Safety
    /// The block in the slot is not in flight, and this is the only reference to it as long as it is used.
    pub(super) unsafe fn memory<'m>(self, slot: u32, bytes: usize) -> &'m mut [u8] {
        debug_assert!(bytes <= self.stride);
        // SAFETY: the lane's buffer was made long enough for all slots and lives as long as the lane's part in the task; its
        // pages are initialised; nobody else has this part of it, as the caller promises.
        unsafe { std::slice::from_raw_parts_mut(self.at(slot), bytes) }
    }

    pub(super) fn at(self, slot: u32) -> *mut u8 {
        // SAFETY: inside the buffer, see above.
        unsafe { self.base.add(slot as usize * self.stride) }
    }
}

/// What a lane has with it while it works for a task. The I/O is dropped, which waits for what is in flight, before the
/// buffer can be anything else.
pub(super) struct LaneRun<'a> {
    pub(super) shared: &'a Shared,
    pub(super) cell: &'a LaneCell,
    /// The lane's number in the engine.
    pub(super) index: usize,
    pub(super) memory: Option<MemoryLane>,
    /// Under a rate: when this lane's operations are to begin.
    pub(super) pacer: Option<LanePacer<'a>>,
    /// The lane's way to its sink, where that takes its time.
    pub(super) io: Option<Way>,
    pub(super) slots: Slots,
    pub(super) queue: Queue,
    /// Answers that were seen and not dealt with.
    pub(super) answers: VecDeque<Answer>,
    /// Folders that calls on names go to.
    pub(super) at_hand: AtHand,
    /// The range that the lane claims from.
    current: Option<Arc<SeedRange>>,
    /// The claim that blocks are cut from.
    cutting: Option<u32>,
    /// A claim whose object is not at hand yet.
    pub(super) taken: Option<(Arc<SeedRange>, Claim)>,
    /// Its shards, in a mixed task.
    pub(super) mixed: Option<MixedLane>,
    /// Segments that this lane wrote the last claim of: to be synced and closed when it has nothing in flight. The lane is
    /// in their ranges until then, or others would take those that are fenced for drained, and close what is not synced.
    ends: Vec<(Arc<SeedRange>, usize)>,
    /// Bytes made or compared since the lane looked for answers.
    pub(super) unlooked_bytes: usize,
    /// Whether something was handed to the I/O that has not been submitted.
    pub(super) unsubmitted: bool,
    /// Whether blocks are made past the caches, which all that is in flight would not stay in.
    pub(super) streams: bool,
    /// When the last I/O came back, or work began; until the next I/O the lane makes or compares bytes.
    pub(super) since_ns: u64,
}

impl LaneRun<'_> {
    fn serve(mut self) {
        let mut was_busy = false;
        loop {
            let work = self.shared.control.next(was_busy, || self.shared.kept_objects());
            was_busy = true;
            match work {
                Work::Range(range) => self.work_on(range),
                Work::Close(range) => {
                    if range.is_idle() {
                        self.end_stopped(&range);
                    }
                }
                Work::Sync { object, last } => self.sync_object(object, last),
                Work::Leave => return,
            }
        }
    }

    /// Works on a range, and on those behind it, until there is no more to claim or there is something more urgent; then
    /// nothing of this lane is in flight.
    fn work_on(&mut self, range: Arc<SeedRange>) {
        self.since_ns = now_ns();
        self.current = Some(range);
        loop {
            let changes = self.shared.control.changes();
            self.feed();
            self.hand_over();
            if self.queue.in_flight > 0 {
                self.wait();
            } else if !self.queue.ready.is_empty() {
                self.doze();
            } else if self.queue.is_empty() && self.has_no_more() {
                if self.mixed.as_ref().is_none_or(MixedLane::is_empty) {
                    break;
                }
                self.wait_for_change(changes);
            }
        }
        self.put_all_back();
    }

    fn has_no_more(&self) -> bool {
        self.current.is_none() && self.cutting.is_none() && self.taken.is_none() && self.ends.is_empty()
    }

    /// With shards at hand of which no operation is allowed: waits until that changes.
    #[cold]
    fn wait_for_change(&mut self, seen: u64) {
        self.put_all_back();
        if let Some(object) = self.shared.control.wait_for_change(seen) {
            self.sync_object(object, false);
        }
        self.since_ns = now_ns();
    }

    /// Makes blocks until no slot is free, or there is nothing to be made before something in flight has come back.
    pub(super) fn feed(&mut self) {
        loop {
            if self.shared.control.is_cancelled() {
                self.drop_ends();
                self.give_up_shards();
                return self.stop_claiming();
            }
            if !self.ends.is_empty() {
                // Syncs and closes of files take their time, in which answers would be seen too late.
                if !self.is_on_store() && !self.queue.is_empty() {
                    return;
                }
                self.end_segments();
            }
            if self.mixed.is_some() {
                if !self.feed_mixed() {
                    return;
                }
            } else if let Some(work) = self.cutting {
                if !self.queue.has_room() {
                    return;
                }
                self.cut(work);
            } else if let Some((range, claim)) = self.taken.take() {
                if !self.begin(range, claim) {
                    return;
                }
            } else if !self.claim() {
                return;
            }
        }
    }

    /// Takes the next claim, of this range or of the next. `false`: there is none now.
    pub(super) fn claim(&mut self) -> bool {
        let control = &self.shared.control;
        let Some(range) = &self.current else {
            self.current = control.more();
            return self.current.is_some();
        };
        let claim = if control.is_sync_queued() { None } else { range.claim() };
        let Some(claim) = claim else {
            self.stop_claiming();
            return !control.is_sync_queued();
        };
        let range = Arc::clone(range);
        if self.io.is_some() && self.shared.spec.operation != Operation::List {
            self.taken = Some((range, claim));
        } else if self.mixed.is_some() {
            self.begin_in_memory(range, claim);
        } else {
            self.at_once(&range, &claim);
        }
        true
    }

    /// Leaves the range that it claims from.
    fn stop_claiming(&mut self) {
        if let Some(work) = self.cutting.take() {
            self.abandon(work);
        }
        self.taken = None;
        if let Some(range) = self.current.take() {
            self.leave(&range);
        }
    }

    fn leave(&mut self, range: &Arc<SeedRange>) {
        if range.leave() {
            if range.is_short() {
                self.shared.control.close_later(Arc::clone(range));
            } else {
                self.close_all(range);
            }
        }
        self.shared.control.note_ended_work();
    }

    /// Does all of a claim whose sink answers at once.
    fn at_once(&mut self, range: &SeedRange, claim: &Claim) {
        let done = match self.shared.spec.operation {
            Operation::Delete => self.remove(range, claim),
            Operation::Stat => self.stat(range, claim),
            Operation::List => self.list(range, claim),
            Operation::Mkdir => self.make_directory(range, claim),
            Operation::Create | Operation::Rename => self.small_file(range, claim),
            Operation::Read | Operation::Verify if self.shared.spec.layout.tree().is_some() => {
                self.small_file(range, claim)
            }
            _ => self.transfer(range, claim),
        };
        if claim_ended(range, claim, fate_of(done)) {
            self.segment_written(range, claim.segment);
        }
    }

    /// Begins with a claim, its object in hand, opened by the first lane that needs it. `false`: what is in flight must
    /// come back before.
    pub(super) fn begin(&mut self, range: Arc<SeedRange>, claim: Claim) -> bool {
        if self.is_left_alone(&range, &claim) {
            self.without_blocks(range, &claim, Fate::Whole);
            return true;
        }
        if self.mixed.is_some() && !self.queue.is_empty() && self.is_long_replay(&range, &claim) {
            self.taken = Some((range, claim));
            return false;
        }
        let hold = match self.queue.find(&range, claim.segment) {
            Some(hold) => hold,
            None if !self.may_take_up(&range, claim.segment) => {
                self.taken = Some((range, claim));
                return false;
            }
            None => match self.take_up(&range, claim.segment) {
                Flow::Continue(hold) => hold,
                Flow::Break(fate) => {
                    self.without_blocks(range, &claim, fate);
                    return true;
                }
            },
        };
        let unit_bytes = self.shared.spec.layout.unit_bytes();
        if matches!(self.queue.hold(hold).opened, Opened::Missing) {
            let done = self.without_object(&range, &claim);
            self.without_blocks(range, &claim, fate_of(done));
            return true;
        }
        if self.mixed.is_some() {
            self.take_shard(hold, claim);
            return true;
        }
        let (start, end) = (claim.units.start * unit_bytes, claim.units.end * unit_bytes);
        self.cutting = Some(self.queue.begin(hold, claim, start, end));
        true
    }

    /// A claim ended of which nothing was in flight.
    pub(super) fn without_blocks(&mut self, range: Arc<SeedRange>, claim: &Claim, fate: Fate) {
        if claim_ended(&range, claim, fate) {
            self.end_later(range, claim.segment);
        }
    }

    /// A segment is to be ended when nothing is in flight; until then the lane is in its range.
    fn end_later(&mut self, range: Arc<SeedRange>, segment: usize) {
        range.enter();
        self.ends.push((range, segment));
    }

    /// Whether a segment's object can be opened now, with blocks in flight.
    fn may_take_up(&self, range: &SeedRange, segment: usize) -> bool {
        if self.queue.is_empty() {
            return true;
        }
        // To open a file takes its time, in which answers would be seen too late. Requests to a store go on meanwhile, but
        // not while the lane waits for the deadline or for another lane.
        self.is_on_store() && !range.is_being_opened(segment) && now_ns() < self.shared.control.halt_ns()
    }

    fn take_up(&mut self, range: &Arc<SeedRange>, segment: usize) -> Flow<u32> {
        self.put_all_back();
        let opened = if self.is_on_store() {
            self.take_up_stored(range, segment)?
        } else {
            // To open, and with that perhaps to make, a file is a submission too.
            self.may_submit(range)?;
            let Sink::Objects(sink) = &self.shared.sink else {
                unreachable!("only these sinks have objects to be opened")
            };
            let open = || Ok(sink.open(range.claims.object(segment))?.map_or(Opened::Missing, Opened::File));
            match range.object(segment, open) {
                Ok(opened) => opened,
                Err(error) => return self.fail(range, error),
            }
        };
        self.since_ns = now_ns();
        let file = match (&opened, &mut self.io) {
            (Opened::File(file), Some(Way::Files(io))) => Some(io.know(file.raw_fd())),
            _ => None,
        };
        Flow::Continue(self.queue.take_up(Arc::clone(range), segment, opened, file))
    }

    /// Lets go of the objects that nothing in work needs. Must be done before the lane waits for work: as long as it has
    /// an object, nobody can close it.
    fn put_all_back(&mut self) {
        while let Some(Hold { range, opened, file, .. }) = self.queue.put_back() {
            if let (Some(Way::Files(io)), Some(file)) = (&mut self.io, file) {
                io.forget(file);
            }
            if let Opened::File(object) = opened {
                self.let_go(&range, object, false);
            }
            self.leave(&range);
        }
    }

    /// Makes the next block of a claim.
    fn cut(&mut self, work: u32) {
        let spec = &self.shared.spec;
        let at = self.queue.work(work);
        let (offset, end, segment) = (at.next, at.end, at.claim.segment);
        let hold = at.hold;
        let range = &self.queue.hold(hold).range;
        // A claim in progress stops here when its range is fenced or failed.
        if range.is_stopped() {
            self.cutting = None;
            return self.abandon(work);
        }
        let object = range.claims.object(segment);
        let in_object = offset - range.claims.object_start(segment) * spec.layout.unit_bytes();
        // A claim of what asks for objects is one request, for all of it.
        let most = if spec.operation.is_by_object() { u64::MAX } else { spec.block_bytes as u64 };
        let bytes = (end - offset).min(most) as usize;
        let writes = spec.operation.writes();
        let slot = self.queue.add(work, Block { segment, object, offset, in_object, bytes, writes });
        if offset + bytes as u64 == end {
            self.cutting = None;
        }
        if let Flow::Break(fate) = self.make(slot) {
            return self.through(slot, fate);
        }
        self.queue.ready.push(slot);
        self.hand_over_some();
    }

    pub(super) fn abandon(&mut self, work: u32) {
        self.end_work(work, Fate::Abandoned);
    }

    /// No more is cut from a claim, and no better than this becomes of it.
    pub(super) fn end_work(&mut self, work: u32, fate: Fate) {
        if let Some(through) = self.queue.end(work, fate) {
            self.work_through(work, through);
        }
    }

    fn work_through(&mut self, work: u32, through: Through) {
        if let Some(mixed) = &mut self.mixed {
            mixed.forget(work);
        }
        self.claim_through(through);
    }

    /// A block is through.
    pub(super) fn through(&mut self, slot: u32, fate: Fate) {
        let fate = self.without_failed_units(slot, fate);
        if fate == Fate::Failed && self.cutting == Some(self.queue.slot(slot).work) {
            self.cutting = None;
        }
        let of = *self.queue.slot(slot);
        let work = of.work;
        let after = self.operation_through(&of, fate);
        match self.queue.through(slot, after) {
            Some(through) => self.work_through(work, through),
            // What of a mixed task's shard is given up leaves a gap: nothing behind it is begun.
            None if self.mixed.is_some() && fate == Fate::Abandoned => self.end_work(work, after),
            None => {}
        }
    }

    /// A block that failed, in a way that passes, costs its own units where the others of its claim are worth going on for: in
    /// a claim of several units, and when reading also in one, so that every block is looked at. Objects of a store are
    /// written whole, and shards are mixed whole.
    fn without_failed_units(&mut self, slot: u32, fate: Fate) -> Fate {
        let shared = self.shared;
        if fate != Fate::Failed || self.mixed.is_some() {
            return fate;
        }
        let of = *self.queue.slot(slot);
        let units = self.queue.work(of.work).claim.units.clone();
        let writes = shared.spec.operation.writes();
        if writes && (self.is_on_store() || units.end - units.start == 1) {
            return fate;
        }
        let unit_bytes = shared.spec.layout.unit_bytes();
        let end = (of.block.offset + of.block.bytes as u64).div_ceil(unit_bytes);
        let failed = of.block.offset / unit_bytes..end;
        self.queue.hold_of(of.work).range.units_failed(failed);
        Fate::Whole
    }

    fn claim_through(&mut self, Through { hold, claim, fate }: Through) {
        let range = &self.queue.hold(hold).range;
        if claim_ended(range, &claim, fate) {
            let range = Arc::clone(range);
            self.end_later(range, claim.segment);
        }
    }

    fn end_segments(&mut self) {
        self.put_all_back();
        while let Some((range, segment)) = self.ends.pop() {
            self.segment_written(&range, segment);
            self.leave(&range);
        }
        self.since_ns = now_ns();
    }

    /// Leaves segments that were written as they are: what they lack is of no use to a task that is called off.
    fn drop_ends(&mut self) {
        while let Some((range, _)) = self.ends.pop() {
            self.leave(&range);
        }
    }

    /// Takes in an I/O error. One that the plan lets pass fails its claim alone, and the lane goes on with the next one. Any
    /// other fails the range, and the lane leaves it; the task goes on with other ranges: whether it should is not its to
    /// say.
    #[cold]
    pub(super) fn fail<T>(&mut self, range: &SeedRange, mut error: Error) -> Flow<T> {
        let spec = &self.shared.spec;
        let reads = error.about.as_ref().is_some_and(|about| about.kind == ErrorKind::Read);
        self.cell.count_error(spec.class_of_io(!reads, spec.block_bytes));
        if error.code == Code::DiskFull {
            error.what.push_str(&format!("; {} bytes were written by this task before", self.shared.bytes()));
        }
        if self.shared.errors.count(&error, self.shared.spec.operation, self.index) {
            return Flow::Break(Fate::Failed);
        }
        range.fail(error);
        Flow::Break(Fate::Abandoned)
    }
}

/// Notes what became of a claim. `true`: it was the last one of its segment.
fn claim_ended(range: &SeedRange, claim: &Claim, fate: Fate) -> bool {
    match fate {
        Fate::Whole => range.claim_written(claim),
        Fate::Failed => range.claim_failed(claim),
        Fate::Abandoned => false,
    }
}

impl Shared {
    /// A lane's way to the sink, for tasks that keep several I/Os in flight.
    fn open_io(&self, lane: &mut Lane) -> Result<Option<Way>> {
        if let Sink::Store(store) = &self.sink {
            let requests = store.open(lane.index, self.control.retry_limit())?;
            self.note_io("s3", None);
            return Ok(Some(Way::Store(Box::new(StoreWay::new(requests, self.spec.queue_depth)))));
        }
        let Some(sink) = self.object_sink() else { return Ok(None) };
        if self.spec.is_by_calls() {
            // One call at a time, which no queue would make quicker to answer for.
            self.note_io("calls", None);
            return Ok(None);
        }
        let memory = &mut lane.buffer.as_mut_slice()[..self.spec.buffer_bytes()];
        let (engine, depth, direct) = (self.spec.io_engine, self.spec.queue_depth, sink.is_direct());
        let pus = &self.pus[lane.pool];
        let (io, note) = LaneIo::open(&mut IoOptions { engine, depth, direct, memory, pus })?;
        self.note_io(io.name(), note);
        Ok(Some(Way::Files(io)))
    }

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
    use crate::io::IoEngine;
    use crate::lanes::Lanes;
    use crate::layout::Layout;
    use crate::sink::SinkSpec;
    use crate::task::range::RangeSpec;
    use crate::task::spec::{Policy, TaskSpec};

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
            overwrites: None,
            layout: Layout::new(4096, 1 << 40, 1 << 20).unwrap(),
            sink: SinkSpec::Null,
            block_bytes: 4096,
            queue_depth: 1,
            io_engine: IoEngine::Auto,
            lanes: None,
            spared_objects: HashSet::new(),
            policy: Policy::default(),
            rate: None,
        };
        for _ in 0..2 {
            let tell = tell.lock().unwrap().clone();
            let ended = Box::new(move |result| tell.send(result).unwrap());
            let shared = Arc::new(Shared::new(spec.clone(), Sink::Null, None, &engine, &Lanes::all(), ended));
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
