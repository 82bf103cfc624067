//! The bench's native worker: measures what it is told on stdin, a case a line, so that the bench can interleave it with
//! other programs. `bench/generate.mjs` starts it; by hand:
//!
//! ```text
//! $ echo 'fill one 1048576 200' | cargo run --release -p seedstorm-engine --example measure
//! ```
//!
//! A case is `operation crew bytes milliseconds`. Operations: `clock`, `memset`, `stream-memset`, `read-scan`, `fill`,
//! `fill-compress2`, `fill-dedup2`, `verify`. Crews: `one` (the first lane, a buffer of this many bytes), `all` (every
//! lane at once, the bytes shared out among their own buffers), `shared` (every lane on one buffer of the caller). Each
//! line of the answer is JSON: first the machine, then for each case bytes (or clock cycles) per second, how many they
//! were, and the CPU time they took; or an error.

mod case;
mod contents;
mod crew;
mod limits;
#[cfg(target_arch = "x86_64")]
mod vectors;
#[cfg(not(target_arch = "x86_64"))]
#[path = "plain.rs"]
mod vectors;

use std::io::{BufRead, Write};
use std::sync::Arc;

use case::{Case, Crew, Operation};
use contents::Contents;
use crew::{Sample, on_lanes};
use seedstorm_engine::engine::{Engine, EngineOptions};
use seedstorm_engine::memory::{LaneBuffer, Wish};
use seedstorm_engine::topology::{Topology, TopologySource};

/// The usual block of a lane where the machine does not tell its L2, and the most it gets where it does.
const BLOCK_BYTES: (u64, u64) = (256 << 10, 1 << 20);

/// Why a case could not be measured.
type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let topology = Arc::new(Topology::load(&TopologySource::ThisMachine)?);
    let engine = Engine::new(EngineOptions { buffer_bytes: 4096, ..EngineOptions::on(topology) })?;
    let mut bench = Bench { contents: Contents::new()?, engine, shared: LaneBuffer::new(4096, Wish::ANYWHERE)? };
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{}", bench.machine())?;
    stdout.flush()?;
    for line in std::io::stdin().lock().lines() {
        let answer = match line?.parse().and_then(|case| bench.measure(&case)) {
            Ok(samples) => json(&samples),
            Err(error) => format!("{{\"error\":{:?}}}", error.to_string()),
        };
        writeln!(stdout, "{answer}")?;
        stdout.flush()?;
    }
    Ok(())
}

struct Bench {
    engine: Engine,
    contents: Contents,
    /// The caller's buffer of the crew `shared`; grows with the cases.
    shared: LaneBuffer,
}

impl Bench {
    /// What the bench must know of this machine, as JSON.
    fn machine(&self) -> String {
        let topology = self.engine.topology();
        let l2 = topology.l2_bytes_per_core();
        let l3: u64 = topology.caches.iter().filter(|cache| cache.level == 3).map(|cache| cache.size_bytes).sum();
        // Half of the L2: the other half is for tables, stack and what else the core does.
        let block = l2.map_or(BLOCK_BYTES.0, |bytes| bytes / 2).clamp(4096, BLOCK_BYTES.1) / 4096 * 4096;
        format!(
            r#"{{"kernel":"{}","vaes512":{},"vectorBytes":{},"lanes":{},"l2Bytes":{},"l3Bytes":{l3},"blockBytes":{block}}}"#,
            self.contents.kernel(),
            vectors::has_vaes512(),
            vectors::VectorWidth::widest().bytes(),
            self.engine.lane_count(),
            l2.unwrap_or(0),
        )
    }

    fn measure(&mut self, case: &Case) -> Result<Vec<Sample>, Failure> {
        let Case { operation, crew, bytes, time } = *case;
        if crew == Crew::Shared {
            self.shared.reserve(bytes)?;
            let buffer = &mut self.shared.as_mut_slice()[..bytes];
            let sample = match operation {
                Operation::Memset | Operation::StreamMemset => limits::shared(&self.engine, operation, buffer, time),
                Operation::Fill(shape) => contents::fill_shared(&self.engine, self.contents.of(shape), buffer, time),
                _ => Err("this operation has no form that all lanes share".into()),
            };
            return Ok(vec![sample?]);
        }
        let lanes = if crew == Crew::All { self.engine.lane_count() } else { 1 };
        let bytes = (bytes / lanes).next_multiple_of(limits::GRAIN_BYTES);
        match operation {
            Operation::Clock => on_lanes(&self.engine, lanes, 0, |_| (), move |_, ()| limits::clock(time)),
            Operation::Memset | Operation::StreamMemset | Operation::ReadScan => {
                let work = move |buffer: &mut [u8], ()| limits::own(operation, buffer, time);
                on_lanes(&self.engine, lanes, bytes, |_| (), work)
            }
            Operation::Fill(shape) => {
                let content = self.contents.of(shape);
                let l2 = self.engine.topology().l2_bytes_per_core().unwrap_or(BLOCK_BYTES.1) as usize;
                let work = move |buffer: &mut [u8], ()| contents::fill_own(&content, l2, buffer, time);
                on_lanes(&self.engine, lanes, bytes, |_| (), work)
            }
            Operation::Verify => {
                let content = self.contents.of(contents::Shape::Plain);
                let made = Arc::clone(&content);
                let prepare = move |buffer: &mut [u8]| made.fill(0, 0, buffer).expect("below 2^63");
                let work = move |buffer: &mut [u8], ()| contents::verify_own(&content, buffer, time);
                on_lanes(&self.engine, lanes, bytes, prepare, work)
            }
        }
    }
}

/// What the lanes did together: rates add up, since they worked at the same time.
fn json(samples: &[Sample]) -> String {
    let per_second: f64 = samples.iter().map(|sample| sample.amount as f64 * 1e9 / sample.ns as f64).sum();
    let amount: u64 = samples.iter().map(|sample| sample.amount).sum();
    let cpu_ns: u64 = samples.iter().map(|sample| sample.cpu_ns).sum();
    format!(r#"{{"perSecond":{per_second:.0},"amount":{amount},"cpuNs":{cpu_ns}}}"#)
}
