// SPDX-License-Identifier: GPL-2.0

//! What was measured, as a table and as JSON.

use std::path::Path;
use std::time::Duration;

use serde_json::{json, Map, Value};

/// Figures in the order they were measured.
#[derive(Default)]
pub(crate) struct Report {
    rows: Vec<(String, String)>,
    values: Map<String, Value>,
}

/// A time that so many in a hundred did not exceed.
pub(crate) fn percentile(times: &mut [Duration], hundredths: usize) -> Duration {
    times.sort_unstable();
    let last = times.len().saturating_sub(1);
    times
        .get((times.len() * hundredths / 100).min(last))
        .copied()
        .unwrap_or_default()
}

fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e5).round() / 100.0
}

impl Report {
    /// A figure that is a number.
    pub(crate) fn number(&mut self, key: &str, what: &str, value: f64, unit: &str) {
        let shown = match value {
            large if large >= 100.0 => thousands(large),
            small => format!("{small:.2}"),
        };
        self.rows.push((what.into(), format!("{shown}{unit}")));
        let rounded = (value * 100.0).round() / 100.0;
        self.values.insert(key.into(), json!(rounded));
    }

    /// Figures that are the times of many of a kind.
    pub(crate) fn times(&mut self, key: &str, what: &str, times: &mut [Duration]) {
        let (p50, p99) = (millis(percentile(times, 50)), millis(percentile(times, 99)));
        let most = millis(times.last().copied().unwrap_or_default());
        self.rows.push((
            what.into(),
            format!(
                "p50 {p50} ms, p99 {p99} ms, max {most} ms (n = {})",
                times.len()
            ),
        ));
        let value = json!({"p50_ms": p50, "p99_ms": p99, "max_ms": most, "count": times.len()});
        self.values.insert(key.into(), value);
    }

    /// What a load came to over time.
    pub(crate) fn samples(&mut self, key: &str, what: &str, samples: &[Sample]) {
        for (column, of) in [
            ("manager's queue", (|it| it.queue) as fn(&Sample) -> u64),
            ("misses that wait", |it| it.pending),
            ("keys put off", |it| it.busy),
        ] {
            let most = samples.iter().map(of).max().unwrap_or(0);
            let marks = "▁▂▃▄▅▆▇█".chars().collect::<Vec<_>>();
            let mark = |sample: &Sample| match of(sample) {
                0 => ' ',
                value => marks[(value * 7 / most.max(1)) as usize],
            };
            // At most so many columns, each of which shows the most of its time.
            let width = samples.len().div_ceil(60).max(1);
            let highest = |part: &[Sample]| part.iter().copied().max_by_key(of);
            let curve: String = samples
                .chunks(width)
                .filter_map(highest)
                .map(|sample| mark(&sample))
                .collect();
            self.rows.push((
                format!("{what}: {column}"),
                format!("[{curve}] at most {}", thousands(most as f64)),
            ));
        }
        let value: Vec<_> = samples
            .iter()
            .map(|it| {
                json!({"ms": it.at.as_millis() as u64, "queue": it.queue, "pending": it.pending,
                       "busy": it.busy, "answered": it.answered})
            })
            .collect();
        self.values.insert(key.into(), Value::Array(value));
    }

    /// Says all of it.
    pub(crate) fn show(&self) {
        let width = self.rows.iter().map(|(what, _)| what.chars().count()).max();
        for (what, figure) in &self.rows {
            println!("{what:<width$}  {figure}", width = width.unwrap_or(0));
        }
    }

    /// Writes all of it.
    pub(crate) fn write(&self, path: &Path) -> std::io::Result<()> {
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory)?;
        }
        let text = serde_json::to_string_pretty(&self.values)?;
        std::fs::write(path, text + "\n")
    }
}

/// A moment of a load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) at: Duration,
    /// Messages that wait for the manager.
    pub(crate) queue: u64,
    /// Misses without a mapping, of all hosts.
    pub(crate) pending: u64,
    /// Keys that the manager put off since the sample before.
    pub(crate) busy: u64,
    /// Keys that it answered since the sample before.
    pub(crate) answered: u64,
}

fn thousands(value: f64) -> String {
    let digits = format!("{:.0}", value);
    let mut shown = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}
