//! 802.1X on a cable: hostapd's wired driver as a switch's port, wpa_supplicant as the computer at the other end, each in a
//! network namespace of its own, and a third one for the box. They are the programs that run on real access points and laptops;
//! only the air is missing.
//!
//! ```text
//! box 10.0.0.1 === 10.0.0.2 switch (hostapd) port0 ------ eth0 computer (wpa_supplicant)
//! ```

use crate::namespace::Namespace;
use crate::program::Program;
use crate::radsec_proxy;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Where the box is, where the switch is, and what they share.
pub const BOX: &str = "10.0.0.1";
pub const SWITCH: &str = "10.0.0.2";
pub const SECRET: &str = "a-secret-of-the-switch";
/// Seconds between two reports of a session: hostapd's own setting goes before what the box asks for.
const INTERIM_SECONDS: u32 = 1;
const START_MAX: Duration = Duration::from_secs(10);

/// Three hosts and the cables between them.
pub struct Cabling {
    pub computer: Namespace,
    pub switch: Namespace,
    pub server: Namespace,
}

impl Cabling {
    pub fn new() -> Self {
        let [server, switch, computer] = ["box", "switch", "computer"].map(Namespace::new);
        server.join("uplink", &switch, "uplink");
        switch.join("port0", &computer, "eth0");
        server.address("uplink", &format!("{BOX}/30"));
        switch.address("uplink", &format!("{SWITCH}/30"));
        Self { computer, switch, server }
    }
}

impl Default for Cabling {
    fn default() -> Self {
        Self::new()
    }
}

/// hostapd at `port0`.
pub struct Switch {
    pub program: Program,
    control: PathBuf,
}

impl Switch {
    /// Asks the box itself.
    pub fn start(cabling: &Cabling, folder: &Path) -> Self {
        Self::start_with(cabling, folder, [(BOX, 1812, SECRET), (BOX, 1813, SECRET)])
    }

    /// Asks radsecproxy on the switch itself.
    pub fn start_behind_a_proxy(cabling: &Cabling, folder: &Path) -> Self {
        let proxy = ("127.0.0.1", 1812, radsec_proxy::SECRET);
        Self::start_with(cabling, folder, [proxy, proxy])
    }

    /// With these servers (address, port, secret) for logins and for accounting.
    fn start_with(cabling: &Cabling, folder: &Path, servers: [(&str, u16, &str); 2]) -> Self {
        let [(auth, auth_port, auth_secret), (acct, acct_port, acct_secret)] = servers;
        let control = folder.join("hostapd");
        let text = format!(
            "driver=wired\ninterface=port0\nlogger_stdout=-1\nlogger_stdout_level=2\nctrl_interface={}\n\
             ieee8021x=1\nuse_pae_group_addr=1\nown_ip_addr={SWITCH}\nnas_identifier=switch\n\
             auth_server_addr={auth}\nauth_server_port={auth_port}\nauth_server_shared_secret={auth_secret}\n\
             acct_server_addr={acct}\nacct_server_port={acct_port}\nacct_server_shared_secret={acct_secret}\n\
             radius_acct_interim_interval={INTERIM_SECONDS}\n\
             radius_das_port=3799\nradius_das_client={BOX} {SECRET}\n\
             radius_das_require_event_timestamp=1\nradius_das_require_message_authenticator=1\n",
            control.display()
        );
        let conf = folder.join("hostapd.conf");
        fs::write(&conf, text).expect("a file in our folder");
        let mut command = cabling.switch.command(Path::new("hostapd"));
        command.arg("-d").arg(&conf);
        let mut program = Program::start(command, "hostapd");
        program.wait_for("AP-ENABLED", START_MAX);
        Self { program, control }
    }

    /// How many computers it has forgotten. It does that some seconds after it has closed the port to one, and hears nobody
    /// before.
    pub fn farewells(&self) -> usize {
        self.program.log().matches("deauthenticated due to local deauth request").count()
    }

    /// Asks a computer to log in again, as the end of its Session-Timeout would.
    pub fn reauthenticate(&self, mac: &str) {
        control("hostapd_cli", &self.control, "port0", &["raw", "EAPOL_REAUTH", mac]);
    }
}

/// wpa_supplicant at `eth0`.
pub struct Computer {
    pub program: Program,
    control: PathBuf,
}

/// By which a computer logs in, as wpa_supplicant has it.
pub struct Identity<'a> {
    pub username: &'a str,
    pub password: &'a str,
    pub method: &'a [&'a str],
    /// The CA that it trusts, and the name that it expects.
    pub ca: &'a Path,
    pub server_name: &'a str,
}

impl Computer {
    pub fn start(cabling: &Cabling, folder: &Path, identity: &Identity<'_>) -> Self {
        let control = folder.join("wpa_supplicant");
        let text = format!(
            "ctrl_interface={}\nap_scan=0\nnetwork={{\n  key_mgmt=IEEE8021X\n  eapol_flags=0\n  anonymous_identity=\"@harbour.example\"\n\
             identity=\"{}\"\n  password=\"{}\"\n  ca_cert=\"{}\"\n  domain_match=\"{}\"\n  {}\n}}\n",
            control.display(),
            identity.username,
            identity.password,
            identity.ca.display(),
            identity.server_name,
            identity.method.join("\n  "),
        );
        let conf = folder.join("wpa_supplicant.conf");
        fs::write(&conf, text).expect("a file in our folder");
        let mut command = cabling.computer.command(Path::new("wpa_supplicant"));
        command.args(["-D", "wired", "-i", "eth0", "-c"]).arg(&conf);
        let mut program = Program::start(command, "wpasupplicant");
        program.wait_for("Successfully initialized wpa_supplicant", START_MAX);
        Self { program, control }
    }

    /// Says goodbye to the switch, and stays away. Another one at the same cable may come after [`Switch::farewells`].
    pub fn log_off(&self) {
        control("wpa_cli", &self.control, "eth0", &["logoff"]);
    }

    /// How often it has logged in, by its own word.
    pub fn logins(&self) -> usize {
        self.program.log().matches("CTRL-EVENT-EAP-SUCCESS").count()
    }

    /// How often it was refused.
    pub fn refusals(&self) -> usize {
        self.program.log().matches("CTRL-EVENT-EAP-FAILURE").count()
    }
}

/// A command to hostapd or wpa_supplicant, over its control socket.
fn control(program: &str, folder: &Path, interface: &str, words: &[&str]) {
    let output = Command::new(program).arg("-p").arg(folder).args(["-i", interface]).args(words).output();
    let output = output.unwrap_or_else(|error| panic!("{program} does not start: {error}"));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.lines().any(|line| line == "OK"), "{program} {words:?}: {said}");
}
