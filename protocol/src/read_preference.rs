//! Which servers may answer a read (server selection and max staleness specifications).

use std::{collections::BTreeMap, fmt, str::FromStr, time::Duration};

use bson::{Bson, Document, RawDocumentBuf, doc, raw::cstr};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Tags that a server must all carry; the empty set matches every server.
pub type TagSet = BTreeMap<String, String>;

/// Which members of a deployment may answer a read.
///
/// Only the modes that may reach a secondary carry options, so that primary with tags or a staleness limit
/// cannot be written.
///
/// ```
/// use mongo_actors_protocol::read_preference::ReadPreference;
///
/// let preference = ReadPreference::secondary().with_tag_sets([[("dc", "ny")], [("dc", "sf")]]);
/// assert_eq!(preference.mode().to_string(), "secondary");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum ReadPreference {
    /// Only the primary.
    #[default]
    Primary,
    /// Only secondaries.
    Secondary {
        /// Which of them.
        options: ReadPreferenceOptions,
    },
    /// The primary if there is one, else a secondary.
    PrimaryPreferred {
        /// Which secondaries.
        options: ReadPreferenceOptions,
    },
    /// A secondary if one fits, else the primary.
    SecondaryPreferred {
        /// Which secondaries.
        options: ReadPreferenceOptions,
    },
    /// Any data-bearing member.
    Nearest {
        /// Which of them.
        options: ReadPreferenceOptions,
    },
}

/// The mode of a [`ReadPreference`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ReadPreferenceMode {
    /// Only the primary.
    #[default]
    Primary,
    /// The primary if there is one, else a secondary.
    PrimaryPreferred,
    /// Only secondaries.
    Secondary,
    /// A secondary if one fits, else the primary.
    SecondaryPreferred,
    /// Any data-bearing member.
    Nearest,
}

/// What narrows a read preference down to certain members.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ReadPreferenceOptions {
    /// Tag sets in order of preference: the first that matches any server decides. None matches every server.
    pub tag_sets: Option<Vec<TagSet>>,
    /// How far a secondary may lag behind, at least one second; none sets no limit. Selection also demands 90
    /// seconds and the heartbeat interval plus 10 seconds. Fractions of a second are cut off on the wire.
    pub max_staleness: Option<Duration>,
    /// Hedged reads of a sharded cluster; deprecated by server 8.0.
    pub hedge: Option<HedgedReadOptions>,
}

/// Whether a mongos may send a read to two members and take the faster answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HedgedReadOptions {
    /// Whether reads are hedged.
    pub enabled: bool,
}

/// Why a read preference cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidReadPreference {
    /// A mode that does not exist.
    #[error(
        "\"{0}\" is not a read preference: use primary, primaryPreferred, secondary, secondaryPreferred or nearest"
    )]
    UnknownMode(String),
    /// Options beside mode primary.
    #[error("{0} cannot be combined with read preference primary: choose another mode or drop it")]
    PrimaryWith(&'static str),
    /// A staleness limit below one second.
    #[error("the staleness limit must be at least one second; leave it out for no limit")]
    StalenessNotPositive,
    /// Neither omitted nor containing a set.
    #[error("the list of tag sets is empty: leave it out, or add the empty set, which matches every server")]
    NoTagSets,
}

impl HedgedReadOptions {
    /// Hedging on or off.
    pub fn with_enabled(enabled: bool) -> Self {
        Self { enabled }
    }
}

impl ReadPreferenceMode {
    /// The mode's name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::PrimaryPreferred => "primaryPreferred",
            Self::Secondary => "secondary",
            Self::SecondaryPreferred => "secondaryPreferred",
            Self::Nearest => "nearest",
        }
    }
}

impl fmt::Display for ReadPreferenceMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ReadPreferenceMode {
    type Err = InvalidReadPreference;

    /// Reads a mode's name; case does not matter.
    fn from_str(name: &str) -> Result<Self, InvalidReadPreference> {
        [Self::Primary, Self::PrimaryPreferred, Self::Secondary, Self::SecondaryPreferred, Self::Nearest]
            .into_iter()
            .find(|mode| mode.as_str().eq_ignore_ascii_case(name))
            .ok_or_else(|| InvalidReadPreference::UnknownMode(name.to_owned()))
    }
}

impl ReadPreference {
    /// Mode secondary.
    pub fn secondary() -> Self {
        Self::Secondary { options: ReadPreferenceOptions::default() }
    }

    /// Mode primaryPreferred.
    pub fn primary_preferred() -> Self {
        Self::PrimaryPreferred { options: ReadPreferenceOptions::default() }
    }

    /// Mode secondaryPreferred.
    pub fn secondary_preferred() -> Self {
        Self::SecondaryPreferred { options: ReadPreferenceOptions::default() }
    }

    /// Mode nearest.
    pub fn nearest() -> Self {
        Self::Nearest { options: ReadPreferenceOptions::default() }
    }

    /// The read preference of a mode with its options.
    ///
    /// # Errors
    /// [`InvalidReadPreference`] for mode primary with tags (other than the empty set), a staleness limit or
    /// hedging, for an empty list of tag sets, and for a staleness limit below one second.
    pub fn new(mode: ReadPreferenceMode, options: ReadPreferenceOptions) -> Result<Self, InvalidReadPreference> {
        options.validate()?;
        Ok(match mode {
            ReadPreferenceMode::Primary => {
                if options.has_tags() {
                    return Err(InvalidReadPreference::PrimaryWith("a tag set"));
                }
                if options.max_staleness.is_some() {
                    return Err(InvalidReadPreference::PrimaryWith("a staleness limit"));
                }
                if options.hedge.is_some() {
                    return Err(InvalidReadPreference::PrimaryWith("hedging"));
                }
                Self::Primary
            }
            ReadPreferenceMode::PrimaryPreferred => Self::PrimaryPreferred { options },
            ReadPreferenceMode::Secondary => Self::Secondary { options },
            ReadPreferenceMode::SecondaryPreferred => Self::SecondaryPreferred { options },
            ReadPreferenceMode::Nearest => Self::Nearest { options },
        })
    }

    /// The mode.
    pub fn mode(&self) -> ReadPreferenceMode {
        match self {
            Self::Primary => ReadPreferenceMode::Primary,
            Self::Secondary { .. } => ReadPreferenceMode::Secondary,
            Self::PrimaryPreferred { .. } => ReadPreferenceMode::PrimaryPreferred,
            Self::SecondaryPreferred { .. } => ReadPreferenceMode::SecondaryPreferred,
            Self::Nearest { .. } => ReadPreferenceMode::Nearest,
        }
    }

    /// Whether this is mode primary.
    pub fn is_primary(&self) -> bool {
        matches!(self, Self::Primary)
    }

    /// The options; none for mode primary.
    pub fn options(&self) -> Option<&ReadPreferenceOptions> {
        match self {
            Self::Primary => None,
            Self::Secondary { options }
            | Self::PrimaryPreferred { options }
            | Self::SecondaryPreferred { options }
            | Self::Nearest { options } => Some(options),
        }
    }

    /// The tag sets in order of preference; empty when every server matches.
    pub fn tag_sets(&self) -> &[TagSet] {
        self.options().and_then(|options| options.tag_sets.as_deref()).unwrap_or_default()
    }

    /// How far a secondary may lag behind.
    pub fn max_staleness(&self) -> Option<Duration> {
        self.options().and_then(|options| options.max_staleness)
    }

    /// The hedging options.
    pub fn hedge(&self) -> Option<HedgedReadOptions> {
        self.options().and_then(|options| options.hedge)
    }

    /// The same with these tag sets. Mode primary has none and stays as it is.
    #[must_use]
    pub fn with_tag_sets<T, K, V>(self, tag_sets: impl IntoIterator<Item = T>) -> Self
    where
        T: IntoIterator<Item = (K, V)>,
        K: Into<String>,
        V: Into<String>,
    {
        let set = |tags: T| tags.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        let tag_sets = tag_sets.into_iter().map(set).collect();
        self.map_options(|options| options.tag_sets = Some(tag_sets))
    }

    /// The same with this staleness limit. Mode primary has none and stays as it is.
    #[must_use]
    pub fn with_max_staleness(self, limit: Duration) -> Self {
        self.map_options(|options| options.max_staleness = Some(limit))
    }

    /// The same with hedging on or off. Mode primary is never hedged and stays as it is.
    #[must_use]
    pub fn with_hedge(self, enabled: bool) -> Self {
        self.map_options(|options| options.hedge = Some(HedgedReadOptions { enabled }))
    }

    fn map_options(mut self, change: impl FnOnce(&mut ReadPreferenceOptions)) -> Self {
        match &mut self {
            Self::Primary => {}
            Self::Secondary { options }
            | Self::PrimaryPreferred { options }
            | Self::SecondaryPreferred { options }
            | Self::Nearest { options } => change(options),
        }
        self
    }

    /// Checks what does not depend on the deployment.
    ///
    /// # Errors
    /// [`InvalidReadPreference`] for an empty list of tag sets or a staleness limit below one second.
    pub fn validate(&self) -> Result<(), InvalidReadPreference> {
        self.options().map_or(Ok(()), ReadPreferenceOptions::validate)
    }

    /// The oldest wire version that understands it: 5 with a staleness limit, else 0.
    pub fn min_wire_version(&self) -> i32 {
        if self.max_staleness().is_some() { 5 } else { 0 }
    }

    /// The document sent as `$readPreference`.
    pub fn to_document(&self) -> Document {
        let mut document = doc! { "mode": self.mode().as_str() };
        let Some(options) = self.options() else { return document };
        if let Some(tag_sets) = &options.tag_sets {
            let tags: Vec<Bson> = tag_sets.iter().map(|tags| tags_document(tags).into()).collect();
            document.insert("tags", tags);
        }
        if let Some(limit) = options.max_staleness {
            document.insert("maxStalenessSeconds", wire_seconds(limit));
        }
        if let Some(hedge) = options.hedge {
            document.insert("hedge", doc! { "enabled": hedge.enabled });
        }
        document
    }

    /// Appends `$readPreference` to a command. Whether it may be sent depends on the server and is decided elsewhere.
    pub fn append_to(&self, command: &mut RawDocumentBuf) {
        if self.options().is_none_or(|options| *options == ReadPreferenceOptions::default()) {
            let mut document = RawDocumentBuf::new();
            document.append(cstr!("mode"), self.mode().as_str());
            command.append(cstr!("$readPreference"), document);
        } else if let Ok(document) = RawDocumentBuf::try_from(&self.to_document()) {
            command.append(cstr!("$readPreference"), document);
        }
    }
}

impl ReadPreferenceOptions {
    fn validate(&self) -> Result<(), InvalidReadPreference> {
        if self.tag_sets.as_ref().is_some_and(Vec::is_empty) {
            return Err(InvalidReadPreference::NoTagSets);
        }
        if self.max_staleness.is_some_and(|limit| limit < Duration::from_secs(1)) {
            return Err(InvalidReadPreference::StalenessNotPositive);
        }
        Ok(())
    }

    fn has_tags(&self) -> bool {
        self.tag_sets.iter().flatten().any(|tags| !tags.is_empty())
    }
}

fn tags_document(tags: &TagSet) -> Document {
    tags.iter().map(|(key, value)| (key.clone(), Bson::from(value.as_str()))).collect()
}

fn wire_seconds(limit: Duration) -> Bson {
    let seconds = limit.as_secs();
    i32::try_from(seconds).map_or(Bson::Int64(i64::try_from(seconds).unwrap_or(i64::MAX)), Bson::Int32)
}

impl Serialize for ReadPreference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_document().serialize(serializer)
    }
}

/// The wire form of a read preference.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    #[serde(default)]
    mode: Option<String>,
    #[serde(default, alias = "tag_sets", alias = "tagSets")]
    tags: Option<Vec<TagSet>>,
    #[serde(default)]
    max_staleness_seconds: Option<i64>,
    #[serde(default)]
    hedge: Option<HedgedReadOptions>,
}

impl<'de> Deserialize<'de> for ReadPreference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wire = Wire::deserialize(deserializer)?;
        let mode = wire.mode.as_deref().unwrap_or("primary").parse().map_err(de::Error::custom)?;
        let max_staleness = match wire.max_staleness_seconds {
            None | Some(-1) => None,
            Some(seconds) => match u64::try_from(seconds) {
                Ok(seconds) => Some(Duration::from_secs(seconds)),
                Err(_) => return Err(de::Error::custom("\"maxStalenessSeconds\" must be -1 or positive")),
            },
        };
        let options = ReadPreferenceOptions { tag_sets: wire.tags, max_staleness, hedge: wire.hedge };
        Self::new(mode, options).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use bson::{deserialize_from_document, serialize_to_document};

    use super::*;

    fn full() -> ReadPreference {
        ReadPreference::nearest()
            .with_tag_sets([vec![("dc", "ny"), ("rack", "1")], vec![]])
            .with_max_staleness(Duration::from_secs(120))
            .with_hedge(true)
    }

    #[test]
    fn the_document_holds_every_option() {
        let expected = doc! {
            "mode": "nearest",
            "tags": [{ "dc": "ny", "rack": "1" }, {}],
            "maxStalenessSeconds": 120,
            "hedge": { "enabled": true },
        };
        assert_eq!(full().to_document(), expected);
        let mut command = RawDocumentBuf::new();
        full().append_to(&mut command);
        assert_eq!(Document::try_from(command.as_ref()).unwrap(), doc! { "$readPreference": expected });
        let mut command = RawDocumentBuf::new();
        ReadPreference::Primary.append_to(&mut command);
        assert_eq!(Document::try_from(command.as_ref()).unwrap(), doc! { "$readPreference": { "mode": "primary" } });
    }

    #[test]
    fn serde_round_trips() {
        for preference in [ReadPreference::Primary, ReadPreference::secondary(), full()] {
            let document = serialize_to_document(&preference).unwrap();
            assert_eq!(deserialize_from_document::<ReadPreference>(document).unwrap(), preference);
        }
    }

    #[test]
    fn primary_takes_no_options() {
        let refuse = |options| ReadPreference::new(ReadPreferenceMode::Primary, options).unwrap_err();
        let tags = Some(vec![TagSet::from([("a".into(), "b".into())])]);
        let tagged = ReadPreferenceOptions { tag_sets: tags, ..Default::default() };
        assert_eq!(refuse(tagged), InvalidReadPreference::PrimaryWith("a tag set"));
        let stale = ReadPreferenceOptions { max_staleness: Some(Duration::from_secs(90)), ..Default::default() };
        assert_eq!(refuse(stale), InvalidReadPreference::PrimaryWith("a staleness limit"));
        let any = ReadPreferenceOptions { tag_sets: Some(vec![TagSet::new()]), ..Default::default() };
        assert_eq!(ReadPreference::new(ReadPreferenceMode::Primary, any), Ok(ReadPreference::Primary));
    }

    #[test]
    fn senseless_options_are_refused() {
        let none: [TagSet; 0] = [];
        let no_sets = ReadPreference::secondary().with_tag_sets(none);
        assert_eq!(no_sets.validate(), Err(InvalidReadPreference::NoTagSets));
        let instant = ReadPreference::secondary().with_max_staleness(Duration::ZERO);
        assert_eq!(instant.validate(), Err(InvalidReadPreference::StalenessNotPositive));
    }

    #[test]
    fn mode_names_ignore_case() {
        assert_eq!("SECONDARYpreferred".parse(), Ok(ReadPreferenceMode::SecondaryPreferred));
        assert!("secondaries".parse::<ReadPreferenceMode>().is_err());
    }

    #[test]
    fn staleness_needs_wire_version_five() {
        assert_eq!(full().min_wire_version(), 5);
        assert_eq!(ReadPreference::nearest().min_wire_version(), 0);
    }
}
