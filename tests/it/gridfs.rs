//! Files in GridFS buckets.

use std::{
    io::{self, SeekFrom},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::StreamExt;
use mongo_actors::{
    Client, Database, Error,
    bson::{Binary, Bson, Document, doc, oid::ObjectId, rawdoc, spec::BinarySubtype},
    concern::WriteConcern,
    error::ErrorKind,
    gridfs::{Corruption, GridFsBucket, GridFsBucketOptions, GridFsError, Wanted},
};
use mongo_actors_testkit::{FailPoint, ReplicaSet};
use rand::{Rng, SeedableRng, rngs::StdRng};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncSeekExt, AsyncWrite, AsyncWriteExt, ReadBuf};

use crate::{
    commands::Commands,
    kit::{Recorder, client_and_database, eventually, shared_set},
};

/// Bytes that differ at every position.
fn bytes(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    StdRng::seed_from_u64(length as u64).fill(&mut bytes[..]);
    bytes
}

fn small_chunks(database: &Database) -> GridFsBucket {
    database.gridfs_bucket(GridFsBucketOptions::new().chunk_size_bytes(10))
}

async fn read(bucket: &GridFsBucket, id: impl Into<Bson>) -> Vec<u8> {
    let mut bytes = Vec::new();
    bucket.open_download_stream(id).await.unwrap().read_to_end(&mut bytes).await.unwrap();
    bytes
}

async fn chunks(database: &Database, id: impl Into<Bson>) -> u64 {
    let chunks = database.collection::<Document>("fs.chunks");
    chunks.count_documents(doc! { "files_id": id.into() }).await.unwrap()
}

fn gridfs(error: &Error) -> &GridFsError {
    match error.kind() {
        ErrorKind::GridFs(error) => error,
        other => panic!("{other:?}"),
    }
}

/// The driver's error that one of input and output was made from.
fn inner(error: &io::Error) -> &Error {
    error.get_ref().and_then(|inner| inner.downcast_ref()).expect("an error of the driver")
}

#[tokio::test]
async fn files_of_every_size_come_back_as_they_were() {
    let (client, database) = client_and_database("gridfs-sizes").await;
    let small = small_chunks(&database);
    for length in [0, 1, 9, 10, 11, 20, 1005] {
        let id = small.upload_from_stream("file", &bytes(length)[..]).await.unwrap();
        assert_eq!(read(&small, id.clone()).await, bytes(length));
        let file = small.find_one(doc! { "_id": &id }).await.unwrap().unwrap();
        assert_eq!((file.length, file.chunk_size, file.chunks()), (length as u64, 10, length.div_ceil(10) as u64));
        assert_eq!(chunks(&database, id).await, length.div_ceil(10) as u64);
    }
    // Many groups of chunks, written and read in pieces that fit nothing.
    let large = database.gridfs_bucket(None);
    let expected = bytes(20_000_003);
    let mut upload = large.open_upload_stream("large").metadata(doc! { "kind": "large" }).await.unwrap();
    for piece in expected.chunks(70_001) {
        upload.write_all(piece).await.unwrap();
    }
    assert_eq!(upload.length(), expected.len() as u64);
    let file = upload.close().await.unwrap();
    assert_eq!((file.metadata, file.chunk_size), (Some(doc! { "kind": "large" }), 255 * 1024));
    assert!(file.upload_date.is_some());
    let mut download = large.open_download_stream(file.id).await.unwrap();
    let (mut actual, mut piece) = (Vec::new(), vec![0; 33_331]);
    loop {
        match download.read(&mut piece).await.unwrap() {
            0 => break,
            count => actual.extend_from_slice(&piece[..count]),
        }
    }
    assert!(actual == expected, "it came back otherwise");
    client.close().await;
}

#[tokio::test]
async fn a_file_can_be_read_from_anywhere() {
    let (client, database) = client_and_database("gridfs-seek").await;
    let bucket = small_chunks(&database);
    let whole = bytes(95);
    let id = bucket.upload_from_stream("file", &whole[..]).await.unwrap();
    let mut file = bucket.open_download_stream(id.clone()).await.unwrap();
    let mut random = StdRng::seed_from_u64(1);
    for _ in 0..100 {
        let position = random.random_range(0..110_usize);
        let to = match random.random_range(0..3) {
            0 => SeekFrom::Start(position as u64),
            1 => SeekFrom::End(position as i64 - 95),
            _ => SeekFrom::Current(position as i64 - i64::try_from(file.position()).unwrap()),
        };
        assert_eq!(file.seek(to).await.unwrap(), position as u64);
        let count = random.random_range(0..30_usize).min(95_usize.saturating_sub(position));
        let mut read = vec![0; count];
        file.read_exact(&mut read).await.unwrap();
        assert_eq!(read, whole[position.min(95)..position.min(95) + count]);
    }
    assert_eq!(file.seek(SeekFrom::Current(-1_000)).await.unwrap_err().kind(), io::ErrorKind::InvalidInput);
    file.seek(SeekFrom::Start(1_000)).await.unwrap();
    assert_eq!(file.read(&mut [0; 1]).await.unwrap(), 0, "there is nothing behind the end");
    file.seek(SeekFrom::Start(3)).await.unwrap();
    assert_eq!(file.fill_buf().await.unwrap(), &whole[3..10]);
    file.consume(1_000);
    assert_eq!(file.position(), 10, "no more can be consumed than there is");
    file.close().await;

    let chunks = bucket.open_download_stream(id).await.unwrap();
    let chunks: Vec<_> = chunks.map(|chunk| chunk.unwrap()).collect().await;
    assert_eq!((chunks.len(), chunks.concat()), (10, whole));
    let text = bucket.upload_from_stream("text", &b"one\ntwo, which is longer\nthree"[..]).await.unwrap();
    let mut lines = bucket.open_download_stream(text).await.unwrap().lines();
    let mut read = Vec::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        read.push(line);
    }
    assert_eq!(read, ["one", "two, which is longer", "three"]);
    client.close().await;
}

#[tokio::test]
async fn a_file_is_there_when_it_is_closed_and_not_before() {
    let (client, database) = client_and_database("gridfs-close").await;
    let bucket = small_chunks(&database);
    let mut upload = bucket.open_upload_stream("file").await.unwrap();
    let id = upload.id().clone();
    upload.write_all(&bytes(25)).await.unwrap();
    upload.flush().await.unwrap();
    assert_eq!((chunks(&database, id.clone()).await, bucket.find_one(doc! {}).await.unwrap()), (2, None));
    let error = bucket.open_download_stream(id.clone()).await.unwrap_err();
    assert_eq!(gridfs(&error), &GridFsError::NoFile(Wanted::Id(id.clone())));
    let file = upload.close().await.unwrap();
    assert_eq!((&file.id, file.length, upload.is_closed()), (&id, 25, true));
    assert_eq!(upload.close().await.unwrap(), file, "closing twice changes nothing");
    assert_eq!(read(&bucket, id.clone()).await, bytes(25));
    let error = upload.write_all(b"more").await.unwrap_err();
    assert!(matches!(inner(&error).kind(), ErrorKind::InvalidOperation { .. }), "{error}");
    let error = upload.abort().await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::InvalidOperation { .. }), "{error}");
    drop(upload);
    client.flush_events().await;
    assert_eq!(read(&bucket, id).await, bytes(25));
    // The same by the name that streams have for it.
    let mut upload = bucket.open_upload_stream_with_id("own", "file").await.unwrap();
    upload.write_all(b"bytes").await.unwrap();
    upload.shutdown().await.unwrap();
    assert_eq!(read(&bucket, "own").await, b"bytes");
    client.close().await;
}

#[tokio::test]
async fn nothing_is_left_of_an_upload_that_is_not_finished() {
    let (client, database) = client_and_database("gridfs-drop").await;
    let bucket = small_chunks(&database);
    // Aborted, dropped after a flush, and dropped while chunks are on their way.
    for end in 0..3 {
        let mut upload = bucket.open_upload_stream("file").await.unwrap();
        let id = upload.id().clone();
        upload.write_all(&bytes(100)).await.unwrap();
        match end {
            0 => {
                upload.flush().await.unwrap();
                assert_eq!(chunks(&database, id.clone()).await, 10);
                upload.abort().await.unwrap();
                upload.abort().await.unwrap();
                let error = upload.write_all(b"more").await.unwrap_err();
                assert!(matches!(inner(&error).kind(), ErrorKind::InvalidOperation { .. }), "{error}");
                assert!(upload.close().await.is_err());
            }
            1 => {
                upload.flush().await.unwrap();
                drop(upload);
            }
            _ => {
                let _not_waited_for = tokio::time::timeout(Duration::ZERO, upload.flush()).await;
                drop(upload);
            }
        }
        eventually("no chunk is left", async || chunks(&database, id.clone()).await == 0).await;
    }
    // Closing the client waits until everything is taken back.
    let mut upload = bucket.open_upload_stream("file").await.unwrap();
    upload.write_all(&bytes(100)).await.unwrap();
    upload.flush().await.unwrap();
    drop(upload);
    client.close().await;
    let client = Client::with_uri_str(&shared_set().await.uri()).await.unwrap();
    let left = client.database(database.name()).collection::<Document>("fs.chunks");
    assert_eq!(left.count_documents(doc! {}).await.unwrap(), 0);
    client.close().await;
}

#[tokio::test]
async fn nothing_is_left_of_an_upload_that_goes_with_its_client() {
    let (observer, database) = client_and_database("gridfs-goes").await;
    for in_flight in [false, true] {
        let client = Client::with_uri_str(&shared_set().await.uri()).await.unwrap();
        let bucket = small_chunks(&client.database(database.name()));
        let mut upload = bucket.open_upload_stream_with_id(1, "file").await.unwrap();
        upload.write_all(&bytes(100)).await.unwrap();
        upload.flush().await.unwrap();
        assert_eq!(chunks(&database, 1).await, 10);
        if in_flight {
            upload.write_all(&bytes(1000)).await.unwrap();
            let _not_waited_for = tokio::time::timeout(Duration::ZERO, upload.flush()).await;
        }
        drop((upload, bucket, client));
        eventually("no chunk is left", async || chunks(&database, 1).await == 0).await;
    }
    observer.close().await;
}

#[tokio::test]
async fn an_upload_with_an_id_that_is_taken_leaves_the_file_alone() {
    let (client, database) = client_and_database("gridfs-exists").await;
    let bucket = small_chunks(&database);
    bucket.upload_from_stream_with_id(1, "first", &bytes(30)[..]).await.unwrap();
    bucket.upload_from_stream_with_id(2, "empty", &b""[..]).await.unwrap();
    for (id, length) in [(1, 5), (1, 500), (2, 0)] {
        let error = bucket.upload_from_stream_with_id(id, "second", &bytes(length)[..]).await.unwrap_err();
        assert_eq!(gridfs(&error), &GridFsError::FileExists { id: id.into() });
        let mut upload = bucket.open_upload_stream_with_id(id, "second").await.unwrap();
        upload.write_all(&bytes(length)).await.unwrap();
        upload.close().await.unwrap_err();
        if length == 5 {
            upload.abort().await.unwrap();
        }
        drop(upload);
    }
    client.flush_events().await;
    assert_eq!(read(&bucket, 1).await, bytes(30));
    assert_eq!(read(&bucket, 2).await, b"");
    client.close().await;
}

#[tokio::test]
async fn files_are_found_renamed_and_deleted_by_id_and_by_name() {
    let (client, database) = client_and_database("gridfs-names").await;
    let bucket = small_chunks(&database);
    for id in 0..4 {
        bucket.upload_from_stream_with_id(id, "name", &[id as u8; 15][..]).metadata(doc! { "id": id }).await.unwrap();
        // The order of revisions is that of their dates, which count milliseconds.
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    for (revision, id) in [(0, 0), (1, 1), (3, 3), (-1, 3), (-4, 0)] {
        let file = bucket.open_download_stream_by_name("name").revision(revision).await.unwrap();
        assert_eq!(file.file().id, Bson::from(id));
        let mut bytes = Vec::new();
        let count = bucket.download_to_stream_by_name("name", &mut bytes).revision(revision).await.unwrap();
        assert_eq!((count, bytes), (15, vec![id as u8; 15]));
    }
    let missing = bucket.open_download_stream_by_name("name").revision(4).await.unwrap_err();
    assert!(missing.to_string().contains("there are others of this name"), "{missing}");
    let missing = bucket.open_download_stream_by_name("other").revision(4).await.unwrap_err();
    assert_eq!(gridfs(&missing), &GridFsError::NoFile(Wanted::Name("other".into())));

    bucket.rename(2, "other").await.unwrap();
    let mut others = bucket.find(doc! { "filename": "other" }).await.unwrap();
    assert_eq!(others.try_next().await.unwrap().unwrap().metadata, Some(doc! { "id": 2 }));
    bucket.rename_by_name("name", "new").await.unwrap();
    bucket.delete_by_name("new").await.unwrap();
    assert_eq!(database.collection::<Document>("fs.files").count_documents(doc! {}).await.unwrap(), 1);
    assert_eq!(database.collection::<Document>("fs.chunks").count_documents(doc! {}).await.unwrap(), 2);
    bucket.delete(2).await.unwrap();
    for change in
        [bucket.delete(2), bucket.rename(2, "x"), bucket.delete_by_name("new"), bucket.rename_by_name("new", "x")]
    {
        let error = change.await.unwrap_err();
        assert!(matches!(gridfs(&error), GridFsError::NoFile(_)), "{error}");
    }
    bucket.drop().await.unwrap();
    assert_eq!(database.list_collection_names().await.unwrap(), Vec::<String>::new());
    // The indexes are made again.
    bucket.upload_from_stream("again", &bytes(1)[..]).await.unwrap();
    let names = database.collection::<Document>("fs.chunks").list_index_names().await.unwrap();
    assert!(names.contains(&"files_id_1_n_1".to_owned()), "{names:?}");
    client.close().await;
}

#[tokio::test]
async fn a_file_that_is_not_whole_is_told_with_its_fault() {
    let (client, database) = client_and_database("gridfs-corrupt").await;
    let bucket = small_chunks(&database);
    let chunks = database.collection::<Document>("fs.chunks");
    let cut = |n: i32| (doc! { "n": n }, vec![doc! { "$set": { "data": binary(&[1, 2]) } }]);
    for fault in 0..4 {
        bucket.drop().await.unwrap();
        bucket.upload_from_stream_with_id(1, "file", &bytes(35)[..]).await.unwrap();
        let expected = match fault {
            0 => {
                chunks.delete_one(doc! { "n": 1 }).await.unwrap();
                Corruption::Missing { n: 1 }
            }
            1 => {
                chunks.delete_one(doc! { "n": 3 }).await.unwrap();
                Corruption::Missing { n: 3 }
            }
            2 => {
                let (which, update) = cut(2);
                chunks.update_one(which, update).await.unwrap();
                Corruption::WrongSize { n: 2, expected: 10, actual: 2 }
            }
            _ => {
                chunks.insert_one(doc! { "files_id": 1, "n": 4, "data": binary(&[1]) }).await.unwrap();
                Corruption::Extra { n: 4 }
            }
        };
        let mut whole = Vec::new();
        let error = bucket.download_to_stream(1, &mut whole).await.unwrap_err();
        assert_eq!(gridfs(&error), &GridFsError::Corrupt { id: 1.into(), corruption: expected.clone() });
        // As a stream of bytes and as one of chunks; a part that is whole can still be read.
        let mut file = bucket.open_download_stream(1).await.unwrap();
        let error = file.read_to_end(&mut Vec::new()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        file.rewind().await.unwrap();
        let mut first = [0; 10];
        file.read_exact(&mut first).await.unwrap();
        assert_eq!(first, bytes(35)[..10]);
        let rest: Vec<_> = file.collect().await;
        assert_eq!(gridfs(rest.last().unwrap().as_ref().unwrap_err()), gridfs(inner(&error)));
    }
    client.close().await;
}

fn binary(bytes: &[u8]) -> Binary {
    Binary { subtype: BinarySubtype::Generic, bytes: bytes.to_vec() }
}

/// A source that fails, and a destination that does.
struct Broken(usize);

impl AsyncRead for Broken {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.0 == 0 {
            return Poll::Ready(Err(io::Error::other("broken")));
        }
        self.0 -= 1;
        buffer.put_slice(&[0; 100]);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Broken {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::Error::other("broken")))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn errors_of_the_application_are_its_own() {
    let (client, database) = client_and_database("gridfs-broken").await;
    let bucket = small_chunks(&database);
    let error = bucket.upload_from_stream_with_id(1, "file", Broken(3)).await.unwrap_err();
    assert!(matches!(gridfs(&error), GridFsError::Source { .. }), "{error}");
    assert_eq!(chunks(&database, 1).await, 0);
    bucket.upload_from_stream_with_id(1, "file", &bytes(100)[..]).await.unwrap();
    let error = bucket.download_to_stream(1, Broken(0)).await.unwrap_err();
    assert!(matches!(gridfs(&error), GridFsError::Destination { .. }), "{error}");
    // A source that says nothing, and a destination that takes nothing, are not waited for beyond the timeout.
    let (silent, _other_end) = tokio::io::duplex(1);
    let limit = Duration::from_millis(200);
    let error = bucket.upload_from_stream_with_id(2, "file", silent).timeout(limit).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::OperationTimeout), "{error}");
    let (full, _other_end) = tokio::io::duplex(1);
    let error = bucket.download_to_stream(1, full).timeout(limit).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::OperationTimeout), "{error}");
    client.close().await;
}

#[tokio::test]
async fn what_gridfs_cannot_do_is_refused_with_the_remedy() {
    let (client, database) = client_and_database("gridfs-refused").await;
    let careless = database.gridfs_bucket(GridFsBucketOptions::new().write_concern(WriteConcern::nodes(0)));
    for error in [
        careless.upload_from_stream("file", &b""[..]).await.unwrap_err(),
        careless.open_upload_stream("file").await.unwrap_err(),
        careless.delete(1).await.unwrap_err(),
    ] {
        let options = match error.kind() {
            ErrorKind::Configuration { options, .. } => options,
            other => panic!("{other:?}"),
        };
        assert_eq!(options, &["w"]);
    }
    let bucket = database.gridfs_bucket(None);
    let error = bucket.open_upload_stream("file").chunk_size_bytes(0).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::InvalidArgument { .. }), "{error}");
    let error = bucket.open_download_stream(1).revision(0).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::InvalidArgument { .. }), "{error}");
    let mut session = client.start_session().await.unwrap();
    session.start_transaction().await.unwrap();
    for error in [
        bucket.upload_from_stream("file", &b""[..]).session(&mut session).await.unwrap_err(),
        bucket.download_to_stream(1, &mut Vec::new()).session(&mut session).await.unwrap_err(),
        bucket.delete(1).session(&mut session).await.unwrap_err(),
        session.scope(bucket.open_download_stream(1)).await.unwrap_err(),
    ] {
        assert!(error.to_string().contains("GridFS cannot be used in a transaction"), "{error}");
    }
    session.abort_transaction().await.unwrap();
    session.end().await;
    client.close().await;
}

#[tokio::test]
async fn everything_runs_in_the_session_that_it_is_given() {
    let (client, commands) = Commands::client(&shared_set().await.uri());
    let bucket = small_chunks(&client.database("it-gridfs-session"));
    let mut session = client.start_session().await.unwrap();
    let id = Document::try_from(session.id()).unwrap();
    bucket.upload_from_stream_with_id(1, "file", &bytes(25)[..]).session(&mut session).await.unwrap();
    bucket.download_to_stream(1, &mut Vec::new()).session(&mut session).await.unwrap();
    bucket.rename(1, "new").session(&mut session).await.unwrap();
    session
        .scope(async {
            let mut upload = bucket.open_upload_stream_with_id(2, "file").await.unwrap();
            upload.write_all(&bytes(25)).await.unwrap();
            upload.close().await.unwrap();
            read(&bucket, 2).await
        })
        .await;
    bucket.delete_by_name("file").session(&mut session).await.unwrap();
    let sent = commands.take();
    assert!(sent.len() > 10, "{sent:?}");
    let outside: Vec<_> = sent.iter().filter(|sent| sent.lsid() != Some(&id)).map(|sent| &sent.name).collect();
    assert!(outside.is_empty(), "{outside:?}");
    session.end().await;
    client.close().await;
}

#[tokio::test]
async fn a_cursor_that_the_server_forgets_is_opened_again_where_it_was() {
    let set = ReplicaSet::start(1).await.unwrap();
    let (client, commands) = Commands::client(&set.uri());
    let bucket = client.database("it").gridfs_bucket(GridFsBucketOptions::new().chunk_size_bytes(1000));
    let whole = bytes(500_000);
    bucket.upload_from_stream_with_id(1, "file", &whole[..]).await.unwrap();
    let forgets = FailPoint::fail_command(["getMore"]).times(1).error_code(43);
    let _guard = set.members()[0].enable(forgets).await.unwrap();
    assert!(read(&bucket, 1).await == whole);
    assert_eq!(commands.take_named("find").len(), 4, "for the first file, this one, its chunks, and them again");
    let forgets = FailPoint::fail_command(["getMore"]).times(2).error_code(43);
    let _guard = set.members()[0].enable(forgets).await.unwrap();
    let error = bucket.download_to_stream(1, &mut Vec::new()).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::CursorNotFound(_)), "{error}");
    client.close().await;
}

#[tokio::test]
async fn an_upload_whose_close_failed_can_be_taken_back_with_the_file() {
    let set = ReplicaSet::start(1).await.unwrap();
    let client = Client::with_uri_str(&set.uri()).await.unwrap();
    let database = client.database("it");
    let bucket = small_chunks(&database);
    let mut upload = bucket.open_upload_stream_with_id(1, "file").await.unwrap();
    upload.write_all(&bytes(25)).await.unwrap();
    // The file is stored, and its closing fails all the same.
    let unconfirmed = doc! { "code": 64, "errmsg": "waiting for replication timed out" };
    let fault = FailPoint::fail_command(["insert"]).skip(1).write_concern_error(unconfirmed);
    let _guard = set.members()[0].enable(fault).await.unwrap();
    let error = upload.close().await.unwrap_err();
    assert!(error.write_concern_error().is_some(), "{error}");
    assert!(upload.close().await.is_err(), "it stays so");
    assert_eq!(read(&bucket, 1).await, bytes(25));
    upload.abort().await.unwrap();
    assert_eq!((bucket.find_one(doc! {}).await.unwrap(), chunks(&database, 1).await), (None, 0));
    client.close().await;
}

#[tokio::test]
async fn an_upload_is_taken_back_although_connections_break() {
    let set = ReplicaSet::start(1).await.unwrap();
    let client = Client::with_uri_str(&set.uri()).await.unwrap();
    let database = client.database("it");
    let mut upload = small_chunks(&database).open_upload_stream_with_id(1, "file").await.unwrap();
    upload.write_all(&bytes(100)).await.unwrap();
    upload.flush().await.unwrap();
    let fault = FailPoint::fail_command(["delete"]).times(3).close_connection();
    let _guard = set.members()[0].enable(fault).await.unwrap();
    drop(upload);
    eventually("no chunk is left", async || chunks(&database, 1).await == 0).await;
    client.close().await;
}

#[tokio::test]
async fn a_download_that_is_dropped_leaves_no_cursor() {
    let set = ReplicaSet::start(1).await.unwrap();
    let (recorder, builder) = Recorder::listen(Client::builder().uri(set.uri()));
    let client = builder.build().unwrap();
    let bucket = client.database("it").gridfs_bucket(GridFsBucketOptions::new().chunk_size_bytes(1000));
    bucket.upload_from_stream_with_id(1, "file", &bytes(500_000)[..]).await.unwrap();
    for closes in [true, false] {
        let mut file = bucket.open_download_stream(1).await.unwrap();
        file.read_exact(&mut [0; 10]).await.unwrap();
        assert_eq!(set.members()[0].open_cursors().await.unwrap(), 1);
        if closes {
            file.close().await
        } else {
            drop(file)
        }
        eventually("the cursor is gone", async || set.members()[0].open_cursors().await.unwrap() == 0).await;
    }
    recorder.expect_all_checked_in(&client).await;
    client.close().await;
}

#[tokio::test]
async fn files_survive_elections() {
    let set = ReplicaSet::builder(3).election_timeout(Duration::from_secs(1)).start().await.unwrap();
    let client = Client::with_uri_str(&set.uri_with(&[("w", "majority")])).await.unwrap();
    let bucket = Arc::new(client.database("it").gridfs_bucket(None));
    let whole = bytes(30_000_000);
    let upload = tokio::spawn({
        let (bucket, whole) = (bucket.clone(), whole.clone());
        async move { bucket.upload_from_stream("file", &whole[..]).await }
    });
    let stored = client.database("it").collection::<Document>("fs.chunks");
    eventually("it is under way", async || stored.estimated_document_count().await.unwrap() > 10).await;
    set.step_down().await.unwrap();
    let id = upload.await.unwrap().unwrap();
    let mut file = bucket.open_download_stream(id).await.unwrap();
    let mut read = vec![0; 1_000_000];
    file.read_exact(&mut read).await.unwrap();
    set.step_down().await.unwrap();
    file.read_to_end(&mut read).await.unwrap();
    assert!(read == whole, "it came back otherwise");
    client.close().await;
}

#[tokio::test]
async fn custom_ids_may_be_of_any_type() {
    let (client, database) = client_and_database("gridfs-ids").await;
    let bucket = small_chunks(&database);
    let ids: [Bson; 5] =
        [Bson::Null, "text".into(), doc! { "shard": 1, "n": 2 }.into(), 1.5.into(), ObjectId::new().into()];
    for (n, id) in ids.iter().enumerate() {
        let uploaded = bucket.upload_from_stream_with_id(id.clone(), "file", &bytes(n * 7)[..]).await.unwrap();
        assert_eq!(&uploaded, id);
    }
    for (n, id) in ids.into_iter().enumerate() {
        assert_eq!(read(&bucket, id.clone()).await, bytes(n * 7));
        bucket.delete(id).await.unwrap();
    }
    assert_eq!(database.collection::<Document>("fs.chunks").count_documents(doc! {}).await.unwrap(), 0);
    let none = rawdoc! {};
    assert_eq!(bucket.find(none).await.unwrap().to_vec().await.unwrap().len(), 0);
    client.close().await;
}
