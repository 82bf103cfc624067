//! Prints the tables of docs/ratios.md: `cargo run --release -p seedstorm-ratios --example ratios`.

use seedstorm_content::{Codec, Record};
use seedstorm_ratios::{CODERS, Measured, measure};

const ASKED_MILLI: [u32; 9] = [1000, 1100, 1500, 2000, 3000, 4000, 5000, 8000, 10_000];

fn main() {
    table("`any`", "", |_| Codec::Any, |measured| measured.ratio);
    table("codec and record named", "", |codec| codec, |measured| measured.ratio);
    table("`at-least`", ", record that compressed least", |_| Codec::AtLeast, |measured| measured.worst_record);
}

/// Prints a table of what is asked in the head and what each coder got in its rows.
fn table(title: &str, of: &str, codec: impl Fn(Codec) -> Codec, got: impl Fn(Measured) -> f64) {
    println!("**{title}**{of}\n");
    let asked: Vec<_> = ASKED_MILLI.iter().map(|milli| format!(" {:>7} |", f64::from(*milli) / 1000.0)).collect();
    println!("| codec      | record |{}", asked.concat());
    println!("| ---------- | ------ |{}", " ------: |".repeat(asked.len()));
    for coder in CODERS {
        for record in Record::ALL {
            let ratios = ASKED_MILLI.iter().map(|asked| got(measure(coder, record, codec(coder.codec), *asked)));
            let row: String = ratios.map(|ratio| format!(" {ratio:>7.3} |")).collect();
            println!("| {:<10} | {:>5}K |{row}", coder.name, record.bytes() / 1024);
        }
    }
    println!();
}
