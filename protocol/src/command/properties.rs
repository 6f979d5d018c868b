//! What an executor must know about an operation beside its bytes.

use std::time::Duration;

use super::{EncodeError, Request};
use crate::{read_preference::ReadPreference, retry::Operation, selection::SelectionCriteria};

/// An operation that encodes to one command.
///
/// Encoding happens once; the request may then be sent several times. Decoding is an associated function of each
/// command, because replies arrive where the command's arguments are no longer at hand.
pub trait Command {
    /// How the operation is executed.
    fn properties(&self) -> Properties;

    /// Encodes the command.
    ///
    /// # Errors
    /// [`EncodeError`] when an argument is not allowed or cannot be written as BSON.
    fn request(&self) -> Result<Request, EncodeError>;
}

/// How a command uses `readConcern`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReadConcernUse {
    /// Not at all, not even in a causally consistent session.
    #[default]
    None,
    /// `afterClusterTime` alone, in a causally consistent session.
    CausalOnly,
    /// Level and times.
    Full,
}

/// Which server may execute a command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Criteria {
    /// A server that accepts writes.
    #[default]
    Writable,
    /// The primary, for a read that must not go elsewhere, whatever the effective read preference. On a Single topology
    /// the server there is, which the read preference on the wire then allows to be a secondary.
    Primary,
    /// Whatever the effective read preference says.
    ReadPreference,
    /// The effective read preference if every available server has wire version 13 (5.0) or higher or the topology is
    /// load balanced, else the primary: pipelines ending in `$out` or `$merge`.
    WritingAggregate,
    /// The primary, or a secondary while there is none, whatever the effective read preference.
    PrimaryPreferred,
    /// The server that holds the cursor.
    CursorServer,
}

impl Criteria {
    /// What the server is selected by. `effective` is what operation, collection, database and client make of it; for
    /// [`Criteria::CursorServer`], the cursor's server.
    pub fn resolve(self, effective: &SelectionCriteria) -> SelectionCriteria {
        match (self, effective) {
            (Self::Writable, _) => SelectionCriteria::Writable,
            (Self::Primary, _) => ReadPreference::Primary.into(),
            (Self::PrimaryPreferred, _) => ReadPreference::primary_preferred().into(),
            (Self::WritingAggregate, SelectionCriteria::ReadPreference(preference)) => {
                SelectionCriteria::WritingAggregate(preference.clone())
            }
            (Self::ReadPreference | Self::CursorServer | Self::WritingAggregate, effective) => effective.clone(),
        }
    }
}

/// An option that not every server understands, and that a server would not always refuse itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The option, by its name in the command.
    pub option: &'static str,
    /// The lowest wire version that honours it; none when no server does.
    pub wire_version: Option<i32>,
    /// Only with an unacknowledged write concern, where the server's refusal would not be seen.
    pub unacknowledged_only: bool,
}

/// How an operation is executed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Properties {
    /// What the retry rules make of it, outside a transaction. A write with w=0 is [`Operation::PLAIN_WRITE`] all the
    /// same.
    pub retry: Operation,
    /// Use of `readConcern`.
    pub read_concern: ReadConcernUse,
    /// Whether it takes a `writeConcern`. A `writeConcernError` in its reply is then an error of the operation.
    pub write_concern: bool,
    /// Who may execute it.
    pub criteria: Criteria,
    /// To be sent as `maxTimeMS`, unless the operation has a deadline of its own.
    pub max_time: Option<Duration>,
    /// The cursor it opens shall be streamed: the connection sets `exhaustAllowed`, and stays with the cursor.
    pub exhaust: bool,
    /// Error 26 (`NamespaceNotFound`) means success, with an empty result.
    pub missing_namespace_is_success: bool,
    /// Checked against the server that was selected, before the command is sent.
    pub requirements: Vec<Requirement>,
}

/// An option that the selected server would not honour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unsupported {
    /// The server is too old.
    #[error("the option \"{option}\" needs a server with wire version {needed} or higher, and this one has {found}")]
    Server {
        /// The option, by its name in the command.
        option: &'static str,
        /// The lowest wire version that honours it.
        needed: i32,
        /// The server's highest wire version.
        found: i32,
    },
    /// The server is a router that cannot stream the batches of a cursor.
    #[error(
        "exhaust cursors need a mongos with wire version {needed} or higher, and this one has {found}: use a cursor of \
         another type"
    )]
    Exhaust {
        /// The lowest wire version whose routers stream.
        needed: i32,
        /// The router's highest wire version.
        found: i32,
    },
    /// No server honours it without acknowledgement.
    #[error("the option \"{option}\" cannot be used with an unacknowledged write concern (w=0)")]
    Unacknowledged {
        /// The option, by its name in the command.
        option: &'static str,
    },
}

/// The lowest wire version whose routers stream the batches of a cursor (7.1).
const ROUTER_EXHAUST_WIRE_VERSION: i32 = 22;

impl Unsupported {
    /// Whether a router with this wire version can stream the batches of a cursor.
    ///
    /// # Errors
    /// [`Unsupported::Exhaust`].
    pub fn check_exhaust(max_wire_version: i32) -> Result<(), Self> {
        let needed = ROUTER_EXHAUST_WIRE_VERSION;
        match max_wire_version < needed {
            true => Err(Self::Exhaust { needed, found: max_wire_version }),
            false => Ok(()),
        }
    }
}

impl Properties {
    /// An operation on a writable server, without concerns.
    pub(crate) fn plain(retry: Operation) -> Self {
        Self {
            retry,
            read_concern: ReadConcernUse::None,
            write_concern: false,
            criteria: Criteria::Writable,
            max_time: None,
            exhaust: false,
            missing_namespace_is_success: false,
            requirements: Vec::new(),
        }
    }

    /// A read that follows the effective read preference and may be retried.
    pub(crate) fn read(max_time: Option<Duration>) -> Self {
        Self {
            read_concern: ReadConcernUse::Full,
            criteria: Criteria::ReadPreference,
            max_time,
            ..Self::plain(Operation::READ)
        }
    }

    /// An enumeration on the primary that may be retried and takes no read concern.
    pub(crate) fn enumeration() -> Self {
        Self { criteria: Criteria::Primary, ..Self::plain(Operation::READ) }
    }

    /// A write with a write concern.
    pub(crate) fn write(retry: Operation) -> Self {
        Self { read_concern: ReadConcernUse::CausalOnly, write_concern: true, ..Self::plain(retry) }
    }

    /// Requires `wire_version` for `option` if it is present.
    pub(crate) fn requires(mut self, present: bool, option: &'static str, wire_version: i32) -> Self {
        if present {
            let wire_version = Some(wire_version);
            self.requirements.push(Requirement { option, wire_version, unacknowledged_only: false });
        }
        self
    }

    /// Requires `wire_version` for `option` in unacknowledged writes if it is present.
    pub(crate) fn requires_unacknowledged(
        mut self,
        present: bool,
        option: &'static str,
        wire_version: Option<i32>,
    ) -> Self {
        if present {
            self.requirements.push(Requirement { option, wire_version, unacknowledged_only: true });
        }
        self
    }

    /// The highest wire version that any requirement asks for, with its option.
    pub fn required_wire_version(&self, acknowledged: bool) -> Option<(i32, &'static str)> {
        let due = self.requirements.iter().filter(|requirement| !acknowledged || !requirement.unacknowledged_only);
        due.filter_map(|requirement| requirement.wire_version.map(|version| (version, requirement.option))).max()
    }

    /// Checks every requirement against the highest wire version of the server that was selected.
    ///
    /// # Errors
    /// [`Unsupported`] for the first option that this server would not honour.
    pub fn check(&self, max_wire_version: i32, acknowledged: bool) -> Result<(), Unsupported> {
        Requirement::check_all(&self.requirements, max_wire_version, acknowledged)
    }
}

impl Requirement {
    /// Checks all of `requirements` against the highest wire version of the server that was selected.
    ///
    /// # Errors
    /// [`Unsupported`] for the first option that this server would not honour.
    pub fn check_all(requirements: &[Self], max_wire_version: i32, acknowledged: bool) -> Result<(), Unsupported> {
        for requirement in requirements {
            let option = requirement.option;
            match requirement.wire_version {
                _ if acknowledged && requirement.unacknowledged_only => {}
                None => return Err(Unsupported::Unacknowledged { option }),
                Some(needed) if max_wire_version < needed => {
                    return Err(Unsupported::Server { option, needed, found: max_wire_version });
                }
                Some(_) => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_reads_follow_the_effective_read_preference() {
        let nearest = SelectionCriteria::from(ReadPreference::nearest());
        assert_eq!(Criteria::Writable.resolve(&nearest), SelectionCriteria::Writable);
        assert_eq!(Criteria::Primary.resolve(&nearest), ReadPreference::Primary.into());
        assert_eq!(Criteria::ReadPreference.resolve(&nearest), nearest);
        assert_eq!(Criteria::PrimaryPreferred.resolve(&nearest), ReadPreference::primary_preferred().into());
        let writing = SelectionCriteria::WritingAggregate(ReadPreference::nearest());
        assert_eq!(Criteria::WritingAggregate.resolve(&nearest), writing);
        let address = SelectionCriteria::Address("a:1".parse().unwrap());
        for criteria in [Criteria::CursorServer, Criteria::WritingAggregate, Criteria::ReadPreference] {
            assert_eq!(criteria.resolve(&address), address);
        }
    }

    #[test]
    fn requirements_depend_on_server_and_acknowledgement() {
        let properties = Properties::write(Operation::WRITE)
            .requires(true, "commitQuorum", 9)
            .requires(false, "absent", 99)
            .requires_unacknowledged(true, "sort", Some(25))
            .requires_unacknowledged(false, "collation", None);
        assert_eq!(properties.required_wire_version(true), Some((9, "commitQuorum")));
        assert_eq!(properties.required_wire_version(false), Some((25, "sort")));
        assert_eq!(properties.check(9, true), Ok(()));
        assert_eq!(properties.check(25, false), Ok(()));
        let too_old = Unsupported::Server { option: "commitQuorum", needed: 9, found: 8 };
        assert_eq!(properties.check(8, true), Err(too_old));
        assert_eq!(properties.check(24, false), Err(Unsupported::Server { option: "sort", needed: 25, found: 24 }));
        let never = properties.requires_unacknowledged(true, "collation", None);
        assert_eq!(never.check(99, false), Err(Unsupported::Unacknowledged { option: "collation" }));
        assert_eq!(never.check(99, true), Ok(()));
    }
}
