//! The hello commands.

use std::time::Duration;

use bson::{RawArrayBuf, RawDocument, RawDocumentBuf, raw::cstr};

use crate::{command::Request, options::Compressor};

/// The version of the overload protocol that we speak, by which servers know how to refuse work.
const BACKPRESSURE_VERSION: &str = "2";

/// The first command on a connection.
///
/// Uses the legacy name, which every server understands, unless the Stable API or load balancing demand `hello`. The
/// connection appends `$db` and the fields of the Stable API, as to any command.
///
/// ```
/// use bson::rawdoc;
/// use mongo_actors_protocol::handshake::FirstHello;
///
/// let request = FirstHello::new(&rawdoc! {}).request();
/// assert_eq!(request.name, "isMaster");
/// assert!(request.body.get_bool("helloOk").unwrap());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct FirstHello<'a> {
    /// [`ClientMetadata::document`](super::ClientMetadata::document).
    pub client: &'a RawDocument,
    /// Whether a Stable API version is declared.
    pub stable_api: bool,
    /// Whether the client is in load-balanced mode.
    pub load_balanced: bool,
    /// Compressors that we can use, in order of preference.
    pub compressors: &'a [Compressor],
    /// Source and name of a user whose mechanisms we want to know; for a credential without a mechanism.
    pub sasl_supported_mechs: Option<(&'a str, &'a str)>,
    /// The first authentication command, in its speculative form.
    pub speculative_authenticate: Option<&'a RawDocument>,
}

impl<'a> FirstHello<'a> {
    /// A first hello without options, as monitors open their connections with.
    pub const fn new(client: &'a RawDocument) -> Self {
        Self {
            client,
            stable_api: false,
            load_balanced: false,
            compressors: &[],
            sasl_supported_mechs: None,
            speculative_authenticate: None,
        }
    }

    /// Builds the command.
    pub fn request(&self) -> Request {
        let mut request = hello(self.stable_api || self.load_balanced);
        let body = &mut request.body;
        body.append(cstr!("backpressure"), BACKPRESSURE_VERSION);
        body.append(cstr!("client"), self.client);
        let names: RawArrayBuf = self.compressors.iter().map(|compressor| compressor.name()).collect();
        body.append(cstr!("compression"), names);
        if self.load_balanced {
            body.append(cstr!("loadBalanced"), true);
        }
        if let Some((source, username)) = self.sasl_supported_mechs {
            body.append(cstr!("saslSupportedMechs"), format!("{source}.{username}"));
        }
        if let Some(command) = self.speculative_authenticate {
            body.append(cstr!("speculativeAuthenticate"), command);
        }
        request
    }
}

/// Asks the server to answer when its state changes.
#[derive(Clone, Copy, Debug)]
pub struct AwaitableHello<'a> {
    /// The `topologyVersion` of the last reply.
    pub topology_version: &'a RawDocument,
    /// How long the server may wait before it answers anyway: the heartbeat interval.
    pub max_await_time: Duration,
}

/// A hello after the first, as monitors send it.
///
/// `hello_ok` tells whether the server understands `hello`: it said so in its first reply, or the first command was
/// `hello` already. With `awaitable`, the server answers when something changed or the time is over.
pub fn monitor_hello(hello_ok: bool, awaitable: Option<AwaitableHello<'_>>) -> Request {
    let mut request = hello(hello_ok);
    if let Some(AwaitableHello { topology_version, max_await_time }) = awaitable {
        request.body.append(cstr!("topologyVersion"), topology_version);
        let millis = i64::try_from(max_await_time.as_millis()).unwrap_or(i64::MAX);
        request.body.append(cstr!("maxAwaitTimeMS"), millis);
    }
    request
}

fn hello(modern: bool) -> Request {
    let mut body = RawDocumentBuf::new();
    let name = if modern {
        body.append(cstr!("hello"), 1);
        "hello"
    } else {
        body.append(cstr!("isMaster"), 1);
        body.append(cstr!("helloOk"), true);
        "isMaster"
    };
    Request::new(name, "admin".into(), body)
}

#[cfg(test)]
mod tests {
    use bson::{Document, doc, rawdoc};

    use super::*;

    fn body(request: Request) -> Document {
        assert_eq!(&*request.database, "admin");
        request.body.try_into().unwrap()
    }

    #[test]
    fn the_first_command_is_legacy_unless_hello_is_demanded() {
        let client = rawdoc! { "os": { "type": "Linux" } };
        let first = FirstHello::new(&client);
        let expected = doc! {
            "isMaster": 1, "helloOk": true, "backpressure": "2", "client": { "os": { "type": "Linux" } }, "compression": [],
        };
        assert_eq!(body(first.request()), expected);
        let stable = body(FirstHello { stable_api: true, ..first }.request());
        assert_eq!(stable.keys().collect::<Vec<_>>(), ["hello", "backpressure", "client", "compression"]);
        let balanced = FirstHello { load_balanced: true, ..first }.request();
        assert_eq!(balanced.name, "hello");
        assert!(body(balanced).get_bool("loadBalanced").unwrap());
    }

    #[test]
    fn what_is_to_be_negotiated_is_asked_for() {
        let client = rawdoc! {};
        let speculative = rawdoc! { "saslStart": 1, "db": "admin" };
        let hello = FirstHello {
            compressors: &[Compressor::Zstd { level: None }, Compressor::Snappy],
            sasl_supported_mechs: Some(("admin", "a.b")),
            speculative_authenticate: Some(&speculative),
            ..FirstHello::new(&client)
        };
        let body = body(hello.request());
        assert_eq!(body.get("compression"), Some(&bson::bson!(["zstd", "snappy"])));
        assert_eq!(body.get_str("saslSupportedMechs").unwrap(), "admin.a.b");
        assert_eq!(body.get("speculativeAuthenticate"), Some(&bson::bson!({ "saslStart": 1, "db": "admin" })));
    }

    #[test]
    fn later_commands_carry_no_handshake() {
        assert_eq!(body(monitor_hello(true, None)), doc! { "hello": 1 });
        assert_eq!(body(monitor_hello(false, None)), doc! { "isMaster": 1, "helloOk": true });
        let topology_version = rawdoc! { "counter": 3_i64 };
        let awaitable = AwaitableHello { topology_version: &topology_version, max_await_time: Duration::from_secs(10) };
        let expected = doc! { "hello": 1, "topologyVersion": { "counter": 3_i64 }, "maxAwaitTimeMS": 10_000_i64 };
        assert_eq!(body(monitor_hello(true, Some(awaitable))), expected);
    }
}
