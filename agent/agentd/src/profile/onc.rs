//! Open Network Configuration (ONC): JSON for ChromeOS.

use super::{Login, Method, Network, base64, uuid};
use serde_json::{Value, json};

/// The JSON document. A certificate in it must stand without a password.
#[must_use]
pub fn write(network: &Network, login: &Login) -> String {
    let (ca, own) = (uuid(), uuid());
    let mut certificates = vec![json!({"GUID": ca, "Type": "Authority", "X509": base64(&network.authority)})];
    if let Login::Certificate { pkcs12, .. } = login {
        certificates.push(json!({"GUID": own, "Type": "Client", "PKCS12": base64(pkcs12)}));
    }
    let networks: Vec<Value> = network
        .ssids
        .iter()
        .map(|ssid| {
            json!({
                "GUID": uuid(),
                "Name": ssid,
                "Type": "WiFi",
                "WiFi": {
                    "SSID": ssid,
                    "HexSSID": crate::secrets::hex(ssid.as_bytes()).to_uppercase(),
                    "HiddenSSID": false,
                    "AutoConnect": true,
                    "Security": "WPA-EAP",
                    "EAP": eap(network, login, &ca, &own),
                }
            })
        })
        .collect();
    let document =
        json!({"Type": "UnencryptedConfiguration", "Certificates": certificates, "NetworkConfigurations": networks});
    let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
    text.push('\n');
    text
}

fn eap(network: &Network, login: &Login, ca: &str, own: &str) -> Value {
    let mut eap = json!({
        "ServerCARefs": [ca],
        "UseSystemCAs": false,
        "DomainSuffixMatch": [network.server_name],
        "SubjectAlternativeNameMatch": [{"Type": "DNS", "Value": network.server_name}],
        "SaveCredentials": true,
        "Outer": match login.method() {
            Method::Tls => "EAP-TLS",
            Method::Peap => "PEAP",
            Method::Ttls => "EAP-TTLS",
        },
    });
    match login {
        Login::Certificate { identity, .. } => {
            eap["Identity"] = json!(identity);
            eap["ClientCertType"] = json!("Ref");
            eap["ClientCertRef"] = json!(own);
        }
        Login::Key { username, password, .. } => {
            eap["Identity"] = json!(username);
            eap["Password"] = json!(password.expose());
            eap["AnonymousIdentity"] = json!(network.outer_identity());
            eap["Inner"] = json!(if login.method() == Method::Peap { "MSCHAPv2" } else { "PAP" });
        }
    }
    eap
}
