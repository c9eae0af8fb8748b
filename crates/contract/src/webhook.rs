//! Webhooks on the wire: the types to subscribe to, and the headers and signature of the Standard Webhooks
//! specification, version 1.0.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use crate::event::EVENTS;

/// Identifies the event; the same at every attempt.
pub const ID_HEADER: &str = "webhook-id";
/// When the attempt was made, in seconds since 1970.
pub const TIMESTAMP_HEADER: &str = "webhook-timestamp";
/// One signature, or several separated by spaces.
pub const SIGNATURE_HEADER: &str = "webhook-signature";

/// Maximum number of webhooks per user.
pub const WEBHOOKS_MAX: i64 = 10;
/// Random bytes of a secret.
pub const SECRET_BYTES: usize = 32;
/// How long a replaced secret still signs beside the new one, in seconds: a day.
pub const SECRET_OVERLAP_S: i64 = 24 * 60 * 60;
/// Waits between the attempts of a delivery, in seconds: those of the Standard Webhooks specification.
pub const RETRY_WAITS_S: [u32; 9] =
    [5, 5 * 60, 30 * 60, 2 * 3_600, 5 * 3_600, 10 * 3_600, 14 * 3_600, 20 * 3_600, 24 * 3_600];
/// Why a webhook is disabled.
pub const DISABLED_REASONS: [&str; 4] = ["owner", "gone", "failing", "recovery"];
/// What has become of a delivery.
pub const DELIVERY_STATUSES: [&str; 4] = ["pending", "delivered", "failed", "cancelled"];
/// How long deliveries are remembered, in days: an event that is older is not delivered again.
pub const DELIVERY_DAYS: u16 = 30;
/// Prefix of a secret.
const SECRET_PREFIX: &str = "whsec_";
/// The kind of signature: HMAC-SHA256.
const SIGNATURE_VERSION: &str = "v1";

/// The type of a test delivery, which no topic carries.
pub const TEST_TYPE: &str = "webhook.test";

/// The names of the types that a webhook can subscribe to.
pub static EVENT_NAMES: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    EVENTS.iter().filter(|facts| facts.is_for_webhooks).map(|facts| facts.name).collect()
});

/// A secret in the form in which it is handed out and stored: `whsec_` and base64.
#[must_use]
pub fn secret(random: &[u8; SECRET_BYTES]) -> String {
    format!("{SECRET_PREFIX}{}", STANDARD.encode(random))
}

/// The signature of a delivery: HMAC-SHA256 over `id.timestamp.body`. None if the secret does not have the
/// form of [`secret`].
#[must_use]
pub fn signature(secret: &str, id: &str, timestamp_s: i64, body: &[u8]) -> Option<String> {
    let key = STANDARD.decode(secret.strip_prefix(SECRET_PREFIX)?).ok()?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
    mac.update(format!("{id}.{timestamp_s}.").as_bytes());
    mac.update(body);
    Some(format!("{SIGNATURE_VERSION},{}", STANDARD.encode(mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's reference libraries.
    #[test]
    fn signatures() {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let (id, timestamp_s) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330);
        let signed = signature(secret, id, timestamp_s, br#"{"test": 2432232314}"#);
        let expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(signed.as_deref(), Some(expected));
        assert_eq!(signature("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", id, timestamp_s, b""), None);
        assert_eq!(signature("whsec_?", id, timestamp_s, b""), None);
    }

    #[test]
    fn secrets() {
        let made = secret(&[0xff; SECRET_BYTES]);
        assert_eq!(made, "whsec_//////////////////////////////////////////8=");
        assert!(signature(&made, "id", 1, b"body").is_some());
    }
}
