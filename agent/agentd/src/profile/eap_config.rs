//! .eap-config (draft-winter-opsawg-eap-metadata, with the element names that its readers use): for the geteduroam apps on
//! Android, Windows and Linux.

use super::xml::{Xml, escape};
use super::{Login, Method, Network, base64, xml_time};

/// The XML document.
#[must_use]
pub fn write(network: &Network, login: &Login) -> String {
    let mut xml = Xml::document("");
    let list = "EAPIdentityProviderList xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:noNamespaceSchemaLocation=\"eap-metadata.xsd\"";
    let provider = format!(
        "EAPIdentityProvider ID=\"{}\" namespace=\"urn:RFC4282:realm\" lang=\"en\" version=\"1\"",
        escape(&network.realm)
    );
    xml.element(list, |xml| {
        xml.element(&provider, |xml| {
            if let Some(ends_at) = network.ends_at {
                xml.text("ValidUntil", &xml_time(ends_at));
            }
            xml.element("AuthenticationMethods", |xml| {
                xml.element("AuthenticationMethod", |xml| method(xml, network, login));
            });
            xml.element("CredentialApplicability", |xml| {
                for ssid in &network.ssids {
                    xml.element("IEEE80211", |xml| {
                        xml.text("SSID", ssid).text("MinRSNProto", "CCMP");
                    });
                }
            });
            xml.element("ProviderInfo", |xml| {
                xml.text("DisplayName", &network.site);
            });
        });
    });
    xml.finish()
}

fn method(xml: &mut Xml, network: &Network, login: &Login) {
    let eap = |xml: &mut Xml, number: u8| {
        xml.element("EAPMethod", |xml| {
            xml.text("Type", &number.to_string());
        });
    };
    eap(xml, login.method().eap_type());
    xml.element("ServerSideCredential", |xml| {
        xml.text("CA format=\"X.509\" encoding=\"base64\"", &base64(&network.authority));
        xml.text("ServerID", &network.server_name);
    });
    xml.element("ClientSideCredential", |xml| match login {
        Login::Certificate { identity, pkcs12, password } => {
            xml.text("OuterIdentity", identity);
            xml.text("ClientCertificate format=\"PKCS12\" encoding=\"base64\"", &base64(pkcs12));
            xml.text("Passphrase", password.expose());
        }
        Login::Key { username, password, .. } => {
            xml.text("OuterIdentity", &network.outer_identity());
            xml.text("UserName", username);
            xml.text("Password", password.expose());
        }
    });
    match login.method() {
        Method::Tls => {}
        Method::Peap => {
            xml.element("InnerAuthenticationMethod", |xml| eap(xml, 26)); // EAP-MSCHAPv2
        }
        Method::Ttls => {
            xml.element("InnerAuthenticationMethod", |xml| {
                xml.element("NonEAPAuthMethod", |xml| {
                    xml.text("Type", "1"); // PAP
                });
            });
        }
    }
}
