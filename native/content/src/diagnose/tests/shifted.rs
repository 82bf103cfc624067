//! Data that stands some sectors from where it belongs, as after a partition that was moved or a lost seek.

use super::*;
use crate::testing::parameters;
use crate::{CELL_BYTES, Codec};

/// What the whole range must be called when it holds what belongs `shift` bytes further on in the stream.
fn shifted_by(content: &Content, offset: u64, shift: i64, length: usize) -> Vec<u8> {
    filled(content, 0, offset.checked_add_signed(shift).unwrap(), length)
}

/// Asserts that each fault's bytes belong `shift` bytes further on, in one of the units that it names; returns how many
/// bytes were named so.
fn assert_shift(content: &Content, faults: &[Fault], shift: i64) -> u64 {
    let unit_bytes = content.parameters().unit_bytes;
    for fault in faults {
        let from = fault.offset.checked_add_signed(shift).unwrap();
        let FaultKind::Misdirected(place) = &fault.kind else { panic!("{fault:?}") };
        assert_eq!(place.offset_in_unit, from % unit_bytes, "{fault:?}");
        assert!(place.units.contains(&(from / unit_bytes)) || place.unit_count > place.units.len() as u64, "{fault:?}");
    }
    faults.iter().map(|fault| fault.length).sum()
}

/// How many bytes there are in sectors of `bytes` that are not what they should be: where dedup gives both places the same
/// content nothing is wrong.
fn wrong(content: &Content, offset: u64, bytes: &[u8]) -> u64 {
    let is_wrong = |(nth, sector): &(usize, &[u8])| {
        content.compare(0, offset + (nth * SECTOR_BYTES) as u64, sector).unwrap().is_some()
    };
    (bytes.chunks(SECTOR_BYTES).enumerate().filter(is_wrong).count() * SECTOR_BYTES) as u64
}

/// A shift of a few sectors, some units, or far away, in either direction.
fn shifts() -> impl Strategy<Value = i64> {
    let sectors = prop_oneof![1..=9i64, 1..=200i64, 1..=1i64 << 30];
    (sectors, any::<bool>()).prop_map(|(sectors, back)| sectors * SECTOR_BYTES as i64 * if back { -1 } else { 1 })
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn data_that_is_some_sectors_off_is_called_misdirected_by_exactly_that_much(
        parameters in parameters(8),
        unit in 1u64 << 38..1 << 40,
        sector in 0..8u64,
        shift in shifts(),
        compress_milli in prop_oneof![Just(1000), 1001..12_000u32],
    ) {
        let content = Content::new(&Parameters { compress_milli, ..parameters }).unwrap();
        let offset = unit * content.parameters().unit_bytes + sector * SECTOR_BYTES as u64;
        let bytes = shifted_by(&content, offset, shift, LENGTH);
        let named = assert_shift(&content, &content.diagnose(0, offset, &bytes), shift);
        prop_assert_eq!(named, wrong(&content, offset, &bytes));
    }

    #[test]
    fn data_that_is_some_sectors_off_is_placed_rightly_even_where_all_sectors_of_a_cell_are_equal(
        dedup_milli in prop_oneof![Just(1000), 1000..4000u64],
        compress_milli in 12_000..=100_000u32,
        unit in 0u64..1 << 40,
        (sectors, back) in (1..=16i64, any::<bool>()),
        codec in prop::sample::select(&Codec::ALL[..]),
    ) {
        let unit_bytes = 8 * CELL_BYTES as u64;
        let parameters = Parameters { compress_milli, dedup_milli, codec, unit_bytes, ..Parameters::default() };
        let content = Content::new(&parameters).unwrap();
        let offset = (unit + 4) * unit_bytes;
        let shift = sectors * SECTOR_BYTES as i64 * if back { -1 } else { 1 };
        let bytes = shifted_by(&content, offset, shift, LENGTH);
        let faults = content.diagnose(0, offset, &bytes);
        // What is behind a sector tells which of the equal ones it is; behind the last ones nothing is.
        let end = offset + (LENGTH - 2 * CELL_BYTES) as u64;
        let decided: Vec<_> = faults.iter().filter(|fault| fault.offset < end).cloned().collect();
        assert_shift(&content, &decided, shift);
        prop_assert_eq!(faults.iter().map(|fault| fault.length).sum::<u64>(), wrong(&content, offset, &bytes));
    }

    #[test]
    fn a_lone_misdirected_block_of_equal_sectors_is_taken_from_a_whole_block(
        compress_milli in 12_000..=100_000u32,
        (cell, other) in (0..15usize, 0..1u64 << 30),
    ) {
        let content = Content::new(&Parameters { compress_milli, ..Parameters::default() }).unwrap();
        let mut bytes = filled(&content, 0, 0, LENGTH);
        let range = cell * CELL_BYTES..(cell + 1) * CELL_BYTES;
        bytes[range.clone()].copy_from_slice(&filled(&content, 0, (1 << 50) + other * CELL_BYTES as u64, CELL_BYTES));
        let faults = content.diagnose(0, 0, &bytes);
        prop_assert_eq!(faults.len(), 1);
        prop_assert_eq!(assert_shift(&content, &faults, (1 << 50) + other as i64 * 4096 - range.start as i64), 4096);
    }
}

#[test]
fn data_shifted_by_some_words_is_called_misdirected_by_that_much_and_never_torn() {
    for dedup_milli in [1000, 2000] {
        let parameters = Parameters { unit_bytes: 8192, dedup_milli, ..Parameters::default() };
        let content = Content::new(&parameters).unwrap();
        let bytes = filled(&content, 0, 48, LENGTH);
        let faults = content.diagnose(0, 0, &bytes);
        // Equal units are right where they are, but none of these are neighbours.
        assert_eq!(assert_shift(&content, &faults, 48), LENGTH as u64);
    }
}
