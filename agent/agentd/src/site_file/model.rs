//! From what the file says to what it means: names resolved, ranges checked, secrets fetched.

use super::shape::{self, EapMethodYaml, SecretReference, SecretYaml, SiteYaml};
use super::{Fault, ListenAddresses, SiteFile};
use jiff::civil::{Date, Weekday};
use policy::print::PrintPlan;
use policy::wifi::{Rates, WifiPlan};
use policy::{
    AccessPoint, AccessPointProfile, Door, DoorGrant, EapMethod, MessageAuthenticatorRule, Network, Plan, Printer,
    RadSecClient, Relay, Schedule, Site, SiteModel, Slot, Ssid, SsidSecurity, UdpClient,
};
use serde_saphyr::Spanned;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::str::FromStr;
use values::{NetworkName, ScheduleName, Secret};

/// RFC 6614, 1.
const RADSEC_PORT: u16 = 2083;
/// The one secret that may stand in the file, for a first try on one machine.
const WELL_KNOWN_SECRET: &str = "testing123";
/// RFC 2865 3 asks for 16 octets; a generated secret has 32.
const SECRET_MIN_BYTES: usize = 16;
const SECRET_MAX_BYTES: usize = 128;
/// IEEE 802.1Q: 0 and 4095 are reserved.
const VLAN_MAX: u32 = 4_094;
/// IEEE 802.1Q, 12.10.2: a VLAN name has at most 32 characters.
const VLAN_NAME_MAX_BYTES: usize = 32;
/// WISPr counts bits a second in 32 bits: 4,294 Mbit/s is the most that can be said.
const RATE_MAX_MBIT: u16 = 4_000;
/// A day: what idles longer is ended by its Session-Timeout anyway.
const IDLE_MAX_MINUTES: u16 = 1_440;
/// IEEE 802.11, 9.4.2.2.
const SSID_MAX_BYTES: usize = 32;
/// Enough for any strike; a longer pulse is an unlock schedule, which is another thing.
const PULSE_MAX_MS: u32 = 30_000;
/// Below this a strike does not move.
const PULSE_MIN_MS: u32 = 200;
/// Ten million in hundredths: an amount beyond it is a slip of the keyboard.
const AMOUNT_MAX: f64 = 100_000.0;

pub(super) fn build(yaml: SiteYaml, folder: &Path) -> Result<SiteFile, Vec<Fault>> {
    let mut check = Check { faults: Vec::new(), taken: BTreeMap::new() };
    let site = check.site(&yaml.site);
    let listen = check.listen(&yaml.listen);
    let schedules: BTreeMap<ScheduleName, Schedule> =
        check.section(yaml.schedules, |check, _, name, yaml| check.schedule(name, yaml));
    let eap_methods = check.eap_methods(yaml.wifi.eap_methods.as_ref());
    let ssids = check.ssids(yaml.wifi);
    let networks: BTreeMap<NetworkName, Network> =
        check.section(yaml.networks, |check, _, name, yaml| check.network(name, yaml));
    let access_points: BTreeMap<values::AccessPointName, AccessPoint> =
        check.section(yaml.access_points, |check, key, name, yaml| check.access_point(key, name, &yaml, folder));
    let printers = check.section(yaml.printers, |check, _, name, yaml| check.printer(name, yaml));
    let doors = check.section(yaml.doors, |check, _, name, yaml| check.door(name, yaml));
    let plans = check.section(yaml.plans, |check, _, name, yaml| {
        check.plan(name, yaml, &Known { schedules: &schedules, networks: &networks, doors: &doors })
    });
    match (site, listen) {
        (Some(site), Some(listen)) if check.faults.is_empty() => {
            let takes_radsec = access_points.values().any(|point| point.radsec.is_some());
            let default = takes_radsec.then(|| SocketAddr::from(([0, 0, 0, 0], RADSEC_PORT)));
            let listen = ListenAddresses { radsec: listen.radsec.or(default), ..listen };
            let model = SiteModel {
                generation: 1,
                site,
                ssids,
                eap_methods,
                schedules,
                networks,
                access_points,
                printers,
                doors,
                plans,
            };
            Ok(SiteFile { model, listen, clock: yaml.site.clock })
        }
        _ => Err(check.faults),
    }
}

/// What plans may refer to.
struct Known<'a> {
    schedules: &'a BTreeMap<ScheduleName, Schedule>,
    networks: &'a BTreeMap<NetworkName, Network>,
    doors: &'a BTreeMap<values::DoorName, Door>,
}

struct Check {
    faults: Vec<Fault>,
    /// What only one thing may have, and which has it.
    taken: BTreeMap<String, String>,
}

impl Check {
    fn fault<T, V>(&mut self, at: &Spanned<V>, message: String) -> Option<T> {
        self.faults.push(Fault { line: at.referenced.line(), column: at.referenced.column(), message });
        None
    }

    fn parse<T: FromStr>(&mut self, text: &Spanned<String>, what: &str, expected: &str) -> Option<T> {
        match text.value.parse() {
            Ok(value) => Some(value),
            Err(_) => self.fault(text, format!("{what} `{}` is not valid: expected {expected}", text.value)),
        }
    }

    /// Lets one thing alone have a value; `what` names the value in the message.
    fn only_one(&mut self, at: &Spanned<String>, what: String, owner: &str) -> Option<()> {
        match self.taken.insert(what.clone(), owner.to_owned()) {
            None => Some(()),
            Some(first) => self.fault(at, format!("{what} belongs to `{first}` already: expected another one")),
        }
    }

    fn name<T: FromStr>(&mut self, text: &Spanned<String>, what: &str) -> Option<T> {
        self.parse(text, what, "1 to 63 lower-case letters, digits and inner hyphens")
    }

    fn section<Y, N: FromStr + Ord + Clone, T>(
        &mut self,
        pairs: shape::Section<Y>,
        mut build: impl FnMut(&mut Self, &Spanned<String>, N, Y) -> Option<T>,
    ) -> BTreeMap<N, T> {
        let mut built = BTreeMap::new();
        for (key, yaml) in pairs.0 {
            if let Some(name) = self.name::<N>(&key, "the name")
                && let Some(value) = build(self, &key, name.clone(), yaml)
            {
                built.insert(name, value);
            }
        }
        built
    }

    fn known<N: FromStr + Ord + std::fmt::Display, T>(
        &mut self,
        text: &Spanned<String>,
        what: &str,
        known: &BTreeMap<N, T>,
    ) -> Option<N> {
        let name = self.name::<N>(text, what)?;
        if known.contains_key(&name) {
            return Some(name);
        }
        let names: Vec<String> = known.keys().map(ToString::to_string).collect();
        let known = if names.is_empty() {
            "none is defined".to_owned()
        } else {
            format!("expected one of {}", names.join(", "))
        };
        self.fault(text, format!("there is no {what} `{}`: {known}", text.value))
    }

    fn site(&mut self, yaml: &shape::SiteHead) -> Option<Site> {
        if yaml.name.value.trim().is_empty() {
            self.fault::<(), _>(&yaml.name, "the site's name is empty: expected what people call the space".into());
        }
        let realm_ok = is_domain(&yaml.realm.value);
        if !realm_ok {
            self.fault::<(), _>(
                &yaml.realm,
                format!(
                    "the realm `{}` is not valid: expected a domain in lower case, such as harbour.example",
                    yaml.realm.value
                ),
            );
        }
        let currency_ok = yaml.currency.value.len() == 3 && yaml.currency.value.bytes().all(|b| b.is_ascii_uppercase());
        if !currency_ok {
            self.fault::<(), _>(
                &yaml.currency,
                format!("the currency `{}` is not valid: expected three capitals, such as EUR", yaml.currency.value),
            );
        }
        let mut holidays = BTreeSet::new();
        for text in &yaml.holidays {
            if let Some(date) = self.parse::<Date>(text, "the holiday", "a date such as 2026-12-25") {
                holidays.insert(date);
            }
        }
        let time_zone = match jiff::tz::TimeZone::get(&yaml.time_zone.value) {
            Ok(zone) => Some(zone),
            Err(_) => self.fault(
                &yaml.time_zone,
                format!(
                    "the time zone `{}` is not known: expected a name such as Europe/Copenhagen",
                    yaml.time_zone.value
                ),
            ),
        }?;
        (realm_ok && currency_ok).then(|| Site {
            name: yaml.name.value.trim().to_owned(),
            realm: yaml.realm.value.clone(),
            time_zone,
            holidays,
            currency: yaml.currency.value.clone(),
        })
    }

    fn listen(&mut self, yaml: &shape::Listen) -> Option<ListenAddresses> {
        let before = self.faults.len();
        let mut address = |text: &Option<Spanned<String>>, default: u16| match text {
            None => Some(SocketAddr::from(([0, 0, 0, 0], default))),
            Some(text) => self.parse(text, "the address", "an address and port such as 0.0.0.0:1812 or [::]:1812"),
        };
        let (radius_auth, radius_acct) = (address(&yaml.radius_auth, 1812), address(&yaml.radius_acct, 1813));
        let radsec = yaml.radsec.as_ref().and_then(|_| address(&yaml.radsec, RADSEC_PORT));
        let (ipp, mqtt, https) = (address(&yaml.ipp, 631), address(&yaml.mqtt, 8883), address(&yaml.https, 443));
        let mqtt_plain = yaml.mqtt_plain.as_ref().and_then(|text| {
            let address: SocketAddr = self.parse(text, "the address", "a loopback address and port such as 127.0.0.1:1883")?;
            if address.ip().is_loopback() {
                return Some(address);
            }
            self.fault(text, format!("MQTT without TLS on {address}: expected a loopback address, since passwords would cross the network in clear"))
        });
        if self.faults.len() > before {
            return None;
        }
        Some(ListenAddresses {
            radius_auth: radius_auth?,
            radius_acct: radius_acct?,
            radsec,
            ipp: ipp?,
            mqtt: mqtt?,
            mqtt_plain,
            https: https?,
        })
    }

    fn schedule(&mut self, name: ScheduleName, yaml: shape::ScheduleYaml) -> Option<Schedule> {
        let mut slots = Vec::new();
        for hours in &yaml.hours {
            let days = match weekdays(&hours.days.value) {
                Some(days) => days,
                None => {
                    self.fault::<(), _>(
                        &hours.days,
                        format!(
                            "the days `{}` are not valid: expected daily, mon, or a range such as mon-fri",
                            hours.days.value
                        ),
                    );
                    continue;
                }
            };
            let (Some(from), Some(until)) = (self.minute(&hours.from), self.minute(&hours.until)) else { continue };
            if from == until {
                self.fault::<(), _>(
                    &hours.until,
                    "the hours end where they begin: expected a later time, or 24:00".into(),
                );
                continue;
            }
            for weekday in days {
                if from < until {
                    slots.push(Slot { weekday, from_minute: from, until_minute: until });
                } else {
                    // Past midnight: the evening of this day and the morning of the next.
                    slots.push(Slot { weekday, from_minute: from, until_minute: Slot::END_OF_DAY });
                    if until > 0 {
                        slots.push(Slot { weekday: weekday.next(), from_minute: 0, until_minute: until });
                    }
                }
            }
        }
        Some(Schedule { name, slots, closed_on_holidays: yaml.closed_on_holidays })
    }

    fn minute(&mut self, text: &Spanned<String>) -> Option<u16> {
        let minute = text.value.split_once(':').and_then(|(hour, minute)| {
            let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
            (hour < 24 && minute < 60 || hour == 24 && minute == 0).then_some(hour * 60 + minute)
        });
        minute.or_else(|| {
            self.fault(
                text,
                format!("the time `{}` is not valid: expected hours and minutes such as 08:00", text.value),
            )
        })
    }

    fn eap_methods(&mut self, yaml: Option<&Spanned<Vec<EapMethodYaml>>>) -> Vec<EapMethod> {
        let Some(yaml) = yaml else { return EapMethod::ALL.to_vec() };
        let mut methods: Vec<EapMethod> = Vec::new();
        for method in &yaml.value {
            let method = match method {
                EapMethodYaml::Tls => EapMethod::Tls,
                EapMethodYaml::Peap => EapMethod::Peap,
                EapMethodYaml::Ttls => EapMethod::Ttls,
            };
            if methods.contains(&method) {
                self.fault::<(), _>(yaml, format!("the method `{}` stands twice: expected each once", method.as_str()));
            }
            methods.push(method);
        }
        if methods.is_empty() {
            self.fault::<(), _>(yaml, "there is no EAP method: expected one or more of tls, peap and ttls".to_owned());
        }
        methods
    }

    fn ssids(&mut self, yaml: shape::OnAir) -> Vec<Ssid> {
        let mut ssids = Vec::new();
        for shape::SsidYaml { name, security } in yaml.ssids {
            let fits = (1..=SSID_MAX_BYTES).contains(&name.value.len()) && !name.value.chars().any(char::is_control);
            let shown = name.value.escape_debug().to_string();
            if !fits {
                self.fault::<(), _>(
                    &name,
                    format!("the SSID `{shown}` is not valid: expected 1 to {SSID_MAX_BYTES} bytes of text"),
                );
            }
            let only = self.only_one(&name, format!("the SSID `{shown}`"), "wifi").is_some();
            if fits && only {
                let security = match security {
                    shape::SsidSecurityYaml::Enterprise => SsidSecurity::Enterprise,
                    shape::SsidSecurityYaml::Passphrase => SsidSecurity::Passphrase,
                };
                ssids.push(Ssid { name: name.value, security });
            }
        }
        ssids
    }

    fn network(&mut self, name: NetworkName, yaml: shape::NetworkYaml) -> Option<Network> {
        let vlan = match &yaml.vlan {
            None => None,
            Some(vlan) if (1..=VLAN_MAX).contains(&vlan.value) => u16::try_from(vlan.value).ok(),
            Some(vlan) => {
                return self.fault(vlan, format!("the VLAN {} is not valid: expected 1 to {VLAN_MAX}", vlan.value));
            }
        };
        if let Some(team) = &yaml.team {
            self.only_one(team, format!("the team `{}`", team.value), name.as_str())?;
        }
        let vlan_name = match &yaml.vlan_name {
            None => None,
            Some(text) if vlan.is_none() => {
                return self.fault(text, "the VLAN has a name and no number: expected `vlan` beside it".into());
            }
            Some(text) => Some(self.vlan_name(text)?),
        };
        Some(Network { name, vlan, vlan_name, vlan_tested: yaml.vlan_tested, team: yaml.team.map(|team| team.value) })
    }

    /// A first letter tells a name from a number, and from the tag that may stand before either (RFC 2868, 3.6).
    fn vlan_name(&mut self, text: &Spanned<String>) -> Option<String> {
        let name = &text.value;
        let is_name = name.len() <= VLAN_NAME_MAX_BYTES
            && name.starts_with(|first: char| first.is_ascii_alphabetic())
            && name.bytes().all(|byte| byte.is_ascii_graphic());
        if is_name {
            return Some(name.clone());
        }
        self.fault(text, format!("the VLAN name `{name}` is not valid: expected a letter and at most {VLAN_NAME_MAX_BYTES} characters without spaces"))
    }

    fn access_point(
        &mut self,
        key: &Spanned<String>,
        name: values::AccessPointName,
        yaml: &shape::AccessPointYaml,
        folder: &Path,
    ) -> Option<AccessPoint> {
        let address = match &yaml.address {
            None => None,
            Some(text) => {
                let address: IpAddr = self.parse(text, "the address", "an IP address such as 192.168.10.5")?;
                let address = address.to_canonical(); // as the addresses that packets come from are written
                self.only_one(text, format!("the address {address}"), name.as_str())?;
                Some(address)
            }
        };
        let profile = match &yaml.profile {
            None => AccessPointProfile::default(),
            Some(text) => match text.value.parse() {
                Ok(profile) => profile,
                Err(message) => return self.fault(text, message),
            },
        };
        let message_authenticator = match yaml.message_authenticator {
            shape::MessageAuthenticatorYaml::Required => MessageAuthenticatorRule::Required,
            shape::MessageAuthenticatorYaml::Optional => MessageAuthenticatorRule::Optional,
        };
        let radsec = yaml.radsec.then_some(RadSecClient { from: address });
        let udp = match (&yaml.secret, address) {
            (Some(secret), Some(address)) => {
                let secret = self.secret(secret, address, folder)?;
                Some(UdpClient { address, secret, coa_port: yaml.coa_port.unwrap_or(profile.coa_port()) })
            }
            (Some(secret), None) => {
                return self.fault(
                    secret,
                    format!("the access point `{name}` has a secret and no address: expected the address that its packets come from"),
                );
            }
            (None, _) if radsec.is_some() => None,
            (None, _) => {
                return self
                    .fault(key, format!("the access point `{name}` has no secret: expected one, or `radsec: true`"));
            }
        };
        Some(AccessPoint { name, udp, radsec, profile, message_authenticator })
    }

    fn secret(&mut self, yaml: &Spanned<SecretYaml>, address: IpAddr, folder: &Path) -> Option<Secret<Vec<u8>>> {
        let path = match &yaml.value {
            SecretYaml::Literal(text) if text == WELL_KNOWN_SECRET && address.is_loopback() => {
                return Some(Secret::new(text.clone().into_bytes()));
            }
            SecretYaml::Literal(_) => {
                return self.fault(
                    yaml,
                    "a secret stands in the file: expected a reference such as {file: lobby.secret} or {credential: lobby-secret}".into(),
                );
            }
            SecretYaml::Reference(SecretReference::File(file)) => folder.join(file),
            SecretYaml::Reference(SecretReference::Credential(credential)) => {
                match std::env::var_os("CREDENTIALS_DIRECTORY") {
                    Some(credentials) if !credential.contains('/') => Path::new(&credentials).join(credential),
                    Some(_) => {
                        return self.fault(
                            yaml,
                            format!("the credential `{credential}` is not valid: expected a name without `/`"),
                        );
                    }
                    None => {
                        return self.fault(yaml, format!("the credential `{credential}` is not there: expected systemd to pass it (LoadCredential=)"));
                    }
                }
            }
        };
        let read = std::fs::read(&path);
        match read {
            Err(error) => self.fault(yaml, format!("the secret in {} cannot be read: {error}", path.display())),
            Ok(bytes) => {
                let secret = bytes.trim_ascii_end().to_vec();
                if (SECRET_MIN_BYTES..=SECRET_MAX_BYTES).contains(&secret.len()) {
                    Some(Secret::new(secret))
                } else {
                    self.fault(
                        yaml,
                        format!(
                            "the secret in {} has {} bytes: expected {SECRET_MIN_BYTES} to {SECRET_MAX_BYTES}",
                            path.display(),
                            secret.len()
                        ),
                    )
                }
            }
        }
    }

    fn printer(&mut self, name: values::PrinterName, yaml: shape::PrinterYaml) -> Option<Printer> {
        let upstream = &yaml.upstream.value;
        let rest = upstream.strip_prefix("ipp://").or_else(|| upstream.strip_prefix("ipps://"));
        if rest.is_none_or(|rest| rest.is_empty() || rest.starts_with('/') || rest.contains([' ', '@', '#'])) {
            return self.fault(
                &yaml.upstream,
                format!(
                    "the printer's address `{upstream}` is not valid: expected ipp:// or ipps://, a host and a path"
                ),
            );
        }
        let title = yaml.title.unwrap_or_else(|| name.to_string());
        Some(Printer {
            title,
            upstream: yaml.upstream.value,
            counts: yaml.counts,
            colour: yaml.colour,
            duplex: yaml.duplex,
            name,
        })
    }

    fn door(&mut self, name: values::DoorName, yaml: shape::DoorYaml) -> Option<Door> {
        let device = self.name(&yaml.relay.device, "the relay's device");
        let profile = match yaml.relay.profile.value.parse() {
            Ok(policy::DeviceProfile::Reader) => {
                self.fault(&yaml.relay.profile, "a reader cannot be a relay: expected shelly-gen2".into())
            }
            Ok(profile) => Some(profile),
            Err(message) => self.fault(&yaml.relay.profile, message),
        };
        let pulse = &yaml.relay.pulse_ms;
        if !(PULSE_MIN_MS..=PULSE_MAX_MS).contains(&pulse.value) {
            self.fault::<(), _>(
                pulse,
                format!("the pulse of {} ms is not valid: expected {PULSE_MIN_MS} to {PULSE_MAX_MS}", pulse.value),
            );
        }
        let readers = yaml.readers.iter().filter_map(|reader| self.name(reader, "the reader")).collect();
        let title = yaml.title.unwrap_or_else(|| name.to_string());
        let relay = Relay { device: device?, profile: profile?, channel: yaml.relay.channel, pulse_ms: pulse.value };
        Some(Door { name, title, relay, readers })
    }

    fn plan(&mut self, name: values::PlanName, yaml: shape::PlanYaml, known: &Known<'_>) -> Option<Plan> {
        let wifi = match yaml.wifi {
            None => None,
            Some(yaml) => Some(self.wifi_plan(&yaml, known)?),
        };
        let print = match yaml.print {
            None => None,
            Some(yaml) => Some(PrintPlan {
                included_pages: yaml.pages.value,
                page_price_minor: self.amount(&yaml.page_price)?,
                overdraft_minor: self.amount(&yaml.overdraft)?,
            }),
        };
        let mut doors = Vec::new();
        for grant in &yaml.doors {
            doors.push(DoorGrant {
                doors: grant.doors.iter().filter_map(|door| self.known(door, "door", known.doors)).collect(),
                hours: match &grant.hours {
                    None => None,
                    Some(hours) => Some(self.known(hours, "schedule", known.schedules)?),
                },
            });
        }
        Some(Plan { title: yaml.title.unwrap_or_else(|| name.to_string()), name, wifi, print, doors })
    }

    fn wifi_plan(&mut self, yaml: &shape::WifiYaml, known: &Known<'_>) -> Option<WifiPlan> {
        let network = self.known(&yaml.network, "network", known.networks)?;
        let hours = match &yaml.hours {
            None => None,
            Some(hours) => Some(self.known(hours, "schedule", known.schedules)?),
        };
        match u16::try_from(yaml.devices.value) {
            Ok(device_limit @ 1..=100) => {
                let down_mbit = self.bounded(yaml.rate_down_mbit.as_ref(), RATE_MAX_MBIT, "the rate", "Mbit/s")?;
                let up_mbit = self.bounded(yaml.rate_up_mbit.as_ref(), RATE_MAX_MBIT, "the rate", "Mbit/s")?;
                let rates = Rates { down_mbit, up_mbit };
                let idle = yaml.idle_timeout_minutes.as_ref();
                let idle_timeout_minutes = self.bounded(idle, IDLE_MAX_MINUTES, "the idle timeout", "minutes")?;
                Some(WifiPlan { network, device_limit, hours, rates, idle_timeout_minutes })
            }
            _ => self.fault(&yaml.devices, format!("{} devices are not valid: expected 1 to 100", yaml.devices.value)),
        }
    }

    /// A number from 1 to `max`, if it is there.
    fn bounded(&mut self, yaml: Option<&Spanned<u32>>, max: u16, what: &str, unit: &str) -> Option<Option<u16>> {
        let Some(yaml) = yaml else { return Some(None) };
        match u16::try_from(yaml.value) {
            Ok(value) if (1..=max).contains(&value) => Some(Some(value)),
            Ok(_) | Err(_) => {
                self.fault(yaml, format!("{what} of {} {unit} is not valid: expected 1 to {max}", yaml.value))
            }
        }
    }

    fn amount(&mut self, yaml: &Spanned<f64>) -> Option<i64> {
        let minor = (yaml.value * 100.0).round();
        if (0.0..=AMOUNT_MAX * 100.0).contains(&minor) && (minor - yaml.value * 100.0).abs() < 1e-6 {
            #[expect(clippy::cast_possible_truncation, reason = "the range was checked the line above")]
            return Some(minor as i64);
        }
        self.fault(
            yaml,
            format!("the amount {} is not valid: expected 0 to {AMOUNT_MAX} with at most two decimals", yaml.value),
        )
    }
}

/// Two labels or more of RFC 1123 2.1, in lower case; with `doorpost.` in front they must still be a name (RFC 1035 3.1).
fn is_domain(text: &str) -> bool {
    const LABEL_MAX_BYTES: usize = 63;
    const REALM_MAX_BYTES: usize = 253 - "doorpost.".len();
    let is_label = |label: &str| {
        (1..=LABEL_MAX_BYTES).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= REALM_MAX_BYTES && text.contains('.') && text.split('.').all(is_label)
}

fn weekdays(text: &str) -> Option<Vec<Weekday>> {
    let day = |text: &str| {
        Some(match text {
            "mon" => Weekday::Monday,
            "tue" => Weekday::Tuesday,
            "wed" => Weekday::Wednesday,
            "thu" => Weekday::Thursday,
            "fri" => Weekday::Friday,
            "sat" => Weekday::Saturday,
            "sun" => Weekday::Sunday,
            _ => return None,
        })
    };
    if text == "daily" {
        return weekdays("mon-sun");
    }
    let (first, last) = match text.split_once('-') {
        Some((first, last)) => (day(first)?, day(last)?),
        None => (day(text)?, day(text)?),
    };
    let mut days = vec![first];
    let mut current = first;
    while current != last {
        current = current.next();
        days.push(current);
    }
    Some(days)
}
