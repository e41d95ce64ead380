// SPDX-License-Identifier: GPL-2.0

//! Backups: everything in a store at one revision, as one file.
//!
//! | bytes | what |
//! |---|---|
//! | 8 | `OVNETBK` and the format, 1 |
//! | 4 | schema of the data |
//! | 8 | revision |
//! | 4, 4, k, v | for each key: length of key and value, key, value; in the order of the keys |
//! | 4, 8 | 0xffffffff, the number of keys |
//! | 32 | SHA-256 of all that is before |
//!
//! Numbers are big-endian. Keys that are bound to leases are not in it: whoever held them holds
//! them no more when a backup is restored, and neither are the store's own `meta/` keys.

use std::io::{Read, Write};

use ring::digest::{Context, SHA256};

use super::{schema, Error, Range, Result, Revision, Store, Transaction};

const MAGIC: &[u8; 8] = b"OVNETBK\x01";
const END: u32 = u32::MAX;
/// A key or a value longer than this is in no backup, but in a damaged one.
const MAX_LENGTH: u32 = 64 << 20;
/// etcd takes requests of 1.5 MB unless it is told otherwise.
const BATCH_BYTES: usize = 512 << 10;
const BATCH_KEYS: usize = 1000;
const PAGE: usize = 1000;

/// What a backup holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// The schema of the data.
    pub schema: u32,
    /// The revision it is the state of.
    pub revision: Revision,
    /// The number of keys.
    pub keys: u64,
}

/// Writes all of a store, as it is at one revision.
pub async fn write(store: &dyn Store, out: impl Write) -> Result<Summary> {
    let mut out = Digesting {
        inner: out,
        digest: Context::new(&SHA256),
    };
    let page = store.range(&Range::key(schema::KEY), None, None).await?;
    let schema = schema::of(&page)?.schema;
    let revision = page.revision;
    out.put(MAGIC)?;
    out.put(&schema.to_be_bytes())?;
    out.put(&revision.to_be_bytes())?;
    let mut rest = Range::all();
    let mut keys = 0;
    loop {
        let page = store.range(&rest, Some(revision), Some(PAGE)).await?;
        for entry in &page.entries {
            if schema::is_own(&entry.key) || entry.lease.is_some() {
                continue;
            }
            for bytes in [&entry.key, &entry.value] {
                let length = u32::try_from(bytes.len())
                    .ok()
                    .filter(|length| *length <= MAX_LENGTH);
                let length = length.ok_or_else(|| Error::Damaged("a value is too long".into()))?;
                out.put(&length.to_be_bytes())?;
            }
            out.put(&entry.key)?;
            out.put(&entry.value)?;
            keys += 1;
        }
        match page.entries.last() {
            Some(last) if page.more => rest = rest.after(&last.key),
            _ => break,
        }
    }
    out.put(&END.to_be_bytes())?;
    out.put(&u64::to_be_bytes(keys))?;
    let digest = out.digest.clone().finish();
    out.inner
        .write_all(digest.as_ref())
        .and_then(|()| out.inner.flush())
        .map_err(io)?;
    Ok(Summary {
        schema,
        revision,
        keys,
    })
}

/// Reads a backup to its end and compares the checksum, without keeping anything.
pub fn verify(input: impl Read) -> Result<Summary> {
    let mut reader = Reader::new(input)?;
    while reader.next()?.is_some() {}
    Ok(reader.summary)
}

/// Fills an empty store from a backup that [`verify`] has accepted. The store gets an identity of
/// its own, so that nothing that was read from the old one is taken for its state.
///
/// A restore that breaks off leaves a store that [`schema::prepare`] refuses.
pub async fn restore(store: &dyn Store, input: impl Read) -> Result<Summary> {
    let mut reader = Reader::new(input)?;
    if reader.summary.schema > schema::VERSION {
        return Err(Error::TooNew {
            found: reader.summary.schema,
            known: schema::VERSION,
        });
    }
    schema::begin_restore(store).await?;
    let mut batch = Transaction::new();
    let mut bytes = 0;
    while let Some((key, value)) = reader.next()? {
        bytes += key.len() + value.len();
        batch = batch.put(key, value);
        if bytes >= BATCH_BYTES || batch.writes.len() == BATCH_KEYS {
            store.commit(std::mem::take(&mut batch)).await?;
            bytes = 0;
        }
    }
    store.commit(batch).await?;
    schema::end_restore(store, reader.summary.schema).await?;
    Ok(reader.summary)
}

fn io(source: std::io::Error) -> Error {
    Error::Io {
        path: "backup".into(),
        source,
    }
}

fn damaged(what: &str) -> Error {
    Error::Invalid(format!("this is no whole backup: {what}; use another one"))
}

struct Digesting<T> {
    inner: T,
    digest: Context,
}

impl<W: Write> Digesting<W> {
    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.digest.update(bytes);
        self.inner.write_all(bytes).map_err(io)
    }
}

impl<R: Read> Digesting<R> {
    fn get<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<()> {
        self.inner
            .read_exact(bytes)
            .map_err(|error| match error.kind() {
                std::io::ErrorKind::UnexpectedEof => damaged("it ends too early"),
                _ => io(error),
            })?;
        self.digest.update(bytes);
        Ok(())
    }
}

struct Reader<R> {
    input: Digesting<R>,
    summary: Summary,
    last: Vec<u8>,
}

impl<R: Read> Reader<R> {
    fn new(input: R) -> Result<Self> {
        let mut input = Digesting {
            inner: input,
            digest: Context::new(&SHA256),
        };
        let magic: [u8; 8] = input.get()?;
        if magic[..7] != MAGIC[..7] {
            return Err(damaged("it does not begin like one"));
        }
        if magic[7] != MAGIC[7] {
            let found = u32::from(magic[7]);
            return Err(Error::TooNew {
                found,
                known: MAGIC[7].into(),
            });
        }
        let schema = u32::from_be_bytes(input.get()?);
        let revision = u64::from_be_bytes(input.get()?);
        let summary = Summary {
            schema,
            revision,
            keys: 0,
        };
        Ok(Self {
            input,
            summary,
            last: Vec::new(),
        })
    }

    /// The next key and its value; `None` after the last, when the checksum is right.
    fn next(&mut self) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
        let key = u32::from_be_bytes(self.input.get()?);
        if key == END {
            let keys = u64::from_be_bytes(self.input.get()?);
            let digest = self.input.digest.clone().finish();
            let stored: [u8; 32] = self.input.get()?;
            if keys != self.summary.keys || digest.as_ref() != stored {
                return Err(damaged("the checksum is wrong"));
            }
            let mut after = [0];
            return match self.input.inner.read(&mut after).map_err(io)? {
                0 => Ok(None),
                _ => Err(damaged("there is more behind its end")),
            };
        }
        let value = u32::from_be_bytes(self.input.get()?);
        if key > MAX_LENGTH || value > MAX_LENGTH {
            return Err(damaged("a length is impossible"));
        }
        let mut pair = (vec![0; key as usize], vec![0; value as usize]);
        self.input.fill(&mut pair.0)?;
        self.input.fill(&mut pair.1)?;
        if pair.0 <= self.last {
            return Err(damaged("the keys are not in order"));
        }
        self.last.clone_from(&pair.0);
        self.summary.keys += 1;
        Ok(Some(pair))
    }
}
