//! Networks: ranges of IP addresses in CIDR notation.

use std::fmt;
use std::net::IpAddr;

/// A range of addresses: `10.0.0.0/8`, `2001:db8::/32`, or one address.
///
/// An IPv4 address that is written as an IPv6 one (`::ffff:10.0.0.1`) is the IPv4 address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Network {
    first: IpAddr,
    bits: u8,
}

/// Why a text is not a network.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum NetworkError {
    Unreadable,
    /// The address has bits beyond the mask; the network that was probably meant.
    BeyondMask(Network),
}

impl Network {
    pub(crate) fn parse(text: &str) -> Result<Self, NetworkError> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let written: IpAddr = address.parse().map_err(|_| NetworkError::Unreadable)?;
        let width = width_of(written);
        let bits = match bits {
            None => width,
            Some(bits) if bits.bytes().all(|byte| byte.is_ascii_digit()) => {
                bits.parse().ok().filter(|bits| *bits <= width).ok_or(NetworkError::Unreadable)?
            }
            Some(_) => return Err(NetworkError::Unreadable),
        };
        let first = masked(written, bits);
        // IPv4 addresses in the form of IPv6 are the IPv4 addresses.
        let network = match (first.to_canonical(), bits.checked_sub(MAPPED_BITS)) {
            (first @ IpAddr::V4(_), Some(bits)) if width_of(written) == 128 => Self { first, bits },
            _ => Self { first, bits },
        };
        if first == written { Ok(network) } else { Err(NetworkError::BeyondMask(network)) }
    }

    /// Whether it has this address.
    pub(crate) fn has(self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        width_of(address) == width_of(self.first) && masked(address, self.bits) == self.first
    }
}

/// The address that a text is.
pub(crate) fn parse_address(text: &str) -> Option<IpAddr> {
    text.parse().ok()
}

const fn width_of(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// The address with zeros after its first bits.
fn masked(address: IpAddr, bits: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(bits.into())).unwrap_or(0);
            IpAddr::V4((address.to_bits() & mask).into())
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(bits.into())).unwrap_or(0);
            IpAddr::V6((address.to_bits() & mask).into())
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.bits == width_of(self.first) {
            return self.first.fmt(formatter);
        }
        write!(formatter, "{}/{}", self.first, self.bits)
    }
}

/// The bits of `::ffff:0:0/96`, in which IPv6 has the IPv4 addresses.
const MAPPED_BITS: u8 = 96;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_the_addresses_of_its_range() {
        let cases = [
            ("10.0.0.0/8", "10.255.255.255", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("10.0.0.1", "10.0.0.1", true),
            ("10.0.0.1", "10.0.0.2", false),
            ("0.0.0.0/0", "255.1.2.3", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "::1", true),
            ("::/0", "10.0.0.1", false),
            ("::/0", "::ffff:10.0.0.1", false),
            ("::ffff:10.0.0.0/104", "10.1.2.3", true),
            ("::ffff:10.0.0.0/104", "11.1.2.3", false),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("192.168.4.0/22", "192.168.7.255", true),
            ("192.168.4.0/22", "192.168.8.0", false),
            ("::ffff:10.0.0.0/104", "::ffff:10.1.2.3", true),
        ];
        for (network, address, expected) in cases {
            let parsed = Network::parse(network).unwrap();
            assert_eq!(parsed.has(parse_address(address).unwrap()), expected, "{address} in {network}");
            assert_eq!(Network::parse(&parsed.to_string()), Ok(parsed));
        }
    }

    #[test]
    fn other_texts_are_no_networks() {
        for text in
            ["", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/", "10.0.0.0/+8", "10.0.0.0/8/8", "a", "010.0.0.0/8"]
        {
            assert_eq!(Network::parse(text), Err(NetworkError::Unreadable), "{text}");
        }
        let Err(NetworkError::BeyondMask(meant)) = Network::parse("10.1.2.3/8") else { panic!("accepted") };
        assert_eq!(meant.to_string(), "10.0.0.0/8");
        for text in ["", "10.0.0.1 ", "fe80::1%eth0", "10.0.0.1:80"] {
            assert_eq!(parse_address(text), None, "{text}");
        }
    }
}
