//! Compression ratios, proven with the codecs that stores use. What they come to in numbers is in docs/ratios.md.

use seedstorm_content::{Codec, Record};
use seedstorm_ratios::{CODERS, Coder, Measured, measure};

const ASKED_MILLI: [u32; 9] = [1000, 1100, 1500, 2000, 3000, 4000, 5000, 8000, 10_000];

/// What was asked of content for a codec, and what a coder got out of it.
struct Outcome {
    coder: Coder,
    record: Record,
    codec: Codec,
    asked: f64,
    got: Measured,
}

impl Outcome {
    /// How far the ratio is from what was asked, as a part of it.
    fn error(&self) -> f64 {
        (self.got.ratio / self.asked - 1.0).abs()
    }

    fn describe(&self) -> String {
        let Self { coder, record, codec, asked, got } = self;
        let (name, bytes, codec) = (coder.name, record.bytes(), codec.name());
        format!(
            "{name}, records of {bytes}, content for {codec}: asked {asked}, got {:.4} ({:.2}% off), worst record {:.4}",
            got.ratio,
            100.0 * self.error(),
            got.worst_record
        )
    }
}

/// Holds every coder, record and ratio to a promise, and names all that break it.
fn assert_for_all(codec_for: impl Fn(Coder) -> Codec, promise: impl Fn(&Outcome) -> bool) {
    let mut broken = Vec::new();
    for coder in CODERS {
        for record in Record::ALL {
            for asked_milli in ASKED_MILLI {
                let codec = codec_for(coder);
                let got = measure(coder, record, codec, asked_milli);
                let outcome = Outcome { coder, record, codec, asked: f64::from(asked_milli) / 1000.0, got };
                if !promise(&outcome) {
                    broken.push(outcome.describe());
                }
            }
        }
    }
    assert!(broken.is_empty(), "{} combinations are off:\n{}", broken.len(), broken.join("\n"));
}

#[test]
fn a_store_whose_codec_is_not_known_shows_about_the_ratio_that_was_asked() {
    assert_for_all(
        |_| Codec::Any,
        |outcome| {
            let tolerance = match outcome.asked {
                ..=5.0 => 0.06,
                ..=8.0 => 0.09,
                _ => 0.11,
            };
            outcome.error() <= tolerance
        },
    );
}

#[test]
fn a_store_whose_codec_and_record_are_named_shows_the_ratio_that_was_asked() {
    assert_for_all(
        |coder| coder.codec,
        |outcome| {
            let tolerance = match outcome.codec {
                Codec::Lz4 => 0.01,
                Codec::Zstd => 0.02,
                _ => 0.05,
            };
            outcome.error() <= tolerance
        },
    );
}

#[test]
fn a_store_of_fixed_fragments_is_never_cheated_of_its_saving_by_a_few_bytes() {
    assert_for_all(
        |_| Codec::AtLeast,
        |outcome| {
            // Each record has to fit its fragment by itself, not all of them on average. What deflate makes of a 4 KiB
            // record varies more than what others make of any: at 4:1, 43 of 65,536 are up to 2 bytes too long.
            let record_tolerance = if outcome.coder.codec == Codec::Deflate { 0.995 } else { 1.0 };
            outcome.got.ratio >= outcome.asked && outcome.got.worst_record >= outcome.asked * record_tolerance
        },
    );
}
