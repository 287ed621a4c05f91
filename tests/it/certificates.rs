//! Certificates of an authority that nobody else knows, made by openssl.

use std::{fs, path::Path, process::Command};

/// An authority, one certificate each for `localhost` and for a client, and another key with a
/// certificate of its own.
pub(crate) fn make(folder: &Path) {
    let openssl = |arguments: &str| {
        let mut command = Command::new("openssl");
        let done = command.args(arguments.split(' ')).current_dir(folder).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    let new = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    openssl(&format!("req -x509 {new} -keyout ca.key -out ca.pem -subj /CN=test -days 2"));
    openssl(&format!("req -x509 {new} -keyout other.key -out other.pem -subj /CN=x -days 2"));
    for (name, host) in [("server", "localhost"), ("client", "client.example.com")] {
        fs::write(folder.join("names"), format!("subjectAltName=DNS:{host}")).unwrap();
        openssl(&format!("req {new} -keyout {name}.key -out {name}.csr -subj /CN={name}"));
        openssl(&format!(
            "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile names \
             -out {name}.pem -days 2"
        ));
    }
}
