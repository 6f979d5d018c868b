//! Change streams: what to ask the server for, what is owed to the reader, and when to begin anew.
//!
//! [`Delivery`] holds the events that have arrived and the resume token, which advances with each event that is handed
//! out; [`Resumption`] decides what a failure means. Between them a stream can lose its cursor, or whoever reads it, at
//! any moment: it begins again behind the event that was handed out last.

mod command;
mod delivery;
mod event;
mod options;
mod resumption;
#[cfg(test)]
mod tests;
mod token;

pub use self::{
    command::{Start, Watch, Watched},
    delivery::{Arrival, Delivery, DeliveryError, MissingResumeToken},
    event::{
        ChangeNamespace, ChangeNamespaceType, ChangeStreamEvent, OperationType, SplitEvent, TruncatedArray,
        UpdateDescription,
    },
    options::{ChangeStreamOptions, FullDocumentBeforeChangeType, FullDocumentType},
    resumption::{Fault, Resumption, Sequel},
    token::ResumeToken,
};
