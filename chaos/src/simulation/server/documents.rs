//! The documents of a simulated member at one place in its log, and how they change.

use std::{collections::BTreeMap, rc::Rc, slice};

use mongo_actors::bson::{Bson, Document, doc};

use super::data::Refusal;

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
    /// What a transaction did, all of it at once.
    Transaction(Vec<Change>),
}

impl Change {
    /// The changes of single documents that it consists of.
    pub(super) fn parts(&self) -> &[Change] {
        match self {
            Self::Transaction(parts) => parts,
            single => slice::from_ref(single),
        }
    }

    /// The document that a single change is about: its collection and key.
    pub(super) fn target(&self) -> Option<(&str, String)> {
        match self {
            Self::Insert { namespace, document } | Self::Replace { namespace, document } => {
                Some((namespace, key(&id_of(document))))
            }
            Self::Delete { namespace, id } => Some((namespace, key(id))),
            Self::Nothing | Self::Transaction(_) => None,
        }
    }
}

/// Collections of documents. Cheap to clone, for whoever reads them as they are now.
#[derive(Clone, Debug, Default)]
pub(super) struct Documents(BTreeMap<Namespace, Rc<BTreeMap<String, Document>>>);

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

impl Documents {
    pub(super) fn apply(&mut self, change: &Change) {
        for part in change.parts() {
            match part {
                Change::Nothing | Change::Transaction(_) => {}
                Change::Insert { namespace, document } | Change::Replace { namespace, document } => {
                    let collection = self.0.entry(namespace.clone()).or_default();
                    Rc::make_mut(collection).insert(key(&id_of(document)), document.clone());
                }
                Change::Delete { namespace, id } => {
                    if let Some(collection) = self.0.get_mut(namespace) {
                        Rc::make_mut(collection).remove(&key(id));
                    }
                }
            }
        }
    }

    /// The document that a change is about, as it is now.
    pub(super) fn target_of(&self, change: &Change) -> Option<&Document> {
        let (namespace, key) = change.target()?;
        self.0.get(namespace)?.get(&key)
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
        let collection = self.0.get(namespace);
        let by_id = wanted.as_ref().and_then(|id| collection.and_then(|collection| collection.get(id)));
        let all = collection.filter(|_| wanted.is_none()).into_iter().flat_map(|collection| collection.values());
        let fits = |document: &&Document| filter.iter().all(|(name, value)| document.get(name) == Some(value));
        by_id.into_iter().chain(all).filter(fits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_inserted_once_updated_and_deleted() {
        let mut documents = Documents::default();
        let document = doc! { "_id": 7, "sum": 1 };
        let before = documents.clone();
        documents.apply(&documents.insert("a.b", &document).unwrap());
        assert_eq!(documents.insert("a.b", &document).unwrap_err().code, 11_000);
        let update = doc! { "$inc": { "sum": 2 }, "$push": { "marks": "x" } };
        let change = documents.update("a.b", &doc! { "_id": 7 }, &update).unwrap();
        assert_eq!(documents.target_of(&change), Some(&document));
        documents.apply(&change);
        let expected = doc! { "_id": 7, "sum": 3, "marks": ["x"] };
        assert_eq!(documents.find("a.b", &doc! {}).collect::<Vec<_>>(), [&expected]);
        documents.apply(&documents.delete("a.b", &doc! { "sum": 3 }).unwrap());
        assert!(documents.delete("a.b", &doc! { "_id": 7 }).is_none());
        assert_eq!(before.find("a.b", &doc! {}).count(), 0);
    }

    #[test]
    fn a_transaction_is_applied_as_a_whole() {
        let mut documents = Documents::default();
        let insert = |id: i32| documents.insert("a.b", &doc! { "_id": id }).unwrap();
        let change = Change::Transaction(vec![insert(1), insert(2)]);
        documents.apply(&change);
        assert_eq!(documents.find("a.b", &doc! {}).count(), 2);
    }
}
