//! Compares memory of the caller with the stream, by all lanes at once, and names what is wrong. Keeps nothing of it.

use std::sync::{Arc, Mutex, PoisonError};

use seedstorm_content::{Content, Fault};

use crate::engine::Engine;
use crate::error::Result;
use crate::fill::{Cut, RawBuffer, check_range};
use crate::lanes::Lanes;
use crate::pieces::{self, Pieces};

/// Faults that are kept; a buffer with more is wrong throughout, and naming all of it would take minutes.
pub const MAX_FAULTS: usize = 1000;

/// What was found: nothing where all is right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Findings {
    /// The faults, by offset: all of them, or [`MAX_FAULTS`].
    pub faults: Vec<Fault>,
    /// Whether there may be more: parts of the buffer were found wrong that nobody named.
    pub cut_short: bool,
}

/// Called once, with the outcome.
pub type Done = Box<dyn FnOnce(Result<Findings>) + Send>;

/// Compares `source` with the stream's bytes from `offset` on. Returns at once; `done` is called on a lane when no lane
/// reads the memory any more. A fault that lies across the border of two lanes' pieces is told as two.
///
/// # Errors
/// `InvalidArgument` for a range beyond the end of the stream; those of [`Engine::submit`]. `done` is then dropped
/// without being called.
pub fn check(
    engine: &Engine,
    lanes: Lanes,
    content: Arc<Content>,
    generation: u16,
    offset: u64,
    source: RawBuffer,
    done: Done,
) -> Result<()> {
    check_range(offset, source.bytes())?;
    let cut = Cut::new(offset, source.bytes(), lanes.count(engine.lane_count()));
    let found = Mutex::new(Findings { faults: Vec::new(), cut_short: false });
    pieces::submit(engine, lanes, Check { content, generation, offset, source, cut, found }, done)
}

struct Check {
    content: Arc<Content>,
    generation: u16,
    offset: u64,
    source: RawBuffer,
    cut: Cut,
    found: Mutex<Findings>,
}

impl Pieces for Check {
    type Output = Findings;

    fn count(&self) -> usize {
        self.cut.count()
    }

    fn work(&self, nth: usize) {
        let range = self.cut.get(nth);
        let offset = self.offset + range.start as u64;
        // SAFETY: pieces are disjoint, and each is worked on once, before `done`.
        let piece = unsafe { self.source.piece(range) };
        let compared = self.content.compare(self.generation, offset, piece);
        if compared.expect("the whole range was checked").is_none() {
            return;
        }
        let lock = || self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = lock().faults.len() >= MAX_FAULTS;
        let faults = if is_full { Vec::new() } else { self.content.diagnose(self.generation, offset, piece) };
        let mut found = lock();
        let room = MAX_FAULTS - found.faults.len();
        found.cut_short |= is_full || faults.len() > room;
        found.faults.extend(faults.into_iter().take(room));
    }

    fn output(&self) -> Findings {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.faults.sort_unstable_by_key(|fault| fault.offset);
        found.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use seedstorm_content::{FaultKind, Parameters};

    use super::*;
    use crate::engine::testing::unpinned;

    const OFFSET: u64 = (1 << 40) + 4096;

    fn content() -> Arc<Content> {
        Arc::new(Content::new(&Parameters { seed: 42, compress_milli: 2000, ..Parameters::default() }).unwrap())
    }

    fn checked(buffer: &mut [u8]) -> Findings {
        let engine = unpinned(3);
        let (sender, outcome) = channel();
        // SAFETY: `buffer` is borrowed until `done` has told the outcome.
        let raw = unsafe { RawBuffer::new(buffer.as_mut_ptr(), buffer.len()) };
        let done = Box::new(move |done| sender.send(done).unwrap());
        check(&engine, Lanes::all(), content(), 3, OFFSET, raw, done).unwrap();
        outcome.recv().unwrap().unwrap()
    }

    #[test]
    fn right_bytes_have_no_faults_and_wrong_ones_are_named_in_order() {
        let mut buffer = vec![0; 3_000_000];
        content().fill(3, OFFSET, &mut buffer).unwrap();
        assert_eq!(checked(&mut buffer), Findings { faults: Vec::new(), cut_short: false });
        for at in [2_500_000, 512, 1_000_000] {
            buffer[at] ^= 1;
        }
        let found = checked(&mut buffer);
        let flips = found.faults.iter().filter_map(|fault| match fault.kind {
            FaultKind::BitFlip { first_byte_offset, .. } => Some(first_byte_offset - OFFSET),
            _ => None,
        });
        assert_eq!(flips.collect::<Vec<_>>(), [512, 1_000_000, 2_500_000]);
        assert!(!found.cut_short && checked(&mut []).faults.is_empty());
    }

    #[test]
    fn a_buffer_that_is_wrong_throughout_has_a_limited_number_of_faults() {
        let mut buffer = vec![0; 4 << 20];
        content().fill(3, OFFSET, &mut buffer).unwrap();
        buffer.iter_mut().step_by(512).for_each(|byte| *byte ^= 1);
        let found = checked(&mut buffer);
        assert_eq!((found.faults.len(), found.cut_short), (MAX_FAULTS, true));
    }
}
