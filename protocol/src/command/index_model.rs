//! Indexes: their keys and options.

use std::time::Duration;

use bson::{Bson, Document, RawDocumentBuf};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    Collation, EncodeError, Keys,
    collation::append_extra,
    encode::{append, whole_seconds},
    numbers::{deserialize_i64, some_seconds, some_u32},
};

/// An index: its keys, and options.
///
/// ```
/// use bson::doc;
/// use mongo_actors_protocol::command::{IndexModel, IndexOptions};
///
/// let index = IndexModel::new([("email", 1), ("age", -1)]).unique(true);
/// assert_eq!(index.name(), "email_1_age_-1");
/// let options = IndexOptions { unique: Some(true), ..Default::default() };
/// assert_eq!(index, IndexModel::new(doc! { "email": 1, "age": -1 }).with_options(options));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct IndexModel {
    /// Fields and their directions: 1, -1, or a kind such as `text`, `2dsphere` or `hashed`.
    #[serde(rename = "key")]
    pub keys: Document,
    /// Options of the index.
    #[serde(flatten)]
    pub options: Option<IndexOptions>,
}

/// Options of an index. An option that is none is not sent.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IndexOptions {
    /// Servers from 4.2 ignore it.
    pub background: Option<bool>,
    /// How long documents stay after the time in the indexed field. Whole seconds.
    #[serde(rename = "expireAfterSeconds", deserialize_with = "some_seconds")]
    pub expire_after: Option<Duration>,
    /// Name of the index. Default: its keys and directions, joined by underscores.
    pub name: Option<String>,
    /// Whether documents without the fields are left out.
    pub sparse: Option<bool>,
    /// Options of the storage engine.
    pub storage_engine: Option<Document>,
    /// Whether no two documents may have the same keys.
    pub unique: Option<bool>,
    /// Version of the index format.
    #[serde(rename = "v")]
    pub version: Option<IndexVersion>,
    /// Language of a text index. Default: `english`.
    #[serde(rename = "default_language")]
    pub default_language: Option<String>,
    /// The field that names a document's language. Default: `language`.
    #[serde(rename = "language_override")]
    pub language_override: Option<String>,
    /// Version of a text index.
    pub text_index_version: Option<TextIndexVersion>,
    /// Weights of the fields of a text index.
    pub weights: Option<Document>,
    /// Version of a `2dsphere` index.
    #[serde(rename = "2dsphereIndexVersion")]
    pub sphere_2d_index_version: Option<Sphere2DIndexVersion>,
    /// Precision of a `2d` index, from 1 to 32. Default: 26.
    #[serde(deserialize_with = "some_u32")]
    pub bits: Option<u32>,
    /// Upper bound of the coordinates of a `2d` index. Default: 180.
    pub max: Option<f64>,
    /// Lower bound of the coordinates of a `2d` index. Default: -180.
    pub min: Option<f64>,
    /// Width of a `geoHaystack` index. Only servers before 5.0 know it.
    #[serde(deserialize_with = "some_u32")]
    pub bucket_size: Option<u32>,
    /// Which documents are indexed.
    pub partial_filter_expression: Option<Document>,
    /// Rules for comparing strings.
    pub collation: Option<Collation>,
    /// Fields of a wildcard index to include or leave out.
    pub wildcard_projection: Option<Document>,
    /// Whether the query planner ignores the index. Servers from 4.4.
    pub hidden: Option<bool>,
    /// Whether it is the clustered index; only reported, never to be given here.
    pub clustered: Option<bool>,
    /// Whether the index refuses new duplicates while it is prepared to become unique. Servers from 6.0.
    pub prepare_unique: Option<bool>,
    /// Further options, sent as they are.
    #[serde(flatten)]
    pub extra: Document,
}

/// Declares the versions of one kind of index.
macro_rules! versions {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $number:literal),* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$doc])* $variant,)*
            /// Any other version.
            Custom(u32),
        }

        impl $name {
            fn number(self) -> u32 {
                match self {
                    $(Self::$variant => $number,)*
                    Self::Custom(number) => number,
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let number = deserialize_i64(deserializer)?;
                Ok(match u32::try_from(number).map_err(serde::de::Error::custom)? {
                    $($number => Self::$variant,)*
                    number => Self::Custom(number),
                })
            }
        }
    };
}

versions! {
    /// Version of the index format.
    IndexVersion {
        /// Obsolete.
        V0 = 0,
        /// Before 3.4.
        V1 = 1,
        /// The default.
        V2 = 2
    }
}

versions! {
    /// Version of a text index.
    TextIndexVersion {
        /// Servers from 2.4.
        V1 = 1,
        /// Servers from 2.6.
        V2 = 2,
        /// The default.
        V3 = 3
    }
}

versions! {
    /// Version of a `2dsphere` index.
    Sphere2DIndexVersion {
        /// Servers from 2.6.
        V2 = 2,
        /// The default.
        V3 = 3
    }
}

impl IndexModel {
    /// An index of `keys` without options.
    pub fn new(keys: impl Into<Keys>) -> Self {
        Self { keys: keys.into().into(), options: None }
    }

    /// The same index with `options`.
    #[must_use]
    pub fn with_options(mut self, options: IndexOptions) -> Self {
        self.options = Some(options);
        self
    }

    /// The name it is given, or the one that follows from its keys.
    pub fn name(&self) -> String {
        let given = self.options.as_ref().and_then(|options| options.name.clone());
        given.unwrap_or_else(|| generated_name(&self.keys))
    }

    pub(crate) fn to_raw(&self) -> Result<RawDocumentBuf, EncodeError> {
        if self.keys.is_empty() {
            return Err(EncodeError::argument("keys", "an index must have at least one key"));
        }
        let mut raw = RawDocumentBuf::new();
        append!(&mut raw; "key": self.keys, "name": self.name());
        if let Some(options) = &self.options {
            options.encode(&mut raw)?;
        }
        Ok(raw)
    }
}

impl<K: Into<Keys>> From<K> for IndexModel {
    fn from(keys: K) -> Self {
        Self::new(keys)
    }
}

/// Declares setters of an index, each of one option.
macro_rules! index_setters {
    ($($(#[$doc:meta])* $name:ident($value:ident: $type:ty) $set:expr;)*) => {
        impl IndexModel {
            $(
                $(#[$doc])*
                #[must_use]
                pub fn $name(mut self, $value: $type) -> Self {
                    self.options.get_or_insert_default().$name = Some($set);
                    self
                }
            )*

            /// An option that has no method here, sent as it is.
            #[must_use]
            pub fn extra(mut self, option: impl Into<String>, value: impl Into<Bson>) -> Self {
                self.options.get_or_insert_default().extra.insert(option, value);
                self
            }

            /// Its name, in place of the one that follows from its keys.
            #[must_use]
            pub fn named(mut self, name: impl Into<String>) -> Self {
                self.options.get_or_insert_default().name = Some(name.into());
                self
            }
        }
    };
}

index_setters! {
    /// Whether no two documents may have the same keys.
    unique(unique: bool) unique;
    /// Whether documents without the fields are left out.
    sparse(sparse: bool) sparse;
    /// How long documents stay after the time in the indexed field. Whole seconds.
    expire_after(time: Duration) time;
    /// Which documents are indexed.
    partial_filter_expression(filter: impl Into<Document>) filter.into();
    /// Rules for comparing strings.
    collation(collation: impl Into<Collation>) collation.into();
    /// Fields of a wildcard index to include or leave out.
    wildcard_projection(fields: impl Into<Document>) fields.into();
    /// Whether the query planner ignores the index. Servers from 4.4.
    hidden(hidden: bool) hidden;
    /// Weights of the fields of a text index.
    weights(weights: impl Into<Document>) weights.into();
    /// Language of a text index. Default: `english`.
    default_language(language: impl Into<String>) language.into();
    /// The field that names a document's language. Default: `language`.
    language_override(field: impl Into<String>) field.into();
    /// Precision of a `2d` index, from 1 to 32. Default: 26.
    bits(bits: u32) bits;
    /// Lower bound of the coordinates of a `2d` index. Default: -180.
    min(bound: f64) bound;
    /// Upper bound of the coordinates of a `2d` index. Default: 180.
    max(bound: f64) bound;
    /// Whether the index refuses new duplicates while it is prepared to become unique. Servers from 6.0.
    prepare_unique(prepare: bool) prepare;
    /// Options of the storage engine.
    storage_engine(options: impl Into<Document>) options.into();
}

impl IndexOptions {
    fn encode(&self, raw: &mut RawDocumentBuf) -> Result<(), EncodeError> {
        let expire_after = self.expire_after.map(|time| whole_seconds(time, "expireAfterSeconds")).transpose()?;
        append!(raw;
            "background": self.background,
            "expireAfterSeconds": expire_after,
            "sparse": self.sparse,
            "storageEngine": self.storage_engine,
            "unique": self.unique,
            "v": self.version.map(IndexVersion::number),
            "default_language": self.default_language,
            "language_override": self.language_override,
            "textIndexVersion": self.text_index_version.map(TextIndexVersion::number),
            "weights": self.weights,
            "2dsphereIndexVersion": self.sphere_2d_index_version.map(Sphere2DIndexVersion::number),
            "bits": self.bits,
            "max": self.max,
            "min": self.min,
            "bucketSize": self.bucket_size,
            "partialFilterExpression": self.partial_filter_expression,
            "collation": self.collation,
            "wildcardProjection": self.wildcard_projection,
            "hidden": self.hidden,
            "clustered": self.clustered,
            "prepareUnique": self.prepare_unique,
        );
        append_extra(raw, &self.extra)
    }
}

impl Serialize for IndexModel {
    /// Writes the wire form, in which every index has a name.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_raw().map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

/// The name of an index without one: keys and directions, joined by underscores.
pub(crate) fn generated_name(keys: &Document) -> String {
    let parts: Vec<String> =
        keys.iter().map(|(key, direction)| format!("{key}_{}", direction_text(direction))).collect();
    parts.join("_")
}

fn direction_text(direction: &Bson) -> String {
    match direction {
        Bson::Int32(number) => number.to_string(),
        Bson::Int64(number) => number.to_string(),
        Bson::Double(number) => number.to_string(),
        Bson::String(kind) => kind.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use bson::{doc, rawdoc};

    use super::*;

    fn every_option() -> IndexOptions {
        IndexOptions {
            background: Some(true),
            expire_after: Some(Duration::from_secs(60)),
            name: Some("n".into()),
            sparse: Some(true),
            storage_engine: Some(doc! { "wiredTiger": {} }),
            unique: Some(true),
            version: Some(IndexVersion::V2),
            default_language: Some("german".into()),
            language_override: Some("lang".into()),
            text_index_version: Some(TextIndexVersion::V3),
            weights: Some(doc! { "a": 2 }),
            sphere_2d_index_version: Some(Sphere2DIndexVersion::Custom(9)),
            bits: Some(26),
            max: Some(90.0),
            min: Some(-90.0),
            bucket_size: Some(4),
            partial_filter_expression: Some(doc! { "a": { "$gt": 1 } }),
            collation: Some(Collation::new("en")),
            wildcard_projection: Some(doc! { "b": 0 }),
            hidden: Some(true),
            clustered: Some(false),
            prepare_unique: Some(true),
            extra: doc! { "future": 1 },
        }
    }

    fn wire_form() -> RawDocumentBuf {
        rawdoc! {
            "key": { "a": 1 }, "name": "n", "background": true, "expireAfterSeconds": 60_i64, "sparse": true,
            "storageEngine": { "wiredTiger": {} }, "unique": true, "v": 2, "default_language": "german",
            "language_override": "lang", "textIndexVersion": 3, "weights": { "a": 2 }, "2dsphereIndexVersion": 9,
            "bits": 26, "max": 90.0, "min": -90.0, "bucketSize": 4, "partialFilterExpression": { "a": { "$gt": 1 } },
            "collation": { "locale": "en" }, "wildcardProjection": { "b": 0 }, "hidden": true, "clustered": false,
            "prepareUnique": true, "future": 1,
        }
    }

    #[test]
    fn a_name_follows_from_keys_and_directions() {
        for (keys, name) in [
            (doc! { "name": 1, "dob": -1 }, "name_1_dob_-1"),
            (doc! { "a.b": 1_i64 }, "a.b_1"),
            (doc! { "a": 1.0 }, "a_1"),
            (doc! { "t": "text", "g": "2dsphere" }, "t_text_g_2dsphere"),
            (doc! { "$**": 1 }, "$**_1"),
        ] {
            assert_eq!(IndexModel::new(keys).name(), name);
        }
    }

    #[test]
    fn each_option_can_be_set_by_itself() {
        let model = IndexModel::new("a")
            .unique(true)
            .sparse(true)
            .expire_after(Duration::from_secs(60))
            .partial_filter_expression(doc! { "a": 1 })
            .collation(Collation::new("en"))
            .wildcard_projection(doc! { "b": 0 })
            .hidden(true)
            .weights(doc! { "a": 2 })
            .default_language("german")
            .language_override("lang")
            .bits(26)
            .min(-90.0)
            .max(90.0)
            .prepare_unique(true)
            .storage_engine(doc! {})
            .named("n")
            .extra("future", 1);
        let expected = rawdoc! {
            "key": { "a": 1 }, "name": "n", "expireAfterSeconds": 60_i64, "sparse": true, "storageEngine": {},
            "unique": true, "default_language": "german", "language_override": "lang", "weights": { "a": 2 },
            "bits": 26, "max": 90.0, "min": -90.0, "partialFilterExpression": { "a": 1 },
            "collation": { "locale": "en" }, "wildcardProjection": { "b": 0 }, "hidden": true, "prepareUnique": true,
            "future": 1,
        };
        assert_eq!(model.to_raw().unwrap(), expected);
        assert_eq!(IndexModel::from([("a", 1), ("b", -1)]), IndexModel::new(doc! { "a": 1, "b": -1 }));
    }

    #[test]
    fn options_are_sent_only_when_given() {
        assert_eq!(IndexModel::new(doc! { "a": 1 }).to_raw().unwrap(), rawdoc! { "key": { "a": 1 }, "name": "a_1" });
        let full = IndexModel::new(doc! { "a": 1 }).with_options(every_option());
        assert_eq!(full.to_raw().unwrap(), wire_form());
        assert!(IndexModel::new(doc! {}).to_raw().is_err());
        let odd = IndexOptions { expire_after: Some(Duration::from_millis(1)), ..Default::default() };
        assert!(IndexModel::new(doc! { "a": 1 }).with_options(odd).to_raw().is_err());
    }

    #[test]
    fn what_a_server_lists_is_read_back() {
        let read: IndexModel = bson::deserialize_from_slice(wire_form().as_bytes()).unwrap();
        assert_eq!(read, IndexModel::new(doc! { "a": 1 }).with_options(every_option()));
        let sparse = rawdoc! { "v": 2.0, "key": { "_id": 1 }, "name": "_id_", "expireAfterSeconds": 3.0 };
        let read: IndexModel = bson::deserialize_from_slice(sparse.as_bytes()).unwrap();
        assert_eq!(read.name(), "_id_");
        let options = read.options.unwrap();
        assert_eq!((options.version, options.expire_after), (Some(IndexVersion::V2), Some(Duration::from_secs(3))));
    }
}
