//! Memory near the lanes: where buffers' pages come from, and where they are. It must never know what is written into
//! it.

mod available;
mod buffer;
mod map;
mod pages;
mod smaps;

pub(crate) use available::{available_bytes, free_huge_pages, node_free_bytes};
pub use buffer::LaneBuffer;
pub(crate) use buffer::{no_huge_pages, node_full};
pub(crate) use map::HUGE_PAGE_BYTES;
pub use map::page_bytes;
pub use pages::{Pages, node_of};
pub(crate) use smaps::huge_bytes;

use crate::named::named;

named! {
    /// How firmly pages belong on their node.
    Binding {
        /// They come from it while it has room, else from another.
        #[default]
        Preferred => "preferred",
        /// A page elsewhere is an error.
        Strict => "strict",
    }
}

named! {
    /// How large the pages are.
    HugePages {
        /// Explicit ones for buffers of 2 MiB and more where enough are set aside, else transparent ones.
        #[default]
        Auto => "auto",
        /// Those that were set aside (`vm.nr_hugepages`), 2 MiB each; none left is an error.
        Explicit => "explicit",
        /// What the kernel makes huge by itself, of buffers of 2 MiB and more.
        Transparent => "transparent",
        /// Ordinary pages only.
        None => "none",
    }
}

/// What is asked of the memory of all lanes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryOptions {
    /// How firmly pages belong on their node.
    pub binding: Binding,
    /// How large they are.
    pub huge_pages: HugePages,
}

/// Where one buffer's pages are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// OS index of the NUMA node. `None`: the node of the thread that touches them, which is the system's own choice.
    pub node: Option<u32>,
    /// How firmly, and of which size.
    pub options: MemoryOptions,
}

impl Wish {
    /// Of the system's choice.
    pub const ANYWHERE: Self =
        Self { node: None, options: MemoryOptions { binding: Binding::Preferred, huge_pages: HugePages::Auto } };

    /// Preferably on this node.
    pub const fn near(node: Option<u32>) -> Self {
        Self { node, ..Self::ANYWHERE }
    }
}
