//! How much of a mapping lies on huge pages, from `/proc/self/smaps`: transparent ones come and go by themselves.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader};

/// Bytes on huge pages of the mappings that begin at these addresses; 0 where the system does not tell.
pub(crate) fn huge_bytes(starts: &[usize]) -> Vec<u64> {
    let found = File::open("/proc/self/smaps").map(|file| by_start(BufReader::new(file), starts)).unwrap_or_default();
    starts.iter().map(|start| found.get(start).copied().unwrap_or(0)).collect()
}

fn by_start(smaps: impl BufRead, starts: &[usize]) -> HashMap<usize, u64> {
    let mut found = HashMap::new();
    let mut current = None;
    for line in smaps.lines().map_while(Result::ok) {
        let mut words = line.split_ascii_whitespace();
        let (Some(first), Some(second)) = (words.next(), words.next()) else { continue };
        if let Some(field) = first.strip_suffix(':') {
            let is_huge = ["AnonHugePages", "Private_Hugetlb", "Shared_Hugetlb"].contains(&field);
            if let (Some(start), true, Ok(kibibytes)) = (current, is_huge, second.parse::<u64>()) {
                *found.entry(start).or_default() += kibibytes << 10;
            }
        } else if let Some((start, _)) = first.split_once('-') {
            current = usize::from_str_radix(start, 16).ok().filter(|start| starts.contains(start));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_huge_pages_of_the_mappings_that_were_asked_for_count() {
        let text = "7f0000000000-7f0000400000 rw-p 00000000 00:00 0 \nSize: 4096 kB\nAnonHugePages:      2048 kB\n\
                    7f0000400000-7f0000401000 ---p 00000000 00:00 0 [anon: x]\nAnonHugePages: 6144 kB\n\
                    7f0000600000-7f0000800000 rw-p 00000000 00:0f 123 /anon_hugepage (deleted)\n\
                    Private_Hugetlb: 2048 kB\nAnonHugePages: 0 kB\n";
        let found = by_start(text.as_bytes(), &[0x7f00_0000_0000, 0x7f00_0060_0000]);
        assert_eq!(found, HashMap::from([(0x7f00_0000_0000, 2 << 20), (0x7f00_0060_0000, 2 << 20)]));
    }
}
