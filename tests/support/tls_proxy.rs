//! A port that speaks TLS, with a certificate made for it, in front of one that does not.

#![allow(dead_code, reason = "each test file uses its part")]

use std::{net::SocketAddr, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

/// Takes connections until dropped, and ends those that there are then.
pub struct TlsProxy {
    pub addr: SocketAddr,
    /// SHA-256 of the certificate, in hexadecimal digits.
    pub fingerprint: String,
    task: tokio::task::JoinHandle<()>,
}

/// A certificate and its key.
pub struct Own {
    pub certificate: CertificateDer<'static>,
    key: KeyPair,
}

/// For 127.0.0.1, signed by itself.
pub fn self_signed() -> Own {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    Own { certificate: params.self_signed(&key).unwrap().der().clone(), key }
}

/// Whose certificates a system can trust.
pub struct Authority {
    pub pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// For one name or address.
    pub fn signs(&self, name: &str) -> Own {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        Own { certificate: params.signed_by(&key, &self.issuer).unwrap().der().clone(), key }
    }
}

impl TlsProxy {
    pub async fn start(to: SocketAddr) -> Self {
        Self::with(to, self_signed()).await
    }

    pub async fn with(to: SocketAddr, own: Own) -> Self {
        let digest = ring::digest::digest(&ring::digest::SHA256, &own.certificate);
        let fingerprint = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let key = PrivateKeyDer::try_from(own.key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![own.certificate], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let acceptor = acceptor.clone();
                connections.spawn(async move {
                    // One that does not trust the certificate leaves here.
                    let Ok(mut outer) = acceptor.accept(stream).await else { return };
                    let Ok(mut inner) = TcpStream::connect(to).await else { return };
                    let _ = copy_bidirectional(&mut outer, &mut inner).await;
                });
            }
        });
        Self { addr, fingerprint, task }
    }
}

impl Drop for TlsProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}
