// SPDX-License-Identifier: GPL-2.0

//! Opens the store that the configuration names.

use std::path::Path;
use std::sync::Arc;

use crate::config;
use crate::identity;
use crate::store::etcd::Options;
use crate::store::{Embedded, Error, Etcd, Result, Store};

/// The store, and only that: what is in it is not looked at.
pub(crate) async fn open(config: &config::Store) -> Result<Arc<dyn Store>> {
    Ok(match config.kind {
        config::StoreKind::Embedded => {
            if let Some(directory) = config.path.parent() {
                std::fs::create_dir_all(directory).map_err(|source| Error::Io {
                    path: directory.into(),
                    source,
                })?;
            }
            Arc::new(Embedded::open(&config.path)?)
        }
        config::StoreKind::Etcd => {
            let options = Options {
                endpoints: config.etcd.endpoints.clone(),
                prefix: config.etcd.prefix.clone(),
                tls: tls(&config.etcd)?,
            };
            Arc::new(Etcd::connect(options).await?)
        }
    })
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|source| Error::Io {
        path: path.into(),
        source,
    })
}

fn tls(config: &config::Etcd) -> Result<Option<Arc<rustls::ClientConfig>>> {
    let Some(ca) = &config.ca else {
        return Ok(None);
    };
    let wrong = |error: &dyn std::fmt::Display| Error::Invalid(format!("store.etcd: {error}"));
    let mut roots = rustls::RootCertStore::empty();
    for certificate in identity::certificates(&read(ca)?).map_err(|error| wrong(&error))? {
        roots.add(certificate).map_err(|error| wrong(&error))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(&error))?
        .with_root_certificates(roots);
    let mut tls = match (&config.certificate, &config.key) {
        (Some(certificate), Some(key)) => {
            let chain =
                identity::certificates(&read(certificate)?).map_err(|error| wrong(&error))?;
            let key = identity::private_key(&read(key)?).map_err(|error| wrong(&error))?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| wrong(&error))?
        }
        _ => builder.with_no_client_auth(),
    };
    tls.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Some(Arc::new(tls)))
}
