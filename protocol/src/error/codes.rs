//! The error codes that the specifications give a meaning to.

pub(super) const UNAUTHORIZED: i32 = 13;
pub(super) const AUTHENTICATION_FAILED: i32 = 18;
pub(super) const ILLEGAL_OPERATION: i32 = 20;
pub(super) const NAMESPACE_NOT_FOUND: i32 = 26;
pub(super) const CURSOR_NOT_FOUND: i32 = 43;
pub(super) const MAX_TIME_MS_EXPIRED: i32 = 50;
pub(super) const COMMAND_NOT_FOUND: i32 = 59;
pub(super) const READ_CONCERN_MAJORITY_NOT_AVAILABLE_YET: i32 = 134;
pub(super) const REAUTHENTICATION_REQUIRED: i32 = 391;

/// `DuplicateKey` and its two older numbers.
pub(super) const DUPLICATE_KEY: &[i32] = &[11000, 11001, 12582];

/// `NotWritablePrimary`, `NotPrimaryNoSecondaryOk`, `LegacyNotPrimary`.
const NOT_PRIMARY: &[i32] = &[10107, 13435, 10058];

/// `InterruptedAtShutdown`, `InterruptedDueToReplStateChange`, `NotPrimaryOrSecondary`, `PrimarySteppedDown`,
/// `ShutdownInProgress`.
const RECOVERING: &[i32] = &[11600, 11602, 13436, 189, 91];

/// `InterruptedAtShutdown`, `ShutdownInProgress`.
pub(super) const SHUTTING_DOWN: &[i32] = &[11600, 91];

/// `InterruptedAtShutdown`, `InterruptedDueToReplStateChange`, `NotWritablePrimary`, `NotPrimaryNoSecondaryOk`,
/// `NotPrimaryOrSecondary`, `PrimarySteppedDown`, `ShutdownInProgress`, `HostNotFound`, `HostUnreachable`,
/// `NetworkTimeout`, `SocketException`, `ExceededTimeLimit`.
pub(super) const RETRYABLE_WRITE: &[i32] = &[11600, 11602, 10107, 13435, 13436, 189, 91, 7, 6, 89, 9001, 262];

/// `HostUnreachable`, `HostNotFound`, `NetworkTimeout`, `ShutdownInProgress`, `PrimarySteppedDown`,
/// `ExceededTimeLimit`, `SocketException`, `NotWritablePrimary`, `InterruptedAtShutdown`,
/// `InterruptedDueToReplStateChange`, `NotPrimaryNoSecondaryOk`, `NotPrimaryOrSecondary`, `StaleShardVersion`,
/// `StaleEpoch`, `StaleConfig`, `RetryChangeStream`, `FailedToSatisfyReadPreference`, `CursorNotFound`.
pub(super) const RESUMABLE: &[i32] =
    &[6, 7, 89, 91, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436, 63, 150, 13388, 234, 133, 43];

pub(super) fn is_not_primary(code: i32, message: &str) -> bool {
    match code {
        0 => message.contains("not master") && !is_node_recovering(0, message),
        code => NOT_PRIMARY.contains(&code),
    }
}

pub(super) fn is_node_recovering(code: i32, message: &str) -> bool {
    match code {
        0 => message.contains("not master or secondary") || message.contains("node is recovering"),
        code => RECOVERING.contains(&code),
    }
}
