//! What files say of client-side encryption. It is read to check the files; the driver has none yet.

use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::{Map, Value};

use super::Object;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct ClientEncryptionEntity {
    id: String,
    client_encryption_opts: ClientEncryptionOpts,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct ClientEncryptionOpts {
    key_vault_client: String,
    key_vault_namespace: String,
    kms_providers: KmsProviders,
    #[serde(rename = "keyExpirationMS")]
    key_expiration_ms: Option<i64>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct AutoEncryptOpts {
    key_vault_namespace: String,
    kms_providers: KmsProviders,
    bypass_auto_encryption: Option<bool>,
    schema_map: Option<Object>,
    extra_options: Option<Object>,
    encrypted_fields_map: Option<Object>,
    bypass_query_analysis: Option<bool>,
    #[serde(rename = "keyExpirationMS")]
    key_expiration_ms: Option<i64>,
}

/// Key management services by name: a kind, or a kind, a colon and a name.
#[derive(Clone, Debug)]
pub(crate) struct KmsProviders;

/// The fields that a provider of each kind may have. The last alternatives are exclusive.
const KINDS: &[(&str, &[&[&str]])] = &[
    ("aws", &[&["accessKeyId", "secretAccessKey", "sessionToken"]]),
    ("azure", &[&["tenantId", "clientId", "clientSecret", "identityPlatformEndpoint"], &["accessToken"]]),
    ("gcp", &[&["email", "privateKey", "endpoint"], &["accessToken"]]),
    ("kmip", &[&["endpoint"]]),
    ("local", &[&["key"]]),
];

impl<'de> Deserialize<'de> for KmsProviders {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let providers: Map<String, Value> = Map::deserialize(deserializer)?;
        for (name, provider) in &providers {
            check(name, provider).map_err(|reason| D::Error::custom(format!("the KMS provider {name:?} {reason}")))?;
        }
        Ok(Self)
    }
}

fn check(name: &str, provider: &Value) -> Result<(), &'static str> {
    let (kind, label) = name.split_once(':').map_or((name, None), |(kind, label)| (kind, Some(label)));
    let is_label = |label: &str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let (_, alternatives) = KINDS.iter().find(|(known, _)| *known == kind).ok_or("is of no known kind")?;
    if !label.is_none_or(is_label) {
        return Err("has a malformed name");
    }
    let fields = provider.as_object().ok_or("is no object")?;
    if !alternatives.iter().any(|allowed| fields.keys().all(|field| allowed.contains(&field.as_str()))) {
        return Err("has an unknown field");
    }
    if fields.values().all(is_text_or_placeholder) { Ok(()) } else { Err("has a field of a wrong type") }
}

fn is_text_or_placeholder(value: &Value) -> bool {
    let is_placeholder = |object: &Map<String, Value>| object.len() == 1 && object.contains_key("$$placeholder");
    value.is_string() || value.as_object().is_some_and(is_placeholder)
}
