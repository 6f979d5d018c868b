//! Reading a file.

use std::{
    fmt,
    future::poll_fn,
    io::{self, SeekFrom},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bson::{Bson, Document, RawDocument, RawDocumentBuf, doc};
use bytes::{Buf, Bytes};
use futures_core::{Stream, future::BoxFuture, stream::FusedStream};
use mongo_actors_protocol::{
    gridfs::{Assembly, Corruption, FilesCollectionDocument, GridFsError, Revision, Wanted},
    retry::Budget,
};
use tokio::io::{AsyncBufRead, AsyncRead, AsyncSeek, ReadBuf};

use super::{GridFsBucket, change::no_file};
use crate::{
    Filter,
    action::{ActionFuture, awaitable, setters::setter},
    cursor::Cursor,
    error::{Error, ErrorKind, Result},
    timeout,
};

impl GridFsBucket {
    /// Opens a file. Awaiting it gives the stream that the file's bytes are read from, which knows all about the file and
    /// has read none of it yet.
    ///
    /// ```no_run
    /// # async fn example(photos: mongo_actors::gridfs::GridFsBucket) -> Result<(), Box<dyn std::error::Error>> {
    /// use std::io::SeekFrom;
    ///
    /// use tokio::io::{AsyncReadExt, AsyncSeekExt};
    ///
    /// let mut photo = photos.open_download_stream_by_name("tea.jpg").await?;
    /// println!("{} bytes", photo.file().length);
    /// photo.seek(SeekFrom::End(-100)).await?;
    /// let mut end = Vec::new();
    /// photo.read_to_end(&mut end).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`GridFs`](ErrorKind::GridFs) when there is no such file; [`InvalidOperation`](ErrorKind::InvalidOperation) in a
    /// transaction; and those of [`find_one`](crate::Collection::find_one).
    ///
    /// # Cancel safety
    /// See [`action`](crate::action).
    pub fn open_download_stream(&self, id: impl Into<Bson>) -> OpenDownloadStream<'_> {
        OpenDownloadStream { bucket: self, which: Which::Id(id.into()), revision: None, timeout: None }
    }

    /// As [`open_download_stream`](Self::open_download_stream), the newest file of a name unless another
    /// [`revision`](OpenDownloadStream::revision) is asked for.
    ///
    /// # Errors
    /// As [`open_download_stream`](Self::open_download_stream); an error tells whether there is no file of the name, or no
    /// such revision of it.
    ///
    /// # Cancel safety
    /// See [`action`](crate::action).
    pub fn open_download_stream_by_name(&self, filename: impl Into<String>) -> OpenDownloadStream<'_> {
        OpenDownloadStream { bucket: self, which: Which::Name(filename.into()), revision: None, timeout: None }
    }

    async fn look_up(&self, which: Which, revision: Option<Revision>) -> Result<FilesCollectionDocument> {
        match which {
            Which::Id(_) if revision.is_some() => {
                let reason = "a file that is named by its _id has none: leave it out, or name the file by its name";
                Err(Error::invalid_argument("revision", reason))
            }
            Which::Id(id) => {
                let file = self.find_one(Filter::id(id.clone())).await?;
                file.ok_or_else(|| no_file(Wanted::Id(id)))
            }
            Which::Name(name) => {
                let revision = revision.unwrap_or_default();
                let filter = doc! { "filename": &name };
                let file = self.find_one(filter.clone()).sort(revision.sort()).skip(revision.skip()).await?;
                if let Some(file) = file {
                    return Ok(file);
                }
                let any = self.files().clone_with_type::<Document>();
                let has_others =
                    revision.skip() > 0 && any.find_one(filter).projection(doc! { "_id": 1 }).await?.is_some();
                Err(no_file(if has_others { Wanted::Revision(name, revision) } else { Wanted::Name(name) }))
            }
        }
    }
}

/// Which file.
#[derive(Clone, Debug)]
enum Which {
    Id(Bson),
    Name(String),
}

/// Opens a file. Made by [`GridFsBucket::open_download_stream`]; awaiting it gives a [`GridFsDownloadStream`].
#[derive(Clone, Debug)]
#[must_use = "operations do nothing unless they are awaited"]
pub struct OpenDownloadStream<'a> {
    pub(super) bucket: &'a GridFsBucket,
    which: Which,
    revision: Option<Revision>,
    pub(super) timeout: Option<Duration>,
}

impl OpenDownloadStream<'_> {
    /// Which of the files of the name: 0 is the oldest, -1 the newest. Default: the newest. A file that is named by its
    /// `_id` has no revisions, and asking for one is an [`InvalidArgument`](ErrorKind::InvalidArgument).
    pub fn revision(mut self, revision: impl Into<Revision>) -> Self {
        self.revision = Some(revision.into());
        self
    }

    setter!(timeout);

    pub(super) async fn open(self, budget: Budget) -> Result<GridFsDownloadStream> {
        let file = timeout::within(budget, self.bucket.look_up(self.which, self.revision)).await?;
        Ok(GridFsDownloadStream {
            bucket: self.bucket.clone(),
            assembly: Assembly::new(&file, 0),
            file,
            budget,
            position: 0,
            chunk: Bytes::new(),
            source: Source::Unopened,
            was_reopened: false,
            has_ended: false,
        })
    }
}

awaitable! { ['a] OpenDownloadStream<'a> => GridFsDownloadStream {
    fn into_future(self) -> Self::IntoFuture {
        ActionFuture::new(async move {
            let budget = self.bucket.begin(self.timeout, None)?;
            self.open(budget).await
        })
    }
} }

/// A file that is being read. Made by [`GridFsBucket::open_download_stream`].
///
/// It can be read in four ways, which may be mixed: as an [`AsyncRead`], as an [`AsyncBufRead`] for lines and without copying,
/// from anywhere with [`AsyncSeek`], and as a [`Stream`] of the bytes of whole chunks, as they came from the socket. The errors
/// of the first three have the driver's [`Error`] as their inner one. An error stays until the stream is told to seek.
///
/// Chunks are read by one cursor, which is opened when the first byte is asked for, and again after a seek that leaves the
/// current chunk. Each chunk is checked: the error for one that is missing, cut or one too many is of the kind
/// [`GridFs`](ErrorKind::GridFs).
///
/// The timeout that it was opened with caps its whole life. It runs in the session in whose
/// [`scope`](crate::ClientSession::scope) it is used. Dropping it closes the cursor in the background.
///
/// # Cancel safety
/// No byte is lost when a future of reading is dropped, except for those that future holds itself, as of `read_exact`.
#[must_use = "nothing is read by itself"]
pub struct GridFsDownloadStream {
    bucket: GridFsBucket,
    file: FilesCollectionDocument,
    budget: Budget,
    /// Of the next byte that is handed out, the first one of `chunk`.
    position: u64,
    /// What is left of the chunk.
    chunk: Bytes,
    assembly: Assembly,
    source: Source,
    /// Whether the server has forgotten the cursor once.
    was_reopened: bool,
    /// Whether there is nothing more to come from the stream of chunks.
    has_ended: bool,
}

/// Where chunks come from.
enum Source {
    Unopened,
    Opening(BoxFuture<'static, Result<Cursor<RawDocumentBuf>>>),
    Open(Cursor<RawDocumentBuf>),
    Failed(Error),
}

impl GridFsDownloadStream {
    /// What is known of the file.
    pub fn file(&self) -> &FilesCollectionDocument {
        &self.file
    }

    /// The position of the next byte, from 0.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Ends reading, and waits until the server has closed the cursor, if there is one. Dropping the stream does the same
    /// without waiting.
    ///
    /// # Cancel safety
    /// The cursor is closed when the future is dropped.
    pub async fn close(self) {
        if let Source::Open(cursor) = self.source {
            timeout::within(self.budget, cursor.close()).await;
        }
    }

    /// The bytes that have come and were not read yet, which are some unless the file has ended.
    pub(super) async fn fill(&mut self) -> Result<&Bytes> {
        poll_fn(|cx| self.poll_chunk(cx)).await?;
        Ok(&self.chunk)
    }

    /// Goes on by so many of the bytes that have come, or by all of them if there are fewer.
    pub(super) fn advance(&mut self, count: usize) {
        let count = count.min(self.chunk.len());
        self.chunk.advance(count);
        self.position += count as u64;
    }

    /// Ready when there are bytes, or the file has ended.
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        while self.chunk.is_empty() {
            match &mut self.source {
                Source::Unopened if self.position >= self.file.length => break,
                Source::Unopened => self.open_at_position(),
                Source::Opening(opening) => {
                    self.source = match ready!(opening.as_mut().poll(cx)) {
                        Ok(cursor) => Source::Open(cursor),
                        Err(error) => Source::Failed(error),
                    };
                }
                Source::Open(cursor) => match ready!(cursor.poll_next_bytes(cx)) {
                    Ok(Some(document)) => self.accept(&document),
                    Ok(None) => self.end(),
                    Err(error) if !self.was_reopened && matches!(error.kind(), ErrorKind::CursorNotFound(_)) => {
                        self.was_reopened = true;
                        self.source = Source::Unopened;
                    }
                    Err(error) => self.source = Source::Failed(error),
                },
                Source::Failed(error) => return Poll::Ready(Err(error.clone())),
            }
        }
        Poll::Ready(Ok(()))
    }

    fn open_at_position(&mut self) {
        let first = self.position / u64::from(self.file.chunk_size);
        self.assembly = Assembly::new(&self.file, first);
        let mut filter = doc! { "files_id": &self.file.id };
        if first > 0 {
            filter.insert("n", doc! { "$gte": i64::try_from(first).unwrap_or(i64::MAX) });
        }
        let bucket = self.bucket.clone();
        let opening = async move { bucket.chunks().find(filter).sort(doc! { "n": 1 }).await };
        self.source = Source::Opening(Box::pin(timeout::within(self.budget, opening)));
    }

    fn accept(&mut self, document: &Bytes) {
        let n = self.assembly.next();
        let accepted = RawDocument::from_bytes(document)
            .map_err(|error| Corruption::Unreadable { n, reason: error.to_string() })
            .and_then(|document| self.assembly.accept(document));
        match accepted {
            Ok(range) => {
                let bytes = document.slice(range);
                // After a seek, the first chunk begins before the position.
                let before = self.position.saturating_sub(n * u64::from(self.file.chunk_size));
                let before = usize::try_from(before).unwrap_or(usize::MAX).min(bytes.len());
                self.chunk = bytes.slice(before..);
            }
            Err(corruption) => self.fail(corruption),
        }
    }

    /// There are no more chunks.
    fn end(&mut self) {
        match self.assembly.finish() {
            Ok(()) => self.source = Source::Unopened,
            Err(corruption) => self.fail(corruption),
        }
    }

    fn fail(&mut self, corruption: Corruption) {
        let corrupt = GridFsError::Corrupt { id: self.file.id.clone(), corruption };
        self.source = Source::Failed(Error::new(ErrorKind::GridFs(corrupt)));
    }

    fn seek_to(&mut self, position: u64) {
        self.has_ended = false;
        let ahead = position.checked_sub(self.position).and_then(|ahead| usize::try_from(ahead).ok());
        match ahead.filter(|ahead| *ahead < self.chunk.len()) {
            Some(ahead) => self.advance(ahead),
            None => {
                self.chunk = Bytes::new();
                self.source = Source::Unopened;
                self.position = position;
            }
        }
    }
}

impl AsyncRead for GridFsDownloadStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if buffer.remaining() > 0 {
            ready!(self.poll_chunk(cx))?;
            let count = buffer.remaining().min(self.chunk.len());
            buffer.put_slice(&self.chunk[..count]);
            self.advance(count);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncBufRead for GridFsDownloadStream {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        ready!(this.poll_chunk(cx))?;
        Poll::Ready(Ok(&this.chunk))
    }

    fn consume(mut self: Pin<&mut Self>, count: usize) {
        self.advance(count);
    }
}

impl AsyncSeek for GridFsDownloadStream {
    /// A position behind the end is none from which anything can be read. One before the beginning is an error.
    fn start_seek(mut self: Pin<&mut Self>, to: SeekFrom) -> io::Result<()> {
        let (from, by) = match to {
            SeekFrom::Start(position) => (position, 0),
            SeekFrom::End(by) => (self.file.length, by),
            SeekFrom::Current(by) => (self.position, by),
        };
        let position = from.checked_add_signed(by).ok_or_else(|| {
            let reason = format!("the position {from}{by:+} lies before the beginning of the file");
            io::Error::new(io::ErrorKind::InvalidInput, reason)
        })?;
        self.seek_to(position);
        Ok(())
    }

    fn poll_complete(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<u64>> {
        Poll::Ready(Ok(self.position))
    }
}

impl Stream for GridFsDownloadStream {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        let polled = ready!(self.poll_chunk(cx));
        let chunk = std::mem::take(&mut self.chunk);
        self.position += chunk.len() as u64;
        self.has_ended = chunk.is_empty();
        Poll::Ready(match polled {
            Ok(()) => (!chunk.is_empty()).then_some(Ok(chunk)),
            Err(error) => Some(Err(error)),
        })
    }
}

impl FusedStream for GridFsDownloadStream {
    /// At the end of the file and after an error, until the stream is told to seek.
    fn is_terminated(&self) -> bool {
        self.has_ended
    }
}

impl fmt::Debug for GridFsDownloadStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GridFsDownloadStream")
            .field("file", &self.file)
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}
