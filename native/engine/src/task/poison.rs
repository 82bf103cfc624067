//! Poison: what a buffer holds before a read, so that a read that says it went well but delivered nothing, or not all,
//! cannot pass because the right bytes were still there from before. Must never know what the right bytes are.

/// A byte that no sector of content consists of: content words are cipher text.
const POISON: u8 = 0xDB;

/// Every this many bytes a plain read carries a mark: storage delivers pages, or nothing of a page.
const STRIDE: usize = 4096;

/// Length of a mark in bytes: too long for content to hold it by chance.
const MARK_BYTES: usize = 16;

/// Poisons all of a buffer whose every byte will be compared.
pub(super) fn fill(buffer: &mut [u8]) {
    buffer.fill(POISON);
}

/// Poisons the beginning of every page of a buffer that nobody will compare: enough to tell later whether a page was
/// delivered, and so little that a plain read still measures the storage.
pub(super) fn mark(buffer: &mut [u8]) {
    for page in buffer.chunks_mut(STRIDE) {
        let length = page.len().min(MARK_BYTES);
        page[..length].fill(POISON);
    }
}

/// The first page, as an offset in bytes, that still holds the mark: it was not delivered. An end of a page that is too short
/// for a whole mark says nothing: content may hold the same by chance.
pub(super) fn undelivered(buffer: &[u8]) -> Option<usize> {
    let is_marked = |page: &[u8]| page.len() >= MARK_BYTES && page[..MARK_BYTES].iter().all(|byte| *byte == POISON);
    buffer.chunks(STRIDE).position(is_marked).map(|page| page * STRIDE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_last_byte_that_is_like_poison_by_chance_is_no_fault() {
        let mut buffer = vec![0; STRIDE + 1];
        buffer[STRIDE] = POISON;
        assert_eq!(undelivered(&buffer), None);
    }

    #[test]
    fn a_page_that_a_read_did_not_deliver_does_not_pass() {
        let mut buffer = vec![0; 4 * STRIDE];
        mark(&mut buffer);
        assert_eq!(undelivered(&buffer), Some(0));
        for page in [0, 1, 3] {
            buffer[page * STRIDE..][..STRIDE].fill(page as u8);
        }
        assert_eq!(undelivered(&buffer), Some(2 * STRIDE));
        buffer[2 * STRIDE] = 1;
        assert_eq!(undelivered(&buffer), None);
    }
}
