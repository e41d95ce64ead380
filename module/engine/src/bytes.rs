// SPDX-License-Identifier: GPL-2.0

//! Reading and writing at places that a buffer may not have, without a path that panics.

/// The `N` bytes at `at`.
#[inline]
pub(crate) fn read<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

/// The big-endian 16-bit word at `at`.
#[inline]
pub(crate) fn word(bytes: &[u8], at: usize) -> Option<u16> {
    read(bytes, at).map(u16::from_be_bytes)
}

/// Writes `value` at `at`, whole or not at all.
#[inline]
pub(crate) fn write<const N: usize>(bytes: &mut [u8], at: usize, value: [u8; N]) -> Option<()> {
    *bytes.get_mut(at..)?.first_chunk_mut()? = value;
    Some(())
}

/// A buffer that is filled from its start.
pub(crate) struct Writer<'a> {
    buf: &'a mut [u8],
    len: usize,
}

impl<'a> Writer<'a> {
    /// A writer of at most `limit` bytes.
    pub(crate) fn new(buf: &'a mut [u8], limit: usize) -> Writer<'a> {
        let limit = limit.min(buf.len());
        let buf = buf.get_mut(..limit).unwrap_or_default();
        Writer { buf, len: 0 }
    }

    /// Bytes written.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Bytes that can still be written.
    pub(crate) const fn room(&self) -> usize {
        self.buf.len().saturating_sub(self.len)
    }

    /// Appends all bytes, or none if they do not fit.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Option<()> {
        let end = self.len.checked_add(bytes.len())?;
        let room = self.buf.get_mut(self.len..end)?;
        if room.len() == bytes.len() {
            room.copy_from_slice(bytes);
        }
        self.len = end;
        Some(())
    }

    /// Appends as many of the bytes as fit.
    pub(crate) fn fill(&mut self, bytes: &[u8]) {
        let count = bytes.len().min(self.room());
        let _ = bytes.get(..count).and_then(|bytes| self.push(bytes));
    }

    /// Appends as many of the bytes as fit before `end`.
    pub(crate) fn fill_to(&mut self, bytes: &[u8], end: usize) {
        let count = bytes.len().min(end.saturating_sub(self.len));
        self.fill(bytes.get(..count).unwrap_or(bytes));
    }

    /// Appends zero bytes until `len` are written; fewer fit if the limit is smaller.
    pub(crate) fn pad_to(&mut self, len: usize) {
        let end = len.min(self.buf.len());
        if let Some(room) = self.buf.get_mut(self.len..end) {
            room.fill(0);
            self.len = end;
        }
    }

    /// What is written, from `at` on.
    pub(crate) fn written_mut(&mut self, at: usize) -> &mut [u8] {
        self.buf.get_mut(at..self.len).unwrap_or_default()
    }
}
