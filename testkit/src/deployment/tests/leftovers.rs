//! Nothing of a deployment is left, however the test process ends.

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Command, Stdio},
};

use super::*;
use crate::{
    process::ServerProcess,
    wait::{self, Look},
};

/// Tells the child process which part to play.
const PART: &str = "MONGO_TESTKIT_CHILD";

fn is_alive(pid: u32) -> bool {
    rustix::process::Pid::from_raw(pid.cast_signed()).is_some_and(|pid| rustix::process::test_kill_process(pid).is_ok())
}

async fn is_gone(pids: &[u32], directory: &std::path::Path) {
    wait::until("the end of everything", Duration::from_secs(5), || async {
        let alive: Vec<_> = pids.iter().filter(|pid| is_alive(**pid)).collect();
        Ok(match alive.is_empty() && !directory.exists() {
            true => Look::Done(()),
            false => Look::NotYet(format!("alive: {alive:?}, directory: {}", directory.exists())),
        })
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn dropping_ends_all() {
    let set = ReplicaSet::start(2).await.unwrap();
    let kept = set.members()[0].clone();
    let pids: Vec<_> = set.members().iter().filter_map(Member::pid).collect();
    let directory = set.members()[0].directory().parent().unwrap().to_owned();
    assert!(pids.len() == 2 && pids.iter().all(|pid| is_alive(*pid)) && directory.exists());
    // A server may end by itself when its files vanish; this program has none.
    let log = set.members()[0].directory().join("sleep.log");
    let sleep = async move { ServerProcess::spawn("sleep".as_ref(), &["1000".into()], &log).await.unwrap() };
    let sleep = crate::background::run(sleep).await;
    println!("\npid={}", sleep.pid());
    set.members()[1].pause().await.unwrap();
    drop(set);
    assert!(!directory.exists());
    assert!(!kept.is_running());
    assert!(kept.hello().await.is_err());
    is_gone(&pids, &directory).await;
}

#[tokio::test]
async fn a_panic_ends_all() {
    let (tell, told) = std::sync::mpsc::channel();
    let outcome = tokio::spawn(async move {
        let server = Standalone::start().await.unwrap();
        tell.send((server.member().pid().unwrap(), server.member().directory())).unwrap();
        panic!("on purpose");
    });
    assert!(outcome.await.unwrap_err().is_panic());
    let (pid, directory) = told.recv().unwrap();
    is_gone(&[pid], directory.parent().unwrap()).await;
}

#[tokio::test]
async fn a_killed_process_leaves_nothing() {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "deployment::tests::leftovers::child", "--nocapture", "--ignored"])
        .env(PART, "1")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut pids = Vec::new();
    let mut directory = None;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        match line.split_once('=') {
            Some(("pid", pid)) => pids.push(pid.parse().unwrap()),
            Some(("directory", path)) => directory = Some(PathBuf::from(path)),
            _ if line == "ready" => break,
            _ => {}
        }
    }
    let directory = directory.unwrap();
    assert!(pids.len() == 3 && pids.iter().all(|pid| is_alive(*pid)) && directory.exists());
    child.kill().unwrap(); // SIGKILL
    child.wait().unwrap();
    is_gone(&pids, &directory).await;
}

/// Not a test: the process that [`a_killed_process_leaves_nothing`] kills.
#[tokio::test]
#[ignore = "the child process of another test"]
async fn child() {
    if std::env::var_os(PART).is_none() {
        return;
    }
    let set = ReplicaSet::start(2).await.unwrap();
    for member in set.members() {
        println!("\npid={}", member.pid().unwrap());
    }
    println!("\ndirectory={}", set.members()[0].directory().parent().unwrap().display());
    // A server may end by itself when its files vanish; this program has none.
    let log = set.members()[0].directory().join("sleep.log");
    let sleep = async move { ServerProcess::spawn("sleep".as_ref(), &["1000".into()], &log).await.unwrap() };
    let sleep = crate::background::run(sleep).await;
    println!("\npid={}", sleep.pid());
    set.members()[1].pause().await.unwrap();
    println!("\nready");
    std::future::pending::<()>().await;
}
