//! Where log lines go: standard error, because standard output belongs to what a command answers.

use std::io::IsTerminal as _;

use tracing::{Level, Metadata};
use tracing_subscriber::filter::{Targets, filter_fn};
use tracing_subscriber::layer::{Layer, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Registry, fmt};

use crate::settings::{LogFormat, LogSettings};

/// Starts logging for the whole process. A second call changes nothing: the first subscriber stays.
pub fn init(settings: &LogSettings) {
    let terminal = std::io::stderr().is_terminal();
    let human = match settings.format {
        LogFormat::Human => true,
        LogFormat::Json => false,
        LogFormat::Auto => terminal,
    };
    let level: Targets = settings.level.parse().unwrap_or_else(|_| Targets::new().with_default(Level::INFO));
    let lines: Box<dyn Layer<Registry> + Send + Sync> = if human {
        fmt::layer().with_writer(std::io::stderr).with_ansi(terminal).boxed()
    } else {
        let layer = fmt::layer().json().flatten_event(true).with_current_span(false).with_span_list(false);
        layer.with_writer(std::io::stderr).boxed()
    };
    // Fails when a subscriber stands already, as in a test process with two servers.
    let _already_started = tracing_subscriber::registry().with(lines).with(level).with(filter_fn(is_ours_or_a_warning)).try_init();
}

/// The crates underneath print whole requests, with their query strings, cookies and tokens, at lower levels than `info`, and at `info`
/// nothing that an operator needs. No setting may turn that on.
fn is_ours_or_a_warning(metadata: &Metadata<'_>) -> bool {
    metadata.target().starts_with("propusk") || *metadata.level() <= Level::WARN
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::{Arc, Mutex, PoisonError};
    use tracing_subscriber::filter::LevelFilter;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_second_start_of_logging_is_harmless() {
        let settings = LogSettings { format: LogFormat::Json, level: "off".to_owned() };
        init(&settings);
        init(&settings);
    }

    #[test]
    fn the_crates_underneath_never_print_requests_whatever_the_level() {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::registry()
            .with(fmt::layer().with_ansi(false).with_writer(move || writer.clone()))
            .with(LevelFilter::TRACE)
            .with(filter_fn(is_ours_or_a_warning));
        tracing::subscriber::with_default(subscriber, || {
            tracing::debug!(target: "actix_http::h1", "GET /oauth/authorize?state=a-secret");
            tracing::warn!(target: "actix_server", "starting");
            tracing::trace!(target: "propusk_server::bridge", "ours");
        });
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert!(!text.contains("a-secret"), "{text}");
        assert!(text.contains("starting") && text.contains("ours"), "{text}");
    }
}
