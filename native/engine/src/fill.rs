//! Fills memory of the caller with content, by all lanes at once, straight into it. Knows neither units nor storage.

use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use seedstorm_content::{CELL_BYTES, Content, MAX_STREAM_BYTES};

use crate::engine::Engine;
use crate::error::{Code, Error, Result};
use crate::lane::{Job, Lane};

/// Lanes claim no less than this, so that claiming costs nothing beside generating (tens of µs)…
const MIN_PIECE_BYTES: usize = 64 << 10;

/// …and no more than this, so that no lane is busy long after the others.
const MAX_PIECE_BYTES: usize = 1 << 20;

/// Pieces that each lane gets of a middling buffer: enough to even out lanes of unequal speed.
const PIECES_PER_LANE: usize = 4;

/// A core's L2 where the machine does not tell it.
const USUAL_L2_BYTES: usize = 1 << 20;

/// Called once, with the outcome.
pub type Done = Box<dyn FnOnce(Result<()>) + Send>;

/// Memory that lanes write into while its owner waits.
#[derive(Debug)]
pub struct RawBuffer {
    start: *mut u8,
    bytes: usize,
}

// SAFETY: `RawBuffer::new` demands memory that any thread may write.
unsafe impl Send for RawBuffer {}
// SAFETY: as above; a shared RawBuffer gives out nothing by itself, and lanes write disjoint pieces of it.
unsafe impl Sync for RawBuffer {}

impl RawBuffer {
    /// The `bytes` bytes from `start` on.
    ///
    /// # Safety
    /// From now until `done` of the [`fill`] that gets this buffer is called (or `fill` has returned an error), the
    /// memory must be alive, stay in place, be initialised and writable from any thread, and nobody else may read or
    /// write it.
    pub unsafe fn new(start: *mut u8, bytes: usize) -> Self {
        Self { start, bytes }
    }
}

/// Fills `destination` with the stream's bytes from `offset` on. Returns at once; `done` is called on a lane when no
/// lane touches the memory any more, with an error when a lane panicked or the engine was closed meanwhile: what the
/// memory then holds is undefined.
///
/// # Errors
/// `InvalidArgument` for a range beyond the end of the stream; those of [`Engine::submit`]. `done` is then dropped
/// without being called.
pub fn fill(
    engine: &Engine,
    content: Arc<Content>,
    generation: u16,
    offset: u64,
    destination: RawBuffer,
    done: Done,
) -> Result<()> {
    let end = offset.checked_add(destination.bytes as u64);
    if end.is_none_or(|end| end > MAX_STREAM_BYTES) {
        return Err(Error::new(
            Code::InvalidArgument,
            format!("{} bytes from offset {offset} end beyond the end of the stream", destination.bytes),
            "stay below 2^63",
        ));
    }
    let pieces = Pieces::new(offset, destination.bytes, engine.lane_count());
    let l2_bytes = engine.topology().l2_bytes_per_core().map_or(USUAL_L2_BYTES, |bytes| bytes as usize);
    let job = Fill {
        streaming: destination.bytes > l2_bytes * engine.lane_count(),
        content,
        generation,
        offset,
        destination,
        pieces,
        next: AtomicUsize::new(0),
        stop: AtomicBool::new(false),
        done: Mutex::new(Some(done)),
    };
    engine.submit(Arc::new(job))
}

struct Fill {
    content: Arc<Content>,
    generation: u16,
    offset: u64,
    destination: RawBuffer,
    /// Whether the stores go past the caches.
    streaming: bool,
    pieces: Pieces,
    next: AtomicUsize,
    stop: AtomicBool,
    done: Mutex<Option<Done>>,
}

impl Job for Fill {
    fn run(&self, _: &mut Lane) {
        while !self.stop.load(Ordering::Relaxed) {
            let Some(range) = self.pieces.get(self.next.fetch_add(1, Ordering::Relaxed)) else { return };
            // SAFETY: the range is inside the buffer, which lives until `finished` has called `done`, after every
            // lane has left `run`. The cursor gives each piece, disjoint from all others, to one lane only.
            let piece = unsafe { std::slice::from_raw_parts_mut(self.destination.start.add(range.start), range.len()) };
            let offset = self.offset + range.start as u64;
            let filled = if self.streaming {
                self.content.fill_streaming(self.generation, offset, piece)
            } else {
                self.content.fill(self.generation, offset, piece)
            };
            filled.expect("the whole range was checked");
        }
    }

    fn abort(&self, _: &Error) {
        self.stop.store(true, Ordering::Relaxed);
    }

    fn finished(&self, outcome: Result<()>) {
        let done = self.done.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(done) = done {
            done(outcome);
        }
    }
}

impl fmt::Debug for Fill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fill").field("offset", &self.offset).field("pieces", &self.pieces).finish_non_exhaustive()
    }
}

/// A buffer cut where the stream has whole cells, so that no cell is generated twice for two lanes.
#[derive(Debug)]
struct Pieces {
    bytes: usize,
    piece_bytes: usize,
    /// Bytes that the first piece lacks in front.
    missing: usize,
}

impl Pieces {
    fn new(offset: u64, bytes: usize, lanes: usize) -> Self {
        let fair = (bytes / (lanes.max(1) * PIECES_PER_LANE)).next_multiple_of(CELL_BYTES);
        let piece_bytes = fair.clamp(MIN_PIECE_BYTES, MAX_PIECE_BYTES);
        Self { bytes, piece_bytes, missing: (offset % piece_bytes as u64) as usize }
    }

    /// The nth piece's bytes in the buffer, or `None` after the last.
    fn get(&self, nth: usize) -> Option<Range<usize>> {
        let start = nth.checked_mul(self.piece_bytes)?.saturating_sub(self.missing);
        let end = ((nth + 1).checked_mul(self.piece_bytes)? - self.missing).min(self.bytes);
        (start < end).then_some(start..end)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use proptest::prelude::*;
    use seedstorm_content::Parameters;

    use super::*;
    use crate::engine::testing::{Endless, unpinned};

    fn content() -> Arc<Content> {
        let parameters = Parameters { seed: 42, dedup_milli: 1500, compress_milli: 2000, ..Parameters::default() };
        Arc::new(Content::new(&parameters).unwrap())
    }

    fn filled(engine: &Engine, offset: u64, bytes: usize) -> Vec<u8> {
        let mut buffer = vec![0xee; bytes];
        let (sender, outcome) = channel();
        // SAFETY: `buffer` is not touched, moved or dropped before `done` has told the outcome.
        let raw = unsafe { RawBuffer::new(buffer.as_mut_ptr(), buffer.len()) };
        fill(engine, content(), 3, offset, raw, Box::new(move |done| sender.send(done).unwrap())).unwrap();
        outcome.recv().unwrap().unwrap();
        buffer
    }

    #[test]
    fn every_byte_is_the_streams_however_the_buffer_lies_and_however_many_lanes() {
        for lanes in [1, 3] {
            let engine = unpinned(lanes);
            for (offset, bytes) in [(0, 0), (0, 1), (1, 70_000), (4095, 3 << 20), ((1 << 62) + 7, 5_000_011)] {
                let mut expected = vec![0; bytes];
                content().fill(3, offset, &mut expected).unwrap();
                assert!(filled(&engine, offset, bytes) == expected, "{bytes} bytes from {offset} by {lanes} lanes");
            }
        }
    }

    #[test]
    fn a_range_beyond_the_stream_is_refused_before_any_lane_works() {
        let engine = unpinned(1);
        for offset in [MAX_STREAM_BYTES - 9, u64::MAX] {
            let mut buffer = [0_u8; 10];
            // SAFETY: refused at once, so nobody writes it.
            let raw = unsafe { RawBuffer::new(buffer.as_mut_ptr(), buffer.len()) };
            let error = fill(&engine, content(), 0, offset, raw, Box::new(|_| unreachable!())).unwrap_err();
            assert_eq!(error.code, Code::InvalidArgument);
        }
    }

    #[test]
    fn a_fill_that_waits_when_the_engine_closes_is_told() {
        let engine = unpinned(2);
        let busy = Arc::new(Endless::default());
        engine.submit(busy).unwrap();
        let mut buffer = vec![0xee; 1 << 20];
        let (sender, outcome) = channel();
        // SAFETY: `buffer` outlives `close`, which returns after `done`.
        let raw = unsafe { RawBuffer::new(buffer.as_mut_ptr(), buffer.len()) };
        fill(&engine, content(), 0, 0, raw, Box::new(move |done| sender.send(done).unwrap())).unwrap();
        engine.close().unwrap();
        assert_eq!(outcome.iter().map(|done| done.unwrap_err().code).collect::<Vec<_>>(), [Code::EngineClosed]);
        assert!(buffer.iter().all(|byte| *byte == 0xee), "written after it was given up");
    }

    proptest! {
        #[test]
        fn pieces_are_the_whole_buffer_side_by_side(offset: u64, bytes in 0_usize..20 << 20, lanes in 1_usize..64) {
            let pieces = Pieces::new(offset, bytes, lanes);
            let mut at = 0;
            for nth in 0.. {
                let Some(piece) = pieces.get(nth) else { break };
                prop_assert_eq!(piece.start, at);
                at = piece.end;
                let end = u128::from(offset) + piece.end as u128;
                prop_assert!(piece.end == bytes || end.is_multiple_of(CELL_BYTES as u128));
            }
            prop_assert_eq!(at, bytes);
        }
    }
}
