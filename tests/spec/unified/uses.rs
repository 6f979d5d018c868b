//! What a test makes use of, by which `skips.toml` can name what the driver does not have.

use std::collections::BTreeSet;

use bson::{Bson, Document};

use super::schema::{Entity, Operation, Test, TestFile};

/// Everything that `test` uses: `entity <kind>`, `operation <name>`, `argument <name>`, `log messages` and
/// `tracing spans`.
pub(super) fn of(file: &TestFile, test: &Test) -> BTreeSet<String> {
    let mut uses = BTreeSet::new();
    for entity in file.create_entities.as_deref().unwrap_or_default() {
        uses.insert(format!("entity {}", kind(entity)));
        if let Entity::Client(client) = entity
            && client.auto_encrypt_opts.is_some()
        {
            uses.insert("entity clientEncryption".to_owned());
        }
    }
    for operation in &test.operations {
        add_operation(&mut uses, operation);
    }
    if test.expect_log_messages.is_some() {
        uses.insert("log messages".to_owned());
    }
    if test.expect_tracing_messages.is_some() {
        uses.insert("tracing spans".to_owned());
    }
    uses
}

fn kind(entity: &Entity) -> &'static str {
    match entity {
        Entity::Client(_) => "client",
        Entity::ClientEncryption(_) => "clientEncryption",
        Entity::Database(_) => "database",
        Entity::Collection(_) => "collection",
        Entity::Session(_) => "session",
        Entity::Bucket(_) => "bucket",
        Entity::Thread(_) => "thread",
    }
}

fn add_operation(uses: &mut BTreeSet<String>, operation: &Operation) {
    add(uses, &operation.name, &operation.arguments);
}

fn add(uses: &mut BTreeSet<String>, name: &str, arguments: &Document) {
    uses.insert(format!("operation {name}"));
    for (argument, value) in arguments {
        uses.insert(format!("argument {argument}"));
        match (argument.as_str(), value) {
            ("operation", Bson::Document(operation)) => add_raw(uses, operation),
            ("callback", Bson::Array(operations)) => {
                operations.iter().filter_map(Bson::as_document).for_each(|operation| add_raw(uses, operation));
            }
            ("entities", Bson::Array(entities)) => {
                let kinds = entities.iter().filter_map(|entity| entity.as_document()?.keys().next());
                uses.extend(kinds.map(|kind| format!("entity {kind}")));
            }
            _ => {}
        }
    }
}

fn add_raw(uses: &mut BTreeSet<String>, operation: &Document) {
    let none = Document::new();
    let arguments = operation.get_document("arguments").unwrap_or(&none);
    add(uses, operation.get_str("name").unwrap_or_default(), arguments);
}
