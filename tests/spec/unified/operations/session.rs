//! Operations of sessions.

use std::{cell::RefCell, sync::Arc, time::Duration};

use bson::{Bson, Document};
use mongo_actors::{
    ClientSession,
    options::{ReadConcern, ReadPreference, TransactionOptions, WriteConcern},
};

use super::{Held, Value, unsupported};
use crate::unified::{
    arguments::{Arguments, set},
    failure::{Attempt, Outcome, Stop, failure},
    run::Context,
    schema::{self, Operation},
};

pub(super) async fn execute(
    context: &Arc<Context>,
    session: &mut ClientSession,
    id: &str,
    name: &str,
    mut arguments: Arguments,
) -> Attempt<Value> {
    match name {
        "startTransaction" => {
            let options = transaction_options(&mut arguments)?;
            arguments.finish()?;
            session.start_transaction().with_options(options).await?;
            Ok(Value::Nothing)
        }
        "commitTransaction" => {
            let mut commit = session.commit_transaction();
            set!(commit, arguments, { "timeoutMS" => timeout: Duration });
            arguments.finish()?;
            commit.await?;
            Ok(Value::Nothing)
        }
        "abortTransaction" => {
            let mut abort = session.abort_transaction();
            set!(abort, arguments, { "timeoutMS" => timeout: Duration });
            arguments.finish()?;
            abort.await?;
            Ok(Value::Nothing)
        }
        "endSession" => {
            let limit = arguments.take("timeoutMS")?;
            arguments.finish()?;
            match limit {
                Some(limit) => session.end_within(limit).await,
                None => session.end().await,
            }
            Ok(Value::Nothing)
        }
        "getSnapshotTime" => {
            arguments.finish()?;
            Ok(session.snapshot_time().map_or(Value::Nothing, |time| Value::Bson(Bson::Timestamp(time))))
        }
        "withTransaction" => with_transaction(context, session, id, arguments).await,
        _ => Err(unsupported("a session", name).into()),
    }
}

/// The options of a transaction.
pub(crate) fn transaction_options(arguments: &mut Arguments) -> Outcome<TransactionOptions> {
    let mut options = TransactionOptions::new();
    set!(options, arguments, {
        "readConcern" => read_concern: ReadConcern, "writeConcern" => write_concern: WriteConcern,
        "readPreference" => selection_criteria: ReadPreference, "maxCommitTimeMS" => max_commit_time: Duration,
    });
    Ok(options)
}

async fn with_transaction(
    context: &Arc<Context>,
    session: &mut ClientSession,
    id: &str,
    mut arguments: Arguments,
) -> Attempt<Value> {
    let operations: Vec<Document> = arguments.require("callback")?;
    let operations: Vec<Operation> = operations.into_iter().map(schema::from_argument).collect::<Outcome<_>>()?;
    let options = transaction_options(&mut arguments)?;
    let timeout = arguments.take("timeoutMS")?;
    arguments.finish()?;
    // What the test fails with must not look like an error of the driver, which might be repeated.
    let failed = RefCell::new(None);
    let run = async |session: &mut ClientSession| {
        for operation in &operations {
            let held = Held { id, session: &mut *session };
            match super::execute(context, operation, Some(held)).await {
                Ok(None) => {}
                Ok(Some(Stop::Driver(error))) => return Err(*error),
                Ok(Some(Stop::Failure(failure))) | Err(failure) => {
                    failed.replace(Some(failure));
                    return Ok(());
                }
            }
        }
        Ok(())
    };
    let mut transaction = session.start_transaction().with_options(options);
    if let Some(timeout) = timeout {
        transaction = transaction.timeout(timeout);
    }
    let outcome = transaction.and_run(run).await;
    match failed.into_inner() {
        Some(failure) => Err(failure!("in the transaction: {}", failure.0).into()),
        None => Ok(outcome.map(|()| Value::Nothing)?),
    }
}
