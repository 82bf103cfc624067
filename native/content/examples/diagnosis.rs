//! Prints how long one thread takes to name a sector of 512 bytes, for each kernel that this CPU can run and for what may
//! stand in the sectors: `cargo run --release -p seedstorm-content --example diagnosis`.

use seedstorm_content::{Content, Diagnosis, Kernel, MAX_EARLIER_RUNS, Parameters, SECTOR_BYTES};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// How long each measurement goes on, at least.
const ENOUGH: Duration = Duration::from_millis(300);

/// Sectors that are diagnosed at a time.
const SECTORS: usize = 128;

fn main() {
    println!("{:<10}{:<14}{:<36}{:>12}{:>14}", "kernel", "content", "sectors that are", "ns/sector", "s/GiB");
    for kernel in Kernel::available() {
        for compress_milli in [1000, 2000, 100_000] {
            let content = |seed| {
                let parameters = Parameters { seed, compress_milli, ..Parameters::default() };
                Content::new(&parameters).and_then(|content| content.on_kernel(kernel)).expect("valid")
            };
            let own = content(0);
            let earlier: Vec<_> = (1..=MAX_EARLIER_RUNS as u64).map(content).collect();
            let with_earlier = Diagnosis::of(&own).earlier(&earlier).expect("not too many");
            let bytes = |content: &Content, generation, offset| {
                let mut bytes = vec![0; SECTORS * SECTOR_BYTES];
                content.fill(generation, offset, &mut bytes).expect("in the stream");
                bytes
            };
            let foreign = bytes(&content(99), 0, 0);
            let right = bytes(&own, 0, 0);
            // Every word is from a place of its own, so that each has to be looked at.
            let mut pieces = foreign.clone();
            for (nth, piece) in pieces.chunks_mut(16).enumerate() {
                own.fill(0, (nth as u64) << 20 | (nth as u64 % 2) << 4, piece).expect("in the stream");
            }
            let mut torn = right.clone();
            for (nth, sector) in torn.chunks_mut(SECTOR_BYTES).enumerate() {
                own.fill(1, (nth * SECTOR_BYTES) as u64 + 256, &mut sector[256..]).expect("in the stream");
            }
            let plain = Diagnosis::of(&own);
            for (name, diagnosis, generation, bytes) in [
                ("right", plain, 0, &right),
                ("stale", plain, 1, &right),
                ("torn", plain, 0, &torn),
                ("foreign", plain, 0, &foreign),
                ("foreign, 16 earlier runs", with_earlier, 0, &foreign),
                ("32 words of 32 places", plain, 0, &pieces),
                ("32 words of 32 places, 16 runs", with_earlier, 0, &pieces),
            ] {
                let ns = ns_per_sector(|| drop(black_box(diagnosis.run(generation, 0, black_box(bytes)))));
                let seconds = ns * 1e-9 * f64::from(1 << 30) / SECTOR_BYTES as f64;
                let ratio = format!("compress {}", compress_milli / 1000);
                println!("{:<10}{ratio:<14}{name:<36}{ns:>12.0}{seconds:>14.1}", kernel.name());
            }
        }
    }
}

/// The best of some tries: the machine's other work can only slow one down.
fn ns_per_sector(operation: impl Fn()) -> f64 {
    let once = || {
        let start = Instant::now();
        operation();
        start.elapsed().as_nanos() as f64 / SECTORS as f64
    };
    let start = Instant::now();
    let mut best = once();
    while start.elapsed() < ENOUGH {
        best = best.min(once());
    }
    best
}
