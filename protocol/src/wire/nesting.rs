//! How deeply documents may be nested.

use bson::{RawDocument, raw::RawBsonRef};

/// The deepest nesting of documents and arrays that is accepted in a message.
///
/// Servers allow 200 levels; the rest is for what replies wrap around stored documents. Decoding recurses once per
/// level, so that without a bound a small reply could exhaust the stack of whoever decodes it.
pub const MAX_NESTING: usize = 256;

/// The fewest bytes by which a document is longer than a document inside it.
const BYTES_PER_LEVEL: usize = 4 + 1 + 1 + 1;

/// Whether `document`, itself the first of `levels` levels, has no more of them.
///
/// Only documents long enough to violate the bound are looked into, so that ordinary replies cost next to nothing.
/// Stops at bytes that are not BSON, as any decoder will.
pub(super) fn fits(document: &RawDocument, levels: usize) -> bool {
    if document.as_bytes().len() < (levels + 1) * BYTES_PER_LEVEL - 2 {
        return true;
    }
    if levels == 0 {
        return false;
    }
    for element in document.iter_elements() {
        let Ok(element) = element else { return true };
        if element.size() < levels * BYTES_PER_LEVEL - 2 {
            continue;
        }
        let fits = match element.value() {
            Ok(RawBsonRef::Document(inner)) => fits(inner, levels - 1),
            Ok(RawBsonRef::Array(inner)) => {
                RawDocument::from_bytes(inner.as_bytes()).is_ok_and(|it| fits(it, levels - 1))
            }
            Ok(RawBsonRef::JavaScriptCodeWithScope(code)) => fits(code.scope, levels - 1),
            _ => true,
        };
        if !fits {
            return false;
        }
    }
    true
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
            assert!(fits(&document, levels), "{levels}");
            assert!(!fits(&document, levels - 1), "{levels}");
        }
    }

    #[test]
    fn siblings_and_other_types_are_looked_into() {
        let deep = nested(300);
        assert!(!fits(&rawdoc! { "a": 1, "b": [{ "x": 1 }, { "y": deep.clone() }] }, MAX_NESTING));
        let scope = bson::raw::RawJavaScriptCodeWithScope { code: "f".into(), scope: deep };
        assert!(!fits(&rawdoc! { "f": bson::RawBson::JavaScriptCodeWithScope(scope) }, MAX_NESTING));
    }

    #[test]
    fn wide_documents_fit() {
        let wide: RawDocumentBuf = (0..10_000).fold(RawDocumentBuf::new(), |mut wide, _| {
            wide.append(cstr!("k"), rawdoc! { "a": "some text", "b": [1, 2, 3] });
            wide
        });
        assert!(fits(&wide, MAX_NESTING));
    }

    #[test]
    fn the_deepest_accepted_document_can_be_decoded() {
        assert!(bson::Document::try_from(&*nested(MAX_NESTING)).is_ok());
    }
}
