//! The bytes are a contract: these answers come from an independent implementation of the content function.

use seedstorm_content::{Codec, Content, Kernel, Parameters, Record};
use sha2::{Digest, Sha256};

struct Answer {
    offset: u64,
    length: usize,
    generation: u16,
    parameters: Parameters,
    first: &'static str,
    sha256: &'static str,
}

fn shape(unit_bytes: u64, dedup_milli: u64, window_bits: u32, compress_milli: u32) -> Parameters {
    Parameters { unit_bytes, dedup_milli, window_bits, compress_milli, ..Parameters::default() }
}

fn answers() -> Vec<Answer> {
    vec![
        Answer {
            offset: 0,
            length: 64,
            generation: 0,
            parameters: shape(1 << 20, 1000, 12, 1000),
            first: "3e3413f7050bb9bf070d32e4c9fa5b54",
            sha256: "e5887742215359e6a7fa767caea971c07b65d21f73cf87049ef806f224046f77",
        },
        Answer {
            offset: 1_048_568,
            length: 100,
            generation: 0,
            parameters: shape(1 << 20, 1000, 12, 1000),
            first: "b0ccf55cc893390eb1a68bbff89deb24",
            sha256: "a835c53d1ce71845247eebfc50730a5a746b72ec4b3486e7462f1eba84ec6a33",
        },
        Answer {
            offset: 123_457,
            length: 9999,
            generation: 0,
            parameters: shape(8192, 2000, 3, 2500),
            first: "40cf8eaab7351868ebd625a8f207fdab",
            sha256: "cda9917f0acd04c4dc44bc0f13d084d6d98cb7441ce6ab2c7c8426a75e7e27ff",
        },
        Answer {
            offset: 1_099_511_627_776,
            length: 5000,
            generation: 7,
            parameters: shape(1 << 20, 3000, 12, 1000),
            first: "322582a6dd54d91aa79ad46805741bee",
            sha256: "c1575a7e7df9d7c696e6b11134ccbf49bd71f3639f1280b92f2320f5ac601c9a",
        },
        Answer {
            offset: 12_305,
            length: 8192,
            generation: 1,
            parameters: Parameters { codec: Codec::Lz4, record: Record::Kib4, ..shape(65_536, 1500, 10, 10_000) },
            first: "332d2ec334b3eb47e6d524b9b89866b0",
            sha256: "10d47ac2c28d61fe792490484606244a44860857f0c451220a38f11f4cef30a6",
        },
        Answer {
            offset: 0,
            length: 4096,
            generation: 0,
            parameters: Parameters { codec: Codec::AtLeast, ..shape(4096, 1000, 0, 100_000) },
            first: "3e3413f7050bb9bf070d32e4c9fa5b54",
            sha256: "a5f635537698c470ed4ac6aed67181d87f80b7209b0615c77eac5f911bb75bdd",
        },
        Answer {
            offset: 1_152_921_504_606_846_981,
            length: 5000,
            generation: 65_535,
            parameters: Parameters { codec: Codec::Zstd, record: Record::Kib16, ..shape(1 << 20, 2300, 16, 4000) },
            first: "55fbbb273864be1b35564eb7a33b1181",
            sha256: "44e1c13c901ee8cebc9830f220a754dbaa49abf99937351e240080cc8b50d164",
        },
        Answer {
            offset: 8191,
            length: 20_000,
            generation: 0,
            parameters: Parameters { codec: Codec::Deflate, record: Record::Kib4, ..shape(12_288, 1000, 12, 1333) },
            first: "cd0327b8b41b6ab818a7d9efbe470e4e",
            sha256: "ff6aa28175ed55ad5961045f2ff6369c9433ef57914f4246876bc798868e4bb7",
        },
    ]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn written_data_stays_readable_by_every_later_release_on_every_kernel() {
    let key = std::array::from_fn(|nth| nth as u8);
    for kernel in Kernel::available() {
        for (nth, answer) in answers().iter().enumerate() {
            let content = Content::with_key(key, &answer.parameters).unwrap().on_kernel(kernel).unwrap();
            let mut bytes = vec![0; answer.length];
            content.fill(answer.generation, answer.offset, &mut bytes).unwrap();
            assert_eq!(hex(&bytes[..16]), answer.first, "first bytes of answer {nth} on {kernel}");
            assert_eq!(hex(&Sha256::digest(&bytes)), answer.sha256, "all bytes of answer {nth} on {kernel}");
            assert_eq!(content.compare(answer.generation, answer.offset, &bytes), Ok(None));
        }
    }
}

#[test]
fn a_recorded_seed_and_namespace_give_the_recorded_key() {
    let keys = [
        (0, "", "f20ff7049b69e6b75cb889c920de566e"),
        (42, "", "c9fe27194edd84fffc5f3de3bd83e564"),
        (42, "host-7", "09e9aef819089d54d8da215672312cde"),
        (u64::MAX, "", "737b6f4b2bcdc107fb2da8eaeb237cdd"),
    ];
    for (seed, namespace, key) in keys {
        let parameters = Parameters { seed, namespace: namespace.to_owned(), ..Parameters::default() };
        assert_eq!(hex(&Content::new(&parameters).unwrap().key()), key, "seed {seed}, namespace {namespace:?}");
    }
}
