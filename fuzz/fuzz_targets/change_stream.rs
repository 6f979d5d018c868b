//! Replies of a change stream's cursor, one document after the other, and the place that is kept between them.

#![no_main]

use bson::{Document, RawDocument, RawDocumentBuf};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use mongo_actors_protocol::{
    change_stream::{
        Arrival, ChangeStreamEvent, ChangeStreamOptions, Delivery, DeliveryError, ResumeToken, Start, Watch, Watched,
    },
    command::Command,
    wire::{Documents, ReplyBody},
};
use serde::Serialize;

#[derive(Serialize)]
struct Stored<'a> {
    token: &'a ResumeToken,
}

/// A token as bytes: tokens with what is not a number in them do not equal themselves.
fn stored(token: &ResumeToken) -> Option<RawDocumentBuf> {
    bson::serialize_to_raw_document_buf(&Stored { token }).ok()
}

fuzz_target!(|data: &[u8]| {
    let Some((choice, replies)) = data.split_first() else { return };
    let mut options = ChangeStreamOptions::default();
    if choice & 1 == 1 {
        options.start_after = Some(bson::rawdoc! { "_data": "8264" }.into());
    }
    let mut delivery = Delivery::new(&options);
    let mut handed_out = 0;
    for (turn, reply) in Documents::new(replies).map_while(Result::ok).take(8).enumerate() {
        let Ok(body) = ReplyBody::try_from(Bytes::copy_from_slice(reply.as_bytes())) else { continue };
        let Ok(arrival) = Arrival::read(&body) else { continue };
        let was_alive = delivery.is_alive();
        delivery.arrived(arrival);
        assert!(was_alive || !delivery.has_next(), "a stream that has ended took events");
        // A reader may lose interest, and the cursor be opened anew, in the middle of a batch.
        let patience = if choice >> (turn % 7 + 1) & 1 == 1 { 1 } else { usize::MAX };
        for _ in 0..patience {
            let Some(event) = delivery.hand_out() else { break };
            handed_out += 1;
            assert!(handed_out <= data.len(), "more events than bytes");
            judge(&mut delivery, event);
            reopen(&delivery, &options);
        }
    }
    delivery.end();
    assert!(delivery.hand_out().is_none() && !delivery.is_alive());
});

fn judge(delivery: &mut Delivery, event: Result<Bytes, DeliveryError>) {
    let event = match event {
        Ok(event) => event,
        Err(DeliveryError::MissingResumeToken(_)) => {
            assert!(!delivery.is_alive(), "a stream that cannot be resumed goes on");
            return;
        }
        Err(error) => {
            assert!(!error.to_string().is_empty() && !delivery.has_next());
            return;
        }
    };
    let event = RawDocument::from_bytes(&event).expect("events are documents");
    let token = ResumeToken::of_event(event).expect("an event without a token is an error");
    if delivery.has_next() {
        let place = delivery.resume_token().expect("an event was handed out");
        assert_eq!(stored(place), stored(&token), "the place is behind the event handed out last");
    }
    if let Ok(typed) = bson::deserialize_from_slice::<ChangeStreamEvent<Document>>(event.as_bytes()) {
        assert_eq!(stored(&typed.id), stored(&token));
        let _again = bson::serialize_to_vec(&typed);
    }
}

/// What a lost cursor would be replaced by: a command that names the place byte by byte.
fn reopen(delivery: &Delivery, options: &ChangeStreamOptions) {
    let start = delivery.start();
    let watch = Watch { watched: &Watched::Cluster, pipeline: &[], options, start: &start };
    let body = watch.request().expect("a token fits into a command").body;
    let pipeline = body.get_array("pipeline").expect("it was just made");
    let stage = pipeline.get(0).expect("it was just made").and_then(|stage| stage.as_document()).expect("a stage");
    let stage = stage.get_document("$changeStream").expect("it was just made");
    let (name, token) = match &start {
        Start::ResumeAfter(token) => ("resumeAfter", token),
        Start::StartAfter(token) => ("startAfter", token),
        _ => return,
    };
    let mut sent = RawDocumentBuf::new();
    sent.append(bson::raw::cstr!("token"), stage.get(name).expect("it was just made").expect("the place is named"));
    if let Some(kept) = stored(token) {
        assert_eq!(sent, kept, "a token that was stored is the one that is sent");
        let back: Stored2 = bson::deserialize_from_slice(kept.as_bytes()).expect("it was just written");
        assert_eq!(stored(&back.token), Some(kept), "a token that was read back is the one that was stored");
    }
}

#[derive(serde::Deserialize)]
struct Stored2 {
    token: ResumeToken,
}
