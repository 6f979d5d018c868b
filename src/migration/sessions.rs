//! Sessions, transactions and the operation timeout.
//!
//! # Sessions and transactions
//!
//! | PyMongo | here | remark |
//! |---|---|---|
//! | `start_session(causal_consistency, default_transaction_options, snapshot)` | [`StartSession`] | |
//! | `client`, `options` | [`ClientSession::client`], [`ClientSession::options`] | |
//! | `session_id` | [`ClientSession::id`] | is there from the beginning |
//! | `cluster_time`, `operation_time` | [`ClientSession::cluster_time`], [`ClientSession::operation_time`] | |
//! | `advance_cluster_time`, `advance_operation_time` | [`ClientSession::advance_cluster_time`], [`ClientSession::advance_operation_time`] | |
//! | `has_ended`, `in_transaction` | [`ClientSession::has_ended`], [`ClientSession::in_transaction`] | |
//! | `end_session`, `async with session` | [`ClientSession::end`], [`ClientSession::end_within`] | dropping does it in the background |
//! | `start_transaction` | [`ClientSession::start_transaction`] | |
//! | `async with session.start_transaction()` | [`StartTransaction::guarded`] | is committed by hand: dropping cannot wait, nor tell an error |
//! | `commit_transaction`, `abort_transaction` | [`ClientSession::commit_transaction`], [`ClientSession::abort_transaction`] | |
//! | `with_transaction` | [`ClientSession::with_transaction`], [`StartTransaction::and_run`], [`StartTransaction::attempts`] | |
//! | `bind` | [`ClientSession::scope`] | |
//! | a session used twice at a time is an error of the server | it does not compile | |
//! | | [`ClientSession::snapshot_time`], [`StartSession::snapshot_time`] | only here |
//!
//! # The operation timeout
//!
//! | PyMongo | here | remark |
//! |---|---|---|
//! | `timeoutMS` | [`ClientBuilder::timeout`] | |
//! | `pymongo.timeout(s)` | [`timeout::scope`] | |
//! | | `timeout` of [databases](DatabaseOptions::timeout), [collections](CollectionOptions::timeout), operations, and of [sessions](StartSession::default_timeout) | only here |
//! | | [`TimeoutMode`] of cursors | only here |
//! | `PyMongoError.timeout` | [`Error::is_timeout`] | |

#[cfg(doc)]
use crate::{ClientBuilder, ClientSession, StartSession, StartTransaction, error::*, options::*, timeout};
