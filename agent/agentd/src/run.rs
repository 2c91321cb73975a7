//! `doorpost run`: puts the parts together, in the order in which they depend on each other, and takes them apart again.

use crate::api::{App, admin};
use crate::net::{mqtt, radius};
use crate::pki::Pki;
use crate::recorder::Recorder;
use crate::registrar::Registrar;
use crate::shell::Shell;
use crate::site_file::{ClockTrust, ListenAddresses, SiteFile};
use crate::{cli, http, passphrases, probe, retention, site_file};
use policy::{Actor, Command, Snapshot};
use proto::eap::{EapSettings, MethodKind, TlsConfigs};
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use store::{SealingKey, Store};
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::watch;
use values::Timestamp;

/// Set by build.rs: the day of the build in milliseconds, the earliest time that this binary can run at.
const BUILT_AT: &str = env!("DOORPOST_BUILT_AT");
/// RFC 3579 2.2 speaks of the access point's MTU; 1,400 leaves room for what tunnels add.
const FRAGMENT_MAX_BYTES: usize = 1_400;
/// What is under way may finish within this when the daemon stops.
const STOP_MAX: Duration = Duration::from_secs(5);

/// Why the daemon did not start, or ended.
#[derive(Debug)]
pub enum RunError {
    /// Exit 78: the operator's file or data folder must be mended.
    Configuration(String),
    /// Exit 1.
    Failed(String),
}

fn failed(what: &str) -> impl FnOnce(std::io::Error) -> RunError + '_ {
    move |error| RunError::Failed(format!("{what}: {error}"))
}

/// Runs the daemon until SIGTERM or SIGINT.
///
/// # Errors
/// See [`RunError`].
pub async fn run(site: &Path, data: &Path) -> Result<(), RunError> {
    let SiteFile { model, listen, clock } =
        site_file::read(site).map_err(|faults| RunError::Configuration(faults.to_string()))?;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(data).map_err(failed("the data folder cannot be made"))?;
    let trust = match clock {
        ClockTrust::Synced => host::clock::Trust::Kernel,
        ClockTrust::Always => host::clock::Trust::Always,
    };
    let clock = Arc::new(host::Clock::new(data, Timestamp(BUILT_AT.parse().unwrap_or(0)), trust));
    let (store, loaded) = open_store(data)?;
    let sockets = Sockets::bind(&listen).await?;
    let realm = model.site.realm.clone();
    let pki =
        Pki::open(data, &realm, clock.now().stamp()).map_err(|error| RunError::Configuration(error.to_string()))?;

    let (stop, stopping) = watch::channel(false);
    let recorder = Recorder::new(Arc::clone(&store));
    let model = Arc::new(model);
    let snapshot = Snapshot::load(Arc::clone(&model), loaded);
    let claimed = snapshot.admin.is_some();
    let (registrar, decisions) = Registrar::new(snapshot, Arc::clone(&store), recorder.clone(), Arc::clone(&clock));
    let (lost, mut lost_task) = watch::channel(None);
    let shell = Shell { registrar, recorder, clock, store, data: data.to_owned(), stopping, lost };
    shell.run_vital("the Registrar", decisions);
    note_site_file(&shell, site).await;

    let app = start(&shell, &Arc::new(pki), sockets, claimed).await?;
    tokio::spawn(probe::feed_watchdog(Arc::clone(&app)));
    tokio::spawn(retention::keep(shell.clone()));
    tokio::spawn(retention::watch_room(shell.clone()));
    tokio::spawn(passphrases::prepare(shell.clone()));
    announce(&shell, &app, &listen_file(data)).await;

    let lost = tokio::select! {
        () = wait_for_signal() => None,
        changed = lost_task.wait_for(Option::is_some) => changed.map_or(None, |what| *what),
    };
    host::notify::stopping();
    tracing::info!("stopping");
    let _ = stop.send(true);
    drop(app);
    let store = Arc::clone(&shell.store);
    drop(shell);
    // Every task has a shell until it has answered what it was asked; only then is there nothing more to write down.
    if tokio::time::timeout(STOP_MAX, stop.closed()).await.is_err() {
        tracing::warn!("something was still under way at the end");
    }
    let closed = tokio::task::spawn_blocking(move || store.close());
    let _ = tokio::time::timeout(STOP_MAX, closed).await;
    let _ = fs::remove_file(data.join(http::console::SOCKET));
    let _ = fs::remove_file(listen_file(data));
    match lost {
        None => Ok(()),
        Some(what) => Err(RunError::Failed(format!("{what} ended by itself; see the log"))),
    }
}

fn open_store(data: &Path) -> Result<(Arc<Store>, policy::snapshot::Loaded), RunError> {
    let refuse = |error: store::StoreError| {
        if error.is_configuration() {
            RunError::Configuration(error.to_string())
        } else {
            RunError::Failed(error.to_string())
        }
    };
    let key = SealingKey::open(data).map_err(refuse)?;
    let (store, loaded) = Store::open(data, key).map_err(refuse)?;
    Ok((Arc::new(store), loaded))
}

/// All sockets, bound before anything is served, so that a port that is taken ends the start at once.
struct Sockets {
    radius_auth: UdpSocket,
    radius_acct: UdpSocket,
    radsec: Option<TcpListener>,
    ipp: TcpListener,
    mqtt: TcpListener,
    mqtt_plain: Option<TcpListener>,
    https: TcpListener,
}

impl Sockets {
    async fn bind(listen: &ListenAddresses) -> Result<Self, RunError> {
        let udp = async |what: &str, at: SocketAddr| {
            UdpSocket::bind(at).await.map_err(failed(&format!("{what} cannot listen on {at}")))
        };
        let tcp = async |what: &str, at: SocketAddr| {
            TcpListener::bind(at).await.map_err(failed(&format!("{what} cannot listen on {at}")))
        };
        Ok(Self {
            radius_auth: udp("RADIUS authentication", listen.radius_auth).await?,
            radius_acct: udp("RADIUS accounting", listen.radius_acct).await?,
            radsec: match listen.radsec {
                Some(at) => Some(tcp("RadSec", at).await?),
                None => None,
            },
            ipp: tcp("IPP", listen.ipp).await?,
            mqtt: tcp("MQTT", listen.mqtt).await?,
            mqtt_plain: match listen.mqtt_plain {
                Some(at) => Some(tcp("plain MQTT", at).await?),
                None => None,
            },
            https: tcp("HTTPS", listen.https).await?,
        })
    }

    /// The addresses as they were bound, for people and tests that asked for port 0.
    fn addresses(&self) -> serde_json::Value {
        let text = |address: std::io::Result<SocketAddr>| address.map(|address| address.to_string()).ok();
        serde_json::json!({
            "radius_auth": text(self.radius_auth.local_addr()),
            "radius_acct": text(self.radius_acct.local_addr()),
            "radsec": self.radsec.as_ref().and_then(|listener| text(listener.local_addr())),
            "ipp": text(self.ipp.local_addr()),
            "mqtt": text(self.mqtt.local_addr()),
            "mqtt_plain": self.mqtt_plain.as_ref().and_then(|listener| text(listener.local_addr())),
            "https": text(self.https.local_addr()),
        })
    }
}

/// DATA/listening.json: where the daemon listens while it runs.
fn listen_file(data: &Path) -> PathBuf {
    data.join("listening.json")
}

/// The TLS inside EAP: the server certificate that members' devices trust, and the CA of their own certificates.
fn eap_tls(pki: &Pki) -> Result<TlsConfigs, Box<dyn std::error::Error>> {
    let time = Arc::new(rustls::time_provider::DefaultTimeProvider);
    Ok(TlsConfigs::new(pki.served(), pki.device_cas()?, time)?)
}

async fn start(shell: &Shell, pki: &Arc<Pki>, sockets: Sockets, claimed: bool) -> Result<Arc<App>, RunError> {
    let refuse = |error: &dyn std::fmt::Display| RunError::Failed(error.to_string());
    let addresses = sockets.addresses();
    let https = sockets.https.local_addr().map_err(failed("HTTPS"))?;
    let eap = Arc::new(EapSettings {
        tls: eap_tls(pki).map_err(|error| refuse(&error))?,
        methods: MethodKind::ALL.to_vec(), // until the engine has looked into the site file
        fragment_max_bytes: FRAGMENT_MAX_BYTES,
    });
    let tls = pki.device_facing_tls().map_err(|error| refuse(&error))?;
    let mqtt_tls = pki.infrastructure_tls().map_err(|error| refuse(&error))?;
    let radsec = match sockets.radsec {
        Some(listener) => {
            let tls = pki.radsec_tls(Arc::clone(&shell.clock)).map_err(|error| refuse(&error))?;
            Some(radius::RadSecPort { listener, tls })
        }
        None => None,
    };
    let wifi = radius::spawn(shell.clone(), eap, sockets.radius_auth, sockets.radius_acct, radsec)
        .await
        .map_err(failed("RADIUS"))?;
    let print = http::ipp::spawn(shell.clone(), sockets.ipp, Arc::clone(&tls)).await.map_err(failed("IPP"))?;
    let door = mqtt::spawn(shell.clone(), mqtt_tls, sockets.mqtt, sockets.mqtt_plain).await.map_err(failed("MQTT"))?;
    let claim = admin::Door::open(&shell.data, claimed).map_err(failed("the claim code cannot be written"))?;
    let app = Arc::new(App {
        shell: shell.clone(),
        pki: Arc::clone(pki),
        wifi,
        print,
        door,
        claim,
        onboarding: Default::default(),
        https,
        sessions: Default::default(),
        probe: Default::default(),
    });
    let console = http::console::bind(&shell.data).map_err(failed("the unix socket cannot be made"))?;
    tokio::spawn(http::console::serve(shell.clone(), console, Arc::clone(&app)));
    tokio::spawn(http::web::serve(shell.clone(), sockets.https, tls, Arc::clone(&app)));
    tokio::spawn(Arc::clone(pki).keep_current(shell.clone()));
    fs::write(listen_file(&shell.data), addresses.to_string()).map_err(failed("the data folder cannot be written"))?;
    Ok(app)
}

/// The site file that is in force is a fact of history: it is noted when it differs from the one before.
async fn note_site_file(shell: &Shell, file: &Path) {
    let Ok(text) = fs::read_to_string(file) else { return };
    let store = Arc::clone(&shell.store);
    let history = tokio::task::spawn_blocking(move || store.site_history(1)).await;
    let newest = history.ok().and_then(Result::ok).and_then(|mut rows| rows.pop());
    if newest.as_ref().and_then(|row| row.text.as_deref()) == Some(text.as_str()) {
        return;
    }
    let generation = newest.map_or(1, |row| row.generation + 1);
    let mut model = shell.registrar.snapshot().site.as_ref().clone();
    model.generation = generation;
    if let Err(reason) = shell.registrar.submit(Actor::System, Command::ApplySite { model: Arc::new(model) }).await {
        tracing::warn!(%reason, "the site file was read but could not be noted");
        return;
    }
    let at = shell.clock.now().stamp();
    shell.store.save_site_text(generation, text, at, |result| {
        if let Err(error) = result {
            tracing::warn!(%error, "the text of the site file could not be kept");
        }
    });
}

/// Says on standard output where the box is and how to claim it, and to the service manager that it is up.
async fn announce(shell: &Shell, app: &App, listening: &Path) {
    let addresses: serde_json::Value =
        fs::read(listening).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    let https = addresses["https"].as_str().unwrap_or_default().replace("0.0.0.0", "127.0.0.1");
    let name = shell.registrar.snapshot().site.site.name.clone();
    cli::say(&format!("{name} is up: https://{https}/"));
    if let Some(code) = app.claim.code() {
        cli::say(&format!("Claim it with the code {}", code.expose()));
    }
    tracing::info!(%addresses, "ready");
    host::notify::ready(&format!("{name} is up on https://{https}/"));
}

async fn wait_for_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await; // without signals, only SIGKILL ends the daemon
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
