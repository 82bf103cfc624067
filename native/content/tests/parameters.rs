//! Every bound of every parameter, and the words in which a user hears of it.

use seedstorm_content::{
    Codec, Content, MAX_NAMESPACE_BYTES, MAX_UNIT_BYTES, ParameterError, Parameters, Record, default_window_bits,
    parse_ratio_milli,
};

fn defaults() -> Parameters {
    Parameters::default()
}

/// The error of these parameters, in words.
fn refusal(parameters: Parameters) -> String {
    Content::new(&parameters).expect_err("out of bounds").to_string()
}

#[test]
fn values_at_their_bounds_are_taken() {
    for parameters in [
        defaults(),
        Parameters { seed: u64::MAX, namespace: "é".repeat(MAX_NAMESPACE_BYTES / 2), ..defaults() },
        Parameters { unit_bytes: 4096, ..defaults() },
        Parameters { unit_bytes: MAX_UNIT_BYTES, ..defaults() },
        Parameters { window_bits: 0, ..defaults() },
        Parameters { window_bits: 32, dedup_milli: 1000 << 32, ..defaults() },
        Parameters { window_bits: 2, dedup_milli: 4000, ..defaults() },
        Parameters { compress_milli: 100_000, ..defaults() },
    ] {
        let content = Content::new(&parameters).unwrap_or_else(|error| panic!("{parameters:?}: {error}"));
        assert_eq!(content.parameters(), &parameters);
    }
}

#[test]
fn a_value_beyond_its_bound_is_refused_with_the_value_and_the_bound() {
    assert_eq!(
        refusal(Parameters { namespace: "é".repeat(128), ..defaults() }),
        "namespace is 256 bytes long, but must be at most 255 bytes of UTF-8"
    );
    for unit_bytes in [0, 512, 4095, 4097, MAX_UNIT_BYTES + 4096, u64::MAX] {
        assert_eq!(
            refusal(Parameters { unit_bytes, ..defaults() }),
            format!("unit is {unit_bytes} bytes, but must be a multiple of 4096 bytes, from 4096 to 1073741824")
        );
    }
    for window_bits in [33, 64, u32::MAX] {
        assert_eq!(
            refusal(Parameters { window_bits, ..defaults() }),
            format!("windowBits is {window_bits}, but must be from 0 to 32 (the window is 2^windowBits units)")
        );
    }
    assert_eq!(
        refusal(Parameters { dedup_milli: 999, ..defaults() }),
        "dedup ratio is 0.999, but must be from 1 to 4096, the units in its window of 2^12"
    );
    assert_eq!(
        refusal(Parameters { dedup_milli: 4001, window_bits: 2, ..defaults() }),
        "dedup ratio is 4.001, but must be from 1 to 4, the units in its window of 2^2"
    );
    assert_eq!(
        refusal(Parameters { dedup_milli: 0, ..defaults() }),
        "dedup ratio is 0, but must be from 1 to 4096, the units in its window of 2^12"
    );
    for (compress_milli, given) in [(0, "0"), (999, "0.999"), (100_001, "100.001"), (u32::MAX, "4294967.295")] {
        assert_eq!(
            refusal(Parameters { compress_milli, ..defaults() }),
            format!("compress ratio is {given}, but must be from 1 to 100")
        );
    }
}

#[test]
fn ratios_are_read_as_they_are_written() {
    for (text, milli) in [
        ("1", 1000),
        ("2.3", 2300),
        ("1.5", 1500),
        ("2.125", 2125),
        ("1.001", 1001),
        ("0", 0),
        ("007.50", 7500),
        ("4294967296", 4_294_967_296_000),
        ("18446744073709551.615", u64::MAX),
    ] {
        assert_eq!(parse_ratio_milli(text), Ok(milli), "{text:?}");
    }
}

#[test]
fn text_that_is_no_ratio_is_refused_and_never_rounded() {
    for text in [
        "",
        " ",
        ".",
        "1.",
        ".5",
        "1.0000",
        "1.2345",
        "-1",
        "+1",
        "1,5",
        "1e3",
        "2 ",
        " 2",
        "0x2",
        "1.5.1",
        "nan",
        "٣",
        "18446744073709551.616",
        "99999999999999999999",
    ] {
        let error = parse_ratio_milli(text).expect_err(text);
        assert_eq!(error, ParameterError::Ratio { given: text.to_owned() });
    }
    assert_eq!(
        parse_ratio_milli("2.3001").unwrap_err().to_string(),
        "ratio is \"2.3001\", but must be a decimal number with at most three decimals, such as 1.5"
    );
}

#[test]
fn every_ratio_of_three_decimals_survives_being_read() {
    for milli in 0..=100_000u64 {
        assert_eq!(parse_ratio_milli(&format!("{}.{:03}", milli / 1000, milli % 1000)), Ok(milli));
    }
}

#[test]
fn the_default_window_is_small_against_the_run_and_large_enough_for_the_ratio() {
    for (units, dedup_milli, bits) in [
        (None, 1000, 12),
        (None, 2300, 12),
        (None, 4_096_000, 12),
        (None, 4_096_001, 13),
        (Some(0), 1000, 0),
        (Some(63), 1000, 0),
        (Some(64), 1000, 0),
        (Some(127), 1000, 0),
        (Some(128), 1000, 1),
        (Some(4096), 1500, 6),
        (Some(262_143), 1000, 11),
        (Some(262_144), 1000, 12),
        (Some(u64::MAX), 1000, 12),
        (Some(1), 1001, 1),
        (Some(1), 2000, 1),
        (Some(1), 2001, 2),
        (Some(1), 1000 << 32, 32),
    ] {
        assert_eq!(default_window_bits(units, dedup_milli), bits, "{units:?} units at {dedup_milli}/1000");
        let parameters = Parameters { dedup_milli, window_bits: bits, ..defaults() };
        assert_eq!(parameters.validate(), Ok(()));
    }
    // Ratios that no window allows still give a window, and validation then names the ratio.
    assert_eq!(default_window_bits(None, u64::MAX), 32);
    assert_eq!(default_window_bits(None, 0), 12);
}

#[test]
fn codecs_and_records_are_known_by_the_names_that_plans_use() {
    for codec in Codec::ALL {
        assert_eq!(codec.name().parse(), Ok(codec));
    }
    assert_eq!(
        "gzip".parse::<Codec>().unwrap_err().to_string(),
        "codec is \"gzip\", but must be one of any, lz4, zstd, deflate, at-least"
    );
    for record in Record::ALL {
        assert_eq!(Record::from_bytes(record.bytes()), Ok(record));
    }
    assert_eq!(
        Record::from_bytes(8192).unwrap_err().to_string(),
        "record is 8192 bytes, but must be 4096, 16384 or 131072 bytes"
    );
}
