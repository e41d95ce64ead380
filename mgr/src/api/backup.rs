// SPDX-License-Identifier: GPL-2.0

//! `GET /v1/backup`: a backup while the store is in use.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::response::Response;
use http::{header, HeaderValue};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::call::{Answer, Call};
use super::problem::Problem;
use super::token::Role;
use crate::store::backup;

/// So much is sent at once.
const CHUNK: usize = 64 << 10;

/// Passes on what is written in chunks; a reader that left ends the writing.
struct Sender {
    chunks: mpsc::Sender<std::io::Result<Bytes>>,
    buffer: Vec<u8>,
}

impl std::io::Write for Sender {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= CHUNK {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        let chunk = Bytes::from(std::mem::take(&mut self.buffer));
        let send = || self.chunks.blocking_send(Ok(chunk));
        tokio::task::block_in_place(send).map_err(|_| std::io::ErrorKind::BrokenPipe.into())
    }
}

pub(super) async fn backup(call: Call) -> Result<Answer, Problem> {
    call.token.need(None, Role::Admin, "backup")?;
    let (chunks, body) = mpsc::channel(4);
    let store = Arc::clone(&call.state.store);
    tokio::spawn(async move {
        let sender = Sender {
            chunks: chunks.clone(),
            buffer: Vec::new(),
        };
        if let Err(error) = backup::write(&*store, sender).await {
            tracing::warn!(%error, "a backup was not finished");
            // The connection is cut, so that nobody takes it for whole.
            let _ = chunks.send(Err(std::io::Error::other(error))).await;
        }
    });
    let mut response = Response::new(Body::from_stream(ReceiverStream::new(body)));
    let bytes = HeaderValue::from_static("application/octet-stream");
    response.headers_mut().insert(header::CONTENT_TYPE, bytes);
    Ok(Answer::Raw(response))
}
