// SPDX-License-Identifier: GPL-2.0

//! The requirements of Documentation/requirements.md that the module and its
//! tools meet, each of which a case on a booted kernel has to show. `AU4` is the
//! manager's, whose tests have no kernel.

use crate::case::Case;

const REQUIRED: &[&str] = &[
    "AD1", "AD2", "AD3", "AD4", "AD5", "AU1", "AU2", "AU3", "AU5", "CH1", "CH2", "CH3", "CH4",
    "MV1", "MV2", "MV3", "MV4", "MV5", "MV6", "MV7", "MV8", "OP1", "OP2", "OP3", "OP4", "OP5",
    "RX1", "RX2", "RX3", "RX4", "RX5", "SM2", "SM3", "SM4", "TX1", "TX2", "TX3", "TX4", "TX5",
    "TX6", "TX7", "TX8", "TX9", "TX10", "TX11", "UN1", "UN2",
];

/// The required rows that none of these cases is about.
pub fn uncovered<'a>(cases: impl Iterator<Item = &'a Case> + Clone) -> Vec<&'static str> {
    REQUIRED
        .iter()
        .copied()
        .filter(|required| {
            !cases
                .clone()
                .any(|case| case.rows.iter().any(|row| row == required))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn cases() -> Vec<Case> {
        Case::all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("cases")).unwrap()
    }

    #[test]
    fn every_required_row_has_a_case() {
        let cases = cases();
        assert_eq!(uncovered(cases.iter()), Vec::<&str>::new());
        let others = cases
            .iter()
            .filter(|case| !case.rows.iter().any(|row| row == "AD2"));
        assert_eq!(uncovered(others), ["AD2"]);
    }

    /// What the last column says is true, and a case claims no row but of the documented ones.
    #[test]
    fn the_documents_say_which_cases_show_a_row() {
        let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let read = |file: &str| std::fs::read_to_string(top.join(file)).unwrap();
        let (requirements, conformance) = (
            read("Documentation/requirements.md"),
            read("Documentation/conformance.md"),
        );
        let cases = cases();
        let mut documented = Vec::new();
        for line in requirements.lines().filter_map(|l| l.strip_prefix("| ")) {
            let Some((row, rest)) = line.split_once(" | ") else {
                continue;
            };
            let Some((_, said)) = rest.rsplit_once(" | ") else {
                continue;
            };
            let (paths, said): (Vec<&str>, Vec<&str>) = said
                .split('`')
                .skip(1)
                .step_by(2)
                .partition(|name| name.contains('/'));
            for path in paths {
                assert!(top.join(path).exists(), "{row}: {path}");
            }
            let mut shown: Vec<&str> = cases
                .iter()
                .filter(|case| case.rows.iter().any(|of| of == row))
                .map(|case| case.name.as_str())
                .collect();
            shown.sort_unstable();
            assert_eq!(said, shown, "{row}");
            documented.push(row);
        }
        for required in REQUIRED {
            assert!(documented.contains(required), "{required}");
        }
        for case in &cases {
            for row in &case.rows {
                let known = documented.contains(&row.as_str())
                    || conformance.contains(&format!("\n| {row} |"));
                assert!(known, "{}: {row} is nowhere described", case.name);
            }
        }
    }
}
