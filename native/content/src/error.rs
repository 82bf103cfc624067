//! What callers can get wrong: a parameter out of its bounds, or a range beyond the end of the stream.

use crate::kernel::{KERNEL_VARIABLE, Kernel};
use crate::{
    CELL_BYTES, MAX_COMPRESS_MILLI, MAX_DIMENSION, MAX_NAMESPACE_BYTES, MAX_STREAM_BYTES, MAX_UNIT_BYTES,
    MAX_WINDOW_BITS,
};
use std::fmt;

/// A parameter that is out of its bounds: which one, what was given, and what would be valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParameterError {
    /// The namespace is too long.
    Namespace {
        /// Its length in bytes of UTF-8.
        given_bytes: usize,
    },
    /// The unit is no multiple of a cell, is zero or is too large.
    Unit {
        /// Bytes in a unit, as given.
        given_bytes: u64,
    },
    /// The dedup window is too large.
    WindowBits {
        /// The binary logarithm of the window's units, as given.
        given: u32,
    },
    /// The dedup ratio is below one, or asks for less than one distinct unit in a window.
    DedupRatio {
        /// The ratio × 1000, as given.
        given_milli: u64,
        /// The window that it was given with, which sets its upper bound.
        window_bits: u32,
    },
    /// The compression ratio is out of bounds.
    CompressRatio {
        /// The ratio × 1000, as given.
        given_milli: u32,
    },
    /// No codec has this name.
    Codec {
        /// The name, as given.
        given: String,
    },
    /// The content function knows no record of this size.
    Record {
        /// Bytes in a record, as given.
        given_bytes: u64,
    },
    /// This text is not a ratio.
    Ratio {
        /// The text, as given.
        given: String,
    },
    /// A vector has no numbers, or too many.
    Dimension {
        /// Numbers in a vector, as given.
        given: u32,
    },
    /// This kernel is unknown, or this CPU cannot run it.
    Kernel {
        /// The name, as given.
        given: String,
        /// The kernels that this CPU can run, the fastest first.
        available: Vec<Kernel>,
    },
}

impl ParameterError {
    /// The parameter that is wrong, by its name in the content function's description.
    pub fn field(&self) -> &'static str {
        match self {
            Self::Namespace { .. } => "namespace",
            Self::Unit { .. } => "unit",
            Self::WindowBits { .. } => "windowBits",
            Self::DedupRatio { .. } => "dedup ratio",
            Self::CompressRatio { .. } => "compress ratio",
            Self::Codec { .. } => "codec",
            Self::Record { .. } => "record",
            Self::Ratio { .. } => "ratio",
            Self::Dimension { .. } => "dimension",
            Self::Kernel { .. } => KERNEL_VARIABLE,
        }
    }

    /// The value as it was given, with its unit.
    pub fn given(&self) -> String {
        match self {
            Self::Namespace { given_bytes } => format!("{given_bytes} bytes long"),
            Self::Unit { given_bytes } | Self::Record { given_bytes } => format!("{given_bytes} bytes"),
            Self::WindowBits { given } | Self::Dimension { given } => given.to_string(),
            Self::DedupRatio { given_milli, .. } => ratio(*given_milli),
            Self::CompressRatio { given_milli } => ratio((*given_milli).into()),
            Self::Codec { given } | Self::Ratio { given } | Self::Kernel { given, .. } => format!("{given:?}"),
        }
    }

    /// What would have been valid, in words that follow "must be".
    pub fn valid(&self) -> String {
        match self {
            Self::Namespace { .. } => format!("at most {MAX_NAMESPACE_BYTES} bytes of UTF-8"),
            Self::Unit { .. } => format!("a multiple of {CELL_BYTES} bytes, from {CELL_BYTES} to {MAX_UNIT_BYTES}"),
            Self::WindowBits { .. } => format!("from 0 to {MAX_WINDOW_BITS} (the window is 2^windowBits units)"),
            Self::DedupRatio { window_bits, .. } => {
                let window = 1u64 << window_bits;
                format!("from 1 to {window}, the units in its window of 2^{window_bits}")
            }
            Self::CompressRatio { .. } => format!("from 1 to {}", MAX_COMPRESS_MILLI / 1000),
            Self::Codec { .. } => "one of any, lz4, zstd, deflate, at-least".to_owned(),
            Self::Record { .. } => "4096, 16384 or 131072 bytes".to_owned(),
            Self::Ratio { .. } => "a decimal number with at most three decimals, such as 1.5".to_owned(),
            Self::Dimension { .. } => format!("from 1 to {MAX_DIMENSION}"),
            Self::Kernel { available, .. } => {
                let names: Vec<_> = available.iter().map(|kernel| kernel.name()).collect();
                format!("a kernel that this CPU can run: {}", names.join(", "))
            }
        }
    }
}

/// A ratio given in thousandths, as people write it: 2300 is "2.3".
fn ratio(milli: u64) -> String {
    let text = format!("{}.{:03}", milli / 1000, milli % 1000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

impl fmt::Display for ParameterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {}, but must be {}", self.field(), self.given(), self.valid())
    }
}

impl std::error::Error for ParameterError {}

/// A range that ends beyond the end of the stream, [`MAX_STREAM_BYTES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RangeError {
    /// Where the range begins, in bytes from the start of the stream.
    pub offset: u64,
    /// Its length in bytes.
    pub length: usize,
}

impl fmt::Display for RangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { offset, length } = self;
        write!(f, "{length} bytes from offset {offset} end beyond the end of the stream, {MAX_STREAM_BYTES}")
    }
}

impl std::error::Error for RangeError {}

/// Vectors that do not exist, or room that is no whole number of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VectorError {
    /// The first vector that was asked for.
    pub first: u64,
    /// Numbers that there is room for.
    pub elements: usize,
    /// Numbers in a vector.
    pub dimension: u32,
}

impl fmt::Display for VectorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, elements, dimension } = self;
        write!(f, "{elements} numbers from vector {first} on, of {dimension} each, were asked for")
    }
}

impl std::error::Error for VectorError {}
