//! Why somebody was refused, and what would happen now.

use super::events::{RecordView, labels, noun_of, query, record_view};
use super::{App, AppState, Operator, Problem};
use axum::Json;
use axum::extract::Query;
use policy::{Noun, Outcome, Reason, Record};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use store::EventFilter;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use values::{CredentialId, MemberId, Timestamp};

/// Rows of the past that explain: the last few tries.
const PAST_MAX: usize = 10;
/// Rows that they are looked for in: a phone that roams all day makes some hundred.
const LOOKED_AT_MAX: u32 = 500;
/// The same among everybody's rows.
const NAMELESS_LOOKED_AT_MAX: u32 = 1_000;
/// Sessions that tell which addresses are the member's.
const SESSIONS_MAX: u32 = 200;
const LET_THROUGH: &str = "A try would be let through now.";

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(why))
}

#[derive(Deserialize, IntoParams)]
pub struct WhyQuery {
    /// Id, e-mail address or name of the member.
    member: String,
    /// `wifi`, `print` or `door`.
    noun: String,
    /// The door, access point or printer.
    name: Option<String>,
    /// Explain what happened up to this moment.
    at: Option<i64>,
}

#[derive(Serialize, ToSchema)]
pub struct Why {
    /// What happened, newest first.
    past: Vec<RecordView>,
    /// What a try would get now.
    now: Verdict,
}

#[derive(Serialize, ToSchema)]
pub struct Verdict {
    allowed: bool,
    code: String,
    sentence: String,
}

/// Explain refusals of the past, and the answer of the present.
#[utoipa::path(get, path = "/api/why", params(WhyQuery), responses((status = 200, body = Why), (status = 404, body = Problem), (status = 422, body = Problem)))]
async fn why(app: AppState, _operator: Operator, Query(asked): Query<WhyQuery>) -> Result<Json<Why>, Problem> {
    let member = super::people::find(&app, &asked.member)?;
    let noun = noun_of(&asked.noun)?;
    check_place(&app, noun, asked.name.as_deref())?;
    let verdict = match noun {
        Noun::Wifi => app
            .wifi
            .would_admit(member)
            .await
            .map(|admission| format!("A try would be let through now, on {}.", admission.place())),
        Noun::Print => app.print.would_print(member).await.map(|()| LET_THROUGH.to_owned()),
        Noun::Door => {
            let doors = &app.shell.registrar.snapshot().site.doors;
            let door = match &asked.name {
                Some(name) => doors
                    .keys()
                    .find(|door| door.as_str() == name)
                    .cloned()
                    .ok_or_else(|| Reason::NoSuchDoor { door: name.clone() })?,
                None => doors
                    .keys()
                    .next()
                    .cloned()
                    .ok_or_else(|| Problem::invalid("The door", "a door of the site file"))?,
            };
            app.door.would_open(member, door).await.map(|()| LET_THROUGH.to_owned())
        }
        Noun::People | Noun::Device | Noun::Site | Noun::Admin => {
            return Err(Problem::invalid("The noun", "wifi, print or door"));
        }
    };
    let mut filter = EventFilter {
        member: Some(member),
        noun: Some(noun),
        place: asked.name.clone(),
        limit: LOOKED_AT_MAX,
        ..EventFilter::default()
    };
    filter.before = asked
        .at
        .map(|at| store::Cursor { at: Timestamp(at.saturating_add(1)), id: values::EventId::from_random([0; 16]) });
    let mut rows = query(&app.0, filter.clone()).await?;
    if noun == Noun::Wifi {
        rows.extend(nameless(&app, member, filter).await?);
        rows.sort_by_key(|row| std::cmp::Reverse(row.at));
    }
    let past = telling(rows);
    let mut now = spoken(verdict);
    if let (Noun::Wifi, "device-limit") = (noun, now.code.as_str())
        && let Some(online) = online(&app, member)
    {
        now.sentence = format!("{} Online: {online}.", now.sentence);
    }
    Ok(Json(Why { past: past.iter().map(|record| record_view(&app, record)).collect(), now }))
}

/// The rows that explain: refusals and warnings, and the newest row, which says whether it has gone well since.
fn telling(rows: Vec<Record>) -> Vec<Record> {
    let tells =
        |(n, record): &(usize, Record)| *n == 0 || matches!(record.outcome, Outcome::Refused | Outcome::Warning);
    rows.into_iter().enumerate().filter(tells).map(|(_, record)| record).take(PAST_MAX).collect()
}

/// Refusals of the member's devices that came before any name: the TLS of a tunnel failed, or it was not trusted. They were written
/// down by the device's address alone, which is the member's if she has logged in from it.
async fn nameless(app: &AppState, member: MemberId, filter: EventFilter) -> Result<Vec<Record>, Problem> {
    let store = Arc::clone(&app.shell.store);
    let known = tokio::task::spawn_blocking(move || store.query_sessions(Some(member), SESSIONS_MAX)).await;
    let stopped = |_| Problem::from(Reason::StorageFailed { what: "the query was stopped".into() });
    let known = known.map_err(stopped)?.map_err(|error| Problem::from(error.reason()))?;
    let presence = app.wifi.presence();
    let live = presence.sessions_of(member).map(|session| &session.row);
    let mut devices: BTreeMap<String, Option<CredentialId>> = BTreeMap::new();
    for row in known.iter().rev().chain(live) {
        // The newest last: an address is called what it logged in with last.
        row.mac.and_then(|mac| devices.insert(mac.to_string(), row.credential));
    }
    if devices.is_empty() {
        return Ok(Vec::new());
    }
    let rows = query(&app.0, EventFilter { member: None, limit: NAMELESS_LOOKED_AT_MAX, ..filter }).await?;
    let hers = |mut row: Record| {
        let mac = row.personal.get("mac").filter(|_| row.member.is_none())?;
        row.credential = *devices.get(&mac.0)?;
        Some(row)
    };
    Ok(rows.into_iter().filter_map(hers).collect())
}

/// A name that the site file does not have would be answered with an empty past, as if all were well.
fn check_place(app: &App, noun: Noun, name: Option<&str>) -> Result<(), Problem> {
    let Some(name) = name else { return Ok(()) };
    let snapshot = app.shell.registrar.snapshot();
    let site = &snapshot.site;
    match noun {
        Noun::Wifi if !site.access_points.keys().any(|known| known.as_str() == name) => {
            let known: Vec<&str> = site.access_points.keys().map(values::AccessPointName::as_str).collect();
            Err(Problem::invalid("The access point", &format!("one of the site file's: {}", known.join(", "))))
        }
        Noun::Print if !site.printers.keys().any(|known| known.as_str() == name) => {
            Err(Reason::UnknownPrinter { printer: name.to_owned() }.into())
        }
        Noun::Door if !site.doors.keys().any(|known| known.as_str() == name) => {
            Err(Reason::NoSuchDoor { door: name.to_owned() }.into())
        }
        Noun::Wifi | Noun::Print | Noun::Door | Noun::People | Noun::Device | Noun::Site | Noun::Admin => Ok(()),
    }
}

/// What the member's devices that are online are called.
fn online(app: &App, member: MemberId) -> Option<String> {
    let presence = app.wifi.presence();
    let placed = presence.sessions_of(member).filter(|session| session.phase.takes_a_place());
    let credentials: BTreeSet<CredentialId> = placed.filter_map(|session| session.row.credential).collect();
    labels(&app.shell.registrar.snapshot(), credentials.into_iter())
}

fn spoken(verdict: Result<String, Reason>) -> Verdict {
    match verdict {
        Ok(sentence) => Verdict { allowed: true, code: "allowed".into(), sentence },
        Err(reason) => Verdict { allowed: false, code: reason.code().into(), sentence: reason.sentence() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use values::EventId;

    #[test]
    fn a_refusal_is_not_buried_under_the_logins_after_it() {
        let row = |n: u16, outcome| {
            Record::new(EventId::from_random([0; 16]), Timestamp(n.into()), Noun::Wifi, outcome, "x", "A row.")
        };
        let mut rows: Vec<Record> = (100..300).rev().map(|n| row(n, Outcome::Allowed)).collect();
        rows.extend((0..30).rev().map(|n| row(n, if n % 2 == 0 { Outcome::Refused } else { Outcome::Noted })));
        let told: Vec<i64> = telling(rows).into_iter().map(|record| record.at.0).collect();
        assert_eq!(told, [299, 28, 26, 24, 22, 20, 18, 16, 14, 12]);
    }
}
