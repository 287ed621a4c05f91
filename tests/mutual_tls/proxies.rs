//! Proxies that others wrote. `NGINX_SERVER=nginx` and `HAPROXY_SERVER=haproxy` name the programs.

use std::{
    env, fs,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use axum::{Router, extract::ConnectInfo};
use tokio::{
    net::{TcpListener, TcpStream},
    process::{Child, Command},
    time,
};
use tower_jwt_auth::{
    proof::{MutualTls, ProxyHeader},
    testing::TestIssuer,
};

use crate::support::{
    Connection, Identity, Party, accepted, app, base64, bound, bound_to, hex, refused, to_pem,
};

/// A directory for the files of a proxy, and the proxy itself.
pub struct Proxy {
    folder: PathBuf,
    pub address: SocketAddr,
    process: Child,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.process.start_kill();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Proxy {
    /// Writes the files of the proxy, starts it, and waits until it listens.
    async fn start(
        party: &Party,
        name: &str,
        config: impl FnOnce(&Path, SocketAddr) -> String,
        command: impl FnOnce(&Path) -> Command,
    ) -> Self {
        let folder = env::temp_dir().join(format!("mutual-tls-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (certificate, key) =
            (to_pem(&party.server.certificate), party.server.key.serialize_pem());
        fs::write(folder.join("both.pem"), format!("{certificate}{key}")).unwrap();
        fs::write(folder.join("ca.pem"), to_pem(&party.authority)).unwrap();
        // Nobody else takes it in between, most of the time.
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        fs::write(folder.join("proxy.conf"), config(&folder, free)).unwrap();
        let mut command = command(&folder);
        command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
        let process = command.spawn().unwrap();
        let proxy = Self { folder, address: free, process };
        let listens = async {
            while TcpStream::connect(free).await.is_err() {
                time::sleep(Duration::from_millis(20)).await;
            }
        };
        time::timeout(Duration::from_secs(20), listens).await.expect("the proxy does not listen");
        proxy
    }

    /// nginx with the configuration of the guide.
    pub async fn nginx(party: &Party, name: &str, backend: SocketAddr) -> Self {
        let config = |folder: &Path, address: SocketAddr| {
            let folder = folder.display();
            // The block `server` is that of the guide.
            format!(
                r"daemon off;
master_process off;
pid {folder}/pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    scgi_temp_path {folder}/scgi;
    uwsgi_temp_path {folder}/uwsgi;
    server {{
        listen {address} ssl;
        ssl_certificate {folder}/both.pem;
        ssl_certificate_key {folder}/both.pem;
        ssl_verify_client optional_no_ca;
        location / {{
            proxy_pass http://{backend};
            proxy_set_header X-SSL-Client-Cert $ssl_client_escaped_cert;
        }}
    }}
}}
"
            )
        };
        let command = |folder: &Path| {
            let mut command = Command::new(program("NGINX_SERVER"));
            command
                .arg("-p")
                .arg(folder)
                .arg("-e")
                .arg("stderr")
                .arg("-c")
                .arg(folder.join("proxy.conf"));
            command
        };
        Self::start(party, name, config, command).await
    }
}

pub fn program(variable: &str) -> String {
    env::var(variable).unwrap_or_else(|_| panic!("{variable} must name the program"))
}

/// A service that believes a header of 127.0.0.1.
async fn backend(issuer: &TestIssuer, header: ProxyHeader) -> SocketAddr {
    serve(app(issuer, trusting(header))).await
}

/// The proofs of a service that believes a header of 127.0.0.1.
pub fn trusting(header: ProxyHeader) -> MutualTls {
    MutualTls::required()
        .proxy_header(header)
        .trusted_proxy("127.0.0.1")
        .peer_extension::<ConnectInfo<SocketAddr>>()
        .build()
        .unwrap()
}

/// Serves an application that sees the addresses of its peers.
pub async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// What must hold behind each proxy. `written` is what it writes for a certificate.
async fn all_cases(
    party: &Party,
    issuer: &TestIssuer,
    proxy: SocketAddr,
    backend: SocketAddr,
    name: &str,
    written: impl Fn(&Identity) -> String,
) {
    let mine = bound(issuer, &party.client);
    let stolen = written(&party.client);
    let forged: [&[(&str, &str)]; 2] = [&[], &[(name, &stolen)]];

    // One connection, several requests.
    let mut connection = Connection::open(party, proxy, Some(&party.client), false).await;
    for headers in forged {
        accepted(connection.get(&mine, headers).await);
        refused(connection.get(&bound(issuer, &party.other), headers).await);
        refused(connection.get(&issuer.token().sign(), headers).await);
        refused(connection.get(&bound_to(issuer, &hex(&party.client)), headers).await);
    }
    let mut connection = Connection::open(party, proxy, Some(&party.self_signed), false).await;
    for headers in forged {
        accepted(connection.get(&bound(issuer, &party.self_signed), headers).await);
        refused(connection.get(&mine, headers).await);
    }
    // What the client sends in the header is removed.
    for identity in [None, Some(&party.other)] {
        let mut connection = Connection::open(party, proxy, identity, false).await;
        for headers in forged {
            refused(connection.get(&mine, headers).await);
        }
    }
    // Past the proxy: the header that it would write, from an address that is not its own.
    let from = |ip: &str| SocketAddr::new(ip.parse::<IpAddr>().unwrap(), 0);
    let mut connection = Connection::plain(backend, from("127.0.0.2")).await;
    refused(connection.get(&mine, &[(name, &stolen)]).await);
    let mut connection = Connection::plain(backend, from("127.0.0.1")).await;
    accepted(connection.get(&mine, &[(name, &stolen)]).await);
    refused(connection.get(&mine, &[(name, &stolen), (name, &stolen)]).await);
    refused(connection.get(&mine, &[(name, "x")]).await);
}

#[tokio::test]
#[ignore = "needs nginx: NGINX_SERVER=nginx"]
async fn d10_nginx() {
    let (party, issuer) = (Party::new(), TestIssuer::new());
    let backend = backend(&issuer, ProxyHeader::nginx("x-ssl-client-cert")).await;
    let proxy = Proxy::nginx(&party, "nginx", backend).await;
    let escaped = |identity: &Identity| {
        let byte = |byte: u8| match byte {
            b'-' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        };
        to_pem(&identity.certificate).bytes().map(byte).collect()
    };
    all_cases(&party, &issuer, proxy.address, backend, "x-ssl-client-cert", escaped).await;
}

#[tokio::test]
#[ignore = "needs HAProxy: HAPROXY_SERVER=haproxy"]
async fn d10_haproxy() {
    let haproxy = program("HAPROXY_SERVER");
    for (name, header, value, colons) in [
        ("x-ssl-client-cert", ProxyHeader::haproxy("x-ssl-client-cert"), "%[ssl_c_der,base64]", ""),
        // As RFC 9440 has it, with HAProxy's means.
        ("client-cert", ProxyHeader::client_cert(), ":%[ssl_c_der,base64]:", ":"),
    ] {
        let (party, issuer) = (Party::new(), TestIssuer::new());
        let backend = backend(&issuer, header).await;
        let config = |folder: &Path, address: SocketAddr| {
            let folder = folder.display();
            format!(
                r"defaults
    mode http
    timeout connect 5s
    timeout client 5s
    timeout server 5s
frontend tls
    bind {address} ssl crt {folder}/both.pem verify optional ca-file {folder}/ca.pem crt-ignore-err all ca-ignore-err all
    http-request del-header {name}
    http-request set-header {name} {value} if {{ ssl_c_used }}
    default_backend api
backend api
    server api {backend}
"
            )
        };
        let command = |folder: &Path| {
            let mut command = Command::new(&haproxy);
            command.arg("-q").arg("-f").arg(folder.join("proxy.conf"));
            command
        };
        let proxy = Proxy::start(&party, &format!("haproxy-{name}"), config, command).await;
        let written =
            |identity: &Identity| format!("{colons}{}{colons}", base64(&identity.certificate));
        all_cases(&party, &issuer, proxy.address, backend, name, written).await;
    }
}
