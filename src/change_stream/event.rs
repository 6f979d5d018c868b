//! What a change stream tells.

pub use mongo_actors_protocol::change_stream::{
    ChangeNamespace, ChangeNamespaceType, ChangeStreamEvent, OperationType, SplitEvent, TruncatedArray,
    UpdateDescription,
};

pub use super::ResumeToken;
