//! Replies to commands: envelope, errors, cursors, write results, and how they are shown and redacted.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use mongo_actors_protocol::{
    command::{CursorReply, Envelope, WriteReply},
    error::{CommandError, WriteConcernError},
    event::LogDocument,
    session::ClusterTime,
    wire::ReplyBody,
};

fuzz_target!(|data: &[u8]| {
    let Ok(body) = ReplyBody::try_from(Bytes::copy_from_slice(data)) else { return };
    let document = body.as_document();
    if let Ok(envelope) = Envelope::read(document) {
        let _labels = envelope.labels().count();
        if let Some(error) = envelope.error(document) {
            assert!(!error.to_string().is_empty());
        }
        let _time = envelope.cluster_time.and_then(ClusterTime::from_document);
    }
    let _ = CommandError::from_reply(document);
    let _ = WriteConcernError::from_reply(document);
    if let Ok(reply) = CursorReply::read(document) {
        let _ = (reply.first(), reply.namespace());
        if let Ok(mut batch) = reply.documents(&body) {
            let mut count = 0;
            while let Some(Ok(_)) = batch.next_document() {
                count += 1;
                assert!(count <= data.len());
            }
        }
    }
    if let Ok(reply) = WriteReply::read(document) {
        let _ = reply.failure();
    }
    for limit in [0, 1, 40, 1000] {
        let shown = LogDocument::new(document, limit).to_string();
        assert!(shown.len() <= limit + "<invalid>".len(), "{} bytes where {limit} are allowed", shown.len());
    }
});
