//! What stands in a certificate besides what TLS needs: who it is for, and until when it is good.
//!
//! A certificate is X.509 (RFC 5280) in DER. Signatures and chains are checked by `webpki`, which hands out neither the
//! validity nor the IP addresses of a certificate; the reader here finds those two and the other names. It believes
//! nothing: call it on a certificate whose signature was checked, or on a file of this host.

use std::net::IpAddr;

use time::OffsetDateTime;
use yasna::models::ObjectIdentifier;
use yasna::tags::TAG_UTCTIME;
use yasna::{ASN1Error, ASN1ErrorKind, ASN1Result, BERReader, BERReaderSeq, Tag};

/// The fields of a certificate that this crate reads.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Fields {
    /// The common name of the subject; empty if there is none.
    pub(crate) common_name: String,
    /// The last second in which it is good, since 1970.
    pub(crate) expires: u64,
    /// The public key's bits, without its algorithm.
    pub(crate) public_key: Vec<u8>,
    /// The subject alternative names of the three kinds that are used here.
    pub(crate) dns_names: Vec<String>,
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) uris: Vec<String>,
}

impl Fields {
    /// Reads a certificate in DER; none if it is not one.
    pub(crate) fn read(der: &[u8]) -> Option<Self> {
        yasna::parse_der(der, certificate).ok()
    }
}

/// `Certificate` of RFC 5280, section 4.1.
fn certificate(reader: BERReader<'_, '_>) -> ASN1Result<Fields> {
    reader.read_sequence(|reader| {
        let fields = reader.next().read_sequence(to_be_signed)?;
        reader.next().read_der()?; // signatureAlgorithm
        reader.next().read_bitvec_bytes()?; // signatureValue
        Ok(fields)
    })
}

/// `TBSCertificate`.
fn to_be_signed(reader: &mut BERReaderSeq<'_, '_>) -> ASN1Result<Fields> {
    let mut fields = Fields::default();
    reader.read_optional(|reader| reader.read_tagged(Tag::context(0), skip))?; // version
    reader.next().read_der()?; // serialNumber
    reader.next().read_der()?; // signature
    reader.next().read_der()?; // issuer
    fields.expires = reader.next().read_sequence(|reader| {
        reader.next().read_der()?; // notBefore
        instant(reader.next())
    })?;
    fields.common_name = common_name(reader.next())?;
    fields.public_key = reader.next().read_sequence(|reader| {
        reader.next().read_der()?; // algorithm
        Ok(reader.next().read_bitvec_bytes()?.0)
    })?;
    // Identifiers that are not used any more, then the extensions.
    while reader.read_optional(|reader| rest(reader, &mut fields))?.is_some() {}
    Ok(fields)
}

/// One of the optional fields at the end of `TBSCertificate`.
fn rest(reader: BERReader<'_, '_>, fields: &mut Fields) -> ASN1Result<()> {
    if reader.lookahead_tag()? != Tag::context(EXTENSIONS) {
        return skip(reader);
    }
    reader.read_tagged(Tag::context(EXTENSIONS), |reader| {
        reader.read_sequence_of(|reader| reader.read_sequence(|reader| extension(reader, fields)))
    })
}

/// `Time`: two digits of the year up to 2049, four after it.
fn instant(reader: BERReader<'_, '_>) -> ASN1Result<u64> {
    let time: OffsetDateTime = if reader.lookahead_tag()? == TAG_UTCTIME {
        *reader.read_utctime()?.datetime()
    } else {
        *reader.read_generalized_time()?.datetime()
    };
    u64::try_from(time.unix_timestamp()).map_err(|_| invalid())
}

/// The last `commonName` of a `Name`.
fn common_name(reader: BERReader<'_, '_>) -> ASN1Result<String> {
    let mut found = String::new();
    reader.read_sequence_of(|reader| {
        reader.read_set_of(|reader| {
            reader.read_sequence(|reader| {
                let kind = reader.next().read_oid()?;
                let value = reader.next().read_tagged_der()?;
                if kind == ObjectIdentifier::from_slice(COMMON_NAME) {
                    found = String::from_utf8(value.value().to_vec()).map_err(|_| invalid())?;
                }
                Ok(())
            })
        })
    })?;
    Ok(found)
}

/// `Extension`: only the subject alternative names are read.
fn extension(reader: &mut BERReaderSeq<'_, '_>, fields: &mut Fields) -> ASN1Result<()> {
    let kind = reader.next().read_oid()?;
    reader.read_optional(flag)?; // critical
    let content = reader.next().read_bytes()?;
    if kind != ObjectIdentifier::from_slice(SUBJECT_ALTERNATIVE_NAMES) {
        return Ok(());
    }
    yasna::parse_der(&content, |reader| {
        reader.read_sequence_of(|reader| {
            let name = reader.read_tagged_der()?;
            let text = || String::from_utf8(name.value().to_vec()).map_err(|_| invalid());
            if name.tag() == Tag::context(DNS_NAME) {
                fields.dns_names.push(text()?);
            } else if name.tag() == Tag::context(URI) {
                fields.uris.push(text()?);
            } else if name.tag() == Tag::context(IP_ADDRESS) {
                fields.addresses.push(address(name.value()).ok_or_else(invalid)?);
            }
            Ok(())
        })
    })
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    four.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

fn skip(reader: BERReader<'_, '_>) -> ASN1Result<()> {
    reader.read_der().map(drop)
}

fn flag(reader: BERReader<'_, '_>) -> ASN1Result<bool> {
    reader.read_bool()
}

fn invalid() -> ASN1Error {
    ASN1Error::new(ASN1ErrorKind::Invalid)
}

/// The tag of the extensions in `TBSCertificate`.
const EXTENSIONS: u64 = 3;

/// `id-at-commonName`.
const COMMON_NAME: &[u64] = &[2, 5, 4, 3];

/// `id-ce-subjectAltName`.
const SUBJECT_ALTERNATIVE_NAMES: &[u64] = &[2, 5, 29, 17];

/// The kinds of `GeneralName` that are used here.
const DNS_NAME: u64 = 2;
const URI: u64 = 6;
const IP_ADDRESS: u64 = 7;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    use super::*;

    fn made() -> (Vec<u8>, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::OrganizationName, "Tidegate");
        params.distinguished_name.push(DnType::CommonName, "shop é");
        params.subject_alt_names = vec![
            SanType::DnsName("node-a.example".try_into().unwrap()),
            SanType::Rfc822Name("a@example.com".try_into().unwrap()),
            SanType::IpAddress("10.0.0.7".parse().unwrap()),
            SanType::IpAddress("fd00::7".parse().unwrap()),
            SanType::URI("tidegate://shop/0000000000000007".try_into().unwrap()),
        ];
        params.not_after = OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap();
        (params.self_signed(&key).unwrap().der().to_vec(), key)
    }

    #[test]
    fn the_fields_are_those_of_the_certificate() {
        let (der, key) = made();
        let fields = Fields::read(&der).unwrap();
        assert_eq!(
            fields,
            Fields {
                common_name: "shop é".to_owned(),
                expires: 1_800_000_000,
                public_key: key.public_key_raw().to_vec(),
                dns_names: vec!["node-a.example".to_owned()],
                addresses: vec!["10.0.0.7".parse().unwrap(), "fd00::7".parse().unwrap()],
                uris: vec!["tidegate://shop/0000000000000007".to_owned()],
            }
        );
    }

    #[test]
    fn years_of_four_digits_are_read() {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.not_after = OffsetDateTime::from_unix_timestamp(4_000_000_000).unwrap();
        let der = params.self_signed(&key).unwrap().der().to_vec();
        assert_eq!(Fields::read(&der).unwrap().expires, 4_000_000_000);
    }

    #[test]
    fn what_is_not_a_certificate_is_refused() {
        let (der, _) = made();
        for length in 0..der.len() {
            assert_eq!(Fields::read(&der[..length]), None, "cut at {length}");
        }
        assert_eq!(Fields::read(b"-----BEGIN CERTIFICATE-----"), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(at in any::<prop::sample::Index>(), byte: u8, rest: Vec<u8>) {
            let (mut der, _) = made();
            let at = at.index(der.len());
            der[at] = byte;
            let _ = Fields::read(&der);
            let _ = Fields::read(&rest);
        }
    }
}
