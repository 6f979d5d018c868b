//! `change-streams/tests/README.md`. Numbers 5, 9, 10, 12, 15 and 16 were removed from it. Number 19 needs a server that
//! splits events (6.0.9 or 7.0).

use std::time::Duration;

use mongo_actors::{
    ChangeStream, Collection,
    bson::{Bson, Document, doc},
    change_stream::{ResumeToken, event::ChangeStreamEvent},
    error::ErrorKind,
    options::ReadPreference,
};
use mongo_actors_testkit::{FailPoint, ReplicaSet};

use crate::commands::Commands;

type Changes = ChangeStream<ChangeStreamEvent<Document>>;

struct Scene {
    set: ReplicaSet,
    recorder: std::sync::Arc<Commands>,
    things: Collection,
}

impl Scene {
    async fn new(members: usize, options: &[(&str, &str)]) -> Self {
        let set = ReplicaSet::start(members).await.unwrap();
        let (client, recorder) = Commands::client(&set.uri_with(options));
        client.database("prose").create_collection("things").await.unwrap();
        let things = client.database("prose").collection("things");
        Self { set, recorder, things }
    }

    async fn insert(&self, ids: std::ops::Range<i32>) {
        self.things.insert_many(ids.map(|id| doc! { "_id": id })).await.unwrap();
    }

    async fn fail(&self, point: FailPoint) -> mongo_actors_testkit::FailPointGuard {
        self.set.primary().await.unwrap().enable(point).await.unwrap()
    }

    /// The `$changeStream` stages that were sent.
    fn stages(&self) -> Vec<Document> {
        let opened = self.recorder.named("aggregate");
        opened.iter().map(|command| stage(&command.command).clone()).collect()
    }

    /// The newest reply with a batch.
    fn post_batch_token(&self, command: &str) -> Document {
        let replies = self.recorder.replies(command);
        let cursor = replies.last().unwrap().get_document("cursor").unwrap();
        cursor.get_document("postBatchResumeToken").unwrap().clone()
    }
}

fn stage(aggregate: &Document) -> &Document {
    aggregate.get_array("pipeline").unwrap()[0].as_document().unwrap().get_document("$changeStream").unwrap()
}

fn resumable() -> FailPoint {
    FailPoint::fail_command(["getMore"]).times(1).error_code(280).error_labels(["ResumableChangeStreamError"])
}

fn document(token: &ResumeToken) -> Document {
    match Bson::try_from(token.clone()).unwrap() {
        Bson::Document(document) => document,
        other => panic!("{other}"),
    }
}

async fn next(changes: &mut Changes) -> ChangeStreamEvent<Document> {
    let next = tokio::time::timeout(Duration::from_secs(60), changes.next());
    next.await.expect("no event came").expect("the stream ended").unwrap()
}

#[tokio::test]
async fn prose_1_the_last_seen_token_is_tracked() {
    let scene = Scene::new(1, &[]).await;
    let mut changes = scene.things.watch().await.unwrap();
    scene.insert(0..4).await;
    for _ in 0..3 {
        let event = next(&mut changes).await;
        if changes.resume_token().unwrap() != event.id {
            // The batch ended with this event.
            assert_eq!(document(&changes.resume_token().unwrap()), scene.post_batch_token("getMore"));
        }
    }
}

#[tokio::test]
async fn prose_2_an_event_without_its_token_is_an_error() {
    let scene = Scene::new(1, &[]).await;
    let mut changes = scene.things.watch().pipeline([doc! { "$project": { "_id": 0 } }]).await.unwrap();
    scene.insert(0..1).await;
    let error = changes.next().await.unwrap().unwrap_err();
    // Newer servers notice it themselves.
    assert!(matches!(error.kind(), ErrorKind::MissingResumeToken) || error.code() == Some(280), "{error:?}");
    assert!(!changes.is_alive());
}

#[tokio::test]
async fn prose_3_a_stream_resumes_with_its_pipeline_its_options_and_a_token() {
    let scene = Scene::new(1, &[]).await;
    let pipeline = [doc! { "$match": { "operationType": "insert" } }];
    let mut changes = scene.things.watch().pipeline(pipeline).batch_size(7).comment("same").await.unwrap();
    scene.insert(0..1).await;
    next(&mut changes).await;
    let token = changes.resume_token().unwrap();
    let point = scene.fail(resumable()).await;
    scene.insert(1..2).await;
    next(&mut changes).await;
    let opened = scene.recorder.named("aggregate");
    assert_eq!(opened.len(), 2);
    let mut again = opened[1].command.clone();
    let stages = again.get_array_mut("pipeline").unwrap();
    let sent = stages[0].as_document_mut().unwrap().get_document_mut("$changeStream").unwrap();
    assert_eq!(sent.remove("resumeAfter"), Some(document(&token).into()));
    for field in ["pipeline", "cursor", "comment", "aggregate", "lsid", "$db"] {
        assert_eq!(again.get(field), opened[0].command.get(field), "{field}");
    }
    drop(point);
}

#[tokio::test]
async fn prose_4_an_error_of_aggregate_is_not_resumed() {
    let scene = Scene::new(1, &[("retryReads", "false")]).await;
    let point = FailPoint::fail_command(["aggregate"]).times(1).error_code(280);
    let point = scene.fail(point.error_labels(["ResumableChangeStreamError"])).await;
    let error = scene.things.watch().await.unwrap_err();
    assert_eq!(error.code(), Some(280));
    assert_eq!(scene.stages().len(), 1);
    // The aggregate of a resumption is not repeated either.
    let mut changes = scene.things.watch().await.unwrap();
    drop(point);
    let both = FailPoint::fail_command(["getMore", "aggregate"]).times(2).error_code(280);
    let point = scene.fail(both.error_labels(["ResumableChangeStreamError"])).await;
    let error = changes.next().await.unwrap().unwrap_err();
    assert_eq!((error.code(), error.command_name()), (Some(280), Some("aggregate")));
    assert_eq!(scene.stages().len(), 3);
    drop(point);
}

#[tokio::test]
async fn prose_6_a_server_is_selected_by_the_first_read_preference() {
    let scene = Scene::new(3, &[("w", "3")]).await;
    let preference = ReadPreference::secondary();
    let mut changes = scene.things.watch().selection_criteria(preference).await.unwrap();
    scene.insert(0..1).await;
    next(&mut changes).await;
    let mut points = Vec::new();
    for member in scene.set.members() {
        points.push(member.enable(resumable()).await.unwrap());
    }
    scene.insert(1..2).await;
    next(&mut changes).await;
    let opened = scene.recorder.named("aggregate");
    assert!(opened.len() >= 2);
    let primary = scene.set.primary().await.unwrap().address().to_string();
    assert!(opened.iter().all(|command| command.server != primary), "{opened:?}");
}

#[tokio::test]
async fn prose_7_a_cursor_with_an_empty_first_batch_stays_open() {
    let scene = Scene::new(1, &[]).await;
    let mut changes = scene.things.watch().await.unwrap();
    let replies = scene.recorder.replies("aggregate");
    let cursor = replies[0].get_document("cursor").unwrap();
    assert!(cursor.get_array("firstBatch").unwrap().is_empty() && cursor.get_i64("id").unwrap() != 0);
    assert!(changes.is_alive());
    scene.insert(0..1).await;
    next(&mut changes).await;
    assert!(scene.recorder.named("killCursors").is_empty());
}

#[tokio::test]
async fn prose_8_an_error_of_kill_cursors_is_not_seen() {
    let scene = Scene::new(1, &[]).await;
    let mut changes = scene.things.watch().await.unwrap();
    let more = scene.fail(resumable()).await;
    // There is one fail point of this kind at a time: the kill fails by itself, because the cursor is gone by then.
    let replies = scene.recorder.replies("aggregate");
    let id = replies[0].get_document("cursor").unwrap().get_i64("id").unwrap();
    let kill = doc! { "killCursors": "things", "cursors": [id] };
    scene.set.primary().await.unwrap().command("prose", kill).await.unwrap();
    scene.insert(0..1).await;
    next(&mut changes).await;
    drop(more);
    // And once with a server that refuses it.
    let both = FailPoint::fail_command(["getMore", "killCursors"]).times(2).error_code(280);
    let point = scene.fail(both.error_labels(["ResumableChangeStreamError"])).await;
    scene.insert(1..2).await;
    next(&mut changes).await;
    drop(point);
}

#[tokio::test]
async fn prose_11_behind_a_batch_the_token_is_that_of_the_batch() {
    let scene = Scene::new(1, &[]).await;
    let mut changes = scene.things.watch().max_await_time(Duration::from_millis(50)).await.unwrap();
    assert_eq!(document(&changes.resume_token().unwrap()), scene.post_batch_token("aggregate"));
    assert!(changes.next_if_any().await.unwrap().is_none());
    assert_eq!(document(&changes.resume_token().unwrap()), scene.post_batch_token("getMore"));
    scene.insert(0..3).await;
    for _ in 0..3 {
        next(&mut changes).await;
    }
    assert_eq!(document(&changes.resume_token().unwrap()), scene.post_batch_token("getMore"));
}

#[tokio::test]
async fn prose_13_within_a_batch_the_token_is_that_of_the_event_before() {
    let scene = Scene::new(1, &[]).await;
    let first = scene.things.watch().await.unwrap().resume_token().unwrap();
    scene.insert(0..4).await;
    let mut changes = scene.things.watch().resume_after(first).await.unwrap();
    let replies = scene.recorder.replies("aggregate");
    let batch = replies[1].get_document("cursor").unwrap().get_array("firstBatch").unwrap().len();
    assert!(batch >= 2, "{batch}");
    for _ in 0..batch - 1 {
        let event = next(&mut changes).await;
        assert_eq!(changes.resume_token().unwrap(), event.id);
    }
}

#[tokio::test]
async fn prose_14_before_the_first_event_the_token_is_the_one_given() {
    let scene = Scene::new(1, &[]).await;
    let mut changes = scene.things.watch().await.unwrap();
    scene.insert(0..4).await;
    let event = next(&mut changes).await;
    let token = event.id;
    let after = scene.things.watch().start_after(token.clone()).await.unwrap();
    assert_eq!(after.resume_token(), Some(token.clone()));
    let behind = scene.things.watch().resume_after(token.clone()).await.unwrap();
    assert_eq!(behind.resume_token(), Some(token));
    let at = scene.things.watch().start_at_operation_time(event.cluster_time.unwrap()).await.unwrap();
    assert_eq!(at.resume_token(), None);
    let replies = scene.recorder.replies("aggregate");
    for reply in &replies[1..] {
        assert!(!reply.get_document("cursor").unwrap().get_array("firstBatch").unwrap().is_empty());
    }
}

/// Opens a stream behind an event, has it resume after `seen` events, and returns what the resumption said.
async fn resume_after_start_after(seen: i32) -> Document {
    let scene = Scene::new(1, &[]).await;
    let mut first = scene.things.watch().await.unwrap();
    scene.insert(0..1).await;
    let token = next(&mut first).await.id;
    drop(first);
    let mut changes = scene.things.watch().start_after(token).await.unwrap();
    for id in 1..=seen {
        scene.insert(id..id + 1).await;
        next(&mut changes).await;
    }
    let point = scene.fail(resumable()).await;
    scene.insert(100..101).await;
    next(&mut changes).await;
    drop(point);
    scene.stages().last().unwrap().clone()
}

#[tokio::test]
async fn prose_17_without_a_result_a_stream_resumes_by_start_after() {
    let stage = resume_after_start_after(0).await;
    assert!(stage.contains_key("startAfter") && !stage.contains_key("resumeAfter"), "{stage}");
}

#[tokio::test]
async fn prose_18_with_a_result_a_stream_resumes_by_resume_after() {
    let stage = resume_after_start_after(1).await;
    assert!(stage.contains_key("resumeAfter") && !stage.contains_key("startAfter"), "{stage}");
}
