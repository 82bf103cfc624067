//! Non-temporal stores and wide loads, in the widest vectors that this CPU has.

use std::arch::x86_64::{
    __m128i, __m256i, __m512i, _mm_load_si128, _mm_or_si128, _mm_set1_epi8, _mm_setzero_si128, _mm_sfence,
    _mm_stream_si128, _mm256_load_si256, _mm256_or_si256, _mm256_set1_epi8, _mm256_setzero_si256, _mm256_stream_si256,
    _mm512_load_si512, _mm512_or_si512, _mm512_set1_epi8, _mm512_setzero_si512, _mm512_stream_si512,
};
use std::hint::black_box;

/// Vectors in flight: enough that no load waits for the one before.
const IN_FLIGHT: usize = 8;

/// How wide the vectors are. [`VectorWidth::widest`] alone makes one, which is what makes using it safe.
#[derive(Clone, Copy, Debug)]
pub struct VectorWidth(Width);

#[derive(Clone, Copy, Debug)]
enum Width {
    Avx512,
    Avx2,
    Sse2,
}

impl VectorWidth {
    /// The widest that this CPU has; SSE2 is part of x86-64.
    pub fn widest() -> Self {
        if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw") {
            Self(Width::Avx512)
        } else if is_x86_feature_detected!("avx2") {
            Self(Width::Avx2)
        } else {
            Self(Width::Sse2)
        }
    }

    /// Bytes in a vector.
    pub fn bytes(self) -> usize {
        match self.0 {
            Width::Avx512 => 64,
            Width::Avx2 => 32,
            Width::Sse2 => 16,
        }
    }
}

/// Whether this CPU can run AES on 512-bit vectors.
pub fn has_vaes512() -> bool {
    is_x86_feature_detected!("vaes") && is_x86_feature_detected!("avx512f")
}

/// Sets every byte, past the caches; a whole number of [`crate::limits::GRAIN_BYTES`], aligned to a vector.
pub fn stream(width: VectorWidth, out: &mut [u8], byte: u8) {
    match width.0 {
        // SAFETY: `widest` has found the features.
        Width::Avx512 => unsafe { avx512::stream(out, byte) },
        // SAFETY: as above.
        Width::Avx2 => unsafe { avx2::stream(out, byte) },
        // SAFETY: as above.
        Width::Sse2 => unsafe { sse2::stream(out, byte) },
    }
}

/// Loads every byte; as [`stream`].
pub fn scan(width: VectorWidth, bytes: &[u8]) {
    match width.0 {
        // SAFETY: `widest` has found the features.
        Width::Avx512 => unsafe { avx512::scan(bytes) },
        // SAFETY: as above.
        Width::Avx2 => unsafe { avx2::scan(bytes) },
        // SAFETY: as above.
        Width::Sse2 => unsafe { sse2::scan(bytes) },
    }
}

macro_rules! vector_loops {
    ($name:ident, $features:literal, $Vector:ty, $set:path, $zero:path, $store:path, $load:path, $or:path) => {
        mod $name {
            use super::*;

            #[target_feature(enable = $features)]
            pub fn stream(out: &mut [u8], byte: u8) {
                // SAFETY: every bit pattern is a vector and a byte.
                let (head, vectors, tail) = unsafe { out.align_to_mut::<$Vector>() };
                assert!(head.is_empty() && tail.is_empty(), "whole aligned vectors");
                let vector = $set(byte as i8);
                for vectors in vectors.chunks_exact_mut(IN_FLIGHT) {
                    for place in vectors {
                        // SAFETY: a place in `out`, aligned as its type.
                        unsafe { $store(std::ptr::from_mut(place).cast(), vector) };
                    }
                }
                // Non-temporal stores are not ordered with others: whoever reads next must see them.
                _mm_sfence();
            }

            #[target_feature(enable = $features)]
            pub fn scan(bytes: &[u8]) {
                // SAFETY: every bit pattern is a vector.
                let (head, vectors, tail) = unsafe { bytes.align_to::<$Vector>() };
                assert!(head.is_empty() && tail.is_empty(), "whole aligned vectors");
                let mut seen = [$zero(); IN_FLIGHT];
                for vectors in vectors.as_chunks::<IN_FLIGHT>().0 {
                    for (seen, vector) in seen.iter_mut().zip(vectors) {
                        // SAFETY: a place in `bytes`, aligned as its type.
                        *seen = $or(*seen, unsafe { $load(std::ptr::from_ref(vector).cast()) });
                    }
                }
                black_box(seen);
            }
        }
    };
}

vector_loops!(
    avx512,
    "avx512f,avx512bw",
    __m512i,
    _mm512_set1_epi8,
    _mm512_setzero_si512,
    _mm512_stream_si512,
    _mm512_load_si512,
    _mm512_or_si512
);
vector_loops!(
    avx2,
    "avx2",
    __m256i,
    _mm256_set1_epi8,
    _mm256_setzero_si256,
    _mm256_stream_si256,
    _mm256_load_si256,
    _mm256_or_si256
);
vector_loops!(sse2, "sse2", __m128i, _mm_set1_epi8, _mm_setzero_si128, _mm_stream_si128, _mm_load_si128, _mm_or_si128);
