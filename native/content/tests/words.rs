//! A word of content, found anywhere, names itself.

use proptest::prelude::*;
use seedstorm_content::{Content, Parameters, WordName};

fn word(content: &Content, name: WordName) -> [u8; 16] {
    let mut word = [0; 16];
    let offset = name.uid * content.parameters().unit_bytes + u64::from(name.index) * 16;
    content.fill(name.generation, offset, &mut word).expect("in the stream");
    word
}

proptest! {
    #[test]
    fn a_word_found_anywhere_names_its_unit_place_and_generation(
        seed: u64,
        uid in 0..1u64 << 43,
        index in 0..65_536u32,
        generation: u16,
    ) {
        let content = Content::new(&Parameters { seed, ..Parameters::default() }).unwrap();
        let name = WordName { uid, index, generation };
        prop_assert_eq!(content.name_word(&word(&content, name)), Some(name));
    }

    #[test]
    fn another_runs_word_has_no_name(seed: u64, uid in 0..1u64 << 43) {
        let content = Content::new(&Parameters { seed, ..Parameters::default() }).unwrap();
        let other = Content::new(&Parameters { seed: seed.wrapping_add(1), ..Parameters::default() }).unwrap();
        let names = (0..4).filter_map(|index| content.name_word(&word(&other, WordName { uid, index, generation: 0 })));
        // One word in 65,536 has a name by chance, and four in 10^19.
        prop_assert!(names.count() < 4);
    }
}
