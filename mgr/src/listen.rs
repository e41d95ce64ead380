// SPDX-License-Identifier: GPL-2.0

//! How connections of others arrive: TCP, with TLS on top where it is asked for.
//!
//! The handshake of one connection never holds up another.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::server::TlsStream;
use tokio_rustls::TlsAcceptor;

/// A handshake that takes longer is given up.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection that has arrived.
#[derive(Debug)]
pub(crate) enum Incoming {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Incoming {
    /// The certificate that the other side has proven to have.
    pub(crate) fn certificate(&self) -> Option<CertificateDer<'static>> {
        match self {
            Self::Plain(_) => None,
            Self::Tls(stream) => {
                let certificates = stream.get_ref().1.peer_certificates()?;
                certificates.first().map(|first| first.clone().into_owned())
            }
        }
    }
}

/// Listens on an address.
pub(crate) async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
    })
}

/// The connections that arrive, once their handshake is done. Ends when the receiver is dropped.
pub(crate) fn accept(
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    refused: impl Fn(SocketAddr, Option<&std::io::Error>) + Send + Clone + 'static,
) -> mpsc::Receiver<(Incoming, SocketAddr)> {
    let (sender, incoming) = mpsc::channel(16);
    let tls = tls.map(TlsAcceptor::from);
    tokio::spawn(async move {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = sender.closed() => return,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Too many open files, most likely: the next try may find one free.
                    tracing::warn!(%error, "a connection cannot be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let _ = stream.set_nodelay(true);
            let (sender, tls, refused) = (sender.clone(), tls.clone(), refused.clone());
            tokio::spawn(async move {
                let incoming = match tls {
                    None => Incoming::Plain(stream),
                    Some(tls) => match tokio::time::timeout(PATIENCE, tls.accept(stream)).await {
                        Ok(Ok(stream)) => Incoming::Tls(Box::new(stream)),
                        Ok(Err(error)) => {
                            tracing::info!(%peer, %error, "a TLS handshake failed");
                            return refused(peer, Some(&error));
                        }
                        Err(_) => return refused(peer, None),
                    },
                };
                // Nobody takes connections any more when the daemon ends.
                let _ = sender.send((incoming, peer)).await;
            });
        }
    });
    incoming
}

/// Connections for axum.
pub(crate) struct Listener {
    pub(crate) incoming: mpsc::Receiver<(Incoming, SocketAddr)>,
    pub(crate) address: SocketAddr,
}

impl axum::serve::Listener for Listener {
    type Io = Incoming;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Incoming, SocketAddr) {
        match self.incoming.recv().await {
            Some(accepted) => accepted,
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

impl AsyncRead for Incoming {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Incoming {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
