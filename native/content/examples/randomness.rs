//! Writes content to stdout without end, for a battery of randomness tests to read (docs/randomness.md):
//! `cargo run --release -p seedstorm-content --example randomness -- counter | dieharder -a -g 200`.
//!
//! Orders: `counter` is the stream from its start on, as a run writes it: the index of the word changes fastest. `unit`
//! is the first word of every unit, one after the other: the unit's number changes and the index never does.

use seedstorm_content::{Content, Parameters, WORD_BYTES};
use std::io::{ErrorKind, Result, Write, stdout};

/// Bytes written at a time.
const PIECE_BYTES: usize = 1 << 18;

fn main() {
    let order = std::env::args().nth(1).unwrap_or_default();
    let content = Content::new(&Parameters { seed: 42, ..Parameters::default() }).expect("valid");
    let written = match order.as_str() {
        "counter" => write(|piece, bytes| {
            let offset = piece * PIECE_BYTES as u64;
            content.fill(0, offset, bytes).expect("in the stream");
        }),
        "unit" => write(|piece, bytes| {
            let (words, _) = bytes.as_chunks_mut::<WORD_BYTES>();
            for (unit, word) in (piece * words.len() as u64..).zip(words) {
                let offset = unit * content.parameters().unit_bytes;
                content.fill(0, offset, word).expect("in the stream");
            }
        }),
        _ => {
            eprintln!("give an order: counter or unit");
            std::process::exit(2);
        }
    };
    match written {
        // A battery that has seen enough closes its end.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
        other => other.expect("stdout"),
    }
}

/// Writes piece after piece, each filled by `fill`, until stdout takes no more.
fn write(mut fill: impl FnMut(u64, &mut [u8])) -> Result<()> {
    let mut bytes = vec![0; PIECE_BYTES];
    for piece in 0.. {
        fill(piece, &mut bytes);
        stdout().write_all(&bytes)?;
    }
    Ok(())
}
