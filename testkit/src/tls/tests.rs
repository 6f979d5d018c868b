use std::time::Duration;

use bson::doc;

use super::*;
use crate::Standalone;

#[tokio::test]
async fn a_server_speaks_tls_only() {
    let authority = TlsAuthority::new().unwrap();
    let tls = ServerTls::new(&authority).unwrap().require_client_certificates();
    let server = Standalone::builder().tls(tls).auth("user", "secret").start().await.unwrap();
    let plain =
        crate::wire::client::Client::connect(server.member().direct_socket(), None, None, Duration::from_secs(2));
    assert!(plain.await.is_err());
    let status = server.member().admin(doc! { "connectionStatus": 1 }).await.unwrap();
    assert_eq!(status.get_f64("ok").unwrap(), 1.0);
    let uri = server.uri();
    for option in ["tls=true", "tlsCAFile=", "tlsCertificateKeyFile="] {
        assert!(uri.contains(option), "{uri}");
    }
}

#[test]
fn a_subject_is_written_as_the_server_writes_it() {
    let client = TlsAuthority::new().unwrap().issue(CertificateSpec::client("alice")).unwrap();
    assert_eq!(client.subject(), "CN=alice,OU=clients,O=mongo-actors");
}
