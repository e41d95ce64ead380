// SPDX-License-Identifier: GPL-2.0

//! The one place that writes results: tables for people, JSON for programs.

use std::io::{self, Write};
use std::time::Duration;

use ovnet_uapi::Error;
use serde_json::{Map, Value};
use tabled::builder::Builder;
use tabled::settings::{Padding, Style};

use crate::complain;
use crate::failure::Failure;

/// A JSON object whose keys are words of the netlink specification, or of the manager's API, in their order.
pub(crate) type Object = Map<String, Value>;

/// Lines of a table that are laid out together. A table of a million mappings is not held in
/// memory as a whole; its columns may shift from page to page.
const PAGE: usize = 10_000;

/// A cell without a value.
pub(crate) const NONE: &str = "-";

/// Something that is a line of a table and an object of a JSON array.
pub(crate) trait Row {
    /// The heads of the columns.
    const COLUMNS: &'static [&'static str];

    /// One cell per column.
    fn cells(&self) -> Vec<String>;

    /// The object.
    fn object(&self) -> Object;
}

/// Where results go, and in which form.
pub(crate) struct Output<'w> {
    writer: &'w mut dyn Write,
    json: bool,
    pretty: bool,
}

impl<'w> Output<'w> {
    pub(crate) fn new(writer: &'w mut dyn Write, json: bool, pretty: bool) -> Output<'w> {
        Output {
            writer,
            json,
            pretty,
        }
    }

    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Write a list as its rows come.
    ///
    /// A list that changed while it was read is written as it is, with a warning.
    pub(crate) fn list<R: Row>(
        &mut self,
        rows: impl IntoIterator<Item = Result<R, Error>>,
    ) -> Result<(), Failure> {
        self.rows(rows.into_iter().filter_map(|row| match row {
            Err(Error::DumpInterrupted) => {
                complain(&format!("warning: {}", Error::DumpInterrupted));
                None
            }
            row => Some(row.map_err(Failure::from)),
        }))
    }

    /// Write a list that comes from elsewhere than the kernel as its rows come.
    pub(crate) fn rows<R: Row>(
        &mut self,
        rows: impl Iterator<Item = Result<R, Failure>>,
    ) -> Result<(), Failure> {
        if self.json {
            return self.array(rows);
        }
        self.columns(R::COLUMNS, rows.map(|row| row.map(|row| row.cells())))
    }

    fn array<R: Row>(
        &mut self,
        rows: impl Iterator<Item = Result<R, Failure>>,
    ) -> Result<(), Failure> {
        let mut before = "[";
        for row in rows {
            let object = Value::Object(row?.object());
            self.writer.write_all(before.as_bytes())?;
            if self.pretty {
                let object = format!("{object:#}").replace('\n', "\n  ");
                write!(self.writer, "\n  {object}")?;
            } else {
                write!(self.writer, "{object}")?;
            }
            before = ",";
        }
        let after = match (before, self.pretty) {
            ("[", _) => "[]\n",
            (_, true) => "\n]\n",
            (_, false) => "]\n",
        };
        Ok(self.writer.write_all(after.as_bytes())?)
    }

    /// Write one object that is no list.
    pub(crate) fn object(&mut self, object: Object) -> io::Result<()> {
        let object = Value::Object(object);
        match self.pretty {
            true => writeln!(self.writer, "{object:#}"),
            false => writeln!(self.writer, "{object}"),
        }
    }

    /// Write columns under their heads, without trailing blanks.
    pub(crate) fn table(
        &mut self,
        columns: &[&str],
        rows: impl IntoIterator<Item = Result<Vec<String>, Error>>,
    ) -> Result<(), Failure> {
        let rows = rows.into_iter().map(|row| row.map_err(Failure::from));
        self.columns(columns, rows)
    }

    fn columns(
        &mut self,
        columns: &[&str],
        mut rows: impl Iterator<Item = Result<Vec<String>, Failure>>,
    ) -> Result<(), Failure> {
        let mut head = 0;
        loop {
            let page = rows.by_ref().take(PAGE).collect::<Result<Vec<_>, _>>()?;
            let full = page.len() == PAGE;
            let mut builder = Builder::with_capacity(page.len() + 1, columns.len());
            builder.push_record(columns.iter().copied());
            for row in page {
                builder.push_record(row);
            }
            let mut table = builder.build();
            table.with(Style::empty()).with(Padding::new(0, 2, 0, 0));
            for line in table.to_string().lines().skip(head) {
                writeln!(self.writer, "{}", line.trim_end())?;
            }
            if !full {
                return Ok(());
            }
            head = 1;
        }
    }

    /// Write text as it is.
    pub(crate) fn text(&mut self, text: &str) -> io::Result<()> {
        self.writer.write_all(text.as_bytes())
    }

    /// Write one line of text.
    pub(crate) fn line(&mut self, line: &str) -> io::Result<()> {
        writeln!(self.writer, "{line}")
    }

    /// Write one object on a line of its own, however pretty the rest.
    pub(crate) fn json_line(&mut self, object: Object) -> io::Result<()> {
        writeln!(self.writer, "{}", Value::Object(object))
    }

    /// Let the reader see what was written.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// The value as a cell.
pub(crate) fn cell(value: Option<impl ToString>) -> String {
    value.map_or_else(|| NONE.to_owned(), |value| value.to_string())
}

/// The word of an enumeration's value, or its number where the kernel is newer than this program.
pub(crate) fn word(word: Option<&'static str>, number: u32) -> String {
    word.map_or_else(|| number.to_string(), str::to_owned)
}

/// Put a value in, if there is one.
pub(crate) fn put(object: &mut Object, key: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        object.insert(key.to_owned(), value.into());
    }
}

/// Put a value in as text, if there is one.
pub(crate) fn put_text(object: &mut Object, key: &str, value: Option<impl ToString>) {
    put(object, key, value.map(|value| value.to_string()));
}

/// Put a time in, in milliseconds as the specification has it, if there is one.
pub(crate) fn put_ms(object: &mut Object, key: &str, value: Option<Duration>) {
    let ms = value.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    put(object, key, ms);
}

/// The value of an enumeration by its word, or the words there are.
pub(crate) fn one_of<T: Copy>(
    text: &str,
    values: &[T],
    name: fn(T) -> Option<&'static str>,
) -> Result<T, String> {
    let known = values
        .iter()
        .copied()
        .find(|value| name(*value) == Some(text));
    known.ok_or_else(|| {
        let words: Vec<_> = values.iter().filter_map(|value| name(*value)).collect();
        match words.split_last() {
            Some((last, [])) => (*last).to_owned(),
            Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
            None => String::new(),
        }
    })
}

/// What a command writes, for tests.
#[cfg(test)]
pub(crate) mod capture {
    use super::*;

    pub(crate) fn list<R: Row>(rows: Vec<R>, json: bool) -> String {
        text(json, |output| {
            output.list(rows.into_iter().map(Ok)).unwrap()
        })
    }

    pub(crate) fn text(json: bool, write: impl FnOnce(&mut Output<'_>)) -> String {
        let mut bytes = Vec::new();
        write(&mut Output::new(&mut bytes, json, false));
        String::from_utf8(bytes).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Pair(&'static str, Option<u32>);

    impl Row for Pair {
        const COLUMNS: &'static [&'static str] = &["NAME", "NUMBER"];

        fn cells(&self) -> Vec<String> {
            vec![self.0.to_owned(), cell(self.1)]
        }

        fn object(&self) -> Object {
            let mut object = Object::new();
            put(&mut object, "name", Some(self.0));
            put(&mut object, "number", self.1);
            object
        }
    }

    #[test]
    fn a_table_is_aligned_and_has_no_trailing_blanks() {
        let rows = vec![Pair("a", Some(1)), Pair("longer", None)];
        assert_eq!(
            capture::list(rows, false),
            "NAME    NUMBER\na       1\nlonger  -\n"
        );
    }

    #[test]
    fn an_empty_table_has_its_heads_and_an_empty_array_its_brackets() {
        assert_eq!(capture::list::<Pair>(vec![], false), "NAME  NUMBER\n");
        assert_eq!(capture::list::<Pair>(vec![], true), "[]\n");
    }

    #[test]
    fn a_long_table_has_its_heads_once() {
        for length in [PAGE - 1, PAGE, PAGE + 1] {
            let rows = (0..length).map(|_| Pair("a", Some(1))).collect();
            let table = capture::list::<Pair>(rows, false);
            let mut lines = table.lines();
            assert_eq!(lines.next(), Some("NAME  NUMBER"));
            assert_eq!(lines.filter(|line| *line == "a     1").count(), length);
            assert_eq!(table.lines().count(), length + 1);
        }
    }

    #[test]
    fn json_leaves_out_what_has_no_value() {
        let rows = vec![Pair("a", Some(1)), Pair("b", None)];
        assert_eq!(
            capture::list(rows, true),
            "[{\"name\":\"a\",\"number\":1},{\"name\":\"b\"}]\n"
        );
    }

    #[test]
    fn pretty_json_is_still_one_array() {
        let mut bytes = Vec::new();
        let rows = [Ok(Pair("a", None)), Ok(Pair("b", Some(2)))];
        Output::new(&mut bytes, true, true).list(rows).unwrap();
        let value: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(
            value,
            serde_json::json!([{"name": "a"}, {"name": "b", "number": 2}])
        );
        // It looks as if it had been written as a whole.
        assert_eq!(bytes, format!("{value:#}\n").as_bytes());
    }

    #[test]
    fn a_list_that_changed_meanwhile_is_written_and_a_failed_one_is_a_failure() {
        let mut bytes = Vec::new();
        let mut output = Output::new(&mut bytes, true, false);
        let rows = [Ok(Pair("a", None)), Err(Error::DumpInterrupted)];
        assert!(output.list(rows).is_ok());
        let rows = [Ok(Pair("b", None)), Err(Error::Overrun)];
        assert!(output.list(rows).is_err());
        assert!(bytes.starts_with(b"[{\"name\":\"a\"}]\n"));
    }

    #[test]
    fn a_reader_that_left_ends_the_list() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut closed = Closed;
        for json in [false, true] {
            let mut output = Output::new(&mut closed, json, false);
            let failure = output.list([Ok(Pair("a", None))]).unwrap_err();
            assert!(matches!(failure, Failure::Closed));
        }
    }
}
