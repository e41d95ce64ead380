// SPDX-License-Identifier: GPL-2.0

//! Cases as the harness sees them: a name, what the header of the script (or
//! the Rust constant) says, and the command a guest runs.
//!
//! The header of a script is its leading comment. These lines in it count:
//!
//! ```text
//! # case: what the case shows
//! # rows: TX1 TX2          requirements it covers
//! # guests: 2              how many guests run it at once; 1 if absent
//! # timeout: 120           seconds until it counts as hung; 60 if absent
//! # expect: failure        the harness's own cases: how the case must end,
//!                          one of failure, timeout, kernel-report
//! # stock: a reason        why it makes sense on stock kernels alone
//! # debug: a reason        why it makes sense on the debug kernel alone
//! # programs: etcd         what it needs that guests do not have by themselves
//! ```

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use crate::cases;

/// How a case must not, or, for the harness's own cases, must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// A command failed.
    Failure,
    /// It did not end in time.
    Timeout,
    /// The kernel complained.
    KernelReport,
    /// The guest did not boot, or died.
    GuestLost,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Ending::Failure => "failure",
            Ending::Timeout => "timeout",
            Ending::KernelReport => "kernel-report",
            Ending::GuestLost => "guest-lost",
        })
    }
}

/// The kind of kernel that a case is only for, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Only {
    /// Kernels as they are distributed.
    Stock(String),
    /// The kernel that checks itself.
    Debug(String),
}

/// One case.
#[derive(Debug, Clone)]
pub struct Case {
    /// The script's file name without its suffix, or the Rust case's name.
    pub name: String,
    /// What it shows.
    pub title: String,
    /// The requirements it covers.
    pub rows: Vec<String>,
    /// How many guests run it at once.
    pub guests: usize,
    /// When it counts as hung.
    pub timeout: Duration,
    /// The ending that is a pass, if not success.
    pub expect: Option<Ending>,
    /// The kernels it is for, if not all.
    pub only: Option<Only>,
    /// Whether it needs an etcd.
    pub etcd: bool,
    /// Whether it judges what the cases before it did to the guests.
    pub judges_others: bool,
    /// What a guest runs, without the variables.
    pub command: Vec<String>,
}

impl Case {
    /// Every case of a checkout, by number of guests and name.
    pub fn all(scripts: &Path) -> io::Result<Vec<Case>> {
        let mut cases: Vec<Case> = cases::ALL.iter().map(Case::from_rust).collect();
        cases.extend(cases::DEBUG.iter().map(|(case, reason)| Case {
            only: Some(Only::Debug((*reason).to_owned())),
            ..Case::from_rust(case)
        }));
        cases.extend(cases::STOCK.iter().map(|(case, reason)| Case {
            only: Some(Only::Stock((*reason).to_owned())),
            ..Case::from_rust(case)
        }));
        for entry in fs::read_dir(scripts)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "sh") {
                let name = path.file_stem().unwrap_or_default().to_string_lossy();
                let case = Case::from_script(&name, &fs::read_to_string(&path)?)
                    .map_err(|what| io::Error::other(format!("{}: {what}", path.display())))?;
                cases.push(case);
            }
        }
        cases.sort_by(|a, b| (a.guests, &a.name).cmp(&(b.guests, &b.name)));
        if let Some(pair) = cases.windows(2).find(|pair| pair[0].name == pair[1].name) {
            return Err(io::Error::other(format!(
                "two cases are named {}",
                pair[0].name
            )));
        }
        Ok(cases)
    }

    fn from_rust(case: &cases::Case) -> Case {
        Case {
            name: case.name.to_owned(),
            title: case.title.to_owned(),
            rows: case.rows.iter().map(|&row| row.to_owned()).collect(),
            guests: case.guests,
            timeout: Duration::from_secs(case.timeout),
            expect: None,
            only: None,
            etcd: false,
            judges_others: false,
            command: ["ovnet-cases", case.name].map(str::to_owned).to_vec(),
        }
    }

    fn from_script(name: &str, text: &str) -> Result<Case, String> {
        let mut case = Case {
            name: name.to_owned(),
            title: String::new(),
            rows: Vec::new(),
            guests: 1,
            timeout: Duration::from_secs(60),
            expect: None,
            only: None,
            etcd: false,
            judges_others: false,
            command: [
                "bash",
                "-c",
                ". /ovnet/lib.sh; . \"$0\"",
                &format!("/ovnet/cases/{name}.sh"),
            ]
            .map(str::to_owned)
            .to_vec(),
        };
        for line in text.lines().map_while(|line| line.strip_prefix('#')) {
            let Some((key, value)) = line.split_once(':') else {
                continue;
            };
            let value = value.trim();
            let number = || {
                value
                    .parse()
                    .map_err(|_| format!("{key}: {value} is no number"))
            };
            match key.trim() {
                "case" => case.title = value.to_owned(),
                "rows" => case.rows = value.split_whitespace().map(str::to_owned).collect(),
                "guests" => case.guests = number()?,
                "timeout" => case.timeout = Duration::from_secs(number()? as u64),
                "expect" => {
                    case.expect = Some(match value {
                        "failure" => Ending::Failure,
                        "timeout" => Ending::Timeout,
                        "kernel-report" => Ending::KernelReport,
                        _ => return Err(format!("no case can be expected to end in {value}")),
                    });
                }
                "stock" => case.only = Some(Only::Stock(value.to_owned())),
                "programs" if value == "etcd" => case.etcd = true,
                "programs" => return Err(format!("guests cannot be given {value}")),
                "debug" => case.only = Some(Only::Debug(value.to_owned())),
                _ => {}
            }
        }
        if case.title.is_empty() {
            return Err("the leading comment has no line '# case: TITLE'".into());
        }
        if !(1..=16).contains(&case.guests) {
            return Err(format!("{} guests are not between 1 and 16", case.guests));
        }
        Ok(case)
    }

    /// The case that comes after all others of that many guests on the debug
    /// kernel: nothing that was allocated is lost.
    pub fn leaks(guests: usize) -> Case {
        Case {
            name: format!("leaks-{guests}"),
            title: "no memory was lost since the boot".to_owned(),
            rows: Vec::new(),
            guests,
            timeout: Duration::from_secs(60),
            expect: None,
            only: None,
            etcd: false,
            judges_others: true,
            command: vec!["/ovnet/guest/leaks".to_owned()],
        }
    }

    /// Why it makes no sense on this kernel, if so; `debug`: it is the one that
    /// checks itself.
    pub fn unfit(&self, debug: bool) -> Option<&str> {
        match &self.only {
            Some(Only::Stock(reason)) if debug => Some(reason),
            Some(Only::Debug(reason)) if !debug => Some(reason),
            _ => None,
        }
    }

    /// Whether a filter names this case: parts of names and requirements,
    /// separated by commas.
    pub fn matches(&self, filter: &str) -> bool {
        filter
            .split(',')
            .any(|word| self.name.contains(word) || self.rows.iter().any(|row| row == word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_says_what_a_case_is() {
        let case = Case::from_script(
            "arp",
            "# SPDX-License-Identifier: GPL-2.0\n# case: a title: with a colon\n\
             # rows: TX1 TX2\n# guests: 3\n# timeout: 90\n# expect: timeout\n\n# rows: TX9\n",
        )
        .unwrap();
        assert_eq!(case.title, "a title: with a colon");
        assert_eq!(case.rows, ["TX1", "TX2"]);
        assert_eq!((case.guests, case.timeout.as_secs()), (3, 90));
        assert_eq!(case.expect, Some(Ending::Timeout));
        assert!(case.matches("TX2") && case.matches("ar") && !case.matches("TX9"));
        assert!(case.matches("TX9,ar") && !case.matches("TX9,move"));
    }

    #[test]
    fn a_case_may_be_for_one_kind_of_kernel_only() {
        let of = |line| Case::from_script("x", &format!("# case: x\n{line}\n")).unwrap();
        let stock = of("# stock: it needs modules");
        assert_eq!(stock.unfit(true), Some("it needs modules"));
        assert_eq!(stock.unfit(false), None);
        let debug = of("# debug: it needs checks");
        assert_eq!(debug.unfit(false), Some("it needs checks"));
        assert_eq!(debug.unfit(true), None);
        assert_eq!(of("").unfit(true), None);
    }

    #[test]
    fn a_header_that_makes_no_sense_is_refused() {
        for text in [
            "# guests: 1\n",
            "# case: x\n# guests: none\n",
            "# case: x\n# guests: 0\n",
            "# case: x\n# expect: luck\n",
        ] {
            assert!(Case::from_script("x", text).is_err(), "{text}");
        }
    }
}
