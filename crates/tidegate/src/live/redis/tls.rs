//! Certificates for connections to Redis.

use redis::{ClientTlsConfig, TlsCertificates};
use rustls::RootCertStore;

/// The authorities that are trusted besides those of the machine, and the certificate that this process shows.
#[derive(Clone, Default)]
pub(in crate::live) struct RedisTls {
    pub(in crate::live) roots: Option<Vec<u8>>,
    /// Certificate chain and key, in PEM.
    pub(in crate::live) own: Option<(Vec<u8>, Vec<u8>)>,
}

impl RedisTls {
    /// As the client of Redis takes them; none where it uses those of the machine by itself.
    pub(super) fn certificates(&self) -> Option<TlsCertificates> {
        if self.roots.is_none() && self.own.is_none() {
            return None;
        }
        let client_tls = self.own.clone().map(|(client_cert, client_key)| ClientTlsConfig { client_cert, client_key });
        // It trusts either those of the machine or these.
        let root_cert = self.roots.as_ref().map(|roots| [machine_roots().as_bytes(), roots].concat());
        Some(TlsCertificates { client_tls, root_cert })
    }
}

/// The authorities that the machine trusts, in PEM. Those that cannot be used are left out.
fn machine_roots() -> String {
    let mut store = RootCertStore::empty();
    let mut pem = String::new();
    for certificate in rustls_native_certs::load_native_certs().certs {
        if store.add(certificate.clone()).is_ok() {
            pem.push_str("-----BEGIN CERTIFICATE-----\n");
            pem.push_str(&base64(&certificate));
            pem.push_str("\n-----END CERTIFICATE-----\n");
        }
    }
    pem
}

/// The text of PEM for these bytes.
fn base64(bytes: &[u8]) -> String {
    let letter = |bits: u32| char::from(LETTERS[(bits & 63) as usize]);
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        let letters = [letter(bits >> 18), letter(bits >> 12), letter(bits >> 6), letter(bits)];
        text.extend(letters.iter().take(chunk.len() + 1));
        text.extend(std::iter::repeat_n('=', 3 - chunk.len()));
    }
    text
}

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 4648, section 10.
    #[test]
    fn base64_is_that_of_the_standard() {
        for (bytes, expected) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(bytes.as_bytes()), expected);
        }
    }

    #[test]
    fn authorities_of_the_machine_stay_trusted_and_can_be_read() {
        let tls = RedisTls { roots: Some(Vec::new()), own: None };
        let pem = tls.certificates().unwrap().root_cert.unwrap();
        let count = rustls_native_certs::load_native_certs().certs.len();
        assert_eq!(String::from_utf8(pem).unwrap().matches("BEGIN CERTIFICATE").count(), count);
    }
}
