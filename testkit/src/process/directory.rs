//! The directory of a deployment.

use std::path::{Path, PathBuf};

use super::watched_directory;
use crate::error::{Error, Result};

/// A directory that is removed when this is dropped and also when the process is killed.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    /// What watches over the directory. The shell removes it when this is dropped.
    _watch: Box<dyn std::any::Any + Send + Sync>,
}

impl Directory {
    pub(crate) fn create() -> Result<Self> {
        let made = tempfile::Builder::new().prefix("mongo-actors-").tempdir();
        let made = made.map_err(Error::system("a temporary directory"))?;
        let watch = watched_directory(made.path()).map_err(Error::system("the shell that watches a directory"))?;
        Ok(Self { path: made.keep(), _watch: watch })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}
