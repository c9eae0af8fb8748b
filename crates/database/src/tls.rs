//! TLS to Postgres, by `sslmode`, and to other servers that an operator names.

use std::{path::PathBuf, sync::Arc};

use rustls::{
    ClientConfig, ConfigBuilder, DigitallySignedStruct, RootCertStore, SignatureScheme,
    WantsVerifier,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::dsn::{Dsn, TlsMode};

/// Variable that names a PEM file of trusted authorities for DSNs without one, also for Spin (OpenSSL's
/// variable).
const AUTHORITIES: &str = "SSL_CERT_FILE";

/// The TLS connector for `dsn`, as its `sslmode` says.
pub fn connector(dsn: &Dsn) -> Result<MakeRustlsConnect, TlsError> {
    let config = match dsn.tls_mode() {
        // A man in the middle could also claim that there is no TLS, so verification would only break
        // self-signed servers.
        TlsMode::Disable | TlsMode::Prefer => {
            let verifier = Arc::new(AnyCertificate(Arc::new(ring::default_provider())));
            builder()?.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()
        }
        TlsMode::Require | TlsMode::VerifyFull => verifying(authorities(dsn).as_ref())?,
    };
    Ok(MakeRustlsConnect::new(config))
}

/// The configuration of a client that verifies servers: with the authorities in a PEM file, otherwise with Mozilla's.
///
/// # Errors
/// If the file has none.
pub fn verifying(authorities: Option<&PathBuf>) -> Result<ClientConfig, TlsError> {
    Ok(builder()?.with_root_certificates(roots(authorities)?).with_no_client_auth())
}

/// The PEM file of trusted authorities that the environment names.
#[must_use]
pub fn named_authorities() -> Option<PathBuf> {
    std::env::var_os(AUTHORITIES).filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// The PEM file of trusted authorities, if one is named.
pub(crate) fn authorities(dsn: &Dsn) -> Option<PathBuf> {
    dsn.root_certificate().cloned().or_else(named_authorities)
}

fn builder() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, TlsError> {
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Protocol)
}

/// Why TLS could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("authorities in {}: {reason}", path.display())]
    RootCertificate { path: PathBuf, reason: String },
    #[error("TLS cannot be set up")]
    Protocol(#[source] rustls::Error),
}

fn roots(file: Option<&PathBuf>) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    let Some(path) = file else {
        store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        return Ok(store);
    };
    let refused = |reason: String| TlsError::RootCertificate { path: path.clone(), reason };
    for certificate in
        CertificateDer::pem_file_iter(path).map_err(|error| refused(error.to_string()))?
    {
        let certificate = certificate.map_err(|error| refused(error.to_string()))?;
        store.add(certificate).map_err(|error| refused(error.to_string()))?;
    }
    if store.is_empty() {
        return Err(refused("no certificate in PEM form is in it".to_owned()));
    }
    Ok(store)
}

/// Accepts any certificate; the handshake's signatures are still checked.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
