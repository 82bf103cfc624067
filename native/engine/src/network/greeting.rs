//! What a connection begins with: a token that only the peers of one exchange know, and the caller's number. The other
//! side answers one byte. A stranger who knows no token is told nothing.

/// Bytes in a token.
pub const TOKEN_BYTES: usize = 32;
/// Bytes in a greeting: the token, and the caller's number, little-endian.
pub(super) const GREETING_BYTES: usize = TOKEN_BYTES + 4;
/// The answer to a greeting that is right.
pub(super) const WELCOME: u8 = 0x06;

/// The greeting of a peer.
pub(super) fn greeting(token: &[u8; TOKEN_BYTES], own: u32) -> [u8; GREETING_BYTES] {
    let mut bytes = [0; GREETING_BYTES];
    bytes[..TOKEN_BYTES].copy_from_slice(token);
    bytes[TOKEN_BYTES..].copy_from_slice(&own.to_le_bytes());
    bytes
}

/// Who greets, if the token is right. Takes as long for a token that is nearly right as for any other.
pub(super) fn greeted_by(greeting: &[u8; GREETING_BYTES], token: &[u8; TOKEN_BYTES]) -> Option<u32> {
    let (shown, number) = greeting.split_at(TOKEN_BYTES);
    let differs = std::iter::zip(shown, token).fold(0, |differs, (a, b)| differs | (a ^ b));
    let number = number.try_into().map(u32::from_le_bytes).ok()?;
    (std::hint::black_box(differs) == 0).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_token_opens_and_each_of_its_bytes_counts() {
        let token: [u8; TOKEN_BYTES] = std::array::from_fn(|at| at as u8);
        assert_eq!(greeted_by(&greeting(&token, 7), &token), Some(7));
        for at in 0..TOKEN_BYTES {
            let mut other = token;
            other[at] ^= 1;
            assert_eq!(greeted_by(&greeting(&other, 7), &token), None);
        }
    }
}
