//! Vectors of 32-bit floating point numbers, as machine-learning loads read them: uniform, or as rows of length 1. Every
//! number is a pure function of seed, namespace, dimension and place; no part of the content function.

use crate::ars::Ars;
use crate::error::{ParameterError, VectorError};
use crate::kernel::{Kernel, Proven, Store};
use crate::{MAX_NAMESPACE_BYTES, WORD_BYTES, key};

/// Most numbers in a vector: 2^20, which is 4 MiB.
pub const MAX_DIMENSION: u32 = 1 << 20;

/// Numbers in the stream; a vector that would end beyond does not exist. Their words' numbers fit 48 bits.
pub const MAX_ELEMENTS: u64 = 1 << 50;

/// BLAKE3's context string: with it a stream of vectors shares nothing with the content of the same seed.
const CONTEXT: &str = "seedstorm vectors v1";

/// Rounds of ARS, as for content.
const ROUNDS: usize = 5;

/// Marks a counter as that of vectors (bits 112…127).
const VECTOR_MARK: u128 = 0xF320 << 112;

/// Numbers of 32 bits in a word.
const ELEMENTS_PER_WORD: u64 = 4;

/// Bytes of words that are made at a time, on the stack.
const BATCH_BYTES: usize = 2048;

/// 2^-24: numbers are whole multiples of it, so that each is exact.
const STEP: f32 = 1.0 / (1 << 24) as f32;

/// A stream of vectors of one dimension.
///
/// Number `c` of vector `r` is element `e = r · dimension + c`: bits 8…31 of the 32-bit word `e mod 4` of the ARS-5 word
/// with counter `e / 4` in bits 64…111 and `0xF320` in bits 112…127, times 2^-24: uniform in [0, 1). The key is the
/// first 16 bytes of BLAKE3 `derive_key("seedstorm vectors v1", seed as 8 bytes ‖ namespace)`. A normalised vector is
/// that one divided by its length, the square root of the sum of squares, taken in double precision in order; one of
/// length 0 (which needs every number to be 0) becomes 1, 0, 0, ….
#[derive(Clone, Debug)]
pub struct Vectors {
    ars: Ars<ROUNDS>,
    kernel: Proven,
    dimension: u32,
    normalised: bool,
}

impl Vectors {
    /// Vectors of `dimension` numbers each.
    ///
    /// # Errors
    /// A namespace or a dimension out of its bounds, or a kernel forced by the environment that this CPU lacks.
    pub fn new(seed: u64, namespace: &str, dimension: u32, normalised: bool) -> Result<Self, ParameterError> {
        if namespace.len() > MAX_NAMESPACE_BYTES {
            return Err(ParameterError::Namespace { given_bytes: namespace.len() });
        }
        if dimension == 0 || dimension > MAX_DIMENSION {
            return Err(ParameterError::Dimension { given: dimension });
        }
        let ars = Ars::new(key::derive(CONTEXT, seed, namespace));
        Ok(Self { ars, kernel: Kernel::choose()?.proven()?, dimension, normalised })
    }

    /// Numbers in a vector.
    pub fn dimension(&self) -> u32 {
        self.dimension
    }

    /// How many vectors there are.
    pub fn count(&self) -> u64 {
        MAX_ELEMENTS / u64::from(self.dimension)
    }

    /// Writes vectors `first`, `first + 1`, … into `out`, one after the other.
    ///
    /// # Errors
    /// [`VectorError`] when `out` is no whole number of vectors or one of them does not exist; `out` is then untouched.
    pub fn fill(&self, first: u64, out: &mut [f32]) -> Result<(), VectorError> {
        let dimension = self.dimension as usize;
        let rows = (out.len() / dimension) as u64;
        let end = first.checked_add(rows);
        if !out.len().is_multiple_of(dimension) || end.is_none_or(|end| end > self.count()) {
            return Err(VectorError { first, elements: out.len(), dimension: self.dimension });
        }
        self.uniform(first * u64::from(self.dimension), out);
        if self.normalised {
            out.chunks_exact_mut(dimension).for_each(normalise);
        }
        Ok(())
    }

    /// The numbers from element `at` on.
    fn uniform(&self, mut at: u64, mut out: &mut [f32]) {
        let mut batch = [0; BATCH_BYTES];
        while !out.is_empty() {
            let skip = (at % ELEMENTS_PER_WORD) as usize;
            let (elements, _) = batch.as_chunks::<4>();
            let count = out.len().min(elements.len() - skip);
            let bytes = ((skip + count) * 4).next_multiple_of(WORD_BYTES);
            let counter = u128::from(at / ELEMENTS_PER_WORD) << 64 | VECTOR_MARK;
            self.kernel.words(&self.ars, counter, Store::Cached, &mut batch[..bytes]);
            let (now, later) = out.split_at_mut(count);
            let (elements, _) = batch.as_chunks();
            for (number, element) in now.iter_mut().zip(&elements[skip..]) {
                *number = (u32::from_le_bytes(*element) >> 8) as f32 * STEP;
            }
            out = later;
            at += count as u64;
        }
    }
}

/// Divides a vector by its length.
fn normalise(row: &mut [f32]) {
    let squares: f64 = row.iter().map(|number| f64::from(*number) * f64::from(*number)).sum();
    if squares == 0.0 {
        row[0] = 1.0;
        return;
    }
    let length = squares.sqrt();
    for number in row {
        *number = (f64::from(*number) / length) as f32;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn vectors(dimension: u32, normalised: bool) -> Vectors {
        Vectors::new(42, "spec", dimension, normalised).unwrap()
    }

    fn filled(vectors: &Vectors, first: u64, rows: usize) -> Vec<f32> {
        let mut out = vec![f32::NAN; rows * vectors.dimension() as usize];
        vectors.fill(first, &mut out).unwrap();
        out
    }

    #[test]
    fn numbers_are_uniform_from_0_to_below_1() {
        let numbers = filled(&vectors(1000, false), 7, 1000);
        assert!(numbers.iter().all(|number| (0.0..1.0).contains(number)));
        let mean = numbers.iter().map(|number| f64::from(*number)).sum::<f64>() / 1e6;
        let square = numbers.iter().map(|number| f64::from(*number).powi(2)).sum::<f64>() / 1e6;
        // Standard deviations of these means: 0.0003.
        assert!((mean - 0.5).abs() < 0.002 && (square - 1.0 / 3.0).abs() < 0.002, "{mean} {square}");
        let mut tenths = [0; 10];
        numbers.iter().for_each(|number| tenths[(number * 10.0) as usize] += 1);
        assert!(tenths.iter().all(|count| (98_500..101_500).contains(count)), "{tenths:?}");
    }

    #[test]
    fn a_normalised_row_is_the_uniform_one_at_length_1() {
        for dimension in [1, 2, 3, 768, 1536] {
            let (uniform, rows) = (vectors(dimension, false), vectors(dimension, true));
            let (uniform, rows) = (filled(&uniform, 5, 20), filled(&rows, 5, 20));
            let dimension = dimension as usize;
            for (row, uniform) in rows.chunks(dimension).zip(uniform.chunks(dimension)) {
                let length = row.iter().map(|number| f64::from(*number).powi(2)).sum::<f64>().sqrt();
                assert!((length - 1.0).abs() < 1e-6, "{length}");
                let ratio = f64::from(row[0]) / f64::from(uniform[0]);
                let same = |(row, uniform): (&f32, &f32)| (f64::from(*row) - ratio * f64::from(*uniform)).abs() < 1e-6;
                assert!(row.iter().zip(uniform).all(same));
            }
        }
    }

    #[test]
    fn a_row_of_zeros_has_length_1_all_the_same() {
        let mut row = [0.0; 3];
        normalise(&mut row);
        assert_eq!(row, [1.0, 0.0, 0.0]);
    }

    #[test]
    fn every_kernel_makes_the_same_numbers_also_where_32_bits_of_a_word_number_are_over() {
        let first = (1 << 34) - 400;
        let expected = filled(&vectors(1, false), first, 800);
        for kernel in Kernel::available() {
            let other = Vectors { kernel: kernel.proven().unwrap(), ..vectors(1, false) };
            assert_eq!(filled(&other, first, 800), expected, "{kernel}");
        }
        assert!((0..400).all(|at| expected[at] != expected[at + 400]));
    }

    #[test]
    fn another_seed_or_namespace_is_another_stream() {
        let streams = [(42, "spec"), (43, "spec"), (42, "")]
            .map(|(seed, namespace)| filled(&Vectors::new(seed, namespace, 16, false).unwrap(), 0, 4));
        assert!(streams[0] != streams[1] && streams[0] != streams[2] && streams[1] != streams[2]);
    }

    #[test]
    fn what_does_not_exist_is_refused_and_nothing_is_written() {
        let vectors = vectors(3, false);
        assert_eq!(vectors.count(), MAX_ELEMENTS / 3);
        for (first, elements) in [(0, 4), (vectors.count(), 3), (u64::MAX, 3), (vectors.count() - 1, 6)] {
            let mut out = vec![7.0; elements];
            assert_eq!(vectors.fill(first, &mut out), Err(VectorError { first, elements, dimension: 3 }));
            assert!(out.iter().all(|number| *number == 7.0));
        }
        vectors.fill(vectors.count() - 1, &mut [0.0; 3]).unwrap();
        vectors.fill(u64::MAX >> 20, &mut []).unwrap();
        assert!(Vectors::new(0, "", 0, false).is_err());
        assert!(Vectors::new(0, "", MAX_DIMENSION + 1, false).is_err());
        assert!(Vectors::new(0, &"x".repeat(256), 1, false).is_err());
    }

    proptest! {
        #[test]
        fn any_row_is_the_same_alone_and_among_others(dimension in 1_u32..700, first in 0_u64..1 << 40, rows in 1_usize..40) {
            let vectors = vectors(dimension, false);
            let all = filled(&vectors, first, rows);
            for (nth, row) in all.chunks(dimension as usize).enumerate() {
                prop_assert_eq!(row, filled(&vectors, first + nth as u64, 1));
            }
        }
    }
}
