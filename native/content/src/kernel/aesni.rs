//! The kernel for x86-64 with AES-NI: eight vectors of one word in flight, each round one instruction a word.

use super::x86::kernel;
use core::arch::x86_64::{
    __m128i, _mm_add_epi64, _mm_aesenc_si128, _mm_aesenclast_si128, _mm_loadu_si128, _mm_or_si128, _mm_set_epi64x,
    _mm_storeu_si128, _mm_stream_si128, _mm_testz_si128, _mm_xor_si128,
};

type Vector = __m128i;
const VECTOR_BYTES: usize = 16;
/// Enough to hide the latency of a round; with the round keys they fill the 16 registers.
const IN_FLIGHT: usize = 8;

kernel!("aes,sse4.1");

/// A number as a vector.
#[inline]
#[target_feature(enable = "sse2")]
fn broadcast(value: u128) -> Vector {
    _mm_set_epi64x((value >> 64) as i64, value as i64)
}

/// The vector's counters: this one.
#[inline]
#[target_feature(enable = "sse2")]
fn consecutive(counter: u128) -> Vector {
    broadcast(counter)
}

/// The counters that many words on. A word's index stays below 2^26, so adding it to a counter's high 64 bits alone
/// never carries into the generation.
#[inline]
#[target_feature(enable = "sse2")]
fn step(counters: Vector, words: i64) -> Vector {
    _mm_add_epi64(counters, _mm_set_epi64x(words, 0))
}

#[inline]
#[target_feature(enable = "sse2")]
fn xor(left: Vector, right: Vector) -> Vector {
    _mm_xor_si128(left, right)
}

#[inline]
#[target_feature(enable = "aes")]
fn round(state: Vector, key: Vector) -> Vector {
    _mm_aesenc_si128(state, key)
}

#[inline]
#[target_feature(enable = "aes")]
fn last_round(state: Vector, key: Vector) -> Vector {
    _mm_aesenclast_si128(state, key)
}

/// `bits`, and those in which the other two differ.
#[inline]
#[target_feature(enable = "sse2")]
fn or_difference(bits: Vector, left: Vector, right: Vector) -> Vector {
    _mm_or_si128(bits, _mm_xor_si128(left, right))
}

#[inline]
#[target_feature(enable = "sse4.1")]
fn is_zero(bits: Vector) -> bool {
    _mm_testz_si128(bits, bits) != 0
}

#[inline]
#[target_feature(enable = "sse2")]
fn load(from: &[u8; VECTOR_BYTES]) -> Vector {
    // SAFETY: `from` is 16 readable bytes, and the load needs no alignment.
    unsafe { _mm_loadu_si128(from.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "sse2")]
fn store(to: &mut [u8; VECTOR_BYTES], vector: Vector) {
    // SAFETY: `to` is 16 writable bytes, and the store needs no alignment.
    unsafe { _mm_storeu_si128(to.as_mut_ptr().cast(), vector) }
}

/// Stores past the caches, at a multiple of 16.
#[inline]
#[target_feature(enable = "sse2")]
fn stream(to: &mut [u8; VECTOR_BYTES], vector: Vector) {
    debug_assert!(to.as_ptr().addr().is_multiple_of(VECTOR_BYTES));
    // SAFETY: `to` is 16 writable bytes at a multiple of 16, since `write` and `cells` begin
    // streaming at a line of the caches; `Proven::fence` follows the last of them.
    unsafe { _mm_stream_si128(to.as_mut_ptr().cast(), vector) }
}
