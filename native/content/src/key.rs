//! The key of a stream, derived from seed and namespace by BLAKE3 so that neighbouring seeds share nothing: with a key
//! that is the seed plus a number, files of consecutive seeds are nearly the same file.

/// BLAKE3's context string: it sets these keys apart from every other use of BLAKE3, and names the function's version.
const CONTEXT: &str = "seedstorm content v1";

/// The key of the stream with this seed and namespace.
pub(crate) fn derive(seed: u64, namespace: &str) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
    hasher.update(&seed.to_le_bytes());
    hasher.update(namespace.as_bytes());
    let mut key = [0; 16];
    hasher.finalize_xof().fill(&mut key);
    key
}
