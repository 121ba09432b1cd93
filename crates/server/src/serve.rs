//! Building and running a server.

use crate::clock::{Clock, SystemClock};
use crate::instance::{Instance, OpenError};
use crate::middleware::shell;
use crate::routes;
use crate::settings::{RegistrationSettings, Settings, TlsSettings};
use crate::state::AppState;
use crate::tasks::Tasks;
use actix_web::dev::{Server, ServerHandle};
use actix_web::middleware::{NormalizePath, from_fn};
use actix_web::web::{self, Data};
use actix_web::{App, HttpResponse, HttpServer};
use propusk_domain::Fault;
use propusk_domain::ephemeral::Ephemeral;
use propusk_domain::records::ChangeKind;
use propusk_storage::{RedisEphemeral, SqlEphemeral};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;

/// Why a server cannot start, or ended.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The installation cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The address is taken.
    #[error("the address {0} is in use: stop what listens there, or set http.listen to another")]
    InUse(SocketAddr),
    /// The address cannot be listened on.
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, std::io::Error),
    /// The certificate or its key cannot be used.
    #[error("TLS cannot be served: {0}")]
    Tls(String),
    /// Whoever registers would have a role that does not exist.
    #[error("registration.role names the role {0:?}, which does not exist; there are: {1}")]
    NoSuchRole(String, String),
    /// Anything else.
    #[error("the server cannot run: {0}")]
    Fault(Fault),
}

impl ServeError {
    /// Whether something outside could not be reached, as opposed to being wrong.
    pub const fn is_unreachable(&self) -> bool {
        matches!(self, Self::Open(error) if error.is_unreachable())
    }
}

/// A server that is listening.
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    /// Where metrics are read, if anywhere.
    pub metrics_address: Option<SocketAddr>,
    server: Server,
    metrics: Option<Server>,
    state: AppState,
    tasks: Tasks,
}

/// Opens the installation and serves until SIGTERM or Ctrl-C; blocks.
pub fn serve(settings: Settings) -> Result<(), ServeError> {
    actix_web::rt::System::new().block_on(async {
        let running = start(settings, Arc::new(SystemClock))?;
        tracing::info!(address = %running.address, issuer = running.state.policy.issuer, "serving");
        actix_web::rt::spawn(end_with_the_writer(running.state.clone(), running.handle()));
        running.wait().await
    })
}

/// How often the database writer is looked after.
const LOOK_AFTER_WRITER: Duration = Duration::from_secs(1);

/// A process whose writer has died can only refuse: it ends, so that whatever supervises it starts another.
async fn end_with_the_writer(state: AppState, handle: ServerHandle) {
    while state.db.writer_is_alive() {
        actix_web::rt::time::sleep(LOOK_AFTER_WRITER).await;
    }
    tracing::error!("the database writer has ended, and with it this process");
    handle.stop(true).await;
}

/// Builds a server and lets it listen; to be called inside an actix system.
pub fn start(settings: Settings, clock: Arc<dyn Clock>) -> Result<Running, ServeError> {
    let listener = listen(settings.http.listen)?;
    let instance = Instance::open_with(settings, clock)?;
    check_registration(&instance)?;
    let ephemeral = open_ephemeral(&instance).map_err(ServeError::Fault)?;
    let state = AppState::new(instance, ephemeral).map_err(ServeError::Fault)?;
    on_own_changes(&state);
    let tasks = Tasks::start(&state).map_err(ServeError::Fault)?;
    let address = listener.local_addr().map_err(|error| ServeError::Fault(Fault::broken(error)))?;
    let server = public_server(&state, listener)?;
    let (metrics, metrics_address) = metrics_server(&state)?;
    Ok(Running { address, metrics_address, server, metrics, state, tasks })
}

impl Running {
    /// How to stop it.
    pub fn handle(&self) -> ServerHandle {
        self.server.handle()
    }

    /// Serves until it is stopped, finishes the requests in flight, writes what was noted.
    pub async fn wait(self) -> Result<(), ServeError> {
        let Self { server, metrics, state, tasks, .. } = self;
        let metrics_handle = metrics.as_ref().map(Server::handle);
        if let Some(metrics) = metrics {
            actix_web::rt::spawn(metrics);
        }
        let result = server.await;
        if let Some(handle) = metrics_handle {
            handle.stop(false).await;
        }
        web::block(move || {
            tasks.stop();
            state.db.shutdown();
        })
        .await
        .map_err(|error| ServeError::Fault(Fault::broken(error)))?;
        result.map_err(|error| ServeError::Fault(Fault::broken(error)))
    }
}

/// What this process commits is dropped from its caches before the answer leaves.
fn on_own_changes(state: &AppState) {
    // The caches alone: a listener that held the state would keep database and state alive for each other.
    let (caches, poke) = (Arc::clone(&state.caches), Arc::clone(&state.poke));
    state.db.on_commit(Arc::new(move |changes| {
        caches.drop_changed(changes);
        if changes.iter().any(|change| change.kind == ChangeKind::Outbox) {
            poke.poke();
        }
    }));
}

/// A role that nobody can be given is told at the start, and not to the first stranger who registers.
fn check_registration(instance: &Instance) -> Result<(), ServeError> {
    let RegistrationSettings { enabled, role } = &instance.settings.registration;
    if !enabled {
        return Ok(());
    }
    let roles = instance.read(|cx| Ok(cx.store.list_roles()?)).map_err(|error| ServeError::Fault(error.into_fault()))?;
    if roles.contains(role) { Ok(()) } else { Err(ServeError::NoSuchRole(role.clone(), roles.join(", "))) }
}

fn listen(address: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => ServeError::InUse(address),
        _ => ServeError::Listen(address, error),
    })
}

/// An accelerator that is down does not keep the server from starting; `/readyz` tells.
fn open_ephemeral(instance: &Instance) -> Result<Arc<dyn Ephemeral>, Fault> {
    let redis = &instance.settings.redis;
    match &redis.url {
        Some(url) => Ok(Arc::new(RedisEphemeral::new(url.expose(), &redis.prefix, redis.timeout_ms)?)),
        None => Ok(Arc::new(SqlEphemeral::new(instance.db.clone()))),
    }
}

fn public_server(state: &AppState, listener: TcpListener) -> Result<Server, ServeError> {
    let data = Data::new(state.clone());
    let base = state.settings.issuer_path().to_owned();
    let (compat, registers) = (state.settings.compat.clone(), state.settings.registration.enabled);
    let http = &state.settings.http;
    let server = HttpServer::new(move || {
        let (base, compat) = (base.clone(), compat.clone());
        App::new()
            .app_data(data.clone())
            .wrap(from_fn(shell::around))
            .wrap(NormalizePath::trim())
            .configure(move |config| routes::configure(config, &base, &compat, registers))
    })
    .workers(http.worker_count())
    .worker_max_blocking_threads(blocking_threads(state))
    .shutdown_timeout(http.shutdown_timeout.as_secs())
    .client_request_timeout(http.client_timeout)
    .keep_alive(http.keep_alive);
    let bound = match &http.tls {
        Some(tls) => server.listen_rustls_0_23(listener, tls_config(tls)?),
        None => server.listen(listener),
    };
    Ok(bound.map_err(|error| ServeError::Fault(Fault::broken(error)))?.run())
}

/// About as many threads as connections, shared out over the workers: more would only wait for one.
fn blocking_threads(state: &AppState) -> usize {
    let connections = usize::try_from(state.settings.database.pool_size).unwrap_or(16);
    (connections / state.settings.http.worker_count()).max(4)
}

fn metrics_server(state: &AppState) -> Result<(Option<Server>, Option<SocketAddr>), ServeError> {
    let Some(address) = state.settings.metrics.listen else { return Ok((None, None)) };
    let listener = listen(address)?;
    let address = listener.local_addr().map_err(|error| ServeError::Fault(Fault::broken(error)))?;
    let data = Data::new(state.clone());
    let server = HttpServer::new(move || App::new().app_data(data.clone()).route("/metrics", web::get().to(render_metrics)))
        .workers(1)
        .disable_signals()
        .keep_alive(Duration::from_secs(5))
        .listen(listener)
        .map_err(|error| ServeError::Fault(Fault::broken(error)))?
        .run();
    Ok((Some(server), Some(address)))
}

async fn render_metrics(state: Data<AppState>) -> HttpResponse {
    let now = state.now();
    let sizes = state.read(now, |cx| Ok((cx.store.table_sizes()?, cx.store.outbox_depth()?))).await;
    match sizes {
        Ok((sizes, (depth, oldest))) => {
            state.metrics.outbox(depth, oldest.map_or(0, |oldest| now.since(oldest)));
            let waiting = state.hash_waiting.load(std::sync::atomic::Ordering::Acquire);
            state.metrics.hashes("argon2id", state.hasher.hashes_computed());
            for scheme in propusk_crypto::Scheme::ALL {
                state.metrics.hashes(scheme.as_str(), state.hasher.foreign_computed(scheme));
            }
            state.metrics.backups(state.backups.age(state.now()), state.backups.failures());
            state.metrics.traces_dropped(state.traces.dropped());
            let text = state.metrics.render(&sizes, state.refusals.dropped(), waiting);
            HttpResponse::Ok().content_type("application/openmetrics-text; version=1.0.0; charset=utf-8").body(text)
        }
        Err(error) => state.report("metrics", error, now).json(),
    }
}

/// TLS 1.2 and 1.3 with the default suites.
fn tls_config(settings: &TlsSettings) -> Result<rustls::ServerConfig, ServeError> {
    let unusable = |path: &std::path::Path, error: String| ServeError::Tls(format!("{}: {error}", path.display()));
    let chain = CertificateDer::pem_file_iter(&settings.certificate_file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unusable(&settings.certificate_file, error.to_string()))?;
    let key = PrivateKeyDer::from_pem_file(&settings.key_file).map_err(|error| unusable(&settings.key_file, error.to_string()))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|error| unusable(&settings.certificate_file, error.to_string()))
}
