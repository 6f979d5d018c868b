//! What can be wrong with a configuration.

use std::{borrow::Cow, fmt};

use crate::{
    auth::credential::InvalidCredential, concern::InvalidWriteConcern, read_preference::InvalidReadPreference,
};

/// Why a configuration cannot be used. Messages name the place and the remedy, and never hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The connection string cannot be parsed, or contradicts itself.
    #[error("invalid connection string: {place}: {reason}")]
    InvalidUri {
        /// The part of the connection string that is at fault.
        place: String,
        /// What is wrong with it, and what to write instead.
        reason: String,
    },
    /// Options that cannot be used, or not together.
    #[error("invalid configuration: {} (see {})", .reason, OptionNames(.options))]
    Configuration {
        /// The options at fault, by their names in a connection string.
        options: Vec<Cow<'static, str>>,
        /// What is wrong with them, and what to do.
        reason: String,
    },
}

struct OptionNames<'a>(&'a [Cow<'static, str>]);

impl fmt::Display for OptionNames<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(", "))
    }
}

impl ConfigError {
    pub(crate) fn uri(place: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::InvalidUri { place: place.into(), reason: reason.into() }
    }

    pub(crate) fn conflict(options: &[&'static str], reason: impl Into<String>) -> Self {
        Self::Configuration { options: options.iter().map(|&name| name.into()).collect(), reason: reason.into() }
    }

    /// The same fault, in a text that is a part of something else.
    pub(crate) fn within(self, outer: &str) -> Self {
        match self {
            Self::InvalidUri { place, reason } => Self::uri(outer, format!("{place}: {reason}")),
            other => other,
        }
    }

    /// The options at fault, by their names in a connection string; empty for a syntactic fault.
    pub fn options(&self) -> &[Cow<'static, str>] {
        match self {
            Self::InvalidUri { .. } => &[],
            Self::Configuration { options, .. } => options,
        }
    }
}

impl From<InvalidCredential> for ConfigError {
    fn from(error: InvalidCredential) -> Self {
        match error {
            InvalidCredential::EmptySource => Self::uri("option authSource", error.to_string()),
            _ => Self::conflict(error.options(), error.to_string()),
        }
    }
}

impl From<InvalidWriteConcern> for ConfigError {
    fn from(error: InvalidWriteConcern) -> Self {
        let options: &[&str] = match error {
            InvalidWriteConcern::UnacknowledgedWithJournal => &["w", "journal"],
            InvalidWriteConcern::JournalWithFsync => &["journal", "fsync"],
        };
        Self::conflict(options, error.to_string())
    }
}

impl From<InvalidReadPreference> for ConfigError {
    fn from(error: InvalidReadPreference) -> Self {
        let options: &[&str] = match error {
            InvalidReadPreference::UnknownMode(_) => &["readPreference"],
            InvalidReadPreference::NoTagSets => &["readPreferenceTags"],
            InvalidReadPreference::StalenessNotPositive => &["maxStalenessSeconds"],
            InvalidReadPreference::PrimaryWith(_) => &["readPreference", "readPreferenceTags", "maxStalenessSeconds"],
        };
        Self::conflict(options, error.to_string())
    }
}

/// Something in a connection string that was not applied as written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConfigWarning {
    /// The option's name: as the driver spells it if known, else as it was written.
    pub option: String,
    /// What happened to it.
    pub reason: WarningReason,
}

/// What happened to an option that drew a [`ConfigWarning`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WarningReason {
    /// No such option: it was ignored.
    UnknownOption,
    /// The value does not fit: it was ignored.
    InvalidValue {
        /// The value, unless the option holds a secret.
        value: Option<String>,
        /// What the option takes.
        expected: Cow<'static, str>,
    },
    /// One element of a list is unknown: only that element was ignored.
    UnknownElement(String),
    /// One element of a list does not fit: only that element was ignored.
    MalformedElement {
        /// What an element looks like.
        expected: &'static str,
    },
    /// The option was given several times: the last value holds.
    Repeated,
    /// The name is an old one: its replacement was set.
    Renamed {
        /// The name to use.
        replacement: &'static str,
    },
    /// The name is an old one and its replacement is given too: it was ignored.
    Superseded {
        /// The name that holds.
        replacement: &'static str,
    },
    /// The spelling of a boolean is an old one: it was applied.
    OldBoolean {
        /// The value as it was written.
        value: String,
        /// What it was taken for.
        meaning: bool,
    },
    /// The option was applied, but should not be used any more.
    Deprecated {
        /// What to use instead.
        instead: &'static str,
    },
    /// The option was understood and changes nothing.
    NoEffect(&'static str),
    /// The option was applied and weakens security.
    Insecure(&'static str),
}

impl ConfigWarning {
    pub(crate) fn new(option: impl Into<String>, reason: WarningReason) -> Self {
        Self { option: option.into(), reason }
    }

    /// The option to use instead, if there is one.
    pub fn replacement(&self) -> Option<&'static str> {
        match self.reason {
            WarningReason::Renamed { replacement } | WarningReason::Superseded { replacement } => Some(replacement),
            WarningReason::Deprecated { instead } => Some(instead),
            _ => None,
        }
    }
}

impl fmt::Display for ConfigWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let option = &self.option;
        match &self.reason {
            WarningReason::UnknownOption => write!(f, "option {option} is unknown and was ignored"),
            WarningReason::InvalidValue { value: Some(value), expected } => {
                write!(f, "option {option} was ignored: \"{value}\" is not {expected}")
            }
            WarningReason::InvalidValue { value: None, expected } => {
                write!(f, "option {option} was ignored: its value is not {expected}")
            }
            WarningReason::UnknownElement(element) => {
                write!(f, "option {option}: \"{element}\" is unknown and was ignored")
            }
            WarningReason::MalformedElement { expected } => {
                write!(f, "option {option}: an element was ignored because it is not {expected}")
            }
            WarningReason::Repeated => write!(f, "option {option} is given several times: the last value holds"),
            WarningReason::Renamed { replacement } => write!(f, "option {option} is now called {replacement}"),
            WarningReason::Superseded { replacement } => {
                write!(f, "option {option} was ignored because its replacement {replacement} is given too")
            }
            WarningReason::OldBoolean { value, meaning } => {
                write!(f, "option {option}: \"{value}\" is an old spelling, write {meaning}")
            }
            WarningReason::Deprecated { instead } => write!(f, "option {option} is deprecated: use {instead}"),
            WarningReason::NoEffect(why) => write!(f, "option {option} has no effect: {why}"),
            WarningReason::Insecure(why) => write!(f, "option {option} is insecure: {why}"),
        }
    }
}
