use super::*;
use crate::{LoadBalancerProxy, MongosProxy, error::Error};

#[tokio::test]
async fn a_replica_set_passes_for_a_cluster() {
    let set = ReplicaSet::start(2).await.unwrap();
    let router = MongosProxy::start(&set).await.unwrap();
    let mut client = driver(&router.address()).await;
    let hello = client.command("admin", doc! { "hello": 1 }, LIMIT).await.unwrap();
    assert_eq!(hello.get_str("msg").unwrap(), "isdbgrid");
    assert!(!hello.contains_key("setName") && !hello.contains_key("hosts"));

    put(&set.primary().await.unwrap(), 0).await;
    let session = doc! { "id": bson::Uuid::new() };
    let transaction = |command: Document| {
        let mut command = command;
        command.extend(doc! { "lsid": session.clone(), "txnNumber": 1_i64, "autocommit": false });
        command
    };
    let insert = transaction(doc! { "insert": "things", "documents": [{ "_id": 1 }], "startTransaction": true });
    let reply = client.command("db", insert, LIMIT).await.unwrap();
    let token = reply.get_document("recoveryToken").unwrap().clone();
    let commit = transaction(doc! { "commitTransaction": 1, "recoveryToken": token });
    client.command("admin", commit, LIMIT).await.unwrap();
    assert_eq!(count(&set.primary().await.unwrap()).await, 2);

    set.step_down().await.unwrap();
    let outcome = client.command("admin", doc! { "hello": 1 }, LIMIT).await;
    assert!(matches!(outcome, Err(Error::Network { .. })), "{outcome:?}");
    let mut client = driver(&router.address()).await;
    client.command("db", doc! { "insert": "things", "documents": [{ "_id": 2 }] }, LIMIT).await.unwrap();
    assert_eq!(router.uri(), format!("mongodb://{}/", router.address()));
}

#[tokio::test]
async fn a_load_balancer_has_services() {
    let set = ReplicaSet::start(1).await.unwrap();
    let balancer = LoadBalancerProxy::start(&set, 2).await.unwrap();
    for turn in 0..4 {
        let mut client = driver(&balancer.address()).await;
        let plain = client.command("admin", doc! { "hello": 1 }, LIMIT).await.unwrap();
        assert!(!plain.contains_key("serviceId"));
        let hello = client.command("admin", doc! { "hello": 1, "loadBalanced": true }, LIMIT).await.unwrap();
        assert_eq!(hello.get_object_id("serviceId").unwrap(), balancer.service_ids()[turn % 2]);
        assert_eq!(hello.get_str("msg").unwrap(), "isdbgrid");
        client.command("db", doc! { "ping": 1 }, LIMIT).await.unwrap();
    }
    assert!(balancer.uri().ends_with("/?loadBalanced=true"));
}

#[tokio::test]
async fn a_router_finds_its_server_without_logging_in() {
    let set = ReplicaSet::builder(1).auth("user", "secret").start().await.unwrap();
    let router = MongosProxy::start(&set).await.unwrap();
    let member = &set.members()[0];
    let fault = member.enable(FailPoint::fail_command(["saslContinue"]).error_code(91)).await.unwrap();
    let address = router.address();
    let drivers = (0..8).map(|_| driver(&address));
    futures_util::future::join_all(drivers).await;
    fault.wait_for_hits(1, Duration::from_millis(1)).await.unwrap_err();
    fault.disable().await.unwrap();
}
