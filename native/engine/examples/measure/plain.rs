//! What stands in for `vectors` where it knows no vectors of the CPU: the compiler's own loops, and no store that goes
//! past the caches.

/// The compiler chooses.
#[derive(Clone, Copy, Debug)]
pub struct VectorWidth;

impl VectorWidth {
    /// The only one.
    pub fn widest() -> Self {
        Self
    }

    /// Not known.
    pub fn bytes(self) -> usize {
        0
    }
}

/// No.
pub fn has_vaes512() -> bool {
    false
}

/// Sets every byte.
pub fn stream(_: VectorWidth, out: &mut [u8], byte: u8) {
    std::hint::black_box(out).fill(byte);
}

/// Loads every byte.
pub fn scan(_: VectorWidth, bytes: &[u8]) {
    std::hint::black_box(bytes.iter().fold(0, |seen, byte| seen | byte));
}
