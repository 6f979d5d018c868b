//! The threads on which the kit does its work.
//!
//! A deployment is often started by one test and used by others, each with a runtime of its own that ends with it, so
//! no socket or process handle may belong to the caller's runtime. It also keeps the kit's clock running where a test
//! has paused its own.

use std::{future::Future, sync::OnceLock};

use tokio::{
    runtime::{Builder, Runtime},
    task::JoinHandle,
};

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("mongo-testkit")
            .enable_all()
            .build()
            .expect("the operating system grants the two threads of the test kit")
    })
}

/// Runs `future` on the kit's threads. The work goes on when the returned future is dropped.
pub(crate) async fn run<F>(future: F) -> F::Output
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    match runtime().spawn(future).await {
        Ok(output) => output,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

pub(crate) fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    runtime().spawn(future)
}

/// Runs blocking `work` on a thread of the kit.
pub(crate) async fn run_blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match runtime().spawn_blocking(work).await {
        Ok(output) => output,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// Runs `future` on the kit's threads and blocks the calling thread until it ends; for destructors.
///
/// On a thread of the kit itself nothing is waited for, as that could wait for ever.
pub(crate) fn finish_from_drop<F>(future: F, limit: std::time::Duration)
where
    F: Future<Output = ()> + Send + 'static,
{
    let (done, finished) = std::sync::mpsc::channel();
    let on_own_thread =
        tokio::runtime::Handle::try_current().is_ok_and(|handle| handle.id() == runtime().handle().id());
    runtime().spawn(async move {
        future.await;
        let _ = done.send(());
    });
    if !on_own_thread {
        let _ = finished.recv_timeout(limit);
    }
}
