//! Writing a file.

use std::{
    fmt,
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bson::{Bson, Document, RawBson};
use futures_core::future::BoxFuture;
use mongo_actors_engine::Tidy;
use mongo_actors_protocol::{
    command::{Command as _, Delete, DeleteOptions},
    gridfs::{FilesCollectionDocument, GridFsError, Splitter},
    retry::Budget,
};
use tokio::io::AsyncWrite;

use super::{GridFsBucket, GridFsUploadOptions, bucket::of_files};
use crate::{
    Filter,
    action::{ActionFuture, awaitable, setters::setter},
    error::{Error, ErrorKind, Result},
    timeout,
};

impl GridFsBucket {
    /// Begins a file, whose `_id` is a new [`ObjectId`](bson::oid::ObjectId). Awaiting it gives the stream that the file's
    /// bytes are written to; no server is asked before.
    ///
    /// ```no_run
    /// # async fn example(photos: mongo_actors::gridfs::GridFsBucket) -> Result<(), Box<dyn std::error::Error>> {
    /// use tokio::io::AsyncWriteExt;
    ///
    /// let mut upload = photos.open_upload_stream("tea.jpg").chunk_size_bytes(1_000_000).await?;
    /// upload.write_all(b"...").await?;
    /// println!("{} is there", upload.close().await?.id);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Configuration`](ErrorKind::Configuration) for a write concern of 0,
    /// [`InvalidArgument`](ErrorKind::InvalidArgument) for chunks of no bytes, and
    /// [`InvalidOperation`](ErrorKind::InvalidOperation) in a transaction.
    pub fn open_upload_stream(&self, filename: impl Into<String>) -> OpenUploadStream<'_> {
        let options = GridFsUploadOptions::default();
        OpenUploadStream { bucket: self, id: None, filename: filename.into(), options, timeout: None }
    }

    /// As [`open_upload_stream`](Self::open_upload_stream), with an `_id` of the application's, of any type.
    ///
    /// # Errors
    /// As [`open_upload_stream`](Self::open_upload_stream). When there is a file with this `_id`, writing to the stream or
    /// closing it is an error of the kind [`GridFs`](ErrorKind::GridFs).
    pub fn open_upload_stream_with_id(&self, id: impl Into<Bson>, filename: impl Into<String>) -> OpenUploadStream<'_> {
        OpenUploadStream { id: Some(id.into()), ..self.open_upload_stream(filename) }
    }
}

/// Begins a file. Made by [`GridFsBucket::open_upload_stream`]; awaiting it gives a [`GridFsUploadStream`].
#[derive(Clone, Debug)]
#[must_use = "operations do nothing unless they are awaited"]
pub struct OpenUploadStream<'a> {
    pub(super) bucket: &'a GridFsBucket,
    pub(super) id: Option<Bson>,
    pub(super) filename: String,
    pub(super) options: GridFsUploadOptions,
    pub(super) timeout: Option<Duration>,
}

impl OpenUploadStream<'_> {
    /// Replaces all options at once.
    pub fn with_options(mut self, options: impl Into<Option<GridFsUploadOptions>>) -> Self {
        self.options = options.into().unwrap_or_default();
        self
    }

    /// Bytes of a chunk. Default: the bucket's.
    pub fn chunk_size_bytes(mut self, size: u32) -> Self {
        self.options.chunk_size_bytes = Some(size);
        self
    }

    /// What the application says of the file. Default: nothing, and no such field.
    pub fn metadata(mut self, metadata: impl Into<Document>) -> Self {
        self.options.metadata = Some(metadata.into());
        self
    }

    setter!(timeout);

    /// The stream, whose time begins now.
    pub(super) fn open(self, budget: Budget) -> Result<GridFsUploadStream> {
        let Self { bucket, id, filename, options, .. } = self;
        let chunk_size = options.chunk_size_bytes.unwrap_or(bucket.chunk_size_bytes());
        if chunk_size == 0 {
            return Err(Error::invalid_argument("chunkSizeBytes", "a chunk has at least one byte"));
        }
        let id = id.unwrap_or_else(|| bucket.database().client().engine().entropy().object_id().into());
        let raw_id = RawBson::try_from(id.clone()).map_err(Error::invalid_document)?;
        Ok(GridFsUploadStream {
            bucket: bucket.clone(),
            splitter: Splitter::new(raw_id, chunk_size),
            file: FilesCollectionDocument::new(id, filename, chunk_size, options.metadata),
            budget,
            has_stored: false,
            has_finished: false,
            state: State::Idle,
        })
    }
}

awaitable! { ['a] OpenUploadStream<'a> => GridFsUploadStream {
    fn into_future(self) -> Self::IntoFuture {
        let opened = self.bucket.begin_writing(self.timeout, None).and_then(|budget| self.open(budget));
        ActionFuture::new(async move { opened })
    }
} }

/// A file that is being written. Made by [`GridFsBucket::open_upload_stream`].
///
/// It is an [`AsyncWrite`], whose errors have the driver's [`Error`] as their inner one. Complete chunks are stored in groups
/// of some 4 MB, one of them while the next one is being filled; an error of storing one comes with a later call. The file
/// is there once [`close`](Self::close), or `shutdown`, has succeeded.
///
/// When it is dropped before, what was stored of the file is deleted in the background. After a failure nothing is deleted,
/// since it would probably fail as well, unless [`abort`](Self::abort) is called.
///
/// The timeout that it was opened with caps its whole life. It runs in the session in whose
/// [`scope`](crate::ClientSession::scope) it is used.
///
/// # Cancel safety
/// When a future of writing, closing or aborting is dropped, the call can be made again, and goes on. Of `write` nothing was
/// taken then; of `write_all`, as always, any number of bytes may have been.
#[must_use = "nothing is written by itself, and the file is only there when it is closed"]
pub struct GridFsUploadStream {
    bucket: GridFsBucket,
    file: FilesCollectionDocument,
    splitter: Splitter,
    budget: Budget,
    /// Whether any chunk may have been stored.
    has_stored: bool,
    /// Whether the file itself may have been, although closing failed.
    has_finished: bool,
    state: State,
}

enum State {
    /// Bytes can be taken.
    Idle,
    /// A command is on its way, or several.
    Busy(Step, Work),
    /// The file is there.
    Closed,
    /// Nothing is there.
    Aborted,
    Failed(Error),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Storing,
    Finishing,
    Aborting,
}

/// The last work of a file gives what is known of it.
type Work = BoxFuture<'static, Result<Option<FilesCollectionDocument>>>;

impl GridFsUploadStream {
    /// The file's `_id`.
    pub fn id(&self) -> &Bson {
        &self.file.id
    }

    /// The file's name.
    pub fn filename(&self) -> &str {
        self.file.filename.as_deref().unwrap_or_default()
    }

    /// Bytes of a chunk.
    pub fn chunk_size_bytes(&self) -> u32 {
        self.file.chunk_size
    }

    /// Bytes that were written so far.
    pub fn length(&self) -> u64 {
        self.splitter.length()
    }

    /// Whether the file is there.
    pub fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// Stores what is left, and then what is known of the file, with which it is there. Gives that; closing twice gives it
    /// again.
    ///
    /// # Errors
    /// [`GridFs`](ErrorKind::GridFs) when there is a file with the same `_id`; [`InvalidOperation`](ErrorKind::InvalidOperation)
    /// when it was aborted; and those of [`insert_many`](crate::Collection::insert_many), of looking at the indexes and of
    /// creating them. After any of them, closing again gives the same error.
    ///
    /// # Cancel safety
    /// Closing again goes on with it. When the stream is dropped meanwhile, closing goes on in the background.
    pub async fn close(&mut self) -> Result<FilesCollectionDocument> {
        poll_fn(|cx| self.poll_close(cx)).await?;
        Ok(self.file.clone())
    }

    /// Deletes what was stored of the file. Nothing can be written afterwards. Aborting twice does nothing, and so does
    /// aborting after another file was found to have the same `_id`.
    ///
    /// # Errors
    /// [`InvalidOperation`](ErrorKind::InvalidOperation) when it was closed; and those of
    /// [`delete_many`](crate::Collection::delete_many), after which it can be tried again.
    ///
    /// # Cancel safety
    /// Aborting again goes on with it, and so does dropping the stream.
    pub async fn abort(&mut self) -> Result<()> {
        poll_fn(|cx| self.poll_abort(cx)).await
    }

    fn poll_bytes(&mut self, bytes: &[u8], cx: &mut Context<'_>) -> Poll<Result<usize>> {
        self.check_open()?;
        match self.poll_work(cx) {
            Poll::Ready(stored) => stored?,
            // One group may be on its way while the next one is filled.
            Poll::Pending if self.splitter.is_full() => return Poll::Pending,
            Poll::Pending => {}
        }
        self.store_if_full(cx)?;
        let entropy = self.bucket.database().client().engine().entropy();
        let taken = self.splitter.push(bytes, || entropy.object_id());
        self.store_if_full(cx)?;
        Poll::Ready(Ok(taken))
    }

    fn poll_stored(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        loop {
            ready!(self.poll_work(cx))?;
            if self.is_closed() {
                return Poll::Ready(Ok(()));
            }
            self.check_open()?;
            if !self.splitter.has_chunks() {
                return Poll::Ready(Ok(()));
            }
            self.store();
        }
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        loop {
            match &self.state {
                State::Idle => self.finish(),
                State::Busy(..) => ready!(self.poll_work(cx))?,
                State::Closed => return Poll::Ready(Ok(())),
                State::Aborted | State::Failed(_) => return Poll::Ready(self.check_open()),
            }
        }
    }

    fn poll_abort(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        loop {
            match &self.state {
                State::Busy(Step::Aborting, _) => ready!(self.poll_work(cx))?,
                State::Busy(..) => {
                    let _it_is_taken_back_either_way = ready!(self.poll_work(cx));
                }
                State::Idle | State::Failed(_) if self.owns_anything() => self.take_back(),
                State::Idle | State::Failed(_) => self.state = State::Aborted,
                State::Aborted => return Poll::Ready(Ok(())),
                State::Closed => {
                    let reason = "the file is stored already: delete it instead of aborting its upload";
                    return Poll::Ready(Err(Error::invalid_operation(reason)));
                }
            }
        }
    }

    /// Drives what is on its way; ready when nothing is.
    fn poll_work(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let State::Busy(step, work) = &mut self.state else { return Poll::Ready(Ok(())) };
        let step = *step;
        match ready!(work.as_mut().poll(cx)) {
            Ok(file) => {
                self.file = file.unwrap_or_else(|| self.file.clone());
                self.state = match step {
                    Step::Storing => State::Idle,
                    Step::Finishing => State::Closed,
                    Step::Aborting => State::Aborted,
                };
                Poll::Ready(Ok(()))
            }
            Err(error) => {
                self.state = State::Failed(error.clone());
                Poll::Ready(Err(error))
            }
        }
    }

    /// Whether bytes can be written.
    fn check_open(&self) -> Result<()> {
        match &self.state {
            State::Idle | State::Busy(Step::Storing, _) => Ok(()),
            State::Closed | State::Busy(Step::Finishing, _) => {
                Err(Error::invalid_operation("the file is stored already: upload another one"))
            }
            State::Aborted | State::Busy(Step::Aborting, _) => {
                Err(Error::invalid_operation("the upload was aborted: begin another one"))
            }
            State::Failed(error) => Err(error.clone()),
        }
    }

    /// Whether anything in the collections may be this stream's; what another file with the same `_id` has is not.
    fn owns_anything(&self) -> bool {
        let has_any = self.has_stored || self.has_finished;
        has_any && !matches!(&self.state, State::Failed(error) if is_taken(error))
    }

    /// Sends a group that is complete on its way, unless another one is.
    fn store_if_full(&mut self, cx: &mut Context<'_>) -> Result<()> {
        if self.splitter.is_full() && matches!(self.state, State::Idle) {
            self.store();
            if let Poll::Ready(stored) = self.poll_work(cx) {
                stored?;
            }
        }
        Ok(())
    }

    fn store(&mut self) {
        let (bucket, id, chunks) = (self.bucket.clone(), self.file.id.clone(), self.splitter.take_group());
        self.has_stored = true;
        self.work(Step::Storing, async move {
            bucket.prepare_writing().await?;
            bucket.store_chunks(chunks, &id).await?;
            Ok(None)
        });
    }

    fn finish(&mut self) {
        let entropy = self.bucket.database().client().engine().entropy();
        let chunks = self.splitter.take_rest(|| entropy.object_id());
        self.has_stored |= !chunks.is_empty();
        self.has_finished = true;
        self.file.length = self.splitter.length();
        let (bucket, file) = (self.bucket.clone(), self.file.clone());
        self.work(Step::Finishing, async move {
            bucket.prepare_writing().await?;
            bucket.store_chunks(chunks, &file.id).await?;
            bucket.store_file(file).await.map(Some)
        });
    }

    fn take_back(&mut self) {
        let (bucket, id, has_finished) = (self.bucket.clone(), self.file.id.clone(), self.has_finished);
        self.work(Step::Aborting, async move {
            if has_finished {
                bucket.files().delete_one(Filter::id(id.clone())).await?;
            }
            bucket.delete_chunks(&[id]).await?;
            Ok(None)
        });
    }

    fn work(
        &mut self,
        step: Step,
        work: impl Future<Output = Result<Option<FilesCollectionDocument>>> + Send + 'static,
    ) {
        self.state = State::Busy(step, Box::pin(timeout::within(self.budget, work)));
    }

    /// Leaves it to the driver to take back what was stored, after what is on its way.
    fn owe_chunks(&self, after: Option<BoxFuture<'static, bool>>) {
        let chunks = self.bucket.chunks().handle();
        let Ok(filter) = Filter::from(of_files(std::slice::from_ref(&self.file.id))).into_raw() else { return };
        let options = DeleteOptions::default();
        let command = Delete::many(&chunks.namespace, &filter, &options);
        let prepared = command
            .request()
            .map_err(Error::from)
            .and_then(|request| chunks.call().apart().prepare_within(request, command.properties(), Budget::Unset));
        if let Ok(prepared) = prepared {
            self.bucket.database().client().engine().owe_tidying(Tidy { after, operation: prepared.operation });
        }
    }
}

/// Whether there is another file with the same `_id`.
fn is_taken(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::GridFs(GridFsError::FileExists { .. }))
}

impl Drop for GridFsUploadStream {
    fn drop(&mut self) {
        match std::mem::replace(&mut self.state, State::Aborted) {
            State::Idle if self.has_stored => self.owe_chunks(None),
            State::Busy(Step::Storing, work) => {
                self.owe_chunks(Some(Box::pin(async move { !work.await.is_err_and(|error| is_taken(&error)) })));
            }
            State::Busy(Step::Finishing | Step::Aborting, work) => {
                // Whatever becomes of it, there is nothing to be taken back: the file may be there.
                let ended = async move {
                    let _there_or_not = work.await;
                    false
                };
                self.owe_chunks(Some(Box::pin(ended)));
            }
            State::Idle | State::Closed | State::Aborted | State::Failed(_) => {}
        }
    }
}

impl AsyncWrite for GridFsUploadStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_bytes(bytes, cx).map_err(io::Error::from)
    }

    /// Waits until all complete chunks are stored. The last one may be shorter, and is only stored when the file is closed.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_stored(cx).map_err(io::Error::from)
    }

    /// As [`close`](GridFsUploadStream::close).
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_close(cx).map_err(io::Error::from)
    }
}

impl fmt::Debug for GridFsUploadStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GridFsUploadStream")
            .field("id", &self.file.id)
            .field("filename", &self.file.filename)
            .field("length", &self.length())
            .finish_non_exhaustive()
    }
}
