//! The options as they were given, before defaults.

use std::{path::PathBuf, time::Duration};

use super::{
    compressor::Compressor,
    driver::{DriverInfo, ServerApi},
    monitoring::ServerMonitoringMode,
    resolver::ResolverConfig,
};
use crate::{
    auth::{
        credential::{AuthMechanism, MechanismProperties},
        secret::Secret,
    },
    codec::{DatetimeConversion, TypeRegistry, Utf8Policy, UuidRepresentation, time::UtcOffset},
    concern::{Acknowledgment, ReadConcern},
    read_preference::{ReadPreference, ReadPreferenceMode, TagSet},
};

macro_rules! option_set {
    ($($field:ident: $type:ty,)*) => {
        /// One source's options; none means not given.
        #[derive(Clone, Debug, Default)]
        pub(super) struct OptionSet {
            $(pub(super) $field: Option<$type>,)*
        }

        impl OptionSet {
            /// Fills what is not given here from a source of lower rank.
            pub(super) fn over(self, lower: Self) -> Self {
                Self { $($field: self.$field.or(lower.$field),)* }
            }
        }
    };
}

option_set! {
    app_name: String,
    // The inner none is the explicit wish to negotiate.
    auth_mechanism: Option<AuthMechanism>,
    auth_mechanism_properties: MechanismProperties,
    auth_source: String,
    compressors: Vec<Compressor>,
    connect_timeout: Duration,
    datetime_conversion: DatetimeConversion,
    default_database: String,
    direct_connection: bool,
    driver_infos: Vec<DriverInfo>,
    fsync: bool,
    heartbeat_frequency: Duration,
    journal: bool,
    load_balanced: bool,
    local_threshold: Duration,
    max_adaptive_retries: u32,
    max_connecting: u32,
    max_idle_time: Duration,
    max_pool_size: u32,
    // The inner none is the explicit wish for no limit.
    max_staleness: Option<Duration>,
    min_heartbeat_frequency: Duration,
    min_pool_size: u32,
    overload_retargeting: bool,
    password: Secret,
    proxy_host: String,
    proxy_password: Secret,
    proxy_port: u16,
    proxy_username: String,
    read_concern: ReadConcern,
    read_preference: ReadPreference,
    read_preference_mode: ReadPreferenceMode,
    read_preference_tags: Vec<TagSet>,
    replica_set: String,
    resolver_config: ResolverConfig,
    retry_reads: bool,
    retry_writes: bool,
    server_api: ServerApi,
    server_monitoring_mode: ServerMonitoringMode,
    server_selection_timeout: Duration,
    server_selection_try_once: bool,
    socket_timeout: Duration,
    srv_max_hosts: u32,
    srv_service_name: String,
    // The inner none is naive conversion.
    time_zone: Option<UtcOffset>,
    timeout: Duration,
    tls: bool,
    tls_allow_invalid_certificates: bool,
    tls_allow_invalid_hostnames: bool,
    tls_ca_file: PathBuf,
    tls_ca_pem: String,
    tls_certificate_key_file: PathBuf,
    tls_certificate_key_file_password: Secret,
    tls_certificate_key_pem: Secret,
    tls_crl_file: PathBuf,
    tls_disable_certificate_revocation_check: bool,
    tls_disable_ocsp_endpoint_check: bool,
    tls_insecure: bool,
    tls_key_file: PathBuf,
    type_registry: TypeRegistry,
    username: String,
    utf8_policy: Utf8Policy,
    uuid_representation: UuidRepresentation,
    w: Acknowledgment,
    w_timeout: Duration,
    wait_queue_timeout: Duration,
    zlib_compression_level: i32,
    zstd_compression_level: i32,
}
