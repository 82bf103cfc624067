//! What can be asked for, and how it is written on a line.

use std::str::FromStr;
use std::time::Duration;

use crate::Failure;
use crate::contents::Shape;

/// The longest measurement and the largest buffer: limits against a slip of the pen.
const MAX_MILLISECONDS: u64 = 600_000;
const MAX_BYTES: usize = 64 << 30;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Cycles of the core's clock.
    Clock,
    /// The C library's memset.
    Memset,
    /// Stores that go past the caches.
    StreamMemset,
    /// Loads of every byte.
    ReadScan,
    /// Content, made.
    Fill(Shape),
    /// Content, checked.
    Verify,
}

/// Who works, and on whose memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crew {
    /// The first lane, on its own buffer.
    One,
    /// Every lane, each on its own buffer.
    All,
    /// Every lane, on one buffer of the caller.
    Shared,
}

/// One measurement.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// What is measured.
    pub operation: Operation,
    /// Who works.
    pub crew: Crew,
    /// Bytes of buffer in all.
    pub bytes: usize,
    /// How long, at least.
    pub time: Duration,
}

impl FromStr for Case {
    type Err = Failure;

    fn from_str(line: &str) -> Result<Self, Failure> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [operation, crew, bytes, milliseconds] = words[..] else {
            return Err("a case is `operation crew bytes milliseconds`".into());
        };
        let operation = match operation {
            "clock" => Operation::Clock,
            "memset" => Operation::Memset,
            "stream-memset" => Operation::StreamMemset,
            "read-scan" => Operation::ReadScan,
            "fill" => Operation::Fill(Shape::Plain),
            "fill-compress2" => Operation::Fill(Shape::Compress2),
            "fill-dedup2" => Operation::Fill(Shape::Dedup2),
            "verify" => Operation::Verify,
            _ => return Err(format!("there is no operation {operation}").into()),
        };
        let crew = match crew {
            "one" => Crew::One,
            "all" => Crew::All,
            "shared" => Crew::Shared,
            _ => return Err(format!("there is no crew {crew}").into()),
        };
        let bytes = bytes.parse()?;
        let milliseconds = milliseconds.parse()?;
        if bytes == 0 || bytes > MAX_BYTES || milliseconds == 0 || milliseconds > MAX_MILLISECONDS {
            return Err("bytes are 1 to 2^36, milliseconds 1 to 600000".into());
        }
        Ok(Self { operation, crew, bytes, time: Duration::from_millis(milliseconds) })
    }
}
