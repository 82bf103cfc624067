//! The places that a wrong sector's words say it may come from.

use super::held::Origin;
use super::sector::Sector;
use super::{Diagnosis, SECTOR_BYTES};
use crate::word::WordName;
use crate::{CELL_BYTES, Content, WORD_BYTES};

/// Most origins of one run that are looked at for a sector: those that the most words speak for. A sector of 512 bytes has
/// 32 words; one of a cell that repeats a short period stands in up to eight sectors of the cell.
pub(super) const MAX_ORIGINS: usize = 64;

/// What a word in a sector says: its name, and where in the sector it stands.
struct Clue {
    place: usize,
    name: WordName,
}

impl Diagnosis<'_> {
    /// Where the first byte of a sector comes from if one of its words is of this run's content: every such place once,
    /// those that the most words speak for first. Among equals the first is the same place of a cell as the sector's own,
    /// since storage misplaces whole blocks, and then the other sectors, since it misplaces whole sectors.
    pub(super) fn origins(&self, run: usize, sector: &Sector) -> Vec<Origin> {
        let content = self.content_of(Origin { run, ..sector.expected });
        let clues = words(sector).filter_map(|(place, word)| Some(Clue { place, name: content.name_word(word)? }));
        let mut origins: Vec<(Origin, usize)> = Vec::new();
        for clue in clues.filter(|clue| is_possible(content, clue)) {
            for at in places(content, &clue, sector.expected.at) {
                let origin = Origin { run, uid: clue.name.uid, generation: clue.name.generation, at };
                match origins.iter_mut().find(|(known, _)| *known == origin) {
                    Some((_, votes)) => *votes += 1,
                    None => origins.push((origin, 1)),
                }
            }
        }
        origins.sort_by_key(|(origin, votes)| (usize::MAX - votes, sector.distance(*origin)));
        origins.truncate(MAX_ORIGINS);
        origins.into_iter().map(|(origin, _)| origin).collect()
    }
}

impl Sector<'_> {
    /// How unlikely storage is to take the sector from there: in steps, 0 is the likeliest.
    pub(super) fn distance(&self, origin: Origin) -> u8 {
        let shift = origin.at - self.expected.at;
        if is_multiple(shift, CELL_BYTES) {
            0
        } else if is_multiple(shift, SECTOR_BYTES) {
            1
        } else {
            2
        }
    }
}

fn is_multiple(shift: i64, bytes: usize) -> bool {
    shift.rem_euclid(bytes as i64) == 0
}

/// The whole words of a sector, with the place of each in it.
fn words<'a>(sector: &Sector<'a>) -> impl Iterator<Item = (usize, &'a [u8; WORD_BYTES])> {
    let first = (sector.expected.at as usize).next_multiple_of(WORD_BYTES) - sector.expected.at as usize;
    let words = sector.actual.get(first..).unwrap_or_default().as_chunks().0;
    words.iter().enumerate().map(move |(nth, word)| (first + nth * WORD_BYTES, word))
}

/// Whether any unit holds such a word: most names that come by chance are beyond all units.
fn is_possible(content: &Content, clue: &Clue) -> bool {
    let start = u64::from(clue.name.index) * WORD_BYTES as u64;
    start < content.unit_bytes()
        && start as usize % CELL_BYTES + WORD_BYTES <= content.cell.literal
        && content.units_of(clue.name.uid).len() > 0
}

/// Where in its unit a sector begins that has a word at this place. In the repeated part of a cell a word stands in
/// places that are not its own; of these only those count that keep sectors on sectors.
fn places(content: &Content, clue: &Clue, expected_at: i64) -> impl Iterator<Item = i64> {
    let own = clue.name.index as usize * WORD_BYTES;
    let (period, place) = (content.cell.period, clue.place as i64);
    let repetitions = if content.cell.is_plain() { 0 } else { (CELL_BYTES - WORD_BYTES - own % CELL_BYTES) / period };
    (0..=repetitions)
        .map(move |nth| (own + nth * period) as i64 - place)
        .enumerate()
        .filter_map(move |(nth, at)| (nth == 0 || is_multiple(at - expected_at, SECTOR_BYTES)).then_some(at))
}
