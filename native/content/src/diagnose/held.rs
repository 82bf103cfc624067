//! What a range was found to hold, in terms of unique units: what the steps of a diagnosis tell one another, before it is
//! put in terms of units for people.

/// A byte's place in the content of some run: where some bytes may have come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    /// 0 for the stream that is diagnosed; earlier run `n` is `n` + 1.
    pub(super) run: usize,
    /// The unique unit.
    pub(super) uid: u64,
    /// Its generation.
    pub(super) generation: u16,
    /// Where in the unit. Outside of it where only some later or earlier bytes of a sector are the unit's.
    pub(super) at: i64,
}

impl Origin {
    /// The origin of what lies this many bytes behind it.
    pub(super) fn plus(self, bytes: usize) -> Self {
        Self { at: self.at + bytes as i64, ..self }
    }
}

/// A range that holds one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Held {
    /// Where it begins, in bytes from the start of the stream.
    pub(super) offset: u64,
    /// Its length in bytes.
    pub(super) length: usize,
    /// What it holds.
    pub(super) what: What,
}

/// What a range holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// What it should, which is this.
    Right(Origin),
    /// What it should, but for flipped bits.
    Flipped { origin: Origin, bits: u32, first_byte_offset: u64 },
    /// Zeros.
    Zeros,
    /// This place's content of another generation.
    Stale(Origin),
    /// Content of another place or run.
    Stray(Origin),
    /// A mixture of these.
    Torn(Vec<Held>),
    /// Nothing known.
    Foreign,
}

impl Held {
    /// Where its first byte comes from, if that is known.
    pub(super) fn origin(&self) -> Option<Origin> {
        match &self.what {
            What::Right(origin) | What::Flipped { origin, .. } | What::Stale(origin) | What::Stray(origin) => {
                Some(*origin)
            }
            What::Zeros | What::Torn(_) | What::Foreign => None,
        }
    }

    /// Whether what begins where this ends is its continuation, so that both are one.
    fn goes_on_with(&self, next: &Self) -> bool {
        let adjacent = self.offset + self.length as u64 == next.offset;
        adjacent
            && match (&self.what, &next.what) {
                (What::Right(origin), What::Right(next))
                | (What::Stale(origin), What::Stale(next))
                | (What::Stray(origin), What::Stray(next)) => origin.plus(self.length) == *next,
                (What::Zeros, What::Zeros) | (What::Foreign, What::Foreign) => true,
                _ => false,
            }
    }
}

/// Adds what a range holds, or makes the last range longer where this one only goes on with it.
pub(super) fn append(held: &mut Vec<Held>, next: Held) {
    match held.last_mut() {
        Some(last) if last.goes_on_with(&next) => last.length += next.length,
        _ => held.push(next),
    }
}
