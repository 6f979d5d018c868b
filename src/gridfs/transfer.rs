//! Whole files, from a source of the application's or to a destination of its.

use std::{future::Future, io, time::Duration};

use bson::{Bson, Document};
use mongo_actors_protocol::{gridfs::GridFsError, retry::Budget};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{
    GridFsBucket, GridFsUploadOptions, GridFsUploadStream, OpenDownloadStream, OpenUploadStream, Revision, bucket::run,
};
use crate::{
    ClientSession,
    action::{ActionFuture, setters::setter},
    error::{Error, ErrorKind, Result},
};

/// Bytes that are asked of a source at a time.
const PIECE: usize = 256 * 1024;

impl GridFsBucket {
    /// Uploads everything that `source` has: a file, a socket, or bytes (`&[u8]` is a source). Awaiting it gives the `_id` of
    /// the file.
    ///
    /// ```no_run
    /// # async fn example(photos: mongo_actors::gridfs::GridFsBucket) -> mongo_actors::error::Result<()> {
    /// let id = photos.upload_from_stream("hello.txt", &b"Hello!"[..]).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`GridFs`](ErrorKind::GridFs) when the source fails, after which nothing is left of the file; and those of
    /// [`open_upload_stream`](GridFsBucket::open_upload_stream) and of [`close`](super::GridFsUploadStream::close).
    ///
    /// # Cancel safety
    /// When the future is dropped, what was stored is deleted in the background, unless the whole file was. Bytes that were
    /// read of the source are lost.
    pub fn upload_from_stream<S>(&self, filename: impl Into<String>, source: S) -> UploadFromStream<'_, S>
    where
        S: AsyncRead + Unpin + Send,
    {
        UploadFromStream { upload: self.open_upload_stream(filename), source, session: None }
    }

    /// As [`upload_from_stream`](Self::upload_from_stream), with an `_id` of the application's, of any type.
    ///
    /// # Errors
    /// As [`upload_from_stream`](Self::upload_from_stream), and [`GridFs`](ErrorKind::GridFs) when there is a file with this
    /// `_id`.
    ///
    /// # Cancel safety
    /// As that of [`upload_from_stream`](Self::upload_from_stream).
    pub fn upload_from_stream_with_id<S>(
        &self,
        id: impl Into<Bson>,
        filename: impl Into<String>,
        source: S,
    ) -> UploadFromStream<'_, S>
    where
        S: AsyncRead + Unpin + Send,
    {
        UploadFromStream { upload: self.open_upload_stream_with_id(id, filename), source, session: None }
    }

    /// Downloads a whole file to `destination`, which is flushed and not closed. Awaiting it gives the number of bytes.
    ///
    /// # Errors
    /// [`GridFs`](ErrorKind::GridFs) when there is no such file, when it is corrupt, and when the destination fails;
    /// [`InvalidOperation`](ErrorKind::InvalidOperation) in a transaction; and those of [`find`](crate::Collection::find).
    ///
    /// # Cancel safety
    /// Any part of the file may be written when the future is dropped.
    pub fn download_to_stream<D>(&self, id: impl Into<Bson>, destination: D) -> DownloadToStream<'_, D>
    where
        D: AsyncWrite + Unpin + Send,
    {
        DownloadToStream { download: self.open_download_stream(id), destination, session: None }
    }

    /// As [`download_to_stream`](Self::download_to_stream), the newest file of a name unless another
    /// [`revision`](DownloadToStream::revision) is asked for.
    ///
    /// # Errors
    /// As [`download_to_stream`](Self::download_to_stream).
    ///
    /// # Cancel safety
    /// Any part of the file may be written when the future is dropped.
    pub fn download_to_stream_by_name<D>(&self, filename: impl Into<String>, destination: D) -> DownloadToStream<'_, D>
    where
        D: AsyncWrite + Unpin + Send,
    {
        DownloadToStream { download: self.open_download_stream_by_name(filename), destination, session: None }
    }
}

/// Uploads a file. Made by [`GridFsBucket::upload_from_stream`]; awaiting it gives the file's `_id`.
#[derive(Debug)]
#[must_use = "operations do nothing unless they are awaited"]
pub struct UploadFromStream<'a, S> {
    upload: OpenUploadStream<'a>,
    source: S,
    session: Option<&'a mut ClientSession>,
}

impl<'a, S> UploadFromStream<'a, S> {
    /// Replaces all options at once.
    pub fn with_options(mut self, options: impl Into<Option<GridFsUploadOptions>>) -> Self {
        self.upload = self.upload.with_options(options);
        self
    }

    /// Bytes of a chunk. Default: the bucket's.
    pub fn chunk_size_bytes(mut self, size: u32) -> Self {
        self.upload = self.upload.chunk_size_bytes(size);
        self
    }

    /// What the application says of the file. Default: nothing, and no such field.
    pub fn metadata(mut self, metadata: impl Into<Document>) -> Self {
        self.upload = self.upload.metadata(metadata);
        self
    }

    /// The time for all of it, the source included (`timeoutMS`); zero is unlimited. Default: the bucket's, else the
    /// database's, else the client's.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.upload = self.upload.timeout(timeout);
        self
    }

    setter!(session);
}

impl<'a, S> IntoFuture for UploadFromStream<'a, S>
where
    S: AsyncRead + Unpin + Send + 'a,
{
    type Output = Result<Bson>;
    type IntoFuture = ActionFuture<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { upload, source, session } = self;
        ActionFuture::new(async move {
            let budget = upload.bucket.begin_writing(upload.timeout, session.as_deref())?;
            let stream = upload.open(budget)?;
            run(budget, session, Box::pin(fill(stream, source, budget))).await
        })
    }
}

async fn fill(
    mut upload: GridFsUploadStream,
    mut source: impl AsyncRead + Unpin + Send,
    budget: Budget,
) -> Result<Bson> {
    let mut piece = vec![0; PIECE];
    loop {
        match in_time(budget, source.read(&mut piece)).await? {
            Ok(0) => break,
            Ok(count) => upload.write_all(&piece[..count]).await.map_err(own)?,
            Err(error) => {
                // What the source says is what matters, whether or not the rest can be taken back.
                let _aborted = upload.abort().await;
                let failed = GridFsError::Source { reason: error.to_string() };
                return Err(Error::new(ErrorKind::GridFs(failed)).with_source(error));
            }
        }
    }
    Ok(upload.close().await?.id)
}

/// Downloads a file. Made by [`GridFsBucket::download_to_stream`]; awaiting it gives the number of bytes.
#[derive(Debug)]
#[must_use = "operations do nothing unless they are awaited"]
pub struct DownloadToStream<'a, D> {
    download: OpenDownloadStream<'a>,
    destination: D,
    session: Option<&'a mut ClientSession>,
}

impl<'a, D> DownloadToStream<'a, D> {
    /// Which of the files of the name: 0 is the oldest, -1 the newest. Default: the newest. A file that is named by its
    /// `_id` has no revisions, and asking for one is an [`InvalidArgument`](ErrorKind::InvalidArgument).
    pub fn revision(mut self, revision: impl Into<Revision>) -> Self {
        self.download = self.download.revision(revision);
        self
    }

    /// The time for all of it, the destination included (`timeoutMS`); zero is unlimited. Default: the bucket's, else the
    /// database's, else the client's.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.download = self.download.timeout(timeout);
        self
    }

    setter!(session);
}

impl<'a, D> IntoFuture for DownloadToStream<'a, D>
where
    D: AsyncWrite + Unpin + Send + 'a,
{
    type Output = Result<u64>;
    type IntoFuture = ActionFuture<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { download, destination, session } = self;
        ActionFuture::new(async move {
            let budget = download.bucket.begin(download.timeout, session.as_deref())?;
            run(budget, session, Box::pin(drain(download, destination, budget))).await
        })
    }
}

async fn drain(
    download: OpenDownloadStream<'_>,
    mut destination: impl AsyncWrite + Unpin + Send,
    budget: Budget,
) -> Result<u64> {
    let failed = |error: io::Error| {
        let failed = GridFsError::Destination { reason: error.to_string() };
        Error::new(ErrorKind::GridFs(failed)).with_source(error)
    };
    let mut stream = download.open(budget).await?;
    loop {
        let bytes = stream.fill().await?.clone();
        if bytes.is_empty() {
            break;
        }
        in_time(budget, destination.write_all(&bytes)).await?.map_err(failed)?;
        stream.advance(bytes.len());
    }
    in_time(budget, destination.flush()).await?.map_err(failed)?;
    Ok(stream.position())
}

/// Waits for something of the application's as long as there is time.
async fn in_time<R>(budget: Budget, work: impl Future<Output = R>) -> Result<R> {
    match budget.deadline() {
        Some(deadline) => {
            tokio::time::timeout_at(deadline.into(), work).await.map_err(|_| Error::new(ErrorKind::OperationTimeout))
        }
        None => Ok(work.await),
    }
}

/// The driver's own error, of which its stream makes one of input and output.
fn own(error: io::Error) -> Error {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()).cloned();
    inner.unwrap_or_else(|| Error::custom(error))
}
