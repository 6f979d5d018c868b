//! The conversions of a document, in their order.

use std::borrow::Cow;

use bson::{Bson, Document, RawDocument};

use super::{
    CodecOptions, ConversionError, DatetimeConversion,
    datetime::Clamp,
    rewrite::{Reach, rewrite},
    uuid::{FromLegacy, ToLegacy},
};

impl CodecOptions {
    /// Whether documents have to be converted before they are sent.
    pub fn converts_what_is_sent(&self) -> bool {
        self.uuid_representation.is_legacy() || self.type_registry.encoders().is_some()
    }

    /// Whether documents have to be converted before they are read.
    pub fn converts_what_is_read(&self) -> bool {
        self.uuid_representation.is_legacy()
            || self.datetime_conversion == DatetimeConversion::Clamp
            || self.type_registry.decoders().is_some()
    }

    /// A document that was received, for serde to read.
    ///
    /// # Errors
    /// [`ConversionError`] when it is not BSON, or a decoder refuses a value.
    pub fn read<'a>(&self, document: &'a [u8]) -> Result<Cow<'a, [u8]>, ConversionError> {
        self.read_within(document, Reach::Everything)
    }

    /// An event of a change stream that was received, for serde to read: what comes from the collection is converted.
    ///
    /// # Errors
    /// [`ConversionError`] when it is not BSON, or a decoder refuses a value.
    pub fn read_event<'a>(&self, event: &'a [u8]) -> Result<Cow<'a, [u8]>, ConversionError> {
        self.read_within(event, Reach::Event)
    }

    /// A value that was received.
    ///
    /// # Errors
    /// [`ConversionError`] when a decoder refuses it or a value in it.
    pub fn read_value(&self, value: Bson) -> Result<Bson, ConversionError> {
        if !self.converts_what_is_read() {
            return Ok(value);
        }
        let mut document = Document::new();
        document.insert("value", value);
        let document = bson::serialize_to_vec(&document).map_err(|_| ConversionError::Malformed)?;
        let read = self.read(&document)?;
        let read = RawDocument::from_bytes(&read).map_err(|_| ConversionError::Malformed)?;
        let value = read.get("value").map_err(|_| ConversionError::Malformed)?.ok_or(ConversionError::Malformed)?;
        value.try_into().map_err(|_| ConversionError::Malformed)
    }

    fn read_within<'a>(&self, document: &'a [u8], reach: Reach) -> Result<Cow<'a, [u8]>, ConversionError> {
        let mut document = Cow::Borrowed(document);
        if self.uuid_representation.is_legacy() {
            document = rewrite(&document, reach, &FromLegacy(self.uuid_representation))?.into();
        }
        if self.datetime_conversion == DatetimeConversion::Clamp {
            document = rewrite(&document, reach, &Clamp)?.into();
        }
        if let Some(decoders) = self.type_registry.decoders() {
            document = rewrite(&document, reach, &decoders)?.into();
        }
        Ok(document)
    }

    /// The stages of a pipeline, as they are to be sent.
    ///
    /// # Errors
    /// [`ConversionError`] when an encoder refuses a value.
    pub fn write_pipeline(&self, pipeline: Vec<Document>) -> Result<Vec<Document>, ConversionError> {
        if !self.converts_what_is_sent() {
            return Ok(pipeline);
        }
        let stages = pipeline.iter().map(|stage| {
            let stage = bson::serialize_to_vec(stage).map_err(|_| ConversionError::Malformed)?;
            let stage = self.write(&stage, Reach::Everything)?;
            bson::deserialize_from_slice(&stage).map_err(|_| ConversionError::Malformed)
        });
        stages.collect()
    }

    /// A document that serde wrote, as it is to be sent.
    pub(super) fn write(&self, document: &[u8], reach: Reach) -> Result<Vec<u8>, ConversionError> {
        let mut document = Cow::Borrowed(document);
        if let Some(encoders) = self.type_registry.encoders() {
            document = rewrite(&document, reach, &encoders)?.into();
        }
        if self.uuid_representation.is_legacy() {
            document = rewrite(&document, Reach::Everything, &ToLegacy(self.uuid_representation))?.into();
        }
        Ok(document.into_owned())
    }
}
