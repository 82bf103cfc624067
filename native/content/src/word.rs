//! The counter behind a word of 16 bytes, which is also the word's name: unique unit, generation, index in the unit,
//! and a mark that tells a word of ours from chance.

/// Marks a counter as a content word's (bits 112…127).
const WORD_MARK: u16 = 0x5EED;

/// What one more word adds to a counter: one, in the index at bits 64…95.
pub(crate) const NEXT_WORD: u128 = 1 << 64;

/// The counter of word `index` of a unique unit.
pub(crate) const fn counter(uid: u64, generation: u16, index: u32) -> u128 {
    uid as u128 | (index as u128) << 64 | (generation as u128) << 96 | (WORD_MARK as u128) << 112
}

/// What a word of 16 bytes says that it is, by the inverse of the function that made it.
///
/// One word proves little: one in 65,536 of anybody's bytes has a name by chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WordName {
    /// The unique unit; see `Content::units_of` for the units that hold it.
    pub uid: u64,
    /// The word's index in its unit, in words of 16 bytes. Not checked against the size of a unit.
    pub index: u32,
    /// How often its cell had been rewritten.
    pub generation: u16,
}

/// The name in a counter, if the counter has a content word's mark.
pub(crate) fn name(counter: u128) -> Option<WordName> {
    let marked = (counter >> 112) as u16 == WORD_MARK;
    marked.then_some(WordName {
        uid: counter as u64,
        index: (counter >> 64) as u32,
        generation: (counter >> 96) as u16,
    })
}
