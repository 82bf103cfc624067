//! Fills memory of the caller with content, by all lanes at once, straight into it. Knows neither units nor storage.

use std::ops::Range;
use std::sync::Arc;

use seedstorm_content::{CELL_BYTES, Content, MAX_STREAM_BYTES, RangeError};

use crate::engine::Engine;
use crate::error::{Code, Error, Result};
use crate::lanes::Lanes;
use crate::pieces::{self, Pieces};
use crate::topology::Topology;

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

    /// Its length in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// A part of it.
    ///
    /// # Safety
    /// The range is inside the buffer; it is before `done`, and no other borrow of these bytes is alive.
    #[expect(clippy::mut_from_ref, reason = "the memory is not the buffer's own, and parts are disjoint by contract")]
    pub(crate) unsafe fn piece(&self, range: Range<usize>) -> &mut [u8] {
        debug_assert!(range.start <= range.end && range.end <= self.bytes);
        // SAFETY: `new` demands memory that is alive and writable until `done`, and the caller that nobody has these
        // bytes now.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(range.start), range.len()) }
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
    lanes: Lanes,
    content: Arc<Content>,
    generation: u16,
    offset: u64,
    destination: RawBuffer,
    done: Done,
) -> Result<()> {
    let threads = lanes.count(engine.lane_count());
    let work = Fill::new(engine, threads, content, generation, offset, destination)?;
    pieces::submit(engine, lanes, work, done)
}

/// As [`fill`], and returns when every byte is there; a caller that takes part works along with the lanes. Not to be
/// called on a lane.
///
/// # Errors
/// As [`fill`]; `LanePanicked` and `EngineClosed` leave the memory undefined.
pub fn fill_and_wait(
    engine: &Engine,
    lanes: Lanes,
    takes_part: bool,
    content: Arc<Content>,
    generation: u16,
    offset: u64,
    destination: &mut [u8],
) -> Result<()> {
    let threads = lanes.count(engine.lane_count()) + usize::from(takes_part);
    // SAFETY: the borrow lasts until `share` returns, which is after `done`.
    let destination = unsafe { RawBuffer::new(destination.as_mut_ptr(), destination.len()) };
    let work = Fill::new(engine, threads, content, generation, offset, destination)?;
    pieces::share(engine, lanes, takes_part, work)
}

/// Fills `destination` on this thread alone, with stores past the caches where it would not stay in the L2 of a core.
///
/// # Errors
/// For a range beyond the end of the stream.
#[inline]
pub fn fill_alone(
    content: &Content,
    generation: u16,
    offset: u64,
    destination: &mut [u8],
) -> std::result::Result<(), RangeError> {
    fill_piece(content, destination.len() > USUAL_L2_BYTES, generation, offset, destination)
}

/// Fills a piece of something larger; `streaming`: with stores past the caches, which all of it would not stay in.
#[inline]
pub(crate) fn fill_piece(
    content: &Content,
    streaming: bool,
    generation: u16,
    offset: u64,
    destination: &mut [u8],
) -> std::result::Result<(), RangeError> {
    if streaming {
        content.fill_streaming(generation, offset, destination)
    } else {
        content.fill(generation, offset, destination)
    }
}

/// The L2 of a core in bytes, or what is usual where the machine does not tell.
pub(crate) fn l2_bytes(topology: &Topology) -> usize {
    topology.l2_bytes_per_core().map_or(USUAL_L2_BYTES, |bytes| bytes as usize)
}

/// Whether a range lies in the stream.
///
/// # Errors
/// `InvalidArgument` when it does not.
pub(crate) fn check_range(offset: u64, bytes: usize) -> Result<()> {
    let end = offset.checked_add(bytes as u64);
    if end.is_none_or(|end| end > MAX_STREAM_BYTES) {
        return Err(Error::new(
            Code::InvalidArgument,
            format!("{bytes} bytes from offset {offset} end beyond the end of the stream"),
            "stay below 2^63",
        ));
    }
    Ok(())
}

struct Fill {
    content: Arc<Content>,
    generation: u16,
    offset: u64,
    destination: RawBuffer,
    /// Whether the stores go past the caches.
    streaming: bool,
    cut: Cut,
}

impl Fill {
    fn new(
        engine: &Engine,
        threads: usize,
        content: Arc<Content>,
        generation: u16,
        offset: u64,
        destination: RawBuffer,
    ) -> Result<Self> {
        check_range(offset, destination.bytes)?;
        let streaming = destination.bytes > l2_bytes(engine.topology()) * threads;
        let cut = Cut::new(offset, destination.bytes, threads);
        Ok(Self { content, generation, offset, destination, streaming, cut })
    }
}

impl Pieces for Fill {
    type Output = ();

    fn count(&self) -> usize {
        self.cut.count()
    }

    fn work(&self, nth: usize) {
        let range = self.cut.get(nth);
        let offset = self.offset + range.start as u64;
        // SAFETY: pieces are disjoint, and each is worked on once, before `done`.
        let piece = unsafe { self.destination.piece(range) };
        let filled = fill_piece(&self.content, self.streaming, self.generation, offset, piece);
        filled.expect("the whole range was checked");
    }

    fn output(&self) {}
}

/// A buffer cut where the stream has whole cells, so that no cell is generated twice for two lanes.
#[derive(Debug)]
pub(crate) struct Cut {
    bytes: usize,
    piece_bytes: usize,
    /// Bytes that the first piece lacks in front.
    missing: usize,
}

impl Cut {
    pub(crate) fn new(offset: u64, bytes: usize, threads: usize) -> Self {
        let fair = (bytes / (threads.max(1) * PIECES_PER_LANE)).next_multiple_of(CELL_BYTES);
        let piece_bytes = fair.clamp(MIN_PIECE_BYTES, MAX_PIECE_BYTES);
        Self { bytes, piece_bytes, missing: (offset % piece_bytes as u64) as usize }
    }

    /// How many pieces there are.
    pub(crate) fn count(&self) -> usize {
        if self.bytes == 0 { 0 } else { (self.missing + self.bytes).div_ceil(self.piece_bytes) }
    }

    /// The nth piece's bytes in the buffer.
    pub(crate) fn get(&self, nth: usize) -> Range<usize> {
        let start = (nth * self.piece_bytes).saturating_sub(self.missing);
        let end = ((nth + 1) * self.piece_bytes - self.missing).min(self.bytes);
        start..end
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
        fill(engine, Lanes::all(), content(), 3, offset, raw, Box::new(move |done| sender.send(done).unwrap()))
            .unwrap();
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
                let mut shared = vec![0xee; bytes];
                fill_and_wait(&engine, Lanes::all(), true, content(), 3, offset, &mut shared).unwrap();
                assert!(shared == expected, "{bytes} bytes from {offset} by {lanes} lanes and the caller");
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
            let error =
                fill(&engine, Lanes::all(), content(), 0, offset, raw, Box::new(|_| unreachable!())).unwrap_err();
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
        fill(&engine, Lanes::all(), content(), 0, 0, raw, Box::new(move |done| sender.send(done).unwrap())).unwrap();
        engine.close().unwrap();
        assert_eq!(outcome.iter().map(|done| done.unwrap_err().code).collect::<Vec<_>>(), [Code::EngineClosed]);
        assert!(buffer.iter().all(|byte| *byte == 0xee), "written after it was given up");
    }

    proptest! {
        #[test]
        fn pieces_are_the_whole_buffer_side_by_side(offset: u64, bytes in 0_usize..20 << 20, lanes in 1_usize..64) {
            let cut = Cut::new(offset, bytes, lanes);
            let mut at = 0;
            for nth in 0..cut.count() {
                let piece = cut.get(nth);
                prop_assert!(piece.start < piece.end);
                prop_assert_eq!(piece.start, at);
                at = piece.end;
                let end = u128::from(offset) + piece.end as u128;
                prop_assert!(piece.end == bytes || end.is_multiple_of(CELL_BYTES as u128));
            }
            prop_assert_eq!(at, bytes);
        }
    }
}
