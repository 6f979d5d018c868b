//! Fail points that a test turned on, and that are turned off after it.

use std::sync::Mutex;

use bson::Document;

use super::{
    deployments::Deployment,
    failure::{Outcome, failure},
};

/// Names of fail points that may be on.
#[derive(Debug, Default)]
pub(super) struct FailPoints(Mutex<Vec<String>>);

impl FailPoints {
    /// Remembers the fail point that `command` configures.
    pub(super) fn remember(&self, command: &Document) -> Outcome {
        let name = command.get_str("configureFailPoint").map_err(|_| failure!("{command} configures no fail point"))?;
        self.names().push(name.to_owned());
        Ok(())
    }

    /// Turns all of them off, on every server.
    pub(super) async fn disable_all(&self, deployment: &Deployment) -> Outcome {
        let names = std::mem::take(&mut *self.names());
        for name in names {
            deployment.disable_fail_point(&name).await?;
        }
        Ok(())
    }

    fn names(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
