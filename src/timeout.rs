//! A limit of time for everything inside.
//!
//! ```no_run
//! # async fn example(orders: mongo_actors::Collection) -> mongo_actors::error::Result<()> {
//! use std::time::Duration;
//!
//! use mongo_actors::{bson::doc, timeout};
//!
//! let total = timeout::scope(Duration::from_secs(1), async {
//!     orders.update_many(doc! { "paid": false }, doc! { "$inc": { "reminders": 1 } }).await?;
//!     orders.count_documents(doc! { "paid": false }).await
//! })
//! .await?;
//! # Ok(())
//! # }
//! ```

use std::time::Duration;

use mongo_actors_engine::clock;
use mongo_actors_protocol::retry::Budget;

tokio::task_local! {
    static SCOPE: Scope;
}

/// The time that everything in a scope has.
#[derive(Clone, Copy, Debug, Default)]
struct Scope {
    budget: Budget,
    /// The earliest deadline of all scopes around this one, which holds for scopes in it that have one of their own.
    cap: Budget,
}

/// Gives all operations inside `work` together so much time, as `timeoutMS` does for one operation. None and zero take
/// the limit away.
///
/// What client, databases and collections say of timeouts does not hold inside; what an operation itself says holds as
/// well, whichever is earlier. A scope inside of another ends no later than the outer one, unless it takes the limit
/// away. `work` may be an operation, or any future that awaits some.
///
/// The scope belongs to the task: a task that is spawned inside is outside of it.
///
/// # Cancel safety
/// As that of `work`.
pub async fn scope<W>(limit: impl Into<Option<Duration>>, work: W) -> W::Output
where
    W: IntoFuture,
{
    let limit = limit.into().filter(|limit| !limit.is_zero());
    let around = SCOPE.try_with(|scope| *scope).unwrap_or_default();
    let scope = match limit {
        Some(limit) => {
            let budget = Budget::beginning_at(clock::now(), Some(limit)).within(around.cap);
            Scope { budget, cap: budget }
        }
        None => Scope { budget: Budget::Unlimited, cap: around.cap },
    };
    SCOPE.scope(scope, in_scope(work)).await
}

/// Has everything inside `work` end in time, as parts of one operation; without a budget everything has its own.
pub(crate) async fn within<W: Future>(budget: Budget, work: W) -> W::Output {
    match budget {
        Budget::Unset => work.await,
        budget => SCOPE.scope(Scope { budget, cap: budget }, work).await,
    }
}

/// An operation is made into a future inside of the scope, because that is when its time begins.
async fn in_scope<W: IntoFuture>(work: W) -> W::Output {
    work.into_future().await
}

/// The time of the scope around; none outside of any.
pub(crate) fn current() -> Option<Budget> {
    SCOPE.try_with(|scope| scope.budget).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn deadline() -> Option<std::time::Instant> {
        current().and_then(Budget::deadline)
    }

    #[tokio::test]
    async fn an_inner_scope_ends_no_later_than_the_outer_one() {
        assert_eq!(current(), None);
        scope(SECOND, async {
            let outer = deadline().unwrap();
            scope(60 * SECOND, async { assert_eq!(deadline(), Some(outer)) }).await;
            scope(SECOND / 2, async { assert!(deadline().unwrap() < outer) }).await;
            scope(None, async {
                assert_eq!(current(), Some(Budget::Unlimited));
                scope(60 * SECOND, async { assert_eq!(deadline(), Some(outer)) }).await;
            })
            .await;
            assert_eq!(deadline(), Some(outer));
        })
        .await;
        assert_eq!(current(), None);
    }

    #[tokio::test]
    async fn a_spawned_task_is_outside() {
        scope(SECOND, async { assert_eq!(tokio::spawn(async { current() }).await.unwrap(), None) }).await;
    }
}
