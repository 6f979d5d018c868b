//! What must hold for every use of the crate: sizes, and which types may cross threads.

use bson::{Document, RawDocumentBuf, doc};

use crate::{
    Client, Collection, Cursor, Database, Error, RawBatch, RawBatchCursor,
    action::ActionFuture,
    error::{ErrorKind, Result},
};

fn is_send<T: Send>(_: &T) {}
fn is_handle<T: Clone + Send + Sync + std::fmt::Debug + 'static>() {}
fn is_sendable<T: Send + 'static>() {}

/// A document type that may not cross threads itself.
#[derive(serde::Serialize, serde::Deserialize)]
struct Local(std::marker::PhantomData<std::rc::Rc<()>>);

#[test]
fn handles_and_errors_may_cross_threads() {
    is_handle::<Client>();
    is_handle::<Database>();
    is_handle::<Collection<Document>>();
    is_handle::<Collection<Local>>();
    is_handle::<Error>();
    is_handle::<RawBatch>();
    is_sendable::<Cursor<Document>>();
    is_sendable::<Cursor<Local>>();
    is_sendable::<RawBatchCursor>();
    is_sendable::<ErrorKind>();
}

#[test]
fn what_travels_much_is_small() {
    const POINTER: usize = size_of::<usize>();
    assert_eq!(size_of::<Error>(), POINTER);
    assert_eq!(size_of::<Result<()>>(), POINTER);
    assert_eq!(size_of::<Client>(), POINTER);
    assert_eq!(size_of::<Collection<Document>>(), POINTER);
    assert_eq!(size_of::<Cursor<Document>>(), POINTER);
    assert_eq!(size_of::<ActionFuture<'_, Result<Document>>>(), 2 * POINTER);
}

/// Nothing here is run: that it compiles is the proof.
#[expect(dead_code, reason = "only the types matter")]
fn every_future_is_send(
    client: &Client,
    database: &Database,
    collection: &Collection<Document>,
    raw: &Collection<RawDocumentBuf>,
) {
    is_send(&collection.find(doc! {}).into_future());
    is_send(&collection.find_raw_batches(doc! {}).into_future());
    is_send(&raw.find_one(doc! {}).into_future());
    is_send(&collection.insert_one(doc! {}).into_future());
    is_send(&collection.insert_many([doc! {}]).into_future());
    is_send(&collection.update_one(doc! {}, doc! {}).into_future());
    is_send(&collection.replace_one(doc! {}, doc! {}).into_future());
    is_send(&collection.delete_many(doc! {}).into_future());
    is_send(&collection.find_one_and_update(doc! {}, doc! {}).into_future());
    is_send(&collection.aggregate([]).into_future());
    is_send(&collection.aggregate([]).raw_batches());
    is_send(&collection.count_documents(doc! {}).into_future());
    is_send(&collection.distinct("a", doc! {}).into_future());
    is_send(&collection.find(doc! {}).explain().into_future());
    is_send(&collection.rename("b").into_future());
    is_send(&collection.index_information().into_future());
    is_send(&database.run_command("ping").into_future());
    is_send(&database.run_cursor_command("ping").into_future());
    is_send(&database.create_collection("a").into_future());
    is_send(&database.dereference(&doc! {}));
    is_send(&client.list_databases().into_future());
    is_send(&client.address());
    is_send(&client.server_info());
    is_send(&client.warm_up());
    is_send(&client.close());
}

#[expect(dead_code, reason = "only the types matter")]
async fn cursors_are_send_while_they_are_read(mut cursor: Cursor<Document>, mut raw: RawBatchCursor) {
    is_send(&cursor.next());
    is_send(&cursor.advance());
    is_send(&cursor.to_vec());
    is_send(&cursor.rewind());
    is_send(&cursor.close());
    is_send(&raw.next());
}

#[expect(dead_code, reason = "only the types matter")]
async fn sessions_are_used_on_any_thread(client: Client, collection: Collection<Document>) {
    let mut session = client.start_session().await.unwrap();
    is_send(&session.start_transaction().into_future());
    is_send(&collection.insert_one(doc! {}).session(&mut session).into_future());
    is_send(&collection.find(doc! {}).session(&mut session).into_future());
    is_send(&session.commit_transaction());
    let task = async move {
        let mut cursor = collection.find(doc! {}).session(&mut session).await?;
        let more = cursor.next(&mut session).await.is_some();
        let owned = collection.clone();
        session
            .with_transaction(async move |session| {
                owned.insert_one(doc! {}).session(session).await?;
                owned.insert_one(doc! { "more": more }).session(session).await
            })
            .await?;
        let mut attempts = session.start_transaction().attempts();
        let inserted = loop {
            let session = attempts.begin().await?;
            let result = collection.insert_one(doc! {}).session(session).await;
            if let Some(inserted) = attempts.end(result).await? {
                break inserted;
            }
        };
        session.end().await;
        Ok::<_, Error>(inserted)
    };
    drop(tokio::spawn(task));
}
