//! Rules for comparing strings.

use bson::{Document, RawDocumentBuf};
use serde::{Deserialize, Serialize, Serializer};

use super::{
    EncodeError,
    encode::{Element, append},
};

/// Rules of a language for comparing strings, for example without regard to case or accents.
///
/// Options that are none are left to the server's defaults for the locale.
///
/// ```
/// use mongo_actors_protocol::command::{Collation, CollationStrength};
///
/// let without_case = Collation { strength: Some(CollationStrength::Secondary), ..Collation::new("en") };
/// assert_eq!(without_case.locale, "en");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Collation {
    /// ICU locale, for example `en` or `de@collation=phonebook`; `simple` compares bytes.
    pub locale: String,
    /// How many levels of difference count; 3 by default.
    #[serde(default)]
    pub strength: Option<CollationStrength>,
    /// Whether case counts at strength 1 and 2.
    #[serde(default)]
    pub case_level: Option<bool>,
    /// Which case sorts first at strength 3.
    #[serde(default)]
    pub case_first: Option<CollationCaseFirst>,
    /// Whether digits compare as numbers.
    #[serde(default)]
    pub numeric_ordering: Option<bool>,
    /// Whether spaces and punctuation count as characters.
    #[serde(default)]
    pub alternate: Option<CollationAlternate>,
    /// Which characters are ignored with [`CollationAlternate::Shifted`].
    #[serde(default)]
    pub max_variable: Option<CollationMaxVariable>,
    /// Whether text is normalised before it is compared.
    #[serde(default)]
    pub normalization: Option<bool>,
    /// Whether accents compare from the end, as in some French dictionaries.
    #[serde(default)]
    pub backwards: Option<bool>,
    /// Further fields, sent as they are.
    #[serde(flatten)]
    pub extra: Document,
}

/// How many levels of difference between strings count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CollationStrength {
    /// Base characters.
    Primary = 1,
    /// Accents too.
    Secondary = 2,
    /// Case and variants too: the default.
    Tertiary = 3,
    /// Punctuation too.
    Quaternary = 4,
    /// Everything.
    Identical = 5,
}

impl CollationStrength {
    const ALL: [Self; 5] = [Self::Primary, Self::Secondary, Self::Tertiary, Self::Quaternary, Self::Identical];
}

impl<'de> Deserialize<'de> for CollationStrength {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = super::numbers::deserialize_i64(deserializer)?;
        let found = Self::ALL.into_iter().find(|strength| *strength as i64 == number);
        found.ok_or_else(|| serde::de::Error::custom("a collation's strength is from 1 to 5"))
    }
}

/// Declares an option that is one of several words on the wire.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$doc])* #[serde(rename = $word)] $variant,)*
        }

        impl $name {
            /// The word that stands for it in commands and replies.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }

        $crate::command::encode::element_as!($name, |word| word.as_str());
    };
}
pub(crate) use words;

words! {
    /// Which case sorts first at strength 3.
    CollationCaseFirst {
        /// Upper case first.
        Upper = "upper",
        /// Lower case first.
        Lower = "lower",
        /// As the locale has it.
        Off = "off",
    }
}

words! {
    /// Whether spaces and punctuation count as characters.
    CollationAlternate {
        /// They count.
        NonIgnorable = "non-ignorable",
        /// They count at strength 4 and 5 only.
        Shifted = "shifted",
    }
}

words! {
    /// Which characters [`CollationAlternate::Shifted`] ignores.
    CollationMaxVariable {
        /// Spaces and punctuation.
        Punct = "punct",
        /// Spaces only.
        Space = "space",
    }
}

impl Collation {
    /// The default rules of `locale`.
    pub fn new(locale: impl Into<String>) -> Self {
        Self { locale: locale.into(), ..Self::default() }
    }

    pub(crate) fn to_raw(&self) -> Result<RawDocumentBuf, EncodeError> {
        let mut raw = RawDocumentBuf::new();
        append!(&mut raw;
            "locale": self.locale,
            "strength": self.strength.map(|strength| strength as i32),
            "caseLevel": self.case_level,
            "caseFirst": self.case_first,
            "numericOrdering": self.numeric_ordering,
            "alternate": self.alternate,
            "maxVariable": self.max_variable,
            "normalization": self.normalization,
            "backwards": self.backwards,
        );
        append_extra(&mut raw, &self.extra)?;
        Ok(raw)
    }
}

/// Appends the fields of `extra`.
pub(crate) fn append_extra(raw: &mut RawDocumentBuf, extra: &Document) -> Result<(), EncodeError> {
    for (key, value) in extra {
        value.append_to(key.as_str().try_into()?, raw)?;
    }
    Ok(())
}

impl Element for Collation {
    fn append_to(&self, key: &bson::raw::CStr, body: &mut RawDocumentBuf) -> Result<(), EncodeError> {
        self.to_raw()?.append_to(key, body)
    }
}

impl Serialize for Collation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_raw().map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

impl TryFrom<Document> for Collation {
    type Error = bson::error::Error;

    /// Reads a collation in the form it has on the wire.
    fn try_from(document: Document) -> Result<Self, Self::Error> {
        bson::deserialize_from_document(document)
    }
}

#[cfg(test)]
mod tests {
    use bson::{doc, rawdoc};

    use super::*;

    fn every_option() -> Collation {
        Collation {
            locale: "fr".into(),
            strength: Some(CollationStrength::Quaternary),
            case_level: Some(true),
            case_first: Some(CollationCaseFirst::Upper),
            numeric_ordering: Some(false),
            alternate: Some(CollationAlternate::NonIgnorable),
            max_variable: Some(CollationMaxVariable::Punct),
            normalization: Some(true),
            backwards: Some(true),
            extra: doc! { "version": "57.1" },
        }
    }

    #[test]
    fn options_are_sent_only_when_given() {
        assert_eq!(Collation::new("en").to_raw().unwrap(), rawdoc! { "locale": "en" });
        let expected = rawdoc! {
            "locale": "fr", "strength": 4, "caseLevel": true, "caseFirst": "upper", "numericOrdering": false,
            "alternate": "non-ignorable", "maxVariable": "punct", "normalization": true, "backwards": true,
            "version": "57.1",
        };
        assert_eq!(every_option().to_raw().unwrap(), expected);
    }

    #[test]
    fn a_document_is_accepted_in_its_place() {
        let document = Document::try_from(every_option().to_raw().unwrap()).unwrap();
        assert_eq!(Collation::try_from(document).unwrap(), every_option());
        assert_eq!(
            Collation::try_from(doc! { "locale": "en", "strength": 2_i64 }).unwrap().strength,
            Some(CollationStrength::Secondary)
        );
        assert!(Collation::try_from(doc! { "strength": 2 }).is_err());
        assert!(Collation::try_from(doc! { "locale": "en", "strength": 6 }).is_err());
    }

    #[test]
    fn it_serializes_to_its_wire_form() {
        let bytes = bson::serialize_to_vec(&doc! { "c": bson::serialize_to_bson(&every_option()).unwrap() }).unwrap();
        assert_eq!(
            RawDocumentBuf::from_bytes(bytes).unwrap().get_document("c").unwrap(),
            &*every_option().to_raw().unwrap()
        );
    }
}
