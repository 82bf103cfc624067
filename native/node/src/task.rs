//! Tasks for JavaScript: what a stage does on this agent.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use napi::bindgen_prelude::{BigInt, Object};
use napi::{Env, Result};
use napi_derive::napi;
use seedstorm_engine::error::{Code, Error, ErrorKind};
use seedstorm_engine::io::IoEngine;
use seedstorm_engine::layout::{Layout, Names, Sizes, Tree};
use seedstorm_engine::sink::{
    Direct, FileOptions, FileWork, MemoryStore, Preallocate, Residency, SinkSpec, SyncPolicy,
};
use seedstorm_engine::task::{
    Arrivals, ErrorLimits, Moved, Operation, Place, Policy, RangeSpec, Rate, RateOf, Share, Task, TaskSpec, look_again,
};

use crate::block::{JsBlockPlace, place_of};
use crate::content::{ContentParameters, content_of, generation_of, u64_of, whole};
use crate::ending::Ending;
use crate::engine::{NativeEngine, aside, chosen};
use crate::error::to_js;
use crate::finding::{JsReread, Origin, reread_of};
use crate::hold::Hold;
use crate::overwrites::{JsLateWrites, JsOverwrites, JsShardHistory, history_of, late_of, overwrites_of};
use crate::s3::{JsS3Sink, root_of, s3_spec};
use crate::settle::{Settle, value};
use crate::snapshot::{JsTaskSnapshot, Snapshots};

/// What a task does, over which layout, on which sink.
#[napi(object)]
pub struct JsTaskSpec {
    /// What it does with its units.
    #[napi(
        ts_type = "'generate' | 'write' | 'read' | 'verify' | 'mixed' | 'delete' | 'stat' | 'list' | 'mkdir' | 'create' | 'rename'"
    )]
    pub operation: String,
    /// The content function of the run.
    pub content: ContentParameters,
    /// The generation that is written, or expected.
    pub generation: f64,
    /// Units in the run.
    pub units: f64,
    /// Units in an object.
    pub units_per_object: f64,
    /// The tree of directories and files, where the layout is one; `units` and `units_per_object` follow from it.
    pub tree: Option<JsTree>,
    /// Units of the objects of each group, where sizes differ; the content's seed puts them in order.
    pub object_sizes: Option<Vec<u32>>,
    /// Bytes of an I/O.
    pub block_bytes: f64,
    /// Blocks that each lane keeps in flight; 1 when absent.
    pub queue_depth: Option<f64>,
    /// Which way the I/O of files goes; auto when absent.
    #[napi(ts_type = "'auto' | 'io_uring' | 'aio' | 'threads'")]
    pub io_engine: Option<String>,
    /// How many lanes take part; all when absent.
    pub lanes: Option<f64>,
    /// Objects that a delete leaves alone.
    pub spared_objects: Vec<f64>,
    /// Where bytes go to or come from.
    #[napi(ts_type = "'null' | 'memory' | 'file' | 'block' | 's3'")]
    pub sink: String,
    /// The run's own folder in each path of the target, for files.
    pub folders: Option<Vec<String>>,
    /// The device, for a block device.
    pub place: Option<JsBlockPlace>,
    /// The store, for objects in a bucket.
    pub s3: Option<JsS3Sink>,
    /// Whether files bypass the page cache: true, false or auto.
    pub direct: Option<String>,
    /// When a write counts as done: block, range, file, end or never.
    pub sync: Option<String>,
    /// Whether files have their room before their first byte: true, false or auto; false when absent.
    pub preallocate: Option<String>,
    /// Whether the files are on storage of this host alone.
    pub local: Option<bool>,
    /// Whether the bytes of faults are kept for the next snapshot; not when absent.
    pub evidence: Option<bool>,
    /// What overwrote single blocks of the data, and what is to; nothing when absent.
    pub overwrites: Option<JsOverwrites>,
    /// I/O errors that a task lets pass: their units fail, and the range goes on. None when absent.
    pub errors: Option<JsErrorLimits>,
    /// The rate that operations keep; as fast as they can when absent.
    pub rate: Option<JsRate>,
}

/// A rate that the lanes of tasks keep together; each task is told its share.
#[napi(object)]
pub struct JsRate {
    /// What it counts.
    #[napi(ts_type = "'operations' | 'bytes'")]
    pub of: String,
    /// How the instants of operations lie: evenly, or at random.
    #[napi(ts_type = "'constant' | 'poisson'")]
    pub arrivals: String,
    /// Of random instants: the same give the same.
    pub seed: BigInt,
}

/// How much a task has done at an instant.
#[napi(object, object_from_js = false)]
pub struct JsMoved {
    /// The instant, by the monotonic clock in ns.
    pub at_ns: BigInt,
    /// Operations that came back without an error.
    pub operations: f64,
    /// Bytes of those operations.
    pub bytes: f64,
}

/// A task's share of a rate.
#[napi(object)]
pub struct JsShare {
    /// Operations or bytes a second of each of its lanes.
    pub per_lane: f64,
    /// The number of its first lane among the lanes of all tasks.
    pub first_lane: f64,
    /// How many lanes all tasks have.
    pub lanes: f64,
}

/// A tree of directories with many small files.
#[napi(object)]
pub struct JsTree {
    /// How many directories there are.
    pub directories: f64,
    /// How many files each of them is home to.
    pub files_per_directory: f64,
    /// Bytes of each file.
    pub file_bytes: f64,
    /// How many directories lie in each directory, and at the top; 0: all lie side by side at the top.
    pub branching: f64,
    /// What files are called now, and where they lie.
    pub names: JsNames,
    /// What a rename makes of that; a delete removes what has either name.
    pub next: Option<JsNames>,
}

/// A generation of names in a tree.
#[napi(object)]
pub struct JsNames {
    /// How many times each file was renamed.
    pub renames: u32,
    /// How many directories behind its home a file lies.
    pub shift: f64,
}

/// What was in the page cache.
#[napi(object, object_from_js = false)]
pub struct JsResidency {
    /// Objects that were looked at.
    pub objects: f64,
    /// Their pages that were looked at.
    pub pages: f64,
    /// Of these, those that were in the cache.
    pub resident: f64,
}

/// What a task on files did beside the I/O.
#[napi(object, object_from_js = false)]
pub struct JsFileWork {
    /// Whether I/O went past the page cache.
    pub direct: bool,
    /// What the page cache had of objects before the task first read them.
    pub cached_before: JsResidency,
    /// What it had of some of them at the end.
    pub cached_after: JsResidency,
    /// Objects that were preallocated.
    pub preallocated: f64,
    /// Time that this took, summed over the lanes, in ns.
    pub preallocate_ns: f64,
}

/// How many I/O errors a task lets pass.
#[napi(object)]
pub struct JsErrorLimits {
    /// By kind: open, read, write, sync, delete, full, missing, mkdir, stat, list, rename; none of those that are not named.
    pub of_kind: HashMap<String, f64>,
    /// Of all kinds together.
    pub in_all: f64,
}

/// A place where a fault was found, to be looked at again.
#[napi(object)]
pub struct JsPlace {
    /// Number of the object in the layout.
    pub object: f64,
    /// Where, in bytes: the finding's offset.
    pub offset: f64,
    /// How many bytes.
    pub length: f64,
    /// What was seen there: the finding's fingerprint.
    pub fingerprint: String,
}

/// Looks at a place again, on a thread of its own; without an engine, so that a task that is at work is not disturbed.
/// Undefined where the sink cannot be looked at.
#[napi(ts_return_type = "Promise<JsReread | null>")]
pub fn look_again_at<'env>(
    env: &'env Env,
    spec: JsTaskSpec,
    place: JsPlace,
    memory: Option<&NativeMemoryStore>,
) -> Result<Object<'env>> {
    // Findings tell offsets of the device, and the task knows those of its part.
    let start = spec.place.as_ref().map_or(Ok(0), |part| whole("offset", part.offset))?;
    let spec = task_spec(spec, memory.map(|memory| Arc::clone(&memory.store)))?;
    let place = Place {
        object: whole("object", place.object)?,
        offset: whole("offset", place.offset)?.saturating_sub(start),
        length: whole("length", place.length)?,
        fingerprint: place.fingerprint,
    };
    let (settle, promise) = Settle::<Option<JsReread>>::new(env)?;
    let refused = settle.clone();
    let started = aside("look-again", move || {
        settle.with(look_again(&spec, &place).map(|seen| value(|| seen.map(reread_of))));
    });
    if let Err(error) = started {
        refused.with(Err(error));
    }
    Ok(promise)
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

/// A running task.
#[napi]
pub struct NativeTask {
    task: Arc<Task>,
    end: Arc<Ending<Task>>,
    snapshots: Arc<Snapshots>,
}

/// Gets a task ready, on a thread of its own: the file system may take its time.
#[napi(ts_return_type = "Promise<NativeTask>")]
pub fn prepare_task<'env>(
    env: &'env Env,
    engine: &NativeEngine,
    spec: JsTaskSpec,
    memory: Option<&NativeMemoryStore>,
) -> Result<Object<'env>> {
    let origin = match (&spec.folders, &spec.place, &spec.s3) {
        (Some(folders), ..) => Origin::Folders(folders.iter().map(PathBuf::from).collect()),
        (None, Some(place), _) => Origin::Device(whole("offset", place.offset)?),
        (None, None, Some(store)) => Origin::Store(root_of(store)),
        (None, None, None) => Origin::Nowhere,
    };
    let spec = task_spec(spec, memory.map(|memory| Arc::clone(&memory.store)))?;
    let hold = engine.hold().clone();
    let (settle, promise) = Settle::<NativeTask>::new(env)?;
    let refused = settle.clone();
    let started = aside("task-prepare", move || {
        settle.with(NativeTask::prepare(hold, spec, origin).map(|task| value(|| task)));
    });
    if let Err(error) = started {
        refused.with(Err(error));
    }
    Ok(promise)
}

impl NativeTask {
    fn prepare(hold: Hold, spec: TaskSpec, origin: Origin) -> std::result::Result<Self, Error> {
        let end = Arc::new(Ending::default());
        let (at_end, engine) = (Arc::clone(&end), hold.clone());
        let ended = Box::new(move |outcome: std::result::Result<(), Error>| {
            at_end.tell(&outcome);
            drop(hold);
        });
        let task = Arc::new(Task::prepare(&engine, spec, ended)?);
        Ok(Self { snapshots: Arc::new(Snapshots::new(Arc::clone(&task), origin)), task, end })
    }
}

#[napi]
impl NativeTask {
    /// Settles when every lane has left and every file is closed.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn ended<'env>(&self, env: &'env Env) -> Result<Object<'env>> {
        self.end.promise(env, &self.task)
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

    /// The task's share of the rate from now on, or from the start on; its lanes begin nothing without one.
    #[napi]
    pub fn share_rate(&self, share: JsShare) -> Result<()> {
        if !share.per_lane.is_finite() || share.per_lane < 0.0 {
            return Err(unknown("the rate of a lane", &share.per_lane.to_string()));
        }
        self.task.share_rate(Share {
            per_lane: share.per_lane,
            first_lane: whole("first lane", share.first_lane)?,
            lanes: whole("lanes", share.lanes)?,
        });
        Ok(())
    }

    /// The task's time is over at this instant of the monotonic clock, in ns, unless it is moved.
    #[napi]
    pub fn end_at(&self, ns: BigInt) -> Result<()> {
        self.task.end_at(u64_of("the end", &ns)?);
        Ok(())
    }

    /// What is submitted before this instant of the monotonic clock, in ns, is told apart and not timed.
    #[napi]
    pub fn count_from(&self, ns: BigInt) -> Result<()> {
        self.task.count_from(u64_of("the end of the ramp", &ns)?);
        Ok(())
    }

    /// Adds units [first, end), with what is known of their shards where blocks were overwritten, and what may have come
    /// late to them.
    #[napi]
    pub fn add_range(
        &self,
        id: BigInt,
        first: BigInt,
        end: BigInt,
        shards: Option<Vec<JsShardHistory>>,
        late: Option<Vec<JsLateWrites>>,
    ) -> Result<()> {
        let id = u64_of("the range's id", &id)?;
        let (first, end) = (u64_of("the first unit", &first)?, u64_of("the end", &end)?);
        let shards = shards.unwrap_or_default().iter().map(history_of).collect::<Result<_>>()?;
        let late = late.unwrap_or_default().iter().map(late_of).collect::<Result<_>>()?;
        self.task.add_range_with(RangeSpec { id, first, end }, shards, late).map_err(|error| to_js(&error))
    }

    /// Allows operations below these limits on the shards of a range, in order.
    #[napi]
    pub fn allow(&self, id: BigInt, limits: Vec<f64>) -> Result<()> {
        let limits = limits.into_iter().map(|limit| whole("a limit", limit)).collect::<Result<Vec<u64>>>()?;
        self.task.allow(u64_of("the range's id", &id)?, &limits);
        Ok(())
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

    /// Operations and bytes so far, at once: for callers that look at exact instants.
    #[napi]
    pub fn moved(&self) -> JsMoved {
        let Moved { at_ns, operations, bytes } = self.task.moved();
        JsMoved { at_ns: BigInt::from(at_ns), operations: operations as f64, bytes: bytes as f64 }
    }

    /// Counters and progress, gathered off JavaScript's thread; snapshots come in the order in which they are asked for.
    #[napi(ts_return_type = "Promise<JsTaskSnapshot>")]
    pub fn snapshot<'env>(&self, env: &'env Env) -> Result<Object<'env>> {
        let (settle, promise) = Settle::<JsTaskSnapshot>::new(env)?;
        self.snapshots.ask(settle);
        Ok(promise)
    }

    /// What a task on files did beside the I/O; nothing where there are no files. Whole once the task has ended.
    #[napi]
    pub fn file_work(&self) -> Option<JsFileWork> {
        let FileWork { direct, cache, preallocated } = self.task.file_work()?;
        Some(JsFileWork {
            direct,
            cached_before: residency_of(cache.before),
            cached_after: residency_of(cache.after),
            preallocated: preallocated.objects as f64,
            preallocate_ns: preallocated.spent_ns as f64,
        })
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

pub fn task_spec(given: JsTaskSpec, memory: Option<Arc<MemoryStore>>) -> Result<TaskSpec> {
    let operation = match given.operation.as_str() {
        "generate" => Operation::Generate,
        "write" => Operation::Write,
        "read" => Operation::Read,
        "verify" => Operation::Verify,
        "mixed" => Operation::Mixed,
        "delete" => Operation::Delete,
        "stat" => Operation::Stat,
        "list" => Operation::List,
        "mkdir" => Operation::Mkdir,
        "create" => Operation::Create,
        "rename" => Operation::Rename,
        other => return Err(unknown("operation", other)),
    };
    let sink = match (given.sink.as_str(), memory) {
        ("null", _) => SinkSpec::Null,
        ("memory", Some(store)) => SinkSpec::Memory(store),
        ("file", _) => SinkSpec::File {
            folders: given.folders.ok_or_else(|| unknown("folders", "not given"))?.iter().map(PathBuf::from).collect(),
            direct: chosen("direct", given.direct.as_deref().unwrap_or("auto"), Direct::NAMES)?,
            sync: chosen("sync", given.sync.as_deref().unwrap_or("range"), SyncPolicy::NAMES)?,
            options: FileOptions {
                preallocate: chosen(
                    "preallocate",
                    given.preallocate.as_deref().unwrap_or("false"),
                    Preallocate::NAMES,
                )?,
                local: given.local.unwrap_or(false),
            },
        },
        ("block", _) => SinkSpec::Block {
            place: place_of(given.place.ok_or_else(|| unknown("place", "not given"))?)?,
            sync: chosen("sync", given.sync.as_deref().unwrap_or("range"), SyncPolicy::NAMES)?,
        },
        ("s3", _) => SinkSpec::S3(Box::new(s3_spec(given.s3.ok_or_else(|| unknown("s3", "not given"))?)?)),
        (other, _) => return Err(unknown("sink", other)),
    };
    let (unit, units) = (whole("unit", given.content.unit_bytes)?, whole("units", given.units)?);
    let layout = match (&given.tree, given.object_sizes) {
        (Some(tree), _) => Layout::of_tree(unit, tree_of(tree)?),
        (None, None) => Layout::new(unit, units, whole("units per object", given.units_per_object)?),
        (None, Some(sizes)) => Sizes::new(&sizes, u64_of("the seed", &given.content.seed)?)
            .and_then(|sizes| Layout::with_sizes(unit, units, sizes)),
    };
    let spared: Result<HashSet<u64>> = given.spared_objects.iter().map(|object| whole("object", *object)).collect();
    Ok(TaskSpec {
        operation,
        content: content_of(&given.content)?,
        generation: generation_of(given.generation)?,
        overwrites: given.overwrites.as_ref().map(overwrites_of).transpose()?.map(Arc::new),
        layout: layout.map_err(|error| to_js(&error))?,
        sink,
        block_bytes: whole("block", given.block_bytes)? as usize,
        queue_depth: whole("queue depth", given.queue_depth.unwrap_or(1.0))? as usize,
        io_engine: chosen("I/O engine", given.io_engine.as_deref().unwrap_or("auto"), IoEngine::NAMES)?,
        lanes: given.lanes.map(|lanes| whole("lanes", lanes).map(|lanes| lanes as usize)).transpose()?,
        spared_objects: spared?,
        rate: given.rate.as_ref().map(rate_of).transpose()?,
        policy: Policy { evidence: given.evidence.unwrap_or(false), errors: limits_of(given.errors)? },
    })
}

fn rate_of(given: &JsRate) -> Result<Rate> {
    Ok(Rate {
        of: chosen("what a rate counts", &given.of, RateOf::NAMES)?,
        arrivals: chosen("arrivals", &given.arrivals, Arrivals::NAMES)?,
        seed: u64_of("the seed of arrivals", &given.seed)?,
    })
}

fn tree_of(given: &JsTree) -> Result<Tree> {
    Ok(Tree {
        directories: whole("directories", given.directories)?,
        files_per_directory: whole("files per directory", given.files_per_directory)?,
        file_bytes: whole("file bytes", given.file_bytes)?,
        branching: whole("branching", given.branching)?,
        names: names_of(&given.names)?,
        next: given.next.as_ref().map(names_of).transpose()?,
    })
}

fn names_of(given: &JsNames) -> Result<Names> {
    Ok(Names { renames: given.renames, shift: whole("shift", given.shift)? })
}

fn limits_of(given: Option<JsErrorLimits>) -> Result<ErrorLimits> {
    let Some(given) = given else { return Ok(ErrorLimits::default()) };
    let mut limits = ErrorLimits { in_all: whole("errors", given.in_all)?, ..ErrorLimits::default() };
    for (name, most) in given.of_kind {
        let kind = ErrorKind::ALL.into_iter().find(|kind| kind.name() == name);
        limits.of_kind[kind.ok_or_else(|| unknown("errors", &name))?.index()] = whole("errors", most)?;
    }
    Ok(limits)
}

fn residency_of(Residency { objects, pages, resident }: Residency) -> JsResidency {
    JsResidency { objects: objects as f64, pages: pages as f64, resident: resident as f64 }
}

fn unknown(what: &str, given: &str) -> napi::Error {
    to_js(&Error::new(
        Code::InvalidArgument,
        format!("{what} is “{given}”"),
        format!("give {what} one of the values in binding.d.ts"),
    ))
}
