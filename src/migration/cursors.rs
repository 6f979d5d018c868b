//! Cursors and change streams.
//!
//! # Cursors
//!
//! One type for the results of queries and commands: [`Cursor`]; in a session, with which it is read: [`SessionCursor`].
//!
//! | PyMongo | here | remark |
//! |---|---|---|
//! | setters of an unstarted cursor: `sort`, `limit`, `skip`, `batch_size`, `max_time_ms`, `max_await_time_ms`, `hint`, `min`, `max`, `comment`, `collation`, `allow_disk_use` | setters of [`Find`] | after the first read they do not compile, but for [`Cursor::set_batch_size`] |
//! | `where` | `doc! { "$where": ".." }` in the filter | |
//! | `min`, `max` without `hint` | [`InvalidArgument`](ErrorKind::InvalidArgument) when it is awaited | |
//! | `add_option`, `remove_option` | [`cursor_type`](Find::cursor_type), [`no_cursor_timeout`](Find::no_cursor_timeout), [`allow_partial_results`](Find::allow_partial_results) | no bits of the old protocol |
//! | `cursor_type` | [`CursorType`] | |
//! | `async for`, `next` | [`Cursor::next`], [`Cursor::try_next`], `Stream`; without copying: [`Cursor::advance`], [`Cursor::current`] | at the end of a tailable cursor there is none now, and [`Cursor::is_alive`] says that there may be later |
//! | `try_next` of command cursors | [`Cursor::try_next_nonblocking`] | of every cursor |
//! | `to_list(n)` | [`Cursor::to_vec`], [`Cursor::next_many`] | |
//! | `alive`, `cursor_id`, `address`, `retrieved` | [`Cursor::is_alive`], [`Cursor::cursor_id`], [`Cursor::address`], [`Cursor::retrieved`] | |
//! | `collection`, `session` | [`Cursor::namespace`] | the session is passed to each call |
//! | `close` | [`Cursor::close`], [`Cursor::close_within`] | dropping does it in the background |
//! | `rewind` | [`Cursor::rewind`] | not in a session: run the find again |
//! | `clone` | [`Cursor::clone_unstarted`] | not in a session: [`Find`] can be cloned before |
//! | `explain` | [`Find::explain`] | also of other operations |
//! | `distinct` | [`Find::distinct`] | |
//! | indexing and slicing | | neither here nor in PyMongo's asynchronous client |
//! | raw batches | [`RawBatchCursor`], [`Cursor::into_raw_batches`] | |
//! | `batch_size(1)` of a command cursor is made 2 | is sent as it is | that was for the old protocol |
//!
//! An exhaust cursor ([`CursorType::Exhaust`]) owns a connection, and takes no limit. A tailable one that awaits data
//! waits on the server, for [`max_await_time`](Find::max_await_time) each time.
//!
//! # Change streams
//!
//! | PyMongo | here | remark |
//! |---|---|---|
//! | `watch` with its options | [`Watch`] | [`timeout`](Watch::timeout) is only here |
//! | `next`, `async for` | [`ChangeStream::next`], [`ChangeStream::try_next`], `Stream` | |
//! | `try_next` | [`ChangeStream::next_if_any`] | |
//! | `resume_token` | [`ChangeStream::resume_token`] | can be stored by serde |
//! | `alive` | [`ChangeStream::is_alive`] | |
//! | `close` | [`ChangeStream::close`], [`ChangeStream::close_within`] | |
//! | an event is a dictionary | [`ChangeStreamEvent`], with the expanded ones; [`ChangeStream::with_type`] for another shape | |
//! | | [`ChangeStream::deliver_to`] | an actor, only here |
//!
//! In a session a stream is a [`SessionChangeStream`].

#[cfg(doc)]
use crate::{
    Cursor, RawBatchCursor, SessionCursor,
    action::*,
    change_stream::{event::*, *},
    error::*,
    options::*,
};
