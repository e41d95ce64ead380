// SPDX-License-Identifier: GPL-2.0

//! Times of the command line: `30s`, `1m30s` or plain seconds in, one short word out.

use std::time::Duration;

use ovnet_uapi::generated::{LEASE_MAX, TTL_MAX};

/// How long a mapping may last.
pub(crate) fn ttl(text: &str) -> Result<Duration, String> {
    time(text, Duration::from_millis(TTL_MAX.into()))
}

/// How long a host's lease may last.
pub(crate) fn lease(text: &str) -> Result<Duration, String> {
    time(text, Duration::from_millis(LEASE_MAX.into()))
}

fn time(text: &str, longest: Duration) -> Result<Duration, String> {
    let wrong = || "a time is written as 500ms, 30s, 5m, 2h or, in seconds, 30".to_owned();
    let ttl = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => humantime::parse_duration(text).map_err(|_| wrong())?,
    };
    if ttl > longest {
        return Err(format!("the longest time is {}", short(longest)));
    }
    Ok(ttl)
}

/// A time as `ttl` takes it, no more exact than a reader wants: `980ms`, `29s`, `4m59s`, `2h3m`.
pub(crate) fn short(time: Duration) -> String {
    const UNITS: [(u64, &str); 4] = [(86400, "d"), (3600, "h"), (60, "m"), (1, "s")];
    let seconds = time.as_secs();
    let Some(first) = UNITS.iter().position(|(unit, _)| seconds >= *unit) else {
        return format!("{}ms", time.as_millis());
    };
    let mut rest = seconds;
    let mut text = String::new();
    for (unit, name) in &UNITS[first..UNITS.len().min(first + 2)] {
        if rest >= *unit {
            text.push_str(&format!("{}{name}", rest / unit));
            rest %= unit;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_unit_or_is_in_seconds() {
        for (text, ms) in [
            ("30", 30_000),
            ("30s", 30_000),
            ("1m30s", 90_000),
            ("500ms", 500),
            ("2h", 7_200_000),
            ("0", 0),
            ("7d", 604_800_000),
        ] {
            assert_eq!(ttl(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for (text, says) in [
            ("", "30s"),
            ("soon", "30s"),
            ("-1", "30s"),
            ("1.5", "30s"),
            ("169h", "the longest time is 7d"),
            ("604801", "the longest time is 7d"),
        ] {
            assert!(ttl(text).unwrap_err().contains(says), "{text}");
        }
    }

    #[test]
    fn a_time_is_shown_in_its_two_largest_units() {
        for (ms, text) in [
            (0, "0ms"),
            (980, "980ms"),
            (1000, "1s"),
            (29_999, "29s"),
            (60_000, "1m"),
            (299_000, "4m59s"),
            (7_385_000, "2h3m"),
            (7_205_000, "2h"),
            (604_800_000, "7d"),
            (90_000_000, "1d1h"),
        ] {
            assert_eq!(short(Duration::from_millis(ms)), text);
        }
    }
}
