//! Why somebody was refused, and what would happen now.

use super::events::{RecordView, noun_of, query, record_view};
use super::{App, AppState, Operator, Problem};
use axum::Json;
use axum::extract::Query;
use policy::{Noun, Reason};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use store::EventFilter;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use values::Timestamp;

/// Rows of the past that explain: the last few tries.
const PAST_MAX: u32 = 10;

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
    let verdict = match noun {
        Noun::Wifi => app.wifi.would_admit(member).await,
        Noun::Print => app.print.would_print(member).await,
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
            app.door.would_open(member, door).await
        }
        Noun::People | Noun::Device | Noun::Site | Noun::Admin => {
            return Err(Problem::invalid("The noun", "wifi, print or door"));
        }
    };
    let mut filter = EventFilter {
        member: Some(member),
        noun: Some(noun),
        place: asked.name.clone(),
        limit: PAST_MAX,
        ..EventFilter::default()
    };
    filter.before = asked
        .at
        .map(|at| store::Cursor { at: Timestamp(at.saturating_add(1)), id: values::EventId::from_random([0; 16]) });
    let past = query(&app.0, filter).await?;
    Ok(Json(Why { past: past.iter().map(|record| record_view(&app, record)).collect(), now: spoken(verdict) }))
}

fn spoken(verdict: Result<(), Reason>) -> Verdict {
    match verdict {
        Ok(()) => Verdict { allowed: true, code: "allowed".into(), sentence: "A try would be let through now.".into() },
        Err(reason) => Verdict { allowed: false, code: reason.code().into(), sentence: reason.sentence() },
    }
}
