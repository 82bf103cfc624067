//! How fast the lanes generate and verify, each in a buffer that fits its cache: the ceiling for any storage. Knows
//! of no sink.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use seedstorm_content::{CELL_BYTES, Content};

use crate::engine::Engine;
use crate::error::{Code, Error, Result};
use crate::lane::Lane;
use crate::lanes::Lanes;
use crate::survey::{Question, survey};

/// The block where the machine does not tell the size of its L2: fits every server core's of the last ten years.
const USUAL_BLOCK_BYTES: usize = 256 << 10;

/// The largest block, whatever the L2.
const MAX_BLOCK_BYTES: usize = 1 << 20;

/// Each lane generates in a part of the stream of its own: 4,096 lanes fit below 2^63.
const LANE_STREAM_BITS: u32 = 50;

/// The longest bench of one kind.
const MAX_SECONDS: f64 = 3600.0;

/// What one lane did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneBench {
    /// The lane.
    pub lane: usize,
    /// Position of its pool in the placement.
    pub pool: usize,
    /// OS index of its PU.
    pub pu: u32,
    /// OS index of its NUMA node.
    pub node: u32,
    /// Bytes generated.
    pub generated_bytes: u64,
    /// Time spent generating.
    pub generate_ns: u64,
    /// Bytes verified.
    pub verified_bytes: u64,
    /// Time spent verifying.
    pub verify_ns: u64,
}

/// What all lanes did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BenchResult {
    /// Bytes that a lane generated or verified at a time.
    pub block_bytes: usize,
    /// Each lane, in order.
    pub lanes: Vec<LaneBench>,
}

/// Called once, with the outcome.
pub type Done = Box<dyn FnOnce(Result<BenchResult>) + Send>;

/// How a bench is made.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BenchOptions {
    /// How long each lane generates, and then verifies.
    pub seconds: f64,
    /// Bytes at a time, at most 1 MiB are taken. `None`: half of a core's L2.
    pub block_bytes: Option<usize>,
    /// How many lanes take part, spread over the pools. `None`: all.
    pub lanes: Option<usize>,
}

/// Lets the lanes generate into their buffers, then verify, all lanes at the same time. Returns at once; `done` is called
/// on a lane at the end.
///
/// # Errors
/// `InvalidArgument` for a time that is not above 0 and at most an hour, for blocks of nothing and for no lanes; those of
/// [`Engine::submit`]. `done` is then dropped without being called. It gets `SelfCheckFailed` when a lane's own bytes do
/// not verify.
pub fn bench(engine: &Engine, content: Arc<Content>, options: BenchOptions, done: Done) -> Result<()> {
    let BenchOptions { seconds, block_bytes: wanted, lanes } = options;
    if !(seconds > 0.0 && seconds <= MAX_SECONDS) {
        let what = format!("a bench of {seconds} seconds was asked for");
        return Err(Error::new(Code::InvalidArgument, what, "ask for more than 0 and at most 3600"));
    }
    // Half of the L2: the other half is for tables, stack and what else the core does.
    let half_l2 = engine.topology().l2_bytes_per_core().map(|bytes| bytes as usize / 2);
    let block_bytes = match wanted {
        Some(0) => {
            return Err(Error::new(
                Code::InvalidArgument,
                "a bench of blocks of 0 bytes was asked for",
                "ask for more",
            ));
        }
        Some(wanted) => wanted.min(MAX_BLOCK_BYTES),
        None => half_l2.unwrap_or(USUAL_BLOCK_BYTES).clamp(CELL_BYTES, MAX_BLOCK_BYTES) / CELL_BYTES * CELL_BYTES,
    };
    let lanes = Lanes::of(engine.placement(), None, lanes)?;
    let bench = Bench { content, time: Duration::from_secs_f64(seconds), block_bytes };
    let done = Box::new(move |lanes: Result<_>| done(lanes.map(|lanes| BenchResult { block_bytes, lanes })));
    survey(engine, lanes, bench, done)
}

struct Bench {
    content: Arc<Content>,
    time: Duration,
    block_bytes: usize,
}

impl Bench {
    /// Works block after block until the time is over; the bytes done and the time taken.
    fn timed(&self, stop: &AtomicBool, mut block: impl FnMut(u64) -> Result<()>) -> Result<(u64, u64)> {
        let (start, mut bytes) = (Instant::now(), 0);
        loop {
            block(bytes)?;
            bytes += self.block_bytes as u64;
            let taken = start.elapsed();
            if taken >= self.time || stop.load(Ordering::Relaxed) {
                return Ok((bytes, taken.as_nanos() as u64));
            }
        }
    }
}

impl Question for Bench {
    type Answer = LaneBench;

    fn ask(&self, lane: &mut Lane, stop: &AtomicBool) -> Result<LaneBench> {
        lane.buffer.reserve(self.block_bytes)?;
        let buffer = &mut lane.buffer.as_mut_slice()[..self.block_bytes];
        let base = (lane.index as u64) << LANE_STREAM_BITS;
        let beyond = |error| Error::new(Code::InvalidArgument, format!("{error}"), "bench for a shorter time");
        let mut last = base;
        let (generated_bytes, generate_ns) = self.timed(stop, |done| {
            last = base + done;
            self.content.fill(0, last, buffer).map_err(beyond)
        })?;
        let (verified_bytes, verify_ns) =
            self.timed(stop, |_| match self.content.compare(0, last, buffer).map_err(beyond)? {
                None => Ok(()),
                Some(at) => Err(Error::new(
                    Code::SelfCheckFailed,
                    format!("byte {at} of the block that lane {} on PU {} had just made is wrong", lane.index, lane.pu),
                    "test this machine's memory and CPU",
                )),
            })?;
        let Lane { index, pool, pu, node, .. } = *lane;
        Ok(LaneBench { lane: index, pool, pu, node, generated_bytes, generate_ns, verified_bytes, verify_ns })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use seedstorm_content::Parameters;

    use super::*;
    use crate::engine::testing::unpinned;

    fn content() -> Arc<Content> {
        Arc::new(Content::new(&Parameters::default()).unwrap())
    }

    fn of(seconds: f64) -> BenchOptions {
        BenchOptions { seconds, ..BenchOptions::default() }
    }

    #[test]
    fn a_bench_of_a_plan_takes_its_blocks_and_as_many_lanes_as_it_uses() {
        let engine = unpinned(3);
        let (sender, outcome) = channel();
        let options = BenchOptions { block_bytes: Some(5000), lanes: Some(2), ..of(0.01) };
        bench(&engine, content(), options, Box::new(move |done| sender.send(done).unwrap())).unwrap();
        let result = outcome.recv().unwrap().unwrap();
        assert_eq!((result.block_bytes, result.lanes.len()), (5000, 2));
        assert!(result.lanes.iter().all(|lane| lane.verified_bytes >= 5000 && lane.generated_bytes % 5000 == 0));
        for options in [BenchOptions { block_bytes: Some(0), ..of(0.01) }, BenchOptions { lanes: Some(0), ..of(0.01) }]
        {
            let refused = bench(&engine, content(), options, Box::new(|_| unreachable!())).unwrap_err();
            assert_eq!(refused.code, Code::InvalidArgument);
        }
    }

    #[test]
    fn every_lane_tells_how_much_it_generated_and_verified_and_how_long_it_took() {
        let engine = unpinned(3);
        let (sender, outcome) = channel();
        bench(&engine, content(), of(0.02), Box::new(move |done| sender.send(done).unwrap())).unwrap();
        let result = outcome.recv().unwrap().unwrap();
        assert_eq!(result.lanes.iter().map(|lane| lane.lane).collect::<Vec<_>>(), [0, 1, 2]);
        for lane in &result.lanes {
            assert!(lane.generate_ns >= 20_000_000 && lane.verify_ns >= 20_000_000, "{lane:?}");
            assert!(lane.generated_bytes >= result.block_bytes as u64, "{lane:?}");
            assert_eq!(lane.generated_bytes % result.block_bytes as u64, 0);
            assert!(lane.verified_bytes >= result.block_bytes as u64, "{lane:?}");
        }
    }

    #[test]
    fn closing_the_engine_ends_an_hour_long_bench_at_once() {
        let engine = unpinned(2);
        let (sender, outcome) = channel();
        bench(&engine, content(), of(3600.0), Box::new(move |done| sender.send(done).unwrap())).unwrap();
        engine.close().unwrap();
        assert_eq!(outcome.recv().unwrap().unwrap_err().code, Code::EngineClosed);
    }

    #[test]
    fn a_time_that_is_none_is_refused() {
        let engine = unpinned(1);
        for seconds in [0.0, -1.0, f64::NAN, f64::INFINITY, 3601.0] {
            let error = bench(&engine, content(), of(seconds), Box::new(|_| unreachable!())).unwrap_err();
            assert_eq!(error.code, Code::InvalidArgument);
        }
    }
}
