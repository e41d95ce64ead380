// SPDX-License-Identifier: GPL-2.0

//! The agent's side: its identity in files, and the stream to a manager.
//!
//! A host's identity is the file `identity.json` of its directory: certificate, key, and the
//! authority whose managers it trusts.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::StreamExt;
use tonic::transport::Channel;

use super::generated as wire;
use super::{convert, MAX_MESSAGE};
use crate::connect::{self, Tls};
use crate::core::message::{ToAgent, ToManager};
use crate::identity::{self, Identity};
use crate::secret;
use wire::southbound_client::SouthboundClient;

/// Why an agent has no connection or no identity.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There are no files of an identity.
    #[error("this host has no identity in {}: run `ovmgrd enrol` with a token", .0.display())]
    NotEnrolled(PathBuf),
    /// The token of an enrolment cannot be one.
    #[error("this is no enrolment token: it has two parts with a dot between")]
    Token,
    /// Files.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Certificates.
    #[error("{0}")]
    Identity(String),
    /// The manager cannot be reached, or has another certificate than it must.
    #[error("{address}: {reason}")]
    Connect {
        /// The manager.
        address: String,
        /// Why.
        reason: String,
    },
    /// The manager refuses.
    #[error("the manager refuses: {0}")]
    Refused(String),
}

impl From<identity::Error> for Error {
    fn from(error: identity::Error) -> Self {
        Self::Identity(error.to_string())
    }
}

/// Who a host is, as its agent keeps it.
#[derive(Debug)]
pub struct Keeper {
    file: PathBuf,
    stored: std::sync::Mutex<Stored>,
    present: Arc<Rotating>,
}

#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
struct Stored {
    #[serde(flatten)]
    identity: Identity,
    authority: String,
}

#[derive(Debug)]
struct Rotating(std::sync::Mutex<Arc<CertifiedKey>>);

impl ResolvesClientCert for Rotating {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let present = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        Some(Arc::clone(&present))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

fn file(directory: &Path) -> PathBuf {
    directory.join("identity.json")
}

/// Replaces the file in one step, so that no crash leaves half of it.
fn write(path: &Path, stored: &Stored) -> Result<(), Error> {
    let io = |source| Error::Io {
        path: path.into(),
        source,
    };
    let text = serde_json::to_vec(stored).map_err(|error| io(error.into()))?;
    let directory = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(directory).map_err(io)?;
    let new = path.with_extension("new");
    let mut options = std::fs::OpenOptions::new();
    let mut out = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)
        .map_err(io)?;
    out.write_all(&text)
        .and_then(|()| out.sync_all())
        .map_err(io)?;
    std::fs::rename(&new, path).map_err(io)?;
    std::fs::File::open(directory)
        .and_then(|it| it.sync_all())
        .map_err(io)
}

fn builder() -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Identity(error.to_string()))
}

fn server(address: &str) -> Result<ServerName<'static>, Error> {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let host = host.trim_matches(['[', ']']).to_owned();
    host.try_into().map_err(|_| Error::Connect {
        address: address.into(),
        reason: "not a name or an address".into(),
    })
}

async fn open(address: &str, mut config: ClientConfig) -> Result<SouthboundClient<Channel>, Error> {
    config.alpn_protocols = vec![b"h2".to_vec()];
    let tls = Tls {
        config: Arc::new(config),
        server: server(address)?,
    };
    let channel = connect::channel(address, Some(tls))
        .await
        .map_err(|error| Error::Connect {
            address: address.into(),
            reason: connect::chain(&error),
        })?;
    Ok(SouthboundClient::new(channel).max_decoding_message_size(MAX_MESSAGE))
}

fn refused(status: tonic::Status) -> Error {
    Error::Refused(status.message().to_owned())
}

/// Gets the host its identity for a one-time token.
pub async fn enrol(address: &str, token: &str, directory: &Path) -> Result<(), Error> {
    let (_, digest) = token.trim().split_once('.').ok_or(Error::Token)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = Pinned {
        digest: digest.to_owned(),
        provider,
    };
    let config = builder()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    let key = identity::new_key()?;
    let request = identity::request(&key)?;
    let token = token.trim().to_owned();
    let request = wire::EnrolRequest { token, request };
    let answer = open(address, config)
        .await?
        .enrol(request)
        .await
        .map_err(refused)?;
    let wire::Certificate {
        certificate,
        authority,
    } = answer.into_inner();
    let stored = Stored {
        identity: Identity { certificate, key },
        authority,
    };
    identity::certified(&stored.identity)?;
    write(&file(directory), &stored)
}

/// Trusts the authority whose certificate has a digest, if the server shows it.
#[derive(Debug)]
struct Pinned {
    digest: String,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let unknown = || rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let authority = intermediates
            .iter()
            .find(|it| secret::sha256(it) == self.digest);
        let authority = authority.ok_or_else(unknown)?;
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone().into_owned())?;
        let provider = Arc::clone(&self.provider);
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|_| unknown())?;
        let verified = verifier.verify_server_cert(end_entity, &[], name, ocsp, now)?;
        match identity::is_manager(end_entity) {
            true => Ok(verified),
            false => Err(unknown()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// A stream to a manager.
#[derive(Debug)]
pub struct Stream {
    sender: mpsc::Sender<wire::ToManager>,
    answers: tonic::Streaming<wire::ToAgent>,
}

impl Stream {
    /// Says something; false if the stream has ended.
    pub async fn say(&self, message: ToManager) -> bool {
        self.sender.send(convert::to_manager(message)).await.is_ok()
    }

    /// What the manager says next; `None` when the stream has ended.
    pub async fn next(&mut self) -> Option<Result<ToAgent, Error>> {
        Some(match self.answers.next().await? {
            Ok(message) => convert::read_to_agent(message)
                .ok_or_else(|| Error::Refused("the manager says what is no message".into())),
            Err(status) => Err(refused(status)),
        })
    }
}

impl Keeper {
    /// The identity in a directory.
    pub fn load(directory: &Path) -> Result<Self, Error> {
        let file = file(directory);
        let text = std::fs::read(&file).map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => Error::NotEnrolled(directory.into()),
            _ => Error::Io {
                path: file.clone(),
                source,
            },
        })?;
        let stored: Stored = serde_json::from_slice(&text).map_err(|error| Error::Io {
            path: file.clone(),
            source: error.into(),
        })?;
        let present = Arc::new(Rotating(std::sync::Mutex::new(identity::certified(
            &stored.identity,
        )?)));
        Ok(Self {
            file,
            stored: std::sync::Mutex::new(stored),
            present,
        })
    }

    fn stored(&self) -> Stored {
        self.stored
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone()
    }

    /// The certificate, first of its chain.
    pub fn certificate(&self) -> Option<CertificateDer<'static>> {
        let present = self
            .present
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        present.cert.first().cloned()
    }

    async fn client(&self, address: &str) -> Result<SouthboundClient<Channel>, Error> {
        let mut roots = RootCertStore::empty();
        for certificate in identity::certificates(&self.stored().authority)? {
            roots
                .add(certificate)
                .map_err(|error| Error::Identity(error.to_string()))?;
        }
        let config = builder()?
            .with_root_certificates(roots)
            .with_client_cert_resolver(Arc::clone(&self.present) as _);
        open(address, config).await
    }

    /// A stream to this manager.
    pub async fn connect(&self, address: &str) -> Result<Stream, Error> {
        let mut client = self.client(address).await?;
        let (sender, messages) = mpsc::channel(64);
        let answers = client
            .connect(ReceiverStream::new(messages))
            .await
            .map_err(refused)?;
        Ok(Stream {
            sender,
            answers: answers.into_inner(),
        })
    }

    /// Exchanges the certificate for a new one, with a new key; connections from now on use it.
    pub async fn renew(&self, address: &str) -> Result<(), Error> {
        let key = identity::new_key()?;
        let request = wire::RenewRequest {
            request: identity::request(&key)?,
        };
        let answer = self
            .client(address)
            .await?
            .renew(request)
            .await
            .map_err(refused)?;
        let wire::Certificate {
            certificate,
            authority,
        } = answer.into_inner();
        let stored = Stored {
            identity: Identity { certificate, key },
            authority,
        };
        let certified = identity::certified(&stored.identity)?;
        write(&self.file, &stored)?;
        *self
            .stored
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = stored;
        *self
            .present
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = certified;
        Ok(())
    }
}
