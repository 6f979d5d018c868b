use std::path::{Path, PathBuf};

use mongo_actors_protocol::options::{ConfigError, TlsOptions};
use rustls::pki_types::PrivateKeyDer;

use super::{
    Tls,
    key::{self, KeyFault},
};

const PASSWORD: &[u8] = b"open-sesame";

/// Keys that OpenSSL 3.0 wrote.
fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/net/tls/fixtures").join(name)
}

fn block(name: &str) -> pem::Pem {
    pem::parse(std::fs::read(fixture(name)).unwrap()).unwrap()
}

fn read(name: &str, password: Option<&[u8]>) -> Result<PrivateKeyDer<'static>, KeyFault> {
    key::read(block(name), password)
}

#[test]
fn every_form_of_encryption_hides_the_same_key() {
    let same = |plain: &str, encrypted: &[&str]| {
        let plain = read(plain, None).unwrap();
        for name in encrypted {
            assert_eq!(read(name, Some(PASSWORD)).unwrap(), plain, "{name}");
        }
    };
    same(
        "ec.pkcs8.pem",
        &["ec.pkcs8-aes256.pem", "ec.pkcs8-aes128-sha1.pem", "ec.pkcs8-des3.pem", "ec.pkcs8-scrypt.pem"],
    );
    same("ec.sec1.pem", &["ec.legacy-aes256.pem"]);
    same("rsa.pkcs1.pem", &["rsa.legacy-aes128.pem", "rsa.legacy-aes192.pem", "rsa.legacy-des3.pem"]);
}

#[test]
fn a_password_that_is_missing_or_wrong_is_told_apart() {
    for name in ["ec.pkcs8-aes256.pem", "ec.legacy-aes256.pem", "rsa.legacy-des3.pem"] {
        assert_eq!(read(name, None), Err(KeyFault::PasswordMissing), "{name}");
        assert_eq!(read(name, Some(b"wrong")), Err(KeyFault::PasswordWrong), "{name}");
    }
    assert!(read("ec.pkcs8.pem", Some(b"not needed")).is_ok());
}

#[test]
fn an_unsupported_encryption_is_named() {
    assert!(matches!(read("ec.pkcs8-v1.pem", Some(PASSWORD)), Err(KeyFault::Encryption(_))));
    let mut old = block("rsa.legacy-des3.pem");
    old.headers_mut().add("DEK-Info", "DES-CBC,0011223344556677").unwrap();
    let text = pem::encode(&old).replace("DEK-Info: DES-EDE3-CBC,86B3CE5BDDC1E827\r\n", "");
    let fault = key::read(pem::parse(text).unwrap(), Some(PASSWORD));
    assert_eq!(fault, Err(KeyFault::Encryption("DES-CBC".into())));
}

#[test]
fn damaged_headers_are_no_panic() {
    for info in
        ["AES-256-CBC", "AES-256-CBC,", "AES-256-CBC,00", "AES-256-CBC,0011223344556677", "AES-256-CBC,xyz", ","]
    {
        let text = format!(
            "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: {info}\n\nAAAA\n-----END RSA PRIVATE \
             KEY-----\n"
        );
        assert!(key::read(pem::parse(text).unwrap(), Some(PASSWORD)).is_err(), "{info}");
    }
}

fn fault(options: TlsOptions) -> (String, String) {
    let ConfigError::Configuration { options, reason } = Tls::new(&options, None, None).unwrap_err() else { panic!() };
    (options[0].to_string(), reason)
}

#[test]
fn what_is_wrong_with_a_file_is_said_with_the_option_and_the_path() {
    let (option, reason) = fault(TlsOptions::new().with_ca_file("/nowhere/ca.pem"));
    assert_eq!(option, "tlsCAFile");
    assert!(reason.contains("/nowhere/ca.pem cannot be read"), "{reason}");

    let key = fixture("ec.pkcs8.pem");
    let (option, reason) = fault(TlsOptions::new().with_ca_file(&key));
    assert_eq!(option, "tlsCAFile");
    assert!(reason.contains("ec.pkcs8.pem") && reason.contains("no PEM certificate"), "{reason}");

    let (option, reason) = fault(TlsOptions::insecure().with_cert_key_file(&key));
    assert_eq!(option, "tlsCertificateKeyFile");
    assert!(reason.contains("ec.pkcs8.pem") && reason.contains("no PEM certificate"), "{reason}");

    let mut options = TlsOptions::new().with_ca_file(fixture("ca.pem"));
    options.crl_file = Some(key);
    let (option, reason) = fault(options);
    assert_eq!(option, "tlsCRLFile");
    assert!(reason.contains("ec.pkcs8.pem") && reason.contains("no revocation list"), "{reason}");
}

#[test]
fn a_key_must_belong_to_its_certificate() {
    let pem = |key: &str| {
        let certificate = std::fs::read_to_string(fixture("ca.pem")).unwrap();
        let key = std::fs::read_to_string(fixture(key)).unwrap();
        let mut options = TlsOptions::insecure();
        options.cert_key_pem = Some(format!("{certificate}{key}").into());
        options
    };
    assert!(Tls::new(&pem("ec.sec1.pem"), None, None).is_ok());
    let (option, reason) = fault(pem("rsa.pkcs1.pem"));
    assert_eq!(option, "tlsCertificateKeyFile");
    assert!(reason.contains("does not belong to the certificate"), "{reason}");
    assert_eq!(fault(pem("ec.legacy-aes256.pem")).0, "tlsCertificateKeyFilePassword");
}
