// SPDX-License-Identifier: GPL-2.0

//! What a run says at its end: a KTAP file, a JUnit file and a summary.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::io;
use std::path::Path;

use crate::suite::Outcome;

/// Writes `ktap.txt` and `junit.xml` into a directory.
pub fn write(directory: &Path, outcomes: &[Outcome]) -> io::Result<()> {
    fs::write(directory.join("ktap.txt"), ktap(outcomes))?;
    fs::write(directory.join("junit.xml"), junit(outcomes))
}

/// The summary; its last line reads `N passed, N failed`.
pub fn summary(outcomes: &[Outcome]) -> String {
    let mut covered: BTreeMap<&str, bool> = BTreeMap::new();
    for outcome in outcomes.iter().filter(|o| o.skipped.is_none()) {
        for row in &outcome.case.rows {
            *covered.entry(row).or_insert(true) &= outcome.failure.is_none();
        }
    }
    let rows = |passed: bool| {
        covered
            .iter()
            .filter(|(_, all)| **all == passed)
            .map(|(row, _)| *row)
            .collect::<Vec<_>>()
            .join(" ")
    };
    let failed: Vec<&Outcome> = outcomes.iter().filter(|o| o.failure.is_some()).collect();
    let mut text = String::new();
    for outcome in outcomes {
        if let Some(reason) = &outcome.skipped {
            text += &format!("skipped: {}: {reason}\n", outcome.case.name);
        }
    }
    for outcome in &failed {
        text += &format!("failed: {}\n", outcome.case.name);
    }
    for (what, rows) in [("covered", rows(true)), ("not covered", rows(false))] {
        if !rows.is_empty() {
            text += &format!("{what}: {rows}\n");
        }
    }
    text + &format!(
        "{} passed, {} failed",
        outcomes.iter().filter(|outcome| outcome.passed()).count(),
        failed.len()
    )
}

fn ktap(outcomes: &[Outcome]) -> String {
    let mut text = format!("KTAP version 1\n1..{}\n", outcomes.len());
    for (index, outcome) in outcomes.iter().enumerate() {
        let word = if outcome.failure.is_none() {
            "ok"
        } else {
            "not ok"
        };
        for line in outcome.failure.iter().flat_map(|failure| failure.lines()) {
            text += &format!("# {line}\n");
        }
        let skip = match &outcome.skipped {
            Some(reason) => format!(" # SKIP {reason}"),
            None => String::new(),
        };
        text += &format!("{word} {} {}{skip}\n", index + 1, outcome.case.name);
    }
    text
}

fn junit(outcomes: &[Outcome]) -> String {
    let failures = outcomes.iter().filter(|o| o.failure.is_some()).count();
    let skipped = outcomes.iter().filter(|o| o.skipped.is_some()).count();
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <testsuite name=\"ovnet-kernel\" tests=\"{}\" failures=\"{failures}\" \
         skipped=\"{skipped}\">\n",
        outcomes.len()
    );
    for outcome in outcomes {
        text += &format!(
            "  <testcase classname=\"kernel\" name=\"{}\" time=\"{:.1}\">",
            escape(&outcome.case.name),
            outcome.elapsed.as_secs_f64()
        );
        if let Some(failure) = &outcome.failure {
            let first = failure.lines().next().unwrap_or_default();
            text += &format!(
                "<failure message=\"{}\">{}</failure>",
                escape(first),
                escape(failure)
            );
        }
        if let Some(reason) = &outcome.skipped {
            text += &format!("<skipped message=\"{}\"/>", escape(reason));
        }
        text += "</testcase>\n";
    }
    text + "</testsuite>\n"
}

/// XML has no way to write most control characters, not even escaped.
fn escape(text: &str) -> String {
    text.chars().fold(String::new(), |mut out, character| {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(character),
            character if character.is_control() => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\x{:02x}", u32::from(character));
            }
            character => out.push(character),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::case::Case;

    fn outcome(name: &str, rows: &[&str], failure: Option<&str>) -> Outcome {
        Outcome {
            case: Case {
                name: name.into(),
                title: "a title".into(),
                rows: rows.iter().map(|&row| row.into()).collect(),
                guests: 1,
                timeout: Duration::from_secs(1),
                expect: None,
                only: None,
                etcd: false,
                judges_others: false,
                command: Vec::new(),
            },
            elapsed: Duration::from_millis(1500),
            failure: failure.map(str::to_owned),
            skipped: None,
        }
    }

    #[test]
    fn a_row_is_covered_only_if_all_its_cases_pass() {
        let outcomes = [
            outcome("a", &["TX1", "TX2"], None),
            outcome("b", &["TX2"], Some("failure: <x>\u{1b}")),
        ];
        assert_eq!(
            summary(&outcomes),
            "failed: b\ncovered: TX1\nnot covered: TX2\n1 passed, 1 failed"
        );
        assert_eq!(
            ktap(&outcomes),
            "KTAP version 1\n1..2\nok 1 a\n# failure: <x>\u{1b}\nnot ok 2 b\n"
        );
        assert!(junit(&outcomes).contains("failure: &lt;x&gt;\\x1b</failure>"));
    }

    #[test]
    fn a_skipped_case_neither_passed_nor_covers_anything() {
        let skipped = outcome("a", &["TX1"], None).case;
        let outcomes = [
            Outcome::skipped(&skipped, "needs <y>"),
            outcome("b", &["TX2"], None),
        ];
        assert_eq!(
            summary(&outcomes),
            "skipped: a: needs <y>\ncovered: TX2\n1 passed, 0 failed"
        );
        assert_eq!(
            ktap(&outcomes),
            "KTAP version 1\n1..2\nok 1 a # SKIP needs <y>\nok 2 b\n"
        );
        assert!(junit(&outcomes).contains("<skipped message=\"needs &lt;y&gt;\"/>"));
    }
}
