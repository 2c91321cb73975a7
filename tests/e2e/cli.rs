//! The command line and the HTTP API of the real binary: exit codes, refusals with their reasons, claiming, what a browser
//! must show.

use serde_json::Value;
use std::process::{Command, Output};
use support::curl::curl;
use support::daemon::{Daemon, Folder, binary, source};

fn doorpost(args: &[&str]) -> Output {
    Command::new(binary()).args(args).output().expect("the binary starts")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn post(daemon: &Daemon, path: &str, body: &str, more: &[&str]) -> u16 {
    let mut args = vec!["--header", "content-type: application/json", "--data", body];
    args.extend(more);
    curl(daemon, &args, path).status
}

#[test]
fn every_sample_in_configs_is_a_good_site_file() {
    let mut count = 0;
    for file in std::fs::read_dir(source().join("configs")).expect("configs/").flatten() {
        let path = file.path();
        if path.extension().is_some_and(|ending| ending == "yaml") {
            let output = doorpost(&["check", path.to_str().expect("UTF-8")]);
            assert!(output.status.success(), "{}: {}", path.display(), said(&output));
            count += 1;
        }
    }
    assert!(count >= 3, "configs/ has its samples");
}

#[test]
fn the_committed_description_of_the_api_is_current() {
    let made = doorpost(&["openapi"]);
    let kept = std::fs::read(source().join("docs/openapi.json")).expect("docs/openapi.json");
    assert!(made.stdout == kept, "docs/openapi.json is out of date: doorpost openapi > docs/openapi.json");
}

#[test]
fn a_bad_site_file_exits_78_and_names_line_and_column() {
    let folder = Folder::new("check");
    let file = folder.0.join("site.yaml");
    std::fs::write(&file, "site: {name: X, realm: x.example, time_zone: UTC}\nnetworks:\n  a: {vlna: 3}\n")
        .expect("the file");
    for args in [
        vec!["check", file.to_str().expect("UTF-8")],
        vec!["run", "--site", file.to_str().expect("UTF-8"), "--data", "/nonexistent/x"],
    ] {
        let output = doorpost(&args);
        assert_eq!(output.status.code(), Some(78), "{args:?}");
        assert!(said(&output).contains("site.yaml:3:7: ") && said(&output).contains("vlna"), "{}", said(&output));
    }
}

#[test]
fn usage_exits_2_and_an_absent_box_69() {
    assert_eq!(doorpost(&["member", "frobnicate"]).status.code(), Some(2));
    assert_eq!(doorpost(&["--data", "/nonexistent", "status"]).status.code(), Some(69));
    let folder = Folder::new("absent");
    let output = doorpost(&["status", "--json", "--data", folder.0.to_str().expect("UTF-8")]);
    assert_eq!(output.status.code(), Some(69));
    assert!(said(&output).contains("not running"), "{}", said(&output));
}

#[test]
fn the_command_line_refuses_with_a_sentence_and_a_code() {
    let daemon = Daemon::start("cli");
    let id = daemon.add_member("Mara Holm", "resident", Some("studio"));
    assert_eq!(daemon.cli(&["member", "show", "mara.holm@example.org"])["id"], id.as_str());
    assert_eq!(daemon.cli(&["member", "show", "Mara Holm"])["team"], "studio");
    for (args, code) in [
        (vec!["member", "add", "--name", "M", "--email", "MARA.HOLM@example.org", "--plan", "resident"], "email-taken"),
        (vec!["member", "add", "--name", "M", "--email", "nowhere", "--plan", "resident"], "email-invalid"),
        (vec!["member", "add", "--name", "", "--email", "a@b", "--plan", "resident"], "name-invalid"),
        (vec!["member", "add", "--name", "M", "--email", "a@b", "--plan", "gold"], "unknown-plan"),
        (vec!["member", "suspend", "nobody"], "unknown-member"),
        (vec!["badge", "add", &id, "xyz"], "badge-invalid"),
        (vec!["wifi", "revoke", "cred_00000000000000000000000000"], "unknown-credential"),
        (vec!["device", "add", "No Good", "--profile", "reader"], "invalid"),
        (vec!["device", "add", "good", "--profile", "toaster"], "invalid"),
        (vec!["device", "remove", "good"], "unknown-device"),
        (vec!["door", "open", "back"], "no-such-door"),
        (vec!["print", "release", "job_00000000000000000000000000"], "unknown-job"),
    ] {
        let (exit, text) = daemon.try_cli(&args).expect_err("refused");
        assert_eq!(exit, 1, "{args:?}: {text}");
        assert!(text.contains(&format!("\"code\":\"{code}\"")), "{args:?}: {text}");
    }
    daemon.cli(&["badge", "add", &id, "04:a1:b2:c3"]);
    let other = daemon.add_member("Jo Vang", "flex", None);
    let (_, text) = daemon.try_cli(&["badge", "add", &other, "04A1B2C3"]).expect_err("taken");
    assert!(text.contains("badge-taken"), "{text}");
    assert_eq!(daemon.cli(&["print", "credit", &id, "5.50"])["print"]["credit_minor"], 550);
    let issued = daemon.try_cli_with(&["wifi", "issue", &id, "--password-stdin"], "a key of my own\n").expect("issued");
    assert_eq!(issued["password"], "a key of my own");
    assert!(issued["username"].as_str().is_some_and(|name| name.ends_with("@harbour.example")));
    daemon.stop();
}

#[test]
fn no_secret_is_written_where_it_can_be_read() {
    let daemon = Daemon::start("secrets");
    let id = daemon.add_member("Mara Holm", "resident", None);
    let (_, key) = daemon.issue_wifi_key(&id);
    let device = daemon.cli(&["device", "add", "relay-street", "--profile", "shelly-gen2"]);
    let token = daemon.cli(&["print", "token", &id]);
    let code = daemon.claim_code.clone().expect("a claim code");
    let status =
        post(&daemon, "/api/claim", &format!("{{\"code\":\"{code}\",\"password\":\"correct horse battery\"}}"), &[]);
    assert_eq!(status, 204);
    let log = daemon.log();
    let data = daemon.data.clone();
    let killed = daemon.kill();
    for secret in [
        key.as_str(),
        device["password"].as_str().expect("text"),
        token["password"].as_str().expect("text"),
        "correct horse battery",
    ] {
        assert!(!log.contains(secret), "a secret is in the log");
        for file in std::fs::read_dir(&data).expect("the data folder").flatten().filter(|file| file.path().is_file()) {
            let bytes = std::fs::read(file.path()).expect("readable by us");
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "a secret is in {}", file.path().display());
        }
    }
    drop(killed);
}

#[test]
fn the_box_is_claimed_once_and_signed_in_to_with_its_password() {
    let daemon = Daemon::start("claim");
    let code = daemon.claim_code.clone().expect("a claim code");
    assert_eq!(curl(&daemon, &[], "/api/members").status, 401);
    assert_eq!(
        post(&daemon, "/api/claim", r#"{"code":"aaaa-aaaa-aaaa-aaaa","password":"correct horse battery"}"#, &[]),
        403
    );
    assert_eq!(post(&daemon, "/api/claim", &format!(r#"{{"code":"{code}","password":"short"}}"#), &[]), 422);
    let jar = daemon.data.join("jar");
    let jar = jar.to_str().expect("UTF-8");
    let claim = format!(r#"{{"code":"{code}","password":"correct horse battery"}}"#);
    assert_eq!(post(&daemon, "/api/claim", &claim, &["--cookie-jar", jar]), 204);
    assert!(!daemon.data.join("claim-code").exists(), "the code is gone");
    assert_eq!(post(&daemon, "/api/claim", &claim, &[]), 409);
    let list = curl(&daemon, &["--cookie", jar], "/api/members");
    let members = serde_json::from_slice::<Value>(&list.body).expect("JSON")["members"].as_array().map(Vec::len);
    assert_eq!((list.status, members), (200, Some(0)));
    // A page of another site holds the cookie, not the right to use it.
    let cross = ["--cookie", jar, "--header", "sec-fetch-site: cross-site"];
    assert_eq!(post(&daemon, "/api/members", r#"{"name":"X","email":"x@y","plan":"flex"}"#, &cross), 403);
    assert_eq!(curl(&daemon, &["--cookie", jar, "--header", "host: evil.example"], "/api/members").status, 421);
    let same = ["--cookie", jar, "--header", "sec-fetch-site: same-origin"];
    assert_eq!(post(&daemon, "/api/members", r#"{"name":"X","email":"x@y","plan":"flex"}"#, &same), 201);
    // Signing in is slow for whoever guesses: five tries, then one a minute.
    let mut answers = Vec::new();
    for _ in 0..8 {
        answers.push(post(&daemon, "/api/login", r#"{"password":"wrong"}"#, &[]));
    }
    assert!(answers.contains(&403) && answers.last() == Some(&429), "{answers:?}");
    assert_eq!(curl(&daemon, &[], "/livez").status, 200);
    assert_eq!(curl(&daemon, &[], "/readyz").status, 200);
    let reset = daemon.cli(&["admin", "reset"]);
    assert!(reset["claim_code"].as_str().is_some_and(|code| code.len() == 19));
    assert_eq!(curl(&daemon, &["--cookie", jar], "/api/members").status, 401, "everybody is signed out");
    daemon.stop();
}
