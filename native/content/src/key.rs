//! The key of a stream, derived from seed and namespace by BLAKE3 so that neighbouring seeds share nothing: with a key
//! that is the seed plus a number, files of consecutive seeds are nearly the same file.

/// The key of the stream with this seed and namespace. `context` is BLAKE3's context string: it sets these keys apart from
/// every other use of BLAKE3, and names the function that the stream is of, and its version.
pub(crate) fn derive(context: &str, seed: u64, namespace: &str) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new_derive_key(context);
    hasher.update(&seed.to_le_bytes());
    hasher.update(namespace.as_bytes());
    let mut key = [0; 16];
    hasher.finalize_xof().fill(&mut key);
    key
}
