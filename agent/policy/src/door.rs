//! Who may open which door now, and which device may connect at all.
//!
//! [`decide`] answers for a badge at a reader, for a member with her phone and for the operator. A plan opens a door by its
//! [`crate::site::DoorGrant`]s; of several plans (the member's own, running passes) and several grants any that allows wins.
//! This file knows no topic and no relay protocol.

use crate::people::{Credential, Grant as PlanGrant, Member, grants, standing};
use crate::reason::Reason;
use crate::schedule::spoken;
use crate::site::{Device, Door};
use crate::snapshot::Snapshot;
use subtle::ConstantTimeEq;
use values::{CredentialId, DeviceName, DoorName, MemberId, Now, PassId, PlanName, ScheduleName, Wall};

/// Who stands in front of the door, as far as the evidence goes.
#[derive(Clone, Copy, Debug)]
pub enum Who<'a> {
    /// A badge held to a reader; the UID in the form of [`crate::people::canonical_uid`].
    Badge { uid: &'a str, reader: &'a DeviceName },
    /// A member who is signed in.
    Member(MemberId),
    /// The administrator or the console.
    Operator,
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct DoorQuestion<'a> {
    pub door: &'a DoorName,
    pub who: Who<'a>,
}

/// A yes, with what it rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    pub door: DoorName,
    /// None for the operator.
    pub member: Option<MemberId>,
    /// The badge, if one was used.
    pub credential: Option<CredentialId>,
    /// The plan that opened it; none for the operator.
    pub plan: Option<PlanName>,
    /// The pass whose plan it is, if not the member's own.
    pub pass: Option<PassId>,
    pub pulse_ms: u32,
}

/// Decides whether the door opens.
///
/// # Errors
/// What the person in front of the door or the operator must be told.
pub fn decide(snapshot: &Snapshot, question: &DoorQuestion<'_>, now: Now) -> Result<Grant, Reason> {
    let door =
        snapshot.site.doors.get(question.door).ok_or_else(|| Reason::NoSuchDoor { door: question.door.to_string() })?;
    match question.who {
        Who::Operator => Ok(Grant {
            door: door.name.clone(),
            member: None,
            credential: None,
            plan: None,
            pass: None,
            pulse_ms: door.relay.pulse_ms,
        }),
        Who::Member(member) => for_member(snapshot, door, member, now),
        Who::Badge { uid, reader } => {
            if !door.readers.contains(reader) {
                return Err(Reason::ReaderWithoutDoor { reader: reader.to_string() });
            }
            let badge = holder(snapshot, uid).ok_or(Reason::UnknownBadge)?;
            if let Some(since) = badge.revoked_at {
                return Err(Reason::CredentialRevoked { since: spoken(&snapshot.site.site, since) });
            }
            let grant = for_member(snapshot, door, badge.member, now)?;
            Ok(Grant { credential: Some(badge.id), ..grant })
        }
    }
}

/// The badge with this UID, revoked ones too: a refusal of a badge that is known is recorded with its member.
#[must_use]
pub fn holder<'a>(snapshot: &'a Snapshot, uid: &str) -> Option<&'a Credential> {
    snapshot.badge(uid)
}

/// The doors that a reader stands at.
///
/// # Errors
/// It stands at none.
pub fn doors_at<'a>(snapshot: &'a Snapshot, reader: &'a DeviceName) -> Result<Vec<&'a Door>, Reason> {
    let doors: Vec<&Door> = snapshot.site.doors_of_reader(reader).collect();
    if doors.is_empty() { Err(Reason::ReaderWithoutDoor { reader: reader.to_string() }) } else { Ok(doors) }
}

/// The device behind a user name and the SHA-256 of a password. An unknown name costs the same comparison as a known one.
///
/// # Errors
/// [`Reason::UnknownDeviceName`] or [`Reason::WrongDevicePassword`]; the device itself is told one and the same thing.
pub fn device<'a>(snapshot: &'a Snapshot, name: &str, password_sha256: &[u8; 32]) -> Result<&'a Device, Reason> {
    let device = snapshot.devices.get(name);
    let expected = device.map_or([0; 32], |device| device.password_sha256);
    let matches: bool = expected.ct_eq(password_sha256).into();
    match device {
        // The name is what a stranger typed: only a name that exists may stand in a sentence.
        None => Err(Reason::UnknownDeviceName),
        Some(device) if matches => Ok(device),
        Some(device) => Err(Reason::WrongDevicePassword { device: device.name.to_string() }),
    }
}

fn for_member(snapshot: &Snapshot, door: &Door, member: MemberId, now: Now) -> Result<Grant, Reason> {
    let member = standing(snapshot, member, now)?;
    let mut refusal = Reason::UnknownPlan { plan: member.plan.to_string() };
    for grant in grants(snapshot, member, now) {
        match by_plan(snapshot, door, &grant, now) {
            Ok(()) => return Ok(opened(door, member, &grant)),
            // The member's own plan speaks first, but "come back at eight" says more than "not this door".
            Err(reason) if matters_more(&reason, &refusal) => refusal = reason,
            Err(_) => {}
        }
    }
    Err(refusal)
}

fn opened(door: &Door, member: &Member, grant: &PlanGrant<'_>) -> Grant {
    Grant {
        door: door.name.clone(),
        member: Some(member.id),
        credential: None,
        plan: Some(grant.plan.name.clone()),
        pass: grant.pass.map(|pass| pass.id),
        pulse_ms: door.relay.pulse_ms,
    }
}

/// Any grant of the plan that names the door and is open now; else the one that opens first.
fn by_plan(snapshot: &Snapshot, door: &Door, grant: &PlanGrant<'_>, now: Now) -> Result<(), Reason> {
    let mut soonest = None;
    for door_grant in grant.plan.doors.iter().filter(|door_grant| door_grant.doors.contains(&door.name)) {
        let Some(hours) = &door_grant.hours else { return Ok(()) };
        let site = &snapshot.site.site;
        let Wall::Trusted(at) = now.wall else {
            // An always-open grant may still follow.
            soonest.get_or_insert((None, Reason::ClockUntrusted));
            continue;
        };
        let schedule = snapshot.site.schedules.get(hours);
        if schedule.is_some_and(|schedule| schedule.is_open(site, at)) {
            return Ok(());
        }
        let opens = schedule.and_then(|schedule| schedule.opens_at(site, at));
        let is_sooner = soonest
            .as_ref()
            .is_none_or(|(earlier, _)| earlier.is_none_or(|earlier| opens.is_some_and(|opens| opens < earlier)));
        if is_sooner {
            soonest = Some((opens, outside(hours, opens.map(|opens| spoken(site, opens)))));
        }
    }
    Err(soonest.map_or_else(
        || Reason::DoorNotInPlan { door: door.name.to_string(), plan: grant.plan.name.to_string() },
        |(_, reason)| reason,
    ))
}

fn outside(hours: &ScheduleName, opens: Option<String>) -> Reason {
    Reason::OutsideHours { schedule: hours.to_string(), opens }
}

fn matters_more(new: &Reason, old: &Reason) -> bool {
    let rank = |reason: &Reason| match reason {
        Reason::UnknownPlan { .. } => 0,
        Reason::DoorNotInPlan { .. } => 1,
        _ => 2,
    };
    rank(new) > rank(old)
}

#[cfg(test)]
mod tests;
