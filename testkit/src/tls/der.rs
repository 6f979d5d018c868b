//! Pieces of DER.

use rcgen::CustomExtension;
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
