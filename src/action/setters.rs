//! The options of operations as fluent setters, each described once.

/// Implements `with_options`, `timeout` and one setter per option for an operation with the fields `options` and
/// `timeout`.
macro_rules! fluent {
    ([$($generics:tt)*] $action:ty, $options:ty { $($option:ident),* $(,)? }) => {
        impl<$($generics)*> $action {
            /// Replaces all options at once.
            pub fn with_options(mut self, options: impl Into<Option<$options>>) -> Self {
                self.options = options.into().unwrap_or_default();
                self
            }

            $crate::action::setters::setter!(timeout);
            $($crate::action::setters::setter!($option);)*
        }
    };
}
pub(crate) use fluent;

/// One setter.
macro_rules! setter {
    (timeout) => {
        /// The time for the operation as a whole, whatever it is doing (`timeoutMS`); zero is unlimited.
        ///
        /// It replaces `maxTimeMS`, `wtimeout` and the wait queue timeout. Default: the collection's, else the
        /// database's, else the client's.
        pub fn timeout(mut self, timeout: std::time::Duration) -> Self {
            self.timeout = Some(timeout);
            self
        }
    };

    (session) => {
        /// The session to run in, which is borrowed for as long as the operation runs. Default: none of the
        /// application's.
        pub fn session(mut self, session: &'a mut $crate::ClientSession) -> Self {
            self.session = Some(session);
            self
        }
    };

    // For operations without a struct of options.
    (own_comment) => {
        /// Attached to the command in profiler, logs and `currentOp`. Any BSON. Servers from 4.4.
        pub fn comment(mut self, comment: impl Into<bson::Bson>) -> Self {
            self.comment = Some(comment.into());
            self
        }
    };

    (@ $(#[$doc:meta])* $name:ident => $field:ident: $type:ty) => {
        $(#[$doc])*
        pub fn $name(mut self, value: $type) -> Self {
            self.options.$field = Some(value);
            self
        }
    };
    (@into $(#[$doc:meta])* $name:ident => $field:ident: $type:ty) => {
        $(#[$doc])*
        pub fn $name(mut self, value: impl Into<$type>) -> Self {
            self.options.$field = Some(value.into());
            self
        }
    };
    (@through $(#[$doc:meta])* $name:ident => $field:ident: $type:ty) => {
        $(#[$doc])*
        pub fn $name(mut self, value: impl Into<$type>) -> Self {
            self.options.$field = Some(value.into().into());
            self
        }
    };
    (@list $(#[$doc:meta])* $name:ident => $field:ident: $type:ty) => {
        $(#[$doc])*
        pub fn $name(mut self, values: impl IntoIterator<Item = $type>) -> Self {
            self.options.$field = Some(values.into_iter().collect());
            self
        }
    };

    // Shared by most operations.
    (comment) => { $crate::action::setters::setter! { @into
        /// Attached to the command in profiler, logs and `currentOp`. Any BSON; servers before 4.4 take a string only,
        /// and none with writes.
        comment => comment: bson::Bson
    } };
    (collation) => { $crate::action::setters::setter! { @into
        /// Rules for comparing strings.
        collation => collation: mongo_actors_protocol::command::Collation
    } };
    (hint) => { $crate::action::setters::setter! { @into
        /// The index to use: its name, or its keys.
        hint => hint: mongo_actors_protocol::command::Hint
    } };
    (let_vars) => { $crate::action::setters::setter! { @into
        /// Variables for aggregation expressions (`$$name`). Servers from 5.0.
        let_vars => let_vars: bson::Document
    } };
    (max_time) => { $crate::action::setters::setter! { @
        /// How long the server may work on the operation, in whole milliseconds. A [`timeout`](Self::timeout) replaces
        /// it. Default: no limit.
        max_time => max_time: std::time::Duration
    } };
    (read_concern) => { $crate::action::setters::setter! { @into
        /// Which data may be returned. Default: the collection's, else the database's, else the client's.
        read_concern => read_concern: mongo_actors_protocol::concern::ReadConcern
    } };
    (write_concern) => { $crate::action::setters::setter! { @into
        /// How many members must confirm. Default: the collection's, else the database's, else the client's.
        write_concern => write_concern: mongo_actors_protocol::concern::WriteConcern
    } };
    (selection_criteria) => { $crate::action::setters::setter! { @into
        /// Which server to ask: a `ReadPreference`, or other criteria. Default: the collection's, else the database's,
        /// else the client's.
        selection_criteria => selection_criteria: mongo_actors_protocol::selection::SelectionCriteria
    } };
    (command_criteria) => { $crate::action::setters::setter! { @into
        /// Which server to ask: a `ReadPreference`, or other criteria. Default: the primary, whatever database and
        /// client say.
        selection_criteria => selection_criteria: mongo_actors_protocol::selection::SelectionCriteria
    } };
    (batch_size) => { $crate::action::setters::setter! { @
        /// Documents per batch. Default, also for 0: left to the server.
        batch_size => batch_size: u32
    } };
    (timeout_mode) => { $crate::action::setters::setter! { @
        /// What the [`timeout`](Self::timeout) means for the cursor: the time for everything that is read from it, or
        /// again for each document that is asked for. It needs a timeout. Default: the former, except for tailable
        /// cursors.
        timeout_mode => timeout_mode: mongo_actors_protocol::command::TimeoutMode
    } };
    (filter) => { $crate::action::setters::setter! { @into
        /// Lists only what matches this query.
        filter => filter: bson::Document
    } };

    // Queries.
    (allow_disk_use) => { $crate::action::setters::setter! { @
        /// Whether the server may write temporary files for large sorts and stages.
        allow_disk_use => allow_disk_use: bool
    } };
    (allow_partial_results) => { $crate::action::setters::setter! { @
        /// Whether a sharded cluster answers with what it has when some shards are down. Default: false.
        allow_partial_results => allow_partial_results: bool
    } };
    (cursor_type) => { $crate::action::setters::setter! { @
        /// What happens at the end of the results. Default: the cursor is closed.
        cursor_type => cursor_type: mongo_actors_protocol::command::CursorType
    } };
    (limit) => { $crate::action::setters::setter! { @
        /// The most documents to return; 0 means all. A negative number asks for so many in a single batch.
        limit => limit: i64
    } };
    (count_limit) => { $crate::action::setters::setter! { @
        /// The most documents to count; 0 means all.
        limit => limit: u64
    } };
    (skip) => { $crate::action::setters::setter! { @
        /// Documents to leave out at the beginning. Default: 0.
        skip => skip: u64
    } };
    (max) => { $crate::action::setters::setter! { @into
        /// Upper bound of the hinted index's keys, exclusive.
        max => max: bson::Document
    } };
    (min) => { $crate::action::setters::setter! { @into
        /// Lower bound of the hinted index's keys, inclusive.
        min => min: bson::Document
    } };
    (max_await_time) => { $crate::action::setters::setter! { @
        /// How long the server waits for new documents before it answers with none, in whole milliseconds; only for
        /// cursors that await data.
        max_await_time => max_await_time: std::time::Duration
    } };
    (await_time) => { $crate::action::setters::setter! { @
        /// How long the server waits for new documents before it answers with none, in whole milliseconds
        /// (`maxTimeMS` of each `getMore`). Servers refuse it for cursors that do not await data; and it is refused
        /// together with a [`timeout`](Self::timeout).
        max_time => max_time: std::time::Duration
    } };
    (max_scan) => { $crate::action::setters::setter! { @
        /// The most documents or keys to look at. Only servers before 4.2 know it.
        max_scan => max_scan: u64
    } };
    (no_cursor_timeout) => { $crate::action::setters::setter! { @
        /// Whether the server keeps the cursor when it is idle for ten minutes. Its session still expires after thirty.
        no_cursor_timeout => no_cursor_timeout: bool
    } };
    (oplog_replay) => { $crate::action::setters::setter! { @
        /// For queries of the oplog. Servers from 4.4 ignore it.
        oplog_replay => oplog_replay: bool
    } };
    (projection) => { $crate::action::setters::setter! { @through
        /// Fields to include (1) or leave out (0); or the names of those to include.
        projection => projection: mongo_actors_protocol::command::Projection
    } };
    (return_key) => { $crate::action::setters::setter! { @
        /// Whether to return index keys instead of documents.
        return_key => return_key: bool
    } };
    (show_record_id) => { $crate::action::setters::setter! { @
        /// Whether to add each document's record id as `$recordId`.
        show_record_id => show_record_id: bool
    } };
    (snapshot) => { $crate::action::setters::setter! { @
        /// Only servers before 4.0 know it.
        snapshot => snapshot: bool
    } };
    (sort) => { $crate::action::setters::setter! { @through
        /// The order, which also says which of several documents is the first: fields with 1 or -1, or the name of one.
        sort => sort: mongo_actors_protocol::command::Keys
    } };

    // Writes.
    (bypass_document_validation) => { $crate::action::setters::setter! { @
        /// Whether the collection's validator is skipped.
        bypass_document_validation => bypass_document_validation: bool
    } };
    (ordered) => { $crate::action::setters::setter! { @
        /// Whether to stop at the first document that fails. Default: true.
        ordered => ordered: bool
    } };
    (upsert) => { $crate::action::setters::setter! { @
        /// Whether to insert a document when none matches. Default: false.
        upsert => upsert: bool
    } };
    (array_filters) => { $crate::action::setters::setter! { @list
        /// Filters that say which elements of an array `$[identifier]` means.
        array_filters => array_filters: bson::Document
    } };
    (return_document) => { $crate::action::setters::setter! { @
        /// Which state of the document is returned. Default: as it was before.
        return_document => return_document: mongo_actors_protocol::command::ReturnDocument
    } };

    // Change streams.
    (full_document) => { $crate::action::setters::setter! { @
        /// Whether updates come with the whole document. Default: only with what changed.
        full_document => full_document: mongo_actors_protocol::change_stream::FullDocumentType
    } };
    (full_document_before_change) => { $crate::action::setters::setter! { @
        /// Whether events come with the document as it was before. Default: they do not. Servers from 6.0, for
        /// collections that keep it.
        full_document_before_change => full_document_before_change:
            mongo_actors_protocol::change_stream::FullDocumentBeforeChangeType
    } };
    (resume_after) => { $crate::action::setters::setter! { @into
        /// Starts behind this event. The server refuses that of an `invalidate`.
        resume_after => resume_after: mongo_actors_protocol::change_stream::ResumeToken
    } };
    (start_after) => { $crate::action::setters::setter! { @into
        /// Starts behind this event, which may be an `invalidate`: for a collection that was dropped and made again, or
        /// renamed.
        start_after => start_after: mongo_actors_protocol::change_stream::ResumeToken
    } };
    (start_at_operation_time) => { $crate::action::setters::setter! { @
        /// Starts with changes at or after this time. Every reply of a server has such a time.
        start_at_operation_time => start_at_operation_time: bson::Timestamp
    } };
    (show_expanded_events) => { $crate::action::setters::setter! { @
        /// Whether there are also events of `create`, `createIndexes`, `dropIndexes`, `modify`, `shardCollection`,
        /// `reshardCollection` and `refineCollectionShardKey`. Servers from 6.0.
        show_expanded_events => show_expanded_events: bool
    } };

    // Administration.
    (authorized_databases) => { $crate::action::setters::setter! { @
        /// Whether a user without the right to list databases gets those that he may use. Default: the server decides.
        authorized_databases => authorized_databases: bool
    } };
    (authorized_collections) => { $crate::action::setters::setter! { @
        /// Whether a user without the right to list collections gets those that he may use. Only with names alone.
        authorized_collections => authorized_collections: bool
    } };
    (commit_quorum) => { $crate::action::setters::setter! { @into
        /// How many data-bearing members must finish the build first. Servers from 4.4; refused for older ones.
        commit_quorum => commit_quorum: mongo_actors_protocol::command::CommitQuorum
    } };
    (drop_target) => { $crate::action::setters::setter! { @
        /// Whether a collection that has the new name already is dropped. Default: false, then it is an error.
        drop_target => drop_target: bool
    } };
    (scan_data) => { $crate::action::setters::setter! { @
        /// Whether to read the documents too. Only servers before 4.4 know it. Default: false.
        scan_data => scan_data: bool
    } };
    (full) => { $crate::action::setters::setter! { @
        /// Whether to check more, which takes longer. Default: false.
        full => full: bool
    } };
    (background) => { $crate::action::setters::setter! { @
        /// Whether to work without blocking others. Servers from 4.4; not together with `full`.
        background => background: bool
    } };
    (verbosity) => { $crate::action::setters::setter! { @
        /// How much to say. Default: the statistics of all plans.
        verbosity => verbosity: mongo_actors_protocol::command::ExplainVerbosity
    } };
    (capped) => { $crate::action::setters::setter! { @
        /// Whether it is a ring of fixed size; needs `size`.
        capped => capped: bool
    } };
    (size) => { $crate::action::setters::setter! { @
        /// Size of a capped collection in bytes.
        size => size: u64
    } };
    (max_documents) => { $crate::action::setters::setter! { @
        /// The most documents of a capped collection.
        max => max: u64
    } };
    (storage_engine) => { $crate::action::setters::setter! { @into
        /// Options of the storage engine.
        storage_engine => storage_engine: bson::Document
    } };
    (validator) => { $crate::action::setters::setter! { @into
        /// What every document must satisfy.
        validator => validator: bson::Document
    } };
    (validation_level) => { $crate::action::setters::setter! { @
        /// To which documents the validator applies. Default: to all that are written.
        validation_level => validation_level: mongo_actors_protocol::command::ValidationLevel
    } };
    (validation_action) => { $crate::action::setters::setter! { @
        /// What happens to documents that do not satisfy the validator. Default: they are refused.
        validation_action => validation_action: mongo_actors_protocol::command::ValidationAction
    } };
    (view_on) => { $crate::action::setters::setter! { @into
        /// The collection or view that a view shows.
        view_on => view_on: String
    } };
    (pipeline) => { $crate::action::setters::setter! { @list
        /// The stages of a view.
        pipeline => pipeline: bson::Document
    } };
    (index_option_defaults) => { $crate::action::setters::setter! { @
        /// Defaults for the collection's indexes.
        index_option_defaults => index_option_defaults: mongo_actors_protocol::command::IndexOptionDefaults
    } };
    (create_timeseries) => { $crate::action::setters::setter! { @
        /// Makes it a time series. Servers from 5.0.
        timeseries => timeseries: mongo_actors_protocol::command::TimeseriesOptions
    } };
    (expire_after_seconds) => { $crate::action::setters::setter! { @
        /// How long documents of a time series or clustered collection stay. Whole seconds.
        expire_after_seconds => expire_after_seconds: std::time::Duration
    } };
    (change_stream_pre_and_post_images) => { $crate::action::setters::setter! { @
        /// Whether change streams can show documents as they were before and after a change. Servers from 6.0.
        change_stream_pre_and_post_images => change_stream_pre_and_post_images:
            mongo_actors_protocol::command::ChangeStreamPreAndPostImages
    } };
    (clustered_index) => { $crate::action::setters::setter! { @
        /// Stores the documents in the order of `_id`, without an index of their own. Servers from 5.3.
        clustered_index => clustered_index: mongo_actors_protocol::command::ClusteredIndex
    } };
    (index) => { $crate::action::setters::setter! { @into
        /// One index and what changes: `keyPattern` or `name`, with `expireAfterSeconds`, `hidden`, `prepareUnique` or
        /// `unique`.
        index => index: bson::Document
    } };
    (capped_size) => { $crate::action::setters::setter! { @
        /// New size of a capped collection in bytes. Servers from 6.0.
        capped_size => capped_size: u64
    } };
    (capped_max) => { $crate::action::setters::setter! { @
        /// The most documents of a capped collection from now on. Servers from 6.0.
        capped_max => capped_max: u64
    } };
    (expire_after) => { $crate::action::setters::setter! { @into
        /// A number of seconds, or `off`: how long documents of a time series or clustered collection stay.
        expire_after_seconds => expire_after_seconds: bson::Bson
    } };
    (timeseries) => { $crate::action::setters::setter! { @into
        /// New granularity or bucket times of a time series.
        timeseries => timeseries: bson::Document
    } };
    (dry_run) => { $crate::action::setters::setter! { @
        /// Whether to check the change without making it. Servers from 6.0.
        dry_run => dry_run: bool
    } };
}
pub(crate) use setter;
