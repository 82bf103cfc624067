//! How fast one lane moves data to and from files: the native worker of `npm run bench:storage`, which interleaves it with
//! other programs. By hand:
//!
//! ```text
//! $ echo 'write plain 1 1048576 1048576 32 1073741824 auto /mnt/scratch/run' |
//!     cargo run --release -p seedstorm-engine --example storage
//! ```
//!
//! A case is `operation shape seed unit block depth bytes engine folder`: one task (`write`, `read` or `verify`) over one
//! file of so many bytes in this folder, with O_DIRECT, in order, by one pinned lane; with the engine `s3` over objects of a
//! block each in a bucket, `http://host:port/bucket` in the place of the folder, with the credentials of the environment. Shapes are `plain`, `compress2` and
//! `dedup2`. A file that is to be written and is not there is made first, with its room reserved, as fio does. Each line of
//! the answer is JSON: first the machine, then for each case bytes per second from the common start to the last answer
//! (sync and close included), how many bytes and operations they were, the CPU time of the whole process meanwhile, and
//! how many I/Os were in flight; or an error.

use std::collections::HashSet;
use std::fs;
use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::channel;

use rustix::fs::{FallocateFlags, fallocate};
use rustix::time::{ClockId, clock_gettime};
use seedstorm_content::{Content, Parameters};
use seedstorm_engine::engine::{Engine, EngineOptions};
use seedstorm_engine::io::IoEngine;
use seedstorm_engine::layout::Layout;
use seedstorm_engine::placement::PlacementOptions;
use seedstorm_engine::sink::s3::{Retries, S3Spec, Signing, Style};
use seedstorm_engine::sink::{Direct, FileOptions, SinkSpec, SyncPolicy};
use seedstorm_engine::task::{Operation, Policy, RangeSpec, Task, TaskSnapshot, TaskSpec};
use seedstorm_engine::topology::{Topology, TopologySource};

/// Why a case could not be measured.
type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let topology = Arc::new(Topology::load(&TopologySource::ThisMachine)?);
    let placement = PlacementOptions { max_lanes: Some(1), ..PlacementOptions::default() };
    let engine = Engine::new(EngineOptions { placement, buffer_bytes: 4096, ..EngineOptions::on(topology) })?;
    let engine = Arc::new(engine);
    let pu = engine.placement().pools.first().and_then(|pool| pool.lanes.first()).map_or(0, |lane| lane.pu);
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, r#"{{"pu":{pu},"object":"{}"}}"#, Layout::new(4096, 1, 1)?.name_of(0))?;
    stdout.flush()?;
    for line in std::io::stdin().lock().lines() {
        let answer = match Case::parse(&line?).and_then(|case| case.measure(&engine)) {
            Ok(answer) => answer,
            Err(error) => format!("{{\"error\":{:?}}}", error.to_string()),
        };
        writeln!(stdout, "{answer}")?;
        stdout.flush()?;
    }
    Ok(())
}

/// What one line asks for.
struct Case {
    operation: Operation,
    content: Parameters,
    block_bytes: usize,
    depth: usize,
    bytes: u64,
    target: Target,
}

/// Where the bytes go to or come from.
enum Target {
    Files { engine: IoEngine, folder: PathBuf },
    Store { endpoint: String, bucket: String },
}

impl Target {
    fn parse(engine: &str, place: &str) -> Result<Self, Failure> {
        let engine = match engine {
            "s3" => {
                let (endpoint, bucket) = place.rsplit_once('/').ok_or("a store is http://host:port/bucket")?;
                return Ok(Self::Store { endpoint: endpoint.into(), bucket: bucket.into() });
            }
            "auto" => IoEngine::Auto,
            "io_uring" => IoEngine::Uring,
            "aio" => IoEngine::Aio,
            "threads" => IoEngine::Threads,
            _ => return Err(format!("no such engine: {engine}").into()),
        };
        Ok(Self::Files { engine, folder: place.into() })
    }

    fn sink(&self) -> SinkSpec {
        match self {
            Self::Files { folder, .. } => SinkSpec::File {
                folders: vec![folder.clone()],
                direct: Direct::Yes,
                sync: SyncPolicy::End,
                options: FileOptions::default(),
            },
            Self::Store { endpoint, bucket } => SinkSpec::S3(Box::new(S3Spec {
                endpoints: vec![endpoint.clone()],
                bucket: bucket.clone(),
                prefix: String::new(),
                run: "bench".into(),
                region: None,
                style: Style::Path,
                ca: None,
                signing: Signing::Unsigned,
                retries: Retries { attempts: 1, backoff_ns: 0 },
                attempt_timeout_ns: 60_000_000_000,
            })),
        }
    }
}

impl Case {
    fn parse(line: &str) -> Result<Self, Failure> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [operation, shape, seed, unit, block, depth, bytes, engine, folder] = words[..] else {
            return Err(format!("not a case: {line}").into());
        };
        let plain = Parameters { seed: seed.parse()?, unit_bytes: unit.parse()?, ..Parameters::default() };
        Ok(Self {
            operation: match operation {
                "write" => Operation::Write,
                "read" => Operation::Read,
                "verify" => Operation::Verify,
                _ => return Err(format!("no such operation: {operation}").into()),
            },
            content: match shape {
                "plain" => plain,
                "compress2" => Parameters { compress_milli: 2000, ..plain },
                "dedup2" => Parameters { dedup_milli: 2000, window_bits: 12, ..plain },
                _ => return Err(format!("no such shape: {shape}").into()),
            },
            block_bytes: block.parse()?,
            depth: depth.parse()?,
            bytes: bytes.parse()?,
            target: Target::parse(engine, folder)?,
        })
    }

    fn measure(&self, engine: &Arc<Engine>) -> Result<String, Failure> {
        let spec = self.spec()?;
        if let (Operation::Write, Target::Files { folder, .. }) = (self.operation, &self.target) {
            reserve(folder, &spec.layout.name_of(0), self.bytes)?;
        }
        let (tell, outcome) = channel();
        let units = spec.layout.units();
        let task = Task::prepare(engine, spec, Box::new(move |ended| drop(tell.send(ended))))?;
        while task.snapshot().lanes_ready == 0 {
            std::thread::yield_now();
        }
        task.add_range(RangeSpec { id: 1, first: 0, end: units })?;
        task.finish();
        let before_ns = cpu_ns();
        task.begin_at(0);
        outcome.recv()??;
        let cpu_ns = cpu_ns() - before_ns;
        self.answer(&task.snapshot(), cpu_ns)
    }

    fn spec(&self) -> Result<TaskSpec, Failure> {
        let units = self.bytes / self.content.unit_bytes;
        let (per_object, io_engine) = match self.target {
            Target::Files { engine, .. } => (units, engine),
            Target::Store { .. } => (self.block_bytes as u64 / self.content.unit_bytes, IoEngine::Auto),
        };
        Ok(TaskSpec {
            operation: self.operation,
            content: Arc::new(Content::new(&self.content)?),
            generation: 0,
            overwrites: None,
            layout: Layout::new(self.content.unit_bytes, units, per_object)?,
            sink: self.target.sink(),
            block_bytes: self.block_bytes,
            queue_depth: self.depth,
            io_engine,
            lanes: Some(1),
            spared_objects: HashSet::new(),
            policy: Policy::default(),
            rate: None,
        })
    }

    /// What was measured; a range that failed or data that was not right is no measurement.
    fn answer(&self, done: &TaskSnapshot, cpu_ns: u64) -> Result<String, Failure> {
        if let Some(error) = done.ranges.iter().find_map(|range| range.failed.as_ref()) {
            return Err(error.to_string().into());
        }
        if let Some(finding) = done.findings.first() {
            return Err(format!("what was read is not what was written: {finding:?}").into());
        }
        let pool = done.pools.iter().find(|pool| pool.lanes > 0).ok_or("no lane took part")?;
        let ns = done.last_done_ns - done.all_begun_ns;
        Ok(format!(
            concat!(
                r#"{{"perSecond":{:.0},"amount":{},"operations":{},"ns":{},"cpuNs":{},"#,
                r#""meanInFlight":{:.2},"mostInFlight":{},"engine":"{}"}}"#
            ),
            pool.counts.bytes as f64 * 1e9 / ns as f64,
            pool.counts.bytes,
            pool.counts.operations,
            ns,
            cpu_ns,
            pool.counts.io_ns as f64 / ns as f64,
            pool.greatest_in_flight,
            done.io_engine,
        ))
    }
}

/// Makes a file that is not there and reserves its room: the first write to each of its blocks then finds it.
fn reserve(folder: &Path, name: &str, bytes: u64) -> Result<(), Failure> {
    let path = folder.join(name);
    if path.exists() {
        return Ok(());
    }
    fs::create_dir_all(path.parent().unwrap_or(folder))?;
    fallocate(fs::File::create(path)?, FallocateFlags::empty(), 0, bytes)?;
    Ok(())
}

/// CPU time of all threads of this process, those of the kernel that do its I/O included, in ns.
fn cpu_ns() -> u64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
