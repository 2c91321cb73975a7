//! Answers as people read them.

use serde_json::Value;

fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn time(value: &Value) -> String {
    let at = value.as_i64().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    at.map_or_else(
        || "-".to_owned(),
        |at| at.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
    )
}

fn money(value: &Value) -> String {
    value.as_i64().map_or_else(|| "-".to_owned(), policy::reason::spoken_amount)
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    value[key].as_array().into_iter().flatten()
}

/// Rows in columns as wide as their widest cell.
fn table(header: &[&str], rows: Vec<Vec<String>>, empty: &str) -> String {
    if rows.is_empty() {
        return empty.to_owned();
    }
    let mut all = vec![header.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>()];
    all.extend(rows);
    let widths: Vec<usize> =
        (0..header.len()).map(|column| all.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)).collect();
    let lines: Vec<String> = all
        .iter()
        .map(|row| {
            let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
            cells.join("  ").trim_end().to_owned()
        })
        .collect();
    lines.join("\n")
}

pub fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

pub fn member(value: &Value) -> String {
    let print = &value["print"];
    let mut out = format!(
        "{}  {}\n  e-mail  {}\n  plan    {}\n  team    {}\n  status  {}\n  pages   {} of {} in {}, credit {}",
        text(&value["id"]),
        text(&value["name"]),
        text(&value["email"]),
        text(&value["plan"]),
        text(&value["team"]),
        text(&value["status"]["state"]),
        text(&print["settled_pages"]),
        text(&print["included_pages"]),
        text(&print["month"]),
        money(&print["credit_minor"]),
    );
    for credential in list(value, "credentials") {
        let revoked = if credential["revoked_at"].is_null() { "" } else { "  revoked" };
        out.push_str(&format!(
            "\n  {:<18} {}  {}  {}{revoked}",
            text(&credential["kind"]),
            text(&credential["id"]),
            text(&credential["label"]),
            text(if credential["username"].is_null() { &credential["mac"] } else { &credential["username"] })
        ));
    }
    out
}

pub fn members(value: &Value) -> String {
    let rows = list(value, "members")
        .map(|member| {
            vec![
                text(&member["id"]),
                text(&member["name"]),
                text(&member["plan"]),
                text(&member["team"]),
                text(&member["status"]["state"]),
                text(&member["online"]),
            ]
        })
        .collect();
    table(
        &["ID", "NAME", "PLAN", "TEAM", "STATUS", "ONLINE"],
        rows,
        "No members yet; add one with doorpost member add.",
    )
}

pub fn issued(value: &Value) -> String {
    let mut out = format!("credential  {}", text(&value["credential_id"]));
    if value["username"].is_string() {
        out.push_str(&format!("\nuser name   {}", text(&value["username"])));
    }
    if value["password"].is_string() {
        out.push_str(&format!("\nkey         {}\nThe key is shown this once.", text(&value["password"])));
    }
    for uri in list(value, "uris") {
        out.push_str(&format!("\nprint to    {}", text(uri)));
    }
    out
}

pub fn passphrase(value: &Value) -> String {
    let ssids: Vec<String> = list(value, "ssids").map(text).collect();
    format!(
        "credential  {}\nnetwork     {}\npassphrase  {}\nThe passphrase is shown this once.",
        text(&value["credential_id"]),
        ssids.join(", "),
        text(&value["password"])
    )
}

pub fn badges(value: &Value) -> String {
    let rows = list(value, "badges")
        .map(|badge| {
            let state = if badge["revoked_at"].is_null() { "live" } else { "revoked" };
            vec![text(&badge["id"]), text(&badge["member_name"]), text(&badge["label"]), state.to_owned()]
        })
        .collect();
    table(&["ID", "MEMBER", "LABEL", "STATE"], rows, "No badges yet; add one with doorpost badge add.")
}

pub fn sessions(value: &Value) -> String {
    let rows = list(value, "sessions")
        .map(|session| {
            vec![
                text(&session["id"]),
                text(&session["member_name"]),
                text(&session["mac"]),
                text(&session["access_point"]),
                whereabouts(session),
                time(&session["started_at"]),
                text(&session["state"]),
            ]
        })
        .collect();
    table(&["ID", "MEMBER", "DEVICE", "ACCESS POINT", "NETWORK", "SINCE", "STATE"], rows, "Nobody is on the Wi-Fi.")
}

pub fn networks(value: &Value) -> String {
    let row = |network: &Value| vec![text(&network["name"]), text(&network["vlan"]), text(&network["state"])];
    table(&["NETWORK", "VLAN", "STATE"], list(value, "networks").map(row).collect(), "The site file has no networks.")
}

pub fn network(value: &Value) -> String {
    let (name, vlan) = (text(&value["name"]), text(&value["vlan"]));
    match value["state"].as_str() {
        Some("testing") => format!(
            "Have the member's device log in now: until {} it is put on VLAN {vlan}. doorpost events --follow shows when it works there.",
            time(&value["until"])
        ),
        Some("tested") => format!("VLAN {vlan} of the network {name} is used from now on."),
        Some(_) | None => format!("VLAN {vlan} of the network {name} is {}.", text(&value["state"])),
    }
}

/// A session's network, and the VLAN that it is on or should be.
fn whereabouts(session: &Value) -> String {
    let network = text(&session["network"]);
    match (session["vlan"].as_u64(), session["vlan_withheld"].as_u64()) {
        (Some(vlan), _) => format!("{network} ({vlan})"),
        (None, Some(vlan)) => format!("{network} ({vlan} untested)"),
        (None, None) => network,
    }
}

pub fn job(value: &Value) -> String {
    let mut out = format!("{}  {}  {} pages", text(&value["id"]), text(&value["state"]), text(&value["pages"]));
    if value["sentence"].is_string() {
        out.push_str(&format!("\n{}", text(&value["sentence"])));
    }
    out
}

pub fn jobs(value: &Value) -> String {
    let rows = list(value, "jobs")
        .map(|job| {
            vec![
                text(&job["id"]),
                time(&job["submitted_at"]),
                text(&job["printer"]),
                text(&job["member_name"]),
                text(&job["state"]),
                text(&job["pages"]),
                text(&job["pages_settled"]),
                text(&job["counted_by"]),
                money(&job["charged_minor"]),
            ]
        })
        .collect();
    table(&["ID", "AT", "PRINTER", "MEMBER", "STATE", "PAGES", "SETTLED", "BY", "CHARGED"], rows, "No print jobs.")
}

pub fn doors(value: &Value) -> String {
    let rows = list(value, "doors")
        .map(|door| {
            let relay = &door["relay"];
            let state = if relay["connected"] == true { "connected" } else { "absent" };
            vec![
                text(&door["name"]),
                text(&door["title"]),
                text(&relay["device"]),
                state.to_owned(),
                text(&door["last"]["sentence"]),
            ]
        })
        .collect();
    table(&["DOOR", "TITLE", "RELAY", "STATE", "LAST"], rows, "The site file has no doors.")
}

pub fn opened(value: &Value) -> String {
    text(&value["sentence"])
}

pub fn devices(value: &Value) -> String {
    let rows = list(value, "devices")
        .map(|device| {
            let state = if device["connected"] == true { "connected" } else { "absent" };
            vec![text(&device["name"]), text(&device["profile"]), state.to_owned(), time(&device["connected_since"])]
        })
        .collect();
    table(&["DEVICE", "PROFILE", "STATE", "SINCE"], rows, "No devices yet; add one with doorpost device add.")
}

pub fn device_credential(value: &Value) -> String {
    format!(
        "client id  {}\nuser name  {}\npassword   {}\nThe password is shown this once.",
        text(&value["client_id"]),
        text(&value["username"]),
        text(&value["password"])
    )
}

pub fn claim_code(value: &Value) -> String {
    format!("Claim the box with the code {}", text(&value["claim_code"]))
}

pub fn status(value: &Value) -> String {
    let details = &value["details"];
    let claimed = match details["claim_code"].as_str() {
        Some(code) => format!("not claimed yet; the code is {code}"),
        None => "claimed".to_owned(),
    };
    let warnings: String = list(details, "warnings").map(|warning| format!("\n  ! {}", text(warning))).collect();
    format!(
        "{} ({}), Doorpost {}\n  {claimed}\n  {} members, {} devices online\n  clock {}{warnings}",
        text(&value["name"]),
        text(&details["realm"]),
        text(&value["version"]),
        text(&details["members"]),
        text(&details["online"]),
        if details["time_trusted"] == true { "trusted" } else { "not trusted yet: plans with hours stay closed" },
    )
}

pub fn event(value: &Value) -> String {
    let place = value["place"].as_str().map(|place| format!(" at {place}")).unwrap_or_default();
    let who = match (value["member_name"].as_str(), value["device"].as_str()) {
        (Some(name), Some(device)) => format!(" {name} ({device}):"),
        (Some(who), None) | (None, Some(who)) => format!(" {who}:"),
        (None, None) => String::new(),
    };
    format!(
        "{}  {:<7} {}{place}{who} {}",
        time(&value["at"]),
        text(&value["outcome"]),
        text(&value["noun"]),
        text(&value["sentence"])
    )
}

pub fn events(value: &Value) -> String {
    let mut rows: Vec<String> = list(value, "events").map(event).collect();
    rows.reverse(); // the newest stands last, where a terminal leaves the eye
    if rows.is_empty() { "Nothing has happened yet.".to_owned() } else { rows.join("\n") }
}

pub fn why(value: &Value) -> String {
    let mut rows: Vec<String> = list(value, "past").map(event).collect();
    rows.reverse();
    rows.push(format!("now: {}", text(&value["now"]["sentence"])));
    rows.join("\n")
}

pub fn access_points(value: &Value) -> String {
    let rows = list(value, "access_points")
        .map(|point| {
            let comes = if point["radsec"] == true { "RadSec" } else { "UDP" };
            vec![
                text(&point["name"]),
                text(&point["address"]),
                comes.to_owned(),
                time(&point["certificate"]["expires_at"]),
                text(&point["connections"]),
            ]
        })
        .collect();
    table(
        &["NAME", "ADDRESS", "COMES BY", "CERTIFICATE ENDS", "CONNECTIONS"],
        rows,
        "The site file has no access points.",
    )
}

/// Key, certificate and CA one after the other, as most access points take them; what is not PEM is ignored there.
pub fn access_point_certificate(value: &Value) -> String {
    format!(
        "# {}, until {}. The key is shown this once.\n{}{}# The CA that the access point checks this box by:\n{}",
        text(&value["name"]),
        time(&value["expires_at"]),
        text(&value["key"]),
        text(&value["certificate"]),
        text(&value["ca"]).trim_end(),
    )
}
