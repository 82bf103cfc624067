//! Fills memory of the caller with vectors, by all lanes at once, straight into it.

use std::ops::Range;
use std::sync::Arc;

use seedstorm_content::{VectorError, Vectors};

use crate::engine::Engine;
use crate::error::{Code, Error, Result};
use crate::fill::Done;
use crate::lanes::Lanes;
use crate::pieces::{self, Pieces};

/// Numbers that a lane makes at a time: 256 KiB, as with content.
const PIECE_ELEMENTS: usize = 64 << 10;

/// Memory for numbers that lanes write into while its owner waits.
#[derive(Debug)]
pub struct RawNumbers {
    start: *mut f32,
    elements: usize,
}

// SAFETY: `RawNumbers::new` demands memory that any thread may write.
unsafe impl Send for RawNumbers {}
// SAFETY: as above; a shared RawNumbers gives out nothing by itself, and lanes write disjoint pieces of it.
unsafe impl Sync for RawNumbers {}

impl RawNumbers {
    /// The `elements` numbers from `start` on.
    ///
    /// # Safety
    /// As for [`crate::fill::RawBuffer::new`], with `start` aligned for an `f32`.
    pub unsafe fn new(start: *mut f32, elements: usize) -> Self {
        Self { start, elements }
    }
}

/// Writes vectors `first`, `first + 1`, … into `destination`. Returns at once; `done` is called on a lane when no lane
/// touches the memory any more.
///
/// # Errors
/// `InvalidArgument` when `destination` is no whole number of vectors or one of them does not exist; those of
/// [`Engine::submit`]. `done` is then dropped without being called.
pub fn fill_vectors(
    engine: &Engine,
    vectors: Arc<Vectors>,
    first: u64,
    destination: RawNumbers,
    done: Done,
) -> Result<()> {
    let dimension = vectors.dimension() as usize;
    let rows = destination.elements / dimension;
    let is_whole = destination.elements.is_multiple_of(dimension);
    if !is_whole || first.checked_add(rows as u64).is_none_or(|end| end > vectors.count()) {
        return Err(refused(&VectorError { first, elements: destination.elements, dimension: vectors.dimension() }));
    }
    let piece_rows = (PIECE_ELEMENTS / dimension).max(1);
    pieces::submit(engine, Lanes::all(), Fill { vectors, first, destination, rows, piece_rows }, done)
}

/// The engine's error for vectors that do not exist.
pub fn refused(error: &VectorError) -> Error {
    let mend = "give room for whole vectors, and stay below 2^50 numbers in all";
    Error::new(Code::InvalidArgument, error.to_string(), mend)
}

struct Fill {
    vectors: Arc<Vectors>,
    first: u64,
    destination: RawNumbers,
    rows: usize,
    piece_rows: usize,
}

impl Fill {
    fn rows(&self, nth: usize) -> Range<usize> {
        nth * self.piece_rows..self.rows.min((nth + 1) * self.piece_rows)
    }
}

impl Pieces for Fill {
    type Output = ();

    fn count(&self) -> usize {
        self.rows.div_ceil(self.piece_rows)
    }

    fn work(&self, nth: usize) {
        let rows = self.rows(nth);
        let dimension = self.vectors.dimension() as usize;
        // SAFETY: the rows are inside the memory, which lives until `done`; pieces are disjoint, and each is worked on
        // once, before that.
        let piece = unsafe {
            let start = self.destination.start.add(rows.start * dimension);
            std::slice::from_raw_parts_mut(start, rows.len() * dimension)
        };
        let filled = self.vectors.fill(self.first + rows.start as u64, piece);
        filled.expect("the whole range was checked");
    }

    fn output(&self) {}
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;
    use crate::engine::testing::unpinned;

    #[test]
    fn vectors_are_the_same_however_many_lanes_make_them() {
        let engine = unpinned(3);
        for (dimension, rows) in [(1, 0), (3, 100_000), (1000, 301), (100_000, 5)] {
            let vectors = Arc::new(Vectors::new(42, "", dimension, true).unwrap());
            let mut expected = vec![0.0; rows * dimension as usize];
            vectors.fill(9, &mut expected).unwrap();
            let mut out = vec![0.0_f32; expected.len()];
            let (sender, outcome) = channel();
            // SAFETY: `out` is not touched, moved or dropped before `done` has told the outcome.
            let raw = unsafe { RawNumbers::new(out.as_mut_ptr(), out.len()) };
            fill_vectors(&engine, vectors, 9, raw, Box::new(move |done| sender.send(done).unwrap())).unwrap();
            outcome.recv().unwrap().unwrap();
            assert!(out == expected, "{rows} of {dimension}");
        }
    }

    #[test]
    fn half_a_vector_is_refused() {
        let vectors = Arc::new(Vectors::new(42, "", 4, false).unwrap());
        for (first, elements) in [(0, 5), (u64::MAX, 4)] {
            let mut out = [0.0_f32; 8];
            // SAFETY: refused at once, so nobody writes it.
            let raw = unsafe { RawNumbers::new(out.as_mut_ptr(), elements) };
            let error = fill_vectors(&unpinned(1), Arc::clone(&vectors), first, raw, Box::new(|_| unreachable!()));
            assert_eq!(error.unwrap_err().code, Code::InvalidArgument);
        }
    }
}
