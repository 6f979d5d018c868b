//! The arguments of `AsyncMongoClient`, which are also the options of the connection string.
//!
//! An option given in code goes before that of the connection string, that before one of a TXT record, and that before
//! the default; each by itself. In a connection string an unknown option and a malformed value are
//! [warnings](ClientOptions::warnings); in code a bad value is an error of [`ClientBuilder::build`]. Contradictions are
//! errors wherever the two halves come from.
//!
//! | PyMongo | default | here | remark |
//! |---|---|---|---|
//! | `host` | `localhost` | [`uri`](ClientBuilder::uri), [`hosts`](ClientBuilder::hosts) | |
//! | `port` | 27017 | [`default_port`](ClientBuilder::default_port) | |
//! | `document_class` | | the type parameter of [`Collection`] | |
//! | `tz_aware`, `tzinfo` | naive | [`CodecOptions::time_zone`] | a fixed distance from UTC |
//! | `type_registry` | empty | [`CodecOptions::type_registry`], `Serialize`, `Deserialize` | by BSON type; there is no fallback encoder, as a type that cannot be encoded does not compile |
//! | `datetime_conversion` | `datetime` | [`CodecOptions::datetime_conversion`] | a BSON date time is never an error; the policy is for [`CodecOptions::convert_datetime`] |
//! | `uuidRepresentation` | `unspecified` | [`CodecOptions::uuid_representation`] | `bson::Uuid` stands for subtype 4 where nothing is specified |
//! | `unicode_decode_error_handler` | `strict` | [`CodecOptions::utf8_policy`] | `backslashreplace` and `surrogateescape` are of Python and a warning |
//! | `connect` | | no effect | a client connects when it is built; [`Client::warm_up`] waits for it |
//! | `directConnection` | false | [`direct_connection`](ClientBuilder::direct_connection) | |
//! | `replicaSet` | | [`replica_set`](ClientBuilder::replica_set) | |
//! | `loadBalanced` | false | [`load_balanced`](ClientBuilder::load_balanced) | |
//! | `maxPoolSize` | 100 | [`max_pool_size`](ClientBuilder::max_pool_size) | 0 and none are no limit, also beside `minPoolSize` |
//! | `minPoolSize` | 0 | [`min_pool_size`](ClientBuilder::min_pool_size) | |
//! | `maxIdleTimeMS` | none | [`max_idle_time`](ClientBuilder::max_idle_time) | 0 is no limit, as the specification says; PyMongo refuses it |
//! | `maxConnecting` | 2 | [`max_connecting`](ClientBuilder::max_connecting) | |
//! | `waitQueueTimeoutMS` | none | [`wait_queue_timeout`](ClientBuilder::wait_queue_timeout) | |
//! | `timeoutMS` | unset | [`timeout`](ClientBuilder::timeout) | also of handles, sessions, operations and [scopes](crate::timeout::scope) |
//! | `socketTimeoutMS` | none | [`socket_timeout`](ClientBuilder::socket_timeout) | |
//! | `connectTimeoutMS` | 20 s | [`connect_timeout`](ClientBuilder::connect_timeout) | |
//! | `serverSelectionTimeoutMS` | 30 s | [`server_selection_timeout`](ClientBuilder::server_selection_timeout) | 0 decides at once |
//! | `heartbeatFrequencyMS` | 10 s | [`heartbeat_frequency`](ClientBuilder::heartbeat_frequency) | |
//! | `server_selector` | | [`server_selector`](ClientBuilder::server_selector) | not to be seen in [`Client::options`] |
//! | `serverMonitoringMode` | `auto` | [`server_monitoring_mode`](ClientBuilder::server_monitoring_mode) | case does not matter |
//! | `localThresholdMS` | 15 ms | [`local_threshold`](ClientBuilder::local_threshold) | |
//! | `appname` | | [`app_name`](ClientBuilder::app_name) | |
//! | `driver` | | [`driver_info`](ClientBuilder::driver_info), [`Client::append_metadata`] | |
//! | `event_listeners` | | [`command_listener`](ClientBuilder::command_listener) and its companions, [`monitoring`](crate::monitoring) | |
//! | `retryWrites`, `retryReads` | true | [`retry_writes`](ClientBuilder::retry_writes), [`retry_reads`](ClientBuilder::retry_reads) | |
//! | `maxAdaptiveRetries` | 2 | [`max_adaptive_retries`](ClientBuilder::max_adaptive_retries) | |
//! | `enableOverloadRetargeting` | false | [`overload_retargeting`](ClientBuilder::overload_retargeting) | |
//! | `compressors` | none | [`compressors`](ClientBuilder::compressors) | those that the build lacks are a warning |
//! | `zlibCompressionLevel` | -1 | [`Compressor::Zlib`] | `zstdCompressionLevel` is [`Compressor::Zstd`] |
//! | `srvServiceName` | `mongodb` | [`srv_service_name`](ClientBuilder::srv_service_name) | an error without `mongodb+srv`, also in code |
//! | `srvMaxHosts` | 0, all | [`srv_max_hosts`](ClientBuilder::srv_max_hosts) | |
//! | `w`, `wTimeoutMS`, `journal`, `fsync` | unset | [`write_concern`](ClientBuilder::write_concern) | `wTimeoutMS` is deprecated for the timeout |
//! | `readConcernLevel` | unset | [`read_concern`](ClientBuilder::read_concern) | |
//! | `readPreference`, `readPreferenceTags`, `maxStalenessSeconds`, `read_preference` | primary | [`read_preference`](ClientBuilder::read_preference) | in code, primary cannot have tags or a staleness |
//! | `username`, `password` | | [`username`](ClientBuilder::username), [`password`](ClientBuilder::password), [`credential`](ClientBuilder::credential) | never percent-encoded in code |
//! | `authSource` | the database of the connection string, `admin`, `$external` | [`auth_source`](ClientBuilder::auth_source) | |
//! | `authMechanism` | negotiated | [`auth_mechanism`](ClientBuilder::auth_mechanism) | an unknown one is an error in the connection string too: no authentication must not go unnoticed; `MONGODB-OIDC` and `GSSAPI` are missing |
//! | `authMechanismProperties` | | [`auth_mechanism_properties`](ClientBuilder::auth_mechanism_properties) | of an unknown key only that key is dropped |
//! | `tls`, `ssl` | false, true for SRV | [`tls`](ClientBuilder::tls), [`no_tls`](ClientBuilder::no_tls) | |
//! | `tlsInsecure` | false | [`TlsOptions::insecure`](struct@TlsOptions#structfield.insecure) | |
//! | `tlsAllowInvalidCertificates`, `tlsAllowInvalidHostnames` | false | [`TlsOptions::with_allow_invalid_certificates`], [`TlsOptions::with_allow_invalid_hostnames`] | |
//! | `tlsCAFile` | the system's | [`TlsOptions::with_ca_pem`] takes the certificates themselves | |
//! | `tlsCertificateKeyFile`, `..Password` | | [`TlsOptions::with_cert_key_file`], [`TlsOptions::with_cert_key_pem`], [`TlsOptions::with_cert_key_password`] | |
//! | `tlsCRLFile` | | [`TlsOptions::with_crl_file`] | |
//! | `tlsDisableOCSPEndpointCheck` | false | [`TlsOptions::disable_ocsp_endpoint_check`](struct@TlsOptions#structfield.disable_ocsp_endpoint_check) | OCSP works, which it does not in PyMongo's asynchronous client |
//! | `auto_encryption_opts` | | missing | |
//! | `server_api` | none | [`server_api`](ClientBuilder::server_api) | |
//! | SOCKS5: `proxyHost`, `proxyPort`, `proxyUsername`, `proxyPassword` | | [`socks5_proxy`](ClientBuilder::socks5_proxy) | works, which it does not in PyMongo |
//! | `j`, `wTimeout`, `ssl_*` | | understood in connection strings, with a warning that names the successor | no methods |
//! | `waitQueueMultiple`, `socketKeepAlive`, `auto_start_request`, `serverSelectionTryOnce` | | no effect, with a warning | |
//!
//! DNS is asked by [`ClientBuilder::connect`] and [`Client::with_uri_str`], so that its errors come at once; PyMongo asks
//! at the first operation.

#[cfg(doc)]
use crate::{Client, ClientBuilder, Collection, options::*};
