//! The elements of `ops`: writes as the `bulkWrite` command has them.

use bson::{RawDocumentBuf, oid::ObjectId};
use serde::Serialize;

use super::{WriteKind, WriteModel, batch::require_all, batch::statement_size, model::Statement};
use crate::{
    command::{DeleteStatement, EncodeError, Hint, Properties, UpdateStatement, WriteLimits, encode, insert},
    retry::Operation,
};

/// Where each element has the index of its namespace: behind its length, the type of its first field, and that field's
/// name, which has six letters for all kinds.
const NAMESPACE_AT: usize = 4 + 1 + 7;

/// Appends `write` to `ops`, for the namespace with index 0. Adds to `properties` what it asks for.
///
/// `ops` is left with half an element when this fails.
pub(super) fn append<T: Serialize>(
    ops: &mut Vec<u8>,
    write: &WriteModel<T>,
    limits: WriteLimits,
    properties: &mut Properties,
    new_id: impl FnOnce() -> ObjectId,
) -> Result<WriteKind, EncodeError> {
    write.with_statement(|statement| {
        let plain = Properties::write(Operation::WRITE);
        let (kind, multi, required) = match statement {
            Statement::Insert(document) => {
                let id = append_insert(ops, document, limits, new_id)?;
                return Ok(WriteKind::Insert(id));
            }
            Statement::Update(statement) => {
                append_raw(ops, &update(&statement)?, limits)?;
                (WriteKind::Update, statement.multi, statement.require(plain))
            }
            Statement::Delete(statement) => {
                append_raw(ops, &delete(&statement)?, limits)?;
                (WriteKind::Delete, statement.multi, statement.require(plain))
            }
        };
        let retry = if multi { Operation::PLAIN_WRITE } else { required.retry };
        require_all(properties, Properties { retry, ..required });
        Ok(kind)
    })
}

/// Says which namespace the encoded element `op` is for.
pub(super) fn set_namespace(op: &mut [u8], index: i32) {
    let place = op.iter_mut().skip(NAMESPACE_AT);
    place.zip(index.to_le_bytes()).for_each(|(place, byte)| *place = byte);
}

/// The index of the namespace of the encoded element `op`.
pub(super) fn namespace_of(op: &[u8]) -> Option<i32> {
    op.get(NAMESPACE_AT..)?.first_chunk().map(|bytes| i32::from_le_bytes(*bytes))
}

const INT32: u8 = 0x10;
const DOCUMENT: u8 = 0x03;

/// The document is encoded in its place, and not copied.
fn append_insert<T: Serialize + ?Sized>(
    ops: &mut Vec<u8>,
    document: &T,
    limits: WriteLimits,
    new_id: impl FnOnce() -> ObjectId,
) -> Result<bson::Bson, EncodeError> {
    let start = ops.len();
    ops.extend_from_slice(&[0; 4]);
    ops.push(INT32);
    ops.extend_from_slice(b"insert\0\0\0\0\0");
    ops.push(DOCUMENT);
    ops.extend_from_slice(b"document\0");
    let document_at = ops.len();
    let id = insert::append_document(ops, document, new_id)?;
    let (size, limit) = (ops.len() - document_at, limits.max_bson_object_size);
    if size > limit {
        return Err(EncodeError::DocumentTooLarge { index: 0, size, limit });
    }
    ops.push(0);
    let length = i32::try_from(ops.len() - start).unwrap_or(i32::MAX);
    ops[start..].iter_mut().zip(length.to_le_bytes()).for_each(|(place, byte)| *place = byte);
    Ok(id)
}

fn append_raw(ops: &mut Vec<u8>, op: &RawDocumentBuf, limits: WriteLimits) -> Result<(), EncodeError> {
    let size = op.as_bytes().len();
    if statement_size(size, limits) > 0 {
        return Err(EncodeError::DocumentTooLarge { index: 0, size, limit: limits.max_bson_object_size });
    }
    ops.extend_from_slice(op.as_bytes());
    Ok(())
}

fn update(statement: &UpdateStatement<'_>) -> Result<RawDocumentBuf, EncodeError> {
    statement.validate()?;
    let mut op = RawDocumentBuf::new();
    encode::append!(&mut op;
        "update": 0_i32,
        "filter": statement.filter,
        "updateMods": statement.content,
        "multi": statement.multi,
        "upsert": statement.upsert,
        "arrayFilters": statement.array_filters,
        "hint": statement.hint,
        "collation": statement.collation,
        "sort": statement.sort,
    );
    Ok(op)
}

fn delete(statement: &DeleteStatement<'_>) -> Result<RawDocumentBuf, EncodeError> {
    Hint::validate(statement.hint)?;
    let mut op = RawDocumentBuf::new();
    encode::append!(&mut op;
        "delete": 0_i32,
        "filter": statement.filter,
        "multi": statement.multi,
        "hint": statement.hint,
        "collation": statement.collation,
    );
    Ok(op)
}
