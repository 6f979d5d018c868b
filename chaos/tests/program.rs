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
