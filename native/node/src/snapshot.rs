//! What a task has done so far, for JavaScript. Merging the histograms of hundreds of lanes reads some MB and takes
//! milliseconds, so it happens on a thread of its own; JavaScript's only gets the result, in arrays that are not copied.

use std::collections::VecDeque;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use napi::bindgen_prelude::{BigInt, Float64Array, Uint32Array};
use napi_derive::napi;
use seedstorm_engine::error::{Code, Error};
use seedstorm_engine::histogram::SparseHistogram;
use seedstorm_engine::pool_counters::{ClassCounters, PoolCounters};
use seedstorm_engine::sink::s3::{RequestCount, StatusCount, StoreWork};
use seedstorm_engine::task::{ErrorRow, FindingKind, RangeProgress, Task, TaskSnapshot};

use crate::engine::aside;
use crate::finding::{JsFinding, Origin, finding_of};
use crate::settle::{Settle, value};

/// Snapshots of one task that may be asked for and not yet there. More mean that somebody asks without ever waiting.
const MAX_ASKED: usize = 1024;

/// A histogram of times: the buckets that gained values, and by how many.
#[napi(object, object_from_js = false)]
pub struct JsHistogram {
    /// Bucket numbers, rising.
    pub buckets: Uint32Array,
    /// What each of them gained.
    pub counts: Float64Array,
    /// The highest value since the beginning, in ns.
    pub max_ns: f64,
}

/// What the lanes of one pool did.
#[napi(object, object_from_js = false)]
pub struct JsPoolCounters {
    /// OS index of the pool's NUMA node.
    pub numa_node: u32,
    /// Lanes of the pool that take part.
    pub lanes: u32,
    /// I/O operations that came back without an error.
    pub operations: f64,
    /// Bytes of those operations.
    pub bytes: f64,
    /// Operations, syncs and closes that failed.
    pub errors: f64,
    /// Blocks in which at least one byte was not what it must be.
    pub corrupt_blocks: f64,
    /// How many syncs were made.
    pub syncs: f64,
    /// Time spent on them, in ns.
    pub sync_ns: f64,
    /// Time inside I/O operations, summed over those in flight, in ns.
    pub io_ns: f64,
    /// The most blocks that one lane had in flight at once.
    pub greatest_in_flight: f64,
    /// In a network stage: bytes that peers sent and these lanes received.
    pub received_bytes: f64,
    /// CPU time of the lanes' threads in their own code, in ns.
    pub cpu_user_ns: f64,
    /// In the kernel on their behalf.
    pub cpu_system_ns: f64,
    /// Files and directories that were to be made or renamed, and that an earlier attempt had made or renamed.
    pub existed: f64,
    /// Names that a list found and the layout does not make.
    pub foreign: f64,
    /// Directories that were made, listed or removed.
    pub folders: f64,
    /// Of the operations, those that were submitted before the task counts.
    pub ramp_operations: f64,
    /// Bytes of those.
    pub ramp_bytes: f64,
    /// The same by class of operations, those that there were.
    pub classes: Vec<JsClassCounters>,
}

/// What the lanes of one pool did of one class of operations.
#[napi(object, object_from_js = false)]
pub struct JsClassCounters {
    /// What they did: write, read, stat, …
    pub operation: String,
    /// The most bytes that an operation of the class has: 4KiB, 64KiB, 1MiB, 16MiB, or larger; empty where there are none.
    pub size: String,
    /// Whether they are parts of other operations, which the pool's counters do not count.
    pub part: bool,
    /// Operations that came back without an error.
    pub operations: f64,
    /// Bytes of those operations.
    pub bytes: f64,
    /// Operations that failed.
    pub errors: f64,
    /// Service times since the snapshot before.
    pub service: JsHistogram,
    /// Their times from the instants at which they were to begin, likewise; absent where there was no rate to keep.
    pub response: Option<JsHistogram>,
}

/// An error as plain data.
#[napi(object, object_from_js = false)]
pub struct JsError {
    /// `SEEDSTORM_E_…`.
    pub code: String,
    /// What happened, and to what.
    pub what: String,
    /// What to do next.
    pub mend: String,
}

/// How far a range has come.
#[napi(object, object_from_js = false)]
pub struct JsRangeProgress {
    /// The range's id.
    pub id: BigInt,
    /// Units that are done, as runs: first, end, first, end, …
    pub done: Vec<f64>,
    /// Units whose I/O was acknowledged, likewise.
    pub written: Vec<f64>,
    /// Units that will not be done, because of an error that the plan lets pass, likewise.
    pub failed: Vec<f64>,
    /// All units are done or failed.
    pub complete: bool,
    /// Why what is not done will not be done.
    pub error: Option<JsError>,
    /// Of a mixed task, of each shard two numbers: operations below the first are done, and none behind the second is begun
    /// until it is allowed.
    pub shards: Vec<f64>,
    /// Nothing of it is begun any more: what of shards was reserved is what was begun.
    pub ended: bool,
}

/// How often one kind of fault was found, cumulative.
#[napi(object, object_from_js = false)]
pub struct JsFindingCount {
    /// The kind, as in JsFinding.
    pub kind: String,
    /// How often.
    pub count: f64,
}

/// How far a task has come. Counters are cumulative; histograms and findings are what is new since the snapshot before.
#[napi(object, object_from_js = false)]
pub struct JsTaskSnapshot {
    /// When this was taken, by the monotonic clock in ns.
    pub taken_ns: BigInt,
    /// Lanes that have come to the start: when all have, the task is ready.
    pub lanes_ready: u32,
    /// When the last of the lanes passed the start; 0 until all have.
    pub all_begun_ns: BigInt,
    /// When the first operation was submitted; 0: none yet.
    pub started_ns: BigInt,
    /// When the last operation, sync or close came back; 0: none yet.
    pub last_done_ns: BigInt,
    /// When the first of the lanes that did anything came to its last end of something; 0: none yet.
    pub first_done_ns: BigInt,
    /// Under a rate: when the last operation came back, by the monotonic clock in ns; 0: none yet.
    pub last_paced_ns: BigInt,
    /// Under a rate: the longest that a lane's latest operation was submitted after its instant, in ns.
    pub late_ns: f64,
    /// What each pool did.
    pub pools: Vec<JsPoolCounters>,
    /// The ranges; one that has ended is in no later snapshot.
    pub ranges: Vec<JsRangeProgress>,
    /// Faults found since the snapshot before.
    pub findings: Vec<JsFinding>,
    /// All faults found, by kind.
    pub finding_counts: Vec<JsFindingCount>,
    /// Which ways the I/O of files goes; empty when none does.
    pub io_engine: String,
    /// Blocks of which nobody knows which of several generations they hold, as a verify read them.
    pub cells_in_doubt: f64,
    /// Faults whose bytes could not be kept, since the beginning.
    pub evidence_skipped: f64,
    /// I/O errors: the rows that changed since the snapshot before, with counts since the beginning.
    pub errors: Vec<JsErrorRow>,
    /// What fell back.
    pub notes: Vec<String>,
    /// What was asked of a store, where the sink is one.
    pub store: Option<JsStoreWork>,
}

/// Requests of one kind.
#[napi(object, object_from_js = false)]
pub struct JsRequestCount {
    /// PUT, GET, begin upload and so on.
    pub kind: String,
    /// Requests that have ended.
    pub requests: f64,
    /// Attempts at them: those beyond one for each are retries.
    pub attempts: f64,
    /// Requests that failed for good.
    pub failed: f64,
}

/// Failed attempts of one kind with one status.
#[napi(object, object_from_js = false)]
pub struct JsStatusCount {
    /// What was asked for.
    pub kind: String,
    /// Status of the answer; 0: there was none.
    pub status: u32,
    /// How many.
    pub count: f64,
}

/// What a task asked of a store, since the beginning.
#[napi(object, object_from_js = false)]
pub struct JsStoreWork {
    /// The kinds that there were requests of.
    pub requests: Vec<JsRequestCount>,
    /// Attempts that failed.
    pub statuses: Vec<JsStatusCount>,
}

/// I/O errors of one kind, at one object, in one lane.
#[napi(object, object_from_js = false)]
pub struct JsErrorRow {
    /// open, read, write, sync, delete, full, missing, mkdir, stat, list or rename.
    pub kind: String,
    /// The object; empty where it is not known, and in the row for those that are not kept one by one.
    pub path: String,
    /// Number of the lane; absent in the row for those that are not kept one by one.
    pub lane: Option<u32>,
    /// How many, since the beginning.
    pub count: f64,
    /// The first of them.
    pub first: JsError,
}

/// The snapshots of one task. They are taken one after the other in the order in which they were asked for: what is new
/// since the one before goes to the one after it. Their promises may settle in another order (ts/task.ts).
pub struct Snapshots {
    task: Arc<Task>,
    origin: Origin,
    asked: Mutex<Asked>,
}

#[derive(Default)]
struct Asked {
    waiting: VecDeque<Settle<JsTaskSnapshot>>,
    /// Whether a thread is there that takes them.
    taking: bool,
}

impl Snapshots {
    /// Those of a task whose objects are there.
    pub fn new(task: Arc<Task>, origin: Origin) -> Self {
        Self { task, origin, asked: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a snapshot taken.
    pub fn ask(self: &Arc<Self>, settle: Settle<JsTaskSnapshot>) {
        let mut asked = self.lock();
        if asked.waiting.len() >= MAX_ASKED {
            drop(asked);
            let what = format!("{MAX_ASKED} snapshots of the task were asked for and are not there yet");
            return settle.with(Err(Error::new(Code::QueueFull, what, "wait for earlier snapshots")));
        }
        asked.waiting.push_back(settle);
        if mem::replace(&mut asked.taking, true) {
            return;
        }
        drop(asked);
        let own = Arc::clone(self);
        if aside("task-snapshot", move || own.take_all()).is_err() {
            // Without a thread to be had, JavaScript's has to wait for it: the last counts of a task must not be lost.
            self.take_all();
        }
    }

    fn take_all(&self) {
        loop {
            let next = {
                let mut asked = self.lock();
                let next = asked.waiting.pop_front();
                asked.taking = next.is_some();
                next
            };
            let Some(settle) = next else { return };
            // After a panic, which the hook tells, `settle` is dropped and with it rejected; those behind it go on.
            let taken = catch_unwind(AssertUnwindSafe(|| snapshot_of(self.task.snapshot(), &self.origin)));
            if let Ok(snapshot) = taken {
                settle.with(Ok(value(|| snapshot)));
            }
        }
    }
}

fn snapshot_of(snapshot: TaskSnapshot, origin: &Origin) -> JsTaskSnapshot {
    let counts = FindingKind::NAMES.iter().zip(snapshot.finding_counts).filter(|(_, count)| *count > 0);
    JsTaskSnapshot {
        taken_ns: BigInt::from(seedstorm_engine::clock::now_ns()),
        lanes_ready: snapshot.lanes_ready as u32,
        all_begun_ns: BigInt::from(snapshot.all_begun_ns),
        started_ns: BigInt::from(snapshot.started_ns),
        last_done_ns: BigInt::from(snapshot.last_done_ns),
        first_done_ns: BigInt::from(snapshot.first_done_ns),
        last_paced_ns: BigInt::from(snapshot.last_paced_ns),
        late_ns: snapshot.late_ns as f64,
        pools: snapshot.pools.into_iter().map(pool_of).collect(),
        ranges: snapshot.ranges.into_iter().map(range_of).collect(),
        findings: snapshot.findings.into_iter().map(|finding| finding_of(finding, origin)).collect(),
        finding_counts: counts
            .map(|(kind, count)| JsFindingCount { kind: (*kind).to_owned(), count: count as f64 })
            .collect(),
        io_engine: snapshot.io_engine,
        cells_in_doubt: snapshot.cells_in_doubt as f64,
        evidence_skipped: snapshot.evidence_skipped as f64,
        errors: snapshot.errors.into_iter().map(error_row_of).collect(),
        notes: snapshot.notes,
        store: snapshot.store.map(store_of),
    }
}

fn store_of(work: StoreWork) -> JsStoreWork {
    JsStoreWork {
        requests: work
            .requests
            .into_iter()
            .map(|RequestCount { kind, requests, attempts, failed }| JsRequestCount {
                kind: kind.to_owned(),
                requests: requests as f64,
                attempts: attempts as f64,
                failed: failed as f64,
            })
            .collect(),
        statuses: work
            .statuses
            .into_iter()
            .map(|StatusCount { kind, status, count }| JsStatusCount {
                kind: kind.to_owned(),
                status: u32::from(status),
                count: count as f64,
            })
            .collect(),
    }
}

fn error_row_of(row: ErrorRow) -> JsErrorRow {
    JsErrorRow {
        kind: row.kind.name().to_owned(),
        path: row.path,
        lane: row.lane.map(|lane| lane as u32),
        count: row.count as f64,
        first: error_of(row.first),
    }
}

/// A pool's counters.
pub fn pool_of(pool: PoolCounters) -> JsPoolCounters {
    let PoolCounters { numa_node, lanes, counts, greatest_in_flight, cpu, classes } = pool;
    JsPoolCounters {
        numa_node,
        lanes: lanes as u32,
        operations: counts.operations as f64,
        bytes: counts.bytes as f64,
        errors: counts.errors as f64,
        corrupt_blocks: counts.corrupt_blocks as f64,
        syncs: counts.syncs as f64,
        sync_ns: counts.sync_ns as f64,
        io_ns: counts.io_ns as f64,
        greatest_in_flight: greatest_in_flight as f64,
        received_bytes: counts.received_bytes as f64,
        cpu_user_ns: cpu.user_ns as f64,
        cpu_system_ns: cpu.system_ns as f64,
        existed: counts.existed as f64,
        foreign: counts.foreign as f64,
        folders: counts.folders as f64,
        ramp_operations: counts.ramp_operations as f64,
        ramp_bytes: counts.ramp_bytes as f64,
        classes: classes.into_iter().map(class_of).collect(),
    }
}

fn class_of(of: ClassCounters) -> JsClassCounters {
    JsClassCounters {
        operation: of.class.operation.name().to_owned(),
        size: of.class.size.name().to_owned(),
        part: of.class.operation.is_part(),
        operations: of.operations as f64,
        bytes: of.bytes as f64,
        errors: of.errors as f64,
        service: histogram_of(of.service),
        response: of.response.map(histogram_of),
    }
}

fn histogram_of(of: SparseHistogram) -> JsHistogram {
    JsHistogram {
        buckets: of.buckets.into(),
        counts: of.counts.into_iter().map(|count| count as f64).collect::<Vec<_>>().into(),
        max_ns: of.max_ns as f64,
    }
}

fn range_of(range: RangeProgress) -> JsRangeProgress {
    let flat = |runs: Vec<(u64, u64)>| runs.into_iter().flat_map(|(first, end)| [first as f64, end as f64]).collect();
    JsRangeProgress {
        id: BigInt::from(range.id),
        done: flat(range.done),
        written: flat(range.written),
        failed: flat(range.failed_units),
        complete: range.complete,
        error: range.failed.map(error_of),
        ended: range.complete || range.drained,
        shards: range.shards.iter().flat_map(|shard| [shard.done as f64, shard.reserved as f64]).collect(),
    }
}

/// The engine's error as a plain value.
pub fn error_of(error: Error) -> JsError {
    JsError { code: format!("SEEDSTORM_E_{}", error.code.name()), what: error.what, mend: error.mend }
}
