//! Whether an operation that opens a cursor runs in a session of the application, which decides what its cursor is.

use super::ClientSession;

/// The operation has no session of the application: it gives a [`Cursor`](crate::Cursor).
#[derive(Clone, Copy, Debug, Default)]
pub struct ImplicitSession;

/// The operation runs in a session of the application: it gives a [`SessionCursor`](crate::SessionCursor), which is
/// read with that session.
#[derive(Debug)]
pub struct ExplicitSession<'a>(pub(crate) &'a mut ClientSession);
