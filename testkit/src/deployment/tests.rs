use super::*;
use std::time::Instant;

#[tokio::test]
async fn t_standalone() {
    let t = Instant::now();
    let s = Standalone::start().await.unwrap();
    eprintln!("standalone {:?}", t.elapsed());
    let t = Instant::now();
    s.member().kill().await.unwrap();
    eprintln!("kill {:?}", t.elapsed());
    let t = Instant::now();
    s.member().start().await.unwrap();
    eprintln!("start {:?}", t.elapsed());
    let t = Instant::now();
    s.member().restart().await.unwrap();
    eprintln!("restart {:?}", t.elapsed());
    let t = Instant::now();
    drop(s);
    eprintln!("drop {:?}", t.elapsed());
}
#[tokio::test]
async fn t_rs() {
    let t = Instant::now();
    let s = ReplicaSet::start(3).await.unwrap();
    eprintln!("rs {:?}", t.elapsed());
    let t = Instant::now();
    s.step_down().await.unwrap();
    eprintln!("stepdown {:?}", t.elapsed());
    let t = Instant::now();
    s.elect(&s.members()[0]).await.unwrap();
    eprintln!("elect {:?}", t.elapsed());
    let t = Instant::now();
    let p = s.primary().await.unwrap();
    p.kill().await.unwrap();
    s.wait_for_primary_other_than(&p).await.unwrap();
    eprintln!("kill+elect {:?}", t.elapsed());
    let t = Instant::now();
    p.start().await.unwrap();
    s.wait_until_healthy().await.unwrap();
    eprintln!("healthy {:?}", t.elapsed());
    let t = Instant::now();
    let p = s.primary().await.unwrap();
    p.stop().await.unwrap();
    s.wait_for_primary_other_than(&p).await.unwrap();
    eprintln!("stop+elect {:?}", t.elapsed());
}
