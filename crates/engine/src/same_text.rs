//! Comparing short texts.

/// Whether two texts are equal. Most are short, so their overlapping ends are compared in a few instructions, without a
/// call of `memcmp`.
#[expect(clippy::inline_always, reason = "a read is one function, also without link-time optimisation")]
#[inline(always)]
pub(crate) fn is_same(one: &[u8], other: &[u8]) -> bool {
    let length = one.len();
    if length != other.len() {
        false
    } else if length < 4 {
        let middle = length / 2;
        one.first() == other.first() && one.get(middle) == other.get(middle) && one.last() == other.last()
    } else if length < 8 {
        are_ends_same::<4>(one, other)
    } else if length <= 16 {
        are_ends_same::<8>(one, other)
    } else if length <= 32 {
        are_ends_same::<16>(one, other)
    } else {
        one == other
    }
}

#[inline]
fn are_ends_same<const N: usize>(one: &[u8], other: &[u8]) -> bool {
    one.first_chunk::<N>() == other.first_chunk::<N>() && one.last_chunk::<N>() == other.last_chunk::<N>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_the_same_only_if_every_byte_is() {
        let text: Vec<u8> = (0..64).collect();
        for length in 0..=text.len() {
            let one = &text[..length];
            assert!(is_same(one, one), "{length} bytes");
            for place in 0..length {
                let mut other = one.to_vec();
                other[place] ^= 0x80;
                assert!(!is_same(one, &other), "{length} bytes, another one at {place}");
            }
            assert!(length == 0 || !is_same(one, &one[1..]), "{length} bytes, one less");
        }
    }
}
