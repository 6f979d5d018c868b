//! The MONGODB-AWS mechanism: a signed request to AWS, which the server sends in the client's place.
//!
//! The signature is Signature Version 4 over a `GetCallerIdentity` that names the server's nonce. [`KeySource`] tells
//! where the keys for it come from.

mod source;

use std::{fmt, time::SystemTime};

use base64::{Engine, engine::general_purpose::STANDARD};
use bson::{Binary, DateTime, RawDocument, RawDocumentBuf, raw::cstr, rawdoc, spec::BinarySubtype};
use hmac::{Hmac, KeyInit, Mac};
use rand::RngCore;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

pub use self::source::{Authorization, AwsKeys, KeySource};
use super::{credential::Credential, secret::Secret};

const NONCE: usize = 32;
const LONGEST_HOST: usize = 255;
/// The character `n`: no channel binding.
const GS2_FLAG: i32 = 110;
const SERVICE: &str = "sts";
const DEFAULT_REGION: &str = "us-east-1";
const BODY: &str = "Action=GetCallerIdentity&Version=2011-06-15";

/// Why a conversation failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AwsError {
    /// There are no keys.
    #[error(
        "MONGODB-AWS needs an access key: give one as user name and password, or set AWS_ACCESS_KEY_ID and \
         AWS_SECRET_ACCESS_KEY"
    )]
    NoKeys,
    /// The environment names a role for a web identity.
    #[error(
        "MONGODB-AWS: the role that AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN name is not assumed by the driver: \
         set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN to its keys"
    )]
    WebIdentity,
    /// The environment names somebody as a container's agent who cannot be trusted to be one.
    #[error(
        "MONGODB-AWS: keys are not asked of {0}: AWS_CONTAINER_CREDENTIALS_FULL_URI must be plain HTTP to this host or \
         to an agent of ECS or EKS"
    )]
    UntrustedEndpoint(String),
    /// A container's agent, or the metadata service, gave no keys.
    #[error("MONGODB-AWS: the access key could not be fetched: {0}")]
    Endpoint(String),
    /// The server's message cannot be understood.
    #[error("the server's MONGODB-AWS message is malformed: it has no valid \"{0}\"")]
    Malformed(&'static str),
    /// The server's nonce does not begin with ours.
    #[error("the server's MONGODB-AWS nonce does not extend ours")]
    NonceMismatch,
    /// The server names a host that cannot be one.
    #[error("the server names an impossible STS host")]
    InvalidHost,
    /// The clock is wrong.
    #[error("the clock of this machine is too far off to sign a request to AWS")]
    Clock,
}

/// Keys of an AWS identity.
#[derive(Clone)]
struct Keys {
    id: String,
    secret: Secret,
    session_token: Option<Secret>,
}

/// The client's side of the conversation.
pub(super) struct AwsClient {
    keys: Keys,
    nonce: [u8; NONCE],
    now: SystemTime,
}

impl fmt::Debug for AwsClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsClient").field("id", &self.keys.id).finish_non_exhaustive()
    }
}

impl AwsClient {
    pub(super) fn new(credential: &Credential, now: SystemTime, rng: &mut dyn RngCore) -> Result<Self, AwsError> {
        let (Some(id), Some(secret)) = (&credential.username, &credential.password) else {
            return Err(AwsError::NoKeys);
        };
        let session_token = credential.mechanism_properties.aws_session_token.clone();
        let mut nonce = [0; NONCE];
        rng.fill_bytes(&mut nonce);
        Ok(Self { keys: Keys { id: id.clone(), secret: secret.clone(), session_token }, nonce, now })
    }

    /// The first message.
    pub(super) fn first(&self) -> Vec<u8> {
        let nonce = Binary { subtype: BinarySubtype::Generic, bytes: self.nonce.to_vec() };
        rawdoc! { "r": nonce, "p": GS2_FLAG }.into_bytes()
    }

    /// The second and last message, in answer to the server's.
    pub(super) fn second(&self, challenge: &[u8]) -> Result<Vec<u8>, AwsError> {
        let challenge = RawDocument::from_bytes(challenge).map_err(|_| AwsError::Malformed("s"))?;
        let nonce = challenge.get_binary("s").map_err(|_| AwsError::Malformed("s"))?.bytes;
        let host = challenge.get_str("h").map_err(|_| AwsError::Malformed("h"))?;
        if nonce.len() != 2 * NONCE || nonce[..NONCE] != self.nonce {
            return Err(AwsError::NonceMismatch);
        }
        let region = region(host)?;
        let date = date(self.now)?;
        let mut message = RawDocumentBuf::new();
        message.append(cstr!("a"), self.authorization(host, region, &date, nonce));
        message.append(cstr!("d"), date);
        if let Some(token) = &self.keys.session_token {
            message.append(cstr!("t"), token.expose());
        }
        Ok(message.into_bytes())
    }

    fn authorization(&self, host: &str, region: &str, date: &str, nonce: &[u8]) -> String {
        let length = BODY.len().to_string();
        let nonce = STANDARD.encode(nonce);
        let mut headers = vec![
            ("content-length", length.as_str()),
            ("content-type", "application/x-www-form-urlencoded"),
            ("host", host),
            ("x-amz-date", date),
        ];
        if let Some(token) = &self.keys.session_token {
            headers.push(("x-amz-security-token", token.expose()));
        }
        headers.push(("x-mongodb-gs2-cb-flag", "n"));
        headers.push(("x-mongodb-server-nonce", &nonce));
        let request = Request { method: "POST", query: "", headers: &headers, body: BODY };
        request.authorization(&self.keys, date, region, SERVICE)
    }
}

/// What is signed.
struct Request<'a> {
    method: &'a str,
    query: &'a str,
    /// In the order of their names, which are in lower case.
    headers: &'a [(&'a str, &'a str)],
    body: &'a str,
}

impl Request<'_> {
    /// The value of the header `Authorization`. `date` is like `20150830T123600Z`.
    fn authorization(&self, keys: &Keys, date: &str, region: &str, service: &str) -> String {
        let names: Vec<_> = self.headers.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");
        let day = date.get(..8).unwrap_or(date);
        let scope = format!("{day}/{region}/{service}/aws4_request");
        let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex(&Sha256::digest(self.canonical(&names))));
        let mut key = Zeroizing::new(format!("AWS4{}", keys.secret.expose()).into_bytes());
        for part in [day, region, service, "aws4_request"] {
            key = sign(&key, part);
        }
        let signature = hex(&sign(&key, &to_sign));
        let id = &keys.id;
        format!("AWS4-HMAC-SHA256 Credential={id}/{scope}, SignedHeaders={names}, Signature={signature}")
    }

    fn canonical(&self, names: &str) -> Zeroizing<String> {
        let headers: String = self.headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let body = hex(&Sha256::digest(self.body));
        // The session token is in it.
        Zeroizing::new(format!("{}\n/\n{}\n{headers}\n{names}\n{body}", self.method, self.query))
    }
}

fn sign(key: &[u8], message: &str) -> Zeroizing<Vec<u8>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(message.as_bytes());
    Zeroizing::new(mac.finalize().into_bytes().to_vec())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The time as AWS writes it.
fn date(now: SystemTime) -> Result<String, AwsError> {
    let seconds = now.duration_since(SystemTime::UNIX_EPOCH).map_err(|_| AwsError::Clock)?.as_secs();
    let millis = i64::try_from(seconds).ok().and_then(|seconds| seconds.checked_mul(1000)).ok_or(AwsError::Clock)?;
    let text = DateTime::from_millis(millis).try_to_rfc3339_string().map_err(|_| AwsError::Clock)?;
    Ok(text.chars().filter(|c| !matches!(c, '-' | ':')).collect())
}

/// The region that the name of the STS host tells.
fn region(host: &str) -> Result<&str, AwsError> {
    // The name becomes part of what is signed, where a line break would look like the end of a header.
    let well_formed = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
    if host.len() > LONGEST_HOST || !well_formed || host.split('.').any(str::is_empty) {
        return Err(AwsError::InvalidHost);
    }
    match host.split('.').nth(1) {
        Some(_) if host == "sts.amazonaws.com" => Ok(DEFAULT_REGION),
        Some(region) => Ok(region),
        None => Ok(DEFAULT_REGION),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bson::Document;
    use rand::{SeedableRng, rngs::StdRng};

    use super::*;
    use crate::auth::credential::AuthMechanism;

    /// 30 August 2015, 12:36:00 UTC.
    fn then() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_440_938_160)
    }

    fn credential() -> Credential {
        Credential::new("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
            .with_mechanism(AuthMechanism::MongoDbAws)
    }

    fn client() -> AwsClient {
        AwsClient::new(&credential(), then(), &mut StdRng::seed_from_u64(1)).unwrap()
    }

    fn challenge(client: &AwsClient, host: &str) -> Vec<u8> {
        let nonce = [client.nonce.as_slice(), &[7; NONCE]].concat();
        rawdoc! { "s": Binary { subtype: BinarySubtype::Generic, bytes: nonce }, "h": host }.into_bytes()
    }

    #[test]
    fn the_signature_is_that_of_the_example_that_aws_publishes() {
        let date = date(then()).unwrap();
        assert_eq!(date, "20150830T123600Z");
        let headers = [
            ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
            ("host", "iam.amazonaws.com"),
            ("x-amz-date", date.as_str()),
        ];
        let request =
            Request { method: "GET", query: "Action=ListUsers&Version=2010-05-08", headers: &headers, body: "" };
        assert_eq!(
            request.authorization(&client().keys, &date, "us-east-1", "iam"),
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date, \
             Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
        );
    }

    #[test]
    fn regions_follow_the_table_of_the_specification() {
        for (host, expected) in [
            ("sts.amazonaws.com", "us-east-1"),
            ("sts.us-west-2.amazonaws.com", "us-west-2"),
            ("sts.us-west-2.amazonaws.com.ch", "us-west-2"),
            ("example.com", "com"),
            ("localhost", "us-east-1"),
        ] {
            assert_eq!(region(host), Ok(expected));
        }
        let split = "sts.amazonaws.com\nx-amz-date:20990101T000000Z";
        for host in ["sts..com", ".amazonaws.com", "sts.amazonaws.", "", split, "sts.a b.com", &"x".repeat(256)] {
            assert_eq!(region(host), Err(AwsError::InvalidHost), "{host}");
        }
    }

    #[test]
    fn messages_are_those_of_the_specification() {
        let client = client();
        let first = Document::from_reader(client.first().as_slice()).unwrap();
        assert_eq!(first.keys().collect::<Vec<_>>(), ["r", "p"]);
        assert_eq!(first.get_binary_generic("r").unwrap().len(), 32);
        assert_eq!(first.get_i32("p").unwrap(), 110);
        let second = client.second(&challenge(&client, "sts.amazonaws.com")).unwrap();
        let second = Document::from_reader(second.as_slice()).unwrap();
        assert_eq!(second.keys().collect::<Vec<_>>(), ["a", "d"]);
        let names =
            "SignedHeaders=content-length;content-type;host;x-amz-date;x-mongodb-gs2-cb-flag;x-mongodb-server-nonce";
        assert!(second.get_str("a").unwrap().contains(names), "{second}");
        assert!(!format!("{client:?}").contains("wJalr"));
    }

    #[test]
    fn a_session_token_is_signed_and_sent() {
        let mut credential = credential();
        credential.mechanism_properties.aws_session_token = Some("t0ken".into());
        let client = AwsClient::new(&credential, then(), &mut StdRng::seed_from_u64(1)).unwrap();
        let second = client.second(&challenge(&client, "localhost")).unwrap();
        let second = Document::from_reader(second.as_slice()).unwrap();
        assert_eq!(second.get_str("t").unwrap(), "t0ken");
        assert!(second.get_str("a").unwrap().contains(";x-amz-security-token;"));
    }

    #[test]
    fn what_the_server_says_is_checked() {
        let client = client();
        let nonce = |bytes: Vec<u8>| Binary { subtype: BinarySubtype::Generic, bytes };
        let foreign = rawdoc! { "s": nonce(vec![0; 64]), "h": "localhost" }.into_bytes();
        assert_eq!(client.second(&foreign), Err(AwsError::NonceMismatch));
        let short = rawdoc! { "s": nonce(client.nonce.to_vec()), "h": "localhost" }.into_bytes();
        assert_eq!(client.second(&short), Err(AwsError::NonceMismatch));
        assert_eq!(client.second(&challenge(&client, "a..b")), Err(AwsError::InvalidHost));
        assert_eq!(client.second(&rawdoc! { "s": 1, "h": "x" }.into_bytes()), Err(AwsError::Malformed("s")));
        assert_eq!(client.second(b"no BSON"), Err(AwsError::Malformed("s")));
        let nobody = Credential::of_mechanism(AuthMechanism::MongoDbAws);
        let refused = AwsClient::new(&nobody, then(), &mut StdRng::seed_from_u64(1));
        assert_eq!(refused.unwrap_err(), AwsError::NoKeys);
    }
}
