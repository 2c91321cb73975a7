//! Apple's .mobileconfig: a property list with the CA, the device's certificate where it has one, and a Wi-Fi payload for each
//! SSID (Apple, Device Management: com.apple.wifi.managed, EAPClientConfiguration). Signing it is the PKI's.

use super::xml::Xml;
use super::{Login, Method, Network, base64, uuid, xml_time};
use values::Secret;

const DOCTYPE: &str =
    "<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n";

/// The property list.
#[must_use]
pub fn write(network: &Network, login: &Login) -> String {
    let (ca, identity) = (uuid(), uuid());
    let mut xml = Xml::document(DOCTYPE);
    xml.element("plist version=\"1.0\"", |xml| {
        xml.element("dict", |xml| {
            key(xml, "PayloadContent").element("array", |xml| {
                authority(xml, network, &ca);
                if let Login::Certificate { pkcs12, password, .. } = login {
                    certificate(xml, network, &identity, pkcs12, password);
                }
                for (n, ssid) in network.ssids.iter().enumerate() {
                    wifi(xml, network, login, ssid, n, (&ca, &identity));
                }
            });
            let title = format!("{} Wi-Fi", network.site);
            head(xml, "Configuration", &identifier(network, ""), &uuid(), &title);
            string(xml, "PayloadOrganization", &network.site);
            let about = format!("Joins this device to the Wi-Fi of {}.", network.site);
            string(xml, "PayloadDescription", &about);
            key(xml, "PayloadRemovalDisallowed").empty("false");
            if let Some(ends_at) = network.ends_at {
                key(xml, "RemovalDate").text("date", &xml_time(ends_at));
            }
        });
    });
    xml.finish()
}

/// The same for every profile of the space, so that a new one takes the place of the old one on the device.
fn identifier(network: &Network, part: &str) -> String {
    let reversed: Vec<&str> = network.realm.rsplit('.').collect();
    format!("{}.doorpost.wifi{part}", reversed.join("."))
}

fn key<'a>(xml: &'a mut Xml, name: &str) -> &'a mut Xml {
    xml.text("key", name)
}

fn string(xml: &mut Xml, name: &str, value: &str) {
    key(xml, name).text("string", value);
}

fn strings(xml: &mut Xml, name: &str, values: &[&str]) {
    key(xml, name).element("array", |xml| {
        for value in values {
            xml.text("string", value);
        }
    });
}

fn flag(xml: &mut Xml, name: &str, value: bool) {
    key(xml, name).empty(if value { "true" } else { "false" });
}

/// What every payload has.
fn head(xml: &mut Xml, kind: &str, identifier: &str, uuid: &str, title: &str) {
    string(xml, "PayloadType", kind);
    key(xml, "PayloadVersion").text("integer", "1");
    string(xml, "PayloadIdentifier", identifier);
    string(xml, "PayloadUUID", uuid);
    string(xml, "PayloadDisplayName", title);
}

fn authority(xml: &mut Xml, network: &Network, uuid: &str) {
    xml.element("dict", |xml| {
        let title = format!("{} certificate authority", network.site);
        head(xml, "com.apple.security.root", &identifier(network, ".ca"), uuid, &title);
        string(xml, "PayloadCertificateFileName", "ca.cer");
        key(xml, "PayloadContent").text("data", &base64(&network.authority));
    });
}

fn certificate(xml: &mut Xml, network: &Network, uuid: &str, pkcs12: &[u8], password: &Secret<String>) {
    xml.element("dict", |xml| {
        let title = format!("{} certificate of this device", network.site);
        head(xml, "com.apple.security.pkcs12", &identifier(network, ".device"), uuid, &title);
        string(xml, "PayloadCertificateFileName", "device.p12");
        string(xml, "Password", password.expose());
        key(xml, "PayloadContent").text("data", &base64(pkcs12));
    });
}

/// One SSID; `uuids` are those of the CA's payload and of the device's certificate.
fn wifi(xml: &mut Xml, network: &Network, login: &Login, ssid: &str, n: usize, uuids: (&str, &str)) {
    xml.element("dict", |xml| {
        head(xml, "com.apple.wifi.managed", &identifier(network, &format!(".ssid{n}")), &uuid(), ssid);
        string(xml, "SSID_STR", ssid);
        flag(xml, "AutoJoin", true);
        flag(xml, "HIDDEN_NETWORK", false);
        string(xml, "EncryptionType", "WPA2"); // from iOS 16 and macOS 13 on: WPA2 or WPA3
        string(xml, "ProxyType", "None");
        if let Login::Certificate { .. } = login {
            string(xml, "PayloadCertificateUUID", uuids.1);
        }
        key(xml, "EAPClientConfiguration").element("dict", |xml| eap(xml, network, login, uuids.0));
    });
}

fn eap(xml: &mut Xml, network: &Network, login: &Login, ca: &str) {
    key(xml, "AcceptEAPTypes").element("array", |xml| {
        xml.text("integer", &login.method().eap_type().to_string());
    });
    match login {
        Login::Certificate { identity, .. } => string(xml, "UserName", identity),
        Login::Key { username, password, .. } => {
            string(xml, "UserName", username);
            string(xml, "UserPassword", password.expose());
        }
    }
    if login.method() == Method::Ttls {
        string(xml, "TTLSInnerAuthentication", "PAP");
    }
    string(xml, "OuterIdentity", &network.outer_identity());
    strings(xml, "PayloadCertificateAnchorUUID", &[ca]);
    strings(xml, "TLSTrustedServerNames", &[&network.server_name]);
    string(xml, "TLSMinimumVersion", "1.2");
    string(xml, "TLSMaximumVersion", "1.3");
    flag(xml, "TLSCertificateIsRequired", login.method() == Method::Tls);
}
