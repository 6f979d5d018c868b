//! The program as its user meets it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

/// Runs the program in `folder`.
fn program(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mongo-actors-chaos")).args(arguments).current_dir(folder).output().unwrap()
}

#[test]
fn arguments_that_make_no_sense_end_it_at_once_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, part) in [
        (&["--minutes", "soon"][..], "10 or 0.5"),
        (&["--only", "production"], "[possible values: simulation, replica-set]"),
        (&["--replay", "1", "--seeds", "5"], "cannot be used with"),
        (&["--seeds", "0", "--minutes", "0"], "nothing to do"),
        (&["--minutes", "0", "--only", "replica-set"], "nothing to do"),
    ] {
        let output = program(folder.path(), arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(part), "{arguments:?}: {said}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing was written");
}

#[test]
fn a_folder_that_cannot_be_had_is_named_before_anything_is_run() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("taken"), "").unwrap();
    let output = program(folder.path(), &["--only", "replica-set", "--out", "taken/inside"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("taken/inside"), "{said}");
}

#[test]
fn a_seed_that_is_replayed_against_the_simulation_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let output = program(folder.path(), &["--replay", "6", "--only", "simulation", "--out", "out"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("1 run, every promise was kept") && said.contains("Simulation"), "{said}");
    let report: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(folder.path().join("out/report.json")).unwrap()).unwrap();
    assert_eq!(report["runs"][0]["seed"], 6);
    assert!(report["runs"][0]["operations"].as_u64().unwrap() > 50);
    assert_ne!(report["runs"][0]["history"], 0);
    // Those that were ordered are no news.
    assert!(said.contains(": panic"), "nothing has panicked: {said}");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!told.contains("panicked") && !told.contains("backtrace"), "{told}");
    for file in ["out/report.txt", "out/report.html"] {
        assert!(folder.path().join(file).exists(), "{file}");
    }
}
