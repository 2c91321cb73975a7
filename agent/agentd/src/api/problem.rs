//! Errors as RFC 9457 problem documents. `code` is the reason's stable code, `detail` its sentence.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use policy::Reason;
use serde::Serialize;
use utoipa::ToSchema;

/// What went wrong, for a person and for a program.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Problem {
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub title: String,
    pub status: u16,
    /// Stable; the same word as in the audit log.
    pub code: String,
    /// One sentence.
    pub detail: String,
}

impl Problem {
    pub fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        Self {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            code: code.to_owned(),
            detail: detail.into(),
        }
    }

    pub fn invalid(what: &str, expected: &str) -> Self {
        Reason::Invalid { what: what.to_owned(), expected: expected.to_owned() }.into()
    }
}

impl From<Reason> for Problem {
    fn from(reason: Reason) -> Self {
        Self::new(status_of(&reason), reason.code(), reason.sentence())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).expect("a problem is plain data");
        (status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response()
    }
}

const fn status_of(reason: &Reason) -> StatusCode {
    match reason {
        Reason::UnknownMember
        | Reason::UnknownJob
        | Reason::UnknownPrinter { .. }
        | Reason::NoSuchDoor { .. }
        | Reason::UnknownDevice { .. }
        | Reason::UnknownAccessPoint { .. }
        | Reason::NoAccessPointCertificate { .. }
        | Reason::UnknownCredential => StatusCode::NOT_FOUND,
        Reason::EmailInvalid
        | Reason::NameInvalid
        | Reason::BadgeInvalid
        | Reason::UnknownPlan { .. }
        | Reason::UnknownNetwork { .. }
        | Reason::NoVlan { .. }
        | Reason::Invalid { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        Reason::NotSignedIn => StatusCode::UNAUTHORIZED,
        Reason::StorageFailed { .. } => StatusCode::INSUFFICIENT_STORAGE,
        _ => StatusCode::CONFLICT,
    }
}
