//! Read and write concerns (read-write-concern specification).

use std::time::Duration;

use bson::{Bson, Document, RawDocumentBuf, raw::cstr};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// How well confirmed the data is that a read returns.
///
/// Without a level (the default) nothing is sent and the server's own default holds.
///
/// ```
/// use mongo_actors_protocol::concern::ReadConcern;
///
/// assert_eq!(ReadConcern::majority().to_document(), bson::doc! { "level": "majority" });
/// assert!(ReadConcern::default().is_server_default());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ReadConcern {
    /// The level; none leaves it to the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<ReadConcernLevel>,
}

/// The level of a [`ReadConcern`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReadConcernLevel {
    /// The server's newest data, which may be rolled back.
    Local,
    /// Data that a majority of the members has acknowledged.
    Majority,
    /// All writes that a majority acknowledged before the read began.
    Linearizable,
    /// Like `Local`, without asking the config servers; may return orphans on a sharded cluster.
    Available,
    /// Data of one point in time.
    Snapshot,
    /// A level this driver does not know; sent as it is.
    Custom(String),
}

impl ReadConcern {
    /// A read concern of `level`.
    pub fn new(level: impl Into<ReadConcernLevel>) -> Self {
        Self { level: Some(level.into()) }
    }

    /// Level [`ReadConcernLevel::Local`].
    pub fn local() -> Self {
        Self::new(ReadConcernLevel::Local)
    }

    /// Level [`ReadConcernLevel::Majority`].
    pub fn majority() -> Self {
        Self::new(ReadConcernLevel::Majority)
    }

    /// Level [`ReadConcernLevel::Linearizable`].
    pub fn linearizable() -> Self {
        Self::new(ReadConcernLevel::Linearizable)
    }

    /// Level [`ReadConcernLevel::Available`].
    pub fn available() -> Self {
        Self::new(ReadConcernLevel::Available)
    }

    /// Level [`ReadConcernLevel::Snapshot`].
    pub fn snapshot() -> Self {
        Self::new(ReadConcernLevel::Snapshot)
    }

    /// The level of this name, known to the driver or not.
    pub fn custom(level: impl AsRef<str>) -> Self {
        Self::new(ReadConcernLevel::from(level.as_ref()))
    }

    /// Whether nothing is sent, so that the server's default holds.
    pub fn is_server_default(&self) -> bool {
        self.level.is_none()
    }

    /// The document sent as `readConcern`; empty for the server's default.
    pub fn to_document(&self) -> Document {
        self.level.iter().map(|level| ("level".to_owned(), Bson::from(level.as_str()))).collect()
    }

    /// Appends `readConcern` to a command, unless it is the server's default.
    pub fn append_to(&self, command: &mut RawDocumentBuf) {
        if let Some(level) = &self.level {
            let mut document = RawDocumentBuf::new();
            document.append(cstr!("level"), level.as_str());
            command.append(cstr!("readConcern"), document);
        }
    }
}

impl From<ReadConcernLevel> for ReadConcern {
    fn from(level: ReadConcernLevel) -> Self {
        Self::new(level)
    }
}

impl ReadConcernLevel {
    /// The level's name on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Local => "local",
            Self::Majority => "majority",
            Self::Linearizable => "linearizable",
            Self::Available => "available",
            Self::Snapshot => "snapshot",
            Self::Custom(name) => name,
        }
    }
}

impl From<&str> for ReadConcernLevel {
    fn from(name: &str) -> Self {
        match name {
            "local" => Self::Local,
            "majority" => Self::Majority,
            "linearizable" => Self::Linearizable,
            "available" => Self::Available,
            "snapshot" => Self::Snapshot,
            other => Self::Custom(other.to_owned()),
        }
    }
}

impl Serialize for ReadConcernLevel {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ReadConcernLevel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::from(String::deserialize(deserializer)?.as_str()))
    }
}

/// How well a write must be confirmed before the server answers.
///
/// Nothing is sent for the empty write concern (the default), and the server's own default holds.
///
/// ```
/// use mongo_actors_protocol::concern::WriteConcern;
///
/// let concern = WriteConcern::majority().with_journal(true);
/// assert_eq!(concern.to_document(), bson::doc! { "w": "majority", "j": true });
/// assert!(concern.is_acknowledged());
/// assert!(!WriteConcern::nodes(0).is_acknowledged());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WriteConcern {
    /// Who must have acknowledged the write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub w: Option<Acknowledgment>,
    /// How long the server waits for the acknowledgments, in whole milliseconds; zero waits for ever.
    /// Deprecated in favour of the operation timeout.
    #[serde(default, rename = "wtimeout", skip_serializing_if = "Option::is_none", with = "milliseconds")]
    pub w_timeout: Option<Duration>,
    /// Whether the write must be in the journal.
    #[serde(default, rename = "j", alias = "journal", skip_serializing_if = "Option::is_none")]
    pub journal: Option<bool>,
    /// Legacy form of `journal`, sent as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fsync: Option<bool>,
}

/// Who must acknowledge a write.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Acknowledgment {
    /// This many members, the primary included; 0 asks for no answer at all.
    Nodes(u32),
    /// The majority of the voting members.
    Majority,
    /// The members named by a custom write concern of the replica set's configuration.
    Custom(String),
}

/// Why a [`WriteConcern`] cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidWriteConcern {
    /// An unacknowledged write cannot be confirmed by the journal.
    #[error("w=0 asks for no answer while journal=true asks for one: drop one of them")]
    UnacknowledgedWithJournal,
    /// Two forms of the same wish.
    #[error("journal and fsync are both true: keep journal")]
    JournalWithFsync,
}

impl WriteConcern {
    /// A write concern with this acknowledgment.
    pub fn new(w: impl Into<Acknowledgment>) -> Self {
        Self { w: Some(w.into()), ..Self::default() }
    }

    /// Acknowledged by `count` members.
    pub fn nodes(count: u32) -> Self {
        Self::new(Acknowledgment::Nodes(count))
    }

    /// Acknowledged by the majority.
    pub fn majority() -> Self {
        Self::new(Acknowledgment::Majority)
    }

    /// Acknowledged as the replica set's configuration says under `name`.
    pub fn custom(name: impl AsRef<str>) -> Self {
        Self::new(Acknowledgment::from(name.as_ref()))
    }

    /// The same with a limit on the wait for the acknowledgments.
    #[must_use]
    pub fn with_w_timeout(mut self, limit: Duration) -> Self {
        self.w_timeout = Some(limit);
        self
    }

    /// The same with a wish about the journal.
    #[must_use]
    pub fn with_journal(mut self, journal: bool) -> Self {
        self.journal = Some(journal);
        self
    }

    /// The same with the legacy `fsync` flag.
    #[must_use]
    pub fn with_fsync(mut self, fsync: bool) -> Self {
        self.fsync = Some(fsync);
        self
    }

    /// False only for `w: 0`, which the server does not answer.
    pub fn is_acknowledged(&self) -> bool {
        self.w != Some(Acknowledgment::Nodes(0))
    }

    /// Whether nothing is sent, so that the server's default holds.
    pub fn is_server_default(&self) -> bool {
        *self == Self::default()
    }

    /// Checks that the parts do not contradict each other.
    ///
    /// # Errors
    /// [`InvalidWriteConcern`] for `w: 0` with the journal, and for the journal together with `fsync`.
    pub fn validate(&self) -> Result<(), InvalidWriteConcern> {
        let journal = self.journal == Some(true);
        if journal && !self.is_acknowledged() {
            return Err(InvalidWriteConcern::UnacknowledgedWithJournal);
        }
        if journal && self.fsync == Some(true) {
            return Err(InvalidWriteConcern::JournalWithFsync);
        }
        Ok(())
    }

    /// The document sent as `writeConcern`; empty for the server's default.
    pub fn to_document(&self) -> Document {
        let mut document = Document::new();
        if let Some(w) = &self.w {
            document.insert("w", w.to_bson());
        }
        if let Some(limit) = self.w_timeout {
            document.insert("wtimeout", smallest_integer(milliseconds::of(limit)));
        }
        if let Some(journal) = self.journal {
            document.insert("j", journal);
        }
        if let Some(fsync) = self.fsync {
            document.insert("fsync", fsync);
        }
        document
    }

    /// Appends `writeConcern` to a command, unless it is the server's default.
    pub fn append_to(&self, command: &mut RawDocumentBuf) {
        if self.is_server_default() {
            return;
        }
        let mut document = RawDocumentBuf::new();
        match &self.w {
            Some(Acknowledgment::Nodes(count)) => match i32::try_from(*count) {
                Ok(count) => document.append(cstr!("w"), count),
                Err(_) => document.append(cstr!("w"), i64::from(*count)),
            },
            Some(named) => document.append(cstr!("w"), named.name().unwrap_or_default()),
            None => {}
        }
        if let Some(limit) = self.w_timeout {
            let limit = milliseconds::of(limit);
            match i32::try_from(limit) {
                Ok(limit) => document.append(cstr!("wtimeout"), limit),
                Err(_) => document.append(cstr!("wtimeout"), limit),
            }
        }
        if let Some(journal) = self.journal {
            document.append(cstr!("j"), journal);
        }
        if let Some(fsync) = self.fsync {
            document.append(cstr!("fsync"), fsync);
        }
        command.append(cstr!("writeConcern"), document);
    }
}

impl From<Acknowledgment> for WriteConcern {
    fn from(w: Acknowledgment) -> Self {
        Self::new(w)
    }
}

impl Acknowledgment {
    fn name(&self) -> Option<&str> {
        match self {
            Self::Nodes(_) => None,
            Self::Majority => Some("majority"),
            Self::Custom(name) => Some(name),
        }
    }

    fn to_bson(&self) -> Bson {
        match self {
            Self::Nodes(count) => smallest_integer(i64::from(*count)),
            named => named.name().unwrap_or_default().into(),
        }
    }
}

impl From<u32> for Acknowledgment {
    fn from(count: u32) -> Self {
        Self::Nodes(count)
    }
}

impl From<&str> for Acknowledgment {
    fn from(name: &str) -> Self {
        match name {
            "majority" => Self::Majority,
            other => Self::Custom(other.to_owned()),
        }
    }
}

impl Serialize for Acknowledgment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_bson().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Acknowledgment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let negative = || de::Error::custom("\"w\" must not be negative");
        match Bson::deserialize(deserializer)? {
            Bson::Int32(count) => u32::try_from(count).map(Self::Nodes).map_err(|_| negative()),
            Bson::Int64(count) => u32::try_from(count).map(Self::Nodes).map_err(|_| negative()),
            Bson::String(name) => Ok(Self::from(name.as_str())),
            other => Err(de::Error::custom(format!("\"w\" must be a number or a string, not {other}"))),
        }
    }
}

fn smallest_integer(number: i64) -> Bson {
    i32::try_from(number).map_or(Bson::Int64(number), Bson::Int32)
}

/// `Option<Duration>` as a number of milliseconds.
mod milliseconds {
    use std::time::Duration;

    use bson::Bson;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

    pub(super) fn of(duration: Duration) -> i64 {
        i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
    }

    pub(super) fn serialize<S: Serializer>(limit: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        limit.map(|limit| super::smallest_integer(of(limit))).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        let Some(number) = Option::<Bson>::deserialize(deserializer)? else { return Ok(None) };
        let number = match number {
            Bson::Int32(number) => i64::from(number),
            Bson::Int64(number) => number,
            other => return Err(de::Error::custom(format!("\"wtimeout\" must be an integer, not {other}"))),
        };
        let number = u64::try_from(number).map_err(|_| de::Error::custom("\"wtimeout\" must not be negative"))?;
        Ok(Some(Duration::from_millis(number)))
    }
}

#[cfg(test)]
mod tests {
    use bson::{deserialize_from_document, doc, serialize_to_document};

    use super::*;

    #[test]
    fn the_server_default_appends_nothing() {
        let mut command = RawDocumentBuf::new();
        ReadConcern::default().append_to(&mut command);
        WriteConcern::default().append_to(&mut command);
        assert!(command.is_empty());
    }

    #[test]
    fn appended_and_built_documents_agree() {
        let concerns = [
            WriteConcern::nodes(3).with_w_timeout(Duration::from_millis(500)).with_journal(true),
            WriteConcern::nodes(u32::MAX).with_w_timeout(Duration::from_secs(10_000_000)),
            WriteConcern::custom("dc").with_fsync(false),
            WriteConcern::nodes(0),
        ];
        for concern in concerns {
            let mut command = RawDocumentBuf::new();
            concern.append_to(&mut command);
            let expected = doc! { "writeConcern": concern.to_document() };
            assert_eq!(Document::try_from(command.as_ref()).unwrap(), expected);
        }
        let mut command = RawDocumentBuf::new();
        ReadConcern::custom("later").append_to(&mut command);
        assert_eq!(Document::try_from(command.as_ref()).unwrap(), doc! { "readConcern": { "level": "later" } });
    }

    #[test]
    fn serde_and_documents_agree() {
        let concern = WriteConcern::majority().with_w_timeout(Duration::from_millis(7)).with_journal(false);
        let document = serialize_to_document(&concern).unwrap();
        assert_eq!(document, concern.to_document());
        assert_eq!(deserialize_from_document::<WriteConcern>(document).unwrap(), concern);
        let read: ReadConcern = deserialize_from_document(doc! { "level": "snapshot" }).unwrap();
        assert_eq!(read, ReadConcern::snapshot());
    }

    #[test]
    fn negative_numbers_are_refused() {
        assert!(deserialize_from_document::<WriteConcern>(doc! { "w": -1 }).is_err());
        assert!(deserialize_from_document::<WriteConcern>(doc! { "wtimeout": -1 }).is_err());
    }

    #[test]
    fn contradictions_are_refused() {
        let unacknowledged = WriteConcern::nodes(0).with_journal(true);
        assert_eq!(unacknowledged.validate(), Err(InvalidWriteConcern::UnacknowledgedWithJournal));
        let both = WriteConcern::default().with_journal(true).with_fsync(true);
        assert_eq!(both.validate(), Err(InvalidWriteConcern::JournalWithFsync));
        assert_eq!(WriteConcern::nodes(0).with_journal(false).validate(), Ok(()));
    }
}
