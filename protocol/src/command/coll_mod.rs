//! `collMod`: changes to the options of a collection.

use bson::{Bson, Document, RawDocumentBuf, raw::cstr};

use super::{
    ChangeStreamPreAndPostImages, Command, EncodeError, Namespace, Properties, ReadConcernUse, Request,
    ValidationAction, ValidationLevel, encode::append,
};
use crate::{concern::WriteConcern, retry::Operation};

/// Changes to a collection or view. An option that is none is not sent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModifyCollectionOptions {
    /// One index and what changes: `keyPattern` or `name`, with `expireAfterSeconds`, `hidden`, `prepareUnique` or
    /// `unique`.
    pub index: Option<Document>,
    /// What every document must satisfy.
    pub validator: Option<Document>,
    /// To which documents the validator applies.
    pub validation_level: Option<ValidationLevel>,
    /// What happens to documents that do not satisfy it.
    pub validation_action: Option<ValidationAction>,
    /// The collection that a view shows; together with `pipeline`.
    pub view_on: Option<String>,
    /// The stages of a view.
    pub pipeline: Option<Vec<Document>>,
    /// Size of a capped collection in bytes. Servers from 6.0.
    pub capped_size: Option<u64>,
    /// The most documents of a capped collection. Servers from 6.0.
    pub capped_max: Option<u64>,
    /// Whether change streams can show documents as they were before and after. Servers from 6.0.
    pub change_stream_pre_and_post_images: Option<ChangeStreamPreAndPostImages>,
    /// A number of seconds, or `off`: how long documents of a time series or clustered collection stay.
    pub expire_after_seconds: Option<Bson>,
    /// New granularity or bucket times of a time series.
    pub timeseries: Option<Document>,
    /// Whether to check the change without making it. Servers from 6.0.
    pub dry_run: Option<bool>,
    /// How many members must confirm. Default: the database's, else the client's.
    pub write_concern: Option<WriteConcern>,
    /// Attached to the command in profiler, logs and `currentOp`. Any BSON. Servers from 4.4.
    pub comment: Option<Bson>,
}

/// The `collMod` command.
#[derive(Clone, Copy, Debug)]
pub struct ModifyCollection<'a> {
    /// The collection or view.
    pub namespace: &'a Namespace,
    /// The changes.
    pub options: &'a ModifyCollectionOptions,
}

impl Command for ModifyCollection<'_> {
    fn properties(&self) -> Properties {
        Properties { read_concern: ReadConcernUse::None, ..Properties::write(Operation::PLAIN_WRITE) }
    }

    fn request(&self) -> Result<Request, EncodeError> {
        self.namespace.validate()?;
        let options = self.options;
        let mut body = RawDocumentBuf::new();
        body.append(cstr!("collMod"), &*self.namespace.coll);
        append!(&mut body;
            "index": options.index,
            "validator": options.validator,
            "validationLevel": options.validation_level,
            "validationAction": options.validation_action,
            "viewOn": options.view_on,
            "pipeline": options.pipeline,
            "cappedSize": options.capped_size,
            "cappedMax": options.capped_max,
            "changeStreamPreAndPostImages": options.change_stream_pre_and_post_images,
            "expireAfterSeconds": options.expire_after_seconds,
            "timeseries": options.timeseries,
            "dryRun": options.dry_run,
            "comment": options.comment,
        );
        Ok(Request::new("collMod", self.namespace.db.clone(), body))
    }
}

#[cfg(test)]
mod tests {
    use bson::{doc, rawdoc};

    use super::*;

    #[test]
    fn options_are_sent_only_when_given() {
        let namespace = Namespace::new("db", "coll");
        let body = |options: &_| ModifyCollection { namespace: &namespace, options }.request().unwrap().body;
        assert_eq!(body(&ModifyCollectionOptions::default()), rawdoc! { "collMod": "coll" });
        let options = ModifyCollectionOptions {
            index: Some(doc! { "name": "x_1", "hidden": true }),
            validator: Some(doc! {}),
            validation_level: Some(ValidationLevel::Off),
            validation_action: Some(ValidationAction::ErrorAndLog),
            view_on: Some("v".into()),
            pipeline: Some(Vec::new()),
            capped_size: Some(1),
            capped_max: Some(2),
            change_stream_pre_and_post_images: Some(ChangeStreamPreAndPostImages { enabled: false }),
            expire_after_seconds: Some(Bson::from("off")),
            timeseries: Some(doc! { "granularity": "hours" }),
            dry_run: Some(true),
            write_concern: Some(WriteConcern::majority()),
            comment: Some(Bson::Int32(1)),
        };
        let expected = rawdoc! {
            "collMod": "coll", "index": { "name": "x_1", "hidden": true }, "validator": {}, "validationLevel": "off",
            "validationAction": "errorAndLog", "viewOn": "v", "pipeline": [], "cappedSize": 1_i64, "cappedMax": 2_i64,
            "changeStreamPreAndPostImages": { "enabled": false }, "expireAfterSeconds": "off",
            "timeseries": { "granularity": "hours" }, "dryRun": true, "comment": 1,
        };
        assert_eq!(body(&options), expected);
    }
}
