//! Conversions of the application's own.

use std::{fmt, sync::Arc};

use bson::{Bson, RawBson, RawDocument, RawDocumentBuf, raw::cstr, spec::ElementType};

use super::{ConversionError, rewrite::Rule};

/// Why a conversion refuses a value: any error.
pub type ValueError = Box<dyn std::error::Error + Send + Sync>;

type Conversion = Arc<dyn Fn(Bson) -> Result<Bson, ValueError> + Send + Sync>;

/// Conversions between the form in which an application works with values and the form in which they are stored, by the
/// type of the value in BSON.
///
/// The normal way for a type to say how it is stored is serde: `Serialize` and `Deserialize`, or `#[serde(with = "..")]`
/// for a field of a type that somebody else wrote. A registry is for what belongs to the collection instead of to a type:
/// a number that is stored as text, a binary value that is encrypted, a `Document` whose decimals shall be doubles. It
/// works on the values of whole documents, with any type that these are read as.
///
/// Decoders see each value as it is stored, and what they make of it is what serde reads. Encoders see each value as
/// serde wrote it, and what they make of it is stored. Arrays and documents are converted after what is in them. Encoders
/// apply to documents, filters, updates and pipelines, not to names, options and comments. A UUID is seen as a binary
/// value of subtype 4, whatever its representation.
///
/// ```
/// use bson::{Bson, spec::ElementType};
/// use mongo_actors_protocol::codec::{CodecOptions, TypeRegistry};
///
/// let prices = TypeRegistry::new()
///     .encoder(ElementType::Double, |price| Ok(Bson::from(format!("{:.2}", price.as_f64().unwrap_or_default()).parse::<bson::Decimal128>()?)))
///     .decoder(ElementType::Decimal128, |price| Ok(Bson::Double(price.to_string().parse()?)));
/// let options = CodecOptions::new().type_registry(prices);
/// ```
///
/// Two registries are equal when one is a clone of the other, or both are empty.
#[derive(Clone, Default)]
pub struct TypeRegistry(Option<Arc<Conversions>>);

#[derive(Clone, Default)]
struct Conversions {
    encoders: Vec<(ElementType, Conversion)>,
    decoders: Vec<(ElementType, Conversion)>,
}

impl TypeRegistry {
    /// No conversions.
    pub fn new() -> Self {
        Self::default()
    }

    /// Converts every value of type `kind` that is sent, in place of an encoder for that type which there was before.
    #[must_use]
    pub fn encoder<F>(self, kind: ElementType, convert: F) -> Self
    where
        F: Fn(Bson) -> Result<Bson, ValueError> + Send + Sync + 'static,
    {
        self.with(|conversions| enter(&mut conversions.encoders, kind, Arc::new(convert)))
    }

    /// Converts every value of type `kind` that is read, in place of a decoder for that type which there was before.
    #[must_use]
    pub fn decoder<F>(self, kind: ElementType, convert: F) -> Self
    where
        F: Fn(Bson) -> Result<Bson, ValueError> + Send + Sync + 'static,
    {
        self.with(|conversions| enter(&mut conversions.decoders, kind, Arc::new(convert)))
    }

    /// Whether there are no conversions.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    fn with(mut self, change: impl FnOnce(&mut Conversions)) -> Self {
        change(Arc::make_mut(self.0.get_or_insert_default()));
        self
    }

    pub(super) fn encoders(&self) -> Option<Hooks<'_>> {
        self.0.as_deref().map(|conversions| Hooks(&conversions.encoders)).filter(Hooks::are_there)
    }

    pub(super) fn decoders(&self) -> Option<Hooks<'_>> {
        self.0.as_deref().map(|conversions| Hooks(&conversions.decoders)).filter(Hooks::are_there)
    }
}

fn enter(conversions: &mut Vec<(ElementType, Conversion)>, kind: ElementType, conversion: Conversion) {
    conversions.retain(|(known, _)| *known != kind);
    conversions.push((kind, conversion));
}

impl PartialEq for TypeRegistry {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (None, None) => true,
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}

impl Eq for TypeRegistry {}

impl fmt::Debug for TypeRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = |conversions: &[(ElementType, Conversion)]| -> Vec<ElementType> {
            conversions.iter().map(|(kind, _)| *kind).collect()
        };
        let none = Conversions::default();
        let Conversions { encoders, decoders } = self.0.as_deref().unwrap_or(&none);
        f.debug_struct("TypeRegistry").field("encoders", &kinds(encoders)).field("decoders", &kinds(decoders)).finish()
    }
}

/// Conversions of one direction.
pub(super) struct Hooks<'a>(&'a [(ElementType, Conversion)]);

impl Hooks<'_> {
    fn are_there(&self) -> bool {
        !self.0.is_empty()
    }
}

impl Rule for Hooks<'_> {
    fn value(&self, kind: u8, out: &mut Vec<u8>, at: usize) -> Result<u8, ConversionError> {
        let Some((_, convert)) = self.0.iter().find(|(known, _)| *known as u8 == kind) else { return Ok(kind) };
        // What cannot be read is left to whoever reads it next, and knows what to do with faulty texts.
        let Some(value) = read_value(kind, &out[at..]) else { return Ok(kind) };
        let converted = convert(value).map_err(refused)?;
        let document = written(converted).map_err(|error| refused(error.into()))?;
        let (head, value) = document.as_bytes().split_at_checked(HEAD).ok_or(ConversionError::Malformed)?;
        out.truncate(at);
        out.extend_from_slice(value.strip_suffix(&[0]).ok_or(ConversionError::Malformed)?);
        head.get(4).copied().ok_or(ConversionError::Malformed)
    }
}

fn refused(source: ValueError) -> ConversionError {
    ConversionError::Refused { path: String::new(), source: source.into() }
}

/// Bytes in front of the value of a document whose only field has no name: length, type, and the end of the name.
const HEAD: usize = 4 + 1 + 1;

/// The value of which `bytes` is the encoding.
fn read_value(kind: u8, bytes: &[u8]) -> Option<Bson> {
    let length = i32::try_from(HEAD + bytes.len() + 1).ok()?;
    let document = [&length.to_le_bytes()[..], &[kind, 0], bytes, &[0]].concat();
    RawDocument::from_bytes(&document).ok()?.get("").ok()??.try_into().ok()
}

fn written(value: Bson) -> Result<RawDocumentBuf, bson::error::Error> {
    let mut document = RawDocumentBuf::new();
    document.append(cstr!(""), RawBson::try_from(value)?);
    Ok(document)
}
