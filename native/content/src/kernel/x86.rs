//! What the kernels for x86-64 share: the same loops over vectors of 16, 32 or 64 bytes. A kernel's module has the
//! vector's type, `VECTOR_BYTES`, `IN_FLIGHT` and a handful of operations; [`kernel!`] makes the loops of them.

use crate::kernel::LINE_BYTES;
use crate::{CELL_BYTES, WORD_BYTES};
use core::arch::x86_64::{_mm_loadu_si128, _mm_stream_si128};

/// Makes `words`, `cells` and `agreeing` of a vector's operations, for CPUs with these features.
macro_rules! kernel {
    ($features:literal) => {
        use crate::ars::Ars;
        use crate::cell::Cell;
        use crate::kernel::LINE_BYTES;
        use crate::kernel::x86::{Scratch, stream_word};
        use crate::{CELL_BYTES, WORD_BYTES};

        /// Words in a vector.
        const VECTOR_WORDS: i64 = (VECTOR_BYTES / WORD_BYTES) as i64;

        /// Round keys in registers, each in every word of its vector.
        struct Keys<const R: usize> {
            whitening: Vector,
            rounds: [Vector; R],
        }

        impl<const R: usize> Keys<R> {
            #[inline]
            #[target_feature(enable = $features)]
            fn new(ars: &Ars<R>) -> Self {
                let mut rounds = [broadcast(ars.whitening); R];
                for (register, key) in rounds.iter_mut().zip(ars.round_keys) {
                    *register = broadcast(key);
                }
                Self { whitening: broadcast(ars.whitening), rounds }
            }

            /// The words of `N` vectors of consecutive counters.
            #[inline]
            #[target_feature(enable = $features)]
            fn words<const N: usize>(&self, counters: Vector) -> [Vector; N] {
                let mut states = [counters; N];
                for (nth, state) in states.iter_mut().enumerate() {
                    *state = xor(step(counters, nth as i64 * VECTOR_WORDS), self.whitening);
                }
                let (last, inner) = self.rounds.split_last().expect("ARS has at least one round");
                for key in inner {
                    for state in &mut states {
                        *state = round(*state, *key);
                    }
                }
                for state in &mut states {
                    *state = last_round(*state, *last);
                }
                states
            }

            /// Writes the words from these counters on into `out`, a whole number of words; with `STREAM` past the
            /// caches, where `out` begins at a multiple of a word.
            #[inline]
            #[target_feature(enable = $features)]
            fn write<const STREAM: bool>(&self, mut counters: Vector, out: &mut [u8]) {
                let line = if STREAM { to_line(out) } else { 0 };
                let (head, out) = out.split_at_mut(line);
                if STREAM {
                    self.write::<false>(counters, head);
                    counters = step(counters, (head.len() / WORD_BYTES) as i64);
                }
                let (groups, rest) = out.as_chunks_mut::<{ IN_FLIGHT * VECTOR_BYTES }>();
                for group in groups {
                    let words = self.words::<IN_FLIGHT>(counters);
                    for (out, word) in group.as_chunks_mut().0.iter_mut().zip(words) {
                        if STREAM { stream(out, word) } else { store(out, word) }
                    }
                    counters = step(counters, IN_FLIGHT as i64 * VECTOR_WORDS);
                }
                let (vectors, rest) = rest.as_chunks_mut();
                for out in vectors {
                    let [word] = self.words(counters);
                    if STREAM {
                        stream(out, word)
                    } else {
                        store(out, word)
                    }
                    counters = step(counters, VECTOR_WORDS);
                }
                if !rest.is_empty() {
                    let mut last = [0; VECTOR_BYTES];
                    let [word] = self.words(counters);
                    store(&mut last, word);
                    rest.copy_from_slice(&last[..rest.len()]);
                }
            }
        }

        /// Bytes before the first line of the caches that begins in `out`.
        fn to_line(out: &[u8]) -> usize {
            out.as_ptr().align_offset(LINE_BYTES).min(out.len())
        }

        /// See `Proven::words`.
        #[target_feature(enable = $features)]
        pub(super) fn words<const R: usize, const STREAM: bool>(ars: &Ars<R>, counter: u128, out: &mut [u8]) {
            Keys::new(ars).write::<STREAM>(consecutive(counter), out);
        }

        /// See `Proven::cells`.
        #[target_feature(enable = $features)]
        pub(super) fn cells<const R: usize, const STREAM: bool>(
            ars: &Ars<R>,
            counter: u128,
            shape: Cell,
            out: &mut [[u8; CELL_BYTES]],
        ) {
            let keys = Keys::new(ars);
            let mut counters = consecutive(counter);
            // Whole vectors, since what is written beyond the literal is written again by the repetition.
            let literal = shape.literal.next_multiple_of(VECTOR_BYTES);
            if STREAM {
                return stream_cells(&keys, counters, shape, out);
            }
            for cell in out {
                keys.write::<false>(counters, &mut cell[..literal]);
                shape.repeat(cell);
                counters = step(counters, (CELL_BYTES / WORD_BYTES) as i64);
            }
        }

        /// Cells are made in a scratch, since they are read while they are made, and go past the caches from there.
        ///
        /// Only in whole lines: a part of one would wait until the rest of it was read, and all stores behind it too. So
        /// where lines and cells do not begin together, what is left of a cell goes with the next one.
        #[target_feature(enable = $features)]
        fn stream_cells<const R: usize>(
            keys: &Keys<R>,
            mut counters: Vector,
            shape: Cell,
            cells: &mut [[u8; CELL_BYTES]],
        ) {
            let literal = shape.literal.next_multiple_of(VECTOR_BYTES);
            let count = cells.len();
            let out = cells.as_flattened_mut();
            let line = to_line(out);
            let (head, mut out) = out.split_at_mut(line);
            let Scratch(scratch) = &mut Scratch([0; LINE_BYTES + CELL_BYTES]);
            let mut start = LINE_BYTES + head.len();
            for nth in 0..count {
                let cell = scratch.last_chunk_mut().expect("it has room for a cell");
                keys.write::<false>(counters, &mut cell[..literal]);
                shape.repeat(cell);
                counters = step(counters, (CELL_BYTES / WORD_BYTES) as i64);
                if nth == 0 {
                    head.copy_from_slice(&cell[..head.len()]);
                }
                let (lines, left) = scratch[start..].as_chunks::<LINE_BYTES>();
                let left = left.len();
                let now = out.split_off_mut(..lines.len() * LINE_BYTES).expect("the lines of these cells");
                for (out, made) in now.as_chunks_mut().0.iter_mut().zip(lines.as_flattened().as_chunks().0) {
                    stream_word(out, made);
                }
                start = LINE_BYTES - left;
                scratch.copy_within(LINE_BYTES + CELL_BYTES - left.., start);
            }
            out.copy_from_slice(&scratch[start..LINE_BYTES]);
        }

        /// See `Proven::agreeing`.
        #[target_feature(enable = $features)]
        pub(super) fn agreeing<const R: usize>(ars: &Ars<R>, counter: u128, actual: &[u8]) -> usize {
            let keys = Keys::new(ars);
            let mut counters = consecutive(counter);
            let (groups, rest) = actual.as_chunks::<{ IN_FLIGHT * VECTOR_BYTES }>();
            for (nth, group) in groups.iter().enumerate() {
                let words = keys.words::<IN_FLIGHT>(counters);
                let mut different = broadcast(0);
                for (actual, word) in group.as_chunks().0.iter().zip(words) {
                    different = or_difference(different, load(actual), word);
                }
                if !is_zero(different) {
                    return nth * group.len();
                }
                counters = step(counters, IN_FLIGHT as i64 * VECTOR_WORDS);
            }
            let (vectors, rest) = rest.as_chunks::<VECTOR_BYTES>();
            let mut agreeing = actual.len() - rest.len() - vectors.len() * VECTOR_BYTES;
            for actual in vectors {
                let [word] = keys.words(counters);
                if !is_zero(or_difference(broadcast(0), load(actual), word)) {
                    return agreeing;
                }
                agreeing += VECTOR_BYTES;
                counters = step(counters, VECTOR_WORDS);
            }
            if !rest.is_empty() {
                let mut last = [0; VECTOR_BYTES];
                let [word] = keys.words(counters);
                store(&mut last, word);
                if rest == &last[..rest.len()] {
                    agreeing += rest.len();
                }
            }
            agreeing
        }
    };
}

pub(super) use kernel;

/// Room for a cell, and before it for what is left of the one before; where lines begin, so that no store of a vector
/// crosses one.
#[repr(align(64))]
pub(super) struct Scratch(pub(super) [u8; LINE_BYTES + CELL_BYTES]);

/// Stores a word past the caches, at a multiple of 16.
///
/// Word by word however wide the kernel's vectors are: a word is always part of one of the stores that just made it, so
/// it is there at once. A vector across two of them would wait until both are in the cache, behind all that is streamed.
#[inline]
#[target_feature(enable = "sse2")]
pub(super) fn stream_word(to: &mut [u8; WORD_BYTES], from: &[u8; WORD_BYTES]) {
    debug_assert!(to.as_ptr().addr().is_multiple_of(WORD_BYTES));
    // SAFETY: both are 16 bytes, loading needs no alignment, and `stream_cells` begins at a line of the caches;
    // `Proven::fence` follows the last store.
    unsafe { _mm_stream_si128(to.as_mut_ptr().cast(), _mm_loadu_si128(from.as_ptr().cast())) }
}
