// SPDX-License-Identifier: GPL-2.0

//! The manager's side: who connects, and the streams to the engine.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use ovnet_engine::Locator;
use rustls::pki_types::CertificateDer;
use rustls::server::WebPkiClientVerifier;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt};
use tonic::transport::server::Connected;
use tonic::{Request, Response, Status, Streaming};

use super::generated as wire;
use super::{convert, ALIVE, MAX_MESSAGE};
use crate::api::Refusals;
use crate::daemon::{Error, Parts};
use crate::identity::{self, Ca};
use crate::listen::{self, Incoming};
use crate::metrics::Metrics;
use crate::store::Store;
use crate::system::Handle;
use crate::tls::{self, Rotating};
use wire::southbound_server::{Southbound, SouthboundServer};

/// A certificate that could not be renewed is tried again after this time.
const AGAIN: Duration = Duration::from_secs(60);

impl Connected for Incoming {
    type ConnectInfo = Option<CertificateDer<'static>>;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.certificate()
    }
}

/// What the service needs.
pub(crate) struct Service {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) engine: Handle,
    pub(crate) metrics: Metrics,
    pub(crate) refusals: Refusals,
    pub(crate) ca: Ca,
}

/// Serves agents until the daemon ends.
pub(crate) async fn serve(
    service: Service,
    address: SocketAddr,
    names: Vec<String>,
    stopping: watch::Receiver<bool>,
    parts: &mut Parts,
) -> Result<(), Error> {
    let service = Arc::new(service);
    let rotating = Arc::new(Rotating::default());
    let mut renewal = issue(&service, &names, &rotating)?;
    let mut roots = rustls::RootCertStore::empty();
    for certificate in identity::certificates(&service.ca.certificate)? {
        roots
            .add(certificate)
            .map_err(|error| Error::Identity(error.to_string()))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    // Who has no certificate yet may only ask for one.
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .allow_unauthenticated()
        .build()
        .map_err(|error| Error::Identity(error.to_string()))?;
    let mut config = tls::builder()?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::clone(&rotating) as _);
    config.alpn_protocols = vec![b"h2".to_vec()];
    let listener = listen::bind(address).await?;
    tracing::info!(address = %listener.local_addr()?, "agents can connect");
    let (counted, kept) = (
        service.metrics.southbound_refusals.clone(),
        service.refusals.clone(),
    );
    let refused = move |peer: SocketAddr, error: Option<&std::io::Error>| {
        counted.with_label_values(&["tls"]).inc();
        // One who shows a certificate that is no good, rather than one who looks whether the port is open.
        let error = error.and_then(|error| error.get_ref()?.downcast_ref::<rustls::Error>());
        if let Some(error @ rustls::Error::InvalidCertificate(_)) = error {
            kept.keep(
                "",
                "CONNECT",
                &peer.ip().to_string(),
                401,
                &error.to_string(),
            );
        }
    };
    let incoming = listen::accept(listener, Some(Arc::new(config)), refused);
    let incoming = ReceiverStream::new(incoming).map(|(stream, _)| Ok::<_, std::io::Error>(stream));
    let mut end = stopping.clone();
    let rotated = Arc::clone(&service);
    parts.spawn(async move {
        loop {
            tokio::select! {
                () = tokio::time::sleep(renewal) => {}
                _ = end.wait_for(|stopping| *stopping) => return "the rotation of certificates",
            }
            renewal = issue(&rotated, &names, &rotating).unwrap_or_else(|error| {
                tracing::error!(%error, "the manager's certificate cannot be renewed");
                AGAIN
            });
        }
    });
    let agents = Agents {
        service,
        stopping: stopping.clone(),
    };
    let server = SouthboundServer::new(agents).max_decoding_message_size(MAX_MESSAGE);
    let mut end = stopping;
    parts.spawn(async move {
        let stopped = async move { drop(end.wait_for(|stopping| *stopping).await) };
        let served = tonic::transport::Server::builder()
            .http2_keepalive_interval(Some(ALIVE))
            .http2_keepalive_timeout(Some(ALIVE))
            .add_service(server)
            .serve_with_incoming_shutdown(incoming, stopped)
            .await;
        if let Err(error) = served {
            tracing::error!(%error, "agents cannot be served");
        }
        "the southbound server"
    });
    Ok(())
}

/// Gives the server a new certificate; returns when to do so again.
fn issue(service: &Service, names: &[String], rotating: &Rotating) -> Result<Duration, Error> {
    let mut identity = service.ca.manager(names)?;
    // With the authority's own, so that hosts that know only its digest can check the chain.
    identity.certificate.push_str(&service.ca.certificate);
    let certified = identity::certified(&identity)?;
    let renewal = certified.cert.first().and_then(identity::renew_in);
    rotating.set(certified);
    Ok(renewal.unwrap_or(AGAIN))
}

struct Agents {
    service: Arc<Service>,
    stopping: watch::Receiver<bool>,
}

type Answers = Pin<Box<dyn Stream<Item = Result<wire::ToAgent, Status>> + Send>>;

impl Agents {
    /// The host that a request comes from, and for how long its certificate is good.
    fn host<T>(&self, request: &Request<T>) -> Result<(Locator, Duration), Status> {
        let refuse = |reason: &str, status: Status| {
            self.service
                .refusals
                .keep("", "CONNECT", reason, 401, status.message());
            self.service
                .metrics
                .southbound_refusals
                .with_label_values(&[reason])
                .inc();
            status
        };
        let certificate = request
            .extensions()
            .get::<Option<CertificateDer<'static>>>();
        let Some(Some(certificate)) = certificate else {
            let status = Status::unauthenticated("this needs a host's certificate: enrol first");
            return Err(refuse("no-certificate", status));
        };
        let host = identity::host_of(certificate);
        let left = identity::expires_in(certificate);
        host.zip(left).ok_or_else(|| {
            refuse(
                "not-a-host",
                Status::permission_denied("the certificate is no host's"),
            )
        })
    }
}

fn certificate(
    service: &Service,
    host: Locator,
    request: &[u8],
) -> Result<wire::Certificate, Status> {
    let certificate = service.ca.host(host, request).map_err(|error| {
        Status::invalid_argument(format!("no certificate for this request: {error}"))
    })?;
    Ok(wire::Certificate {
        certificate,
        authority: service.ca.certificate.clone(),
    })
}

#[tonic::async_trait]
impl Southbound for Agents {
    type ConnectStream = Answers;

    async fn connect(
        &self,
        request: Request<Streaming<wire::ToManager>>,
    ) -> Result<Response<Answers>, Status> {
        let (host, left) = self.host(&request)?;
        let service = Arc::clone(&self.service);
        let opened = service.engine.open(host).await;
        let (session, mut messages) =
            opened.ok_or_else(|| Status::unavailable("the manager is ending"))?;
        let mut incoming = request.into_inner();
        let (sender, answers) = mpsc::channel(64);
        let mut stopping = self.stopping.clone();
        tokio::spawn(async move {
            service.metrics.southbound_agents.inc();
            tracing::info!(%host, session = session.0, "an agent has connected");
            let messages_of = &service.metrics.southbound_messages;
            let received = messages_of.with_label_values(&["in"]);
            let sent = messages_of.with_label_values(&["out"]);
            // A stream does not outlive the certificate it was opened with.
            let expiry = tokio::time::sleep(left);
            tokio::pin!(expiry);
            let reason = loop {
                tokio::select! {
                    message = incoming.next() => match message {
                        Some(Ok(message)) => {
                            received.inc();
                            let Some(message) = convert::read_to_manager(message) else {
                                let status = Status::invalid_argument("this is no message");
                                let _ = sender.send(Err(status)).await;
                                break "it said what is no message";
                            };
                            if !service.engine.received(session, message).await {
                                break "the manager is ending";
                            }
                        }
                        Some(Err(_)) => break "the connection broke",
                        None => break "the agent left",
                    },
                    message = messages.recv() => match message {
                        Some(message) => {
                            sent.inc();
                            if sender.send(Ok(convert::to_agent(message))).await.is_err() {
                                break "the agent left";
                            }
                        }
                        None => break "the manager closed it",
                    },
                    () = &mut expiry => {
                        let status = Status::unauthenticated("the certificate has expired");
                        let _ = sender.send(Err(status)).await;
                        break "its certificate has expired";
                    }
                    () = async { drop(stopping.wait_for(|stopping| *stopping).await) } => {
                        break "the manager is ending";
                    }
                }
            };
            service.engine.closed(session).await;
            service.metrics.southbound_agents.dec();
            tracing::info!(%host, session = session.0, reason, "an agent has disconnected");
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(answers))))
    }

    async fn enrol(
        &self,
        request: Request<wire::EnrolRequest>,
    ) -> Result<Response<wire::Certificate>, Status> {
        let wire::EnrolRequest { token, request } = request.into_inner();
        let host = match identity::redeem(&*self.service.store, &token).await {
            Ok(host) => host,
            Err(error @ identity::Error::Token) => {
                self.service
                    .metrics
                    .southbound_refusals
                    .with_label_values(&["token"])
                    .inc();
                let refusals = &self.service.refusals;
                refusals.keep("", "ENROL", "", 403, &error.to_string());
                return Err(Status::permission_denied(error.to_string()));
            }
            Err(error) => return Err(Status::unavailable(error.to_string())),
        };
        let certificate = certificate(&self.service, host, &request)?;
        tracing::info!(%host, "a host has enrolled");
        Ok(Response::new(certificate))
    }

    async fn renew(
        &self,
        request: Request<wire::RenewRequest>,
    ) -> Result<Response<wire::Certificate>, Status> {
        let (host, _) = self.host(&request)?;
        let name = crate::core::record::Name::Host(host);
        let range = crate::store::Range::key(name.bytes());
        let found = self.service.store.range(&range, None, None).await;
        match found {
            Err(error) => return Err(Status::unavailable(error.to_string())),
            Ok(found) if found.entries.is_empty() => {
                let refusals = &self.service.metrics.southbound_refusals;
                refusals.with_label_values(&["unknown-host"]).inc();
                let (who, refusals) = (format!("host {host}"), &self.service.refusals);
                refusals.keep(&who, "CONNECT", "", 403, "it is not provisioned any more");
                return Err(Status::permission_denied(
                    "the host is not provisioned any more",
                ));
            }
            Ok(_) => {}
        }
        let certificate = certificate(&self.service, host, &request.into_inner().request)?;
        tracing::info!(%host, "a host has a new certificate");
        Ok(Response::new(certificate))
    }
}
