//! Which threads a client's actors live on.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread::{self, ThreadId},
};

use actix_rt::{Arbiter, ArbiterHandle, System};
use tokio::sync::oneshot;

/// Where the actors that operations pass through live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Placement {
    /// On the arbiter that builds the client: no thread is crossed by operations started there.
    /// The default inside an arbiter.
    Current,
    /// On a thread that the client owns. The default everywhere else.
    Dedicated,
}

impl Placement {
    /// The placement that suits the calling thread.
    pub fn suitable() -> Self {
        match Arbiter::try_current() {
            Some(_) => Self::Current,
            None => Self::Dedicated,
        }
    }
}

/// An arbiter that actors can be started on.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    place: Place,
    thread: ThreadId,
}

#[derive(Clone, Debug)]
enum Place {
    Arbiter(ArbiterHandle),
    /// The `LocalSet` of a simulation, which has no arbiter and one thread only.
    #[cfg(feature = "simulation")]
    LocalSet,
}

impl Home {
    /// The calling thread's arbiter; none outside of one.
    pub(crate) fn current() -> Option<Self> {
        Some(Self { place: Place::Arbiter(Arbiter::try_current()?), thread: thread::current().id() })
    }

    /// The `LocalSet` that the caller runs on. Only tasks of that set may start actors there.
    #[cfg(feature = "simulation")]
    pub(crate) fn local_set() -> Self {
        Self { place: Place::LocalSet, thread: thread::current().id() }
    }

    /// Runs `birth` there: at once when called there, else as soon as the arbiter comes to it.
    /// Dropped without being run when the arbiter has stopped.
    pub(crate) fn run(&self, birth: impl FnOnce() + Send + 'static) {
        if thread::current().id() == self.thread {
            return birth();
        }
        match &self.place {
            Place::Arbiter(arbiter) => drop(arbiter.spawn_fn(birth)),
            #[cfg(feature = "simulation")]
            Place::LocalSet => drop(birth),
        }
    }

    /// The arbiter's thread.
    pub(crate) fn thread(&self) -> ThreadId {
        self.thread
    }

    /// Whether the arbiter still takes work.
    pub(crate) fn is_alive(&self) -> bool {
        match &self.place {
            Place::Arbiter(arbiter) => arbiter.alive(),
            #[cfg(feature = "simulation")]
            Place::LocalSet => true,
        }
    }
}

/// The threads that a client owns, until it is closed. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Threads(Arc<Mutex<Vec<HostThread>>>);

impl Threads {
    pub(crate) fn new(threads: Vec<HostThread>) -> Self {
        Self(Arc::new(Mutex::new(threads)))
    }

    /// Ends them now, whoever else knows of them.
    pub(crate) fn end(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// A thread of the client's own with one arbiter on it. Dropping this ends the thread.
#[derive(Debug)]
pub(crate) struct HostThread {
    home: Home,
    _stop: oneshot::Sender<()>,
}

impl HostThread {
    /// Starts a thread with this name and waits until its arbiter runs.
    ///
    /// # Errors
    /// The operating system's, when it grants no thread or no event queue.
    pub(crate) fn start(name: &str) -> io::Result<Self> {
        let (ready, is_ready) = mpsc::sync_channel(1);
        let (stop, stopped) = oneshot::channel::<()>();
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => return drop(ready.send(Err(error))),
            };
            let system = System::with_tokio_rt(move || runtime);
            system.block_on(async move {
                let home = Home::current().ok_or_else(|| io::Error::other("the thread has no arbiter"));
                drop(ready.send(home));
                // Resolves, with an error, when the sender is dropped.
                drop(stopped.await);
            });
        })?;
        let home = is_ready.recv().map_err(|_| io::Error::other("the thread ended while it started"))??;
        Ok(Self { home, _stop: stop })
    }

    pub(crate) fn home(&self) -> &Home {
        &self.home
    }
}
