//! An OpenID provider on loopback, which publishes keys and signs tokens with them.

use std::fs::File;
use std::io::Read as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rsa::rand_core::{CryptoRng, Error, RngCore};
use rsa::signature::{SignatureEncoding as _, Signer as _};
use rsa::traits::PublicKeyParts as _;
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Maximum length of a request, in bytes.
const REQUEST_BYTES_MAX: usize = 8 * 1024;

/// A running provider; it ends when dropped.
pub struct Provider {
    /// Its issuer URL, which has the discovery document.
    pub url: String,
    published: Arc<Mutex<Option<Value>>>,
    _serving: JoinSet<()>,
}

impl Provider {
    /// Starts a provider that publishes no key.
    ///
    /// # Panics
    /// If loopback has no free port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port on loopback");
        let url = format!("http://{}", listener.local_addr().expect("a bound socket"));
        let published = Arc::new(Mutex::new(Some(json!({"keys": []}))));
        let mut serving = JoinSet::new();
        let (shared, issuer) = (published.clone(), url.clone());
        serving.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // A disconnected client is not an error.
                let _ = answer(stream, &issuer, &shared).await;
            }
        });
        Self { url, published, _serving: serving }
    }

    /// Publishes these keys and no others.
    pub fn publish(&self, keys: &[&Key]) {
        let keys: Vec<_> = keys.iter().map(|key| key.public.clone()).collect();
        *locked(&self.published) = Some(json!({"keys": keys}));
    }

    /// Answers with an error from now on.
    pub fn fail(&self) {
        *locked(&self.published) = None;
    }
}

fn locked(published: &Mutex<Option<Value>>) -> MutexGuard<'_, Option<Value>> {
    published.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn answer(
    mut stream: TcpStream,
    issuer: &str,
    published: &Mutex<Option<Value>>,
) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") && request.len() < REQUEST_BYTES_MAX {
        request.push(stream.read_u8().await?);
    }
    let discovery = b"GET /.well-known/openid-configuration ";
    let body = if request.starts_with(discovery) {
        Some(json!({"issuer": issuer, "jwks_uri": format!("{issuer}/keys")}))
    } else {
        locked(published).clone()
    };
    let (status, body) = match body {
        Some(body) => ("200 OK", body.to_string()),
        None => ("503 Service Unavailable", String::new()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await
}

/// A key that signs tokens with one algorithm.
pub struct Key {
    private: Private,
    /// As a provider publishes it.
    pub public: Value,
}

enum Private {
    Rs256(Box<rsa::pkcs1v15::SigningKey<Sha256>>),
    Es256(p256::ecdsa::SigningKey),
    EdDsa(ed25519_dalek::SigningKey),
}

impl Key {
    /// An RSA key, for RS256.
    ///
    /// # Panics
    /// If the system has no random numbers.
    #[must_use]
    pub fn rsa(kid: &str) -> Self {
        let key = rsa::RsaPrivateKey::new(&mut System::open(), 2048).expect("a key");
        let (n, e) = (key.n().to_bytes_be(), key.e().to_bytes_be());
        let public = json!({"kty": "RSA", "kid": kid, "use": "sig", "alg": "RS256",
                            "n": encoded(&n), "e": encoded(&e)});
        Self { private: Private::Rs256(Box::new(rsa::pkcs1v15::SigningKey::new(key))), public }
    }

    /// A key on the curve P-256, for ES256.
    ///
    /// # Panics
    /// If the system has no random numbers.
    #[must_use]
    pub fn p256(kid: &str) -> Self {
        let key = p256::ecdsa::SigningKey::random(&mut System::open());
        let point = key.verifying_key().to_encoded_point(false);
        let number = |number: Option<&p256::FieldBytes>| encoded(number.expect("a coordinate"));
        let public = json!({"kty": "EC", "crv": "P-256", "kid": kid,
                            "x": number(point.x()), "y": number(point.y())});
        Self { private: Private::Es256(key), public }
    }

    /// An Ed25519 key, for EdDSA, and its private JWK.
    ///
    /// # Panics
    /// If the system has no random numbers.
    #[must_use]
    pub fn ed25519(kid: &str) -> (Self, Value) {
        let mut seed = [0; 32];
        System::open().fill_bytes(&mut seed);
        let key = ed25519_dalek::SigningKey::from_bytes(&seed);
        let public = json!({"kty": "OKP", "crv": "Ed25519", "kid": kid,
                            "x": encoded(&key.verifying_key().to_bytes())});
        let mut private = public.clone();
        private["d"] = encoded(&seed).into();
        (Self { private: Private::EdDsa(key), public }, private)
    }

    /// A token with these claims.
    #[must_use]
    pub fn sign(&self, claims: &Value) -> String {
        let algorithm = match &self.private {
            Private::Rs256(_) => "RS256",
            Private::Es256(_) => "ES256",
            Private::EdDsa(_) => "EdDSA",
        };
        let header = json!({"alg": algorithm, "typ": "JWT", "kid": self.public["kid"]});
        let signed = format!(
            "{}.{}",
            encoded(header.to_string().as_bytes()),
            encoded(claims.to_string().as_bytes())
        );
        let message = signed.as_bytes();
        let signature = match &self.private {
            Private::Rs256(key) => key.sign(message).to_vec(),
            Private::Es256(key) => {
                let signature: p256::ecdsa::Signature = key.sign(message);
                signature.to_vec()
            }
            Private::EdDsa(key) => key.sign(message).to_vec(),
        };
        format!("{signed}.{}", encoded(&signature))
    }
}

fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The system's random numbers, in the interface of the key generators.
struct System(File);

impl System {
    fn open() -> Self {
        Self(File::open("/dev/urandom").expect("the system's random numbers"))
    }
}

impl CryptoRng for System {}

impl RngCore for System {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.fill_bytes(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill_bytes(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        self.0.read_exact(bytes).expect("the system's random numbers");
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}
