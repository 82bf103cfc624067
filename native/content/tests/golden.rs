//! The bytes are a contract: golden/v1.tsv is what an implementation that shares no line with this crate makes of the
//! description (golden/reference.py), and every kernel must give just that, for ever.

use seedstorm_content::{Content, Kernel, Parameters, Record};
use sha2::{Digest, Sha256};

struct Vector {
    parameters: Parameters,
    generation: u16,
    offset: u64,
    length: usize,
    key: &'static str,
    first: &'static str,
    sha256: &'static str,
}

/// The vectors, one in a line under the line that names the columns.
fn vectors() -> Vec<Vector> {
    include_str!("golden/v1.tsv").lines().skip(1).map(vector).collect()
}

fn vector(line: &'static str) -> Vector {
    let columns: Vec<_> = line.split('\t').collect();
    let &[
        seed,
        namespace,
        unit,
        generation,
        dedup,
        window,
        compress,
        codec,
        record,
        offset,
        length,
        key,
        first,
        sha256,
    ] = columns.as_slice()
    else {
        panic!("{} columns in {line:?}", columns.len());
    };
    let parameters = Parameters {
        seed: number(seed),
        namespace: namespace.to_owned(),
        unit_bytes: number(unit),
        dedup_milli: number(dedup),
        window_bits: number(window),
        compress_milli: number(compress),
        codec: codec.parse().expect("a codec"),
        record: Record::from_bytes(number(record)).expect("a record"),
    };
    let (generation, offset, length) = (number(generation), number(offset), number(length));
    Vector { parameters, generation, offset, length, key, first, sha256 }
}

fn number<T: std::str::FromStr>(text: &str) -> T {
    text.parse().unwrap_or_else(|_| panic!("{text:?} is no number that fits"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn data_written_by_any_release_on_any_cpu_is_made_again_and_verified_by_this_one() {
    for kernel in Kernel::available() {
        for (nth, vector) in vectors().iter().enumerate() {
            let content = Content::new(&vector.parameters).and_then(|content| content.on_kernel(kernel)).unwrap();
            let place = format!("line {} of v1.tsv on {kernel}", nth + 2);
            assert_eq!(hex(&content.key()), vector.key, "key, {place}");

            let mut bytes = vec![0; vector.length];
            content.fill(vector.generation, vector.offset, &mut bytes).unwrap();
            assert_eq!(hex(&bytes[..bytes.len().min(16)]), vector.first, "first bytes, {place}");
            assert_eq!(hex(&Sha256::digest(&bytes)), vector.sha256, "all bytes, {place}");
            assert_eq!(content.compare(vector.generation, vector.offset, &bytes), Ok(None), "{place}");

            let last = bytes.len() - 1;
            bytes[last] ^= 0x80;
            assert_eq!(content.compare(vector.generation, vector.offset, &bytes), Ok(Some(last)), "{place}");
        }
    }
}

/// How many different values the vectors have of something.
fn variety<T: Ord>(of: impl Fn(&Vector) -> T) -> usize {
    vectors().iter().map(of).collect::<std::collections::BTreeSet<_>>().len()
}

#[test]
fn no_parameter_is_left_out_of_the_contract() {
    assert!(vectors().len() > 700);
    assert!(variety(|vector| vector.parameters.seed) > 200);
    assert!(variety(|vector| vector.parameters.namespace.clone()) > 50);
    assert!(variety(|vector| vector.parameters.unit_bytes) > 20);
    assert!(variety(|vector| vector.parameters.dedup_milli) > 100);
    assert!(variety(|vector| vector.parameters.window_bits) >= 10);
    assert!(variety(|vector| vector.parameters.compress_milli) > 100);
    assert_eq!(variety(|vector| (vector.parameters.codec.name(), vector.parameters.record.bytes())), 5 * 3);
    assert!(variety(|vector| vector.generation) > 50);
    assert!(variety(|vector| vector.length) > 200);
    assert!(vectors().iter().any(|vector| vector.offset == 0));
    assert!(vectors().iter().any(|vector| vector.offset + vector.length as u64 == 1 << 63));
}
