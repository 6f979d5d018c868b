//! The bucket: its two collections, and what all operations on it have in common.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bson::{Bson, Document, RawDocumentBuf, doc};
use futures_core::future::BoxFuture;
use mongo_actors_protocol::{
    command::IndexModel,
    gridfs::{
        CHUNK_KEYS, DEFAULT_BUCKET_NAME, DEFAULT_CHUNK_SIZE, FILE_KEYS, FilesCollectionDocument, GridFsError, has_keys,
    },
    read_preference::ReadPreference,
    retry::{Budget, Outcome},
};

use super::GridFsBucketOptions;
use crate::{
    ClientSession, Filter,
    action::{Find, FindOne},
    collection::Collection,
    database::Database,
    error::{Error, ErrorKind, Result},
    timeout,
};

/// The server's code of an error about a unique index.
const DUPLICATE_KEY: i32 = 11000;

/// Files in a database. Made by [`Database::gridfs_bucket`]; making and cloning one costs next to nothing and asks no
/// server.
///
/// The first write through it, or through one of its clones, creates the indexes that it needs if it has no files yet.
#[derive(Clone)]
pub struct GridFsBucket(Arc<Bucket>);

struct Bucket {
    database: Database,
    name: String,
    chunk_size: u32,
    files: Collection<FilesCollectionDocument>,
    chunks: Collection<RawDocumentBuf>,
    /// Whether the indexes were looked after.
    is_indexed: AtomicBool,
}

impl Database {
    /// The files of a bucket of this database.
    ///
    /// ```no_run
    /// # async fn example(shop: mongo_actors::Database) -> mongo_actors::error::Result<()> {
    /// let files = shop.gridfs_bucket(None);
    /// let id = files.upload_from_stream("hello.txt", &b"Hello!"[..]).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn gridfs_bucket(&self, options: impl Into<Option<super::GridFsBucketOptions>>) -> GridFsBucket {
        GridFsBucket::new(self, options.into().unwrap_or_default())
    }
}

impl GridFsBucket {
    fn new(database: &Database, options: GridFsBucketOptions) -> Self {
        let of_collections = options.of_collections();
        let name = options.bucket_name.unwrap_or_else(|| DEFAULT_BUCKET_NAME.into());
        Self(Arc::new(Bucket {
            database: database.clone(),
            chunk_size: options.chunk_size_bytes.unwrap_or(DEFAULT_CHUNK_SIZE),
            files: database.collection_with_options(&format!("{name}.files"), of_collections.clone()),
            chunks: database.collection_with_options(&format!("{name}.chunks"), of_collections),
            name,
            is_indexed: AtomicBool::new(false),
        }))
    }

    /// Its name, with which those of its collections begin.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Bytes of a chunk of the files that are uploaded.
    pub fn chunk_size_bytes(&self) -> u32 {
        self.0.chunk_size
    }

    /// The database that it is in.
    pub fn database(&self) -> &Database {
        &self.0.database
    }

    /// What is known of the files that match `filter`, as [`Collection::find`] finds documents: the fields are those of
    /// the files collection, such as `filename`, `length`, `uploadDate` and `metadata`.
    ///
    /// ```no_run
    /// # async fn example(photos: mongo_actors::gridfs::GridFsBucket) -> mongo_actors::error::Result<()> {
    /// use mongo_actors::bson::doc;
    ///
    /// let mut large = photos.find(doc! { "length": { "$gt": 1_000_000 }, "metadata.type": "image/jpeg" }).await?;
    /// while let Some(file) = large.try_next().await? {
    ///     println!("{:?}: {} bytes", file.filename, file.length);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`Collection::find`].
    ///
    /// # Cancel safety
    /// See [`action`](crate::action).
    pub fn find(&self, filter: impl Into<Filter>) -> Find<'_, FilesCollectionDocument> {
        self.0.files.find(filter)
    }

    /// What is known of the first file that matches `filter`, if there is one.
    ///
    /// # Errors
    /// Those of [`Collection::find_one`].
    ///
    /// # Cancel safety
    /// See [`action`](crate::action).
    pub fn find_one(&self, filter: impl Into<Filter>) -> FindOne<'_, FilesCollectionDocument> {
        self.0.files.find_one(filter)
    }

    pub(super) fn files(&self) -> &Collection<FilesCollectionDocument> {
        &self.0.files
    }

    pub(super) fn chunks(&self) -> &Collection<RawDocumentBuf> {
        &self.0.chunks
    }

    /// The time of an operation that begins now.
    pub(super) fn begin(&self, timeout: Option<Duration>, session: Option<&ClientSession>) -> Result<Budget> {
        let call = self.0.files.handle().call().timeout(timeout).in_session(session);
        if call.is_in_transaction() {
            let reason = "GridFS cannot be used in a transaction: commit or abort it first, or use no session";
            return Err(Error::invalid_operation(reason));
        }
        call.budget()
    }

    /// The same for an operation that writes.
    pub(super) fn begin_writing(&self, timeout: Option<Duration>, session: Option<&ClientSession>) -> Result<Budget> {
        if !self.0.files.write_concern().is_acknowledged() {
            let reason =
                "GridFS has to know whether its writes have arrived: give the bucket a write concern other than 0";
            return Err(Error::new(ErrorKind::Configuration { options: vec!["w".into()], reason: reason.into() }));
        }
        self.begin(timeout, session)
    }

    /// Sees that the indexes exist, unless there are files, whose first one has seen to it.
    pub(super) async fn prepare_writing(&self) -> Result<()> {
        let Bucket { files, chunks, is_indexed, .. } = &*self.0;
        if is_indexed.load(Ordering::Acquire) {
            return Ok(());
        }
        let any = files.clone_with_type::<Document>();
        let any =
            any.find_one(doc! {}).projection(doc! { "_id": 1 }).selection_criteria(ReadPreference::Primary).await?;
        if any.is_none() {
            ensure_index(files, FILE_KEYS, false).await?;
            ensure_index(chunks, CHUNK_KEYS, true).await?;
        }
        is_indexed.store(true, Ordering::Release);
        Ok(())
    }

    /// Stores chunks of the file `id`.
    pub(super) async fn store_chunks(&self, chunks: Vec<RawDocumentBuf>, id: &Bson) -> Result<()> {
        if chunks.is_empty() {
            return Ok(());
        }
        self.0.chunks.insert_many(chunks).await.map(drop).map_err(|error| stored_already(error, id))
    }

    /// Stores what is known of a file whose chunks are there. Its upload ends with that.
    pub(super) async fn store_file(&self, mut file: FilesCollectionDocument) -> Result<FilesCollectionDocument> {
        file.upload_date = Some(self.0.database.client().engine().entropy().date().into());
        self.0.files.insert_one(&file).await.map_err(|error| stored_already(error, &file.id))?;
        Ok(file)
    }

    /// Deletes whatever chunks there are of these files.
    pub(super) async fn delete_chunks(&self, ids: &[Bson]) -> Result<()> {
        self.0.chunks.delete_many(of_files(ids)).await.map(drop)
    }

    /// The collections are gone, and their indexes with them.
    pub(super) fn forget_indexes(&self) {
        self.0.is_indexed.store(false, Ordering::Release);
    }
}

/// The chunks of these files.
pub(super) fn of_files(ids: &[Bson]) -> Document {
    match ids {
        [id] => doc! { "files_id": id },
        ids => doc! { "files_id": { "$in": ids } },
    }
}

async fn ensure_index<T>(collection: &Collection<T>, keys: [(&'static str, i32); 2], unique: bool) -> Result<()> {
    let existing = async { collection.list_indexes().await?.to_vec().await }.await;
    let existing = match existing {
        // Whoever may not list them may not create them either, or will be told so.
        Err(error) if matches!(error.kind(), ErrorKind::Command(_)) => Vec::new(),
        existing => existing?,
    };
    if existing.iter().any(|index| has_keys(&index.keys, &keys)) {
        return Ok(());
    }
    let index = IndexModel::new(keys);
    let index = if unique { index.unique(true) } else { index };
    collection.create_index(index).await.map(drop)
}

/// An error of storing a part of the file `id`, which may say that it was there before.
fn stored_already(error: Error, id: &Bson) -> Error {
    if error.code() != Some(DUPLICATE_KEY) {
        return error;
    }
    let exists = GridFsError::FileExists { id: id.clone() };
    Error::new(ErrorKind::GridFs(exists)).with_outcome(Outcome::Rejected).with_source(error)
}

/// Runs the commands of an operation within its time, in the session that it was given.
pub(super) async fn run<R>(
    budget: Budget,
    session: Option<&mut ClientSession>,
    work: BoxFuture<'_, Result<R>>,
) -> Result<R> {
    match session {
        Some(session) => timeout::within(budget, session.scope(work)).await,
        None => timeout::within(budget, work).await,
    }
}

impl fmt::Debug for GridFsBucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GridFsBucket").field("name", &self.0.name).finish_non_exhaustive()
    }
}
