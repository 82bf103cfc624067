//! Mixtures inside what the storage promised to write as a whole.

use super::*;
use crate::{CELL_BYTES, Codec};

/// Where unit 5 begins; unit 0 is what is diagnosed.
const ELSEWHERE: u64 = 5 << 20;

fn part(range: Range<u64>, kind: Option<FaultKind>) -> Part {
    Part { offset: range.start, length: range.end - range.start, kind }
}

fn torn(offset: u64, length: u64, parts: Vec<Part>) -> Fault {
    Fault { offset, length, kind: FaultKind::Torn { part_count: parts.len(), parts } }
}

fn misdirected(unit: u64, offset_in_unit: u64, generation: u16) -> FaultKind {
    FaultKind::Misdirected(Place { units: vec![unit], unit_count: 1, offset_in_unit, generation })
}

/// Content of any compression ratio.
fn contents() -> impl Strategy<Value = Content> {
    prop_oneof![Just(1000), 1001..10_000u32, 10_000..=100_000u32]
        .prop_map(|compress_milli| Content::new(&Parameters { compress_milli, ..Parameters::default() }).unwrap())
}

/// A place to cut a sector, with enough on both sides for a name.
fn cuts() -> impl Strategy<Value = usize> {
    AGREEING_BYTES + 16..SECTOR_BYTES - AGREEING_BYTES - 16
}

/// Whether a reported boundary is the one where the bytes were cut: bytes that agree by chance leave it open by a few.
fn is_cut(parts: &[Part], offset: u64, cut: usize) -> bool {
    parts.len() == 2 && parts[1].offset.abs_diff(offset + cut as u64) <= 8 && parts[0].length + parts[1].length == 512
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_sector_that_was_half_overwritten_when_power_failed_is_called_torn_with_both_generations(
        content in contents(),
        sector in 0..64usize,
        cut in cuts(),
        new_first: bool,
    ) {
        let range = sector * SECTOR_BYTES..(sector + 1) * SECTOR_BYTES;
        let mut bytes = filled(&content, 4, 0, LENGTH);
        let old = filled(&content, 3, 0, LENGTH);
        let old_part = if new_first { range.start + cut..range.end } else { range.start..range.start + cut };
        bytes[old_part.clone()].copy_from_slice(&old[old_part]);
        let faults = content.diagnose(4, 0, &bytes);
        prop_assert_eq!(faults.len(), 1);
        prop_assert_eq!((faults[0].offset, faults[0].length), (range.start as u64, 512));
        let FaultKind::Torn { parts, part_count } = &faults[0].kind else { panic!("{:?}", faults[0]) };
        prop_assert_eq!(*part_count, 2);
        prop_assert!(is_cut(parts, range.start as u64, cut), "{:?}", parts);
        let stale = Some(FaultKind::Stale { generation: 3 });
        let kinds = if new_first { [None, stale] } else { [stale, None] };
        prop_assert_eq!(parts.iter().map(|part| part.kind.clone()).collect::<Vec<_>>(), kinds);
    }

    #[test]
    fn a_sector_whose_rest_was_never_written_is_called_torn_and_neither_zeroed_nor_foreign(
        content in contents(),
        sector in 0..64usize,
        cut in cuts(),
    ) {
        let start = sector * SECTOR_BYTES;
        let mut bytes = filled(&content, 0, 0, LENGTH);
        bytes[start + cut..start + SECTOR_BYTES].fill(0);
        let faults = content.diagnose(0, 0, &bytes);
        prop_assert_eq!(faults.len(), 1);
        let FaultKind::Torn { parts, .. } = &faults[0].kind else { panic!("{:?}", faults[0]) };
        prop_assert!(is_cut(parts, start as u64, cut), "{:?}", parts);
        prop_assert_eq!((&parts[0].kind, &parts[1].kind), (&None, &Some(FaultKind::Zeroed)));
    }

    #[test]
    fn a_sector_of_two_other_places_is_called_torn_with_both(
        compress_milli in prop_oneof![Just(1000), 1001..5000u32],
        codec in prop::sample::select(&Codec::ALL[..]),
        cut in (3..13usize).prop_map(|words| words * 32),
    ) {
        let content = Content::new(&Parameters { compress_milli, codec, ..Parameters::default() }).unwrap();
        let mut bytes = filled(&content, 1, 0, CELL_BYTES);
        bytes[..cut].copy_from_slice(&filled(&content, 1, ELSEWHERE, cut));
        bytes[cut..512].copy_from_slice(&filled(&content, 2, ELSEWHERE + cut as u64, 512 - cut));
        let cut = cut as u64;
        let parts = vec![
            part(0..cut, Some(misdirected(5, 0, 1))),
            part(cut..512, Some(misdirected(5, cut, 2))),
        ];
        prop_assert_eq!(content.diagnose(1, 0, &bytes), [torn(0, 512, parts)]);
    }

    #[test]
    fn what_is_whole_is_never_called_torn_however_large_the_object_it_is_in(
        (content, offset) in content(),
        other in 0..1u64 << 40,
        generation: u16,
        atomic in (1..=40u64).prop_map(|sectors| sectors * SECTOR_BYTES as u64),
    ) {
        // All of it is from elsewhere by one shift: a whole object that was taken for another.
        let bytes = filled(&content, generation, other * content.parameters().unit_bytes, LENGTH);
        for fault in Diagnosis::of(&content).atomic_bytes(atomic).unwrap().run(3, offset, &bytes) {
            prop_assert!(!matches!(fault.kind, FaultKind::Torn { .. }), "{:?}", fault);
        }
    }
}

#[test]
fn half_a_sector_of_another_unit_is_named_with_the_place_it_belongs_to() {
    let content = Content::new(&Parameters::default()).unwrap();
    let mut bytes = filled(&content, 0, 0, CELL_BYTES);
    // The very beginning of another unit, in the second half of a sector: as a whole it would begin before its unit.
    bytes[768..1024].copy_from_slice(&filled(&content, 0, ELSEWHERE, 256));
    let parts = vec![part(512..768, None), part(768..1024, Some(misdirected(5, 0, 0)))];
    assert_eq!(content.diagnose(0, 0, &bytes), [torn(512, 512, parts)]);
}

#[test]
fn the_beginning_of_a_unit_behind_garbage_is_named_and_has_no_place_before_its_unit() {
    let content = Content::new(&Parameters::default()).unwrap();
    let mut bytes = vec![0xE7; SECTOR_BYTES];
    bytes[256..].copy_from_slice(&filled(&content, 0, ELSEWHERE, 256));
    let parts = vec![part(0..256, Some(FaultKind::Foreign)), part(256..512, Some(misdirected(5, 0, 0)))];
    assert_eq!(content.diagnose(0, 0, &bytes), [torn(0, 512, parts)]);
}

#[test]
fn stale_sectors_in_a_block_are_torn_only_where_the_device_writes_whole_blocks() {
    let content = Content::new(&Parameters { compress_milli: 2000, ..Parameters::default() }).unwrap();
    let mut bytes = filled(&content, 2, 0, 3 * CELL_BYTES);
    bytes[5120..7168].copy_from_slice(&filled(&content, 1, 5120, 2048));
    let stale = FaultKind::Stale { generation: 1 };
    assert_eq!(content.diagnose(2, 0, &bytes), fault(0, &(5120..7168), stale.clone()));

    let parts = vec![part(4096..5120, None), part(5120..7168, Some(stale)), part(7168..8192, None)];
    let diagnosis = Diagnosis::of(&content).atomic_bytes(4096).unwrap();
    assert_eq!(diagnosis.run(2, 0, &bytes), [torn(4096, 4096, parts)]);
}

#[test]
fn a_block_that_is_wholly_stale_is_not_torn_where_the_device_writes_whole_blocks() {
    let content = Content::new(&Parameters::default()).unwrap();
    let mut bytes = filled(&content, 2, 0, 3 * CELL_BYTES);
    bytes[4096..8192].copy_from_slice(&filled(&content, 1, 4096, 4096));
    let diagnosis = Diagnosis::of(&content).atomic_bytes(4096).unwrap();
    assert_eq!(diagnosis.run(2, 0, &bytes), fault(0, &(4096..8192), FaultKind::Stale { generation: 1 }));
}

#[test]
fn an_object_of_two_generations_is_called_torn_though_each_of_its_units_is_whole() {
    let content = Content::new(&Parameters { unit_bytes: 8192, ..Parameters::default() }).unwrap();
    let object = 4 * 8192;
    let mut bytes = filled(&content, 2, 0, 2 * object as usize);
    bytes[40_960..57_344].copy_from_slice(&filled(&content, 1, 40_960, 16_384));
    let stale = Some(FaultKind::Stale { generation: 1 });
    let parts = vec![part(object..40_960, None), part(40_960..57_344, stale), part(57_344..2 * object, None)];
    let diagnosis = Diagnosis::of(&content).atomic_bytes(object).unwrap();
    assert_eq!(diagnosis.run(2, 0, &bytes), [torn(object, object, parts)]);
}

#[test]
fn flipped_bits_and_garbage_in_a_block_are_named_as_what_they_are_and_do_not_make_it_torn() {
    let content = Content::new(&Parameters::default()).unwrap();
    let mut bytes = filled(&content, 2, 0, CELL_BYTES);
    bytes[700] ^= 4;
    bytes[1024..1536].fill(0xE7);
    let diagnosis = Diagnosis::of(&content).atomic_bytes(4096).unwrap();
    let flip = FaultKind::BitFlip { bits: 1, first_byte_offset: 700 };
    let faults = [fault(0, &(512..1024), flip), fault(0, &(1024..1536), FaultKind::Foreign)].concat();
    assert_eq!(diagnosis.run(2, 0, &bytes), faults);
}

#[test]
fn a_flipped_bit_in_a_torn_sector_does_not_hide_that_it_is_torn() {
    let content = Content::new(&Parameters::default()).unwrap();
    let mut bytes = filled(&content, 1, 0, SECTOR_BYTES);
    bytes[256..].copy_from_slice(&filled(&content, 0, 256, 256));
    bytes[100] ^= 1;
    bytes[400] ^= 1;
    let parts = vec![part(0..256, None), part(256..512, Some(FaultKind::Stale { generation: 0 }))];
    assert_eq!(content.diagnose(1, 0, &bytes), [torn(0, 512, parts)]);
}

#[test]
fn half_a_sector_of_garbage_with_zeros_in_it_is_foreign_and_not_torn() {
    let content = Content::new(&Parameters::default()).unwrap();
    let mut bytes = filled(&content, 0, 0, SECTOR_BYTES);
    bytes[256..].fill(0xE7);
    bytes[300..400].fill(0);
    assert_eq!(content.diagnose(0, 0, &bytes), fault(0, &(0..SECTOR_BYTES), FaultKind::Foreign));
}

#[test]
fn a_sector_in_many_pieces_lists_the_first_of_them_and_counts_all() {
    let content = Content::new(&Parameters::default()).unwrap();
    let mut bytes = filled(&content, 0, 0, SECTOR_BYTES);
    for (nth, piece) in bytes.as_chunks_mut::<AGREEING_BYTES>().0.iter_mut().enumerate().skip(1) {
        let unit = (100 + nth as u64) << 20;
        piece.copy_from_slice(&filled(&content, 0, unit + (nth * AGREEING_BYTES) as u64, AGREEING_BYTES));
    }
    let faults = content.diagnose(0, 0, &bytes);
    let [Fault { offset: 0, length: 512, kind: FaultKind::Torn { parts, part_count: 16 } }] = &faults[..] else {
        panic!("{faults:?}")
    };
    assert_eq!(parts.len(), MAX_LISTED_PARTS);
    assert_eq!(parts[0], part(0..32, None));
    assert_eq!(parts[7], part(224..256, Some(misdirected(107, 224, 0))));
}

#[test]
fn an_atom_that_is_no_number_of_sectors_is_refused() {
    let content = Content::new(&Parameters::default()).unwrap();
    for given in [0, 1, 511, 520, 4095] {
        let error = Diagnosis::of(&content).atomic_bytes(given).unwrap_err();
        assert_eq!(error, DiagnosisError::AtomicBytes { given });
        assert!(error.to_string().contains(&given.to_string()));
    }
}
