//! The top level of a file, and its tests.

use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::Value;

use super::{
    Entity, ExpectedEventsForClient, ExpectedLogMessagesForClient, Filled, NonEmpty, Object, Operation,
    RunOnRequirement, Version, log::ExpectedTracingMessagesForClient,
};

/// The newest version of the format that this runner knows.
const SUPPORTED: Version = Version([1, 28, 0]);

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct TestFile {
    #[serde(rename = "description")]
    _description: String,
    pub(crate) schema_version: Version,
    pub(crate) run_on_requirements: Option<NonEmpty<Filled<RunOnRequirement>>>,
    pub(crate) create_entities: Option<NonEmpty<Entity>>,
    pub(crate) initial_data: Option<NonEmpty<CollectionData>>,
    pub(crate) tests: NonEmpty<Test>,
    #[serde(rename = "_yamlAnchors")]
    _yaml_anchors: Option<Object>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Test {
    pub(crate) description: String,
    pub(crate) run_on_requirements: Option<NonEmpty<Filled<RunOnRequirement>>>,
    pub(crate) skip_reason: Option<String>,
    pub(crate) operations: Vec<Operation>,
    pub(crate) expect_events: Option<NonEmpty<ExpectedEventsForClient>>,
    pub(crate) expect_log_messages: Option<NonEmpty<ExpectedLogMessagesForClient>>,
    pub(crate) expect_tracing_messages: Option<NonEmpty<ExpectedTracingMessagesForClient>>,
    pub(crate) outcome: Option<NonEmpty<CollectionData>>,
}

/// What a collection holds, or is to hold.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct CollectionData {
    pub(crate) collection_name: String,
    pub(crate) database_name: String,
    #[serde(default, deserialize_with = "create_options")]
    pub(crate) create_options: Option<Object>,
    pub(crate) documents: Vec<Object>,
}

fn create_options<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Object>, D::Error> {
    let options = Object::deserialize(deserializer)?;
    if options.contains_key("writeConcern") {
        return Err(D::Error::custom("createOptions cannot hold a writeConcern"));
    }
    Ok(Some(options))
}

impl TestFile {
    /// Reads a file whose version this runner supports.
    ///
    /// # Errors
    /// What in it violates the format.
    pub(crate) fn read(json: &Value) -> Result<Self, String> {
        let file = Self::deserialize(json).map_err(|error| error.to_string())?;
        let Version([major, ..]) = file.schema_version;
        if major != SUPPORTED.0[0] || file.schema_version > SUPPORTED {
            return Err(format!("version {} of the format is not supported", file.schema_version));
        }
        Ok(file)
    }
}
