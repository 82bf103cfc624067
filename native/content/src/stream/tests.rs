//! What fill and compare owe everybody who writes or verifies.

use crate::testing::{described_byte, filled, offset, parameters};
use crate::{Content, Kernel, MAX_STREAM_BYTES, Parameters, RangeError};
use proptest::prelude::*;

/// Longer than several cells and units of the small sizes that `parameters` gives here.
const LENGTH: usize = 40_000;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn bytes_are_those_of_the_description(
        (parameters, generation) in (parameters(4), any::<u16>()),
        offset in offset(LENGTH),
        samples in prop::collection::vec(0..LENGTH, 20),
    ) {
        let content = Content::new(&parameters).unwrap();
        let bytes = filled(&content, generation, offset, LENGTH);
        for sample in samples {
            let described = described_byte(&parameters, content.key(), generation, offset + sample as u64);
            prop_assert_eq!(bytes[sample], described, "byte {}", sample);
        }
    }

    #[test]
    fn any_chunk_sizes_and_call_order_give_the_same_bytes(
        (parameters, generation) in (parameters(4), any::<u16>()),
        offset in offset(LENGTH),
        mut cuts in prop::collection::vec(prop_oneof![0..=LENGTH, (0..=LENGTH / 512).prop_map(|sector| sector * 512)], 0..12),
        reverse: bool,
    ) {
        let content = Content::new(&parameters).unwrap();
        let whole = filled(&content, generation, offset, LENGTH);
        cuts.extend([0, LENGTH]);
        cuts.sort_unstable();
        let mut ranges: Vec<_> = cuts.windows(2).map(|cut| cut[0]..cut[1]).collect();
        if reverse {
            ranges.reverse();
        }
        let mut parts = vec![0xA5; LENGTH];
        for range in ranges {
            content.fill(generation, offset + range.start as u64, &mut parts[range]).unwrap();
        }
        prop_assert!(parts == whole);
    }

    #[test]
    fn every_kernel_gives_the_same_bytes_and_verdicts(
        (parameters, generation) in (parameters(4), any::<u16>()),
        offset in offset(LENGTH),
        wrong in 0..LENGTH,
    ) {
        let content = Content::new(&parameters).unwrap();
        let bytes = filled(&content, generation, offset, LENGTH);
        for kernel in Kernel::available() {
            let content = content.clone().on_kernel(kernel).unwrap();
            let mut other = filled(&content, generation, offset, LENGTH);
            prop_assert!(other == bytes, "{}", kernel);
            prop_assert_eq!(content.compare(generation, offset, &other), Ok(None));
            other[wrong] ^= 0x10;
            prop_assert_eq!(content.compare(generation, offset, &other), Ok(Some(wrong)));
        }
    }

    #[test]
    fn bytes_that_go_past_the_caches_are_the_same_wherever_the_buffer_begins_and_nothing_beside_it_is_written(
        (parameters, generation) in (parameters(4), any::<u16>()),
        offset in offset(LENGTH).prop_flat_map(|offset| prop_oneof![Just(offset), Just(offset / 4096 * 4096)]),
        at in prop_oneof![0..130_usize, (0..8_usize).prop_map(|words| words * 16)],
        length in 0..=LENGTH,
    ) {
        let content = Content::new(&parameters).unwrap();
        let expected = filled(&content, generation, offset, length);
        for kernel in Kernel::available() {
            let content = content.clone().on_kernel(kernel).unwrap();
            let mut room = vec![0xA5; at + length + 100];
            content.fill_streaming(generation, offset, &mut room[at..at + length]).unwrap();
            prop_assert!(room[at..at + length] == expected, "{}", kernel);
            prop_assert!(room[..at].iter().chain(&room[at + length..]).all(|byte| *byte == 0xA5), "{}", kernel);
        }
    }

    #[test]
    fn the_first_wrong_byte_of_any_range_is_found(
        (parameters, generation) in (parameters(4), any::<u16>()),
        offset in offset(LENGTH),
        range in (0..LENGTH, 1..=LENGTH).prop_map(|(start, length)| start..LENGTH.min(start + length)),
        wrong in prop::collection::vec((0..LENGTH, 1..=255u8), 0..4),
    ) {
        let content = Content::new(&parameters).unwrap();
        let right = filled(&content, generation, offset, LENGTH);
        let mut bytes = right.clone();
        for (index, flip) in wrong {
            bytes[index] ^= flip;
        }
        let first = range.clone().find(|index| bytes[*index] != right[*index]).map(|index| index - range.start);
        prop_assert_eq!(content.compare(generation, offset + range.start as u64, &bytes[range]), Ok(first));
    }

    #[test]
    fn every_generation_and_namespace_has_bytes_of_its_own(
        parameters in parameters(2),
        offset in offset(32),
        generations in (any::<u16>(), any::<u16>()).prop_filter("the same", |(one, other)| one != other),
    ) {
        let content = Content::new(&parameters).unwrap();
        let named = Parameters { namespace: format!("{}-", parameters.namespace), ..parameters };
        let other = Content::new(&named).unwrap();
        let bytes = filled(&content, generations.0, offset, 32);
        prop_assert_ne!(&bytes, &filled(&content, generations.1, offset, 32));
        prop_assert_ne!(&bytes, &filled(&other, generations.0, offset, 32));
    }
}

/// Every range of up to three words around a cell's start and around the end of its literal bytes, every byte in turn.
#[test]
fn no_single_wrong_byte_is_missed_at_the_edges_of_a_range() {
    for kernel in Kernel::available() {
        for compress_milli in [1000, 2000] {
            let parameters = Parameters { compress_milli, ..Parameters::default() };
            let content = Content::new(&parameters).unwrap().on_kernel(kernel).unwrap();
            for start in (4076..4116).chain(4096 + 2007 - 40..4096 + 2007 + 8) {
                for length in 0..=48 {
                    let mut bytes = filled(&content, 0, start, length);
                    assert_eq!(content.compare(0, start, &bytes), Ok(None));
                    for wrong in 0..length {
                        bytes[wrong] ^= 0x80;
                        assert_eq!(content.compare(0, start, &bytes), Ok(Some(wrong)), "{length} bytes from {start}");
                        bytes[wrong] ^= 0x80;
                    }
                }
            }
        }
    }
}

#[test]
fn no_wrong_byte_of_a_cell_is_missed_even_where_two_are_wrong_alike() {
    for kernel in Kernel::available() {
        for compress_milli in [1000, 2000] {
            let parameters = Parameters { compress_milli, ..Parameters::default() };
            let content = Content::new(&parameters).unwrap().on_kernel(kernel).unwrap();
            let right = filled(&content, 0, 0, 4096);
            for wrong in 0..4096 - 16 {
                for also in [wrong, wrong + 16] {
                    let mut bytes = right.clone();
                    bytes[wrong] ^= 1;
                    bytes[also] ^= if also == wrong { 0 } else { 1 };
                    assert_eq!(content.compare(0, 0, &bytes), Ok(Some(wrong)));
                }
            }
        }
    }
}

#[test]
fn the_largest_unit_is_filled_and_compared_up_to_its_last_byte() {
    let parameters = Parameters { unit_bytes: crate::MAX_UNIT_BYTES, compress_milli: 3000, ..Parameters::default() };
    let content = Content::new(&parameters).unwrap();
    let offset = 3 * crate::MAX_UNIT_BYTES - 5000;
    let bytes = filled(&content, 1, offset, 10_000);
    for (nth, byte) in bytes.iter().enumerate() {
        assert_eq!(*byte, described_byte(&parameters, content.key(), 1, offset + nth as u64), "byte {nth}");
    }
    assert_eq!(content.compare(1, offset, &bytes), Ok(None));
}

#[test]
fn the_last_byte_of_the_stream_is_there_and_the_next_is_an_error() {
    let content = Content::new(&Parameters { dedup_milli: 3000, ..Parameters::default() }).unwrap();
    let last = filled(&content, 0, MAX_STREAM_BYTES - 1, 1);
    assert_eq!(content.compare(0, MAX_STREAM_BYTES - 1, &last), Ok(None));
    assert_eq!(content.fill(0, MAX_STREAM_BYTES, &mut []), Ok(()));
    for (offset, length) in [(MAX_STREAM_BYTES - 1, 2), (MAX_STREAM_BYTES, 1), (u64::MAX, 1)] {
        let mut bytes = vec![7; length];
        let error = Err(RangeError { offset, length });
        assert_eq!(content.fill(0, offset, &mut bytes), error);
        assert!(bytes.iter().all(|byte| *byte == 7), "a range that is refused is untouched");
        assert_eq!(content.compare(0, offset, &bytes).map(|_| ()), error);
    }
}

#[test]
fn compressible_bytes_have_no_zero_run_and_no_two_equal_sectors() {
    for compress_milli in [1100, 1500, 2000, 3000, 5000, 8000, 12_000] {
        let parameters = Parameters { compress_milli, ..Parameters::default() };
        let bytes = filled(&Content::new(&parameters).unwrap(), 0, 0, 64 * 4096);
        let sectors: std::collections::HashSet<_> = bytes.chunks(512).collect();
        assert_eq!(sectors.len(), bytes.len() / 512, "ratio {compress_milli}/1000");
        assert!(!bytes.windows(16).any(|run| run == [0; 16]), "ratio {compress_milli}/1000");
    }
}
