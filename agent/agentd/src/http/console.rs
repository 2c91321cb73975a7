//! The unix socket in the data folder: the API for whoever may open it, which its mode (0600) keeps to root and the service's
//! own user.

use super::web::serve_http;
use crate::api::{self, App, guard::Peer};
use crate::listener::next_connection;
use crate::shell::Shell;
use axum::Router;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use tokio::net::UnixListener;

pub const SOCKET: &str = "doorpost.sock";

/// Binds DATA/doorpost.sock; a socket file left by a run that was killed is replaced (the store's lock has already made
/// sure that no other daemon runs on this folder).
pub fn bind(data: &Path) -> io::Result<UnixListener> {
    let path = data.join(SOCKET);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Serves until the daemon stops.
pub async fn serve(shell: Shell, listener: UnixListener, app: Arc<App>) {
    let router: Router = api::router(app).layer(axum::middleware::from_fn(api::guard::console));
    while let Some(stream) = next_connection(&shell, "the unix socket", &listener).await {
        tokio::spawn(serve_http(shell.clone(), stream, router.clone(), Peer::default()));
    }
}
