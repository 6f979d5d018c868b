//! Who we are: the `client` document of the handshake.

use std::sync::Arc;

use bson::{
    RawDocumentBuf,
    raw::{CStr, cstr},
};

use super::Environment;
use crate::options::DriverInfo;

/// The most bytes of the `client` document.
pub const MAX_METADATA_LEN: usize = 512;
/// The most bytes of an application's name.
pub const MAX_APP_NAME_LEN: usize = 128;

const DRIVER_NAME: &str = "mongo-actors";
const DRIVER_VERSION: &str = env!("CARGO_PKG_VERSION");
const PLATFORM: &str = "Rust";
const DELIMITER: char = '|';

/// Client metadata that must not be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidMetadata {
    /// The application's name is too long.
    #[error("the application name (appName) has {len} bytes, but at most {MAX_APP_NAME_LEN} are allowed")]
    AppNameTooLong {
        /// Its length in bytes.
        len: usize,
    },
    /// A wrapping library has no name.
    #[error("the driver information of a wrapping library needs a name")]
    MissingName,
    /// A field holds the character that separates the libraries.
    #[error("the {field} in the driver information of a wrapping library must not contain \"|\"")]
    Delimiter {
        /// Which field.
        field: &'static str,
    },
}

/// Checks the fields of a wrapping library's information, and turns empty ones into absent ones.
fn normalized(mut info: DriverInfo) -> Result<DriverInfo, InvalidMetadata> {
    info.version = info.version.filter(|text| !text.is_empty());
    info.platform = info.platform.filter(|text| !text.is_empty());
    if info.name.is_empty() {
        return Err(InvalidMetadata::MissingName);
    }
    let fields = [("name", Some(&info.name)), ("version", info.version.as_ref()), ("platform", info.platform.as_ref())];
    for (field, text) in fields {
        if text.is_some_and(|text| text.contains(DELIMITER)) {
            return Err(InvalidMetadata::Delimiter { field });
        }
    }
    Ok(info)
}

/// The `client` document that a client sends on each new connection.
///
/// Follows the handshake specification: it never exceeds [`MAX_METADATA_LEN`] bytes, for which it leaves out what
/// matters least; libraries that wrap the driver are appended, each once.
///
/// ```
/// use mongo_actors_protocol::handshake::{ClientMetadata, Environment, OperatingSystem};
/// use mongo_actors_protocol::options::DriverInfo;
///
/// let environment = Environment::new(OperatingSystem::of_build());
/// let mut metadata = ClientMetadata::new(Some("shop".into()), environment)?;
/// metadata.append(DriverInfo::new("orm").with_version("2.1"))?;
/// let driver = metadata.document().get_document("driver").unwrap();
/// assert_eq!(driver.get_str("name").unwrap(), "mongo-actors|orm");
/// # Ok::<(), mongo_actors_protocol::handshake::InvalidMetadata>(())
/// ```
#[derive(Clone, Debug)]
pub struct ClientMetadata {
    app_name: Option<String>,
    environment: Environment,
    appended: Vec<DriverInfo>,
    document: Arc<RawDocumentBuf>,
}

impl ClientMetadata {
    /// Metadata without wrapping libraries. An empty application name counts as none.
    ///
    /// # Errors
    /// [`InvalidMetadata::AppNameTooLong`].
    pub fn new(app_name: Option<String>, environment: Environment) -> Result<Self, InvalidMetadata> {
        let app_name = app_name.filter(|name| !name.is_empty());
        if let Some(len) = app_name.as_ref().map(String::len).filter(|len| *len > MAX_APP_NAME_LEN) {
            return Err(InvalidMetadata::AppNameTooLong { len });
        }
        let document = Arc::new(Draft::new(app_name.as_deref(), &environment, &[]).fit());
        Ok(Self { app_name, environment, appended: Vec::new(), document })
    }

    /// Appends a wrapping library, and returns whether that changed anything: the same information is not appended
    /// twice. Connections that are already open are not told.
    ///
    /// # Errors
    /// [`InvalidMetadata`] when a field is not usable; nothing is changed then.
    pub fn append(&mut self, info: DriverInfo) -> Result<bool, InvalidMetadata> {
        let info = normalized(info)?;
        if self.appended.contains(&info) {
            return Ok(false);
        }
        self.appended.push(info);
        self.document = Arc::new(Draft::new(self.app_name.as_deref(), &self.environment, &self.appended).fit());
        Ok(true)
    }

    /// The document, which is at most [`MAX_METADATA_LEN`] bytes long.
    pub fn document(&self) -> &Arc<RawDocumentBuf> {
        &self.document
    }
}

/// The document in the making.
struct Draft<'a> {
    app_name: Option<&'a str>,
    name: String,
    version: String,
    platform: String,
    os_kind: &'a str,
    environment: &'a Environment,
    detail: Detail,
}

/// How much of the environment is left in.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Detail {
    All,
    FaasNameAlone,
    OsKindAlone,
    NoEnv,
}

impl<'a> Draft<'a> {
    fn new(app_name: Option<&'a str>, environment: &'a Environment, appended: &[DriverInfo]) -> Self {
        let mut draft = Self {
            app_name,
            name: DRIVER_NAME.to_owned(),
            version: DRIVER_VERSION.to_owned(),
            platform: PLATFORM.to_owned(),
            os_kind: &environment.os.kind,
            environment,
            detail: Detail::All,
        };
        for info in appended {
            join(&mut draft.name, Some(&info.name));
            join(&mut draft.version, info.version.as_deref());
            join(&mut draft.platform, info.platform.as_deref());
        }
        draft
    }

    /// The fullest document within the bound, leaving out in the order that the specification gives.
    fn fit(mut self) -> RawDocumentBuf {
        for detail in [Detail::All, Detail::FaasNameAlone, Detail::OsKindAlone, Detail::NoEnv] {
            self.detail = detail;
            let document = self.document();
            if document.as_bytes().len() <= MAX_METADATA_LEN {
                return document;
            }
        }
        // What is too much goes from the platform, then from what libraries appended, newest first.
        for shorten in [
            |draft: &mut Self, excess| cut(&mut draft.platform, excess, 0),
            |draft: &mut Self, excess| cut(&mut draft.version, excess, DRIVER_VERSION.len()),
            |draft: &mut Self, excess| cut(&mut draft.name, excess, DRIVER_NAME.len()),
        ] {
            let excess = self.document().as_bytes().len().saturating_sub(MAX_METADATA_LEN);
            shorten(&mut self, excess);
        }
        if self.document().as_bytes().len() > MAX_METADATA_LEN {
            self.os_kind = "unknown";
        }
        self.document()
    }

    fn document(&self) -> RawDocumentBuf {
        let mut document = RawDocumentBuf::new();
        if let Some(app_name) = self.app_name {
            let mut application = RawDocumentBuf::new();
            application.append(cstr!("name"), app_name);
            document.append(cstr!("application"), application);
        }
        let mut driver = RawDocumentBuf::new();
        driver.append(cstr!("name"), self.name.as_str());
        driver.append(cstr!("version"), self.version.as_str());
        document.append(cstr!("driver"), driver);
        document.append(cstr!("os"), self.os());
        if !self.platform.is_empty() {
            document.append(cstr!("platform"), self.platform.as_str());
        }
        let env = self.env();
        if !env.is_empty() {
            document.append(cstr!("env"), env);
        }
        document
    }

    fn os(&self) -> RawDocumentBuf {
        let os = &self.environment.os;
        let mut document = RawDocumentBuf::new();
        document.append(cstr!("type"), if self.os_kind.is_empty() { "unknown" } else { self.os_kind });
        if self.detail < Detail::OsKindAlone {
            append_text(&mut document, cstr!("name"), os.name.as_deref());
            append_text(&mut document, cstr!("architecture"), os.architecture.as_deref());
            append_text(&mut document, cstr!("version"), os.version.as_deref());
        }
        document
    }

    fn env(&self) -> RawDocumentBuf {
        let mut document = RawDocumentBuf::new();
        if self.detail == Detail::NoEnv {
            return document;
        }
        let faas = self.environment.faas.as_ref();
        append_text(&mut document, cstr!("name"), faas.map(|faas| faas.name));
        if self.detail != Detail::All {
            return document;
        }
        if let Some(faas) = faas {
            if let Some(seconds) = faas.timeout_sec {
                document.append(cstr!("timeout_sec"), seconds);
            }
            if let Some(mebibytes) = faas.memory_mb {
                document.append(cstr!("memory_mb"), mebibytes);
            }
            append_text(&mut document, cstr!("region"), faas.region.as_deref());
        }
        let mut container = RawDocumentBuf::new();
        append_text(&mut container, cstr!("runtime"), self.environment.container_runtime);
        append_text(&mut container, cstr!("orchestrator"), self.environment.container_orchestrator);
        if !container.is_empty() {
            document.append(cstr!("container"), container);
        }
        document
    }
}

fn append_text(document: &mut RawDocumentBuf, key: &CStr, text: Option<&str>) {
    if let Some(text) = text {
        document.append(key, text);
    }
}

fn join(text: &mut String, next: Option<&str>) {
    if let Some(next) = next {
        text.push(DELIMITER);
        text.push_str(next);
    }
}

/// Takes `excess` bytes off the end of `text`, or a few more so as not to split a character, but leaves `keep` bytes.
fn cut(text: &mut String, excess: usize, keep: usize) {
    let mut end = text.len().saturating_sub(excess).max(keep);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
}

#[cfg(test)]
mod tests {
    use bson::{Document, doc};

    use super::{super::OperatingSystem, *};

    fn os() -> OperatingSystem {
        OperatingSystem {
            kind: "Linux".into(),
            name: Some("Ubuntu 24.04".into()),
            architecture: Some("x86_64".into()),
            version: Some("6.8".into()),
        }
    }

    fn environment() -> Environment {
        let variables = |name: &str| match name {
            "AWS_LAMBDA_RUNTIME_API" | "KUBERNETES_SERVICE_HOST" => Some("x".to_owned()),
            "AWS_REGION" => Some("us-east-2".to_owned()),
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE" => Some("1024".to_owned()),
            _ => None,
        };
        Environment::detect(os(), variables, true)
    }

    fn read(metadata: &ClientMetadata) -> Document {
        assert!(metadata.document().as_bytes().len() <= MAX_METADATA_LEN);
        Document::try_from(&**metadata.document()).unwrap()
    }

    fn info(name: &str, version: Option<&str>, platform: Option<&str>) -> DriverInfo {
        DriverInfo { name: name.into(), version: version.map(Into::into), platform: platform.map(Into::into) }
    }

    /// What libraries appended to each of the three fields.
    fn appended(metadata: &ClientMetadata) -> [String; 3] {
        let document = read(metadata);
        let driver = document.get_document("driver").unwrap();
        let rest = |text: &str| text.split_once('|').map(|(_, rest)| rest.to_owned()).unwrap_or_default();
        [
            rest(driver.get_str("name").unwrap()),
            rest(driver.get_str("version").unwrap()),
            rest(document.get_str("platform").unwrap()),
        ]
    }

    #[test]
    fn the_document_has_the_specified_shape() {
        let metadata = ClientMetadata::new(Some("shop".into()), environment()).unwrap();
        let expected = doc! {
            "application": { "name": "shop" },
            "driver": { "name": "mongo-actors", "version": DRIVER_VERSION },
            "os": { "type": "Linux", "name": "Ubuntu 24.04", "architecture": "x86_64", "version": "6.8" },
            "platform": "Rust",
            "env": {
                "name": "aws.lambda", "memory_mb": 1024, "region": "us-east-2",
                "container": { "runtime": "docker", "orchestrator": "kubernetes" },
            },
        };
        assert_eq!(read(&metadata), expected);
        let plain = read(&ClientMetadata::new(None, Environment::new(os())).unwrap());
        assert!(!plain.contains_key("application") && !plain.contains_key("env"));
    }

    #[test]
    fn libraries_are_appended_field_by_field() {
        for (version, platform, expected) in [
            (
                Some("2.0"),
                Some("Framework Platform"),
                ["library|framework", "1.2|2.0", "Library Platform|Framework Platform"],
            ),
            (Some("2.0"), None, ["library|framework", "1.2|2.0", "Library Platform"]),
            (None, Some("Framework Platform"), ["library|framework", "1.2", "Library Platform|Framework Platform"]),
            (None, None, ["library|framework", "1.2", "Library Platform"]),
        ] {
            let mut metadata = ClientMetadata::new(None, environment()).unwrap();
            assert!(metadata.append(info("library", Some("1.2"), Some("Library Platform"))).unwrap());
            let before = read(&metadata);
            assert!(metadata.append(info("framework", version, platform)).unwrap());
            assert_eq!(appended(&metadata), expected);
            assert_eq!(read(&metadata).get("os"), before.get("os"));
        }
    }

    #[test]
    fn only_the_very_same_library_is_not_appended_again() {
        for name in ["library", "framework"] {
            for version in ["1.2", "2.0"] {
                for platform in ["Library Platform", "Framework Platform"] {
                    let mut metadata = ClientMetadata::new(None, environment()).unwrap();
                    metadata.append(info("library", Some("1.2"), Some("Library Platform"))).unwrap();
                    let same = (name, version, platform) == ("library", "1.2", "Library Platform");
                    assert_eq!(metadata.append(info(name, Some(version), Some(platform))).unwrap(), !same);
                    assert_eq!(appended(&metadata)[0] == "library", same);
                }
            }
        }
        let mut metadata = ClientMetadata::new(None, environment()).unwrap();
        metadata.append(info("library", Some("1.2"), None)).unwrap();
        metadata.append(info("framework", Some("2.0"), None)).unwrap();
        let before = read(&metadata);
        assert!(!metadata.append(info("library", Some("1.2"), Some(""))).unwrap());
        assert!(metadata.append(info("library", None, None)).unwrap());
        assert!(!metadata.append(info("library", Some(""), None)).unwrap());
        assert_ne!(read(&metadata), before);
    }

    #[test]
    fn fields_that_cannot_be_sent_are_refused() {
        let mut metadata = ClientMetadata::new(None, environment()).unwrap();
        assert_eq!(metadata.append(info("", None, None)), Err(InvalidMetadata::MissingName));
        for (field, bad) in [
            ("name", info("a|b", None, None)),
            ("version", info("a", Some("1|2"), None)),
            ("platform", info("a", None, Some("|"))),
        ] {
            assert_eq!(metadata.append(bad), Err(InvalidMetadata::Delimiter { field }));
        }
        let error = ClientMetadata::new(Some("x".repeat(129)), environment()).unwrap_err();
        assert_eq!(error, InvalidMetadata::AppNameTooLong { len: 129 });
        assert!(ClientMetadata::new(Some("x".repeat(128)), environment()).is_ok());
    }

    /// The metadata with a platform text of `len` bytes.
    fn with_platform(len: usize) -> Document {
        let mut metadata = ClientMetadata::new(None, environment()).unwrap();
        metadata.append(info("l", None, Some(&"p".repeat(len)))).unwrap();
        read(&metadata)
    }

    #[test]
    fn what_matters_least_goes_first() {
        let full = read(&ClientMetadata::new(None, environment()).unwrap());
        let mut stages = Vec::new();
        for len in 1..700 {
            let document = with_platform(len);
            let env = document.get_document("env").cloned().ok();
            let stage = match (env, document.get_document("os").unwrap().len()) {
                (Some(env), 4) if env == *full.get_document("env").unwrap() => "all",
                (Some(env), 4) => {
                    assert_eq!(env, doc! { "name": "aws.lambda" });
                    "name of env"
                }
                (Some(env), 1) => {
                    assert_eq!(env, doc! { "name": "aws.lambda" });
                    "type of os"
                }
                (None, 1) if document.get_str("platform").unwrap().len() == "Rust|".len() + len => "no env",
                (None, 1) => {
                    assert_eq!(bson::serialize_to_vec(&document).unwrap().len(), MAX_METADATA_LEN);
                    "platform cut"
                }
                other => panic!("{other:?}"),
            };
            if stages.last() != Some(&stage) {
                stages.push(stage);
            }
        }
        assert_eq!(stages, ["all", "name of env", "type of os", "no env", "platform cut"]);
    }

    #[test]
    fn nothing_exceeds_the_bound_and_we_stay_named() {
        let mut metadata = ClientMetadata::new(Some("a".repeat(128)), environment()).unwrap();
        metadata.append(info(&"n\u{e9}".repeat(300), Some(&"v\u{1f980}".repeat(300)), Some("p"))).unwrap();
        let document = read(&metadata);
        let driver = document.get_document("driver").unwrap();
        assert!(driver.get_str("name").unwrap().starts_with("mongo-actors|n"));
        assert_eq!(driver.get_str("version").unwrap(), DRIVER_VERSION);
        let kind = OperatingSystem { kind: "k".repeat(600), ..os() };
        let document = read(&ClientMetadata::new(Some("a".repeat(128)), Environment::new(kind)).unwrap());
        assert_eq!(document.get_document("os").unwrap(), &doc! { "type": "unknown" });
    }
}
