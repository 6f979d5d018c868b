//! What the types of the façade promise, checked by the compiler.

use bson::{Document, doc};

use crate::{Client, Collection, Cursor, Database, error::Error};

fn is_handle<T: Clone + Send + Sync + 'static>() {}
fn is_send<T: Send>(_: &T) {}

#[test]
fn handles_can_be_shared_between_threads() {
    is_handle::<Client>();
    is_handle::<Database>();
    is_handle::<Collection<Document>>();
    is_handle::<Error>();
}

#[tokio::test]
async fn futures_can_move_between_threads_and_are_small() {
    let client = Client::with_uri_str("mongodb://localhost:1").await.unwrap();
    let collection = client.database("a").collection::<Document>("b");
    let find = collection.find_one(doc! {}).into_future();
    is_send(&find);
    assert!(size_of_val(&find) <= 2 * size_of::<usize>(), "{}", size_of_val(&find));
    let insert = collection.insert_one(doc! {}).into_future();
    is_send(&insert);
    assert!(size_of_val(&insert) <= 2 * size_of::<usize>(), "{}", size_of_val(&insert));
}

#[test]
fn an_error_is_one_pointer_wide_and_a_cursor_can_move() {
    fn moves<T: Send>() {}
    moves::<Cursor<Document>>();
    assert_eq!(size_of::<Error>(), size_of::<usize>());
}
