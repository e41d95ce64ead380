// SPDX-License-Identifier: GPL-2.0

//! What host and guest say to each other over the control port.
//!
//! A frame is a kind (1 byte), the length of its payload (4 bytes, little
//! endian) and the payload. Both ends are built from this file, so a frame
//! that does not parse means a broken channel and ends the conversation.

use std::io::{self, Read, Write};

/// The virtio-serial port that carries the control channel.
pub const PORT_NAME: &str = "ovnet.control";

/// Stands in the kernel log, followed by a number, once the console has
/// everything the kernel said during the program of that number.
pub const END_OF_PROGRAM: &str = "ovnet-test: end of program";

/// Stands in the kernel log as soon as the first process of a guest runs.
pub const FIRST_PROCESS: &str = "ovnet-test: first process";

const LIMIT: usize = 1 << 20;

/// One message, in either direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Guest: booted, waiting for a program.
    Ready,
    /// Host: run this program with these arguments.
    Run(Vec<String>),
    /// Guest: the program wrote to standard output.
    Stdout(Vec<u8>),
    /// Guest: the program wrote to standard error.
    Stderr(Vec<u8>),
    /// Guest: the program waits at this barrier. Host: go on.
    Barrier(String),
    /// Host: kill the program.
    Abort,
    /// Guest: the program ended with this status, 128 + signal if killed.
    Exit(i32),
}

impl Message {
    /// Writes the message as one frame.
    pub fn send(&self, to: &mut impl Write) -> io::Result<()> {
        let (kind, payload) = match self {
            Message::Ready => (b'y', Vec::new()),
            Message::Run(arguments) => (b'r', arguments.join("\0").into_bytes()),
            Message::Stdout(bytes) => (b'o', bytes.clone()),
            Message::Stderr(bytes) => (b'e', bytes.clone()),
            Message::Barrier(name) => (b'b', name.clone().into_bytes()),
            Message::Abort => (b'a', Vec::new()),
            Message::Exit(status) => (b'x', status.to_le_bytes().to_vec()),
        };
        let length = u32::try_from(payload.len()).map_err(io::Error::other)?;
        let mut frame = vec![kind];
        frame.extend_from_slice(&length.to_le_bytes());
        frame.extend_from_slice(&payload);
        to.write_all(&frame)?;
        to.flush()
    }

    /// Reads one frame; `None` at the end of the stream.
    pub fn receive(from: &mut impl Read) -> io::Result<Option<Message>> {
        let mut kind = [0];
        if from.read(&mut kind)? == 0 {
            return Ok(None);
        }
        let mut length = [0; 4];
        from.read_exact(&mut length)?;
        let length = u32::from_le_bytes(length) as usize;
        if length > LIMIT {
            return Err(invalid(format!("a frame of {length} bytes")));
        }
        let mut payload = vec![0; length];
        from.read_exact(&mut payload)?;
        let text = |bytes| String::from_utf8(bytes).map_err(|e| invalid(e.to_string()));
        Ok(Some(match kind[0] {
            b'y' => Message::Ready,
            b'r' => Message::Run(text(payload)?.split('\0').map(str::to_owned).collect()),
            b'o' => Message::Stdout(payload),
            b'e' => Message::Stderr(payload),
            b'b' => Message::Barrier(text(payload)?),
            b'a' => Message::Abort,
            b'x' => Message::Exit(i32::from_le_bytes(
                payload
                    .try_into()
                    .map_err(|_| invalid("an exit status that is not 4 bytes".into()))?,
            )),
            other => return Err(invalid(format!("a frame of unknown kind {other}"))),
        }))
    }
}

fn invalid(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_survives_the_channel() {
        let messages = [
            Message::Ready,
            Message::Run(vec!["bash".into(), "-c".into(), String::new()]),
            Message::Stdout(vec![0, 255, b'\n']),
            Message::Stderr(b"x".to_vec()),
            Message::Barrier("both up".into()),
            Message::Abort,
            Message::Exit(-1),
        ];
        let mut channel = Vec::new();
        for message in &messages {
            message.send(&mut channel).unwrap();
        }
        let mut reader = channel.as_slice();
        for message in &messages {
            assert_eq!(
                Message::receive(&mut reader).unwrap().as_ref(),
                Some(message)
            );
        }
        assert_eq!(Message::receive(&mut reader).unwrap(), None);
    }

    #[test]
    fn a_frame_that_makes_no_sense_is_refused() {
        for frame in [
            b"?\0\0\0\0".as_slice(),
            b"x\x01\0\0\0a",
            b"b\x01\0\0\0\xff",
            b"o\xff\xff\xff\xff",
            b"o\x05\0\0\0abc",
        ] {
            assert!(Message::receive(&mut &*frame).is_err(), "{frame:?}");
        }
    }
}
