//! Prints how fast one thread fills and compares, for each kernel that this CPU can run, into a buffer that fits a core's
//! cache and into one that does not: `cargo run --release -p seedstorm-content --example throughput`.

use seedstorm_content::{Content, Kernel, Parameters};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// How long each measurement goes on, at least.
const ENOUGH: Duration = Duration::from_millis(300);

/// Best of this many measurements: the machine's other work can only slow one down.
const TRIES: u32 = 3;

fn main() {
    let columns = ["fill", "streaming", "compare"].map(|name| format!("{name} GB/s"));
    println!("{:<10}{:<16}{:>10}{:>16}{:>16}{:>16}", "kernel", "content", "KiB", columns[0], columns[1], columns[2]);
    let plain = Parameters::default();
    let shapes = [
        ("plain", plain.clone()),
        ("compress 2", Parameters { compress_milli: 2000, ..plain.clone() }),
        ("compress 5", Parameters { compress_milli: 5000, ..plain.clone() }),
        ("compress 10", Parameters { compress_milli: 10_000, ..plain.clone() }),
        ("compress 100", Parameters { compress_milli: 100_000, ..plain.clone() }),
        ("dedup 2", Parameters { dedup_milli: 2000, ..plain.clone() }),
        ("dedup 2, 4 KiB", Parameters { dedup_milli: 2000, unit_bytes: 4096, ..plain }),
    ];
    for kernel in Kernel::available() {
        for (name, parameters) in &shapes {
            let content = Content::new(parameters).and_then(|content| content.on_kernel(kernel)).expect("valid");
            for kib in [256, 64 * 1024] {
                let mut buffer = vec![0_u8; kib * 1024];
                let fill = gigabytes_per_second(buffer.len(), |offset| {
                    content.fill(0, offset, black_box(&mut buffer)).expect("in the stream");
                });
                let streaming = gigabytes_per_second(buffer.len(), |offset| {
                    content.fill_streaming(0, offset, black_box(&mut buffer)).expect("in the stream");
                });
                content.fill(0, 0, &mut buffer).expect("in the stream");
                let compare = gigabytes_per_second(buffer.len(), |_| {
                    assert_eq!(content.compare(0, 0, black_box(&buffer)), Ok(None));
                });
                println!("{:<10}{name:<16}{kib:>10}{fill:>16.2}{streaming:>16.2}{compare:>16.2}", kernel.name());
            }
        }
    }
}

/// Bytes per nanosecond of CPU time, of an operation on `length` bytes that is given the offset of each call. CPU time,
/// so that whoever shares the machine counts less.
fn gigabytes_per_second(length: usize, mut operation: impl FnMut(u64)) -> f64 {
    let mut offset = 0;
    let mut once = || {
        let (start, cpu_start) = (Instant::now(), cpu_ns());
        let mut bytes = 0;
        while start.elapsed() < ENOUGH {
            operation(offset);
            offset += length as u64;
            bytes += length;
        }
        bytes as f64 / (cpu_ns() - cpu_start)
    };
    (0..TRIES).map(|_| once()).fold(0.0, f64::max)
}

/// CPU time of this thread by the kernel's scheduler, in ns; brought up to date at each of its ticks.
fn cpu_ns() -> f64 {
    let statistics = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux tells it");
    statistics.split(' ').next().and_then(|first| first.parse().ok()).expect("it begins with the time on a CPU")
}
