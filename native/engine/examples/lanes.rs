//! What it costs to have many lanes: the native worker of `npm run bench:lanes`. It starts an engine, unpinned, on the
//! topology of another machine, and then measures what it is told on stdin. By hand:
//!
//! ```text
//! $ printf 'job\nfew\nrest 1000\nclose\n' |
//!     cargo run --release -p seedstorm-engine --example lanes -- test/topologies/AMD-19h-Zen4-2xEpyc-9654.xml smt
//! ```
//!
//! The first line of the answer says what the start took, then each line answers one of these: `job` (a job of all
//! lanes: until the last is inside, and from there until it is finished), `few` (the same for a job of two lanes, with
//! the CPU time of the whole process), `merge` (of histograms of as many lanes, in which every bucket has counts), `rest MS`
//! (CPU time of parked lanes), `close`. Times are in ns, memory in bytes.

use std::fs;
use std::io::{BufRead, Write};
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::Duration;

use rustix::thread::futex;
use seedstorm_content::{Content, Parameters};
use seedstorm_engine::clock::now_ns;
use seedstorm_engine::engine::{Engine, EngineOptions};
use seedstorm_engine::error::{Error, Result as EngineResult};
use seedstorm_engine::fill::{RawBuffer, fill};
use seedstorm_engine::histogram::{BUCKETS, Differences, LaneHistogram, lowest_of};
use seedstorm_engine::lane::{Job, Lane};
use seedstorm_engine::lanes::Lanes;
use seedstorm_engine::placement::PlacementOptions;
use seedstorm_engine::topology::{Topology, TopologySource};

const BUFFER_BYTES: usize = 256 << 10;
/// As much as two lanes share, in pieces.
const FEW_BYTES: usize = 1 << 20;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, more @ ..] = arguments.as_slice() else { return Err("say which topology: FILE [smt]".into()) };
    let placement = PlacementOptions { smt: more.iter().any(|option| option == "smt"), ..Default::default() };
    let topology = Arc::new(Topology::load(&TopologySource::XmlFile(file.into()))?);
    let (before, began) = (memory()?, now_ns());
    let engine = Engine::new(EngineOptions {
        placement,
        buffer_bytes: BUFFER_BYTES,
        pin: false,
        ..EngineOptions::on(topology)
    })?;
    let (start_ns, after) = (now_ns() - began, memory()?);
    println!(
        "{{\"lanes\":{},\"startNs\":{start_ns},\"residentBytes\":{},\"virtualBytes\":{}}}",
        engine.lane_count(),
        after.0.saturating_sub(before.0),
        after.1.saturating_sub(before.1),
    );
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let answer = match line.split_whitespace().collect::<Vec<_>>().as_slice() {
            ["job"] => job(&engine)?,
            ["few"] => few(&engine)?,
            ["merge"] => merge(&engine),
            ["rest", milliseconds] => {
                let before = cpu_ns(Of::Process);
                sleep(Duration::from_millis(milliseconds.parse()?));
                format!("{{\"cpuNs\":{}}}", cpu_ns(Of::Process) - before)
            }
            ["close"] => {
                let began = now_ns();
                engine.close()?;
                format!("{{\"closeNs\":{}}}", now_ns() - began)
            }
            _ => format!("{{\"error\":\"no such case: {line}\"}}"),
        };
        println!("{answer}");
        std::io::stdout().flush()?;
    }
    Ok(())
}

/// Every lane comes in, waits for the others, and leaves.
fn job(engine: &Engine) -> Result<String, Failure> {
    let (sender, finished) = channel();
    let roll_call = Arc::new(RollCall {
        missing: AtomicUsize::new(engine.lane_count()),
        open: AtomicU32::new(0),
        all_in_ns: AtomicU64::new(0),
        finished: Mutex::new(sender),
    });
    let (began_ns, cpu_ns, caller_cpu_ns) = (now_ns(), cpu_ns(Of::Process), cpu_ns(Of::Caller));
    engine.submit(Arc::clone(&roll_call) as Arc<dyn Job>)?;
    let submit_cpu_ns = self::cpu_ns(Of::Caller) - caller_cpu_ns;
    let finished_ns = finished.recv()?;
    let all_in_ns = roll_call.all_in_ns.load(Ordering::Relaxed);
    Ok(format!(
        "{{\"submitCpuNs\":{submit_cpu_ns},\"beginNs\":{},\"leaveNs\":{},\"cpuNs\":{}}}",
        all_in_ns - began_ns,
        finished_ns - all_in_ns,
        self::cpu_ns(Of::Process) - cpu_ns,
    ))
}

struct RollCall {
    missing: AtomicUsize,
    /// 1 as soon as all are in.
    open: AtomicU32,
    all_in_ns: AtomicU64,
    finished: Mutex<Sender<u64>>,
}

impl Job for RollCall {
    fn run(&self, _: &mut Lane) {
        if self.missing.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.all_in_ns.store(now_ns(), Ordering::Relaxed);
            self.open.store(1, Ordering::Release);
            let _ = futex::wake(&self.open, futex::Flags::PRIVATE, i32::MAX as u32);
        }
        while self.open.load(Ordering::Acquire) == 0 {
            let _ = futex::wait(&self.open, futex::Flags::PRIVATE, 0, None);
        }
    }

    fn abort(&self, _: &Error) {}

    fn finished(&self, _: EngineResult<()>) {
        if let Ok(finished) = self.finished.lock() {
            let _ = finished.send(now_ns());
        }
    }
}

/// Two lanes fill a buffer.
fn few(engine: &Engine) -> Result<String, Failure> {
    let content = Arc::new(Content::new(&Parameters { unit_bytes: 1 << 20, ..Parameters::default() })?);
    let lanes = Lanes::of(engine.placement(), None, Some(2))?;
    let mut buffer = vec![0; FEW_BYTES];
    // SAFETY: the buffer is there, and nobody else touches it, until the fill is done, which is waited for.
    let raw = unsafe { RawBuffer::new(buffer.as_mut_ptr(), buffer.len()) };
    let (sender, done) = channel();
    let (began_ns, cpu_ns) = (now_ns(), cpu_ns(Of::Process));
    fill(engine, lanes, content, 0, 0, raw, Box::new(move |outcome| drop(sender.send(outcome))))?;
    done.recv()??;
    let done_ns = now_ns();
    // A second job begins only when every lane has left the first: its cost is part of the first's.
    let next = job(engine)?;
    Ok(format!(
        "{{\"doneNs\":{},\"withNextCpuNs\":{},\"next\":{next}}}",
        done_ns - began_ns,
        self::cpu_ns(Of::Process) - cpu_ns,
    ))
}

/// The histograms of all lanes, each with counts in every bucket, are merged pool by pool.
fn merge(engine: &Engine) -> String {
    let full = || {
        let histogram = LaneHistogram::default();
        (0..BUCKETS).for_each(|bucket| histogram.record(lowest_of(bucket)));
        histogram
    };
    let pools: Vec<Vec<LaneHistogram>> =
        engine.placement().pools.iter().map(|pool| pool.lanes.iter().map(|_| full()).collect()).collect();
    let mut differences: Vec<Differences> = pools.iter().map(|_| Differences::default()).collect();
    let began_ns = now_ns();
    let counted: u64 =
        std::iter::zip(&pools, &mut differences).map(|(lanes, given)| given.next(lanes.iter()).count()).sum();
    format!("{{\"mergeNs\":{},\"counted\":{counted}}}", now_ns() - began_ns)
}

/// Resident and virtual bytes of this process.
fn memory() -> Result<(u64, u64), Failure> {
    let status = fs::read_to_string("/proc/self/status")?;
    let kibibytes = |name: &str| -> Option<u64> {
        let line = status.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse().ok()
    };
    let resident = kibibytes("VmRSS:").ok_or("no VmRSS")?;
    let virtual_size = kibibytes("VmSize:").ok_or("no VmSize")?;
    Ok((resident << 10, virtual_size << 10))
}

enum Of {
    Process,
    Caller,
}

/// CPU time of all threads of this process, or of the calling thread, in ns.
fn cpu_ns(of: Of) -> u64 {
    let time = rustix::time::clock_gettime(match of {
        Of::Process => rustix::time::ClockId::ProcessCPUTime,
        Of::Caller => rustix::time::ClockId::ThreadCPUTime,
    });
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
