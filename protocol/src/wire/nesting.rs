//! How deeply documents may be nested.

use super::fields::Fields;

/// The deepest nesting of documents and arrays that is accepted in a message.
///
/// Servers allow 200 levels; the rest is for what replies wrap around stored documents. Decoding recurses once per
/// level, so that without a bound a small reply could exhaust the stack of whoever decodes it.
pub const MAX_NESTING: usize = 256;

/// The fewest bytes by which a document is longer than a document inside it.
const BYTES_PER_LEVEL: usize = 4 + 1 + 1 + 1;

/// Whether `document`, itself the first of `levels` levels, has no more of them.
///
/// Only documents long enough to violate the bound are looked into, so that ordinary replies cost next to nothing: this
/// runs over the batch of every reply, and therefore looks at lengths alone. Stops at bytes that are not BSON, as any
/// decoder will.
pub(super) fn fits(document: &[u8], levels: usize) -> bool {
    if document.len() < (levels + 1) * BYTES_PER_LEVEL - 2 {
        return true;
    }
    if levels == 0 {
        return false;
    }
    let mut nested = Fields::unchecked(document).map_while(Result::ok).filter_map(|field| field.nested());
    nested.all(|inner| fits(inner, levels - 1))
}

#[cfg(test)]
mod tests {
    use bson::{RawDocumentBuf, raw::cstr, rawdoc};

    use super::*;

    fn nested(levels: usize) -> RawDocumentBuf {
        (1..levels).fold(rawdoc! {}, |inner, _| {
            let mut outer = RawDocumentBuf::new();
            outer.append(cstr!(""), inner);
            outer
        })
    }

    #[test]
    fn the_bound_is_exact() {
        for levels in [1, 2, 3, 50, 256, 300] {
            let document = nested(levels);
            assert!(fits(document.as_bytes(), levels), "{levels}");
            assert!(!fits(document.as_bytes(), levels - 1), "{levels}");
        }
    }

    #[test]
    fn siblings_and_other_types_are_looked_into() {
        let deep = nested(300);
        let listed = rawdoc! { "a": 1, "b": [{ "x": 1 }, { "y": deep.clone() }] };
        assert!(!fits(listed.as_bytes(), MAX_NESTING));
        let scope = bson::raw::RawJavaScriptCodeWithScope { code: "f".into(), scope: deep };
        let scoped = rawdoc! { "f": bson::RawBson::JavaScriptCodeWithScope(scope) };
        assert!(!fits(scoped.as_bytes(), MAX_NESTING));
    }

    /// Each type before the deep document must be stepped over by its exact size.
    #[test]
    fn every_type_is_stepped_over() {
        let deep = nested(300);
        let id = bson::oid::ObjectId::from_bytes([1; 12]);
        let scope = bson::raw::RawJavaScriptCodeWithScope { code: "f".into(), scope: rawdoc! { "a": 1 } };
        let regex = bson::Regex { pattern: cstr!("ab").into(), options: cstr!("i").into() };
        let binary = bson::Binary { subtype: bson::spec::BinarySubtype::BinaryOld, bytes: vec![1, 2] };
        let mut pointer = RawDocumentBuf::new().into_bytes();
        pointer.splice(4..4, [0x0c, b'p', 0, 2, 0, 0, 0, b'n', 0].into_iter().chain([7; 12]));
        pointer[0] = u8::try_from(pointer.len()).unwrap();
        let pointer = RawDocumentBuf::from_bytes(pointer).unwrap();
        let mut values: Vec<bson::RawBson> = vec![
            1.5.into(),
            "text".into(),
            rawdoc! { "a": 1 }.into(),
            binary.into(),
            bson::RawBson::Undefined,
            id.into(),
            true.into(),
            bson::DateTime::from_millis(1).into(),
            bson::RawBson::Null,
            regex.into(),
            bson::RawBson::JavaScriptCode("f".into()),
            bson::RawBson::Symbol("s".into()),
            bson::RawBson::JavaScriptCodeWithScope(scope),
            1.into(),
            1_i64.into(),
            bson::RawBson::MinKey,
            bson::RawBson::Timestamp(bson::Timestamp { time: 1, increment: 1 }),
            bson::RawBson::MaxKey,
            bson::RawBson::Decimal128("1".parse().unwrap()),
        ];
        values.push(bson::RawBson::try_from(pointer.iter_elements().next().unwrap().unwrap()).unwrap());
        for value in values {
            let mut document = RawDocumentBuf::new();
            document.append(cstr!("before"), value.clone());
            assert!(fits(document.as_bytes(), 4), "{value:?}");
            document.append(cstr!("deep"), deep.clone());
            assert!(!fits(document.as_bytes(), MAX_NESTING), "{value:?}");
        }
    }

    #[test]
    fn wide_documents_fit() {
        let wide: RawDocumentBuf = (0..10_000).fold(RawDocumentBuf::new(), |mut wide, _| {
            wide.append(cstr!("k"), rawdoc! { "a": "some text", "b": [1, 2, 3] });
            wide
        });
        assert!(fits(wide.as_bytes(), MAX_NESTING));
    }

    #[test]
    fn the_deepest_accepted_document_can_be_decoded() {
        assert!(bson::Document::try_from(&*nested(MAX_NESTING)).is_ok());
    }
}
