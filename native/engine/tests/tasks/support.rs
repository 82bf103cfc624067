//! What the tests share: an engine on a made-up machine, folders that vanish, and a task with its outcome.

use std::collections::HashSet;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use seedstorm_content::{Content, Parameters};
use seedstorm_engine::engine::{Engine, EngineOptions};
use seedstorm_engine::error::{Error, Result};
use seedstorm_engine::io::IoEngine;
use seedstorm_engine::layout::Layout;
use seedstorm_engine::sink::{Direct, FileOptions, FileWork, SinkSpec, SyncPolicy, folder_of_object};
use seedstorm_engine::task::{Finding, Operation, Overwrites, Policy, RangeSpec, Rate, Task, TaskSnapshot, TaskSpec};
use seedstorm_engine::topology::{Topology, TopologySource};

/// A test that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(60);

pub const UNIT: u64 = 16_384;

/// An engine of two pools of two lanes, unpinned, so that any machine can run it.
pub fn engine() -> Arc<Engine> {
    static TOPOLOGY: LazyLock<Arc<Topology>> = LazyLock::new(|| {
        let source = TopologySource::Synthetic("numa:2 core:2 pu:1".into());
        Arc::new(Topology::load(&source).expect("a synthetic machine loads anywhere"))
    });
    let options = EngineOptions { buffer_bytes: 4096, pin: false, ..EngineOptions::on(Arc::clone(&TOPOLOGY)) };
    Arc::new(Engine::new(options).unwrap())
}

/// A folder that is gone when the test ends, with everything in it.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("seedstorm-tasks-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    /// Where the run's own folder is to be.
    pub fn run(&self) -> PathBuf {
        self.0.join("run-1")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A file system of its own, mounted until the test ends.
pub struct Mount(Folder);

impl Mount {
    /// `None`, and a word about it, when this user may not mount: the test then cannot be made.
    pub fn new(kind: &str, options: &str) -> Option<Self> {
        if !is_root() {
            eprintln!("SKIPPED: to mount a {kind} takes root");
            return None;
        }
        let folder = Folder::new();
        let text = |text: &str| std::ffi::CString::new(text).unwrap();
        let (kind, path, options) = (text(kind), text(folder.0.to_str().unwrap()), text(options));
        // SAFETY: all arguments are strings that end in a zero byte and live until the call returns.
        let status = unsafe { libc::mount(kind.as_ptr(), path.as_ptr(), kind.as_ptr(), 0, options.as_ptr().cast()) };
        if status != 0 {
            eprintln!("SKIPPED: mount refused: {}", std::io::Error::last_os_error());
            return None;
        }
        Some(Self(folder))
    }

    pub fn path(&self) -> &Path {
        &self.0.0
    }

    pub fn run(&self) -> PathBuf {
        self.0.run()
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let path = std::ffi::CString::new(self.0.0.to_str().unwrap()).unwrap();
        // SAFETY: the path is a string that ends in a zero byte and lives until the call returns.
        unsafe { libc::umount2(path.as_ptr(), libc::MNT_DETACH) };
    }
}

/// What all tasks of a test have in common.
#[derive(Clone)]
pub struct Plan {
    pub content: Arc<Content>,
    pub layout: Layout,
    pub sink: SinkSpec,
    pub block: u64,
    pub generation: u16,
    pub depth: usize,
    pub io: IoEngine,
    pub lanes: Option<usize>,
    pub spared: HashSet<u64>,
    pub policy: Policy,
    pub overwrites: Option<Arc<Overwrites>>,
    pub rate: Option<Rate>,
}

pub fn files(folder: PathBuf, sync: SyncPolicy) -> SinkSpec {
    files_with(vec![folder], Direct::Auto, sync, FileOptions::default())
}

pub fn files_with(folders: Vec<PathBuf>, direct: Direct, sync: SyncPolicy, options: FileOptions) -> SinkSpec {
    SinkSpec::File { folders, direct, sync, options }
}

impl Plan {
    /// `units` units, `per_object` to a file, in blocks of a unit.
    pub fn new(units: u64, per_object: u64, sink: SinkSpec) -> Self {
        Self::with(Parameters { seed: 42, unit_bytes: UNIT, ..Parameters::default() }, units, per_object, sink)
    }

    pub fn with(parameters: Parameters, units: u64, per_object: u64, sink: SinkSpec) -> Self {
        Self {
            layout: Layout::new(parameters.unit_bytes, units, per_object).unwrap(),
            content: Arc::new(Content::new(&parameters).unwrap()),
            block: parameters.unit_bytes,
            generation: 0,
            sink,
            depth: 4,
            io: IoEngine::Auto,
            lanes: None,
            spared: HashSet::new(),
            policy: Policy::default(),
            overwrites: None,
            rate: None,
        }
    }

    pub fn spec(&self, operation: Operation) -> TaskSpec {
        TaskSpec {
            operation,
            content: Arc::clone(&self.content),
            generation: self.generation,
            overwrites: self.overwrites.clone(),
            layout: self.layout.clone(),
            sink: self.sink.clone(),
            block_bytes: self.block as usize,
            queue_depth: self.depth,
            io_engine: self.io,
            lanes: self.lanes,
            spared_objects: self.spared.clone(),
            policy: self.policy,
            rate: self.rate,
        }
    }

    pub fn prepare(&self, engine: &Arc<Engine>, operation: Operation) -> Result<Run> {
        let (tell, outcome) = channel();
        let ended = Box::new(move |result| drop(tell.send(result)));
        let task = Task::prepare(engine, self.spec(operation), ended)?;
        Ok(Run { task, outcome, _engine: Arc::clone(engine) })
    }

    /// Does the operation over all units, in ranges of 7, and gives the last word on it.
    pub fn over_all(&self, engine: &Arc<Engine>, operation: Operation) -> Outcome {
        let run = self.prepare(engine, operation).unwrap();
        run.task.begin_at(0);
        let all = 0..self.layout.units();
        for (id, first) in all.clone().step_by(7).enumerate() {
            run.add(id as u64, first..(first + 7).min(all.end));
        }
        run.finish()
    }

    /// Where an object is.
    pub fn file(&self, object: u64) -> PathBuf {
        match &self.sink {
            SinkSpec::File { folders, .. } => {
                folder_of_object(folders, object).unwrap().join(self.layout.name_of(object))
            }
            _ => panic!("only files are files"),
        }
    }

    /// What an object must hold.
    pub fn bytes_of(&self, object: u64) -> Vec<u8> {
        let units = self.layout.units_of(object);
        let mut bytes = vec![0; self.layout.bytes_of(object) as usize];
        self.content.fill(self.generation, units.start * self.layout.unit_bytes(), &mut bytes).unwrap();
        bytes
    }
}

/// A task and its outcome.
pub struct Run {
    pub task: Task,
    outcome: Receiver<Result<()>>,
    /// The engine closes when nobody has it any more.
    _engine: Arc<Engine>,
}

/// The last word on a task.
#[derive(Debug)]
pub struct Outcome {
    pub result: Result<()>,
    pub last: TaskSnapshot,
    /// What was done beside the I/O, where there are files.
    pub work: Option<FileWork>,
}

impl Run {
    pub fn add(&self, id: u64, units: Range<u64>) {
        self.task.add_range(RangeSpec { id, first: units.start, end: units.end }).unwrap();
    }

    /// Waits until a snapshot is as wanted.
    pub fn until(&self, wanted: impl Fn(&TaskSnapshot) -> bool) -> TaskSnapshot {
        let start = Instant::now();
        loop {
            let snapshot = self.task.snapshot();
            if wanted(&snapshot) {
                return snapshot;
            }
            assert!(start.elapsed() < PATIENCE, "waited in vain; last was {snapshot:?}");
            std::thread::yield_now();
        }
    }

    /// Waits for the task to say how it ended.
    pub fn outcome(&self) -> Result<()> {
        self.outcome.recv_timeout(PATIENCE).expect("the task ends, and says so")
    }

    /// Waits until the task has ended.
    pub fn ended(self) -> Outcome {
        let result = self.outcome();
        let last = self.task.snapshot();
        let work = self.task.file_work();
        drop(self.task);
        assert!(self.outcome.recv().is_err(), "the end is told once");
        Outcome { result, last, work }
    }

    pub fn finish(self) -> Outcome {
        self.task.finish();
        self.ended()
    }
}

impl Outcome {
    pub fn operations(&self) -> u64 {
        operations(&self.last)
    }

    /// Asserts that all went well and every unit is done, and durable, once.
    pub fn expect_all_done(&self, units: u64) -> &Self {
        assert_eq!(self.result, Ok(()));
        let failed: Vec<&Error> = self.last.ranges.iter().filter_map(|range| range.failed.as_ref()).collect();
        assert!(failed.is_empty(), "{failed:?}");
        assert!(self.last.ranges.iter().all(|range| range.complete), "{:?}", self.last.ranges);
        let mut done: Vec<_> = self.last.ranges.iter().flat_map(|range| range.done.clone()).collect();
        done.sort_unstable();
        assert_eq!(done.iter().map(|(first, end)| end - first).sum::<u64>(), units);
        assert!(done.windows(2).all(|pair| pair[0].1 == pair[1].0), "{done:?}");
        self
    }

    pub fn findings(&self) -> &[Finding] {
        &self.last.findings
    }
}

/// Operations of all pools.
pub fn operations(snapshot: &TaskSnapshot) -> u64 {
    snapshot.pools.iter().map(|pool| pool.counts.operations).sum()
}

/// A counter, over all pools.
pub fn count(snapshot: &TaskSnapshot, of: impl Fn(&seedstorm_engine::counters::Counts) -> u64) -> u64 {
    snapshot.pools.iter().map(|pool| of(&pool.counts)).sum()
}
