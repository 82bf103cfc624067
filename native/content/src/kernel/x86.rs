//! What the kernels for x86-64 share: the same loops over vectors of 16, 32 or 64 bytes. A kernel's module has the
//! vector's type, `VECTOR_BYTES`, `IN_FLIGHT` and a handful of operations; [`kernel!`] makes the loops of them.

use crate::kernel::LINE_BYTES;
use crate::{CELL_BYTES, WORD_BYTES};
use core::arch::x86_64::{_MM_HINT_T1, _mm_loadu_si128, _mm_prefetch, _mm_stream_si128};

/// Makes `words`, `cells` and `agreeing` of a vector's operations, for CPUs with these features.
macro_rules! kernel {
    ($features:literal) => {
        use crate::ars::Ars;
        use crate::cell::{Cell, PERIOD_GRAIN};
        use crate::kernel::LINE_BYTES;
        use crate::kernel::x86::{Scratch, ahead, stream_words, to_line, words_to_line};
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
            /// caches, where `out` begins at a line.
            #[inline]
            #[target_feature(enable = $features)]
            fn write<const STREAM: bool>(&self, mut counters: Vector, out: &mut [u8]) {
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

        /// See `Proven::words`.
        #[target_feature(enable = $features)]
        pub(super) fn words<const R: usize, const STREAM: bool>(ars: &Ars<R>, counter: u128, out: &mut [u8]) {
            let keys = Keys::new(ars);
            let counters = consecutive(counter);
            // Stores that cross lines take twice as long, so all but the first words are stored in whole lines.
            let (head, lines) = out.split_at_mut(words_to_line(out));
            if !head.is_empty() {
                keys.write::<false>(counters, head);
            }
            keys.write::<STREAM>(step(counters, (head.len() / WORD_BYTES) as i64), lines);
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

        /// Of each cell only the literal and one period are made, in a scratch; from there they go past the caches, the
        /// period over and over, when the next cell is made too: the stores that made it are then in the cache. A vector
        /// that is read before that, across two of them, would wait for both, behind all that is streamed.
        #[target_feature(enable = $features)]
        fn stream_cells<const R: usize>(
            keys: &Keys<R>,
            mut counters: Vector,
            shape: Cell,
            cells: &mut [[u8; CELL_BYTES]],
        ) {
            let literal = shape.literal.next_multiple_of(VECTOR_BYTES);
            let once = shape.last_period();
            // Every cell begins as far before a line as the first one.
            let line = to_line(cells.as_flattened());
            let Scratch([made, making]) = &mut Scratch([[0; CELL_BYTES + LINE_BYTES]; 2]);
            let (mut made, mut making) = (made, making);
            for nth in 0..=cells.len() {
                if nth < cells.len() {
                    keys.write::<false>(counters, &mut making[..literal]);
                    shape.close(making.first_chunk_mut().expect("it has room for a cell"));
                    // So much of the next period that a line can be read from any place of the last one on.
                    for at in (once.end..once.end + LINE_BYTES).step_by(PERIOD_GRAIN) {
                        making.copy_within(at - once.len()..at - once.len() + PERIOD_GRAIN, at);
                    }
                    counters = step(counters, (CELL_BYTES / WORD_BYTES) as i64);
                }
                if nth > 0 {
                    let (head, lines) = cells[nth - 1].split_at_mut(line);
                    let (vectors, tail) = lines.as_chunks_mut();
                    stream_words(head, &made[..line]);
                    let mut from = line;
                    for out in vectors {
                        stream(out, load(made[from..].first_chunk().expect("a line can be read")));
                        from += VECTOR_BYTES;
                        while from >= once.end {
                            from -= once.len();
                        }
                    }
                    stream_words(tail, &made[from..]);
                }
                std::mem::swap(&mut made, &mut making);
            }
        }

        /// See `Proven::agreeing`.
        #[target_feature(enable = $features)]
        pub(super) fn agreeing<const R: usize>(ars: &Ars<R>, counter: u128, actual: &[u8]) -> usize {
            let keys = Keys::new(ars);
            let mut counters = consecutive(counter);
            let (groups, rest) = actual.as_chunks::<{ IN_FLIGHT * VECTOR_BYTES }>();
            for (nth, group) in groups.iter().enumerate() {
                ahead(group);
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

/// Bytes before the first line of the caches that begins in `out`.
pub(super) fn to_line(out: &[u8]) -> usize {
    out.as_ptr().align_offset(LINE_BYTES).min(out.len())
}

/// [`to_line`] where words lie at multiples of 16, so that none crosses into the line; elsewhere 0.
pub(super) fn words_to_line(out: &[u8]) -> usize {
    if out.as_ptr().addr().is_multiple_of(WORD_BYTES) { to_line(out) } else { 0 }
}

/// Room for two cells, and a line after each; where lines begin, so that no store of a vector crosses one.
#[repr(align(64))]
pub(super) struct Scratch(pub(super) [[u8; CELL_BYTES + LINE_BYTES]; 2]);

/// Stores words past the caches, at a multiple of 16: as many as there is room for. For the parts of a line that two
/// cells share: the CPU puts them together as they come one after the other.
#[inline]
#[target_feature(enable = "sse2")]
pub(super) fn stream_words(to: &mut [u8], from: &[u8]) {
    debug_assert!(to.as_ptr().addr().is_multiple_of(WORD_BYTES) && to.len().is_multiple_of(WORD_BYTES));
    for (to, from) in to.as_chunks_mut::<WORD_BYTES>().0.iter_mut().zip(from.as_chunks::<WORD_BYTES>().0) {
        // SAFETY: both are 16 bytes, loading needs no alignment, and `Proven` streams cells only to multiples of 16;
        // `Proven::fence` follows the last store.
        unsafe { _mm_stream_si128(to.as_mut_ptr().cast(), _mm_loadu_si128(from.as_ptr().cast())) }
    }
}

/// How far ahead of what is compared memory is asked for, in bytes. By itself a CPU looks ahead no further than the page.
/// Measured in DRAM on one core: into the L1 the gain was less by a tenth, past the caches there was none; 4 to 12 KiB
/// ahead are alike, 3 are worse.
const AHEAD_BYTES: usize = 8192;

/// Asks for the memory that comes so far after these bytes.
#[inline]
#[target_feature(enable = "sse2")]
pub(super) fn ahead(bytes: &[u8]) {
    for at in (0..bytes.len()).step_by(LINE_BYTES) {
        _mm_prefetch::<_MM_HINT_T1>(bytes.as_ptr().wrapping_add(at + AHEAD_BYTES).cast());
    }
}
