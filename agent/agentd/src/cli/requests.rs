//! From a command to requests and from answers to output.

use super::args::{AccessPoint, Admin, Badge, Command, Device, Door, Member, Print, Site, Wifi};
use super::call::{escape, json, open};
use super::{Failure, print_out, say};
use http_body_util::BodyExt;
use hyper::Method;
use serde_json::{Value, json};
use std::io::Read;
use std::path::Path;

/// A Wi-Fi key on standard input is a line.
const STDIN_MAX_BYTES: u64 = 1_024;

/// One request, and how its answer is shown to a person.
struct Ask {
    method: Method,
    path: String,
    body: Option<Value>,
    show: fn(&Value) -> String,
}

fn get(path: impl Into<String>, show: fn(&Value) -> String) -> Ask {
    Ask { method: Method::GET, path: path.into(), body: None, show }
}

fn post(path: impl Into<String>, body: Value, show: fn(&Value) -> String) -> Ask {
    Ask { method: Method::POST, path: path.into(), body: Some(body), show }
}

/// Performs a command that needs the daemon.
pub async fn perform(command: Command, data: &Path, as_json: bool) -> Result<(), Failure> {
    let asks_for_opening = matches!(command, Command::Door(Door::Open { .. }));
    let ask = match command {
        Command::Events { follow, member, limit } => return events(data, follow, member, limit, as_json).await,
        Command::Badge(Badge::List) => return badges(data, as_json).await,
        Command::Member(member) => member_ask(member),
        Command::Wifi(wifi) => match super::onboarding::perform(&wifi, data, as_json).await {
            Some(done) => return done,
            None => wifi_ask(wifi)?,
        },
        Command::AccessPoint(access_point) => access_point_ask(access_point),
        Command::Badge(badge) => badge_ask(badge),
        Command::Print(print) => print_ask(print)?,
        Command::Door(door) => door_ask(door),
        Command::Device(device) => device_ask(device),
        Command::Admin(Admin::Reset) => post("/api/admin/reset", json!({}), print_out::claim_code),
        Command::Site(Site::Show) => get("/api/site", print_out::pretty),
        Command::Status => get("/api/status", print_out::status),
        Command::Why { member, noun, name, at } => {
            let mut path = format!("/api/why?member={}&noun={}", escape(&member), noun.word());
            if let Some(name) = name {
                path.push_str(&format!("&name={}", escape(&name)));
            }
            if let Some(at) = at {
                path.push_str(&format!("&at={}", moment(&at)?));
            }
            get(path, print_out::why)
        }
        Command::Run { .. }
        | Command::Check { .. }
        | Command::Verify
        | Command::Completions { .. }
        | Command::Man
        | Command::Openapi
        | Command::Count => {
            return Err(Failure::refused("this command does not need the box"));
        }
    };
    let answer = json(data, ask.method, &ask.path, ask.body).await?;
    show(&answer, as_json, ask.show);
    if asks_for_opening && answer["outcome"] != "opened" {
        return Err(Failure::refused(answer["sentence"].as_str().unwrap_or("the door did not open")));
    }
    Ok(())
}

fn show(answer: &Value, as_json: bool, show: fn(&Value) -> String) {
    let text = if as_json { answer.to_string() } else { show(answer) };
    if !text.is_empty() && !answer.is_null() {
        say(&text);
    }
}

fn member_ask(command: Member) -> Ask {
    let act = |member: &str, verb: &str| {
        post(format!("/api/members/{}/{verb}", escape(member)), json!({}), print_out::member)
    };
    match command {
        Member::Add { name, email, plan, team } => {
            post("/api/members", json!({"name": name, "email": email, "plan": plan, "team": team}), print_out::member)
        }
        Member::List => get("/api/members", print_out::members),
        Member::Show { member } => get(format!("/api/members/{}", escape(&member)), print_out::member),
        Member::Plan { member, plan } => {
            post(format!("/api/members/{}/plan", escape(&member)), json!({ "plan": plan }), print_out::member)
        }
        Member::Suspend { member } => act(&member, "suspend"),
        Member::Resume { member } => act(&member, "resume"),
        Member::End { member } => act(&member, "end"),
    }
}

fn wifi_ask(command: Wifi) -> Result<Ask, Failure> {
    Ok(match command {
        Wifi::Issue { member, label, password_stdin } => {
            let password = if password_stdin { Some(stdin_line()?) } else { None };
            post(
                format!("/api/members/{}/wifi-keys", escape(&member)),
                json!({"label": label, "password": password}),
                print_out::issued,
            )
        }
        Wifi::Certificate { .. } | Wifi::Profile { .. } | Wifi::Link { .. } => {
            return Err(Failure::refused("this command writes a file"));
        }
        Wifi::Passphrase { member, mac, label } => post(
            format!("/api/members/{}/wifi-passphrases", escape(&member)),
            json!({"mac": mac, "label": label}),
            print_out::passphrase,
        ),
        Wifi::Register { member, mac, label } => post(
            format!("/api/members/{}/wifi-devices", escape(&member)),
            json!({"mac": mac, "label": label}),
            print_out::issued,
        ),
        Wifi::Revoke { credential } => revoke(&credential),
        Wifi::Sessions => get("/api/wifi/sessions", print_out::sessions),
        Wifi::Kick { session } => {
            post(format!("/api/wifi/sessions/{}/kick", escape(&session)), json!({}), print_out::pretty)
        }
        Wifi::Networks => get("/api/wifi/networks", print_out::networks),
        Wifi::Test { network, confirm: true, .. } => {
            post(format!("/api/wifi/networks/{}/confirm", escape(&network)), json!({}), print_out::network)
        }
        Wifi::Test { network, member, minutes, confirm: false } => post(
            format!("/api/wifi/networks/{}/test", escape(&network)),
            json!({"member": member, "minutes": minutes}),
            print_out::network,
        ),
    })
}

fn access_point_ask(command: AccessPoint) -> Ask {
    let certificate = |name: &str| format!("/api/access-points/{}/certificate", escape(name));
    match command {
        AccessPoint::List => get("/api/access-points", print_out::access_points),
        AccessPoint::Certificate { name } => post(certificate(&name), json!({}), print_out::access_point_certificate),
        AccessPoint::Revoke { name } => {
            Ask { method: Method::DELETE, path: certificate(&name), body: None, show: print_out::pretty }
        }
    }
}

fn badge_ask(command: Badge) -> Ask {
    match command {
        Badge::Add { member, uid, label } => post(
            format!("/api/members/{}/badges", escape(&member)),
            json!({"uid": uid, "label": label}),
            print_out::issued,
        ),
        Badge::Revoke { credential } => revoke(&credential),
        Badge::List => get("/api/members", print_out::badges),
    }
}

/// Badges stand with their members; with `--json` they are a list of their own.
async fn badges(data: &Path, as_json: bool) -> Result<(), Failure> {
    let members = json(data, Method::GET, "/api/members", None).await?;
    let mut badges = Vec::new();
    for member in members["members"].as_array().into_iter().flatten() {
        for credential in
            member["credentials"].as_array().into_iter().flatten().filter(|credential| credential["kind"] == "badge")
        {
            let mut badge = credential.clone();
            badge["member_id"] = member["id"].clone();
            badge["member_name"] = member["name"].clone();
            badges.push(badge);
        }
    }
    show(&json!({ "badges": badges }), as_json, print_out::badges);
    Ok(())
}

fn revoke(credential: &str) -> Ask {
    post(format!("/api/credentials/{}/revoke", escape(credential)), json!({}), print_out::pretty)
}

fn print_ask(command: Print) -> Result<Ask, Failure> {
    let job = |job: &str, verb: &str, body: Value| {
        post(format!("/api/print/jobs/{}/{verb}", escape(job)), body, print_out::job)
    };
    Ok(match command {
        Print::Jobs => get("/api/print/jobs", print_out::jobs),
        Print::Release { job: id } => job(&id, "release", json!({})),
        Print::Cancel { job: id } => job(&id, "cancel", json!({})),
        Print::Settle { job: id, pages } => job(&id, "settle", json!({ "pages": pages })),
        Print::Credit { member, amount } => post(
            format!("/api/members/{}/print-credit", escape(&member)),
            json!({"amount_minor": minor(&amount)?}),
            print_out::member,
        ),
        Print::Token { member } => {
            post(format!("/api/members/{}/print-token", escape(&member)), json!({}), print_out::issued)
        }
    })
}

fn door_ask(command: Door) -> Ask {
    match command {
        Door::List => get("/api/doors", print_out::doors),
        Door::Open { door, member } => {
            post(format!("/api/doors/{}/open", escape(&door)), json!({ "member": member }), print_out::opened)
        }
    }
}

fn device_ask(command: Device) -> Ask {
    match command {
        Device::Add { name, profile } => {
            post("/api/devices", json!({"name": name, "profile": profile}), print_out::device_credential)
        }
        Device::List => get("/api/devices", print_out::devices),
        Device::Remove { name } => Ask {
            method: Method::DELETE,
            path: format!("/api/devices/{}", escape(&name)),
            body: None,
            show: print_out::pretty,
        },
    }
}

async fn events(data: &Path, follow: bool, member: Option<String>, limit: u32, as_json: bool) -> Result<(), Failure> {
    let mut path = format!("/api/events?limit={limit}");
    if let Some(member) = &member {
        path.push_str(&format!("&member={}", escape(member)));
    }
    if !follow {
        let answer = json(data, Method::GET, &path, None).await?;
        show(&answer, as_json, print_out::events);
        return Ok(());
    }
    let wanted = match &member {
        None => None,
        Some(member) => {
            Some(json(data, Method::GET, &format!("/api/members/{}", escape(member)), None).await?["id"].clone())
        }
    };
    let mut body = open(data, Method::GET, "/api/events/stream", None).await?.into_body();
    let mut received = Vec::new();
    while let Some(Ok(frame)) = body.frame().await {
        received.extend_from_slice(frame.data_ref().map_or(&[], |bytes| bytes));
        for record in take_records(&mut received) {
            if wanted.as_ref().is_none_or(|member| record["member"] == *member) {
                say(&if as_json { record.to_string() } else { print_out::event(&record) });
            }
        }
    }
    Err(Failure::NotRunning { sentence: "the box has stopped".to_owned() })
}

/// Takes the whole records out of what was received of a stream of events. How many rows were left out (`lagged`) is no
/// record; the rows stand in the history.
fn take_records(received: &mut Vec<u8>) -> Vec<Value> {
    let Some(end) = received.windows(2).rposition(|two| two == b"\n\n") else { return Vec::new() };
    let blocks: Vec<u8> = received.drain(..end + 2).collect();
    let lines = blocks.split(|&byte| byte == b'\n').filter_map(|line| line.strip_prefix(b"data: "));
    lines.filter_map(|line| serde_json::from_slice(line).ok()).filter(Value::is_object).collect()
}

fn stdin_line() -> Result<String, Failure> {
    let mut text = String::new();
    std::io::stdin()
        .take(STDIN_MAX_BYTES)
        .read_to_string(&mut text)
        .map_err(|error| Failure::refused(format!("standard input: {error}")))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// `5`, `5.5` or `5.50` in hundredths; negative amounts take credit back.
fn minor(text: &str) -> Result<i64, Failure> {
    let refuse = || Failure::refused(format!("`{text}` is not an amount: expected a number such as 5 or 5.50"));
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text),
    };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    if part.len() > 2 || whole.is_empty() || !whole.bytes().chain(part.bytes()).all(|b| b.is_ascii_digit()) {
        return Err(refuse());
    }
    let whole: i64 = whole.parse().map_err(|_| refuse())?;
    let part: i64 = format!("{part:0<2}").parse().map_err(|_| refuse())?;
    whole.checked_mul(100).and_then(|minor| minor.checked_add(part)).map(|minor| sign * minor).ok_or_else(refuse)
}

fn moment(text: &str) -> Result<i64, Failure> {
    if let Ok(ms) = text.parse() {
        return Ok(ms);
    }
    let at: jiff::Timestamp = text
        .parse()
        .map_err(|_| Failure::refused(format!("`{text}` is not a moment: expected 2026-11-21T08:02:00Z")))?;
    Ok(at.as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_taken_whole_whatever_pieces_they_come_in() {
        let stream = "event: record\ndata: {\"n\":\"Børge\"}\n\n: \n\nevent: lagged\ndata: 7\n\ndata: {\"n\":2}\n\n";
        for piece in 1..stream.len() {
            let (mut received, mut records) = (Vec::new(), Vec::new());
            for bytes in stream.as_bytes().chunks(piece) {
                received.extend_from_slice(bytes);
                records.extend(take_records(&mut received));
            }
            assert_eq!(records, [json!({"n": "Børge"}), json!({"n": 2})], "pieces of {piece}");
        }
    }

    #[test]
    fn credit_can_be_taken_back() {
        use clap::Parser;
        let args = ["doorpost", "print", "credit", "Mara Holm", "-1.50", "--json"];
        let parsed = super::super::args::Args::try_parse_from(args).expect("a negative amount is an amount");
        assert!(matches!(parsed.command, Command::Print(Print::Credit { amount, .. }) if amount == "-1.50"));
    }

    #[test]
    fn amounts_are_read_as_people_write_them() {
        for (text, expected) in [
            ("5", Some(500)),
            ("5.5", Some(550)),
            ("0.05", Some(5)),
            ("-1.50", Some(-150)),
            ("1.234", None),
            ("x", None),
            ("", None),
            (".5", None),
            ("1e3", None),
        ] {
            assert_eq!(minor(text).ok(), expected, "{text}");
        }
    }
}
