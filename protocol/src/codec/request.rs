//! The conversions of a command.

use bson::RawDocumentBuf;

use super::{CodecOptions, ConversionError, rewrite::Reach};
use crate::command::{DocumentSequence, EncodeError, Request};

impl CodecOptions {
    /// Converts the application's part of a command, in place. A command that a user wrote is not to be converted.
    ///
    /// # Errors
    /// [`EncodeError::Conversion`] when a document in it is not BSON, or an encoder refuses a value.
    pub fn write_request(&self, request: &mut Request) -> Result<(), EncodeError> {
        if !self.converts_what_is_sent() {
            return Ok(());
        }
        let body = self.write(request.body.as_bytes(), Reach::Command);
        request.body =
            body.and_then(|body| RawDocumentBuf::from_bytes(body).map_err(|_| ConversionError::Malformed))?;
        request.sequences.iter_mut().try_for_each(|sequence| self.write_sequence(sequence))
    }

    fn write_sequence(&self, sequence: &mut DocumentSequence) -> Result<(), EncodeError> {
        let reach = match sequence.identifier {
            "documents" => Reach::Everything,
            "updates" | "deletes" | "ops" => Reach::Statement,
            _ => return Ok(()),
        };
        let mut documents = Vec::with_capacity(sequence.documents.len());
        for (index, document) in sequence.iter().enumerate() {
            let written = document
                .map_err(|_| ConversionError::Malformed)
                .and_then(|document| self.write(document.as_bytes(), reach))
                .map_err(|source| EncodeError::Conversion { index: Some(index), source })?;
            documents.extend_from_slice(&written);
        }
        sequence.documents = documents;
        Ok(())
    }
}
