//! What collections inherit from databases, and databases from the client.

use std::time::Duration;

use mongo_actors_protocol::{
    concern::{ReadConcern, WriteConcern},
    options::{ClientOptions, CodecOptions},
    selection::SelectionCriteria,
};

/// The settings in force for a client, database or collection.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) selection_criteria: SelectionCriteria,
    pub(crate) read_concern: ReadConcern,
    pub(crate) write_concern: WriteConcern,
    pub(crate) codec_options: CodecOptions,
    /// None is unset, zero is unlimited.
    pub(crate) timeout: Option<Duration>,
}

impl Settings {
    pub(crate) fn of_client(options: &ClientOptions) -> Self {
        Self {
            selection_criteria: options.read_preference.clone().into(),
            read_concern: options.read_concern.clone(),
            write_concern: options.write_concern.clone(),
            codec_options: options.codec_options.clone(),
            timeout: options.timeout,
        }
    }
}

/// Declares the options of a handle, which replace what it inherits.
macro_rules! handle_options {
    ($(#[$meta:meta])* $name:ident, $parent:literal) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default)]
        #[non_exhaustive]
        pub struct $name {
            #[doc = concat!("Which servers reads go to. Default: the ", $parent, "'s.")]
            pub selection_criteria: Option<SelectionCriteria>,
            #[doc = concat!("Which data reads may return. Default: the ", $parent, "'s.")]
            pub read_concern: Option<ReadConcern>,
            #[doc = concat!("How many members must confirm writes. Default: the ", $parent, "'s.")]
            pub write_concern: Option<WriteConcern>,
            #[doc = concat!("How values are converted. Default: the ", $parent, "'s.")]
            pub codec_options: Option<CodecOptions>,
            #[doc = concat!(
                "Time for each operation as a whole (`timeoutMS`); zero is unlimited. Default: the ", $parent, "'s."
            )]
            pub timeout: Option<Duration>,
        }

        impl $name {
            /// Options that replace nothing.
            pub fn new() -> Self {
                Self::default()
            }

            /// Which servers reads go to: a `ReadPreference`, or other criteria.
            #[must_use]
            pub fn selection_criteria(mut self, criteria: impl Into<SelectionCriteria>) -> Self {
                self.selection_criteria = Some(criteria.into());
                self
            }

            /// Which data reads may return.
            #[must_use]
            pub fn read_concern(mut self, concern: impl Into<ReadConcern>) -> Self {
                self.read_concern = Some(concern.into());
                self
            }

            /// How many members must confirm writes.
            #[must_use]
            pub fn write_concern(mut self, concern: impl Into<WriteConcern>) -> Self {
                self.write_concern = Some(concern.into());
                self
            }

            /// How values are converted.
            #[must_use]
            pub fn codec_options(mut self, options: CodecOptions) -> Self {
                self.codec_options = Some(options);
                self
            }

            /// Time for each operation as a whole (`timeoutMS`); zero is unlimited.
            #[must_use]
            pub fn timeout(mut self, timeout: Duration) -> Self {
                self.timeout = Some(timeout);
                self
            }

            /// The settings that `inherited` becomes.
            pub(crate) fn over(self, inherited: &Settings) -> Settings {
                let inherited = inherited.clone();
                Settings {
                    selection_criteria: self.selection_criteria.unwrap_or(inherited.selection_criteria),
                    read_concern: self.read_concern.unwrap_or(inherited.read_concern),
                    write_concern: self.write_concern.unwrap_or(inherited.write_concern),
                    codec_options: self.codec_options.unwrap_or(inherited.codec_options),
                    timeout: self.timeout.or(inherited.timeout),
                }
            }
        }
    };
}

handle_options! {
    /// What a database does not take from its client.
    ///
    /// ```
    /// use mongo_actors::{concern::WriteConcern, options::DatabaseOptions};
    ///
    /// let options = DatabaseOptions::new().write_concern(WriteConcern::majority());
    /// assert!(options.read_concern.is_none());
    /// ```
    DatabaseOptions, "client"
}

handle_options! {
    /// What a collection does not take from its database.
    ///
    /// ```
    /// use mongo_actors::{concern::ReadConcern, options::CollectionOptions};
    ///
    /// let options = CollectionOptions::new().read_concern(ReadConcern::majority());
    /// assert!(options.write_concern.is_none());
    /// ```
    CollectionOptions, "database"
}
