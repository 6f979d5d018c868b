//! Fields in an order, and fields to return, in the forms in which they are given.

use bson::{Bson, Document};

/// Fields and their directions, in order: of an index, or of a sort.
///
/// A field by itself is ascending. The directions of indexes are 1, -1, and kinds such as `text`, `2dsphere` and
/// `hashed`; those of sorts are 1, -1, and `{ $meta: .. }`.
///
/// ```
/// use bson::doc;
/// use mongo_actors_protocol::command::Keys;
///
/// assert_eq!(Keys::from("age"), Keys::from(doc! { "age": 1 }));
/// assert_eq!(Keys::from(["town", "age"]), Keys::from(doc! { "town": 1, "age": 1 }));
/// assert_eq!(Keys::from([("town", 1), ("age", -1)]), Keys::from(doc! { "town": 1, "age": -1 }));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Keys(Document);

/// Which fields of the documents are returned.
///
/// Made from a document, in which 1 includes a field and 0 leaves it out, or from a list of names, which are included
/// with `_id`: the empty list asks for nothing but `_id`.
///
/// ```
/// use bson::doc;
/// use mongo_actors_protocol::command::Projection;
///
/// assert_eq!(Projection::from(["name", "age"]), Projection::from(doc! { "name": 1, "age": 1 }));
/// assert_eq!(Projection::from([""; 0]), Projection::from(doc! { "_id": 1 }));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Projection(Document);

impl PartialEq for Keys {
    /// The order counts, unlike in documents.
    fn eq(&self, other: &Self) -> bool {
        self.0.iter().eq(other.0.iter())
    }
}

impl From<Document> for Keys {
    fn from(keys: Document) -> Self {
        Self(keys)
    }
}

impl From<Keys> for Document {
    fn from(keys: Keys) -> Self {
        keys.0
    }
}

impl From<&str> for Keys {
    fn from(field: &str) -> Self {
        Self::from([field])
    }
}

impl<const N: usize> From<[&str; N]> for Keys {
    fn from(fields: [&str; N]) -> Self {
        Self::from(fields.map(|field| (field, 1)))
    }
}

impl<K: Into<String>, D: Into<Bson>, const N: usize> From<[(K, D); N]> for Keys {
    fn from(keys: [(K, D); N]) -> Self {
        Self::from(Vec::from(keys))
    }
}

impl<K: Into<String>, D: Into<Bson>> From<Vec<(K, D)>> for Keys {
    fn from(keys: Vec<(K, D)>) -> Self {
        Self(keys.into_iter().map(|(field, direction)| (field.into(), direction.into())).collect())
    }
}

impl From<Document> for Projection {
    fn from(fields: Document) -> Self {
        Self(fields)
    }
}

impl From<Projection> for Document {
    fn from(projection: Projection) -> Self {
        projection.0
    }
}

impl<const N: usize> From<[&str; N]> for Projection {
    fn from(fields: [&str; N]) -> Self {
        Self::from(fields.as_slice())
    }
}

impl<S: AsRef<str>> From<&[S]> for Projection {
    fn from(fields: &[S]) -> Self {
        let fields = if fields.is_empty() { vec!["_id"] } else { fields.iter().map(AsRef::as_ref).collect() };
        Self(fields.into_iter().map(|field| (field.to_owned(), Bson::Int32(1))).collect())
    }
}

impl<S: AsRef<str>> From<Vec<S>> for Projection {
    fn from(fields: Vec<S>) -> Self {
        Self::from(fields.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    #[test]
    fn all_forms_of_keys_are_the_same() {
        let keys = Document::from(Keys::from(vec![("a".to_owned(), Bson::from(1)), ("b".to_owned(), "text".into())]));
        assert_eq!(keys, doc! { "a": 1, "b": "text" });
        assert_eq!(Keys::from(["a", "b"]), Keys::from([("a", 1), ("b", 1)]));
        assert_ne!(Keys::from(["a", "b"]), Keys::from(["b", "a"]));
    }

    #[test]
    fn names_are_included_and_no_names_are_the_id_alone() {
        assert_eq!(Projection::from(vec!["a".to_owned()]), Projection::from(doc! { "a": 1 }));
        assert_eq!(Document::from(Projection::from(Vec::<String>::new())), doc! { "_id": 1 });
    }
}
