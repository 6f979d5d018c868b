//! Threads of the runner: queues of operations that run one after the other, beside the test.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::task::JoinHandle;

use crate::unified::failure::{Outcome, failure};

/// How long a thread may take to end.
const LIMIT: Duration = Duration::from_secs(10);

/// The task that runs the last operation, which first waits for the one before it.
#[derive(Debug, Default)]
pub(crate) struct ThreadEntity(Mutex<Option<JoinHandle<Outcome>>>);

impl ThreadEntity {
    /// Begins `operation` as soon as those before it have ended.
    pub(crate) fn run(&self, operation: impl Future<Output = Outcome> + 'static) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = last.take();
        *last = Some(tokio::task::spawn_local(async move {
            if let Some(before) = before {
                ended(before).await?;
            }
            operation.await
        }));
    }

    /// Waits for the end of all operations, and sees that they did as expected.
    pub(crate) async fn wait(&self) -> Outcome {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(last) = last else { return Ok(()) };
        match tokio::time::timeout(LIMIT, ended(last)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(failure!("the thread has not ended after {LIMIT:?}")),
        }
    }
}

async fn ended(task: JoinHandle<Outcome>) -> Outcome {
    task.await.unwrap_or_else(|error| Err(failure!("the thread panicked: {error}")))
}
