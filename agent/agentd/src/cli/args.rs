//! The commands and their arguments, as clap reads them; help, man page and completions are made from this table.

use clap::{Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// One box on the premises: members' Wi-Fi, printing and doors.
#[derive(Debug, Parser)]
#[command(name = "doorpost", version, max_term_width = 100)]
pub struct Args {
    /// The data folder [default: /var/lib/doorpost]
    #[arg(long, global = true, env = "DOORPOST_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Answer in JSON
    #[arg(long, global = true)]
    pub json: bool,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the daemon in the foreground
    Run {
        /// The site file
        #[arg(long, value_name = "FILE")]
        site: PathBuf,
    },
    /// Check a site file without applying it
    Check { file: PathBuf },
    /// The site file in force
    #[command(subcommand)]
    Site(Site),
    /// People
    #[command(subcommand)]
    Member(Member),
    /// Wi-Fi keys and sessions
    #[command(subcommand)]
    Wifi(Wifi),
    /// Access points
    #[command(subcommand, name = "accesspoint")]
    AccessPoint(AccessPoint),
    /// Badges
    #[command(subcommand)]
    Badge(Badge),
    /// Print jobs and credit
    #[command(subcommand)]
    Print(Print),
    /// Doors
    #[command(subcommand)]
    Door(Door),
    /// Relays and readers
    #[command(subcommand)]
    Device(Device),
    /// The administrator
    #[command(subcommand)]
    Admin(Admin),
    /// Why a member was refused, and what a try would get now
    Why {
        /// Id, e-mail address or name
        member: String,
        noun: WhyNoun,
        /// The door, access point or printer
        name: Option<String>,
        /// What happened up to this moment: milliseconds since 1970 or 2026-11-21T08:02:00Z
        #[arg(long)]
        at: Option<String>,
    },
    /// What happened
    Events {
        /// Go on as things happen
        #[arg(long)]
        follow: bool,
        /// Only this member
        #[arg(long)]
        member: Option<String>,
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// The state of the box
    Status,
    /// Check the audit chains and the ledger
    Verify,
    /// Completions for a shell
    Completions { shell: clap_complete::Shell },
    /// The man page
    Man,
    /// The API's description
    #[command(hide = true)]
    Openapi,
    /// Count the pages of the PDF on standard input (the daemon runs this)
    #[command(hide = true)]
    Count,
}

#[derive(Debug, Subcommand)]
pub enum Site {
    /// Show it without its secrets
    Show,
}

#[derive(Debug, Subcommand)]
pub enum Member {
    /// Add a member
    Add {
        #[arg(long)]
        name: String,
        #[arg(long)]
        email: String,
        #[arg(long)]
        plan: String,
        #[arg(long)]
        team: Option<String>,
    },
    /// List members
    List,
    /// Show a member
    Show { member: String },
    /// Give a member another plan
    Plan { member: String, plan: String },
    /// Shut a member out of everything until resumed
    Suspend { member: String },
    /// Let a suspended member in again
    Resume { member: String },
    /// End a membership for good
    End { member: String },
}

#[derive(Debug, Subcommand)]
pub enum Wifi {
    /// Issue a Wi-Fi key for one device; it is shown once
    Issue {
        member: String,
        #[arg(long)]
        label: Option<String>,
        /// Read the key from standard input instead of generating it
        #[arg(long)]
        password_stdin: bool,
    },
    /// Issue a certificate for one device (EAP-TLS), with its key; both are given once
    Certificate {
        member: String,
        #[arg(long)]
        label: Option<String>,
        #[arg(long, default_value = "pkcs12")]
        format: CertificateFormat,
        /// Where to write it; device.p12 or device.pem here when left out
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Issue a key or certificate for one device inside a profile that it installs
    Profile {
        member: String,
        /// qr is a code to scan: of a link to the other formats or, with --ssid, of a network with a passphrase
        #[arg(long)]
        format: ProfileFormat,
        /// How the device logs in; what is best for its kind when left out
        #[arg(long)]
        method: Option<ProfileMethod>,
        /// A name on the air; all enterprise ones of the site file when left out
        #[arg(long)]
        ssid: Vec<String>,
        #[arg(long)]
        label: Option<String>,
        /// The address of the one device that a passphrase is for
        #[arg(long)]
        mac: Option<String>,
        /// How the device reaches this box, for the link
        #[arg(long, value_name = "NAME")]
        host: Option<String>,
        /// Where to write it
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Make a link that brings one device of a member onto the Wi-Fi; it works once, for a day
    Link {
        member: String,
        #[arg(long)]
        label: Option<String>,
        /// How the device reaches this box
        #[arg(long, value_name = "NAME")]
        host: Option<String>,
    },
    /// Issue a passphrase for what cannot do 802.1X; it is shown once
    Passphrase {
        member: String,
        /// The address of the one device that it is for; any of the member's devices when left out
        #[arg(long)]
        mac: Option<String>,
        #[arg(long)]
        label: Option<String>,
    },
    /// Let a device in by its address alone
    Register {
        member: String,
        mac: String,
        #[arg(long)]
        label: Option<String>,
    },
    /// Revoke a credential
    Revoke { credential: String },
    /// Devices online now
    Sessions,
    /// Disconnect a device
    Kick { session: String },
    /// Networks, and whether their VLANs are used
    Networks,
    /// Try a network's VLAN with a member's device; it is used once the device works there
    Test {
        network: String,
        /// Whose devices are put on the VLAN: id, e-mail address or name
        #[arg(long, required_unless_present = "confirm")]
        member: Option<String>,
        /// How long; 10 when left out
        #[arg(long)]
        minutes: Option<u16>,
        /// Say that the VLAN works, for an access point that reports neither addresses nor traffic
        #[arg(long, conflicts_with_all = ["member", "minutes"])]
        confirm: bool,
    },
}

#[derive(Debug, Subcommand)]
pub enum AccessPoint {
    /// Access points with their RadSec certificates and connections
    List,
    /// Issue an access point's RadSec certificate, with its key and the box's CA; the key is shown once, and the certificate
    /// before is worth nothing from then on
    Certificate { name: String },
    /// Withdraw an access point's RadSec certificate and close its connections
    Revoke { name: String },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum CertificateFormat {
    /// AES-256 and SHA-256
    Pkcs12,
    /// 3DES and SHA-1, which older devices and Apple's read
    Pkcs12Legacy,
    /// Key, certificate and CA, unprotected
    Pem,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum ProfileFormat {
    Apple,
    Windows,
    EapConfig,
    Onc,
    Qr,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum ProfileMethod {
    Tls,
    Peap,
    Ttls,
}

#[derive(Debug, Subcommand)]
pub enum Badge {
    /// Add a badge by its UID
    Add {
        member: String,
        uid: String,
        #[arg(long)]
        label: Option<String>,
    },
    /// List badges
    List,
    /// Revoke a badge
    Revoke { credential: String },
}

#[derive(Debug, Subcommand)]
pub enum Print {
    /// Print jobs, newest first
    Jobs,
    /// Print a held job
    Release { job: String },
    /// Cancel a job
    Cancel { job: String },
    /// Settle a job that needs checking at so many pages
    Settle { job: String, pages: u32 },
    /// Add print credit, in the site's currency
    Credit {
        member: String,
        /// Such as 5 or 5.50; a negative amount takes credit back
        #[arg(allow_negative_numbers = true)]
        amount: String,
    },
    /// Issue a user name and token for printing
    Token { member: String },
}

#[derive(Debug, Subcommand)]
pub enum Door {
    /// Doors and their devices
    List,
    /// Open a door
    Open {
        door: String,
        /// By this member's rights instead of the operator's
        #[arg(long)]
        member: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub enum Device {
    /// Give a device its credential; it is shown once
    Add {
        name: String,
        #[arg(long)]
        profile: String,
    },
    /// List devices
    List,
    /// Take a device's credential away
    Remove { name: String },
}

#[derive(Debug, Subcommand)]
pub enum Admin {
    /// Forget the administrator's password and show a new claim code
    Reset,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum WhyNoun {
    Wifi,
    Print,
    Door,
}

impl WhyNoun {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Wifi => "wifi",
            Self::Print => "print",
            Self::Door => "door",
        }
    }
}
