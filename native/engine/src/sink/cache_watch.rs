//! What a task that reads finds in the page cache before its first read of an object, and what is there at its end: so
//! that a read which the cache answered is called one. Must never decide whether that is good or bad.

use std::collections::HashMap;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, OnceLock};

use super::caches::{Residency, evict, residency};
use super::lock;
use crate::clock::now_ns;

/// Of all objects of a run, about this many are looked at, over all agents.
const SAMPLED_OBJECTS: u64 = 1024;

/// Of those that this task looked at, how many are looked at again at its end.
const SAMPLED_AGAIN: usize = 64;

/// What a task found in the page cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheFindings {
    /// Before the task's first read of the objects; eviction, where it was wanted, came before that.
    pub before: Residency,
    /// At the end of the task.
    pub after: Residency,
}

/// The watch over the objects that one task reads.
#[derive(Debug)]
pub(crate) struct CacheWatch {
    /// Whether objects are taken out of the cache before they are first read.
    evicts: bool,
    /// One in so many objects is looked at.
    one_in: u64,
    /// Objects that were opened before: what the cache has of them may be from the task's own reads. Several ranges may
    /// open one at a time; none of them is read before it was looked at, and nothing that was read is evicted.
    seen: Mutex<HashMap<u64, Arc<OnceLock<()>>>>,
    found: Mutex<Found>,
}

#[derive(Debug, Default)]
struct Found {
    findings: CacheFindings,
    again: Vec<u64>,
}

impl CacheWatch {
    /// Over a layout of so many objects.
    pub(crate) fn new(objects: u64, evicts: bool) -> Self {
        let one_in = objects.div_ceil(SAMPLED_OBJECTS).max(1);
        Self { evicts, one_in, seen: Mutex::default(), found: Mutex::default() }
    }

    /// To be called when an object was opened, before it is read; looks at it the first time only.
    pub(crate) fn opened(&self, object: u64, file: impl AsFd) {
        if self.evicts || self.is_sampled(object) {
            let seen = Arc::clone(lock(&self.seen).entry(object).or_default());
            seen.get_or_init(|| self.look(object, file));
        }
    }

    fn look(&self, object: u64, file: impl AsFd) {
        if self.evicts {
            evict(&file);
        }
        if self.is_sampled(object)
            && let Some(resident) = residency(file, mixed(now_ns() ^ object))
        {
            let mut found = lock(&self.found);
            found.findings.before += resident;
            if found.again.len() < SAMPLED_AGAIN {
                found.again.push(object);
            }
        }
    }

    /// The objects to look at again at the end.
    pub(crate) fn to_see_again(&self) -> Vec<u64> {
        std::mem::take(&mut lock(&self.found).again)
    }

    /// Looks at one of them.
    pub(crate) fn see_again(&self, object: u64, file: impl AsFd) {
        if let Some(resident) = residency(file, mixed(now_ns() ^ object)) {
            lock(&self.found).findings.after += resident;
        }
    }

    /// What was found so far.
    pub(crate) fn findings(&self) -> CacheFindings {
        lock(&self.found).findings
    }

    fn is_sampled(&self, object: u64) -> bool {
        mixed(object).is_multiple_of(self.one_in)
    }
}

/// A number that looks like chance: the finaliser of splitmix64 (Steele, Lea and Flood, 2014).
fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bounded_part_of_many_objects_is_looked_at_and_every_one_of_few() {
        let sampled = |objects| {
            let watch = CacheWatch::new(objects, false);
            (0..objects).filter(|object| watch.is_sampled(*object)).count() as u64
        };
        assert_eq!(sampled(100), 100);
        assert_eq!(sampled(SAMPLED_OBJECTS), SAMPLED_OBJECTS);
        assert!((SAMPLED_OBJECTS / 2..SAMPLED_OBJECTS * 2).contains(&sampled(1_000_000)));
    }

    #[test]
    fn what_the_tasks_own_reads_brought_into_the_cache_is_not_counted() {
        let watch = CacheWatch::new(1, false);
        let file = std::fs::File::open("/proc/self/exe").unwrap();
        watch.opened(0, &file);
        let first = watch.findings();
        watch.opened(0, &file);
        assert_eq!(watch.findings(), first);
    }
}
