//! Files to chunks and back.

use bson::{Binary, Bson, Document, RawDocument, RawDocumentBuf, doc, oid::ObjectId, rawdoc, spec::BinarySubtype};
use proptest::{collection::vec, prelude::*};

use super::*;

const ID: i32 = 7;

fn file(length: u64, chunk_size: u32) -> FilesCollectionDocument {
    let file = FilesCollectionDocument::new(ID.into(), "name".into(), chunk_size, None);
    FilesCollectionDocument { length, ..file }
}

/// The chunks of a file that is given in `pieces`.
fn split(pieces: &[Vec<u8>], chunk_size: u32) -> Vec<RawDocumentBuf> {
    let mut splitter = Splitter::new(ID.into(), chunk_size);
    let mut chunks = Vec::new();
    for piece in pieces {
        let mut rest = &piece[..];
        while !rest.is_empty() {
            rest = &rest[splitter.push(rest, new_id)..];
            if splitter.is_full() {
                chunks.append(&mut splitter.take_group());
            }
        }
    }
    assert_eq!(splitter.length(), pieces.iter().map(|piece| piece.len() as u64).sum::<u64>());
    chunks.append(&mut splitter.take_rest(new_id));
    chunks
}

fn assemble(assembly: &mut Assembly, chunks: &[RawDocumentBuf]) -> Result<Vec<u8>, Corruption> {
    let mut bytes = Vec::new();
    for chunk in chunks {
        bytes.extend_from_slice(&chunk.as_bytes()[assembly.accept(chunk)?]);
    }
    assembly.finish()?;
    Ok(bytes)
}

/// Chunks are told apart by their numbers.
fn new_id() -> ObjectId {
    ObjectId::from_bytes([1; 12])
}

fn binary(bytes: &[u8]) -> Binary {
    Binary { subtype: BinarySubtype::Generic, bytes: bytes.to_vec() }
}

fn chunk(n: i32, bytes: &[u8]) -> RawDocumentBuf {
    rawdoc! { "_id": n, "files_id": ID, "n": n, "data": binary(bytes) }
}

proptest! {
    #[test]
    fn what_is_split_can_be_assembled(
        pieces in vec(vec(any::<u8>(), 0..50), 0..8),
        chunk_size in 1_u32..40,
        from in 0_u64..8,
    ) {
        let whole = pieces.concat();
        let file = file(whole.len() as u64, chunk_size);
        let chunks = split(&pieces, chunk_size);
        prop_assert_eq!(chunks.len() as u64, file.chunks());
        let lengths = (0..file.chunks()).map(|n| file.chunk_length(n)).sum::<u64>();
        prop_assert_eq!(lengths, file.length);
        prop_assert_eq!(assemble(&mut Assembly::new(&file, 0), &chunks).unwrap(), &whole[..]);
        let from = from.min(file.chunks());
        let start = usize::try_from(from * u64::from(chunk_size)).unwrap().min(whole.len());
        let rest = assemble(&mut Assembly::new(&file, from), &chunks[usize::try_from(from).unwrap()..]);
        prop_assert_eq!(rest.unwrap(), &whole[start..]);
    }

    #[test]
    fn no_chunk_can_be_left_out_or_cut(
        length in 1_usize..60,
        chunk_size in 1_u32..20,
        which in any::<prop::sample::Index>(),
    ) {
        let whole = vec![1; length];
        let file = file(length as u64, chunk_size);
        let chunks = split(&[whole], chunk_size);
        let which = which.index(chunks.len());
        let mut without = chunks.clone();
        without.remove(which);
        let missing = Corruption::Missing { n: which as u64 };
        prop_assert_eq!(assemble(&mut Assembly::new(&file, 0), &without).unwrap_err(), missing);
        let mut cut = chunks;
        cut[which] = chunk(i32::try_from(which).unwrap(), &[]);
        let (n, expected) = (which as u64, file.chunk_length(which as u64));
        let wrong = Corruption::WrongSize { n, expected, actual: 0 };
        prop_assert_eq!(assemble(&mut Assembly::new(&file, 0), &cut).unwrap_err(), wrong);
    }
}

#[test]
fn groups_are_bounded_and_complete() {
    let mut splitter = Splitter::new(ID.into(), 1024 * 1024);
    let bytes = vec![0; 6 * 1024 * 1024];
    let taken = splitter.push(&bytes, new_id);
    assert_eq!((taken, splitter.is_full()), (4 * 1024 * 1024, true));
    assert_eq!(splitter.push(&bytes, new_id), 0, "the group has to be taken first");
    assert_eq!(splitter.take_group().len(), 4);
    assert_eq!(splitter.push(&bytes[..1], new_id), 1);
    assert_eq!((splitter.take_rest(new_id).len(), splitter.length()), (1, 4 * 1024 * 1024 + 1));
}

#[test]
fn chunks_have_the_fields_of_the_specification() {
    let chunks = split(&[vec![1, 2, 3]], 2);
    let names = |chunk: &RawDocument| chunk.iter().map(|field| field.unwrap().0.to_string()).collect::<Vec<_>>();
    assert_eq!(names(&chunks[0]), ["_id", "files_id", "n", "data"]);
    assert_eq!((chunks[1].get_i32("files_id").unwrap(), chunks[1].get_i32("n").unwrap()), (ID, 1));
    assert_eq!(chunks[1].get_binary("data").unwrap().bytes, [3]);
}

#[test]
fn a_chunk_behind_the_end_is_one_too_many_unless_it_is_empty() {
    let mut assembly = Assembly::new(&file(2, 2), 0);
    assert_eq!(assembly.accept(&chunk(0, &[1, 2])).unwrap().len(), 2);
    assert!(assembly.is_complete());
    assert_eq!(assembly.accept(&chunk(1, &[])), Ok(0..0));
    assert_eq!(assembly.accept(&chunk(1, &[9])), Err(Corruption::Extra { n: 1 }));
}

#[test]
fn what_is_no_chunk_is_told_with_its_fault() {
    let mut assembly = Assembly::new(&file(2, 2), 0);
    for (chunk, fault) in [
        (rawdoc! { "n": 0 }, "no field \"data\""),
        (rawdoc! { "data": "text" }, "no field \"n\""),
        (rawdoc! { "n": 0, "data": "text" }, "not binary"),
        (rawdoc! { "n": -1, "data": "text" }, "no number of a chunk"),
        (rawdoc! { "n": 0.5, "data": "text" }, "no number of a chunk"),
    ] {
        let error = assembly.accept(&chunk).unwrap_err().to_string();
        assert!(error.starts_with("chunk 0") && error.contains(fault), "{error}");
    }
    let double = rawdoc! { "n": 0.0, "data": binary(&[1, 2]) };
    assert_eq!(assembly.accept(&double).unwrap().len(), 2);
}

#[test]
fn files_are_read_whatever_stored_them() {
    let date = bson::DateTime::from_millis(1);
    let legacy =
        doc! { "_id": "x", "length": 5.0, "chunkSize": 4_i64, "uploadDate": date, "filename": Bson::Null, "md5": "0f" };
    let file = FilesCollectionDocument::from_document(legacy.clone()).unwrap();
    assert_eq!((file.length, file.chunk_size, file.chunks(), file.chunk_length(1)), (5, 4, 2, 1));
    assert_eq!((file.filename.as_deref(), file.extra.get_str("md5").unwrap()), (None, "0f"));
    assert_eq!(file.upload_date, Some(date));
    let again: FilesCollectionDocument = bson::deserialize_from_document(legacy).unwrap();
    assert_eq!(again, file);
    let stored = bson::serialize_to_document(&file).unwrap();
    assert_eq!(stored.get_i64("length").unwrap(), 5);
    assert_eq!(FilesCollectionDocument::from_document(stored).unwrap(), file);
}

#[test]
fn what_is_no_file_is_told_with_its_fault() {
    let valid = doc! { "_id": 1, "length": 1, "chunkSize": 1 };
    let with = |field: &str, value: Bson| {
        let mut document = valid.clone();
        document.insert(field, value);
        document
    };
    for (document, field) in [
        (doc! {}, "_id"),
        (with("length", Bson::Int32(-1)), "length"),
        (with("length", Bson::Double(0.5)), "length"),
        (with("length", Bson::Double(f64::NAN)), "length"),
        (with("chunkSize", Bson::Int32(0)), "chunkSize"),
        (with("chunkSize", Bson::Int64(1 << 40)), "chunkSize"),
        (with("chunkSize", Bson::String("1".into())), "chunkSize"),
    ] {
        let error = FilesCollectionDocument::from_document(document).unwrap_err().to_string();
        assert!(error.contains(field), "{error}");
    }
}

#[test]
fn a_file_without_a_size_of_chunks_harms_nobody() {
    let file = file(3, 0);
    assert_eq!((file.chunks(), file.chunk_length(0), file.chunk_length(3)), (3, 1, 0));
    assert!(!Assembly::new(&file, 0).is_complete());
}

#[test]
fn revisions_are_counted_from_both_ends() {
    let query = |revision: i32| {
        let revision = Revision::from(revision);
        (revision.sort().get_i32("uploadDate").unwrap(), revision.skip())
    };
    assert_eq!((query(0), query(2)), ((1, 0), (1, 2)));
    assert_eq!((query(-1), query(-3)), ((-1, 0), (-1, 2)));
    assert_eq!((query(i32::MIN), query(i32::MAX)), ((-1, 2_147_483_647), (1, 2_147_483_647)));
}

#[test]
fn indexes_are_known_whatever_the_type_of_their_directions() {
    for keys in [
        doc! { "filename": 1, "uploadDate": 1.0 },
        doc! { "filename": 1_i64, "uploadDate": 1 },
        doc! { "filename": 1.0, "uploadDate": 1.0 },
    ] {
        assert!(has_keys(&keys, &FILE_KEYS), "{keys}");
    }
    let others: [Document; 4] = [
        doc! { "filename": 1 },
        doc! { "uploadDate": 1, "filename": 1 },
        doc! { "filename": 1, "uploadDate": -1 },
        doc! { "filename": 1, "uploadDate": "text" },
    ];
    assert!(others.iter().all(|keys| !has_keys(keys, &FILE_KEYS)));
}
