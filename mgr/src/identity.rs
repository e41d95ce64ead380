// SPDX-License-Identifier: GPL-2.0

//! Who hosts are: the certificate authority in the store, invitations, certificates.
//!
//! A host's certificate has one name, the URI `ovnet://host/ID`, ID being its locator as 16
//! hexadecimal digits; a manager's has the names by which agents know it, and `ovnet://manager`.
//! A host gets its certificate for a one-time token that was made for it, and a new one for the old
//! one. Whoever can read the store can issue identities: guard it and its backups accordingly.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ovnet_engine::Locator;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde::{Deserialize, Serialize};

use crate::secret;
use crate::store::{self, Condition, Outcome, Range, Store, Transaction};

const CA: &str = "pki/ca";
/// Followed by the SHA-256 of a token.
pub(crate) const INVITATIONS: &str = "pki/invitation/";
/// A one-time token is good for so long.
const INVITATION: Duration = Duration::from_secs(24 * 3600);
/// Certificates are good for so long, and are renewed when a third of it is left.
const VALIDITY: Duration = Duration::from_secs(7 * 24 * 3600);
const CA_VALIDITY: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
/// Clocks may be off by so much.
const SKEW: Duration = Duration::from_secs(300);
const MANAGER: &str = "ovnet://manager";
const HOST: &str = "ovnet://host/";

/// What can be wrong with identities.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error("certificates: {0}")]
    Generate(#[from] rcgen::Error),
    #[error("certificates: {0}")]
    Tls(#[from] rustls::Error),
    #[error("certificates: {0}")]
    Pem(#[from] rustls::pki_types::pem::Error),
    #[error("the store's authority is damaged: restore a backup")]
    Damaged,
    #[error("the token is not valid: it was used, has expired, or never was; ask for a new one")]
    Token,
}

#[derive(Debug, Serialize, Deserialize)]
struct Authority {
    certificate: String,
    key: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Invitation {
    host: String,
    expires: u64,
}

/// The authority that all managers of a store share.
pub(crate) struct Ca {
    pub(crate) certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A key and the certificate for it, as PEM.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

fn parameters(name: &str, validity: Duration) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    parameters.distinguished_name = subject;
    let now = SystemTime::now();
    parameters.not_before = (now - SKEW).into();
    parameters.not_after = (now + validity).into();
    parameters
}

impl Ca {
    /// The store's authority, made if there is none.
    pub(crate) async fn of(store: &dyn Store) -> Result<Self, Error> {
        loop {
            let found = store.range(&Range::key(CA), None, None).await?;
            if let Some(entry) = found.entries.first() {
                let authority: Authority =
                    serde_json::from_slice(&entry.value).map_err(|_| Error::Damaged)?;
                let key = KeyPair::from_pem(&authority.key)?;
                let issuer = Issuer::from_ca_cert_pem(&authority.certificate, key)?;
                return Ok(Self {
                    certificate: authority.certificate,
                    issuer,
                });
            }
            let mut parameters = parameters("ovnet", CA_VALIDITY);
            parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
            parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign];
            let key = KeyPair::generate()?;
            let certificate = parameters.self_signed(&key)?.pem();
            let authority = Authority {
                certificate,
                key: key.serialize_pem(),
            };
            let value = serde_json::to_vec(&authority).map_err(|_| Error::Damaged)?;
            let first = Transaction::new().when(Condition::Absent(CA.into()));
            store.commit(first.put(CA, value)).await?;
        }
    }

    /// An identity for a manager that is known by these names.
    pub(crate) fn manager(&self, names: &[String]) -> Result<Identity, Error> {
        let mut parameters = parameters("ovnet manager", VALIDITY);
        let mut all = CertificateParams::new(names)?.subject_alt_names;
        all.push(SanType::URI(MANAGER.try_into()?));
        parameters.subject_alt_names = all;
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate()?;
        let certificate = parameters.signed_by(&key, &self.issuer)?.pem();
        Ok(Identity {
            certificate,
            key: key.serialize_pem(),
        })
    }

    /// A certificate for a host's key. Of the request only the key counts, which it proves to
    /// have; whose certificate it is to be, whoever calls this knows.
    pub(crate) fn host(&self, host: Locator, request: &[u8]) -> Result<String, Error> {
        let mut request = CertificateSigningRequestParams::from_der(&request.to_vec().into())?;
        let id = format!("{HOST}{:016x}", host.bits());
        let mut parameters = parameters("ovnet host", VALIDITY);
        parameters.subject_alt_names = vec![SanType::URI(id.as_str().try_into()?)];
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        request.params = parameters;
        Ok(request.signed_by(&self.issuer)?.pem())
    }
}

/// A one-time token for a host, and until when it can be used, in seconds since 1970. Behind the
/// dot it has the digest of the authority's certificate, by which the host knows its manager.
pub(crate) async fn invite(store: &dyn Store, host: Locator) -> Result<(String, u64), Error> {
    let authority = Ca::of(store).await?;
    let token = secret::hex(&secret::random::<32>());
    let expires = (SystemTime::now() + INVITATION)
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let invitation = Invitation {
        host: format!("{:016x}", host.bits()),
        expires,
    };
    let value = serde_json::to_vec(&invitation).unwrap_or_default();
    let key = format!("{INVITATIONS}{}", secret::sha256(token.as_bytes()));
    store.commit(Transaction::new().put(key, value)).await?;
    let certificates = certificates(&authority.certificate)?;
    let authority = certificates.first().ok_or(Error::Damaged)?;
    Ok((format!("{token}.{}", secret::sha256(authority)), expires))
}

/// Whose a one-time token is; it cannot be used again.
pub(crate) async fn redeem(store: &dyn Store, token: &str) -> Result<Locator, Error> {
    let token = token.split('.').next().unwrap_or_default();
    let key = format!("{INVITATIONS}{}", secret::sha256(token.as_bytes()));
    let found = store.range(&Range::key(&key[..]), None, None).await?;
    let entry = found.entries.first().ok_or(Error::Token)?;
    let invitation: Invitation = serde_json::from_slice(&entry.value).map_err(|_| Error::Token)?;
    let once = Condition::Modified(key.clone().into(), entry.modified);
    let outcome = store
        .commit(Transaction::new().when(once).delete(key))
        .await?;
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    match outcome {
        Outcome::Committed(_) if now.as_secs() < invitation.expires => {
            locator(&invitation.host).ok_or(Error::Damaged)
        }
        Outcome::Committed(_) | Outcome::Refused { .. } => Err(Error::Token),
    }
}

/// Deletes tokens that nobody used in time.
pub(crate) fn is_over(value: &[u8], now: u64) -> bool {
    serde_json::from_slice::<Invitation>(value).map_or(true, |it| it.expires < now)
}

fn locator(id: &str) -> Option<Locator> {
    let bits = (id.len() == 16).then(|| u64::from_str_radix(id, 16).ok())??;
    Locator::new((bits >> 32) as u32, bits as u32).ok()
}

/// A request for a certificate for a key.
pub(crate) fn request(key: &str) -> Result<Vec<u8>, Error> {
    let key = KeyPair::from_pem(key)?;
    Ok(CertificateParams::default()
        .serialize_request(&key)?
        .der()
        .to_vec())
}

/// A new key, as PEM.
pub(crate) fn new_key() -> Result<String, Error> {
    Ok(KeyPair::generate()?.serialize_pem())
}

/// The certificates in a PEM text.
pub(crate) fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, Error> {
    Ok(CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<_, _>>()?)
}

/// The key in a PEM text.
pub(crate) fn private_key(pem: &str) -> Result<PrivateKeyDer<'static>, Error> {
    Ok(PrivateKeyDer::from_pem_slice(pem.as_bytes())?)
}

fn uris(certificate: &CertificateDer<'_>) -> Option<Vec<String>> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let names = parsed.subject_alternative_name().ok()??;
    let uri = |name: &x509_parser::extensions::GeneralName<'_>| match name {
        x509_parser::extensions::GeneralName::URI(uri) => Some((*uri).to_owned()),
        _ => None,
    };
    Some(names.value.general_names.iter().filter_map(uri).collect())
}

/// Which host a verified certificate is for; exactly one, or none at all.
pub(crate) fn host_of(certificate: &CertificateDer<'_>) -> Option<Locator> {
    match &uris(certificate)?[..] {
        [uri] => locator(uri.strip_prefix(HOST)?),
        _ => None,
    }
}

/// Whether a verified certificate is a manager's.
pub(crate) fn is_manager(certificate: &CertificateDer<'_>) -> bool {
    uris(certificate).is_some_and(|uris| uris == [MANAGER])
}

/// For how long a certificate is good from now on; `None` if it is not any more.
pub(crate) fn expires_in(certificate: &CertificateDer<'_>) -> Option<Duration> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let left = parsed.validity().time_to_expiration()?;
    Some(Duration::from_secs(
        u64::try_from(left.whole_seconds()).unwrap_or(0),
    ))
}

/// When to renew a certificate, from now on.
pub(crate) fn renew_in(certificate: &CertificateDer<'_>) -> Option<Duration> {
    Some(expires_in(certificate)?.saturating_sub(VALIDITY / 3))
}

/// A certificate and key as TLS uses them.
pub(crate) fn certified(identity: &Identity) -> Result<Arc<rustls::sign::CertifiedKey>, Error> {
    let provider = rustls::crypto::ring::default_provider();
    let chain = certificates(&identity.certificate)?;
    let key = private_key(&identity.key)?;
    Ok(Arc::new(rustls::sign::CertifiedKey::from_der(
        chain, key, &provider,
    )?))
}
