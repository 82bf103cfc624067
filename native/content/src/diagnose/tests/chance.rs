//! How often chance alone gives a name.

use super::*;
use crate::Kernel;
use crate::word::WordName;

/// Fewer where the cipher is a hundred times slower.
fn many(count: usize) -> usize {
    match Kernel::choose().unwrap() {
        Kernel::Portable => count / 50,
        _ => count,
    }
}

/// Bytes of no content function: xorshift64* of Vigna, "An experimental exploration of Marsaglia's xorshift generators,
/// scrambled" (2016), which shares nothing with AES.
struct Noise(u64);

impl Noise {
    fn fill(&mut self, bytes: &mut [u8]) {
        for bytes in bytes.chunks_mut(8) {
            self.0 ^= self.0 >> 12;
            self.0 ^= self.0 << 25;
            self.0 ^= self.0 >> 27;
            bytes.copy_from_slice(&self.0.wrapping_mul(0x2545_F491_4F6C_DD1D).to_le_bytes()[..bytes.len()]);
        }
    }
}

#[test]
fn one_word_in_65536_has_a_name_by_chance_which_is_why_one_word_names_nothing() {
    let content = Content::new(&Parameters::default()).unwrap();
    let mut noise = Noise(1);
    let words = many(4 << 20);
    let named = (0..words).filter(|_| {
        let mut word = [0; WORD_BYTES];
        noise.fill(&mut word);
        content.name_word(&word).is_some()
    });
    let (named, expected) = (named.count() as f64, words as f64 / 65_536.0);
    // The noise is always the same, so this fails always or never; it stands at four standard deviations.
    assert!((named - expected).abs() <= 4.0 * expected.sqrt().max(1.0), "{named} of {words}, expected {expected}");
}

#[test]
fn not_one_of_many_random_sectors_has_a_name_for_any_of_the_runs_looked_for() {
    let contents: Vec<_> = (0..3)
        .map(|seed| {
            Content::new(&Parameters { seed, compress_milli: 1000 + 10_000 * seed as u32, ..Parameters::default() })
                .unwrap()
        })
        .collect();
    let diagnosis = Diagnosis::of(&contents[0]).earlier(&contents[1..]).unwrap();
    let mut noise = Noise(2);
    let mut bytes = vec![0; 1 << 20];
    // 131,072 sectors have 4 million words, of which about 64 have a name by chance for each of the three runs.
    for nth in 0..many(64).max(1) as u64 {
        let length = bytes.len().min(many(bytes.len()) / SECTOR_BYTES * SECTOR_BYTES);
        noise.fill(&mut bytes[..length]);
        let faults = diagnosis.run(0, nth << 20, &bytes[..length]);
        assert_eq!(faults, fault(nth << 20, &(0..length), FaultKind::Foreign));
    }
}

#[test]
fn a_wrong_name_by_chance_is_not_to_be_expected_in_an_exabyte() {
    // A sector is named when one of its 32 words has the mark of 16 bits by chance, and then AGREEING_BYTES of it in a
    // row, that word's own included, are those of one of the places that the name may stand for: nine, at most.
    let names = 32.0 * 2f64.powi(-16);
    let agreement = 9.0 * SECTOR_BYTES as f64 * 2f64.powi(-8 * (AGREEING_BYTES - WORD_BYTES) as i32);
    let runs = (MAX_EARLIER_RUNS + 1) as f64;
    let one_sector = runs * names * agreement;
    assert!(one_sector < 2f64.powi(-121), "2^{}", one_sector.log2());
    let exabyte_of_sectors = 2f64.powi(60) / SECTOR_BYTES as f64;
    assert!(one_sector * exabyte_of_sectors < 2f64.powi(-70));
}

#[test]
fn random_bytes_with_one_genuine_word_among_them_are_foreign() {
    for compress_milli in [1000, 2000, 10_000, 100_000] {
        let content = Content::new(&Parameters { compress_milli, ..Parameters::default() }).unwrap();
        let mut noise = Noise(3);
        for place in (0..SECTOR_BYTES).step_by(WORD_BYTES) {
            let mut bytes = [0; SECTOR_BYTES];
            noise.fill(&mut bytes);
            let word = &mut bytes[place..place + WORD_BYTES];
            word.copy_from_slice(&filled(&content, 3, 7 << 20, WORD_BYTES));
            let name = content.name_word(bytes[place..].first_chunk().unwrap());
            assert_eq!(name, Some(WordName { uid: 7, index: 0, generation: 3 }), "it is genuine");
            assert_eq!(content.diagnose(0, 0, &bytes), fault(0, &(0..SECTOR_BYTES), FaultKind::Foreign), "at {place}");
        }
    }
}

#[test]
fn one_genuine_word_written_all_over_a_sector_is_foreign() {
    let content = Content::new(&Parameters { compress_milli: 100_000, ..Parameters::default() }).unwrap();
    let bytes = filled(&content, 0, 7 << 20, WORD_BYTES).repeat(SECTOR_BYTES / WORD_BYTES);
    assert_eq!(content.diagnose(0, 0, &bytes), fault(0, &(0..SECTOR_BYTES), FaultKind::Foreign));
}

#[test]
fn genuine_words_of_as_many_places_as_there_are_words_are_foreign() {
    let content = Content::new(&Parameters::default()).unwrap();
    let words = (1..33u64).flat_map(|unit| filled(&content, 0, (unit << 20) + unit * 160, WORD_BYTES));
    let bytes: Vec<_> = words.collect();
    assert_eq!(content.diagnose(0, 0, &bytes), fault(0, &(0..SECTOR_BYTES), FaultKind::Foreign));
}

#[test]
fn a_word_alone_at_the_edge_of_a_range_is_not_named() {
    let content = Content::new(&Parameters::default()).unwrap();
    let bytes = filled(&content, 1, 496, WORD_BYTES);
    assert_eq!(content.diagnose(0, 496, &bytes), fault(496, &(0..WORD_BYTES), FaultKind::Foreign));
}
