//! GridFS: files of any size, kept in chunks of 255 KiB in two collections.
//!
//! A [`GridFsBucket`] has the files, and is got from [`Database::gridfs_bucket`](crate::Database::gridfs_bucket). What is
//! written to a [`GridFsUploadStream`] becomes a file when it is closed; a [`GridFsDownloadStream`] reads one, from anywhere in it.
//!
//! ```no_run
//! # async fn example(client: mongo_actors::Client) -> Result<(), Box<dyn std::error::Error>> {
//! use mongo_actors::{bson::doc, gridfs::GridFsBucketOptions};
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! let photos = client.database("shop").gridfs_bucket(GridFsBucketOptions::new().bucket_name("photos"));
//! let mut upload = photos.open_upload_stream("tea.jpg").metadata(doc! { "type": "image/jpeg" }).await?;
//! upload.write_all(b"...").await?;
//! let file = upload.close().await?;
//!
//! let mut download = photos.open_download_stream(file.id).await?;
//! let mut bytes = Vec::new();
//! download.read_to_end(&mut bytes).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Promises
//! A file is there when its upload was closed without an error, and not before. Uploads that are dropped are taken back in
//! the background. While a file is deleted, someone who reads it may find it corrupt: GridFS uses no transactions, and
//! refuses to run in one.
//!
//! # Sessions and time
//! Operations take a [`session`](DownloadToStream::session) and a [`timeout`](DownloadToStream::timeout), which is for
//! everything they do. Streams run in the session whose [`scope`](crate::ClientSession::scope) they are used in; the
//! timeout that they are opened with caps their whole life.
//!
//! Specification: `gridfs/gridfs-spec.md`.

mod bucket;
mod change;
mod download;
mod options;
mod transfer;
mod upload;

pub use mongo_actors_protocol::gridfs::{Corruption, FilesCollectionDocument, GridFsError, Revision, Wanted};

pub use self::{
    bucket::GridFsBucket,
    change::ChangeFiles,
    download::{GridFsDownloadStream, OpenDownloadStream},
    options::{GridFsBucketOptions, GridFsUploadOptions},
    transfer::{DownloadToStream, UploadFromStream},
    upload::{GridFsUploadStream, OpenUploadStream},
};
