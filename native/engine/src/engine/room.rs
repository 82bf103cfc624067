//! Whether buffers of lanes will fit, before any lane touches one: the kernel answers a touch too many by killing.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::engine::EngineOptions;
use crate::error::{Code, Error, Result};
use crate::memory::{self, Binding, HUGE_PAGE_BYTES, HugePages, MemoryOptions};

/// The memory that an engine's lanes may take.
#[derive(Debug)]
pub(crate) struct Room {
    options: MemoryOptions,
    /// Whether buffers are bound to nodes.
    binds: bool,
    /// Bytes of the largest buffer that a lane has: up to it nothing new is taken.
    held_bytes: AtomicUsize,
}

impl Room {
    pub(crate) fn new(options: &EngineOptions) -> Self {
        Self { options: options.memory, binds: options.pin, held_bytes: AtomicUsize::new(0) }
    }

    /// A lane has a buffer of this many bytes.
    pub(crate) fn holds(&self, bytes: usize) {
        self.held_bytes.fetch_max(bytes, Ordering::Relaxed);
    }

    /// Whether so many bytes are to be had for each of some lanes, who are named by the nodes of their memory.
    ///
    /// # Errors
    /// `OutOfMemory`, `NumaMemory` or `HugePages`, with what was asked and what there is.
    pub(crate) fn check(&self, lanes: impl Iterator<Item = u32>, buffer_bytes: usize) -> Result<()> {
        if buffer_bytes <= self.held_bytes.load(Ordering::Relaxed) {
            return Ok(());
        }
        let mut lanes_of = BTreeMap::<u32, u64>::new();
        lanes.for_each(|node| *lanes_of.entry(node).or_default() += 1);
        match self.options.huge_pages {
            HugePages::Explicit => self.check_explicit(&lanes_of, buffer_bytes),
            _ => self.check_ordinary(&lanes_of, buffer_bytes),
        }
    }

    fn check_explicit(&self, lanes_of: &BTreeMap<u32, u64>, buffer_bytes: usize) -> Result<()> {
        let pages = |lanes: u64| lanes.saturating_mul(buffer_bytes.div_ceil(HUGE_PAGE_BYTES) as u64);
        let check = |node, wanted| {
            let free = memory::free_huge_pages(node, HUGE_PAGE_BYTES);
            if free < wanted { Err(memory::no_huge_pages(node, wanted, &format!("{free} are free"))) } else { Ok(()) }
        };
        if !self.binds {
            return check(None, pages(lanes_of.values().sum()));
        }
        lanes_of.iter().try_for_each(|(node, lanes)| check(Some(*node), pages(*lanes)))
    }

    fn check_ordinary(&self, lanes_of: &BTreeMap<u32, u64>, buffer_bytes: usize) -> Result<()> {
        let bytes = |lanes: u64| lanes.saturating_mul(buffer_bytes as u64);
        // Buffers may come from pages that were set aside, which do not count as available.
        let huge = |node| match self.options.huge_pages {
            HugePages::Auto => memory::free_huge_pages(node, HUGE_PAGE_BYTES).saturating_mul(HUGE_PAGE_BYTES as u64),
            _ => 0,
        };
        let lanes = lanes_of.values().sum();
        let all = bytes(lanes);
        if let Some(available) = memory::available_bytes()
            && all > available.saturating_add(huge(None))
        {
            return Err(Error::new(
                Code::OutOfMemory,
                format!("{lanes} lanes with {buffer_bytes} bytes each need {all} bytes, and {available} are available"),
                "use fewer lanes, smaller blocks or smaller buffers, or raise the memory limit",
            ));
        }
        if !self.binds || self.options.binding != Binding::Strict {
            return Ok(());
        }
        for (node, lanes) in lanes_of {
            let wanted = bytes(*lanes);
            if let Some(free) = memory::node_free_bytes(*node)
                && wanted > free.saturating_add(huge(Some(*node)))
            {
                return Err(memory::node_full(*node, wanted, free));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(binding: Binding, huge_pages: HugePages) -> Room {
        Room { options: MemoryOptions { binding, huge_pages }, binds: true, held_bytes: AtomicUsize::new(0) }
    }

    #[test]
    fn what_all_lanes_together_would_take_too_much_of_is_refused_though_each_alone_would_fit() {
        let Some(available) = memory::available_bytes() else { return };
        let each = (available / 4) as usize;
        let room = room(Binding::Preferred, HugePages::None);
        room.check([0, 0, 0].into_iter(), each).unwrap();
        let error = room.check([0; 5].into_iter(), each).unwrap_err();
        assert_eq!(error.code, Code::OutOfMemory);
        assert!(error.what.starts_with(&format!("5 lanes with {each} bytes each")), "{error}");
    }

    #[test]
    fn the_lanes_of_a_full_node_are_refused_by_its_number() {
        let Some(free) = memory::node_free_bytes(0) else { return };
        let each = (free / 2 + (64 << 20)) as usize;
        let strict = room(Binding::Strict, HugePages::None).check([0, 0].into_iter(), each).unwrap_err();
        // Where little more than this node's memory is available at all, that is said first.
        assert!([Code::NumaMemory, Code::OutOfMemory].contains(&strict.code), "{strict}");
    }

    #[test]
    fn pages_that_were_set_aside_are_counted_for_all_lanes_of_a_node() {
        let free = memory::free_huge_pages(Some(0), HUGE_PAGE_BYTES);
        let room = room(Binding::Preferred, HugePages::Explicit);
        let lanes = || std::iter::repeat_n(0, free as usize + 1);
        let error = room.check(lanes(), 1).unwrap_err();
        assert_eq!(error.code, Code::HugePages);
        assert!(error.what.contains(&format!("{} of 2 MiB", free + 1)), "{error}");
        room.check(lanes().skip(1), 1).unwrap();
    }

    #[test]
    fn what_lanes_have_already_is_not_asked_for_again() {
        let room = room(Binding::Strict, HugePages::None);
        room.holds(1 << 40);
        room.check([0; 100].into_iter(), 1 << 40).unwrap();
        room.check([0; 100].into_iter(), (1 << 40) + 1).unwrap_err();
    }
}
