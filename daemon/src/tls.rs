//! A device's key becomes its identity in TLS: a raw public key (RFC 7250), Ed25519, both ways. No
//! certificates, no names, no authorities: who a key is and what it may do is asked of the signed
//! grants, later. TLS 1.3 only. Who was linked before resumes, and sends with its first packet: each ticket
//! is taken once, from memory alone, so that nothing said with one can be said again by someone else.

use std::sync::Arc;

use rukun_authority::Keypair;
use rukun_change::DeviceKey;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{AlwaysResolvesClientRawPublicKeys, Resumption};
use rustls::crypto::{CryptoProvider, ring, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{AlwaysResolvesServerRawPublicKeys, ServerSessionMemoryCache};
use rustls::sign::CertifiedKey;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, PeerIncompatible,
    ServerConfig, SignatureScheme,
};
use zeroize::Zeroizing;

/// The protocol's name in ALPN. It changes with the wire's major version.
pub const ALPN: &[u8] = b"rukun/1";
/// The name of the other protocol: a device that is no member yet asks to be enrolled.
pub const ENROL_ALPN: &[u8] = b"rukun-enrol/1";

/// How many places are remembered that gave a ticket, the latest ones.
const PLACES_MAX: usize = 256;
/// How many tickets are good at a time, the latest ones: several for each device of a district.
const TICKETS_MAX: usize = 4_096;
/// What comes before the 32 bytes of a seed in PKCS #8 version 1 (RFC 8410).
const PKCS8_PREFIX: [u8; 16] = *b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
/// What comes before the 32 bytes of a key in a SubjectPublicKeyInfo (RFC 8410).
const SPKI_PREFIX: [u8; 12] = *b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00";

/// TLS for a device that dials.
///
/// # Errors
/// If the TLS library refuses the key or the settings; not for any key made from a seed.
pub fn client_config(keypair: &Keypair) -> Result<ClientConfig, Error> {
    let keys = Arc::new(AlwaysResolvesClientRawPublicKeys::new(certified(keypair)?));
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyDevice::new()))
        .with_client_cert_resolver(keys);
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.enable_sni = false;
    config.resumption = Resumption::in_memory_sessions(PLACES_MAX);
    config.enable_early_data = true;
    Ok(config)
}

/// TLS for a device that is dialed. A peer without a key is refused.
///
/// # Errors
/// If the TLS library refuses the key or the settings; not for any key made from a seed.
pub fn server_config(keypair: &Keypair) -> Result<ServerConfig, Error> {
    let keys = Arc::new(AlwaysResolvesServerRawPublicKeys::new(certified(keypair)?));
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(Arc::new(AnyDevice::new()))
        .with_cert_resolver(keys);
    config.alpn_protocols = vec![ALPN.to_vec(), ENROL_ALPN.to_vec()];
    config.session_storage = ServerSessionMemoryCache::new(TICKETS_MAX);
    config.send_tls13_tickets = 1;
    config.max_early_data_size = u32::MAX;
    Ok(config)
}

/// The device that a raw public key stands for; nothing if it is no Ed25519 key.
pub fn device_of(raw_key: &CertificateDer<'_>) -> Option<DeviceKey> {
    let key = raw_key.as_ref().strip_prefix(&SPKI_PREFIX)?;
    key.try_into().ok().map(DeviceKey::from_bytes)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn certified(keypair: &Keypair) -> Result<Arc<CertifiedKey>, Error> {
    let pkcs8 = Zeroizing::new([&PKCS8_PREFIX[..], keypair.seed()].concat());
    let signer = ring::sign::any_eddsa_type(&PrivatePkcs8KeyDer::from(pkcs8.as_slice()))?;
    let spki = [&SPKI_PREFIX[..], keypair.key().as_bytes()].concat();
    Ok(Arc::new(CertifiedKey::new(vec![CertificateDer::from(spki)], signer)))
}

/// Accepts every device that proves to have its key.
#[derive(Debug)]
struct AnyDevice {
    provider: Arc<CryptoProvider>,
}

impl AnyDevice {
    fn new() -> Self {
        Self { provider: provider() }
    }

    fn check_key(raw_key: &CertificateDer<'_>, others: &[CertificateDer<'_>]) -> Result<(), Error> {
        match device_of(raw_key) {
            Some(_) if others.is_empty() => Ok(()),
            _ => Err(CertificateError::BadEncoding.into()),
        }
    }

    fn check_signature(
        &self,
        message: &[u8],
        raw_key: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if signed.scheme != SignatureScheme::ED25519 {
            return Err(PeerIncompatible::NoSignatureSchemesInCommon.into());
        }
        let spki = SubjectPublicKeyInfoDer::from(raw_key.as_ref());
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature_with_raw_key(message, &spki, signed, algorithms)
    }
}

impl ServerCertVerifier for AnyDevice {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Self::check_key(end_entity, intermediates).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls13RequiredForQuic.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        raw_key: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, raw_key, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for AnyDevice {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Self::check_key(end_entity, intermediates).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls13RequiredForQuic.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        raw_key: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, raw_key, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
