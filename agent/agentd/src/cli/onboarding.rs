//! Certificates, profiles and links for members' devices: answers that are files. A file is written for its owner alone and
//! never over another one.

use super::args::{CertificateFormat, ProfileFormat, ProfileMethod, Wifi};
use super::call::{escape, json};
use super::{Failure, say};
use base64::Engine;
use hyper::Method;
use serde_json::{Value, json};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Performs one of the commands below; none when it is not one of them.
///
/// # Errors
/// The box refused, or the file cannot be written.
pub async fn perform(command: &Wifi, data: &Path, as_json: bool) -> Option<Result<(), Failure>> {
    match command {
        Wifi::Certificate { member, label, format, out } => {
            let body = json!({"label": label, "format": format.word()});
            Some(file(data, &path(member, "device-certificates"), body, out.as_deref(), as_json).await)
        }
        Wifi::Profile { member, format: ProfileFormat::Qr, ssid, label, host, mac, .. } => {
            let asked = match ssid.first() {
                Some(ssid) => (path(member, "wifi-codes"), json!({"ssid": ssid, "label": label, "mac": mac})),
                None => link(member, label.as_deref(), host.as_deref()),
            };
            Some(code(data, asked, as_json).await)
        }
        Wifi::Profile { member, format, method, ssid, label, out, .. } => {
            let method = method.map(ProfileMethod::word);
            let body = json!({"label": label, "format": format.word(), "method": method, "ssids": ssid});
            Some(file(data, &path(member, "wifi-profiles"), body, out.as_deref(), as_json).await)
        }
        Wifi::Link { member, label, host } => {
            Some(code(data, link(member, label.as_deref(), host.as_deref()), as_json).await)
        }
        _ => None,
    }
}

fn path(member: &str, what: &str) -> String {
    format!("/api/members/{}/{what}", escape(member))
}

/// Asks for a file. With `--json` and no file to write to, the contents are in the answer.
async fn file(data: &Path, path: &str, body: Value, out: Option<&Path>, as_json: bool) -> Result<(), Failure> {
    if let Some(out) = out.filter(|out| out.exists()) {
        // Before the box is asked: what it issues is shown once.
        return Err(Failure::refused(format!("{} is there already; nothing was issued", out.display())));
    }
    let mut answer = json(data, Method::POST, path, Some(body)).await?;
    if as_json && out.is_none() {
        say(&answer.to_string());
        return Ok(());
    }
    let text = |key: &str| answer[key].as_str().unwrap_or_default().to_owned();
    let bytes = base64::engine::general_purpose::STANDARD.decode(text("content"));
    let bytes = bytes.map_err(|error| Failure::refused(format!("the box's answer was lost: {error}")))?;
    let out = match out {
        Some(out) => out.to_owned(),
        None => free_name(&text("file_name")),
    };
    if let Err(error) = write_new(&out, &bytes) {
        let lost = format!("{}: {error}; revoke {} and ask again", out.display(), text("credential_id"));
        return Err(Failure::refused(lost));
    }
    if as_json {
        if let Some(answer) = answer.as_object_mut() {
            answer.remove("content");
            answer.insert("file".into(), json!(out.display().to_string()));
        }
        say(&answer.to_string());
        return Ok(());
    }
    say(&format!(
        "file        {}\ncredential  {}\nidentity    {}",
        out.display(),
        text("credential_id"),
        text("identity")
    ));
    if let Some(password) = answer["password"].as_str() {
        say(&format!("password    {password}\nThe password is shown this once."));
    }
    Ok(())
}

/// `wifi.cmd`, else `wifi-2.cmd` and so on.
fn free_name(name: &str) -> PathBuf {
    let (stem, suffix) = name.split_once('.').unwrap_or((name, ""));
    let names =
        std::iter::once(PathBuf::from(name)).chain((2..).map(|n| PathBuf::from(format!("{stem}-{n}.{suffix}"))));
    names.into_iter().find(|name| !name.exists()).unwrap_or_else(|| PathBuf::from(name))
}

fn write_new(out: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(out)?;
    file.write_all(bytes)
}

fn link(member: &str, label: Option<&str>, host: Option<&str>) -> (String, Value) {
    (path(member, "onboarding-links"), json!({"label": label, "host": host}))
}

/// A code to scan: of a network with a passphrase, or of a link to the page that hands out profiles.
async fn code(data: &Path, (path, body): (String, Value), as_json: bool) -> Result<(), Failure> {
    let answer = json(data, Method::POST, &path, Some(body)).await?;
    if as_json {
        say(&answer.to_string());
        return Ok(());
    }
    say(answer["blocks"].as_str().unwrap_or_default());
    if let Some(url) = answer["url"].as_str() {
        say(&format!("{url}\nThe link works once, within a day."));
    }
    if let Some(credential) = answer["credential_id"].as_str() {
        say(&format!("credential  {credential}\nThe code is shown this once."));
    }
    Ok(())
}

impl CertificateFormat {
    const fn word(self) -> &'static str {
        match self {
            Self::Pkcs12 => "pkcs12",
            Self::Pkcs12Legacy => "pkcs12-legacy",
            Self::Pem => "pem",
        }
    }
}

impl ProfileFormat {
    const fn word(self) -> &'static str {
        match self {
            Self::Apple => "apple",
            Self::Windows => "windows",
            Self::EapConfig => "eap-config",
            Self::Onc => "onc",
            Self::Qr => "qr",
        }
    }
}

impl ProfileMethod {
    const fn word(self) -> &'static str {
        match self {
            Self::Tls => "tls",
            Self::Peap => "peap",
            Self::Ttls => "ttls",
        }
    }
}
