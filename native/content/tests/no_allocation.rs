//! Lanes fill and compare for every block: an allocation there would make all lanes of a host wait for one another.

use seedstorm_content::{Content, Parameters};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    /// Allocations of this thread.
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator, counting.
struct Counting;

// SAFETY: every call goes to the system's allocator unchanged; counting itself does not allocate, as the counter is a
// constant-initialised thread local that needs no destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps `alloc`'s contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps `dealloc`'s contract, and `alloc` above gave the pointer from the same allocator.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn filling_and_comparing_never_allocate() {
    for compress_milli in [1000, 2000] {
        let parameters = Parameters { compress_milli, dedup_milli: 2000, unit_bytes: 8192, ..Parameters::default() };
        let content = Content::new(&parameters).unwrap();
        let mut bytes = vec![0; 100_000];
        let before = ALLOCATIONS.get();
        assert!(before > 0, "allocations are counted");
        content.fill(1, 12_345, &mut bytes).unwrap();
        let right = content.compare(1, 12_345, &bytes);
        bytes[77_777] ^= 1;
        let wrong = content.compare(1, 12_345, &bytes);
        assert_eq!(ALLOCATIONS.get(), before);
        assert_eq!((right, wrong), (Ok(None), Ok(Some(77_777))));
    }
}
