//! radsecproxy: the RADIUS/TLS of eduroam and of many access points, in front of the box. It takes RADIUS over UDP and hands it
//! on over one TLS connection.

use crate::daemon::free_udp_port;
use crate::namespace::Namespace;
use crate::program::Program;
use serde_json::Value;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const START_MAX: Duration = Duration::from_secs(10);

/// A running proxy.
pub struct RadSecProxy {
    pub program: Program,
    /// Where it takes RADIUS over UDP.
    pub address: SocketAddr,
}

/// What RADIUS clients share with the proxy.
pub const SECRET: &str = "between-nas-and-proxy";

impl RadSecProxy {
    /// In front of `server`, with what `doorpost accesspoint certificate --json` issued; `more` are lines for its server block.
    pub fn start(folder: &Path, server: SocketAddr, issued: &Value, more: &str) -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_udp_port()));
        Self::start_by(Command::new("radsecproxy"), folder, address, server, issued, more)
    }

    /// As [`RadSecProxy::start`], on the access point itself. The box has another address there than its certificate says, so it
    /// is known by its name.
    pub fn start_within(namespace: &Namespace, folder: &Path, server: SocketAddr, issued: &Value) -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1812));
        let more = "  CertificateNameCheck off\n  MatchCertificateAttribute SubjectAltName:DNS:/^doorpost\\.harbour\\.example$/\n";
        let command = namespace.command(Path::new("radsecproxy"));
        Self::start_by(command, folder, address, server, issued, more)
    }

    fn start_by(
        mut command: Command,
        folder: &Path,
        address: SocketAddr,
        server: SocketAddr,
        issued: &Value,
        more: &str,
    ) -> Self {
        let file = |name: &str, key: &str| {
            let path = folder.join(name);
            fs::write(&path, issued[key].as_str().expect("PEM")).expect("a file in our folder");
            path.display().to_string()
        };
        let (ca, certificate, key) = (file("ca.pem", "ca"), file("proxy.pem", "certificate"), file("proxy.key", "key"));
        let text = format!(
            "ListenUDP {address}\nLogLevel 5\nIPv4Only on\n\
             tls box {{\n  CACertificateFile {ca}\n  CertificateFile {certificate}\n  CertificateKeyFile {key}\n}}\n\
             client nas {{\n  host 127.0.0.1\n  type udp\n  secret {SECRET}\n}}\n\
             server box {{\n  host {}\n  port {}\n  type tls\n  tls box\n  secret radsec\n{more}}}\n\
             realm * {{\n  server box\n  accountingServer box\n}}\n",
            server.ip(),
            server.port(),
        );
        let conf = folder.join("radsecproxy.conf");
        fs::write(&conf, text).expect("a file in our folder");
        command.args(["-f", "-d", "5", "-c"]).arg(&conf);
        let mut program = Program::start(command, "radsecproxy");
        program.wait_for("listening for udp on", START_MAX);
        Self { program, address }
    }
}
