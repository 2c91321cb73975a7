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
    /// Revoke a credential
    Revoke { credential: String },
    /// Devices online now
    Sessions,
    /// Disconnect a device
    Kick { session: String },
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
