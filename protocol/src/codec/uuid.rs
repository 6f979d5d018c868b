//! How UUIDs are kept in BSON (BSON binary UUID specification).

use std::str::FromStr;

use bson::{Binary, Uuid, spec::BinarySubtype, uuid};

use super::{ConversionError, rewrite::Rule};

/// How UUIDs are kept in BSON.
///
/// In Rust a UUID is a [`bson::Uuid`], or a binary value of subtype 4, which is the same thing in a `Document`. With one
/// of the legacy representations such values are written as that representation has them, whatever type they come from,
/// and read as UUIDs again. Binary values of subtype 4 that are in the collection already stay as they are when they are
/// read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum UuidRepresentation {
    /// Nothing is converted: a [`bson::Uuid`] is written as subtype 4, which is what it stands for in BSON, and binary
    /// values stay binary values. [`encode`](Self::encode) and [`decode`](Self::decode) refuse.
    #[default]
    Unspecified,
    /// Subtype 4, network byte order.
    Standard,
    /// Subtype 3, network byte order.
    PythonLegacy,
    /// Subtype 3, each half reversed.
    JavaLegacy,
    /// Subtype 3, the first three fields little-endian.
    CSharpLegacy,
}

/// Why a UUID cannot be converted.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UuidError {
    /// It is not said how UUIDs are kept.
    #[error("the representation of UUIDs is unspecified: set uuidRepresentation, or name the one that is meant")]
    Unspecified,
    /// The binary value is no UUID in this representation.
    #[error(transparent)]
    Mismatch(#[from] bson::error::Error),
}

impl UuidRepresentation {
    /// The UUID as this representation keeps it.
    ///
    /// ```
    /// use bson::{Uuid, spec::BinarySubtype};
    /// use mongo_actors_protocol::codec::UuidRepresentation;
    ///
    /// let uuid = Uuid::parse_str("00112233-4455-6677-8899-aabbccddeeff").unwrap();
    /// let binary = UuidRepresentation::JavaLegacy.encode(uuid).unwrap();
    /// assert_eq!((binary.subtype, binary.bytes[0]), (BinarySubtype::UuidOld, 0x77));
    /// assert_eq!(UuidRepresentation::JavaLegacy.decode(&binary).unwrap(), uuid);
    /// ```
    ///
    /// # Errors
    /// [`UuidError::Unspecified`] for an unspecified representation.
    pub fn encode(self, uuid: Uuid) -> Result<Binary, UuidError> {
        let representation = self.known().ok_or(UuidError::Unspecified)?;
        Ok(Binary::from_uuid_with_representation(uuid, representation))
    }

    /// The UUID that `binary` is in this representation.
    ///
    /// # Errors
    /// [`UuidError`] for an unspecified representation, for a binary value of another subtype, and for one that does not
    /// have 16 bytes.
    pub fn decode(self, binary: &Binary) -> Result<Uuid, UuidError> {
        let representation = self.known().ok_or(UuidError::Unspecified)?;
        Ok(binary.to_uuid_with_representation(representation)?)
    }

    fn known(self) -> Option<uuid::UuidRepresentation> {
        match self {
            Self::Unspecified => None,
            Self::Standard => Some(uuid::UuidRepresentation::Standard),
            Self::PythonLegacy => Some(uuid::UuidRepresentation::PythonLegacy),
            Self::JavaLegacy => Some(uuid::UuidRepresentation::JavaLegacy),
            Self::CSharpLegacy => Some(uuid::UuidRepresentation::CSharpLegacy),
        }
    }

    /// Whether UUIDs are kept in another form than BSON's own.
    pub(super) fn is_legacy(self) -> bool {
        matches!(self, Self::PythonLegacy | Self::JavaLegacy | Self::CSharpLegacy)
    }

    /// Changes between the order of this representation and network byte order.
    fn reorder(self, uuid: &mut [u8; 16]) {
        match self {
            Self::JavaLegacy => {
                uuid[..8].reverse();
                uuid[8..].reverse();
            }
            Self::CSharpLegacy => {
                uuid[..4].reverse();
                uuid[4..6].reverse();
                uuid[6..8].reverse();
            }
            Self::Unspecified | Self::Standard | Self::PythonLegacy => {}
        }
    }

    /// Changes a binary value (its length, its subtype, its bytes) of subtype `from` into one of subtype `to`, if it is
    /// a UUID.
    fn convert(self, binary: &mut [u8], from: BinarySubtype, to: BinarySubtype) {
        const LENGTH: [u8; 4] = 16_i32.to_le_bytes();
        if let Some(([l0, l1, l2, l3, subtype], uuid)) = binary.split_first_chunk_mut()
            && [*l0, *l1, *l2, *l3] == LENGTH
            && *subtype == u8::from(from)
            && let Some(uuid) = uuid.first_chunk_mut()
        {
            *subtype = to.into();
            self.reorder(uuid);
        }
    }
}

impl FromStr for UuidRepresentation {
    type Err = &'static str;

    fn from_str(name: &str) -> Result<Self, &'static str> {
        match name {
            "unspecified" => Ok(Self::Unspecified),
            "standard" => Ok(Self::Standard),
            "pythonLegacy" => Ok(Self::PythonLegacy),
            "javaLegacy" => Ok(Self::JavaLegacy),
            "csharpLegacy" => Ok(Self::CSharpLegacy),
            _ => Err("unspecified, standard, pythonLegacy, javaLegacy or csharpLegacy"),
        }
    }
}

const BINARY: u8 = 0x05;

/// UUIDs become what the representation has.
pub(super) struct ToLegacy(pub(super) UuidRepresentation);

impl Rule for ToLegacy {
    fn value(&self, kind: u8, out: &mut Vec<u8>, at: usize) -> Result<u8, ConversionError> {
        if kind == BINARY {
            self.0.convert(&mut out[at..], BinarySubtype::Uuid, BinarySubtype::UuidOld);
        }
        Ok(kind)
    }
}

/// What the representation has becomes UUIDs.
pub(super) struct FromLegacy(pub(super) UuidRepresentation);

impl Rule for FromLegacy {
    fn value(&self, kind: u8, out: &mut Vec<u8>, at: usize) -> Result<u8, ConversionError> {
        if kind == BINARY {
            self.0.convert(&mut out[at..], BinarySubtype::UuidOld, BinarySubtype::Uuid);
        }
        Ok(kind)
    }
}
