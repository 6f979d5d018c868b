//! Pieces of DER.

use rcgen::{CustomExtension, DistinguishedName, DnType, DnValue};
use yasna::{Tag, construct_der, models::ObjectIdentifier};

/// The extension that names responders (RFC 5280, section 4.2.2.1).
pub(super) fn authority_information_access(responders: &[String]) -> CustomExtension {
    let content = construct_der(|writer| {
        writer.write_sequence_of(|writer| {
            for url in responders {
                writer.next().write_sequence(|writer| {
                    writer.next().write_oid(&ObjectIdentifier::from_slice(&[1, 3, 6, 1, 5, 5, 7, 48, 1]));
                    writer.next().write_tagged_implicit(Tag::context(6), |writer| writer.write_ia5_string(url));
                });
            }
        });
    });
    CustomExtension::from_oid_content(&[1, 3, 6, 1, 5, 5, 7, 1, 1], content)
}

/// A name of which every part is a UTF-8 string, as `rcgen` writes it.
pub(super) fn name(name: &DistinguishedName) -> Vec<u8> {
    construct_der(|writer| {
        writer.write_sequence(|writer| {
            for (kind, value) in name.iter() {
                let DnValue::Utf8String(value) = value else { continue };
                let last = match kind {
                    DnType::OrganizationName => 10,
                    DnType::OrganizationalUnitName => 11,
                    _ => 3,
                };
                writer.next().write_set(|writer| {
                    writer.next().write_sequence(|writer| {
                        writer.next().write_oid(&ObjectIdentifier::from_slice(&[2, 5, 4, last]));
                        writer.next().write_utf8_string(value);
                    });
                });
            }
        });
    })
}

/// An integer whose first bit is 0.
pub(super) fn positive_integer(bytes: &[u8]) -> Vec<u8> {
    construct_der(|writer| writer.write_bigint_bytes(bytes, true))
}
