//! Operations of GridFS buckets.

use std::time::Duration;

use bson::{Bson, Document};
use mongo_actors::gridfs::GridFsBucket;

use super::{Session, Value, results::drain, unsupported};
use crate::unified::{
    arguments::{Argument, Arguments, in_session, set},
    failure::Attempt,
    matching::hex_bytes,
};

pub(super) async fn execute(
    bucket: &GridFsBucket,
    name: &str,
    mut arguments: Arguments,
    session: Session<'_>,
) -> Attempt<Value> {
    match name {
        "upload" => upload(bucket, arguments, session).await,
        "download" | "downloadByName" => download(bucket, name, arguments, session).await,
        "find" => {
            let mut find = bucket.find(arguments.require::<Document>("filter")?);
            set!(find, arguments, {
                "allowDiskUse" => allow_disk_use: bool, "batchSize" => batch_size: u32, "limit" => limit: i64,
                "maxTimeMS" => max_time: Duration, "noCursorTimeout" => no_cursor_timeout: bool, "skip" => skip: u64,
                "sort" => sort: Document, "timeoutMS" => timeout: Duration,
            });
            arguments.finish()?;
            Ok(Value::Documents(drain!(find, session)))
        }
        "delete" | "deleteByName" | "rename" | "renameByName" | "drop" => {
            let change = match name {
                "delete" => bucket.delete(arguments.require::<Bson>("id")?),
                "deleteByName" => bucket.delete_by_name(arguments.require::<String>("filename")?),
                "rename" => {
                    bucket.rename(arguments.require::<Bson>("id")?, arguments.require::<String>("newFilename")?)
                }
                "renameByName" => bucket.rename_by_name(
                    arguments.require::<String>("filename")?,
                    arguments.require::<String>("newFilename")?,
                ),
                _ => bucket.drop(),
            };
            let mut change = in_session!(change, session);
            set!(change, arguments, { "timeoutMS" => timeout: Duration });
            arguments.finish()?;
            change.await?;
            Ok(Value::Nothing)
        }
        _ => Err(unsupported("a bucket", name).into()),
    }
}

async fn upload(bucket: &GridFsBucket, mut arguments: Arguments, session: Session<'_>) -> Attempt<Value> {
    let (filename, Source(source)) = (arguments.require::<String>("filename")?, arguments.require("source")?);
    // No digest is ever computed.
    arguments.take::<bool>("disableMD5")?;
    let upload = match arguments.take::<Bson>("id")? {
        Some(id) => bucket.upload_from_stream_with_id(id, filename, &source[..]),
        None => bucket.upload_from_stream(filename, &source[..]),
    };
    let mut upload = in_session!(upload, session);
    set!(upload, arguments, {
        "chunkSizeBytes" => chunk_size_bytes: u32, "metadata" => metadata: Document, "timeoutMS" => timeout: Duration,
    });
    arguments.finish()?;
    Ok(Value::Bson(upload.await?))
}

async fn download(bucket: &GridFsBucket, name: &str, mut arguments: Arguments, session: Session<'_>) -> Attempt<Value> {
    let mut bytes = Vec::new();
    let download = match name {
        "download" => bucket.download_to_stream(arguments.require::<Bson>("id")?, &mut bytes),
        _ => bucket.download_to_stream_by_name(arguments.require::<String>("filename")?, &mut bytes),
    };
    let mut download = in_session!(download, session);
    set!(download, arguments, { "revision" => revision: i32, "timeoutMS" => timeout: Duration });
    arguments.finish()?;
    download.await?;
    Ok(Value::Bson(Bson::Binary(bson::Binary { subtype: bson::spec::BinarySubtype::Generic, bytes })))
}

/// The bytes of a file, as `$$hexBytes`.
struct Source(Vec<u8>);

impl Argument for Source {
    fn read(value: Bson) -> Result<Self, String> {
        let bytes =
            value.as_document().filter(|source| source.len() == 1).and_then(|source| source.get_str("$$hexBytes").ok());
        let bytes = bytes.ok_or("is not given as $$hexBytes")?;
        hex_bytes(bytes).map(Self).ok_or_else(|| "has digits that are not hexadecimal".to_owned())
    }
}
