//! Streams content through buffers that are used again and again, as a program that writes to storage would, and prints
//! how fast: `cargo run --release -p seedstorm-engine --example streaming [GiB]`.
//!
//! First one thread with the content function alone, into a buffer that fits the core's L2; then the engine's lanes, all
//! at once, into one large buffer; then one thread checks the last of it. `native/node/examples/streaming.mjs` does the
//! same in TypeScript, and `npm run bench:generate` measures both beside this machine's limits.

use std::error::Error;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Instant;

use seedstorm_content::{Content, Parameters};
use seedstorm_engine::engine::{Engine, EngineOptions};
use seedstorm_engine::fill::{RawBuffer, fill};
use seedstorm_engine::memory::{LaneBuffer, Wish};
use seedstorm_engine::pieces::Lanes;
use seedstorm_engine::topology::{Topology, TopologySource};

/// What each way streams where nothing else is asked for.
const USUAL_GIBIBYTES: NonZeroU32 = NonZeroU32::new(16).unwrap();

/// A buffer for one core: it fits the L2 of today's server cores.
const SMALL_BYTES: usize = 1 << 20;

/// A buffer for all cores.
const LARGE_BYTES: usize = 256 << 20;

fn main() -> Result<(), Box<dyn Error>> {
    let gibibytes = std::env::args().nth(1).map_or(Ok(USUAL_GIBIBYTES), |text| text.parse::<NonZeroU32>())?;
    let total = u64::from(gibibytes.get()) << 30;

    // Ratios are given × 1000.
    let parameters = Parameters { seed: 42, dedup_milli: 1500, compress_milli: 2000, ..Parameters::default() };
    let content = Arc::new(Content::new(&parameters)?);
    println!("{gibibytes} GiB of seed 42, dedup 1.5, compress 2, by the kernel {}", content.kernel());

    let mut small = LaneBuffer::new(SMALL_BYTES, Wish::ANYWHERE)?;
    let start = Instant::now();
    for offset in (0..total).step_by(SMALL_BYTES) {
        content.fill(0, offset, small.as_mut_slice())?;
    }
    tell("one core, chunks of 1 MiB", total, start);

    let topology = Arc::new(Topology::load(&TopologySource::ThisMachine)?);
    let engine = Engine::new(EngineOptions { buffer_bytes: SMALL_BYTES, ..EngineOptions::on(topology) })?;
    let mut large = LaneBuffer::new(LARGE_BYTES, Wish::ANYWHERE)?;
    let (sender, done) = channel();
    let start = Instant::now();
    for offset in (0..total).step_by(LARGE_BYTES) {
        let bytes = large.as_mut_slice();
        // SAFETY: nobody touches `large` until `done` has told that the lanes left it.
        let destination = unsafe { RawBuffer::new(bytes.as_mut_ptr(), bytes.len()) };
        let sender = sender.clone();
        let told = Box::new(move |outcome| sender.send(outcome).expect("main waits for it"));
        fill(&engine, Lanes::all(), Arc::clone(&content), 0, offset, destination, told)?;
        done.recv()??;
    }
    tell(&format!("{} lanes, chunks of 256 MiB", engine.lane_count()), total, start);
    engine.close()?;

    let start = Instant::now();
    let last = total - total.min(LARGE_BYTES as u64);
    assert_eq!(content.compare(0, last, large.as_slice())?, None, "what the lanes made is the stream");
    tell("one core checks the last chunk", LARGE_BYTES as u64, start);
    Ok(())
}

fn tell(what: &str, bytes: u64, start: Instant) {
    println!("{what:<34}{:>8.2} GB/s", bytes as f64 / start.elapsed().as_nanos() as f64);
}
