//! The people of the matrix: one member for each thing that can be the matter, and the key that her device has.

use crate::cases::Who;
use std::collections::BTreeMap;
use support::daemon::Daemon;

pub struct Key {
    pub username: String,
    pub password: String,
}

pub struct People(BTreeMap<Who, Key>);

impl People {
    pub fn of(daemon: &Daemon) -> Self {
        let all = [
            Who::Member,
            Who::InTeam,
            Who::WithoutRealm,
            Who::WithDomain,
            Who::WrongKey,
            Who::Unknown,
            Who::Suspended,
            Who::Ended,
            Who::OutsideHours,
            Who::Revoked,
            Who::DeviceLimit,
            Who::NoWifiInPlan,
        ];
        Self(all.into_iter().map(|who| (who, key_of(daemon, who))).collect())
    }

    pub fn key(&self, who: Who) -> &Key {
        self.0.get(&who).expect("all of them have one")
    }
}

fn key_of(daemon: &Daemon, who: Who) -> Key {
    let plan = match who {
        Who::OutsideHours => "flex",
        Who::DeviceLimit => "desk",
        Who::NoWifiInPlan => "mailbox",
        _ => "resident",
    };
    let team = (who == Who::InTeam).then_some("studio");
    let member = daemon.add_member(&format!("{who:?}"), plan, team);
    let issued = daemon.cli(&["wifi", "issue", &member]);
    let text = |key: &str| issued[key].as_str().expect("text").to_owned();
    let (username, password) = (text("username"), text("password"));
    let bare = username.split('@').next().unwrap_or_default().to_owned();
    match who {
        Who::WithoutRealm => Key { username: bare, password },
        Who::WithDomain => Key { username: format!("HARBOUR\\{}", bare.to_uppercase()), password },
        Who::WrongKey => Key { username, password: "not her key at all".to_owned() },
        Who::Unknown => Key { username: "nobody@harbour.example".to_owned(), password },
        Who::Suspended => {
            daemon.cli(&["member", "suspend", &member]);
            Key { username, password }
        }
        Who::Ended => {
            daemon.cli(&["member", "end", &member]);
            Key { username, password }
        }
        Who::Revoked => {
            daemon.cli(&["wifi", "revoke", &text("credential_id")]);
            Key { username, password }
        }
        Who::Member | Who::InTeam | Who::OutsideHours | Who::DeviceLimit | Who::NoWifiInPlan => {
            Key { username, password }
        }
    }
}
