// SPDX-License-Identifier: GPL-2.0

//! Logs: structured, on standard error, where the journal takes them from.

use tracing_subscriber::filter::{ParseError, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::Layer;

use crate::config::{Format, Log};

/// What a level, or levels by target, let through.
pub(crate) fn filter(level: &str) -> Result<Targets, ParseError> {
    // "loud" would be the name of a target of which everything is logged.
    let parts = level.split(',').map(str::trim);
    let bare = parts.filter(|part| !part.contains('='));
    for part in bare {
        if part.parse::<tracing::level_filters::LevelFilter>().is_err() {
            return format!("target={part}").parse();
        }
    }
    level.parse()
}

/// Starts logging, once per process. The configuration was checked, so the level can be parsed.
pub fn start(config: &Log) {
    let filter = filter(&config.level).unwrap_or_default();
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let lines = match config.format {
        Format::Text => lines.with_ansi(terminal).boxed(),
        Format::Json => lines.json().boxed(),
    };
    // A test may have started logging before.
    let _ = tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .try_init();
}
