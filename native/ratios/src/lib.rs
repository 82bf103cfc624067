//! What stores' own codecs make of content: the ratio that `tests/compression.rs` proves and
//! `examples/ratios.rs` prints.

use flate2::{Compress, Compression, FlushCompress};
use seedstorm_content::{Codec, Content, Parameters, Record};

/// Bytes measured for each number: every cell costs a codec nearly the same, so more would show no other digit.
const SAMPLE_BYTES: usize = 1 << 20;

/// The sample begins a few cells before the end of a unit: records are where a store puts them, not where units begin.
const SAMPLE_START: u64 = (1 << 20) - 3 * 4096;

/// A codec at a level, by the library that stores use.
#[derive(Clone, Copy)]
pub struct Coder {
    /// Its name in tables and failures.
    pub name: &'static str,
    /// What the content is to be aimed at for it.
    pub codec: Codec,
    level: i32,
}

/// The codecs and levels that are proven.
pub const CODERS: [Coder; 5] = [
    Coder { name: "lz4", codec: Codec::Lz4, level: 0 },
    Coder { name: "zstd -1", codec: Codec::Zstd, level: 1 },
    Coder { name: "zstd -3", codec: Codec::Zstd, level: 3 },
    Coder { name: "deflate -1", codec: Codec::Deflate, level: 1 },
    Coder { name: "deflate -6", codec: Codec::Deflate, level: 6 },
];

impl Coder {
    /// Bytes that a store keeps of a record: what the codec makes of it, or the record as it is where that is no less.
    fn stored_bytes(self, record: &[u8]) -> usize {
        let mut coded = vec![0; 2 * record.len()];
        let bytes = match self.codec {
            Codec::Lz4 => lz4::block::compress_to_buffer(record, None, false, &mut coded).expect("room for all"),
            Codec::Zstd => zstd::bulk::compress_to_buffer(record, &mut coded, self.level).expect("room for all"),
            Codec::Deflate => {
                // With zlib's header and checksum, 6 bytes, as ZFS and Btrfs store it.
                let mut deflate = Compress::new(Compression::new(self.level as u32), true);
                deflate.compress(record, &mut coded, FlushCompress::Finish).expect("room for all");
                deflate.total_out() as usize
            }
            Codec::Any | Codec::AtLeast => unreachable!("no coder is one of these"),
        };
        bytes.min(record.len())
    }
}

/// What was measured of one combination.
pub struct Measured {
    /// Bytes of all records to bytes stored of them.
    pub ratio: f64,
    /// The same for the record that compressed least.
    pub worst_record: f64,
}

/// What this coder gets out of content that asks for a ratio for this codec, in records of this size.
pub fn measure(coder: Coder, record: Record, codec: Codec, compress_milli: u32) -> Measured {
    let content = Content::new(&Parameters { seed: 1, codec, record, compress_milli, ..Parameters::default() });
    let mut sample = vec![0; SAMPLE_BYTES];
    content.expect("valid").fill(0, SAMPLE_START, &mut sample).expect("in the stream");
    let record_bytes = record.bytes() as usize;
    let stored: Vec<_> = sample.chunks_exact(record_bytes).map(|bytes| coder.stored_bytes(bytes)).collect();
    let most = stored.iter().copied().max().expect("some records");
    Measured {
        ratio: SAMPLE_BYTES as f64 / stored.iter().sum::<usize>() as f64,
        worst_record: record_bytes as f64 / most as f64,
    }
}
