//! Tasks for JavaScript: what a stage does on this agent.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use napi::bindgen_prelude::{BigInt, Object};
use napi::{Env, Result};
use napi_derive::napi;
use seedstorm_engine::error::{Code, Error};
use seedstorm_engine::histogram::SparseHistogram;
use seedstorm_engine::layout::Layout;
use seedstorm_engine::sink::{Direct, MemoryStore, SinkSpec, SyncPolicy};
use seedstorm_engine::task::{
    FindingKind, Operation, PoolCounters, RangeProgress, RangeSpec, Task, TaskSnapshot, TaskSpec,
};

use crate::content::{ContentParameters, content_of, generation_of, u64_of, whole};
use crate::engine::{NativeEngine, aside};
use crate::error::to_js;
use crate::finding::{JsFinding, finding_of};
use crate::hold::Hold;
use crate::settle::{Settle, value};

/// What a task does, over which layout, on which sink.
#[napi(object)]
pub struct JsTaskSpec {
    /// What it does with its units.
    #[napi(ts_type = "'generate' | 'write' | 'read' | 'verify' | 'delete'")]
    pub operation: String,
    /// The content function of the run.
    pub content: ContentParameters,
    /// The generation that is written, or expected.
    pub generation: f64,
    /// Units in the run.
    pub units: f64,
    /// Units in an object.
    pub units_per_object: f64,
    /// Bytes of an I/O.
    pub block_bytes: f64,
    /// How many lanes take part; all when absent.
    pub lanes: Option<f64>,
    /// Objects that a delete leaves alone.
    pub spared_objects: Vec<f64>,
    /// Where bytes go to or come from.
    #[napi(ts_type = "'null' | 'memory' | 'file'")]
    pub sink: String,
    /// The run's own folder, for files.
    pub folder: Option<String>,
    /// Whether files bypass the page cache: true, false or auto.
    pub direct: Option<String>,
    /// When a write counts as done: block, range, file, end or never.
    pub sync: Option<String>,
}

/// Latency of a pool: the buckets that gained values, and by how many.
#[napi(object)]
pub struct JsHistogram {
    /// Bucket numbers, rising.
    pub buckets: Vec<u32>,
    /// What each of them gained.
    pub counts: Vec<f64>,
    /// The highest value since the beginning, in ns.
    pub max_ns: f64,
}

/// What the lanes of one pool did.
#[napi(object)]
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
    /// Latency since the snapshot before.
    pub latency: JsHistogram,
}

/// An error as plain data.
#[napi(object)]
pub struct JsError {
    /// `SEEDSTORM_E_…`.
    pub code: String,
    /// What happened, and to what.
    pub what: String,
    /// What to do next.
    pub mend: String,
}

/// How far a range has come.
#[napi(object)]
pub struct JsRangeProgress {
    /// The range's id.
    pub id: BigInt,
    /// Units that are done, as runs: first, end, first, end, …
    pub done: Vec<f64>,
    /// Units whose I/O was acknowledged, likewise.
    pub written: Vec<f64>,
    /// All units are done.
    pub complete: bool,
    /// Why what is not done will not be done.
    pub error: Option<JsError>,
}

/// How often one kind of fault was found, cumulative.
#[napi(object)]
pub struct JsFindingCount {
    /// The kind, as in JsFinding.
    pub kind: String,
    /// How often.
    pub count: f64,
}

/// How far a task has come. Counters are cumulative; histograms and findings are what is new since the snapshot before.
#[napi(object)]
pub struct JsTaskSnapshot {
    /// When this was taken, by the monotonic clock in ns.
    pub taken_ns: BigInt,
    /// When the first operation was submitted; 0: none yet.
    pub started_ns: BigInt,
    /// When the last operation, sync or close came back; 0: none yet.
    pub last_done_ns: BigInt,
    /// What each pool did.
    pub pools: Vec<JsPoolCounters>,
    /// The ranges; one that has ended is in no later snapshot.
    pub ranges: Vec<JsRangeProgress>,
    /// Faults found since the snapshot before.
    pub findings: Vec<JsFinding>,
    /// All faults found, by kind.
    pub finding_counts: Vec<JsFindingCount>,
    /// What fell back.
    pub notes: Vec<String>,
}

/// What a memory sink keeps from one task to the next.
#[napi]
pub struct NativeMemoryStore {
    store: Arc<MemoryStore>,
}

#[napi]
impl NativeMemoryStore {
    /// An empty store for `units` units of `unit_bytes` bytes, which keeps at most `limit_bytes`.
    #[napi(constructor)]
    pub fn new(unit_bytes: f64, units: f64, limit_bytes: f64) -> Result<Self> {
        let bytes = (whole("unit", unit_bytes)?, whole("units", units)?, whole("limit", limit_bytes)?);
        let store = MemoryStore::new(bytes.0, bytes.1, bytes.2).map_err(|error| to_js(&error))?;
        Ok(Self { store: Arc::new(store) })
    }
}

/// How a task ended, for whoever asks, before or after.
#[derive(Default)]
struct End {
    outcome: Option<std::result::Result<(), Error>>,
    /// The promises of those who asked before. Each holds the task, which would be cancelled when it is collected.
    waiting: Vec<(Settle<()>, Arc<Task>)>,
}

/// A running task.
#[napi]
pub struct NativeTask {
    task: Arc<Task>,
    folder: Option<PathBuf>,
    end: Arc<Mutex<End>>,
}

/// Gets a task ready, on a thread of its own: the file system may take its time.
#[napi(ts_return_type = "Promise<NativeTask>")]
pub fn prepare_task<'env>(
    env: &'env Env,
    engine: &NativeEngine,
    spec: JsTaskSpec,
    memory: Option<&NativeMemoryStore>,
) -> Result<Object<'env>> {
    let folder = spec.folder.as_ref().map(PathBuf::from);
    let spec = task_spec(spec, memory.map(|memory| Arc::clone(&memory.store)))?;
    let hold = engine.hold().clone();
    let (settle, promise) = Settle::<NativeTask>::new(env)?;
    let refused = settle.clone();
    let started = aside("task-prepare", move || {
        settle.with(NativeTask::prepare(hold, spec, folder).map(|task| value(|| task)));
    });
    if let Err(error) = started {
        refused.with(Err(error));
    }
    Ok(promise)
}

impl NativeTask {
    fn prepare(hold: Hold, spec: TaskSpec, folder: Option<PathBuf>) -> std::result::Result<Self, Error> {
        let end = Arc::new(Mutex::new(End::default()));
        let (at_end, engine) = (Arc::clone(&end), hold.clone());
        let ended = Box::new(move |outcome: std::result::Result<(), Error>| {
            let waiting = {
                let mut end = at_end.lock().unwrap_or_else(PoisonError::into_inner);
                end.outcome = Some(outcome.clone());
                std::mem::take(&mut end.waiting)
            };
            for (settle, _task) in waiting {
                settle.with(outcome.clone().map(|()| value(|| ())));
            }
            drop(hold);
        });
        Ok(Self { task: Arc::new(Task::prepare(&engine, spec, ended)?), folder, end })
    }
}

#[napi]
impl NativeTask {
    /// Settles when every lane has left and every file is closed.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn ended<'env>(&self, env: &'env Env) -> Result<Object<'env>> {
        let (settle, promise) = Settle::<()>::new(env)?;
        let mut end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        match &end.outcome {
            None => end.waiting.push((settle, Arc::clone(&self.task))),
            Some(outcome) => settle.with(outcome.clone().map(|()| value(|| ()))),
        }
        Ok(promise)
    }

    /// What fell back so far.
    #[napi]
    pub fn notes(&self) -> Vec<String> {
        self.task.notes()
    }

    /// Lanes begin at this instant of the monotonic clock, in ns.
    #[napi]
    pub fn begin_at(&self, ns: BigInt) -> Result<()> {
        self.task.begin_at(u64_of("the start", &ns)?);
        Ok(())
    }

    /// Lanes submit nothing after this instant of the monotonic clock, in ns, until it is moved.
    #[napi]
    pub fn set_deadline(&self, ns: BigInt) -> Result<()> {
        self.task.set_deadline(u64_of("the deadline", &ns)?);
        Ok(())
    }

    /// Adds units [first, end).
    #[napi]
    pub fn add_range(&self, id: BigInt, first: BigInt, end: BigInt) -> Result<()> {
        let id = u64_of("the range's id", &id)?;
        let (first, end) = (u64_of("the first unit", &first)?, u64_of("the end", &end)?);
        self.task.add_range(RangeSpec { id, first, end }).map_err(|error| to_js(&error))
    }

    /// Takes a range back.
    #[napi]
    pub fn fence_range(&self, id: BigInt) -> Result<()> {
        self.task.fence_range(u64_of("the range's id", &id)?);
        Ok(())
    }

    /// Begins to make durable what was written.
    #[napi]
    pub fn sync(&self) {
        self.task.sync();
    }

    /// How often a lane came to the end of a range, a sync or a close: when it has changed, a snapshot has news.
    #[napi]
    pub fn ended_work(&self) -> f64 {
        self.task.ended_work() as f64
    }

    /// Counters and progress.
    #[napi]
    pub fn snapshot(&self) -> JsTaskSnapshot {
        snapshot_of(self.task.snapshot(), self.folder.as_ref())
    }

    /// No more ranges come.
    #[napi]
    pub fn finish(&self) {
        self.task.finish();
    }

    /// Lanes leave after the I/O in flight.
    #[napi]
    pub fn cancel(&self) {
        self.task.cancel();
    }
}

fn task_spec(given: JsTaskSpec, memory: Option<Arc<MemoryStore>>) -> Result<TaskSpec> {
    let operation = match given.operation.as_str() {
        "generate" => Operation::Generate,
        "write" => Operation::Write,
        "read" => Operation::Read,
        "verify" => Operation::Verify,
        "delete" => Operation::Delete,
        other => return Err(unknown("operation", other)),
    };
    let sink = match (given.sink.as_str(), memory) {
        ("null", _) => SinkSpec::Null,
        ("memory", Some(store)) => SinkSpec::Memory(store),
        ("file", _) => SinkSpec::File {
            folder: PathBuf::from(given.folder.ok_or_else(|| unknown("folder", "not given"))?),
            direct: direct_of(given.direct.as_deref().unwrap_or("auto"))?,
            sync: sync_of(given.sync.as_deref().unwrap_or("range"))?,
        },
        (other, _) => return Err(unknown("sink", other)),
    };
    let layout = Layout::new(
        whole("unit", given.content.unit_bytes)?,
        whole("units", given.units)?,
        whole("units per object", given.units_per_object)?,
    );
    let spared: Result<HashSet<u64>> = given.spared_objects.iter().map(|object| whole("object", *object)).collect();
    Ok(TaskSpec {
        operation,
        content: content_of(&given.content)?,
        generation: generation_of(given.generation)?,
        layout: layout.map_err(|error| to_js(&error))?,
        sink,
        block_bytes: whole("block", given.block_bytes)? as usize,
        lanes: given.lanes.map(|lanes| whole("lanes", lanes).map(|lanes| lanes as usize)).transpose()?,
        spared_objects: spared?,
    })
}

fn direct_of(name: &str) -> Result<Direct> {
    match name {
        "true" => Ok(Direct::Yes),
        "false" => Ok(Direct::No),
        "auto" => Ok(Direct::Auto),
        other => Err(unknown("direct", other)),
    }
}

fn sync_of(name: &str) -> Result<SyncPolicy> {
    match name {
        "block" => Ok(SyncPolicy::Block),
        "range" => Ok(SyncPolicy::Range),
        "file" => Ok(SyncPolicy::File),
        "end" => Ok(SyncPolicy::End),
        "never" => Ok(SyncPolicy::Never),
        other => Err(unknown("sync", other)),
    }
}

fn unknown(what: &str, given: &str) -> napi::Error {
    to_js(&Error::new(
        Code::InvalidArgument,
        format!("{what} is “{given}”"),
        format!("give {what} one of the values in binding.d.ts"),
    ))
}

fn snapshot_of(snapshot: TaskSnapshot, folder: Option<&PathBuf>) -> JsTaskSnapshot {
    let counts = FindingKind::NAMES.iter().zip(snapshot.finding_counts).filter(|(_, count)| *count > 0);
    JsTaskSnapshot {
        taken_ns: BigInt::from(seedstorm_engine::clock::now_ns()),
        started_ns: BigInt::from(snapshot.started_ns),
        last_done_ns: BigInt::from(snapshot.last_done_ns),
        pools: snapshot.pools.into_iter().map(pool_of).collect(),
        ranges: snapshot.ranges.into_iter().map(range_of).collect(),
        findings: snapshot.findings.into_iter().map(|finding| finding_of(finding, folder)).collect(),
        finding_counts: counts
            .map(|(kind, count)| JsFindingCount { kind: (*kind).to_owned(), count: count as f64 })
            .collect(),
        notes: snapshot.notes,
    }
}

fn pool_of(pool: PoolCounters) -> JsPoolCounters {
    let PoolCounters { numa_node, lanes, counts, latency } = pool;
    let SparseHistogram { buckets, counts: gained, max_ns, .. } = latency;
    JsPoolCounters {
        numa_node,
        lanes: lanes as u32,
        operations: counts.operations as f64,
        bytes: counts.bytes as f64,
        errors: counts.errors as f64,
        corrupt_blocks: counts.corrupt_blocks as f64,
        syncs: counts.syncs as f64,
        sync_ns: counts.sync_ns as f64,
        latency: JsHistogram {
            buckets,
            counts: gained.into_iter().map(|count| count as f64).collect(),
            max_ns: max_ns as f64,
        },
    }
}

fn range_of(range: RangeProgress) -> JsRangeProgress {
    let flat = |runs: Vec<(u64, u64)>| runs.into_iter().flat_map(|(first, end)| [first as f64, end as f64]).collect();
    JsRangeProgress {
        id: BigInt::from(range.id),
        done: flat(range.done),
        written: flat(range.written),
        complete: range.complete,
        error: range.failed.map(|error| JsError {
            code: format!("SEEDSTORM_E_{}", error.code.name()),
            what: error.what,
            mend: error.mend,
        }),
    }
}
