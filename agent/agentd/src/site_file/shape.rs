//! The site file as it is written: one struct a YAML mapping, unknown keys refused. Values that can be wrong in a way YAML
//! cannot see carry their place ([`Spanned`]) so that the message can point at it.

use serde::Deserialize;
use serde_saphyr::Spanned;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteYaml {
    pub site: SiteHead,
    #[serde(default)]
    pub listen: Listen,
    #[serde(default)]
    pub schedules: Section<ScheduleYaml>,
    #[serde(default)]
    pub wifi: OnAir,
    #[serde(default)]
    pub networks: Section<NetworkYaml>,
    #[serde(default)]
    pub access_points: Section<AccessPointYaml>,
    #[serde(default)]
    pub printers: Section<PrinterYaml>,
    #[serde(default)]
    pub doors: Section<DoorYaml>,
    #[serde(default)]
    pub plans: Section<PlanYaml>,
}

/// A mapping from names to things. `Spanned` keys are not orderable, so the pairs are kept as they stand.
pub type Section<T> = super::pairs::Pairs<T>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteHead {
    pub name: Spanned<String>,
    pub realm: Spanned<String>,
    pub time_zone: Spanned<String>,
    #[serde(default = "euro")]
    pub currency: Spanned<String>,
    #[serde(default)]
    pub holidays: Vec<Spanned<String>>,
    #[serde(default)]
    pub clock: ClockTrust,
}

fn euro() -> Spanned<String> {
    somewhere("EUR".to_owned())
}

/// Whether the box waits for its clock to be disciplined (NTP) or takes it as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClockTrust {
    #[default]
    Synced,
    Always,
}

/// Where the daemon listens; an address and port each.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Listen {
    pub radius_auth: Option<Spanned<String>>,
    pub radius_acct: Option<Spanned<String>>,
    pub ipp: Option<Spanned<String>>,
    pub mqtt: Option<Spanned<String>>,
    pub mqtt_plain: Option<Spanned<String>>,
    pub radsec: Option<Spanned<String>>,
    pub https: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduleYaml {
    pub hours: Vec<HoursYaml>,
    #[serde(default = "yes")]
    pub closed_on_holidays: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoursYaml {
    /// `mon`, `mon-fri`, `daily`.
    pub days: Spanned<String>,
    pub from: Spanned<String>,
    pub until: Spanned<String>,
}

/// The Wi-Fi as devices see it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OnAir {
    pub ssids: Vec<SsidYaml>,
    /// All of them when left out.
    pub eap_methods: Option<Spanned<Vec<EapMethodYaml>>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EapMethodYaml {
    Tls,
    Peap,
    Ttls,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SsidYaml {
    pub name: Spanned<String>,
    #[serde(default)]
    pub security: SsidSecurityYaml,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SsidSecurityYaml {
    #[default]
    Enterprise,
    Passphrase,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkYaml {
    pub vlan: Option<Spanned<u32>>,
    pub vlan_name: Option<Spanned<String>>,
    #[serde(default)]
    pub vlan_tested: bool,
    pub team: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessPointYaml {
    pub address: Option<Spanned<String>>,
    pub secret: Option<Spanned<SecretYaml>>,
    #[serde(default)]
    pub radsec: bool,
    /// Where the profile has it, when left out.
    pub coa_port: Option<u16>,
    pub profile: Option<Spanned<String>>,
    #[serde(default)]
    pub message_authenticator: MessageAuthenticatorYaml,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MessageAuthenticatorYaml {
    #[default]
    Required,
    Optional,
}

/// A secret stands in the file by reference; the one exception is the well-known demo value on loopback.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum SecretYaml {
    Reference(SecretReference),
    Literal(String),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum SecretReference {
    /// A file, whose only line is the secret; relative to the site file.
    File(String),
    /// A systemd credential (systemd.exec(5), `LoadCredential=`).
    Credential(String),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrinterYaml {
    pub title: Option<String>,
    pub upstream: Spanned<String>,
    #[serde(default = "yes")]
    pub counts: bool,
    #[serde(default = "yes")]
    pub colour: bool,
    #[serde(default = "yes")]
    pub duplex: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DoorYaml {
    pub title: Option<String>,
    pub relay: RelayYaml,
    #[serde(default)]
    pub readers: Vec<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RelayYaml {
    pub device: Spanned<String>,
    pub profile: Spanned<String>,
    #[serde(default)]
    pub channel: u8,
    #[serde(default = "pulse_ms")]
    pub pulse_ms: Spanned<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanYaml {
    pub title: Option<String>,
    pub wifi: Option<WifiYaml>,
    pub print: Option<PrintYaml>,
    #[serde(default)]
    pub doors: Vec<DoorGrantYaml>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WifiYaml {
    pub network: Spanned<String>,
    #[serde(default = "devices")]
    pub devices: Spanned<u32>,
    pub hours: Option<Spanned<String>>,
    pub rate_down_mbit: Option<Spanned<u32>>,
    pub rate_up_mbit: Option<Spanned<u32>>,
    pub idle_timeout_minutes: Option<Spanned<u32>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrintYaml {
    pub pages: Spanned<u32>,
    /// In the site's currency: `0.05`.
    #[serde(default = "zero")]
    pub page_price: Spanned<f64>,
    #[serde(default = "zero")]
    pub overdraft: Spanned<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DoorGrantYaml {
    pub doors: Vec<Spanned<String>>,
    pub hours: Option<Spanned<String>>,
}

const fn yes() -> bool {
    true
}

fn somewhere<T>(value: T) -> Spanned<T> {
    Spanned { value, referenced: serde_saphyr::Location::UNKNOWN, defined: serde_saphyr::Location::UNKNOWN }
}

/// IEC 60839-11-1 grade 1 asks for at least 3 s of release.
fn pulse_ms() -> Spanned<u32> {
    somewhere(3_000)
}

/// A phone, a laptop, a tablet and two spares.
fn devices() -> Spanned<u32> {
    somewhere(5)
}

fn zero() -> Spanned<f64> {
    somewhere(0.0)
}
