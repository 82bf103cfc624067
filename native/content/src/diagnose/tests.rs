//! What a diagnosis owes the one who must find out which part of a storage lies.

use super::*;
use crate::testing::{filled, parameters};
use crate::{CELL_BYTES, Kernel, MAX_STREAM_BYTES, Parameters};
use proptest::prelude::*;
use proptest::test_runner::TestRng;

mod chance;
mod earlier;
mod shifted;
mod torn;

/// The range that is diagnosed: two units at least, of the sizes that are used here.
const LENGTH: usize = 16 * CELL_BYTES;

/// As many cases as take a second, and a few where the cipher is a hundred times slower.
fn config() -> ProptestConfig {
    ProptestConfig::with_cases(if Kernel::choose() == Ok(Kernel::Portable) { 10 } else { 150 })
}

/// Any parameters with their content, and a unit to begin at.
fn content() -> impl Strategy<Value = (Content, u64)> {
    (parameters(8), 0..1u64 << 40).prop_map(|(parameters, unit)| {
        let offset = unit * parameters.unit_bytes;
        (Content::new(&parameters).unwrap(), offset)
    })
}

/// Some sectors of the range, in bytes.
fn sectors() -> impl Strategy<Value = Range<usize>> {
    let all = LENGTH / SECTOR_BYTES;
    (0..all, 1..20usize).prop_map(move |(first, count)| first * SECTOR_BYTES..(first + count).min(all) * SECTOR_BYTES)
}

fn random(mut rng: TestRng, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    rng.fill_bytes(&mut bytes);
    bytes
}

/// The only fault that is reported once `range` of the right bytes is overwritten.
fn fault(offset: u64, range: &Range<usize>, kind: FaultKind) -> Vec<Fault> {
    vec![Fault { offset: offset + range.start as u64, length: range.len() as u64, kind }]
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn right_bytes_are_never_accused((content, offset) in content(), generation: u16, cut in 0..LENGTH) {
        let bytes = filled(&content, generation, offset, LENGTH);
        prop_assert_eq!(content.diagnose(generation, offset, &bytes), vec![]);
        prop_assert_eq!(content.diagnose(generation, offset + cut as u64, &bytes[cut..]), vec![]);
    }

    #[test]
    fn sectors_that_were_never_written_are_called_zeroed((content, offset) in content(), range in sectors()) {
        let mut bytes = filled(&content, 3, offset, LENGTH);
        bytes[range.clone()].fill(0);
        prop_assert_eq!(content.diagnose(3, offset, &bytes), fault(offset, &range, FaultKind::Zeroed));
    }

    #[test]
    fn a_lost_overwrite_is_called_stale_with_the_generation_that_is_there(
        (content, offset) in content(),
        range in sectors(),
        generation: u16,
        step in 1..=u16::MAX,
    ) {
        let old = generation.wrapping_add(step);
        let mut bytes = filled(&content, generation, offset, LENGTH);
        bytes[range.clone()].copy_from_slice(&filled(&content, old, offset, LENGTH)[range.clone()]);
        let kind = FaultKind::Stale { generation: old };
        prop_assert_eq!(content.diagnose(generation, offset, &bytes), fault(offset, &range, kind));
    }

    #[test]
    fn a_block_of_another_unit_is_called_misdirected_with_the_units_it_belongs_to(
        (content, offset) in content(),
        (cell, cells) in (0..14usize, 1..=2usize),
        (other_unit, other_cell) in (0..1u64 << 40, 0..8u64),
    ) {
        let unit_bytes = content.parameters().unit_bytes;
        let range = cell * CELL_BYTES..(cell + cells) * CELL_BYTES;
        let other_at = (other_cell * CELL_BYTES as u64) % unit_bytes;
        // Both the block and its place lie in one unit each, and hold different content.
        let at = (offset + range.start as u64) % unit_bytes;
        prop_assume!(at + range.len() as u64 <= unit_bytes && other_at + range.len() as u64 <= unit_bytes);
        let here = content.unique_unit((offset + range.start as u64) / unit_bytes);
        let there = content.unique_unit(other_unit);
        prop_assume!((here, at) != (there, other_at));

        let mut bytes = filled(&content, 1, offset, LENGTH);
        bytes[range.clone()].copy_from_slice(&filled(&content, 2, other_unit * unit_bytes + other_at, range.len()));
        let faults = content.diagnose(1, offset, &bytes);
        if here == there && at == other_at {
            let kind = FaultKind::Stale { generation: 2 };
            prop_assert_eq!(faults, fault(offset, &range, kind));
        } else {
            prop_assert_eq!(faults.len(), 1);
            prop_assert_eq!((faults[0].offset, faults[0].length), (offset + range.start as u64, range.len() as u64));
            let FaultKind::Misdirected(Place { units, unit_count, offset_in_unit, generation }) = &faults[0].kind else {
                panic!("{:?}", faults[0].kind)
            };
            prop_assert_eq!((*offset_in_unit, *generation), (other_at, 2));
            let holders = content.units_of(there).take(MAX_CANDIDATE_UNITS + 1).count();
            prop_assert_eq!(units.len(), holders.min(MAX_CANDIDATE_UNITS));
            prop_assert_eq!(*unit_count, content.units_of(there).len() as u64);
            prop_assert!(units.contains(&other_unit) || holders > MAX_CANDIDATE_UNITS);
            prop_assert!(units.iter().all(|unit| content.unique_unit(*unit) == there));
        }
    }

    #[test]
    fn one_flipped_byte_is_called_a_bit_flip_at_that_byte(
        (content, offset) in content(),
        index in 0..LENGTH,
        flip in 1..=255u8,
    ) {
        let mut bytes = filled(&content, 0, offset, LENGTH);
        bytes[index] ^= flip;
        let sector = index / SECTOR_BYTES * SECTOR_BYTES;
        let kind = FaultKind::BitFlip { bits: flip.count_ones(), first_byte_offset: offset + index as u64 };
        prop_assert_eq!(content.diagnose(0, offset, &bytes), fault(offset, &(sector..sector + SECTOR_BYTES), kind));
    }

    #[test]
    fn anybody_elses_bytes_are_called_foreign(
        (content, offset) in content(),
        range in sectors(),
        rng in any::<()>().prop_perturb(|(), rng| rng),
    ) {
        let mut bytes = filled(&content, 0, offset, LENGTH);
        bytes[range.clone()].copy_from_slice(&random(rng, range.len()));
        prop_assert_eq!(content.diagnose(0, offset, &bytes), fault(offset, &range, FaultKind::Foreign));
    }

    #[test]
    fn another_runs_bytes_are_called_foreign((content, offset) in content(), range in sectors()) {
        let namespace = format!("{}-other", content.parameters().namespace);
        let other = Content::new(&Parameters { namespace, ..content.parameters().clone() }).unwrap();
        let mut bytes = filled(&content, 0, offset, LENGTH);
        bytes[range.clone()].copy_from_slice(&filled(&other, 0, offset, LENGTH)[range.clone()]);
        prop_assert_eq!(content.diagnose(0, offset, &bytes), fault(offset, &range, FaultKind::Foreign));
    }

    #[test]
    fn a_range_that_cuts_sectors_names_the_parts_that_are_there(
        (content, offset) in content(),
        range in (0..LENGTH - 2000, 64..2000usize).prop_map(|(start, length)| start..start + length),
    ) {
        let stale = filled(&content, 4, offset, LENGTH);
        let faults = content.diagnose(5, offset + range.start as u64, &stale[range.clone()]);
        let named: u64 = faults.iter().filter(|fault| fault.kind == FaultKind::Stale { generation: 4 }).map(|f| f.length).sum();
        // A part too short to hold one whole word cannot be named.
        prop_assert!(named + 2 * 64 >= range.len() as u64, "{:?}", faults);
        prop_assert_eq!(faults.iter().map(|fault| fault.length).sum::<u64>(), range.len() as u64);
    }

    #[test]
    fn a_stale_sector_with_flipped_bits_is_still_called_stale(
        (content, offset) in content(),
        sector in 0..LENGTH / SECTOR_BYTES,
        index in 0..SECTOR_BYTES,
    ) {
        let range = sector * SECTOR_BYTES..(sector + 1) * SECTOR_BYTES;
        let mut bytes = filled(&content, 9, offset, LENGTH);
        bytes[range.clone()].copy_from_slice(&filled(&content, 8, offset, LENGTH)[range.clone()]);
        bytes[range.start + index] ^= 0x42;
        let kind = FaultKind::Stale { generation: 8 };
        prop_assert_eq!(content.diagnose(9, offset, &bytes), fault(offset, &range, kind));
    }
}

#[test]
fn a_sector_written_to_another_place_of_its_own_block_is_called_misdirected() {
    for compress_milli in [1000, 1500, 2000, 5000] {
        let parameters = Parameters { compress_milli, dedup_milli: 2000, ..Parameters::default() };
        let content = Content::new(&parameters).unwrap();
        let right = filled(&content, 0, 0, CELL_BYTES);
        for (to, from) in [(0, 7), (7, 0), (2, 3)] {
            let mut bytes = right.clone();
            let range = to * SECTOR_BYTES..(to + 1) * SECTOR_BYTES;
            bytes[range.clone()].copy_from_slice(&right[from * SECTOR_BYTES..(from + 1) * SECTOR_BYTES]);
            let mut units: Vec<_> = content.units_of(content.unique_unit(0)).collect();
            units.sort_unstable();
            let offset_in_unit = (from * SECTOR_BYTES) as u64;
            let kind = FaultKind::Misdirected(Place { unit_count: 2, units, offset_in_unit, generation: 0 });
            assert_eq!(content.diagnose(0, 0, &bytes), fault(0, &range, kind), "ratio {compress_milli}/1000");
        }
    }
}

#[test]
fn a_sector_half_right_and_half_garbage_is_foreign_and_never_blamed_on_its_own_unit() {
    for compress_milli in [1000, 2000, 10_000] {
        let content = Content::new(&Parameters { compress_milli, ..Parameters::default() }).unwrap();
        let mut bytes = filled(&content, 0, 0, CELL_BYTES);
        for sector in bytes.chunks_mut(SECTOR_BYTES) {
            sector[..256].fill(0xE7);
        }
        let faults = content.diagnose(0, 0, &bytes);
        assert_eq!(faults, fault(0, &(0..CELL_BYTES), FaultKind::Foreign), "ratio {compress_milli}/1000");
    }
}

#[test]
fn a_stale_sector_that_is_partly_garbage_is_still_called_stale() {
    for compress_milli in [1000, 2000, 10_000] {
        let content = Content::new(&Parameters { compress_milli, ..Parameters::default() }).unwrap();
        let mut bytes = filled(&content, 1, 0, CELL_BYTES);
        for sector in bytes.chunks_mut(SECTOR_BYTES) {
            sector[..256].fill(0xE7);
        }
        let faults = content.diagnose(2, 0, &bytes);
        let stale = FaultKind::Stale { generation: 1 };
        assert_eq!(faults, fault(0, &(0..CELL_BYTES), stale), "ratio {compress_milli}/1000");
    }
}

#[test]
fn many_flipped_bits_of_one_sector_are_counted_and_many_more_are_no_bit_flip() {
    let content = Content::new(&Parameters::default()).unwrap();
    let right = filled(&content, 0, 0, SECTOR_BYTES);
    let flipped = |count: usize| {
        let mut bytes = right.clone();
        bytes[..count].iter_mut().for_each(|byte| *byte ^= 1);
        content.diagnose(0, 0, &bytes).remove(0).kind
    };
    assert_eq!(flipped(64), FaultKind::BitFlip { bits: 64, first_byte_offset: 0 });
    assert_eq!(flipped(65), FaultKind::Foreign);
}

#[test]
fn a_sector_of_another_place_that_differs_in_few_bits_is_misdirected_and_no_bit_flip() {
    // Each cell repeats 32 of its first 36 bytes, so that its first sector differs from the others in four bytes.
    let parameters = Parameters { compress_milli: 72_000, codec: crate::Codec::Lz4, ..Parameters::default() };
    let content = Content::new(&parameters).unwrap();
    let mut bytes = filled(&content, 0, 0, CELL_BYTES);
    bytes.copy_within(512..1024, 0);
    let place = Place { units: vec![0], unit_count: 1, offset_in_unit: 512, generation: 0 };
    assert_eq!(content.diagnose(0, 0, &bytes), fault(0, &(0..SECTOR_BYTES), FaultKind::Misdirected(place)));
}

#[test]
fn all_units_that_misdirected_data_may_belong_to_are_listed_or_at_least_counted() {
    for (ratio, listed) in [(2, 2), (MAX_CANDIDATE_UNITS, MAX_CANDIDATE_UNITS), (128, MAX_CANDIDATE_UNITS)] {
        let parameters = Parameters { dedup_milli: ratio as u64 * 1000, ..Parameters::default() };
        let content = Content::new(&parameters).unwrap();
        let far = 1 << 50;
        let faults = content.diagnose(0, 0, &filled(&content, 0, far, SECTOR_BYTES));
        let FaultKind::Misdirected(place) = &faults[0].kind else { panic!("{faults:?}") };
        assert_eq!((place.unit_count, place.units.len()), (ratio as u64, listed));
        assert!(place.units.is_sorted());
        assert!(place.units.contains(&(far >> 20)) || ratio > MAX_CANDIDATE_UNITS);
    }
}

#[test]
fn flips_in_neighbouring_sectors_are_reported_apart() {
    let content = Content::new(&Parameters::default()).unwrap();
    let mut bytes = filled(&content, 0, 4096, 2 * SECTOR_BYTES);
    bytes[511] ^= 1;
    bytes[512] ^= 3;
    let flip = |offset, first_byte_offset, bits| Fault {
        offset,
        length: SECTOR_BYTES as u64,
        kind: FaultKind::BitFlip { bits, first_byte_offset },
    };
    assert_eq!(content.diagnose(0, 4096, &bytes), [flip(4096, 4607, 1), flip(4608, 4608, 2)]);
}

#[test]
fn bytes_beyond_the_end_of_the_stream_are_foreign_and_no_panic() {
    let content = Content::new(&Parameters::default()).unwrap();
    let faults = content.diagnose(0, MAX_STREAM_BYTES - 1, &[0; 2]);
    assert_eq!(faults, fault(MAX_STREAM_BYTES - 1, &(0..2), FaultKind::Foreign));
}
