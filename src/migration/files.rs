//! Files: GridFS.
//!
//! # Buckets
//!
//! | PyMongo: `AsyncGridFSBucket` | here | remark |
//! |---|---|---|
//! | `AsyncGridFSBucket(db, bucket_name, chunk_size_bytes, write_concern, read_preference)` | [`Database::gridfs_bucket`], [`GridFsBucketOptions`] | also a read concern and a timeout; a write concern of 0 is refused by the first write |
//! | `open_upload_stream`, `open_upload_stream_with_id` | [`GridFsBucket::open_upload_stream`], [`GridFsBucket::open_upload_stream_with_id`] | sessions by their [`scope`](crate::ClientSession::scope) |
//! | `upload_from_stream`, `upload_from_stream_with_id` | [`GridFsBucket::upload_from_stream`], [`GridFsBucket::upload_from_stream_with_id`] | the source is a `tokio::io::AsyncRead`, such as a file or `&[u8]` |
//! | `open_download_stream`, `open_download_stream_by_name` | [`GridFsBucket::open_download_stream`], [`GridFsBucket::open_download_stream_by_name`] | |
//! | `download_to_stream`, `download_to_stream_by_name` | [`GridFsBucket::download_to_stream`], [`GridFsBucket::download_to_stream_by_name`] | the destination is a `tokio::io::AsyncWrite`, such as a file or `&mut Vec<u8>` |
//! | `delete`, `delete_by_name` | [`GridFsBucket::delete`], [`GridFsBucket::delete_by_name`] | |
//! | `rename`, `rename_by_name` | [`GridFsBucket::rename`], [`GridFsBucket::rename_by_name`] | |
//! | `find` | [`GridFsBucket::find`], [`GridFsBucket::find_one`] | gives what is known of files; the stream of one is opened by its `_id` |
//! | | [`GridFsBucket::drop`] | only here |
//!
//! # The older front end
//!
//! | PyMongo: `AsyncGridFS` | here | remark |
//! |---|---|---|
//! | `new_file`, `put` | [`GridFsBucket::open_upload_stream`], [`GridFsBucket::upload_from_stream`] | fields of the application's own go into the [`metadata`](OpenUploadStream::metadata) |
//! | `get`, `get_version`, `get_last_version` | [`GridFsBucket::open_download_stream`], [`GridFsBucket::open_download_stream_by_name`] with [`revision`](OpenDownloadStream::revision) | |
//! | `delete` | [`GridFsBucket::delete`] | a file that does not exist is an error |
//! | `list` | `bucket.find(doc! {}).distinct("filename")` | |
//! | `find_one`, `find`, `exists` | [`GridFsBucket::find_one`], [`GridFsBucket::find`] | |
//!
//! # Streams
//!
//! | PyMongo | here | remark |
//! |---|---|---|
//! | `AsyncGridIn.write`, `writelines` | `tokio::io::AsyncWriteExt` on a [`GridFsUploadStream`] | text is written as its bytes |
//! | `close`, `abort` | [`GridFsUploadStream::close`], [`GridFsUploadStream::abort`] | dropping it without closing deletes what was stored, in the background; in PyMongo it stays |
//! | `set`, fields as attributes | the [`metadata`](OpenUploadStream::metadata) | |
//! | `_id`, `filename`, `chunk_size`, `length`, `upload_date`, `closed` | [`GridFsUploadStream::id`], [`GridFsUploadStream::filename`], [`GridFsUploadStream::chunk_size_bytes`], [`GridFsUploadStream::length`], the result of [`close`](GridFsUploadStream::close), [`GridFsUploadStream::is_closed`] | |
//! | `AsyncGridOut.read`, `readline`, iteration by lines | `tokio::io::AsyncReadExt`, `AsyncBufReadExt` on a [`GridFsDownloadStream`] | |
//! | `readchunk` | [`GridFsDownloadStream`] as a `Stream` | without copying |
//! | `seek`, `tell` | `tokio::io::AsyncSeekExt`, [`GridFsDownloadStream::position`] | |
//! | `close` | [`GridFsDownloadStream::close`] | |
//! | `_id`, `filename`, `length`, `chunk_size`, `upload_date`, `metadata` | [`GridFsDownloadStream::file`] | |
//! | `aliases`, `content_type`, `md5` | [`FilesCollectionDocument::extra`] | deprecated; they are read and not written |
//!
//! # Errors
//!
//! | PyMongo | here |
//! |---|---|
//! | `NoFile`, `FileExists`, `CorruptGridFile` | [`GridFsError`], in [`ErrorKind::GridFs`](crate::error::ErrorKind::GridFs); as an [`std::io::Error`] it is `NotFound`, `AlreadyExists` or `InvalidData` |
//!
//! The official Rust driver has the same names in its module `gridfs`, but its streams are those of the crate `futures`;
//! `tokio_util::compat` makes the one of the other.

#[cfg(doc)]
use crate::{Database, gridfs::*};
