//! Lets some of an engine's lanes measure at the same time, each in its own buffer.

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Barrier, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, Timespec, clock_gettime};
use seedstorm_engine::engine::Engine;
use seedstorm_engine::error::{Error, Result};
use seedstorm_engine::lane::{Job, Lane};

use crate::Failure;

/// What one thread did.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Bytes, or cycles of the clock.
    pub amount: u64,
    /// How long it took.
    pub ns: u64,
    /// How much CPU time that was.
    pub cpu_ns: u64,
}

/// Whose CPU time a sample tells.
#[derive(Clone, Copy, Debug)]
pub enum Cpu {
    /// This thread's: what is measured happens on it.
    Thread,
    /// The whole process's: what is measured happens on other threads, and nothing else does.
    Process,
}

/// Steps until the time is over; a step tells how much it did.
pub fn timed(time: Duration, cpu: Cpu, mut step: impl FnMut() -> u64) -> Sample {
    let (start, start_cpu, mut amount) = (Instant::now(), cpu_ns(cpu), 0);
    loop {
        amount += step();
        let taken = start.elapsed();
        if taken >= time {
            return Sample { amount, ns: taken.as_nanos() as u64, cpu_ns: cpu_ns(cpu) - start_cpu };
        }
    }
}

fn cpu_ns(cpu: Cpu) -> u64 {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(match cpu {
        Cpu::Thread => ClockId::ThreadCPUTime,
        Cpu::Process => ClockId::ProcessCPUTime,
    });
    tv_sec as u64 * 1_000_000_000 + tv_nsec as u64
}

/// Gives the first `lanes` lanes a buffer of `bytes` each, lets them `prepare` it, and then, when all have, `work`.
pub fn on_lanes<T: 'static>(
    engine: &Engine,
    lanes: usize,
    bytes: usize,
    prepare: impl Fn(&mut [u8]) -> T + Send + Sync + 'static,
    work: impl Fn(&mut [u8], T) -> Sample + Send + Sync + 'static,
) -> std::result::Result<Vec<Sample>, Failure> {
    let ready = Barrier::new(lanes);
    at_once(engine, lanes, move |lane| {
        // Nobody may return before the barrier: the others would wait for ever.
        let prepared = lane.buffer.reserve(bytes).map(|()| prepare(&mut lane.buffer.as_mut_slice()[..bytes]));
        ready.wait();
        Ok(work(&mut lane.buffer.as_mut_slice()[..bytes], prepared?))
    })
}

/// Lets the first `lanes` lanes do something at the same time, and waits until all have; what each returned.
pub fn at_once<T: Send + 'static>(
    engine: &Engine,
    lanes: usize,
    part: impl Fn(&mut Lane) -> Result<T> + Send + Sync + 'static,
) -> std::result::Result<Vec<T>, Failure> {
    let (sender, outcomes) = channel();
    engine.submit(Arc::new(Together { lanes, part, sender: Mutex::new(Some(sender)) }))?;
    Ok(outcomes.into_iter().collect::<Result<_>>()?)
}

struct Together<F, T> {
    lanes: usize,
    part: F,
    /// Dropped by `finished`, which ends the receiver's loop.
    sender: Mutex<Option<Sender<Result<T>>>>,
}

impl<F, T> Together<F, T> {
    fn tell(&self, outcome: Result<T>) {
        if let Some(sender) = &*self.sender.lock().unwrap_or_else(PoisonError::into_inner) {
            // The receiver lives until the sender is dropped.
            let _ = sender.send(outcome);
        }
    }
}

impl<T: Send + 'static, F: Fn(&mut Lane) -> Result<T> + Send + Sync + 'static> Job for Together<F, T> {
    fn run(&self, lane: &mut Lane) {
        if lane.index < self.lanes {
            self.tell((self.part)(lane));
        }
    }

    fn abort(&self, _: &Error) {}

    fn finished(&self, outcome: Result<()>) {
        if let Err(error) = outcome {
            self.tell(Err(error));
        }
        self.sender.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}
