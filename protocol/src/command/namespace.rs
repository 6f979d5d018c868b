//! Names of databases and collections.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A database or collection name that no server accepts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{name}\" is not a valid {what} name: {reason}")]
#[non_exhaustive]
pub struct InvalidName {
    /// What was to be named: `database` or `collection`.
    pub what: &'static str,
    /// The name that was given.
    pub name: String,
    /// The rule it breaks.
    pub reason: &'static str,
}

/// The full name of a collection: its database and its name in it.
///
/// Cheap to clone. Written `database.collection`; the first dot ends the database's name.
///
/// ```
/// use mongo_actors_protocol::command::Namespace;
///
/// let namespace: Namespace = "shop.orders.archived".parse().unwrap();
/// assert_eq!((&*namespace.db, &*namespace.coll), ("shop", "orders.archived"));
/// assert!("shop".parse::<Namespace>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Namespace {
    /// Name of the database.
    pub db: Arc<str>,
    /// Name of the collection.
    pub coll: Arc<str>,
}

impl Namespace {
    /// A namespace of names that are checked when a command is encoded.
    pub fn new(db: impl Into<Arc<str>>, coll: impl Into<Arc<str>>) -> Self {
        Self { db: db.into(), coll: coll.into() }
    }

    /// Checks both names.
    ///
    /// # Errors
    /// [`InvalidName`] for the first that breaks a rule; see [`validate_database_name`] and
    /// [`validate_collection_name`].
    pub fn validate(&self) -> Result<(), InvalidName> {
        validate_database_name(&self.db)?;
        validate_collection_name(&self.coll)
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.db, self.coll)
    }
}

impl FromStr for Namespace {
    type Err = InvalidName;

    /// Splits at the first dot and checks that there is one; [`Namespace::validate`] checks the rest.
    fn from_str(text: &str) -> Result<Self, InvalidName> {
        match text.split_once('.') {
            Some((db, coll)) if !db.is_empty() && !coll.is_empty() => Ok(Self::new(db, coll)),
            _ => Err(InvalidName {
                what: "collection",
                name: text.to_owned(),
                reason: "a full name is \"database.collection\"",
            }),
        }
    }
}

impl Serialize for Namespace {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Namespace {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Checks the name of a database.
///
/// # Errors
/// [`InvalidName`] when it is empty or contains a space, `.`, `$`, `/`, a backslash, `"` or NUL. `$external`, where
/// users of other authorities live, is allowed.
pub fn validate_database_name(name: &str) -> Result<(), InvalidName> {
    let invalid = |reason| Err(InvalidName { what: "database", name: name.to_owned(), reason });
    if name == "$external" {
        return Ok(());
    }
    if name.is_empty() {
        return invalid("it must not be empty");
    }
    if name.bytes().any(|byte| matches!(byte, b' ' | b'.' | b'$' | b'/' | b'\\' | b'"' | b'\0')) {
        return invalid("it must not contain a space, '.', '$', '/', '\\', '\"' or NUL");
    }
    Ok(())
}

/// Checks the name of a collection.
///
/// # Errors
/// [`InvalidName`] when it is empty, begins or ends with a dot, contains two dots in a row, a NUL, or a `$` (unless it
/// begins with `$cmd` or `oplog.$main`).
pub fn validate_collection_name(name: &str) -> Result<(), InvalidName> {
    let invalid = |reason| Err(InvalidName { what: "collection", name: name.to_owned(), reason });
    if name.is_empty() {
        return invalid("it must not be empty");
    }
    if name.starts_with('.') || name.ends_with('.') || name.contains("..") {
        return invalid("it must not begin or end with a dot, nor contain two in a row");
    }
    if name.contains('\0') {
        return invalid("it must not contain NUL");
    }
    if name.contains('$') && !name.starts_with("$cmd") && !name.starts_with("oplog.$main") {
        return invalid("it must not contain '$'");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn database_names_follow_the_rules_of_the_server() {
        for good in ["a", "admin", "$external", "ü-1_2"] {
            assert!(validate_database_name(good).is_ok(), "{good}");
        }
        for bad in ["", "a b", "a.b", "a$b", "a/b", "a\\b", "a\"b", "a\0b", "$cmd"] {
            let error = validate_database_name(bad).unwrap_err();
            assert_eq!((error.what, error.name.as_str()), ("database", bad));
        }
    }

    #[test]
    fn collection_names_follow_the_rules_of_the_server() {
        for good in ["a", "a.b", "a b", "$cmd.aggregate", "oplog.$main", "system.profile"] {
            assert!(validate_collection_name(good).is_ok(), "{good}");
        }
        for bad in ["", ".a", "a.", "a..b", "a\0b", "a$b", "$a"] {
            assert!(validate_collection_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_first_dot_ends_the_database() {
        let namespace: Namespace = "a.b.c".parse().unwrap();
        assert_eq!(namespace, Namespace::new("a", "b.c"));
        assert_eq!(namespace.to_string(), "a.b.c");
        for bad in ["a", "", ".b", "a."] {
            assert!(bad.parse::<Namespace>().is_err(), "{bad}");
        }
        assert!(Namespace::new("a", "b..c").validate().is_err());
    }
}
