use std::time::Instant;

use super::*;

#[tokio::test]
async fn elections_follow_what_happens_to_primaries() {
    let set = ReplicaSet::start(3).await.unwrap();
    let first = set.primary().await.unwrap();
    assert_eq!(first.index(), 0);
    assert_eq!(set.secondaries().await.unwrap().len(), 2);
    put(&first, 1).await;

    let second = set.step_down().await.unwrap();
    assert_ne!(second.index(), first.index());
    put(&second, 2).await;

    set.elect(&first).await.unwrap();
    assert_eq!(set.primary().await.unwrap().index(), 0);

    first.kill().await.unwrap();
    let third = set.wait_for_primary_other_than(&first).await.unwrap();
    put(&third, 3).await;
    first.start().await.unwrap();
    set.wait_until_healthy().await.unwrap();

    third.pause().await.unwrap();
    let fourth = set.wait_for_primary_other_than(&third).await.unwrap();
    third.resume().unwrap();
    set.wait_until_healthy().await.unwrap();
    put(&set.primary().await.unwrap(), 4).await;
    assert_eq!(count(&set.primary().await.unwrap()).await, 4);

    let begin = Instant::now();
    let old = set.primary().await.unwrap();
    old.stop().await.unwrap();
    set.wait_for_primary_other_than(&old).await.unwrap();
    assert!(begin.elapsed() < Duration::from_secs(10));
    drop(fourth);
}

#[tokio::test]
async fn members_play_the_parts_they_are_given() {
    let set = ReplicaSet::builder(1)
        .name("parts")
        .with_member(MemberOptions::new().priority(0.0).tag("dc", "west"))
        .with_member(MemberOptions::new().arbiter())
        .auth("user", "secret")
        .setting("catchUpTimeoutMillis", 500)
        .start()
        .await
        .unwrap();
    assert!(set.uri().starts_with("mongodb://user:secret@127.0.0.1:"), "{}", set.uri());
    assert!(set.uri_with(&[("w", "1")]).ends_with("/?replicaSet=parts&w=1"));
    let primary = set.primary().await.unwrap();
    put(&primary, 1).await;
    assert_eq!(count(&set.members()[1]).await, 1);
    let config = primary.admin(doc! { "replSetGetConfig": 1 }).await.unwrap();
    let config = config.get_document("config").unwrap();
    assert_eq!(config.get_document("settings").unwrap().get_i32("catchUpTimeoutMillis").unwrap(), 500);
    let hello = set.members()[1].hello().await.unwrap();
    assert_eq!(hello.get_document("tags").unwrap(), &doc! { "dc": "west" });
    assert!(set.members()[2].hello().await.unwrap().get_bool("arbiterOnly").unwrap());
    assert_eq!(set.member_at(&primary.address()).unwrap().index(), 0);
    let mut stranger = driver(&primary.address()).await;
    let refused = stranger.command("db", doc! { "count": "things" }, LIMIT).await.unwrap_err();
    assert_eq!(refused.code(), Some(13));
}

#[tokio::test]
async fn a_set_behind_proxies_shows_only_them() {
    let set = ReplicaSet::builder(3).behind_proxies().start().await.unwrap();
    let addresses: Vec<_> = set.members().iter().map(|member| member.address().to_string()).collect();
    let primary = set.primary().await.unwrap();
    let proxy = primary.proxy().unwrap();
    let mut client = driver(&primary.address()).await;
    let hello = client.command("admin", doc! { "hello": 1 }, LIMIT).await.unwrap();
    let hosts: Vec<_> = hello.get_array("hosts").unwrap().iter().map(|host| host.as_str().unwrap()).collect();
    assert_eq!(hosts, addresses);

    // Clients are cut off, the members among themselves are not: the primary stays.
    proxy.stall(crate::Direction::Both);
    assert!(client.command("admin", doc! { "ping": 1 }, Duration::from_millis(200)).await.is_err());
    put(&primary, 1).await;
    proxy.heal().await.unwrap();

    // With everyone cut off, another is elected.
    proxy.affect(crate::Scope::Everyone);
    proxy.stall(crate::Direction::Both);
    set.wait_for_primary_other_than(&primary).await.unwrap();
    proxy.heal().await.unwrap();
    set.wait_until_healthy().await.unwrap();
}
