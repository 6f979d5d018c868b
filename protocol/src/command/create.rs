//! `create`: collections and views.

use bson::{RawDocumentBuf, raw::cstr};

use super::{Command, CreateCollectionOptions, EncodeError, Namespace, Properties, Request};
use crate::retry::Operation;

/// The `create` command.
#[derive(Clone, Copy, Debug)]
pub struct CreateCollection<'a> {
    /// The collection or view.
    pub namespace: &'a Namespace,
    /// The options.
    pub options: &'a CreateCollectionOptions,
}

impl Command for CreateCollection<'_> {
    fn properties(&self) -> Properties {
        Properties::write(Operation::PLAIN_WRITE)
    }

    fn request(&self) -> Result<Request, EncodeError> {
        self.namespace.validate()?;
        let mut body = RawDocumentBuf::new();
        body.append(cstr!("create"), &*self.namespace.coll);
        self.options.encode(&mut body)?;
        Ok(Request::new("create", self.namespace.db.clone(), body))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bson::{Bson, doc, rawdoc};

    use super::*;
    use crate::command::{
        ChangeStreamPreAndPostImages, ClusteredIndex, Collation, IndexOptionDefaults, TimeseriesGranularity,
        TimeseriesOptions, ValidationAction, ValidationLevel,
    };

    fn every_option() -> CreateCollectionOptions {
        CreateCollectionOptions {
            capped: Some(true),
            size: Some(1024),
            max: Some(10),
            storage_engine: Some(doc! { "wiredTiger": {} }),
            validator: Some(doc! { "x": 1 }),
            validation_level: Some(ValidationLevel::Moderate),
            validation_action: Some(ValidationAction::Warn),
            view_on: Some("other".into()),
            pipeline: Some(vec![doc! { "$match": {} }]),
            collation: Some(Collation::new("en")),
            write_concern: None,
            index_option_defaults: Some(IndexOptionDefaults { storage_engine: doc! { "a": 1 } }),
            timeseries: Some(TimeseriesOptions {
                time_field: "t".into(),
                meta_field: Some("m".into()),
                granularity: Some(TimeseriesGranularity::Minutes),
                bucket_max_span: Some(Duration::from_secs(60)),
                bucket_rounding: Some(Duration::from_secs(60)),
            }),
            expire_after_seconds: Some(Duration::from_secs(3600)),
            change_stream_pre_and_post_images: Some(ChangeStreamPreAndPostImages { enabled: true }),
            clustered_index: Some(ClusteredIndex { name: Some("n".into()), v: Some(2), ..Default::default() }),
            comment: None,
            encrypted_fields: Some(doc! { "fields": [] }),
        }
    }

    fn options_on_the_wire() -> RawDocumentBuf {
        rawdoc! {
            "create": "coll", "capped": true, "size": 1024_i64, "max": 10_i64, "storageEngine": { "wiredTiger": {} },
            "validator": { "x": 1 }, "validationLevel": "moderate", "validationAction": "warn", "viewOn": "other",
            "pipeline": [{ "$match": {} }], "collation": { "locale": "en" },
            "indexOptionDefaults": { "storageEngine": { "a": 1 } },
            "timeseries": {
                "timeField": "t", "metaField": "m", "granularity": "minutes", "bucketMaxSpanSeconds": 60_i64,
                "bucketRoundingSeconds": 60_i64,
            },
            "expireAfterSeconds": 3600_i64, "changeStreamPreAndPostImages": { "enabled": true },
            "clusteredIndex": { "key": { "_id": 1 }, "unique": true, "name": "n", "v": 2 },
            "encryptedFields": { "fields": [] },
        }
    }

    #[test]
    fn options_are_sent_only_when_given() {
        let namespace = Namespace::new("db", "coll");
        let body = |options: &_| CreateCollection { namespace: &namespace, options }.request().unwrap().body;
        assert_eq!(body(&CreateCollectionOptions::default()), rawdoc! { "create": "coll" });
        assert_eq!(body(&every_option()), options_on_the_wire());
        let mut expected = options_on_the_wire();
        expected.append(cstr!("comment"), "c");
        assert_eq!(body(&CreateCollectionOptions { comment: Some(Bson::from("c")), ..every_option() }), expected);
        let properties = CreateCollection { namespace: &namespace, options: &every_option() }.properties();
        assert_eq!(properties, Properties::write(Operation::PLAIN_WRITE));
    }

    #[test]
    fn what_a_server_lists_is_read_back() {
        let read: CreateCollectionOptions = bson::deserialize_from_slice(options_on_the_wire().as_bytes()).unwrap();
        assert_eq!(read, every_option());
        let listed = rawdoc! { "capped": true, "size": 4096.0, "flags": 1, "clusteredIndex": true };
        let read: CreateCollectionOptions = bson::deserialize_from_slice(listed.as_bytes()).unwrap();
        assert_eq!((read.size, read.clustered_index), (Some(4096), Some(ClusteredIndex::default())));
    }

    #[test]
    fn names_and_times_are_checked() {
        let options =
            CreateCollectionOptions { expire_after_seconds: Some(Duration::from_millis(500)), ..Default::default() };
        let namespace = Namespace::new("db", "coll");
        assert!(CreateCollection { namespace: &namespace, options: &options }.request().is_err());
        let bad_name = Namespace::new("db", "");
        let refused = CreateCollection { namespace: &bad_name, options: &Default::default() }.request();
        assert!(matches!(refused, Err(EncodeError::InvalidName(_))));
    }
}
