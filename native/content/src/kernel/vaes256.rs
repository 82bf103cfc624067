//! The kernel for x86-64 with VAES on 256-bit registers: eight vectors of two words in flight.

use super::x86::kernel;
use core::arch::x86_64::{
    __m256i, _mm_set_epi64x, _mm256_add_epi64, _mm256_aesenc_epi128, _mm256_aesenclast_epi128,
    _mm256_broadcastsi128_si256, _mm256_loadu_si256, _mm256_or_si256, _mm256_set_epi64x, _mm256_storeu_si256,
    _mm256_stream_si256, _mm256_testz_si256, _mm256_xor_si256,
};

type Vector = __m256i;
const VECTOR_BYTES: usize = 32;
/// Enough to hide the latency of a round; with the round keys they fill the 16 registers.
const IN_FLIGHT: usize = 8;

kernel!("vaes,avx2");

/// A number in both words of a vector.
#[inline]
#[target_feature(enable = "avx2")]
fn broadcast(value: u128) -> Vector {
    _mm256_broadcastsi128_si256(_mm_set_epi64x((value >> 64) as i64, value as i64))
}

/// The vector's counters: this one and the next.
#[inline]
#[target_feature(enable = "avx2")]
fn consecutive(counter: u128) -> Vector {
    _mm256_add_epi64(broadcast(counter), _mm256_set_epi64x(1, 0, 0, 0))
}

/// The counters that many words on. A word's index stays below 2^26, so adding it to a counter's high 64 bits alone
/// never carries into the generation.
#[inline]
#[target_feature(enable = "avx2")]
fn step(counters: Vector, words: i64) -> Vector {
    _mm256_add_epi64(counters, broadcast((words as u128) << 64))
}

#[inline]
#[target_feature(enable = "avx2")]
fn xor(left: Vector, right: Vector) -> Vector {
    _mm256_xor_si256(left, right)
}

#[inline]
#[target_feature(enable = "vaes,avx2")]
fn round(state: Vector, key: Vector) -> Vector {
    _mm256_aesenc_epi128(state, key)
}

#[inline]
#[target_feature(enable = "vaes,avx2")]
fn last_round(state: Vector, key: Vector) -> Vector {
    _mm256_aesenclast_epi128(state, key)
}

/// `bits`, and those in which the other two differ.
#[inline]
#[target_feature(enable = "avx2")]
fn or_difference(bits: Vector, left: Vector, right: Vector) -> Vector {
    _mm256_or_si256(bits, _mm256_xor_si256(left, right))
}

#[inline]
#[target_feature(enable = "avx2")]
fn is_zero(bits: Vector) -> bool {
    _mm256_testz_si256(bits, bits) != 0
}

#[inline]
#[target_feature(enable = "avx2")]
fn load(from: &[u8; VECTOR_BYTES]) -> Vector {
    // SAFETY: `from` is 32 readable bytes, and the load needs no alignment.
    unsafe { _mm256_loadu_si256(from.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn store(to: &mut [u8; VECTOR_BYTES], vector: Vector) {
    // SAFETY: `to` is 32 writable bytes, and the store needs no alignment.
    unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), vector) }
}

/// Stores past the caches, at a multiple of 32.
#[inline]
#[target_feature(enable = "avx2")]
fn stream(to: &mut [u8; VECTOR_BYTES], vector: Vector) {
    debug_assert!(to.as_ptr().addr().is_multiple_of(VECTOR_BYTES));
    // SAFETY: `to` is 32 writable bytes at a multiple of 32, since `write` and `cells` begin
    // streaming at a line of the caches; `Proven::fence` follows the last of them.
    unsafe { _mm256_stream_si256(to.as_mut_ptr().cast(), vector) }
}
