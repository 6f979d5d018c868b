//! What a connection needs to know from the answer to its first hello.

use bson::{
    RawDocument, RawDocumentBuf,
    oid::ObjectId,
    raw::{RawArray, RawBsonRef},
};

use crate::{
    command::{
        ReplyError,
        reply::{integer, truth},
    },
    options::Compressor,
    wire::{DEFAULT_MAX_BSON_OBJECT_SIZE, DEFAULT_MAX_MESSAGE_SIZE, DEFAULT_MAX_WRITE_BATCH_SIZE, HEADER_LEN},
};

/// The sizes that a server accepts. Values it does not give, or that make no sense, are replaced by the defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizeLimits {
    /// `maxBsonObjectSize`: bytes of one stored document.
    pub max_bson_object_size: usize,
    /// `maxMessageSizeBytes`: bytes of one message, in both directions.
    pub max_message_size: usize,
    /// `maxWriteBatchSize`: write statements in one command.
    pub max_write_batch_size: usize,
}

impl Default for SizeLimits {
    fn default() -> Self {
        Self {
            max_bson_object_size: DEFAULT_MAX_BSON_OBJECT_SIZE,
            max_message_size: DEFAULT_MAX_MESSAGE_SIZE,
            max_write_batch_size: DEFAULT_MAX_WRITE_BATCH_SIZE,
        }
    }
}

impl SizeLimits {
    /// The most bytes that are believed, whatever a server says: it decides what memory a connection may take.
    pub const MAX_SIZE: usize = 4 * DEFAULT_MAX_MESSAGE_SIZE;
}

/// Why a connection cannot be used after the answer to its first hello.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The answer is not BSON.
    #[error(transparent)]
    Reply(#[from] ReplyError),
    /// `loadBalanced=true`, but no load balancer is there, or it does not speak to servers that know of it.
    #[error(
        "Driver attempted to initialize in load balancing mode, but the server does not support this mode: its hello \
         reply has no serviceId; remove loadBalanced=true, or connect to a load balancer's port"
    )]
    LoadBalancingUnsupported,
}

/// The part of the first hello reply that establishing a connection needs.
///
/// What it says about the deployment is not read here. `ok` is not looked at: read the
/// [`Envelope`](crate::command::Envelope) first.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct HandshakeReply {
    /// Whether the server understands `hello`.
    pub hello_ok: bool,
    /// The server's number for this connection.
    pub connection_id: Option<i64>,
    /// The server behind the load balancer.
    pub service_id: Option<ObjectId>,
    /// The sizes that the server accepts.
    pub limits: SizeLimits,
    /// The newest wire version that the server speaks.
    pub max_wire_version: i32,
    /// Names of the compressors that both sides know.
    pub compression: Vec<String>,
    /// Names of the user's mechanisms; none when the server did not say.
    pub sasl_supported_mechs: Option<Vec<String>>,
    /// The answer to speculative authentication; none when the server ignored it.
    pub speculative_authenticate: Option<RawDocumentBuf>,
    /// Whether the server is an arbiter, with which no authentication is possible.
    pub arbiter_only: bool,
}

impl HandshakeReply {
    /// Reads `reply`. Fields of unexpected types count as absent, and unknown names in lists are kept.
    ///
    /// # Errors
    /// [`HandshakeError`]; `load_balanced` says that a `serviceId` is required.
    pub fn read(reply: &RawDocument, load_balanced: bool) -> Result<Self, HandshakeError> {
        let mut read = Self::default();
        for element in reply.iter_elements() {
            let element = element.map_err(ReplyError::from)?;
            let value = element.value().map_err(ReplyError::from)?;
            read.take(element.key().as_str(), value);
        }
        // The largest document must fit a message, whatever the server says.
        read.limits.max_bson_object_size = read.limits.max_bson_object_size.min(read.limits.max_message_size);
        if load_balanced && read.service_id.is_none() {
            return Err(HandshakeError::LoadBalancingUnsupported);
        }
        Ok(read)
    }

    /// The compressor for this connection: the first of `ours` that the server knows as well.
    ///
    /// `ours` are in order of preference; the server's order does not matter.
    pub fn compressor(&self, ours: &[Compressor]) -> Option<Compressor> {
        ours.iter().copied().find(|ours| self.compression.iter().any(|theirs| theirs == ours.name()))
    }

    fn take(&mut self, key: &str, value: RawBsonRef<'_>) {
        match key {
            "helloOk" => self.hello_ok = truth(value).unwrap_or(false),
            "connectionId" => self.connection_id = integer(value),
            "serviceId" => self.service_id = value.as_object_id(),
            "maxBsonObjectSize" => set_size(&mut self.limits.max_bson_object_size, value, HEADER_LEN),
            "maxMessageSizeBytes" => set_size(&mut self.limits.max_message_size, value, SMALLEST_MESSAGE),
            "maxWriteBatchSize" => set_size(&mut self.limits.max_write_batch_size, value, 1),
            "maxWireVersion" => {
                self.max_wire_version = integer(value).and_then(|version| i32::try_from(version).ok()).unwrap_or(0);
            }
            "compression" => self.compression = value.as_array().map(names).unwrap_or_default(),
            "saslSupportedMechs" => self.sasl_supported_mechs = value.as_array().map(names),
            "speculativeAuthenticate" => {
                self.speculative_authenticate = value.as_document().map(RawDocument::to_owned);
            }
            "arbiterOnly" => self.arbiter_only = truth(value).unwrap_or(false),
            _ => {}
        }
    }
}

/// Bytes below which not even a command without arguments fits.
const SMALLEST_MESSAGE: usize = 256;

/// Takes a size from a reply, within reason.
fn set_size(limit: &mut usize, value: RawBsonRef<'_>, least: usize) {
    let size = integer(value).and_then(|size| usize::try_from(size).ok());
    if let Some(size) = size.filter(|size| *size >= least) {
        *limit = size.min(SizeLimits::MAX_SIZE);
    }
}

/// The strings in a list.
fn names(list: &RawArray) -> Vec<String> {
    list.into_iter().map_while(Result::ok).filter_map(|name| name.as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;

    use super::*;

    #[test]
    fn what_establishment_needs_is_read() {
        let id = ObjectId::from_bytes([3; 12]);
        let reply = rawdoc! {
            "helloOk": true, "connectionId": 7, "serviceId": id, "maxBsonObjectSize": 100_000, "maxWireVersion": 25,
            "maxMessageSizeBytes": 200_000_i64, "maxWriteBatchSize": 5.0, "compression": ["lzma", "zlib", "snappy"],
            "saslSupportedMechs": ["SCRAM-SHA-256", 3, "X"], "speculativeAuthenticate": { "done": false },
            "arbiterOnly": true, "ok": 1,
        };
        let read = HandshakeReply::read(&reply, true).unwrap();
        let limits = SizeLimits { max_bson_object_size: 100_000, max_message_size: 200_000, max_write_batch_size: 5 };
        let expected = HandshakeReply {
            hello_ok: true,
            connection_id: Some(7),
            service_id: Some(id),
            limits,
            max_wire_version: 25,
            compression: vec!["lzma".into(), "zlib".into(), "snappy".into()],
            sasl_supported_mechs: Some(vec!["SCRAM-SHA-256".into(), "X".into()]),
            speculative_authenticate: Some(rawdoc! { "done": false }),
            arbiter_only: true,
        };
        assert_eq!(read, expected);
        let ours = [Compressor::Zstd { level: None }, Compressor::Snappy, Compressor::Zlib { level: Some(1) }];
        assert_eq!(read.compressor(&ours), Some(Compressor::Snappy));
        assert_eq!(read.compressor(&ours[2..]), Some(ours[2]));
        assert_eq!(read.compressor(&ours[..1]), None);
    }

    #[test]
    fn senseless_values_are_replaced() {
        let reply = rawdoc! {
            "maxBsonObjectSize": -1, "maxMessageSizeBytes": i64::MAX, "maxWriteBatchSize": 0, "compression": 1,
            "connectionId": "x", "saslSupportedMechs": "x", "ok": 1,
        };
        let read = HandshakeReply::read(&reply, false).unwrap();
        assert_eq!(read.limits, SizeLimits { max_message_size: SizeLimits::MAX_SIZE, ..SizeLimits::default() });
        assert_eq!(HandshakeReply { limits: SizeLimits::default(), ..read }, HandshakeReply::default());
        let small = HandshakeReply::read(&rawdoc! { "maxMessageSizeBytes": 1000 }, false).unwrap();
        assert_eq!(small.limits.max_bson_object_size, 1000);
    }

    #[test]
    fn a_load_balancer_must_name_the_service() {
        let error = HandshakeReply::read(&rawdoc! { "ok": 1 }, true).unwrap_err();
        assert_eq!(error, HandshakeError::LoadBalancingUnsupported);
    }
}
