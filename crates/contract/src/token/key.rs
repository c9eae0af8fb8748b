//! Public keys of tokens: JSON Web Keys (RFC 7517), and Rondo's private signing key.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::Signer as _;
use p256::ecdsa::signature::Verifier as _;
use rsa::{BigUint, RsaPublicKey};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::{Algorithm, Claims};

/// Minimum RSA modulus, in bits (RFC 7518, section 3.3).
const RSA_BITS_MIN: usize = 2048;
/// Maximum RSA modulus, in bits: the work of a verification grows with its square.
const RSA_BITS_MAX: usize = 4096;

/// A key of a JWKS document. Members that are not needed, private ones among them, are not read and so never
/// passed on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jwk {
    pub kty: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alg: Option<String>,
    #[serde(default, rename = "use", skip_serializing_if = "Option::is_none")]
    pub usage: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crv: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub y: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub e: Option<String>,
}

/// A key that verifies signatures of one algorithm.
pub enum PublicKey {
    Rs256(rsa::pkcs1v15::VerifyingKey<Sha256>),
    Es256(p256::ecdsa::VerifyingKey),
    EdDsa(ed25519_dalek::VerifyingKey),
}

/// An unusable key or document of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("not a JWKS document: an object whose keys are an array")]
    NoDocument,
    #[error("not a signing key of RSA with 2048 to 4096 bits, P-256 or Ed25519")]
    Unsupported,
    #[error("a number of the key is missing or malformed")]
    Malformed,
}

/// The keys of a JWKS document for supported algorithms. Others are skipped, as RFC 7517 (section 5) asks: a
/// provider may publish keys for other uses.
///
/// # Errors
/// If it is not a JWKS document.
pub fn read_document(text: &str) -> Result<Vec<Jwk>, KeyError> {
    #[derive(Deserialize)]
    struct Document {
        keys: Vec<serde_json::Value>,
    }
    let document: Document = serde_json::from_str(text).map_err(|_| KeyError::NoDocument)?;
    let keys = document.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok());
    Ok(keys.filter(|key: &Jwk| key.public_key().is_ok()).collect())
}

/// A JWKS document in a setting.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JwkSet(pub Vec<Jwk>);

impl FromStr for JwkSet {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        read_document(text).map(Self)
    }
}

/// Writes the members that were read.
impl fmt::Display for JwkSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", serde_json::json!({"keys": self.0}))
    }
}

impl Jwk {
    /// The key's only algorithm.
    #[must_use]
    pub fn algorithm(&self) -> Option<Algorithm> {
        let algorithm = match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => Algorithm::Rs256,
            ("EC", Some("P-256")) => Algorithm::Es256,
            ("OKP", Some("Ed25519")) => Algorithm::EdDsa,
            _ => return None,
        };
        let says_another = self.alg.as_deref().is_some_and(|alg| {
            // RFC 9864 names algorithms by curve.
            Algorithm::parse(alg) != Some(algorithm)
                && !(alg == "Ed25519" && algorithm == Algorithm::EdDsa)
        });
        let signs = self.usage.as_deref().is_none_or(|usage| usage == "sig");
        (signs && !says_another).then_some(algorithm)
    }

    #[must_use]
    pub fn fits(&self, algorithm: Algorithm) -> bool {
        self.algorithm() == Some(algorithm)
    }

    /// # Errors
    /// If the key's type is unsupported, or the key is malformed.
    pub fn public_key(&self) -> Result<PublicKey, KeyError> {
        match self.algorithm() {
            Some(Algorithm::Rs256) => self.rsa(),
            Some(Algorithm::Es256) => self.p256(),
            Some(Algorithm::EdDsa) => self.ed25519(),
            Some(Algorithm::Hs256) | None => Err(KeyError::Unsupported),
        }
    }

    fn rsa(&self) -> Result<PublicKey, KeyError> {
        let n = BigUint::from_bytes_be(&bytes(self.n.as_deref())?);
        let e = BigUint::from_bytes_be(&bytes(self.e.as_deref())?);
        if n.bits() < RSA_BITS_MIN {
            return Err(KeyError::Unsupported);
        }
        let key = RsaPublicKey::new_with_max_size(n, e, RSA_BITS_MAX)
            .map_err(|_| KeyError::Unsupported)?;
        Ok(PublicKey::Rs256(rsa::pkcs1v15::VerifyingKey::new(key)))
    }

    fn p256(&self) -> Result<PublicKey, KeyError> {
        let (x, y) = (bytes(self.x.as_deref())?, bytes(self.y.as_deref())?);
        if x.len() != 32 || y.len() != 32 {
            return Err(KeyError::Malformed);
        }
        let point = p256::EncodedPoint::from_affine_coordinates(
            x.as_slice().into(),
            y.as_slice().into(),
            false,
        );
        p256::ecdsa::VerifyingKey::from_encoded_point(&point)
            .map(PublicKey::Es256)
            .map_err(|_| KeyError::Malformed)
    }

    fn ed25519(&self) -> Result<PublicKey, KeyError> {
        let x = bytes(self.x.as_deref())?.try_into().map_err(|_| KeyError::Malformed)?;
        ed25519_dalek::VerifyingKey::from_bytes(&x)
            .map(PublicKey::EdDsa)
            .map_err(|_| KeyError::Malformed)
    }
}

impl PublicKey {
    /// Whether `signature` (in the form of RFC 7518, section 3, and RFC 8037, section 3.1) is this
    /// key's over `message`.
    #[must_use]
    pub fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Rs256(key) => rsa::pkcs1v15::Signature::try_from(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
            Self::Es256(key) => p256::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
            Self::EdDsa(key) => ed25519_dalek::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok()),
        }
    }
}

/// The private Ed25519 key that signs Rondo's own tokens if only auth shall be able to issue them.
pub struct SigningKey {
    key: ed25519_dalek::SigningKey,
    kid: Option<String>,
}

impl SigningKey {
    /// Reads a private JWK (RFC 8037, section 2).
    ///
    /// # Errors
    /// If it is not a private Ed25519 key.
    pub fn read(text: &str) -> Result<Self, KeyError> {
        #[derive(Deserialize)]
        struct Private {
            d: String,
            #[serde(flatten)]
            public: Jwk,
        }
        let private: Private = serde_json::from_str(text).map_err(|_| KeyError::Malformed)?;
        if !private.public.fits(Algorithm::EdDsa) {
            return Err(KeyError::Unsupported);
        }
        let d = bytes(Some(&private.d))?.try_into().map_err(|_| KeyError::Malformed)?;
        Ok(Self { key: ed25519_dalek::SigningKey::from_bytes(&d), kid: private.public.kid })
    }

    /// Issues a token with these claims.
    #[must_use]
    pub fn sign(&self, claims: &Claims) -> String {
        let mut header = serde_json::json!({"alg": "EdDSA", "typ": "JWT"});
        if let Some(kid) = &self.kid {
            header["kid"] = kid.as_str().into();
        }
        let mut token = super::unsigned(&header.to_string(), claims);
        let signature = self.key.sign(token.as_bytes()).to_bytes();
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        token
    }
}

fn bytes(number: Option<&str>) -> Result<Vec<u8>, KeyError> {
    URL_SAFE_NO_PAD.decode(number.ok_or(KeyError::Malformed)?).map_err(|_| KeyError::Malformed)
}
