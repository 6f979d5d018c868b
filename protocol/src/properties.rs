//! What holds for every input, tried with random ones that proptest makes smaller when one fails.
//!
//! The histories of `sdam` and `cmap` are random as well, and stand beside their machines.

use bson::{Bson, Document, RawDocumentBuf, doc, rawdoc};
use proptest::{collection::vec, prelude::*};

use crate::{
    address::ServerAddress,
    command::{EncodeError, Splitter, WriteLimits},
    event::LogDocument,
    uri::ConnectionString,
    wire::{DocumentSequence, Documents, MessageFlags, MessageParts, MessageReader, ReplyMessage, TailWriter},
};

const MAX: usize = 1 << 24;

/// A value of any of the common kinds, nested up to three levels deep.
fn value() -> impl Strategy<Value = Bson> {
    let leaf = prop_oneof![
        any::<i32>().prop_map(Bson::Int32),
        any::<i64>().prop_map(Bson::Int64),
        any::<bool>().prop_map(Bson::Boolean),
        // What is not a number is not equal to itself.
        any::<f64>().prop_filter("a number", |number| !number.is_nan()).prop_map(Bson::Double),
        "\\PC{0,20}".prop_map(Bson::String),
        Just(Bson::Null),
    ];
    leaf.prop_recursive(3, 40, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Bson::Array),
            vec(("[a-z]{1,6}", inner), 0..5).prop_map(|fields| Bson::Document(fields.into_iter().collect())),
        ]
    })
}

fn document() -> impl Strategy<Value = Document> {
    vec(("[a-z]{1,8}", value()), 0..6).prop_map(|fields| fields.into_iter().collect())
}

/// A command without and with documents in sequences, and what a reader makes of it.
#[derive(Clone, Debug)]
struct Command {
    body: Document,
    database: String,
    sequences: Vec<(&'static str, Vec<Document>)>,
}

impl Command {
    fn encode(&self, request_id: i32) -> Vec<u8> {
        let body = RawDocumentBuf::try_from(&self.body).unwrap();
        let mut tail = Vec::new();
        TailWriter::new(&mut tail).string(bson::raw::cstr!("$db"), &self.database);
        let sequences: Vec<DocumentSequence> = self.sequences.iter().map(|(name, all)| sequence(name, all)).collect();
        let flags = MessageFlags::NONE;
        let parts = MessageParts { body: &body, tail: &tail, sequences: &sequences, flags, request_id };
        let mut out = Vec::new();
        parts.write_to(&mut out, MAX).unwrap();
        out
    }

    fn as_document(&self) -> Document {
        let mut whole = self.body.clone();
        whole.insert("$db", &self.database);
        self.sequences.iter().for_each(|(name, all)| drop(whole.insert(*name, all.clone())));
        whole
    }
}

fn sequence(name: &'static str, documents: &[Document]) -> DocumentSequence {
    let mut sequence = DocumentSequence::new(name);
    documents.iter().for_each(|document| sequence.push(&RawDocumentBuf::try_from(document).unwrap()));
    sequence
}

fn command() -> impl Strategy<Value = Command> {
    let sequences = (vec(document(), 0..5), vec(document(), 0..5), 0..3_usize)
        .prop_map(|(one, two, count)| [("Documents", one), ("NsInfo", two)].into_iter().take(count).collect());
    (document(), "[a-z]{1,9}", sequences).prop_map(|(body, database, sequences)| Command { body, database, sequences })
}

/// All messages of a stream that arrives in these pieces, again and again.
fn read_all(stream: &[u8], pieces: &[usize]) -> Vec<ReplyMessage> {
    let (mut reader, mut rest, mut messages) = (MessageReader::new(MAX), stream, Vec::new());
    let mut pieces = pieces.iter().cycle();
    while !rest.is_empty() {
        let (piece, after) = rest.split_at((*pieces.next().unwrap()).min(rest.len()));
        reader.unfilled().extend_from_slice(piece);
        rest = after;
        while let Some(message) = reader.next().unwrap() {
            messages.push(message);
        }
    }
    assert!(!reader.is_mid_message());
    messages
}

proptest! {
    #[test]
    fn messages_come_back_whatever_pieces_they_arrive_in(
        commands in vec(command(), 1..5),
        pieces in vec(1..700_usize, 1..8),
    ) {
        let stream: Vec<u8> = (1..).zip(&commands).flat_map(|(id, command)| command.encode(id)).collect();
        let messages = read_all(&stream, &pieces);
        prop_assert_eq!(messages.len(), commands.len());
        for ((id, command), message) in (1..).zip(&commands).zip(messages) {
            prop_assert_eq!(message.request_id, id);
            let body: Document = message.body.as_document().to_owned().try_into().unwrap();
            prop_assert_eq!(body, command.as_document());
        }
    }

    #[cfg(all(feature = "snappy-compression", feature = "zlib-compression", feature = "zstd-compression"))]
    #[test]
    fn compressed_messages_come_back_whatever_pieces_they_arrive_in(
        command in command(),
        choice in 0..4_usize,
        pieces in vec(1..300_usize, 1..4),
    ) {
        use crate::{
            compression::{MessageCompressor, MessageDecompressor},
            options::Compressor::{Snappy, Zlib, Zstd},
            wire::CompressedMessage,
        };

        let compressor = [Snappy, Zlib { level: None }, Zlib { level: Some(0) }, Zstd { level: Some(1) }][choice];
        let (mut packed, plain) = (Vec::new(), command.encode(9));
        MessageCompressor::new(compressor).unwrap().compress(&plain, &mut packed, MAX).unwrap();
        let (mut reader, mut rest, mut pieces) = (MessageReader::new(MAX), &*packed, pieces.iter().cycle());
        let frame = loop {
            let (piece, after) = rest.split_at((*pieces.next().unwrap()).min(rest.len()));
            reader.unfilled().extend_from_slice(piece);
            rest = after;
            match reader.next_frame().unwrap() {
                Some(frame) => break frame,
                None => prop_assert!(!rest.is_empty(), "the message does not end"),
            }
        };
        let compressed = CompressedMessage::read(frame, MAX).unwrap();
        let message = ReplyMessage::try_from(MessageDecompressor::default().decompress(compressed).unwrap()).unwrap();
        prop_assert_eq!(message.request_id, 9);
        prop_assert_eq!(Document::try_from(message.body.as_document().to_owned()).unwrap(), command.as_document());
    }

    #[test]
    fn a_damaged_stream_is_an_error_or_a_message_and_never_a_panic(
        command in command(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut stream = command.encode(1);
        for (place, byte) in damage {
            let place = place.index(stream.len());
            stream[place] = byte;
        }
        let mut reader = MessageReader::new(MAX);
        reader.unfilled().extend_from_slice(&stream);
        while let Ok(Some(message)) = reader.next() {
            let _ = Document::try_from(message.body.as_document().to_owned());
        }
    }

    #[test]
    fn batches_are_within_the_limits_in_order_and_no_smaller_than_need_be(
        sizes in vec(0..400_usize, 0..120),
        max_write_batch_size in 1..40_usize,
        budget in 300..3000_usize,
    ) {
        const LARGEST: usize = 350;
        let documents: Vec<RawDocumentBuf> =
            (0_i32..).zip(&sizes).map(|(id, size)| rawdoc! { "_id": id, "text": "x".repeat(*size) }).collect();
        let (body_len, sequence) = (50, DocumentSequence::new("documents"));
        let mut limits = WriteLimits { max_bson_object_size: LARGEST, max_write_batch_size, ..WriteLimits::default() };
        limits.max_message_size_bytes -= limits.documents(body_len, &sequence) - budget;
        let mut splitter = Splitter::new(limits, "documents", body_len);
        let mut accepted = 0;
        for (index, document) in documents.iter().enumerate() {
            let (start, size) = (splitter.buffered(), document.as_bytes().len());
            splitter.buffer().extend_from_slice(document.as_bytes());
            match splitter.close_document(start, size) {
                Ok(()) => prop_assert!(size <= LARGEST.min(budget)),
                Err(EncodeError::DocumentTooLarge { index: at, size: of, .. }) => {
                    prop_assert!(at == index && of == size && size > LARGEST.min(budget));
                    splitter.buffer().truncate(start);
                    break;
                }
                Err(other) => prop_assert!(false, "{}", other),
            }
            accepted += 1;
        }
        let batches = splitter.finish();
        let mut next = 0;
        for batch in &batches {
            prop_assert!((1..=max_write_batch_size).contains(&batch.count) && batch.documents.len() <= budget);
            let read: Vec<_> = Documents::new(&batch.documents).map(Result::unwrap).collect();
            prop_assert_eq!(read.len(), batch.count);
            for document in read {
                prop_assert_eq!(document, &*documents[next]);
                next += 1;
            }
        }
        prop_assert_eq!(next, accepted);
        for pair in batches.windows(2) {
            let first = Documents::new(&pair[1].documents).next().unwrap().unwrap().as_bytes().len();
            let had_room = pair[0].count < max_write_batch_size && pair[0].documents.len() + first <= budget;
            prop_assert!(!had_room, "a batch ended before it was full");
        }
    }

    #[test]
    fn what_is_escaped_in_a_connection_string_comes_back(
        user in "\\PC{1,12}",
        password in "\\PC{0,12}",
        database in "[a-zA-Z0-9_-]{1,12}",
        ports in vec(1..=65535_u16, 1..4),
    ) {
        use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

        let escape = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let hosts: Vec<String> = ports.iter().map(|port| format!("h{port}.example.com:{port}")).collect();
        let text = format!("mongodb://{}:{}@{}/{database}", escape(&user), escape(&password), hosts.join(","));
        let parsed = ConnectionString::parse(&text).unwrap();
        prop_assert_eq!(parsed.username.as_deref(), Some(&*user));
        prop_assert_eq!(parsed.password.as_ref().map(|password| password.expose()), Some(&*password));
        prop_assert_eq!(parsed.database.as_deref(), Some(&*database));
        let addresses: Vec<String> = parsed.hosts.iter().map(|host| host.address(1).to_string()).collect();
        prop_assert_eq!(addresses, hosts);
    }

    #[test]
    fn any_text_is_an_address_that_can_be_read_again_or_an_error(text in "\\PC{0,30}") {
        if let Ok(address) = text.parse::<ServerAddress>() {
            prop_assert_eq!(address.to_string().parse::<ServerAddress>().unwrap(), address);
        }
        let _ = ConnectionString::parse(&text);
        let _ = ConnectionString::parse(&format!("mongodb://{text}"));
    }

    #[test]
    fn logs_show_no_more_than_allowed(document in document(), limit in 0..200_usize) {
        let raw = RawDocumentBuf::try_from(&document).unwrap();
        let whole = LogDocument::new(&raw, usize::MAX).to_string();
        let cut = LogDocument::new(&raw, limit).to_string();
        if whole.len() <= limit {
            prop_assert_eq!(cut, whole);
        } else {
            let shown = cut.strip_suffix("...").unwrap();
            prop_assert!(shown.len() <= limit && whole.starts_with(shown));
        }
    }
}

#[test]
fn the_generator_makes_what_the_properties_are_about() {
    let sequences = vec![("Documents", vec![doc! {}])];
    let command = Command { body: doc! { "a": 1 }, database: "db".into(), sequences };
    assert_eq!(command.as_document(), doc! { "a": 1, "$db": "db", "Documents": [{}] });
    assert_eq!(read_all(&command.encode(1), &[1]).len(), 1);
}
