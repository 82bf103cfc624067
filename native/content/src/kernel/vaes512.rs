//! The kernel for x86-64 with VAES on 512-bit registers: eight vectors of four words in flight.

use super::x86::kernel;
use core::arch::x86_64::{
    __m512i, _mm_set_epi64x, _mm512_add_epi64, _mm512_aesenc_epi128, _mm512_aesenclast_epi128, _mm512_broadcast_i32x4,
    _mm512_loadu_si512, _mm512_set_epi64, _mm512_storeu_si512, _mm512_stream_si512, _mm512_ternarylogic_epi64,
    _mm512_test_epi64_mask, _mm512_xor_si512,
};

type Vector = __m512i;
const VECTOR_BYTES: usize = 64;
/// Enough to hide the latency of a round.
const IN_FLIGHT: usize = 8;

kernel!("vaes,avx512f");

/// A number in all four words of a vector.
#[inline]
#[target_feature(enable = "avx512f")]
fn broadcast(value: u128) -> Vector {
    _mm512_broadcast_i32x4(_mm_set_epi64x((value >> 64) as i64, value as i64))
}

/// The vector's counters: this one and the next three.
#[inline]
#[target_feature(enable = "avx512f")]
fn consecutive(counter: u128) -> Vector {
    _mm512_add_epi64(broadcast(counter), _mm512_set_epi64(3, 0, 2, 0, 1, 0, 0, 0))
}

/// The counters that many words on. A word's index stays below 2^26, so adding it to a counter's high 64 bits alone
/// never carries into the generation.
#[inline]
#[target_feature(enable = "avx512f")]
fn step(counters: Vector, words: i64) -> Vector {
    _mm512_add_epi64(counters, broadcast((words as u128) << 64))
}

#[inline]
#[target_feature(enable = "avx512f")]
fn xor(left: Vector, right: Vector) -> Vector {
    _mm512_xor_si512(left, right)
}

#[inline]
#[target_feature(enable = "vaes,avx512f")]
fn round(state: Vector, key: Vector) -> Vector {
    _mm512_aesenc_epi128(state, key)
}

#[inline]
#[target_feature(enable = "vaes,avx512f")]
fn last_round(state: Vector, key: Vector) -> Vector {
    _mm512_aesenclast_epi128(state, key)
}

/// `bits`, and those in which the other two differ.
#[inline]
#[target_feature(enable = "avx512f")]
fn or_difference(bits: Vector, left: Vector, right: Vector) -> Vector {
    // a | (b ^ c), as the table of its eight outcomes.
    _mm512_ternarylogic_epi64::<0b1111_0110>(bits, left, right)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn is_zero(bits: Vector) -> bool {
    _mm512_test_epi64_mask(bits, bits) == 0
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load(from: &[u8; VECTOR_BYTES]) -> Vector {
    // SAFETY: `from` is 64 readable bytes, and the load needs no alignment.
    unsafe { _mm512_loadu_si512(from.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(to: &mut [u8; VECTOR_BYTES], vector: Vector) {
    // SAFETY: `to` is 64 writable bytes, and the store needs no alignment.
    unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), vector) }
}

/// Stores past the caches, at a multiple of 64.
#[inline]
#[target_feature(enable = "avx512f")]
fn stream(to: &mut [u8; VECTOR_BYTES], vector: Vector) {
    debug_assert!(to.as_ptr().addr().is_multiple_of(VECTOR_BYTES));
    // SAFETY: `to` is 64 writable bytes at a multiple of 64, since `write` and `cells` begin
    // streaming at a line of the caches; `Proven::fence` follows the last of them.
    unsafe { _mm512_stream_si512(to.as_mut_ptr().cast(), vector) }
}
