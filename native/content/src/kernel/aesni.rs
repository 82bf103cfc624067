//! The kernel for x86-64 with AES-NI: eight independent words in flight, each round one instruction a word.

use super::{AGREEING_GRAIN, IN_FLIGHT};
use crate::WORD_BYTES;
use crate::ars::Ars;
use core::arch::x86_64::{
    __m128i, _mm_add_epi64, _mm_aesenc_si128, _mm_aesenclast_si128, _mm_loadu_si128, _mm_or_si128, _mm_set_epi64x,
    _mm_storeu_si128, _mm_testz_si128, _mm_xor_si128,
};

/// Round keys in registers.
struct Keys<const R: usize> {
    whitening: __m128i,
    rounds: [__m128i; R],
}

impl<const R: usize> Keys<R> {
    #[inline]
    #[target_feature(enable = "aes,sse4.1")]
    fn new(ars: &Ars<R>) -> Self {
        let mut rounds = [load(ars.whitening); R];
        for (register, key) in rounds.iter_mut().zip(ars.round_keys) {
            *register = load(key);
        }
        Self { whitening: load(ars.whitening), rounds }
    }

    /// The words of `N` consecutive counters.
    #[inline]
    #[target_feature(enable = "aes,sse4.1")]
    fn words<const N: usize>(&self, counter: __m128i) -> [__m128i; N] {
        let mut states = [counter; N];
        for (nth, state) in states.iter_mut().enumerate() {
            *state = _mm_xor_si128(_mm_add_epi64(counter, steps(nth as i64)), self.whitening);
        }
        let (last, inner) = self.rounds.split_last().expect("ARS has at least one round");
        for key in inner {
            for state in &mut states {
                *state = _mm_aesenc_si128(*state, *key);
            }
        }
        for state in &mut states {
            *state = _mm_aesenclast_si128(*state, *last);
        }
        states
    }
}

/// A 128-bit number as a register.
#[inline]
#[target_feature(enable = "sse2")]
fn load(value: u128) -> __m128i {
    _mm_set_epi64x((value >> 64) as i64, value as i64)
}

/// What `words` more words add to a counter. A word's index stays below 2^26, so adding it to the counter's high 64 bits
/// alone never carries into the generation.
#[inline]
#[target_feature(enable = "sse2")]
fn steps(words: i64) -> __m128i {
    _mm_set_epi64x(words, 0)
}

/// See `Proven::words`.
#[target_feature(enable = "aes,sse4.1")]
pub(super) fn words<const R: usize>(ars: &Ars<R>, counter: u128, out: &mut [u8]) {
    let keys = Keys::new(ars);
    let mut counter = load(counter);
    let (eights, rest) = out.as_chunks_mut::<AGREEING_GRAIN>();
    for eight in eights {
        let words = keys.words::<IN_FLIGHT>(counter);
        for (out, word) in eight.as_chunks_mut::<WORD_BYTES>().0.iter_mut().zip(words) {
            // SAFETY: `out` is 16 writable bytes, and the store needs no alignment.
            unsafe { _mm_storeu_si128(out.as_mut_ptr().cast(), word) };
        }
        counter = _mm_add_epi64(counter, steps(IN_FLIGHT as i64));
    }
    for out in rest.as_chunks_mut::<WORD_BYTES>().0 {
        let [word] = keys.words(counter);
        // SAFETY: `out` is 16 writable bytes, and the store needs no alignment.
        unsafe { _mm_storeu_si128(out.as_mut_ptr().cast(), word) };
        counter = _mm_add_epi64(counter, steps(1));
    }
}

/// See `Proven::agreeing`.
#[target_feature(enable = "aes,sse4.1")]
pub(super) fn agreeing<const R: usize>(ars: &Ars<R>, counter: u128, actual: &[u8]) -> usize {
    let keys = Keys::new(ars);
    let mut counter = load(counter);
    let (eights, rest) = actual.as_chunks::<AGREEING_GRAIN>();
    for (nth, eight) in eights.iter().enumerate() {
        let words = keys.words::<IN_FLIGHT>(counter);
        let mut different = steps(0);
        for (actual, word) in eight.as_chunks::<WORD_BYTES>().0.iter().zip(words) {
            different = _mm_or_si128(different, difference(actual, word));
        }
        if _mm_testz_si128(different, different) == 0 {
            return nth * AGREEING_GRAIN;
        }
        counter = _mm_add_epi64(counter, steps(IN_FLIGHT as i64));
    }
    for (nth, actual) in rest.as_chunks::<WORD_BYTES>().0.iter().enumerate() {
        let [word] = keys.words(counter);
        let different = difference(actual, word);
        if _mm_testz_si128(different, different) == 0 {
            return eights.len() * AGREEING_GRAIN + nth * WORD_BYTES;
        }
        counter = _mm_add_epi64(counter, steps(1));
    }
    actual.len()
}

/// The bits in which 16 bytes differ from a word.
#[inline]
#[target_feature(enable = "sse2")]
fn difference(actual: &[u8; WORD_BYTES], word: __m128i) -> __m128i {
    // SAFETY: `actual` is 16 readable bytes, and the load needs no alignment.
    let actual = unsafe { _mm_loadu_si128(actual.as_ptr().cast()) };
    _mm_xor_si128(actual, word)
}
