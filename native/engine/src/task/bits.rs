//! A set of claims or units that many lanes add to at once without a lock: one bit each. Must never know what they are.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

const WORD_BITS: u64 = 64;

/// A set of numbers below a fixed bound.
#[derive(Debug)]
pub(super) struct Bits {
    words: Box<[AtomicU64]>,
}

impl Bits {
    /// An empty set of numbers below `bound`.
    pub(super) fn new(bound: u64) -> Self {
        Self { words: (0..bound.div_ceil(WORD_BITS)).map(|_| AtomicU64::new(0)).collect() }
    }

    /// Adds a number; `true`: it was not there. What the adding thread did before is seen by those who find the number in
    /// the set.
    #[inline]
    pub(super) fn insert(&self, number: u64) -> bool {
        let bit = 1 << (number % WORD_BITS);
        self.words[(number / WORD_BITS) as usize].fetch_or(bit, Ordering::AcqRel) & bit == 0
    }

    /// Whether a number is in the set.
    pub(super) fn contains(&self, number: u64) -> bool {
        self.words[(number / WORD_BITS) as usize].load(Ordering::Acquire) >> (number % WORD_BITS) & 1 == 1
    }

    /// A copy of the part that lies in `span`.
    pub(super) fn copy(&self, span: Range<u64>) -> Copied {
        let words = masked(&span).map(|(word, mask)| (word, self.words[word].load(Ordering::Acquire) & mask));
        Copied(words.filter(|(_, bits)| *bits != 0).collect())
    }

    /// Adds all numbers of a copy, of this set or of another with the same bound.
    pub(super) fn insert_all(&self, copied: &Copied) {
        for (word, bits) in &copied.0 {
            self.words[*word].fetch_or(*bits, Ordering::AcqRel);
        }
    }

    /// The numbers of a copy that are not in this set.
    pub(super) fn missing_of(&self, copied: &Copied) -> Copied {
        let missing = copied.0.iter().map(|(word, bits)| (*word, bits & !self.words[*word].load(Ordering::Acquire)));
        Copied(missing.filter(|(_, bits)| *bits != 0).collect())
    }

    /// Whether all numbers of a copy are in this set.
    pub(super) fn holds(&self, copied: &Copied) -> bool {
        copied.0.iter().all(|(word, bits)| self.words[*word].load(Ordering::Acquire) & bits == *bits)
    }

    /// The numbers as runs [first, end), rising, neighbours merged.
    pub(super) fn runs(&self) -> Vec<Range<u64>> {
        runs_of(self.words.iter().map(|word| word.load(Ordering::Acquire)).enumerate())
    }
}

/// Words with their places, rising, as runs of numbers.
fn runs_of(words: impl Iterator<Item = (usize, u64)>) -> Vec<Range<u64>> {
    let mut runs: Vec<Range<u64>> = Vec::new();
    for (index, mut rest) in words {
        let mut at = index as u64 * WORD_BITS;
        while rest != 0 {
            let gap = rest.trailing_zeros();
            let length = (rest >> gap).trailing_ones();
            let first = at + u64::from(gap);
            let end = first + u64::from(length);
            match runs.last_mut() {
                Some(last) if last.end == first => last.end = end,
                _ => runs.push(first..end),
            }
            // A shift by all 64 bits is not one, so it is done in two steps.
            rest = rest >> gap >> (length - 1) >> 1;
            at = end;
        }
    }
    runs
}

/// A copy of a part of a set.
#[derive(Debug)]
pub(super) struct Copied(Vec<(usize, u64)>);

impl Copied {
    /// Whether there was nothing in it.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The numbers as runs [first, end), rising, neighbours merged.
    pub(super) fn runs(&self) -> Vec<Range<u64>> {
        runs_of(self.0.iter().copied())
    }
}

/// The words that a span touches, each with a mask of the span's bits in it.
fn masked(span: &Range<u64>) -> impl Iterator<Item = (usize, u64)> {
    let Range { start, end } = *span;
    (start / WORD_BITS..end.div_ceil(WORD_BITS)).map(move |word| {
        let low = start.saturating_sub(word * WORD_BITS);
        let high = (end - word * WORD_BITS).min(WORD_BITS);
        let below_high = if high == WORD_BITS { u64::MAX } else { (1 << high) - 1 };
        (word as usize, below_high & (u64::MAX << low))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn numbers(bits: &Bits) -> Vec<u64> {
        bits.runs().into_iter().flatten().collect()
    }

    proptest! {
        #[test]
        fn progress_tells_exactly_the_claims_that_are_done(
            wanted in prop::collection::btree_set(0u64..300, 0..200),
        ) {
            let bits = Bits::new(300);
            for number in &wanted {
                bits.insert(*number);
            }
            let runs = bits.runs();
            prop_assert!(runs.windows(2).all(|pair| pair[0].end < pair[1].start), "merged and rising: {runs:?}");
            prop_assert_eq!(numbers(&bits), wanted.into_iter().collect::<Vec<_>>());
        }

        #[test]
        fn what_was_written_after_a_sync_began_is_not_taken_for_durable(
            before in prop::collection::btree_set(0u64..300, 0..200),
            after in prop::collection::btree_set(0u64..300, 0..200),
            a in 0u64..=300, b in 0u64..=300,
        ) {
            let (written, durable) = (Bits::new(300), Bits::new(300));
            for number in &before {
                written.insert(*number);
            }
            let span = a.min(b)..a.max(b);
            let copied = written.copy(span.clone());
            for number in &after {
                written.insert(*number);
            }
            durable.insert_all(&copied);
            let wanted: BTreeSet<u64> = before.into_iter().filter(|number| span.contains(number)).collect();
            prop_assert_eq!(numbers(&durable), wanted.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_full_set_is_one_run() {
        let bits = Bits::new(192);
        for number in 0..192 {
            assert!(bits.insert(number) && !bits.insert(number));
        }
        assert_eq!(bits.runs(), vec![Range { start: 0, end: 192 }]);
    }
}
