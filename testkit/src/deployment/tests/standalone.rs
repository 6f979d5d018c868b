use bson::spec::ElementType;

use super::*;
use crate::{
    Error,
    wait::{self, Look},
};

#[tokio::test]
async fn data_survive_a_kill_and_a_restart() {
    let server = Standalone::start().await.unwrap();
    let member = server.member();
    put(member, 1).await;
    member.kill().await.unwrap();
    assert!(!member.is_running());
    assert!(matches!(member.kill().await, Err(Error::Invalid(_))));
    assert!(member.hello().await.unwrap_err().is_network());
    member.start().await.unwrap();
    assert!(matches!(member.start().await, Err(Error::Invalid(_))));
    put(member, 2).await;
    member.restart().await.unwrap();
    assert_eq!(count(member).await, 2);
    assert!(member.log().contains("Waiting for connections"));
    assert_eq!(server.uri(), format!("mongodb://{}/", member.address()));
}

#[tokio::test]
async fn a_paused_server_is_silent_until_resumed() {
    let server = Standalone::start().await.unwrap();
    let member = server.member();
    member.hello().await.unwrap();
    member.pause().await.unwrap();
    assert!(member.hello().await.unwrap_err().is_network());
    assert!(member.is_running());
    member.resume().unwrap();
    member.hello().await.unwrap();
    member.pause().await.unwrap();
    member.stop().await.unwrap();
}

#[tokio::test]
async fn a_failed_start_shows_the_log() {
    let error = Standalone::builder().arg("--noSuchOption").start().await.unwrap_err();
    let Error::Start { log, .. } = &error else { panic!("{error}") };
    assert!(log.contains("noSuchOption"), "{log}");
}

#[tokio::test]
async fn authentication_is_demanded_and_given() {
    let server = Standalone::builder().auth("ro,ot=", "p@ss word").start().await.unwrap();
    assert!(server.uri().contains("ro%2Cot%3D:p%40ss%20word@"), "{}", server.uri());
    assert!(!server.uri_without_credentials().contains('@'));
    put(server.member(), 1).await;
    let mut stranger = driver(&server.member().address()).await;
    let refused = stranger.command("db", doc! { "count": "things" }, LIMIT).await.unwrap_err();
    assert_eq!(refused.code(), Some(13));
    server.member().restart().await.unwrap();
    assert_eq!(count(server.member()).await, 1);
}

#[cfg(unix)]
#[tokio::test]
async fn a_unix_socket_is_listened_on_when_wanted() {
    use crate::wire::message::{Message, op_msg, read_frame};
    use tokio::io::AsyncWriteExt;

    let server = Standalone::builder().unix_socket().start().await.unwrap();
    let address = server.member().socket_address().unwrap();
    let mut stream = tokio::net::UnixStream::connect(address.to_string()).await.unwrap();
    stream.write_all(&op_msg(1, 0, 0, &doc! { "ping": 1, "$db": "admin" }).unwrap()).await.unwrap();
    let reply = Message::parse(&read_frame(&mut stream).await.unwrap().unwrap()).unwrap();
    assert_eq!(reply.body.get("ok").unwrap().element_type(), ElementType::Double);
    assert!(server.member().socket_uri().unwrap().contains("%2Fmongodb-"));
}

#[tokio::test]
async fn fail_points_end_with_their_guard() {
    let server = Standalone::start().await.unwrap();
    let member = server.member();
    let ping = || member.command("db", doc! { "ping": 1 });

    let guard = member.enable(FailPoint::fail_command(["ping"]).error_code(91)).await.unwrap();
    assert_eq!(ping().await.unwrap_err().code(), Some(91));
    guard.wait_for_hits(1, LIMIT).await.unwrap();
    guard.disable().await.unwrap();
    ping().await.unwrap();

    let guard = member.enable(FailPoint::fail_command(["ping"]).close_connection()).await.unwrap();
    assert!(ping().await.unwrap_err().is_network());
    drop(guard);
    ping().await.unwrap();

    let once = FailPoint::fail_command(["ping"]).times(1).error_code(6).error_labels(["L"]);
    let _guard = member.enable(once).await.unwrap();
    let Err(Error::Command { response, .. }) = ping().await else { panic!("the fail point did not fire") };
    assert_eq!(response.get_array("errorLabels").unwrap(), &vec!["L".into()]);
    ping().await.unwrap();

    let for_others = FailPoint::fail_command(["ping"]).error_code(91).app_name("another");
    let _guard = member.enable(for_others).await.unwrap();
    ping().await.unwrap();
}

#[tokio::test]
async fn cursors_sessions_and_transactions_are_counted() {
    let server = Standalone::start().await.unwrap();
    let member = server.member();
    assert_eq!(member.open_cursors().await.unwrap(), 0);
    put(member, 1).await;
    put(member, 2).await;
    let session = doc! { "id": bson::Uuid::new() };
    member.command("db", doc! { "find": "things", "batchSize": 1, "lsid": session.clone() }).await.unwrap();
    assert_eq!(member.open_cursors().await.unwrap(), 1);
    // The server writes its sessions down now and then, for the first time soon after its start.
    wait::until("a session in the cache", LIMIT, || async {
        member.command("db", doc! { "ping": 1, "lsid": session.clone() }).await?;
        let count = member.active_sessions().await?;
        Ok(if count == 1 { Look::Done(()) } else { Look::NotYet(count.to_string()) })
    })
    .await
    .unwrap();
    assert_eq!(member.open_transactions().await.unwrap(), 0);
    assert!(member.connections_of(crate::wire::client::APP_NAME).await.unwrap() >= 1);
    assert_eq!(member.connections_of("nobody").await.unwrap(), 0);
}

#[test]
fn a_deployment_outlives_the_runtime_it_was_started_on() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let server = runtime().block_on(Standalone::builder().behind_proxies().start()).unwrap();
    runtime().block_on(async {
        put(server.member(), 1).await;
        server.member().restart().await.unwrap();
        let mut driver = driver(&server.member().address()).await;
        driver.command("db", doc! { "ping": 1 }, LIMIT).await.unwrap();
    });
}

#[tokio::test]
async fn parameters_and_arguments_reach_the_server() {
    let server =
        Standalone::builder().parameter("cursorTimeoutMillis", 1234).arg("--slowms").arg("77").start().await.unwrap();
    let asked: Document = doc! { "getParameter": 1, "cursorTimeoutMillis": 1 };
    let reply = server.member().admin(asked).await.unwrap();
    assert_eq!(crate::wire::client::number(&reply, "cursorTimeoutMillis"), 1234);
    let options = server.member().admin(doc! { "getCmdLineOpts": 1 }).await.unwrap();
    assert!(options.to_string().contains("\"slowOpThresholdMs\": 77"), "{options}");
}
