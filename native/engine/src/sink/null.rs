//! The null sink: takes everything and keeps nothing, to measure what the rest of the path can do. It has nothing to
//! give back, so tasks that read refuse it before they begin.

use std::hint::black_box;

/// Drops a block. The compiler must believe that somebody looks at the bytes, or it may leave out making them.
#[inline]
pub(crate) fn write(bytes: &[u8]) {
    black_box(bytes);
}
