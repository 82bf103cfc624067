//! Seedstorm's own rates: content made and checked, by one lane or by the engine.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use seedstorm_content::{Content, Kernel, ParameterError, Parameters};
use seedstorm_engine::engine::Engine;
use seedstorm_engine::fill::{RawBuffer, fill};
use seedstorm_engine::lanes::Lanes;

use crate::Failure;
use crate::crew::{Cpu, Sample, timed};

/// Bytes between looks at the clock, which cost as much as a small chunk does.
const STEP_BYTES: usize = 1 << 20;

/// What is asked of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Nothing.
    Plain,
    /// Compressible 2:1.
    Compress2,
    /// Deduplicable 2:1.
    Dedup2,
}

/// The content of each shape.
pub struct Contents {
    plain: Arc<Content>,
    compress2: Arc<Content>,
    dedup2: Arc<Content>,
}

impl Contents {
    /// Derives the keys.
    pub fn new() -> Result<Self, ParameterError> {
        let plain = Parameters { seed: 1, ..Parameters::default() };
        Ok(Self {
            compress2: Arc::new(Content::new(&Parameters { compress_milli: 2000, ..plain.clone() })?),
            dedup2: Arc::new(Content::new(&Parameters { dedup_milli: 2000, ..plain.clone() })?),
            plain: Arc::new(Content::new(&plain)?),
        })
    }

    /// The content of a shape.
    pub fn of(&self, shape: Shape) -> Arc<Content> {
        Arc::clone(match shape {
            Shape::Plain => &self.plain,
            Shape::Compress2 => &self.compress2,
            Shape::Dedup2 => &self.dedup2,
        })
    }

    /// The kernel that makes them.
    pub fn kernel(&self) -> Kernel {
        self.plain.kernel()
    }
}

/// One lane fills its whole buffer again and again, each time with the stream's next bytes; past the caches where it is
/// larger than the core's own, which is the engine's rule too.
pub fn fill_own(content: &Content, l2_bytes: usize, buffer: &mut [u8], time: Duration) -> Sample {
    let streaming = buffer.len() > l2_bytes;
    let calls = STEP_BYTES.div_ceil(buffer.len());
    let mut offset = 0;
    timed(time, Cpu::Thread, || {
        for _ in 0..calls {
            let buffer = std::hint::black_box(&mut *buffer);
            let filled =
                if streaming { content.fill_streaming(0, offset, buffer) } else { content.fill(0, offset, buffer) };
            filled.expect("below 2^63");
            offset += buffer.len() as u64;
        }
        (calls * buffer.len()) as u64
    })
}

/// One lane checks its buffer again and again; it holds the stream from its start on.
pub fn verify_own(content: &Content, buffer: &[u8], time: Duration) -> Sample {
    let mut at = 0;
    timed(time, Cpu::Thread, || {
        let end = (at + STEP_BYTES).min(buffer.len());
        assert_eq!(content.compare(0, at as u64, std::hint::black_box(&buffer[at..end])), Ok(None));
        let bytes = (end - at) as u64;
        at = if end == buffer.len() { 0 } else { end };
        bytes
    })
}

/// The engine fills one buffer again and again, by all lanes at once, each time with the stream's next bytes.
pub fn fill_shared(
    engine: &Engine,
    content: Arc<Content>,
    buffer: &mut [u8],
    time: Duration,
) -> Result<Sample, Failure> {
    let (sender, outcomes) = channel();
    let (mut offset, mut failure) = (0, None);
    let sample = timed(time, Cpu::Process, || {
        let sender = sender.clone();
        // SAFETY: `buffer` is borrowed for this whole function, which does not touch it and waits for each fill's end
        // before the next.
        let raw = unsafe { RawBuffer::new(buffer.as_mut_ptr(), buffer.len()) };
        let told = Box::new(move |outcome| sender.send(outcome).expect("the receiver waits"));
        let submitted = fill(engine, Lanes::all(), Arc::clone(&content), 0, offset, raw, told);
        let done = submitted.and_then(|()| outcomes.recv().expect("a fill tells its outcome"));
        failure = failure.take().or(done.err());
        offset += buffer.len() as u64;
        buffer.len() as u64
    });
    failure.map_or(Ok(sample), |error| Err(error.into()))
}
