//! What a member of the simulated set holds: documents, and which statements of which session were executed.

use std::collections::BTreeMap;

use mongo_actors::bson::{Bson, Document, doc};

/// `database.collection`.
pub(super) type Namespace = String;

/// A change, as the log has it.
#[derive(Clone, Debug)]
pub(super) enum Change {
    /// Nothing: a new primary's first word.
    Nothing,
    Insert {
        namespace: Namespace,
        document: Document,
    },
    /// The document as it is afterwards.
    Replace {
        namespace: Namespace,
        document: Document,
    },
    Delete {
        namespace: Namespace,
        id: Bson,
    },
}

/// One statement of a write that may be retried.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Statement {
    pub(super) session: Vec<u8>,
    pub(super) txn_number: i64,
    pub(super) number: i32,
}

/// An entry of the log.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) term: u64,
    /// The cluster time at which it was written. It grows along the log.
    pub(super) time: u64,
    pub(super) change: Change,
    pub(super) statement: Option<Statement>,
}

/// Why a statement was not executed.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) code: i32,
    pub(super) message: String,
}

/// The documents at one place in the log.
#[derive(Clone, Debug, Default)]
pub(super) struct Data {
    collections: BTreeMap<Namespace, BTreeMap<String, Document>>,
    /// Of each session: its latest transaction number, and the statements of it that were executed.
    sessions: BTreeMap<Vec<u8>, (i64, Vec<i32>)>,
}

/// Documents are kept by their `_id`, in an order that is the same in every run.
fn key(id: &Bson) -> String {
    match id {
        Bson::Int32(number) => format!("{number:012}"),
        Bson::Int64(number) => format!("{number:012}"),
        other => other.to_string(),
    }
}

fn id_of(document: &Document) -> Bson {
    document.get("_id").cloned().unwrap_or(Bson::Null)
}

impl Data {
    pub(super) fn apply(&mut self, entry: &Entry) {
        match &entry.change {
            Change::Nothing => {}
            Change::Insert { namespace, document } | Change::Replace { namespace, document } => {
                let collection = self.collections.entry(namespace.clone()).or_default();
                collection.insert(key(&id_of(document)), document.clone());
            }
            Change::Delete { namespace, id } => {
                if let Some(collection) = self.collections.get_mut(namespace) {
                    collection.remove(&key(id));
                }
            }
        }
        if let Some(statement) = &entry.statement {
            let session = self.sessions.entry(statement.session.clone()).or_default();
            if session.0 != statement.txn_number {
                *session = (statement.txn_number, Vec::new());
            }
            session.1.push(statement.number);
        }
    }

    /// Whether the statement was executed; an error when its session has gone on to other writes.
    pub(super) fn was_executed(&self, statement: &Statement) -> Result<bool, Refusal> {
        let Some((latest, numbers)) = self.sessions.get(&statement.session) else { return Ok(false) };
        if *latest > statement.txn_number {
            let message = format!("txnNumber {} is older than {latest}", statement.txn_number);
            return Err(Refusal { code: 225, message });
        }
        Ok(*latest == statement.txn_number && numbers.contains(&statement.number))
    }

    pub(super) fn insert(&self, namespace: &str, document: &Document) -> Result<Change, Refusal> {
        if self.find(namespace, &doc! { "_id": id_of(document) }).next().is_some() {
            let message = format!("E11000 duplicate key error collection: {namespace} index: _id_");
            return Err(Refusal { code: 11_000, message });
        }
        Ok(Change::Insert { namespace: namespace.to_owned(), document: document.clone() })
    }

    /// What `$inc`, `$push` and `$set` make of the first document found; none when there is none.
    pub(super) fn update(&self, namespace: &str, filter: &Document, update: &Document) -> Option<Change> {
        let mut document = self.find(namespace, filter).next()?.clone();
        for (operator, fields) in update {
            for (name, value) in fields.as_document().into_iter().flatten() {
                match (operator.as_str(), document.get_mut(name)) {
                    ("$inc", Some(Bson::Int32(sum))) => *sum += value.as_i32().unwrap_or(0),
                    ("$push", Some(Bson::Array(array))) => array.push(value.clone()),
                    ("$push", _) => drop(document.insert(name, vec![value.clone()])),
                    _ => drop(document.insert(name, value.clone())),
                }
            }
        }
        Some(Change::Replace { namespace: namespace.to_owned(), document })
    }

    pub(super) fn delete(&self, namespace: &str, filter: &Document) -> Option<Change> {
        let id = id_of(self.find(namespace, filter).next()?);
        Some(Change::Delete { namespace: namespace.to_owned(), id })
    }

    /// The documents whose fields are equal to those of `filter`, in the order of their `_id`.
    pub(super) fn find<'a>(&'a self, namespace: &str, filter: &'a Document) -> impl Iterator<Item = &'a Document> {
        let wanted = filter.get("_id").map(key);
        let collection = self.collections.get(namespace);
        let by_id = wanted.as_ref().and_then(|id| collection.and_then(|collection| collection.get(id)));
        let all = collection.filter(|_| wanted.is_none()).into_iter().flat_map(BTreeMap::values);
        let fits = |document: &&Document| filter.iter().all(|(name, value)| document.get(name) == Some(value));
        by_id.into_iter().chain(all).filter(fits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(change: Change, statement: Option<Statement>) -> Entry {
        Entry { term: 1, time: 1, change, statement }
    }

    #[test]
    fn documents_are_inserted_once_updated_and_deleted() {
        let mut data = Data::default();
        let document = doc! { "_id": 7, "sum": 1 };
        data.apply(&entry(data.insert("a.b", &document).unwrap(), None));
        assert_eq!(data.insert("a.b", &document).unwrap_err().code, 11_000);
        let update = doc! { "$inc": { "sum": 2 }, "$push": { "marks": "x" } };
        let change = data.update("a.b", &doc! { "_id": 7 }, &update).unwrap();
        data.apply(&entry(change, None));
        let expected = doc! { "_id": 7, "sum": 3, "marks": ["x"] };
        assert_eq!(data.find("a.b", &doc! {}).collect::<Vec<_>>(), [&expected]);
        data.apply(&entry(data.delete("a.b", &doc! { "sum": 3 }).unwrap(), None));
        assert!(data.delete("a.b", &doc! { "_id": 7 }).is_none());
    }

    #[test]
    fn executed_statements_are_known_until_their_session_goes_on() {
        let mut data = Data::default();
        let statement = |txn_number, number| Statement { session: vec![1], txn_number, number };
        data.apply(&entry(Change::Nothing, Some(statement(4, 0))));
        assert!(data.was_executed(&statement(4, 0)).unwrap());
        assert!(!data.was_executed(&statement(4, 1)).unwrap());
        assert!(!data.was_executed(&statement(5, 0)).unwrap());
        data.apply(&entry(Change::Nothing, Some(statement(5, 0))));
        assert_eq!(data.was_executed(&statement(4, 0)).unwrap_err().code, 225);
    }
}
