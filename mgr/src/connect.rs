// SPDX-License-Identifier: GPL-2.0

//! How the daemon opens connections to others: TCP, with TLS on top where it is asked for.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::ClientConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tonic::transport::{Channel, Endpoint, Uri};

/// Nobody waits longer than this for a connection.
const PATIENCE: Duration = Duration::from_secs(3);

/// A connection of either kind.
pub(crate) trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

/// TLS as the client sees it: how to prove things, and whom to expect.
#[derive(Debug, Clone)]
pub(crate) struct Tls {
    pub(crate) config: Arc<ClientConfig>,
    /// The name that the server's certificate must have.
    pub(crate) server: ServerName<'static>,
}

/// Opens connections for a gRPC channel.
#[derive(Debug, Clone)]
struct Connector {
    tls: Option<Tls>,
}

impl tower_service::Service<Uri> for Connector {
    type Response = TokioIo<Box<dyn Connection>>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, io::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let tls = self.tls.clone();
        Box::pin(async move {
            let opening = open(&uri, tls);
            tokio::time::timeout(PATIENCE, opening)
                .await?
                .map(TokioIo::new)
        })
    }
}

async fn open(uri: &Uri, tls: Option<Tls>) -> io::Result<Box<dyn Connection>> {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let stream = TcpStream::connect((host, uri.port_u16().unwrap_or_default())).await?;
    stream.set_nodelay(true)?;
    Ok(match tls {
        None => Box::new(stream),
        Some(Tls { config, server }) => Box::new(
            tokio_rustls::TlsConnector::from(config)
                .connect(server, stream)
                .await?,
        ),
    })
}

/// A gRPC channel to `HOST:PORT`, connected.
pub(crate) async fn channel(
    address: &str,
    tls: Option<Tls>,
) -> Result<Channel, tonic::transport::Error> {
    // The scheme only names the connection to HTTP; whether there is TLS is the connector's.
    Endpoint::from_shared(format!("http://{address}"))?
        .http2_keep_alive_interval(Duration::from_secs(5))
        .keep_alive_timeout(Duration::from_secs(5))
        .keep_alive_while_idle(true)
        .connect_with_connector(Connector { tls })
        .await
}

/// An error with its causes.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
