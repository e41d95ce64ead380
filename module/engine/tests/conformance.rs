// SPDX-License-Identifier: GPL-2.0

//! Documentation/conformance.md is what the tests say: which requirement of the standard form is shown by
//! which test of the engine or case on a booted kernel. `OVNET_WRITE=1 cargo test --test conformance` writes it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

const ROWS: &str = include_str!("conformance/rows.txt");

/// Where tests of rows are, from the root of the project.
const TESTS: [&str; 2] = ["module/engine/tests", "ovctl/src"];

/// Where cases on booted kernels are: scripts, and functions in Rust.
const CASES: [&str; 2] = ["qemu-tests/cases", "qemu-tests/src/cases"];

const DOCUMENT: &str = "Documentation/conformance.md";

const HEAD: &str = "\
<!-- SPDX-License-Identifier: GPL-2.0 -->
<!-- Do not edit: written by module/engine/tests/conformance.rs from the names of tests and the rows of cases. -->

# Conformance of the standard form

What plain translation between IPv4 and IPv6 asks for (RFC 7915, with RFC 7757 and RFC 6052 for addresses,
RFC 6791 for routers, RFC 4884 for what follows a quoted packet), and the test that shows it. The name of a
test starts with the rows that it shows; a row with several tests names them all. What is not the engine's to
show, the order of packets or the layout of buffers, say, is shown by cases on booted kernels, which
`make check-kernel FILTER=ROW` runs.

Levels: *must* and *should* are the standards'; *configurable* has a knob; *local* is left open by the
standards, so that the row says what is done here; *optional* need not be done.
";

struct Row<'a> {
    id: &'a str,
    level: &'a str,
    meaning: &'a str,
    /// What holds it so far, where neither a test nor a case shows it.
    unshown: Option<&'a str>,
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
        let unshown = cells.next();
        Line::Row(Row {
            id,
            level,
            meaning,
            unshown,
        })
    })
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The names of tests by the rows that they start with, each with the file it is in, and those of cases by
/// the rows that they say.
fn tests() -> BTreeMap<String, BTreeSet<String>> {
    let mut found = BTreeMap::new();
    for dir in TESTS {
        collect(&root().join(dir), dir, &mut found);
    }
    for dir in CASES {
        collect_cases(dir, &mut found);
    }
    found
}

/// Cases say their rows in a line `# rows: N05 TX6`, or `rows: &["N05", "TX6"]`; those of this table are a
/// letter and two digits.
fn collect_cases(dir: &str, found: &mut BTreeMap<String, BTreeSet<String>>) {
    for entry in fs::read_dir(root().join(dir)).expect("the cases are there") {
        let path = entry.expect("the cases can be listed").path();
        if path.is_dir() {
            continue;
        }
        let text = fs::read_to_string(&path).expect("the cases can be read");
        let file = path.file_name().expect("a listed path has a name");
        let mut name = path.file_stem().unwrap_or_default().to_string_lossy();
        for line in text.lines().map(str::trim) {
            if let Some(quoted) = line.strip_prefix("name: \"") {
                name = quoted.trim_end_matches("\",").to_owned().into();
            }
            let rows = line.strip_prefix("# rows:").or(line.strip_prefix("rows:"));
            let words = rows.unwrap_or_default();
            let words = words.split(|letter: char| !letter.is_ascii_alphanumeric());
            for row in words.filter_map(|word| row(&word.to_lowercase())) {
                let tests = found.entry(row).or_default();
                tests.insert(format!("case `{name}` in {dir}/{}", file.to_string_lossy()));
            }
        }
    }
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
    let (mut shown, mut unshown) = (0, 0);
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
        let by = match (tests.get(row.id), row.unshown) {
            (Some(tests), _) => {
                shown += 1;
                let tests: Vec<&str> = tests.iter().map(String::as_str).collect();
                tests.join("<br>")
            }
            (None, Some(reason)) => {
                unshown += 1;
                format!("not shown: {reason}")
            }
            (None, None) => panic!("{}: neither a test nor a case shows it", row.id),
        };
        writeln!(
            text,
            "| {} | {} | {} | {by} |",
            row.id, row.level, row.meaning
        )
        .expect("text can be written");
    }
    writeln!(text, "\n{shown} rows are shown, {unshown} are not.").expect("text can be written");
    text
}

#[test]
fn every_row_is_shown_or_says_why_not() {
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
