// SPDX-License-Identifier: GPL-2.0

//! TLS as the servers of the daemon offer it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::ServerConfig;

use crate::daemon::Error;
use crate::identity::{self, Identity};

/// A certificate that can be exchanged while connections arrive.
#[derive(Debug, Default)]
pub(crate) struct Rotating {
    present: Mutex<Option<Arc<CertifiedKey>>>,
}

impl Rotating {
    pub(crate) fn set(&self, certified: Arc<CertifiedKey>) {
        *self.present.lock().unwrap_or_else(PoisonError::into_inner) = Some(certified);
    }

    pub(crate) fn get(&self) -> Option<Arc<CertifiedKey>> {
        self.present
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl ResolvesServerCert for Rotating {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.get()
    }
}

/// A certificate in files, read again when they change.
#[derive(Debug)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
    present: Mutex<(Option<SystemTime>, Arc<CertifiedKey>)>,
}

fn read(path: &Path) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|error| {
        std::io::Error::new(error.kind(), format!("{}: {error}", path.display())).into()
    })
}

fn load(certificate: &Path, key: &Path) -> Result<Arc<CertifiedKey>, Error> {
    let identity = Identity {
        certificate: read(certificate)?,
        key: read(key)?,
    };
    let certified = identity::certified(&identity)?;
    certified.keys_match().map_err(|error| {
        Error::Identity(format!(
            "{} is not the key of its certificate: {error}",
            key.display()
        ))
    })?;
    Ok(certified)
}

fn modified(path: &Path) -> Option<SystemTime> {
    path.metadata()
        .and_then(|metadata| metadata.modified())
        .ok()
}

impl ResolvesServerCert for Files {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        let now = modified(&self.certificate).max(modified(&self.key));
        if now != present.0 {
            match load(&self.certificate, &self.key) {
                Ok(certified) => *present = (now, certified),
                // One file may be new and the other not yet: the old pair serves until then.
                Err(error) => tracing::warn!(%error, "a new certificate cannot be used"),
            }
        }
        Some(Arc::clone(&present.1))
    }
}

/// TLS with the one provider that is built in.
pub(crate) fn builder() -> Result<rustls::ConfigBuilder<ServerConfig, rustls::WantsVerifier>, Error>
{
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Identity(error.to_string()))
}

/// HTTPS with a certificate in files.
pub(crate) fn from_files(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, Error> {
    let time = modified(certificate).max(modified(key));
    let present = Mutex::new((time, load(certificate, key)?));
    let files = Files {
        certificate: certificate.into(),
        key: key.into(),
        present,
    };
    let mut config = builder()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(files));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
