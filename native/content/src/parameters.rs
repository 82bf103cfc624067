//! What a user may choose of the content, with its bounds; ratios are whole thousandths, since a ratio that went
//! through floating point would be another stream on another day (2.3 × 1000 truncates to 2299).

use crate::CELL_BYTES;
use crate::error::ParameterError;
use std::str::FromStr;

/// Longest namespace in bytes of UTF-8.
pub const MAX_NAMESPACE_BYTES: usize = 255;

/// Largest unit in bytes: 1 GiB.
pub const MAX_UNIT_BYTES: u64 = 1 << 30;

/// Largest dedup window, as the binary logarithm of its units.
pub const MAX_WINDOW_BITS: u32 = 32;

/// Largest compression ratio × 1000.
pub const MAX_COMPRESS_MILLI: u32 = 100_000;

/// Window that is used where nothing asks for another: 2^12 units.
const USUAL_WINDOW_BITS: u32 = 12;

/// A ratio of one, in thousandths.
pub(crate) const ONE_MILLI: u64 = 1000;

/// The codec that a compression ratio is aimed at: each has another cost for the bytes that it does not shorten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Codec {
    /// No codec in particular: a middle value that is off by at most some percent for each.
    #[default]
    Any,
    /// LZ4.
    Lz4,
    /// Zstandard.
    Zstd,
    /// DEFLATE (gzip, zlib).
    Deflate,
    /// At least the ratio with any of them: for stores that save nothing when a record is a few bytes too long.
    AtLeast,
}

impl Codec {
    /// Every codec, in the order of the content function's table.
    pub const ALL: [Self; 5] = [Self::Any, Self::Lz4, Self::Zstd, Self::Deflate, Self::AtLeast];

    /// The name that plans and the command line use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
            Self::Deflate => "deflate",
            Self::AtLeast => "at-least",
        }
    }
}

impl FromStr for Codec {
    type Err = ParameterError;

    /// Reads a codec's name.
    ///
    /// # Errors
    /// [`ParameterError::Codec`] when no codec has this name.
    fn from_str(name: &str) -> Result<Self, ParameterError> {
        let found = Self::ALL.into_iter().find(|codec| codec.name() == name);
        found.ok_or_else(|| ParameterError::Codec { given: name.to_owned() })
    }
}

/// How many bytes the codec compresses at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Record {
    /// 4096 bytes.
    Kib4,
    /// 16,384 bytes.
    Kib16,
    /// 131,072 bytes.
    #[default]
    Kib128,
}

impl Record {
    /// Every record size, the smallest first.
    pub const ALL: [Self; 3] = [Self::Kib4, Self::Kib16, Self::Kib128];

    /// The record's size in bytes.
    pub const fn bytes(self) -> u64 {
        match self {
            Self::Kib4 => 4096,
            Self::Kib16 => 16_384,
            Self::Kib128 => 131_072,
        }
    }

    /// The record of this many bytes.
    ///
    /// # Errors
    /// [`ParameterError::Record`] for any other size than 4096, 16384 and 131072.
    pub fn from_bytes(bytes: u64) -> Result<Self, ParameterError> {
        let found = Self::ALL.into_iter().find(|record| record.bytes() == bytes);
        found.ok_or(ParameterError::Record { given_bytes: bytes })
    }
}

/// Everything that the content depends on but the place and the generation. Plain values; [`Parameters::validate`]
/// tells whether they are in their bounds, and `Content` takes no others.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Parameters {
    /// The run's seed; any value. Neighbouring seeds share nothing.
    pub seed: u64,
    /// Separates streams that share a seed; at most [`MAX_NAMESPACE_BYTES`].
    pub namespace: String,
    /// Bytes in a unit, the grain of dedup and of seed ranges: a multiple of 4096, at most [`MAX_UNIT_BYTES`].
    pub unit_bytes: u64,
    /// Dedup ratio × 1000, from 1000 (none) to 1000 × 2^`window_bits`.
    pub dedup_milli: u64,
    /// The dedup window is 2^`window_bits` units; at most [`MAX_WINDOW_BITS`]. See [`default_window_bits`].
    pub window_bits: u32,
    /// Compression ratio × 1000, from 1000 (none) to [`MAX_COMPRESS_MILLI`].
    pub compress_milli: u32,
    /// The codec that the compression ratio is aimed at.
    pub codec: Codec,
    /// The bytes that the codec compresses at a time.
    pub record: Record,
}

impl Default for Parameters {
    /// Seed 0, no namespace, units of 1 MiB, neither dedup nor compression.
    fn default() -> Self {
        Self {
            seed: 0,
            namespace: String::new(),
            unit_bytes: 1 << 20,
            dedup_milli: ONE_MILLI,
            window_bits: USUAL_WINDOW_BITS,
            compress_milli: ONE_MILLI as u32,
            codec: Codec::default(),
            record: Record::default(),
        }
    }
}

impl Parameters {
    /// Checks every parameter's bounds.
    ///
    /// # Errors
    /// The first parameter that is out of its bounds.
    pub fn validate(&self) -> Result<(), ParameterError> {
        if self.namespace.len() > MAX_NAMESPACE_BYTES {
            return Err(ParameterError::Namespace { given_bytes: self.namespace.len() });
        }
        let whole_cells = self.unit_bytes.is_multiple_of(CELL_BYTES as u64);
        if self.unit_bytes == 0 || !whole_cells || self.unit_bytes > MAX_UNIT_BYTES {
            return Err(ParameterError::Unit { given_bytes: self.unit_bytes });
        }
        if self.window_bits > MAX_WINDOW_BITS {
            return Err(ParameterError::WindowBits { given: self.window_bits });
        }
        if self.dedup_milli < ONE_MILLI || self.dedup_milli > ONE_MILLI << self.window_bits {
            return Err(ParameterError::DedupRatio { given_milli: self.dedup_milli, window_bits: self.window_bits });
        }
        if u64::from(self.compress_milli) < ONE_MILLI || self.compress_milli > MAX_COMPRESS_MILLI {
            return Err(ParameterError::CompressRatio { given_milli: self.compress_milli });
        }
        Ok(())
    }
}

/// The window to use where the user sets none, for `units` units in all (`None` where that is not known).
///
/// It is the largest b ≤ 12 with 2^b ≤ units/64, so that the incomplete window at the end hardly moves the ratio, but
/// always large enough for the ratio to be possible; 12 where the number of units is not known.
pub fn default_window_bits(units: Option<u64>, dedup_milli: u64) -> u32 {
    let usual = match units {
        Some(units) => (units / 64).checked_ilog2().unwrap_or(0).min(USUAL_WINDOW_BITS),
        None => USUAL_WINDOW_BITS,
    };
    let needed = dedup_milli.div_ceil(ONE_MILLI).next_power_of_two().ilog2();
    usual.max(needed).min(MAX_WINDOW_BITS)
}

/// Reads a ratio such as `2`, `1.5` or `2.125` and gives it × 1000, without ever going through floating point.
///
/// Bounds are those of the parameter that it is for; see [`Parameters::validate`].
///
/// # Errors
/// [`ParameterError::Ratio`] when the text is not digits with at most three decimals, or does not fit 64 bits.
pub fn parse_ratio_milli(text: &str) -> Result<u64, ParameterError> {
    let error = || ParameterError::Ratio { given: text.to_owned() };
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, decimals) = match text.split_once('.') {
        Some((whole, decimals)) if digits(decimals) && decimals.len() <= 3 => (whole, decimals),
        Some(_) => return Err(error()),
        None => (text, ""),
    };
    if !digits(whole) {
        return Err(error());
    }
    let thousandths: u64 = format!("{decimals:0<3}").parse().map_err(|_| error())?;
    let whole: u64 = whole.parse().map_err(|_| error())?;
    whole.checked_mul(ONE_MILLI).and_then(|milli| milli.checked_add(thousandths)).ok_or_else(error)
}
