//! Which failed establishments are taken for overload.

use crate::error::{Labels, labels};

/// How far the establishment of a connection had got when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EstablishmentStep {
    /// The host name was being resolved.
    Resolve,
    /// A proxy was asked for a connection.
    Proxy,
    /// The socket was being connected.
    Connect,
    /// The TLS handshake was under way.
    Tls,
    /// The `hello` was sent, or its reply awaited.
    Hello,
    /// The connection was being authenticated.
    Authenticate,
}

/// The labels a pool adds to an error met while establishing a connection.
///
/// An input or output error (a timeout or an end of file included) from connecting to the reply of `hello` may come
/// from an overloaded server; anything else, such as a certificate that does not fit, cannot.
pub fn establishment_labels(step: EstablishmentStep, is_io_error: bool) -> Labels {
    let mut added = Labels::new();
    let reaches_server = (EstablishmentStep::Connect..=EstablishmentStep::Hello).contains(&step);
    if is_io_error && reaches_server {
        added.add(labels::SYSTEM_OVERLOADED_ERROR);
        added.add(labels::RETRYABLE_ERROR);
    }
    added
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_io_errors_on_the_way_to_the_server_count_as_overload() {
        use EstablishmentStep::*;
        for (step, expected) in
            [(Resolve, false), (Proxy, false), (Connect, true), (Tls, true), (Hello, true), (Authenticate, false)]
        {
            let added = establishment_labels(step, true);
            assert_eq!(added.contains(labels::SYSTEM_OVERLOADED_ERROR), expected, "{step:?}");
            assert_eq!(added.contains(labels::RETRYABLE_ERROR), expected, "{step:?}");
            assert!(establishment_labels(step, false).is_empty());
        }
    }
}
