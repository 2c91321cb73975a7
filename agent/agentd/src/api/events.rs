//! History: by query, and as it happens.

use super::guard::Caller;
use super::{App, AppState, Operator, Problem};
use axum::Json;
use axum::extract::Query;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::{self, Stream, StreamExt};
use policy::{Noun, Outcome, Record, Snapshot};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use store::{Cursor, EventFilter};
use tokio::sync::broadcast::error::RecvError;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use values::CredentialId;

const LIMIT_DEFAULT: u32 = 100;
const LIMIT_MAX: u32 = 1_000;
/// Proxies and phones drop a silent connection after half a minute.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// What a watcher that lost its connection is caught up with.
const RESUME_MAX: u32 = 500;
/// How soon a stream ends after its session: signing out, or the password being reset, must not leave one open.
const SESSION_CHECKED: Duration = Duration::from_secs(2);

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(watch))
}

/// One row of history.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RecordView {
    pub id: String,
    pub at: i64,
    /// `wifi`, `print`, `door`, `people`, `device`, `site` or `admin`.
    pub noun: String,
    /// `allowed`, `refused`, `noted` or `warning`.
    pub outcome: String,
    pub code: String,
    pub sentence: String,
    pub member: Option<String>,
    /// The member's name, looked up when the row is shown.
    pub member_name: Option<String>,
    /// What the device or badge is called, looked up as well; of an unknown device its MAC address.
    pub device: Option<String>,
    pub place: Option<String>,
    pub facts: BTreeMap<String, String>,
    pub personal: BTreeMap<String, String>,
}

/// A row as it is shown.
pub fn record_view(app: &App, record: &Record) -> RecordView {
    let snapshot = app.shell.registrar.snapshot();
    let name = record.member.and_then(|id| snapshot.members.get(&id)).map(|member| member.name.0.clone());
    RecordView {
        id: record.id.to_string(),
        at: record.at.0,
        noun: noun_word(record.noun).to_owned(),
        outcome: outcome_word(record.outcome).to_owned(),
        code: record.code.clone(),
        sentence: sentence(&snapshot, record),
        device: device(&snapshot, record),
        member: record.member.map(|id| id.to_string()),
        member_name: name,
        place: record.place.clone(),
        facts: record.facts.clone(),
        personal: record.personal.iter().map(|(key, value)| (key.clone(), value.0.clone())).collect(),
    }
}

/// The row's sentence, with the names that it was written without.
fn sentence(snapshot: &Snapshot, record: &Record) -> String {
    let ids = record.facts.get("online").map(String::as_str).unwrap_or_default();
    match labels(snapshot, ids.split(' ').filter_map(|id| id.parse().ok())) {
        Some(labels) => format!("{} Online: {labels}.", record.sentence),
        None => record.sentence.clone(),
    }
}

/// What devices are called, in a row: `laptop, phone, tablet`.
pub fn labels(snapshot: &Snapshot, credentials: impl Iterator<Item = CredentialId>) -> Option<String> {
    let mut labels: Vec<&str> =
        credentials.filter_map(|id| snapshot.credentials.get(&id)).map(|found| found.label.0.as_str()).collect();
    labels.sort_unstable();
    (!labels.is_empty()).then(|| labels.join(", "))
}

fn device(snapshot: &Snapshot, record: &Record) -> Option<String> {
    let credential = record.credential.and_then(|id| snapshot.credentials.get(&id));
    let mac = || record.personal.get("mac").map(|mac| mac.0.clone());
    credential.map(|credential| credential.label.0.clone()).or_else(mac)
}

const fn noun_word(noun: Noun) -> &'static str {
    match noun {
        Noun::Wifi => "wifi",
        Noun::Print => "print",
        Noun::Door => "door",
        Noun::People => "people",
        Noun::Device => "device",
        Noun::Site => "site",
        Noun::Admin => "admin",
    }
}

const fn outcome_word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Allowed => "allowed",
        Outcome::Refused => "refused",
        Outcome::Noted => "noted",
        Outcome::Warning => "warning",
    }
}

pub fn noun_of(word: &str) -> Result<Noun, Problem> {
    [Noun::Wifi, Noun::Print, Noun::Door, Noun::People, Noun::Device, Noun::Site, Noun::Admin]
        .into_iter()
        .find(|noun| noun_word(*noun) == word)
        .ok_or_else(|| Problem::invalid("The noun", "wifi, print, door, people, device, site or admin"))
}

#[derive(Deserialize, IntoParams)]
pub struct ListQuery {
    /// Newest rows to return, at most 1,000.
    limit: Option<u32>,
    /// Id, e-mail address or name of a member.
    member: Option<String>,
    noun: Option<String>,
    /// Id of the row before which to go on.
    before: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct Events {
    events: Vec<RecordView>,
}

/// Runs a query off the threads that answer the network.
pub async fn query(app: &Arc<App>, filter: EventFilter) -> Result<Vec<Record>, Problem> {
    let store = Arc::clone(&app.shell.store);
    let rows = tokio::task::spawn_blocking(move || {
        store.flush_events(); // what the asker has just seen happen is in the answer
        store.query_events(&filter)
    })
    .await;
    match rows {
        Ok(Ok(events)) => Ok(events.into_iter().map(|event| event.record).collect()),
        Ok(Err(error)) => Err(error.reason().into()),
        Err(_) => Err(policy::Reason::StorageFailed { what: "the query was stopped".into() }.into()),
    }
}

/// History, newest first.
#[utoipa::path(get, path = "/api/events", params(ListQuery), responses((status = 200, body = Events), (status = 404, body = Problem)))]
async fn list(app: AppState, _operator: Operator, Query(asked): Query<ListQuery>) -> Result<Json<Events>, Problem> {
    let member = asked.member.as_deref().map(|member| super::people::find(&app, member)).transpose()?;
    let noun = asked.noun.as_deref().map(noun_of).transpose()?;
    let before = match &asked.before {
        None => None,
        Some(id) => {
            let id = id.parse().map_err(|_| Problem::invalid("`before`", "the id of an event"))?;
            let store = Arc::clone(&app.shell.store);
            let find = move || {
                store.flush_events(); // it may have come by the stream a moment ago
                store.event(id)
            };
            let found = tokio::task::spawn_blocking(find).await;
            match found {
                Ok(Ok(Some(event))) => Some(Cursor { at: event.record.at, id: event.record.id }),
                _ => return Err(Problem::invalid("`before`", "the id of an event")),
            }
        }
    };
    let limit = asked.limit.unwrap_or(LIMIT_DEFAULT).clamp(1, LIMIT_MAX);
    let records = query(&app.0, EventFilter { member, noun, before, limit, ..EventFilter::default() }).await?;
    Ok(Json(Events { events: records.iter().map(|record| record_view(&app, record)).collect() }))
}

/// History as it happens, as server-sent events named `record`; `Last-Event-ID` resumes.
#[utoipa::path(get, path = "/api/events/stream", responses((status = 200, content_type = "text/event-stream", body = RecordView)))]
async fn watch(
    app: AppState,
    _operator: Operator,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let live = app.shell.recorder.subscribe(); // before the query, so nothing falls between the two
    let missed = match headers.get("last-event-id").and_then(|id| id.to_str().ok()) {
        None => Vec::new(),
        Some(last) => {
            let newest = query(&app.0, EventFilter { limit: RESUME_MAX, ..EventFilter::default() }).await?;
            after(newest, last)
        }
    };
    let app = app.0;
    let over = over(Arc::clone(&app), caller, headers);
    let missed_app = Arc::clone(&app);
    let missed = stream::iter(missed).map(move |record| Ok(event(&missed_app, &record)));
    let live = stream::unfold((live, app), |(mut live, app)| async move {
        match live.recv().await {
            Ok(record) => Some((Ok(event(&app, &record)), (live, app))),
            Err(RecvError::Lagged(count)) => {
                Some((Ok(Event::default().event("lagged").data(count.to_string())), (live, app)))
            }
            Err(RecvError::Closed) => None,
        }
    });
    let stream = missed.chain(live).take_until(Box::pin(over));
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(HEARTBEAT)))
}

/// The rows that follow the one with this id, oldest first, out of the newest ones; all of them when it is not among these.
fn after(mut newest: Vec<Record>, last: &str) -> Vec<Record> {
    let seen = newest.iter().position(|record| record.id.to_string() == last).unwrap_or(newest.len());
    newest.truncate(seen);
    newest.reverse();
    newest
}

/// Returns when the daemon stops or the session that asked is over.
async fn over(app: Arc<App>, caller: Caller, headers: HeaderMap) {
    loop {
        tokio::select! {
            () = app.shell.stopped() => return,
            () = tokio::time::sleep(SESSION_CHECKED) => {}
        }
        if caller == Caller::Admin && !app.sessions.stands(&headers, app.shell.clock.mono()) {
            return;
        }
    }
}

fn event(app: &App, record: &Record) -> Event {
    let data = serde_json::to_string(&record_view(app, record)).expect("a row is plain data");
    Event::default().id(record.id.to_string()).event("record").data(data)
}

#[cfg(test)]
mod tests {
    use super::*;
    use values::{EventId, Timestamp};

    #[test]
    fn a_watcher_is_caught_up_from_its_last_row_or_with_all_there_is() {
        let row = |n: u8| {
            let id = EventId::from_random([n; 16]);
            Record::new(id, Timestamp(n.into()), Noun::Site, Outcome::Noted, "test", "A row.")
        };
        let ids = |rows: Vec<Record>| rows.into_iter().map(|record| record.at.0).collect::<Vec<_>>();
        let newest = vec![row(4), row(3), row(2)];
        assert_eq!(ids(after(newest.clone(), &EventId::from_random([3; 16]).to_string())), [4]);
        assert_eq!(ids(after(newest.clone(), &EventId::from_random([4; 16]).to_string())), Vec::<i64>::new());
        assert_eq!(ids(after(newest, "evt_of_long_ago")), [2, 3, 4]);
    }
}
