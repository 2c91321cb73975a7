use super::*;

fn check(text: &str) -> Result<SiteFile, Vec<String>> {
    parse(text, Path::new("site.yaml")).map_err(|faults| faults.to_string().lines().map(str::to_owned).collect())
}

const HEAD: &str = "site: {name: Harbour, realm: harbour.example, time_zone: Europe/Copenhagen}\n";

fn faults_of(rest: &str) -> Vec<String> {
    check(&format!("{HEAD}{rest}")).expect_err("the file must be refused")
}

#[test]
fn a_fault_names_file_line_column_and_what_was_expected() {
    for (text, fault) in [
        ("networks: {members: {vlan: 5000}}", "site.yaml:2:28: the VLAN 5000 is not valid: expected 1 to 4094"),
        (
            "plans:\n  flex:\n    wifi: {network: nowhere}",
            "site.yaml:4:21: there is no network `nowhere`: none is defined",
        ),
        (
            "access_points:\n  lobby: {address: 10.0.0.5, secret: testing123}",
            "site.yaml:3:38: a secret stands in the file: expected a reference such as {file: lobby.secret} or {credential: lobby-secret}",
        ),
        (
            "access_points:\n  lobby: {secret: {file: lobby.secret}}",
            "site.yaml:3:19: the access point `lobby` has a secret and no address: expected the address that its packets come from",
        ),
        (
            "access_points:\n  lobby: {address: 10.0.0.5}",
            "site.yaml:3:3: the access point `lobby` has no secret: expected one, or `radsec: true`",
        ),
        (
            "doors:\n  Street: {relay: {device: relay, profile: shelly-gen2}}",
            "site.yaml:3:3: the name `Street` is not valid: expected 1 to 63 lower-case letters, digits and inner hyphens",
        ),
        (
            "schedules: {late: {hours: [{days: mon-fir, from: '8:00', until: '18:00'}]}}",
            "site.yaml:2:35: the days `mon-fir` are not valid: expected daily, mon, or a range such as mon-fri",
        ),
        (
            "listen: {mqtt_plain: '0.0.0.0:1883'}",
            "site.yaml:2:22: MQTT without TLS on 0.0.0.0:1883: expected a loopback address, since passwords would cross the network in clear",
        ),
    ] {
        assert_eq!(faults_of(text), vec![fault.to_owned()]);
    }
}

#[test]
fn an_unknown_key_is_an_error_with_its_place() {
    let faults = faults_of("printer: {}");
    assert_eq!(faults.len(), 1);
    assert!(faults[0].starts_with("site.yaml:2:1: ") && faults[0].contains("printer"), "{faults:?}");
}

#[test]
fn every_fault_of_meaning_is_told_at_once() {
    let faults = faults_of("networks: {a: {vlan: 0}, b: {vlan: 9999}}\nprinters: {front: {upstream: 'http://x'}}");
    assert_eq!(faults.len(), 3, "{faults:?}");
}

#[test]
fn a_night_shift_runs_past_midnight() {
    let file = check(&format!("{HEAD}schedules: {{night: {{hours: [{{days: fri, from: '22:00', until: '06:00'}}]}}}}"))
        .expect("a good file");
    let night = file.model.schedules.values().next().expect("the schedule");
    let slots: Vec<_> = night.slots.iter().map(|slot| (slot.weekday, slot.from_minute, slot.until_minute)).collect();
    assert_eq!(slots, [(jiff::civil::Weekday::Friday, 1320, 1440), (jiff::civil::Weekday::Saturday, 0, 360)]);
}

#[test]
fn what_leads_to_one_thing_stands_once() {
    let points = "access_points:\n  a: {address: 127.0.0.1, secret: testing123}\n  b: {address: '::ffff:127.0.0.1', secret: testing123}";
    assert_eq!(
        faults_of(points),
        ["site.yaml:4:16: the address 127.0.0.1 belongs to `a` already: expected another one"]
    );
    let teams = "networks:\n  a: {team: studio}\n  b: {team: studio}";
    assert_eq!(faults_of(teams), ["site.yaml:4:13: the team `studio` belongs to `a` already: expected another one"]);
}

#[test]
fn eap_methods_stand_in_the_operators_order_and_each_once() {
    use policy::EapMethod::{Peap, Tls, Ttls};
    let methods = |text: &str| check(&format!("{HEAD}{text}")).expect("a good file").model.eap_methods;
    assert_eq!(methods(""), [Tls, Peap, Ttls]);
    assert_eq!(methods("wifi: {eap_methods: [ttls, tls]}"), [Ttls, Tls]);
    assert!(faults_of("wifi: {eap_methods: [peap, peap]}")[0].contains("`peap` stands twice"));
    assert!(faults_of("wifi: {eap_methods: []}")[0].contains("no EAP method"));
    assert!(faults_of("wifi: {eap_methods: [md5]}")[0].starts_with("site.yaml:2:"));
}

#[test]
fn a_realm_is_a_domain() {
    for realm in [".", "a..b", "-a.b", "a-.b", "harbour", "Harbour.example", &format!("a.{}", "x".repeat(64))] {
        let text = format!("site: {{name: Harbour, realm: '{realm}', time_zone: Europe/Copenhagen}}");
        assert!(check(&text).is_err_and(|faults| faults[0].contains("the realm")), "{realm}");
    }
}

#[test]
fn every_make_of_access_point_has_a_table_and_a_page_for_operators() {
    let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operator");
    let tables = proto::radius::dictionary::Dictionaries::embedded();
    for profile in policy::AccessPointProfile::ALL {
        assert!(tables.profile(profile.as_str()).is_some(), "{}", profile.as_str());
        let page = pages.join(format!("{}.md", profile.as_str()));
        let text = std::fs::read_to_string(&page).unwrap_or_default();
        assert!(text.contains(&format!("profile: {}", profile.as_str())), "{}", page.display());
    }
    assert_eq!(tables.names().count(), policy::AccessPointProfile::ALL.len(), "a table that no make has");
}

#[test]
fn an_access_points_make_says_where_it_takes_changes_and_slips_are_named() {
    let file = check(&format!(
        "{HEAD}access_points:\n  a: {{address: 127.0.0.1, secret: testing123, profile: cisco}}\n  b: {{address: 127.0.0.2, secret: testing123, profile: cisco, coa_port: 3799, message_authenticator: optional}}"
    ));
    let points = file.expect("a good file").model.access_points;
    let told: Vec<_> = points
        .values()
        .map(|point| (point.udp.as_ref().map(|udp| udp.coa_port), point.message_authenticator))
        .collect();
    use policy::MessageAuthenticatorRule::{Optional, Required};
    assert_eq!(told, [(Some(1_700), Required), (Some(3_799), Optional)]);
    for (text, fault) in [
        (
            "access_points: {a: {address: 127.0.0.1, secret: testing123, profile: linksys}}",
            "site.yaml:2:70: unknown access point profile `linksys`: expected one of generic, hostapd, unifi, aruba, cisco, mikrotik, ruckus, mist",
        ),
        (
            "networks: {a: {vlan_name: office}}",
            "site.yaml:2:27: the VLAN has a name and no number: expected `vlan` beside it",
        ),
        (
            "networks: {a: {vlan: 10, vlan_name: '10'}}",
            "site.yaml:2:37: the VLAN name `10` is not valid: expected a letter and at most 32 characters without spaces",
        ),
        (
            "networks: {a: {}}\nplans: {p: {wifi: {network: a, rate_down_mbit: 5000}}}",
            "site.yaml:3:48: the rate of 5000 Mbit/s is not valid: expected 1 to 4000",
        ),
        (
            "networks: {a: {}}\nplans: {p: {wifi: {network: a, idle_timeout_minutes: 0}}}",
            "site.yaml:3:54: the idle timeout of 0 minutes is not valid: expected 1 to 1440",
        ),
    ] {
        assert_eq!(faults_of(text), vec![fault.to_owned()]);
    }
}

#[test]
fn ssids_are_what_fits_on_the_air_and_stand_once() {
    let good = "wifi:\n  ssids:\n    - name: \"Café \u{1f6dc}\"\n    - {name: Things, security: passphrase}";
    let site = check(&format!("{HEAD}{good}")).expect("a good site file");
    let names = |security| site.model.ssids_by(security).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(names(policy::SsidSecurity::Enterprise), ["Café \u{1f6dc}"]);
    assert_eq!(names(policy::SsidSecurity::Passphrase), ["Things"]);
    let twice = "wifi:\n  ssids:\n    - name: Harbour\n    - {name: Harbour, security: passphrase}";
    assert_eq!(
        faults_of(twice),
        ["site.yaml:5:14: the SSID `Harbour` belongs to `wifi` already: expected another one"]
    );
    let long = "x".repeat(33);
    for name in ["''", &long, "\"a\\tb\""] {
        let faults = faults_of(&format!("wifi:\n  ssids:\n    - name: {name}"));
        assert!(faults.len() == 1 && faults[0].contains("expected 1 to 32 bytes of text"), "{name}: {faults:?}");
    }
}

#[test]
fn an_access_point_comes_by_udp_by_radsec_or_by_both_and_radsec_listens_where_it_is_wanted() {
    let with = |rest: &str| check(&format!("{HEAD}{rest}")).expect("a good file");
    let file = with("access_points: {a: {address: 127.0.0.1, secret: testing123}}");
    assert_eq!(file.listen.radsec, None, "nobody comes by it");
    let file = with(
        "access_points:\n  a: {radsec: true}\n  b: {radsec: true, address: '::ffff:10.0.0.9'}\n  c: {address: 127.0.0.1, secret: testing123, radsec: true}",
    );
    assert_eq!(file.listen.radsec, Some(SocketAddr::from(([0, 0, 0, 0], 2083))));
    let of = |name: &str| &file.model.access_points[name];
    assert_eq!((of("a").udp.is_some(), of("a").address()), (false, None));
    let expected = "10.0.0.9".parse().ok();
    assert_eq!(of("b").radsec.as_ref().map(|radsec| radsec.from), Some(expected));
    assert!(of("c").udp.is_some() && of("c").radsec.is_some());
    let file = with("listen: {radsec: '127.0.0.1:0'}");
    assert_eq!(file.listen.radsec, Some(SocketAddr::from(([127, 0, 0, 1], 0))));
}
