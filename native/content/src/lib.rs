//! Seedstorm's content function, version 1: every byte of a run is a pure function of the run's seed and of where the
//! byte belongs.
//!
//! So any agent can make or check any byte, alone, at any time, with nothing stored. The bytes are a contract: the
//! same on every CPU, thread count, chunk size and call order. Nothing here does I/O, starts a thread or, while it
//! fills or compares, allocates.
//!
//! The way through the crate: [`Parameters`] say what is wanted; [`Content`] makes bytes ([`Content::fill`]), checks
//! them ([`Content::compare`]) and says what wrong bytes are ([`Content::diagnose`], or [`Diagnosis`] where there is more
//! to be said). Below it, `dedup` maps a unit to
//! the unique unit whose content it holds, `cell` shapes 4096 bytes for a compression ratio, `word` lays out a counter,
//! `ars` encrypts it, and `kernel` does so quickly.
//!
//! ```
//! use seedstorm_content::{Content, FaultKind, Parameters};
//!
//! let content = Content::new(&Parameters { seed: 42, dedup_milli: 1500, ..Parameters::default() })?;
//! let mut block = vec![0; 65_536];
//! content.fill(0, 1 << 40, &mut block)?;
//! assert_eq!(content.compare(0, 1 << 40, &block)?, None);
//!
//! block[512..1024].fill(0);
//! assert_eq!(content.compare(0, 1 << 40, &block)?, Some(512));
//! assert_eq!(content.diagnose(0, 1 << 40, &block)[0].kind, FaultKind::Zeroed);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod ars;
mod cell;
mod content;
mod dedup;
mod diagnose;
mod error;
mod identify;
mod kernel;
mod key;
mod parameters;
mod permutation;
mod stream;
#[cfg(test)]
mod testing;
mod vectors;
mod word;

pub use content::Content;
pub use dedup::Units;
pub use diagnose::{
    Diagnosis, DiagnosisError, Fault, FaultKind, MAX_CANDIDATE_UNITS, MAX_EARLIER_RUNS, MAX_LISTED_PARTS, Part, Place,
    SECTOR_BYTES,
};
pub use error::{ParameterError, RangeError, VectorError};
pub use identify::{Identified, Run};
pub use kernel::{KERNEL_VARIABLE, Kernel};
pub use parameters::{
    Codec, MAX_COMPRESS_MILLI, MAX_NAMESPACE_BYTES, MAX_UNIT_BYTES, MAX_WINDOW_BITS, Parameters, Record,
    default_window_bits, parse_ratio_milli,
};
pub use vectors::{MAX_DIMENSION, MAX_ELEMENTS, Vectors};
pub use word::WordName;

/// Version of the content function: another version means other bytes, and is recorded in every run.
pub const CONTENT_VERSION: u32 = 1;

/// Bytes in a word: what one counter makes.
pub const WORD_BYTES: usize = 16;

/// Bytes in a cell: the grain of compression and of generations. A unit is a whole number of cells.
pub const CELL_BYTES: usize = 4096;

/// End of the stream: `offset + length` of any range is at most this.
pub const MAX_STREAM_BYTES: u64 = 1 << 63;
