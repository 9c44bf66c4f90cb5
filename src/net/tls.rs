//! Connections to others that are encrypted, and whose certificates are trusted there.
//!
//! Belongs here: the decision, and the certificate that it was made about. Does not: connecting, or words
//! for people.

use std::{
    io,
    sync::{Arc, OnceLock},
};

use ring::digest;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{self, CryptoProvider},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::OnceCell,
    task::spawn_blocking,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::wire::fingerprint::Fingerprint;

/// A name that is nobody's, in place of one that no certificate can have.
const NOBODY: &str = "name.invalid";

/// Why there is no connection.
#[derive(Debug)]
pub enum TlsError {
    /// The certificate is not the one that was named, or none that this system trusts.
    Untrusted {
        /// Of the certificate that was shown.
        shown: Fingerprint,
        /// What is wrong with it.
        why: Why,
    },
    /// No agreement on how to speak: not TLS, or none later than 1.1.
    Handshake,
    /// The certificate is the one that was named, and of a kind that cannot be used.
    Unusable,
    /// The connection under it broke.
    Io(io::Error),
}

/// What is wrong with a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It is another than the one named.
    Other,
    /// Nobody whom the system trusts has signed it.
    Unknown,
    /// It is for another name.
    Name,
    /// It is not valid at this time, or the clock here is wrong.
    Time,
    /// Something else.
    Bad,
}

/// Makes a connection to `host` encrypted. With a fingerprint the certificate has to be that very one,
/// whatever else it says; without, one for the host that the system trusts.
///
/// Has no bound in time.
pub async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    host: &str,
    expected: Option<Fingerprint>,
) -> Result<TlsStream<S>, TlsError> {
    let provider = Arc::new(crypto::ring::default_provider());
    let roots = match expected {
        Some(_) => None,
        None => roots(&provider).await,
    };
    let check = Check { expected, roots, provider: provider.clone(), seen: OnceLock::new() };
    let check = Arc::new(check);
    let versions =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = versions.map_err(|_| TlsError::Handshake)?.dangerous();
    let config = config.with_custom_certificate_verifier(check.clone()).with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).or_else(|_| ServerName::try_from(NOBODY));
    let name = name.map_err(|_| TlsError::Handshake)?;
    let connected = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
    connected.map_err(|error| check.explain(error))
}

/// What the system trusts, read once: some hundred certificates.
async fn roots(provider: &Arc<CryptoProvider>) -> Option<Arc<WebPkiServerVerifier>> {
    static ROOTS: OnceCell<Option<Arc<WebPkiServerVerifier>>> = OnceCell::const_new();
    let provider = provider.clone();
    let read = || async {
        let read = spawn_blocking(move || {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().ok()
        });
        let read = read.await.ok().flatten();
        if read.is_none() {
            tracing::warn!(
                "this system has no certificates of authorities: install ca-certificates"
            );
        }
        read
    };
    ROOTS.get_or_init(read).await.clone()
}

/// Looks at the certificate of one connection.
#[derive(Debug)]
struct Check {
    expected: Option<Fingerprint>,
    roots: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
    /// What was shown.
    seen: OnceLock<Fingerprint>,
}

impl Check {
    fn explain(&self, error: io::Error) -> TlsError {
        let Some(cause) = error.get_ref().and_then(|cause| cause.downcast_ref::<Error>()) else {
            return TlsError::Io(error);
        };
        let (Error::InvalidCertificate(cause), Some(&shown)) = (cause, self.seen.get()) else {
            return TlsError::Handshake;
        };
        let why = match cause {
            // It is the right one, so what is wrong is how it is made.
            _ if self.expected == Some(shown) => return TlsError::Unusable,
            _ if self.expected.is_some() => Why::Other,
            CertificateError::UnknownIssuer => Why::Unknown,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Why::Name
            }
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => Why::Time,
            _ => Why::Bad,
        };
        TlsError::Untrusted { shown, why }
    }
}

impl ServerCertVerifier for Check {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let mut shown = Fingerprint([0; 32]);
        shown.0.copy_from_slice(digest::digest(&digest::SHA256, end_entity).as_ref());
        let _ = self.seen.set(shown);
        match (self.expected, &self.roots) {
            (Some(expected), _) if expected == shown => Ok(ServerCertVerified::assertion()),
            (None, Some(roots)) => {
                roots.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            }
            _ => Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)),
        }
    }

    // That the other side has the certificate's key is checked in any case.
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        crypto::verify_tls12_signature(message, cert, dss, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        crypto::verify_tls13_signature(message, cert, dss, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
