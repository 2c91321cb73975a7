//! The embedded web UI.

/// Serves the files of the UI.
pub fn router() -> axum::Router {
    axum::Router::new()
}
