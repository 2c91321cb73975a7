//! The page behind a link, on the HTTPS listener. It needs no script, so it works in every browser that a device opens a link in;
//! who has the token is whom it is for, so it names nobody.

use crate::api::guard::Peer;
use crate::api::profile::{Wanted, issue_manual, issue_profile};
use crate::api::{App, Problem};
use crate::pki::device::pem_block;
use crate::profile::Format;
use crate::profile::xml::escape;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use policy::Actor;
use std::sync::Arc;

const STYLE: &str = include_str!("join.css");
const HTML: &str = "text/html; charset=utf-8";
/// What a device without a profile of its own is given instead: the key to type.
const MANUAL: &str = "manual";

/// Everything under /join.
pub fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/join/style.css", get(|| async { ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE) }))
        .route("/join/ca.crt", get(authority))
        .route("/join/{token}", get(page))
        .route("/join/{token}/{format}", post(hand_out))
        .with_state(app)
}

/// The CA that devices trust: public, for who sets a device up by hand.
async fn authority(State(app): State<Arc<App>>) -> Response {
    let kind = [
        (header::CONTENT_TYPE, "application/x-x509-ca-cert"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"ca.crt\""),
    ];
    (kind, pem_block("CERTIFICATE", app.pki.authority())).into_response()
}

async fn page(State(app): State<Arc<App>>, peer: Peer, Path(token): Path<String>, headers: HeaderMap) -> Response {
    if let Err(problem) = app.onboarding.look(&token, peer, app.shell.clock.mono()) {
        return refusal(&app, &problem);
    }
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    let mine = format_for(agent);
    let mut body = String::from("<p>This link brings one device onto the Wi-Fi, once. Open it on that device.</p>");
    if let Some(format) = mine {
        body.push_str(&button(&token, format.word(), &format!("Set up this {}", device(format)), "main"));
        body.push_str(&format!("<p>{}</p>", after(format)));
        body.push_str("<h2>Another device</h2>");
    }
    for format in Format::ALL.into_iter().filter(|format| Some(*format) != mine) {
        body.push_str(&button(&token, format.word(), &format!("Set up {}", others(format)), ""));
    }
    body.push_str(&button(&token, MANUAL, "Show a user name and key to type in", ""));
    html(&app, StatusCode::OK, &body)
}

async fn hand_out(State(app): State<Arc<App>>, peer: Peer, Path((token, format)): Path<(String, String)>) -> Response {
    let format = match format.parse::<Format>() {
        Ok(format) => Some(format),
        Err(()) if format == MANUAL => None,
        Err(()) => {
            return refusal(&app, &Problem::new(StatusCode::NOT_FOUND, "no-such-page", "There is no such page."));
        }
    };
    let now = app.shell.clock.mono();
    let link = match app.onboarding.take(&token, peer, now) {
        Ok(link) => link,
        Err(problem) => return refusal(&app, &problem),
    };
    let actor = Actor::Member(link.member);
    let standing = policy::people::standing(&app.shell.registrar.snapshot(), link.member, app.shell.clock.now()).err();
    let answer = match (standing, format) {
        (Some(reason), _) => Err(reason.into()),
        (None, Some(format)) => {
            let wanted = Wanted { format, method: None, ssids: Vec::new(), label: link.label.clone() };
            issue_profile(&app, actor, link.member, wanted).await.map(|file| {
                let name = format!("attachment; filename=\"{}\"", file.file_name);
                let kind = [(header::CONTENT_TYPE, file.media_type.to_owned()), (header::CONTENT_DISPOSITION, name)];
                (kind, file.bytes).into_response()
            })
        }
        (None, None) => issue_manual(&app, actor, link.member, link.label.clone()).await.map(|body| {
            let rows: String = body
                .iter()
                .map(|(name, value)| format!("<dt>{}</dt><dd>{}</dd>", escape(name), escape(value)))
                .collect();
            let body = format!(
                "<p>Write these down now; they are shown this once.</p><dl>{rows}</dl>\
                 <p><a href=\"/join/ca.crt\">The CA certificate</a></p>"
            );
            html(&app, StatusCode::OK, &body)
        }),
    };
    answer.unwrap_or_else(|problem| {
        app.onboarding.put_back(&token, link); // it brought nothing
        refusal(&app, &problem)
    })
}

fn refusal(app: &App, problem: &Problem) -> Response {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    html(app, status, &format!("<p class=refusal>{}</p>", escape(&problem.detail)))
}

/// A page; `body` is HTML.
fn html(app: &App, status: StatusCode, body: &str) -> Response {
    let site = escape(&app.shell.registrar.snapshot().site.site.name);
    let page = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <meta name=robots content=noindex><title>Wi-Fi of {site}</title><link rel=stylesheet href=\"/join/style.css\">\
         <main><h1>Wi-Fi of {site}</h1>{body}</main></html>\n"
    );
    (status, [(header::CONTENT_TYPE, HTML)], page).into_response()
}

/// The token was looked up, so it holds typeable letters only.
fn button(token: &str, what: &str, words: &str, class: &str) -> String {
    format!("<form method=post action=\"/join/{token}/{what}\"><button class=\"{class}\">{words}</button></form>")
}

/// What a device calls itself (RFC 9110, 10.1.5). An iPad says Macintosh, which is just as well.
fn format_for(agent: &str) -> Option<Format> {
    const WORDS: [(&str, Format); 7] = [
        ("iPhone", Format::Apple),
        ("iPad", Format::Apple),
        ("Macintosh", Format::Apple),
        ("CrOS", Format::Onc),
        ("Android", Format::EapConfig),
        ("Windows Phone", Format::EapConfig),
        ("Windows NT", Format::Windows),
    ];
    WORDS.into_iter().find(|(word, _)| agent.contains(word)).map(|(_, format)| format)
}

const fn device(format: Format) -> &'static str {
    match format {
        Format::Apple => "Apple device",
        Format::Windows => "Windows computer",
        Format::EapConfig => "Android device",
        Format::Onc => "Chromebook",
    }
}

const fn others(format: Format) -> &'static str {
    match format {
        Format::Apple => "an iPhone, iPad or Mac",
        Format::Windows => "a Windows computer",
        Format::EapConfig => "an Android device (with the geteduroam app)",
        Format::Onc => "a Chromebook",
    }
}

/// What to do with the file.
const fn after(format: Format) -> &'static str {
    match format {
        Format::Apple => "Then open Settings, tap the profile that was downloaded, and install it.",
        Format::Windows => {
            "Then open the file that was downloaded and say yes when Windows asks about the certificate."
        }
        Format::EapConfig => "Then open the file that was downloaded with the geteduroam app.",
        Format::Onc => "Then open chrome://network#general and import the file that was downloaded.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_device_is_offered_its_own_first() {
        for (agent, format) in [
            ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) Safari/604.1", Some(Format::Apple)),
            ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Safari/605.1.15", Some(Format::Apple)),
            ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/131", Some(Format::Windows)),
            ("Mozilla/5.0 (Linux; Android 15; Pixel 9) Chrome/131 Mobile", Some(Format::EapConfig)),
            ("Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) Chrome/131", Some(Format::Onc)),
            ("Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Firefox/133.0", None),
            ("", None),
        ] {
            assert_eq!(format_for(agent), format, "{agent}");
        }
    }
}
