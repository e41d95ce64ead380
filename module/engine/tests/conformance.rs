// SPDX-License-Identifier: GPL-2.0

//! Documentation/conformance.md is what the tests say: which requirement of the standard form is shown by
//! which test. `OVNET_WRITE=1 cargo test --test conformance` writes it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

const ROWS: &str = include_str!("conformance/rows.txt");

/// Where tests of rows are, from the root of the project.
const TESTS: [&str; 2] = ["module/engine/tests", "ovctl/src"];

const DOCUMENT: &str = "Documentation/conformance.md";

const HEAD: &str = "\
<!-- SPDX-License-Identifier: GPL-2.0 -->
<!-- Do not edit: written by module/engine/tests/conformance.rs from the names of tests. -->

# Conformance of the standard form

What plain translation between IPv4 and IPv6 asks for (RFC 7915, with RFC 7757 and RFC 6052 for addresses,
RFC 6791 for routers, RFC 4884 for what follows a quoted packet), and the test that shows it. The name of a
test starts with the rows that it shows; a row with several tests names them all. A row without a test says
who has to show it instead.

Levels: *must* and *should* are the standards'; *configurable* has a knob; *local* is left open by the
standards, so that the row says what is done here; *optional* need not be done.
";

struct Row<'a> {
    id: &'a str,
    level: &'a str,
    meaning: &'a str,
    /// Why no test of the engine can show it.
    elsewhere: Option<&'a str>,
}

/// A line of the table of rows: a section's title, or a row.
enum Line<'a> {
    Section(&'a str),
    Row(Row<'a>),
}

fn lines() -> impl Iterator<Item = Line<'static>> {
    ROWS.lines().filter(|line| !line.is_empty()).map(|line| {
        if let Some(title) = line.strip_prefix("## ") {
            return Line::Section(title);
        }
        let mut cells = line.split('|');
        let mut cell = || {
            cells
                .next()
                .unwrap_or_else(|| panic!("{line}: a cell is missing"))
        };
        let (id, level, meaning) = (cell(), cell(), cell());
        let elsewhere = cells.next();
        Line::Row(Row {
            id,
            level,
            meaning,
            elsewhere,
        })
    })
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The names of tests by the rows that they start with, each with the file it is in.
fn tests() -> BTreeMap<String, BTreeSet<String>> {
    let mut found = BTreeMap::new();
    for dir in TESTS {
        collect(&root().join(dir), dir, &mut found);
    }
    found
}

fn collect(dir: &Path, name: &str, found: &mut BTreeMap<String, BTreeSet<String>>) {
    for entry in fs::read_dir(dir).expect("the tests are there") {
        let path = entry.expect("the tests can be listed").path();
        let file = path.file_name().expect("a listed path has a name");
        let name = format!("{name}/{}", file.to_string_lossy());
        if path.is_dir() {
            collect(&path, &name, found);
        } else if name.ends_with(".rs") {
            let text = fs::read_to_string(&path).expect("the tests can be read");
            let mut after_test = false;
            for line in text.lines().map(str::trim) {
                if let Some(function) = line.strip_prefix("fn ").filter(|_| after_test) {
                    let function = function.split('(').next().unwrap_or_default();
                    for row in function.split('_').map_while(row) {
                        let tests: &mut BTreeSet<String> = found.entry(row).or_default();
                        tests.insert(format!("`{function}` in {name}"));
                    }
                }
                after_test = line == "#[test]";
            }
        }
    }
}

/// The row that a word of a test's name stands for.
fn row(word: &str) -> Option<String> {
    match word.as_bytes() {
        [b'a'..=b'n', b'0'..=b'9', b'0'..=b'9'] => Some(word.to_uppercase()),
        _ => None,
    }
}

fn document() -> String {
    let tests = tests();
    let mut text = HEAD.to_owned();
    let (mut shown, mut elsewhere) = (0, 0);
    for line in lines() {
        let row = match line {
            Line::Section(title) => {
                write!(
                    text,
                    "\n## {title}\n\n| row | level | what | shown by |\n|---|---|---|---|\n"
                )
                .expect("text can be written");
                continue;
            }
            Line::Row(row) => row,
        };
        let by = match (tests.get(row.id), row.elsewhere) {
            (Some(tests), _) => {
                shown += 1;
                let tests: Vec<&str> = tests.iter().map(String::as_str).collect();
                tests.join("<br>")
            }
            (None, Some(reason)) => {
                elsewhere += 1;
                reason.to_owned()
            }
            (None, None) => panic!("{}: no test and no reason why there is none", row.id),
        };
        writeln!(
            text,
            "| {} | {} | {} | {by} |",
            row.id, row.level, row.meaning
        )
        .expect("text can be written");
    }
    write!(
        text,
        "\n{shown} rows are shown by tests here, {elsewhere} are the module's to show.\n"
    )
    .expect("text can be written");
    text
}

#[test]
fn every_row_is_shown_or_says_where() {
    let path = root().join(DOCUMENT);
    let text = document();
    if std::env::var_os("OVNET_WRITE").is_some() {
        fs::write(&path, &text).expect("the document can be written");
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == text,
        "{DOCUMENT} is not what the tests say: run OVNET_WRITE=1 cargo test --test conformance"
    );
}

#[test]
fn every_test_of_a_row_names_one_that_exists() {
    let rows: BTreeSet<&str> = lines()
        .filter_map(|line| match line {
            Line::Row(row) => Some(row.id),
            Line::Section(_) => None,
        })
        .collect();
    for (row, tests) in tests() {
        assert!(rows.contains(row.as_str()), "{row} of {tests:?} is no row");
    }
}
