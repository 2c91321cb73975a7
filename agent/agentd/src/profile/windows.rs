//! Windows: a command file that a double click runs. It puts the CA and the device's certificate into the user's own stores, adds
//! a WLANProfile for each SSID by netsh, and gives Windows the key, so that nobody types it. It asks for no administrator.
//!
//! Everything that is not ours stands in it in base64: no name, SSID or key is ever read as a command. The XML follows Microsoft's
//! WLAN_profile, EapHostConfig, EapTls-, MsPeap- and EapTtlsConnectionProperties schemas.

use super::xml::Xml;
use super::{KeyMethod, Login, Method, Network, base64};
use values::Secret;

const WLAN: &str = "http://www.microsoft.com/networking/WLAN/profile/v1";
const ONE_X: &str = "http://www.microsoft.com/networking/OneX/v1";
const EAP_HOST: &str = "http://www.microsoft.com/provisioning/EapHostConfig";
const EAP_COMMON: &str = "http://www.microsoft.com/provisioning/EapCommon";
const BASE_EAP: &str = "http://www.microsoft.com/provisioning/BaseEapConnectionPropertiesV1";
const EAP_TLS_1: &str = "http://www.microsoft.com/provisioning/EapTlsConnectionPropertiesV1";
const EAP_TLS_2: &str = "http://www.microsoft.com/provisioning/EapTlsConnectionPropertiesV2";
const PEAP_1: &str = "http://www.microsoft.com/provisioning/MsPeapConnectionPropertiesV1";
const PEAP_2: &str = "http://www.microsoft.com/provisioning/MsPeapConnectionPropertiesV2";
const MSCHAP: &str = "http://www.microsoft.com/provisioning/MsChapV2ConnectionPropertiesV1";
const TTLS: &str = "http://www.microsoft.com/provisioning/EapTtlsConnectionPropertiesV1";
const HOST_USER: &str = "http://www.microsoft.com/provisioning/EapHostUserCredentials";
const BASE_USER: &str = "http://www.microsoft.com/provisioning/BaseEapUserPropertiesV1";
const PEAP_USER: &str = "http://www.microsoft.com/provisioning/MsPeapUserPropertiesV1";
const MSCHAP_USER: &str = "http://www.microsoft.com/provisioning/MsChapV2UserPropertiesV1";
const TTLS_USER: &str = "http://www.microsoft.com/provisioning/EapTtlsUserPropertiesV1";
/// Whose EAP-TTLS: Microsoft's (its schema's AuthorId). The older methods have 0.
const MICROSOFT: &str = "311";

/// Where the script after the command begins.
const MARK: &str = "#doorpost#";

/// The command file. `%~f0` goes through the environment, because a path may hold any quote.
#[must_use]
pub fn write(network: &Network, login: &Login) -> String {
    let own = match login {
        Login::Certificate { pkcs12, password, .. } => own_certificate(pkcs12, password),
        Login::Key { .. } => String::new(),
    };
    let user_data = user_data(network, login).map(|xml| base64(xml.as_bytes())).unwrap_or_default();
    let profiles: Vec<String> = network
        .ssids
        .iter()
        .map(|ssid| {
            let xml = profile(network, login, ssid);
            format!("  @{{ Name = Text '{}'; Xml = Text '{}' }}", base64(ssid.as_bytes()), base64(xml.as_bytes()))
        })
        .collect();
    let script = SCRIPT
        .replace("@SITE@", &base64(network.site.as_bytes()))
        .replace("@CA@", &base64(&network.authority))
        .replace("@THUMBPRINT@", &network.thumbprint().to_uppercase())
        .replace("@OWN@", &own)
        .replace("@PROFILES@", &profiles.join("\n"))
        .replace("@USER_DATA@", &user_data);
    format!("{COMMAND}{MARK}\n{script}").replace('\n', "\r\n")
}

const COMMAND: &str = r#"@echo off
rem Installs a Wi-Fi profile for this user. Made by Doorpost; delete this file afterwards, it holds a key.
set "DOORPOST_FILE=%~f0"
powershell.exe -NoProfile -ExecutionPolicy Bypass -Command "Invoke-Expression ((Get-Content -LiteralPath $env:DOORPOST_FILE -Raw) -split ('#doorpost' + '#'), 2)[1]"
pause
exit /b
"#;

const SCRIPT: &str = r#"$ErrorActionPreference = 'Stop'
function Bytes([string]$base64) { , [Convert]::FromBase64String($base64) }
function Text([string]$base64) { [Text.Encoding]::UTF8.GetString([Convert]::FromBase64String($base64)) }
function Keep($certificate, [string]$name) {
  $store = New-Object Security.Cryptography.X509Certificates.X509Store($name, 'CurrentUser')
  $store.Open('ReadWrite')
  try { $store.Add($certificate) } finally { $store.Close() }
}
try {
  $site = Text '@SITE@'
  $ca = New-Object Security.Cryptography.X509Certificates.X509Certificate2(, (Bytes '@CA@'))
  if ($ca.Thumbprint -ne '@THUMBPRINT@') { throw 'This file was changed.' }
  Write-Host "Wi-Fi of $site. Windows asks whether to trust its certificate; its thumbprint is"
  Write-Host $ca.Thumbprint
  Keep $ca 'Root'
@OWN@
  $profiles = @(
@PROFILES@
  )
  foreach ($one in $profiles) {
    $file = Join-Path ([IO.Path]::GetTempPath()) ([Guid]::NewGuid().ToString() + '.xml')
    [IO.File]::WriteAllText($file, $one.Xml)
    try {
      & netsh.exe wlan add profile "filename=$file" user=current | Out-Host
      if ($LASTEXITCODE -ne 0) { throw 'Windows did not take the profile.' }
    } finally { Remove-Item -LiteralPath $file }
  }
  $userData = '@USER_DATA@'
  if ($userData) {
    Add-Type -TypeDefinition @'
using System;
using System.ComponentModel;
using System.Runtime.InteropServices;
public static class DoorpostWlan {
  [DllImport("wlanapi.dll")] static extern uint WlanOpenHandle(uint version, IntPtr reserved, out uint negotiated, out IntPtr handle);
  [DllImport("wlanapi.dll")] static extern uint WlanCloseHandle(IntPtr handle, IntPtr reserved);
  [DllImport("wlanapi.dll")] static extern uint WlanEnumInterfaces(IntPtr handle, IntPtr reserved, out IntPtr list);
  [DllImport("wlanapi.dll")] static extern void WlanFreeMemory(IntPtr memory);
  [DllImport("wlanapi.dll", CharSet = CharSet.Unicode)] static extern uint WlanSetProfileEapXmlUserData(IntPtr handle, ref Guid device, string profile, uint flags, string xml, IntPtr reserved);
  static void Check(uint error) { if (error != 0) throw new Win32Exception((int)error); }
  public static void Set(string profile, string xml) {
    uint negotiated; IntPtr handle, list;
    Check(WlanOpenHandle(2, IntPtr.Zero, out negotiated, out handle));
    try {
      Check(WlanEnumInterfaces(handle, IntPtr.Zero, out list));
      try {
        int count = Marshal.ReadInt32(list);
        for (int i = 0; i < count; i++) { // WLAN_INTERFACE_INFO: GUID, WCHAR[256], state
          var device = (Guid)Marshal.PtrToStructure(new IntPtr(list.ToInt64() + 8 + 532L * i), typeof(Guid));
          Check(WlanSetProfileEapXmlUserData(handle, ref device, profile, 0, xml, IntPtr.Zero));
        }
      } finally { WlanFreeMemory(list); }
    } finally { WlanCloseHandle(handle, IntPtr.Zero); }
  }
}
'@
    foreach ($one in $profiles) { [DoorpostWlan]::Set($one.Name, (Text $userData)) }
  }
  Write-Host "Done. This computer joins the Wi-Fi of $site by itself; delete this file now."
} catch {
  Write-Host "That did not work: $($_.Exception.Message)"
}
"#;

fn own_certificate(pkcs12: &[u8], password: &Secret<String>) -> String {
    format!(
        "  $own = New-Object Security.Cryptography.X509Certificates.X509Certificate2((Bytes '{}'), (Text '{}'), 'UserKeySet,PersistKeySet')\n  Keep $own 'My'",
        base64(pkcs12),
        base64(password.expose().as_bytes())
    )
}

/// The WLANProfile of one SSID.
#[must_use]
pub fn profile(network: &Network, login: &Login, ssid: &str) -> String {
    let mut xml = Xml::document("");
    xml.element(&in_namespace("WLANProfile", WLAN), |xml| {
        xml.text("name", ssid);
        xml.element("SSIDConfig", |xml| {
            xml.element("SSID", |xml| {
                xml.text("hex", &crate::secrets::hex(ssid.as_bytes()).to_uppercase()).text("name", ssid);
            });
        });
        xml.text("connectionType", "ESS").text("connectionMode", "auto");
        xml.element("MSM", |xml| {
            xml.element("security", |xml| {
                xml.element("authEncryption", |xml| {
                    xml.text("authentication", "WPA2").text("encryption", "AES").text("useOneX", "true");
                });
                xml.element(&in_namespace("OneX", ONE_X), |xml| {
                    xml.text("cacheUserData", "true").text("authMode", "user");
                    xml.element("EAPConfig", |xml| eap_host(xml, network, login));
                });
            });
        });
    });
    xml.finish()
}

fn in_namespace(tag: &str, namespace: &str) -> String {
    format!("{tag} xmlns=\"{namespace}\"")
}

fn eap_host(xml: &mut Xml, network: &Network, login: &Login) {
    let method = login.method();
    xml.element(&in_namespace("EapHostConfig", EAP_HOST), |xml| {
        eap_method(xml, method);
        xml.element("Config", |xml| match method {
            Method::Tls => tls(xml, network),
            Method::Peap => peap(xml, network),
            Method::Ttls => ttls(xml, network),
        });
    });
}

fn eap_method(xml: &mut Xml, method: Method) {
    let author = if method == Method::Ttls { MICROSOFT } else { "0" };
    xml.element("EapMethod", |xml| {
        xml.text(&in_namespace("Type", EAP_COMMON), &method.eap_type().to_string());
        xml.text(&in_namespace("VendorId", EAP_COMMON), "0");
        xml.text(&in_namespace("VendorType", EAP_COMMON), "0");
        xml.text(&in_namespace("AuthorId", EAP_COMMON), author);
    });
}

/// The CA and the name that alone are believed, without asking the user to believe others.
fn server_validation(xml: &mut Xml, network: &Network) {
    xml.element("ServerValidation", |xml| {
        xml.text("DisableUserPromptForServerValidation", "true");
        xml.text("ServerNames", &network.server_name);
        xml.text("TrustedRootCA", &network.thumbprint());
    });
}

fn tls(xml: &mut Xml, network: &Network) {
    xml.element(&in_namespace("Eap", BASE_EAP), |xml| {
        xml.text("Type", "13");
        xml.element(&in_namespace("EapType", EAP_TLS_1), |xml| {
            xml.element("CredentialsSource", |xml| {
                xml.element("CertificateStore", |xml| {
                    xml.text("SimpleCertSelection", "true");
                });
            });
            server_validation(xml, network);
            xml.text("DifferentUsername", "false");
            xml.text(&in_namespace("PerformServerValidation", EAP_TLS_2), "true");
            xml.text(&in_namespace("AcceptServerName", EAP_TLS_2), "true");
        });
    });
}

fn peap(xml: &mut Xml, network: &Network) {
    xml.element(&in_namespace("Eap", BASE_EAP), |xml| {
        xml.text("Type", "25");
        xml.element(&in_namespace("EapType", PEAP_1), |xml| {
            server_validation(xml, network);
            xml.text("FastReconnect", "true").text("InnerEapOptional", "false");
            xml.element(&in_namespace("Eap", BASE_EAP), |xml| {
                xml.text("Type", "26");
                xml.element(&in_namespace("EapType", MSCHAP), |xml| {
                    xml.text("UseWinLogonCredentials", "false");
                });
            });
            xml.text("EnableQuarantineChecks", "false").text("RequireCryptoBinding", "false");
            xml.element("PeapExtensions", |xml| {
                xml.text(&in_namespace("PerformServerValidation", PEAP_2), "true");
                xml.text(&in_namespace("AcceptServerName", PEAP_2), "true");
                xml.element(&in_namespace("IdentityPrivacy", PEAP_2), |xml| {
                    // Windows puts the realm of the user name behind it.
                    xml.text("EnableIdentityPrivacy", "true").text("AnonymousUserName", "anonymous");
                });
            });
        });
    });
}

fn ttls(xml: &mut Xml, network: &Network) {
    let thumbprint = network.thumbprint();
    let spaced: Vec<&str> = thumbprint.as_bytes().chunks(2).filter_map(|two| std::str::from_utf8(two).ok()).collect();
    xml.element(&in_namespace("EapTtls", TTLS), |xml| {
        xml.element("ServerValidation", |xml| {
            xml.text("ServerNames", &network.server_name);
            xml.text("TrustedRootCAHash", &spaced.join(" "));
            xml.text("DisablePrompt", "true");
        });
        xml.element("Phase2Authentication", |xml| {
            xml.empty("PAPAuthentication");
        });
        xml.element("Phase1Identity", |xml| {
            xml.text("IdentityPrivacy", "true").text("AnonymousIdentity", &network.outer_identity());
        });
    });
}

/// The key as Windows keeps it beside the profile; a certificate needs none of that.
#[must_use]
pub fn user_data(network: &Network, login: &Login) -> Option<String> {
    let Login::Key { method, username, password } = login else { return None };
    let mut xml = Xml::document("");
    xml.element(&in_namespace("EapHostUserCredentials", HOST_USER), |xml| {
        eap_method(xml, login.method());
        xml.element("Credentials", |xml| match method {
            KeyMethod::Peap => {
                xml.element(&in_namespace("Eap", BASE_USER), |xml| {
                    xml.text("Type", "25");
                    xml.element(&in_namespace("EapType", PEAP_USER), |xml| {
                        xml.text("RoutingIdentity", &network.outer_identity());
                        xml.element(&in_namespace("Eap", BASE_USER), |xml| {
                            xml.text("Type", "26");
                            xml.element(&in_namespace("EapType", MSCHAP_USER), |xml| {
                                xml.text("Username", username).text("Password", password.expose());
                                xml.text("LogonDomain", "");
                            });
                        });
                    });
                });
            }
            KeyMethod::Ttls => {
                xml.element(&in_namespace("EapTtls", TTLS_USER), |xml| {
                    xml.text("Username", username).text("Password", password.expose());
                });
            }
        });
    });
    Some(xml.finish())
}
