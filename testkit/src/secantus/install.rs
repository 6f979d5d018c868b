//! Installing SecantusDB with Python's package installer.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::provision::{ProvisionError, cache_directory};

const PACKAGE: &str = "secantusdb==0.7.0b3";
const FOLDER: &str = "secantusdb-0.7.0b3";

/// The path of the program in the user's cache, after installing it if it is not there.
///
/// A virtual environment cannot be moved, so it is made in its place; a file that is written last says that it is
/// whole, and a lock lets one process install while others wait.
pub(super) fn cached_or_installed() -> Result<PathBuf, ProvisionError> {
    let cache = cache_directory().ok_or_else(|| failure("neither XDG_CACHE_HOME nor HOME is set"))?;
    let environment = cache.join(FOLDER);
    let (program, whole) = (environment.join("bin/secantusd-py"), environment.join("whole"));
    if whole.is_file() {
        return Ok(program);
    }
    let at = |path: &Path, error: io::Error| failure(format!("{}: {error}", path.display()));
    fs::create_dir_all(&cache).map_err(|error| at(&cache, error))?;
    let lock_path = cache.join("secantusdb.lock");
    let lock = File::create(&lock_path).map_err(|error| at(&lock_path, error))?;
    lock.lock().map_err(|error| at(&lock_path, error))?;
    if !whole.is_file() {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment))?;
        run(Command::new(environment.join("bin/python3")).args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-cache-dir",
            PACKAGE,
        ]))?;
        File::create(&whole).map_err(|error| at(&whole, error))?;
    }
    Ok(program)
}

fn run(command: &mut Command) -> Result<(), ProvisionError> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| failure(format!("{command:?}: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let last = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no message");
    Err(failure(format!("{command:?} ended with {}: {last}", output.status)))
}

fn failure(reason: impl Into<String>) -> ProvisionError {
    ProvisionError::Install { package: PACKAGE, reason: reason.into() }
}
