//! Rate limits of `rondo up`, by user and by address. In other deployments the ingress has them.
//!
//! Each holder has a bucket of a minute's requests that refills steadily (GCRA). Responses report its state
//! in the fields of draft-ietf-httpapi-ratelimit-headers-10; 429 says when to retry.

use std::hash::{BuildHasher as _, RandomState};
use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use rondo_contract::token::check::{Check, Keys};
use rondo_wasm_host::client::Client;

use crate::refusal::{RATE_ADDRESS, RATE_USER, Reason};

/// Default requests per minute of a user and of an address: more than a person with several devices needs,
/// and a household or a small office.
const USER_PER_MINUTE: u32 = 3_000;
const ADDRESS_PER_MINUTE: u32 = 6_000;
const WINDOW_S: u64 = 60;
/// Holders kept before those with a full bucket are dropped, and the interval of that check, in requests.
const HOLDERS_MAX: usize = 100_000;
const CHECK_REQUESTS: u32 = 1_024;

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// The setting `RATE_LIMITS`: `off`, or requests in a minute such as `user=3000,address=6000`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateSetting {
    Off,
    PerMinute { user: NonZeroU32, address: NonZeroU32 },
}

impl FromStr for RateSetting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "off" {
            return Ok(Self::Off);
        }
        let (mut user, mut address) = (USER_PER_MINUTE, ADDRESS_PER_MINUTE);
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let malformed =
                || format!("{part:?} is not off, user=N or address=N with N requests in a minute");
            let (name, number) = part.split_once('=').ok_or_else(malformed)?;
            let number = number.parse().map_err(|_| malformed())?;
            match name {
                "user" => user = number,
                "address" => address = number,
                _ => return Err(malformed()),
            }
        }
        let some = |number, name| {
            NonZeroU32::new(number).ok_or_else(|| format!("{name}=0 would refuse every request"))
        };
        Ok(Self::PerMinute { user: some(user, "user")?, address: some(address, "address")? })
    }
}

/// The owner of a bucket.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Holder {
    Address(Client),
    User(i64),
    /// Another token, by its hash: only the components can tell its user.
    Token(u64),
}

/// The buckets of one kind of holder.
struct Buckets {
    name: &'static str,
    /// Why a request without a token is refused.
    reason: Reason,
    per_minute: NonZeroU32,
    limiter:
        RateLimiter<Holder, HashMapStateStore<Holder>, DefaultClock, StateInformationMiddleware>,
    clock: DefaultClock,
}

/// The limits, with the buckets of all holders.
pub struct RateLimits {
    users: Buckets,
    addresses: Buckets,
    keys: Keys,
    hasher: RandomState,
    requests: AtomicU32,
}

/// The state of a request's quotas, for the fields of its response.
#[derive(Debug, Default)]
pub struct QuotaStatus {
    policies: Vec<String>,
    limits: Vec<String>,
    /// Set when the request is refused.
    pub refused: Option<Refused>,
}

/// Why a request is refused, and how long until the next one may pass.
#[derive(Debug)]
pub struct Refused {
    pub reason: Reason,
    pub wait_s: u64,
}

impl RateLimits {
    /// None if the limits are off. `keys` verify our own tokens, so that a forged token can't spend its
    /// victim's quota.
    #[must_use]
    pub fn new(setting: RateSetting, keys: Keys) -> Option<Self> {
        let RateSetting::PerMinute { user, address } = setting else { return None };
        Some(Self {
            users: Buckets::new("user", RATE_USER, user),
            addresses: Buckets::new("address", RATE_ADDRESS, address),
            keys,
            hasher: RandomState::new(),
            requests: AtomicU32::new(0),
        })
    }

    /// Counts a request.
    #[must_use]
    pub fn count(&self, client: Option<&Client>, headers: &HeaderMap) -> QuotaStatus {
        self.forget();
        let mut status = QuotaStatus::default();
        if let Some(client) = client {
            self.addresses.count(Holder::Address(client.clone()), &mut status);
        }
        // A request refused by address doesn't spend the user's quota.
        if status.refused.is_none()
            && let Some(holder) = self.bearer(headers)
        {
            self.users.count(holder, &mut status);
        }
        status
    }

    fn bearer(&self, headers: &HeaderMap) -> Option<Holder> {
        let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let (scheme, token) = value.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let token = token.trim();
        let now_s = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
        Some(match self.keys.check(token, i64::try_from(now_s).ok()?) {
            Check::Valid(grant) => Holder::User(grant.user_id),
            Check::Provider(_) | Check::Invalid => Holder::Token(self.hasher.hash_one(token)),
        })
    }

    /// Bounds the memory: a holder with a full bucket needs no entry.
    fn forget(&self) {
        if !self.requests.fetch_add(1, Ordering::Relaxed).is_multiple_of(CHECK_REQUESTS) {
            return;
        }
        for buckets in [&self.users, &self.addresses] {
            if buckets.limiter.len() > HOLDERS_MAX {
                buckets.limiter.retain_recent();
                buckets.limiter.shrink_to_fit();
            }
        }
    }
}

impl Buckets {
    fn new(name: &'static str, reason: Reason, per_minute: NonZeroU32) -> Self {
        let limiter = RateLimiter::hashmap(Quota::per_minute(per_minute)).with_middleware();
        Self { name, reason, per_minute, limiter, clock: DefaultClock::default() }
    }

    fn count(&self, holder: Holder, status: &mut QuotaStatus) {
        let quota = u64::from(self.per_minute.get());
        let (left, full_in_s) = match self.limiter.check_key(&holder) {
            Ok(state) => {
                let left = u64::from(state.remaining_burst_capacity());
                (left, (quota.saturating_sub(left) * WINDOW_S).div_ceil(quota))
            }
            Err(until) => {
                let wait = until.wait_time_from(self.clock.now());
                let (reason, wait_s) = (self.reason, wait.as_secs() + 1);
                status.refused = Some(Refused { reason, wait_s });
                (0, WINDOW_S)
            }
        };
        let Self { name, .. } = self;
        status.policies.push(format!("\"{name}\";q={quota};w={WINDOW_S}"));
        status.limits.push(format!("\"{name}\";r={left};t={full_in_s}"));
    }
}

impl QuotaStatus {
    /// Writes the fields of a response.
    pub fn write(&self, headers: &mut HeaderMap) {
        for (name, parts) in [(POLICY, &self.policies), (LIMIT, &self.limits)] {
            if !parts.is_empty()
                && let Ok(value) = HeaderValue::try_from(parts.join(", "))
            {
                headers.insert(name, value);
            }
        }
        if let Some(refused) = &self.refused {
            headers.insert(header::RETRY_AFTER, refused.wait_s.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use rondo_contract::token::key::{SigningKey, read_document};
    use rondo_contract::token::{self, HmacKey};

    use super::*;

    const SECRET: &[u8] = b"a secret of thirty-two bytes....";
    /// The key of RFC 8037, appendix A.
    const PUBLIC: &str =
        r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

    fn limits(setting: &str) -> RateLimits {
        let own = read_document(&format!(r#"{{"keys":[{PUBLIC}]}}"#)).unwrap();
        let keys = Keys { own, ..Keys::from(HmacKey::new(SECRET).unwrap()) };
        RateLimits::new(setting.parse().unwrap(), keys).unwrap()
    }

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    fn from(host: u32) -> Client {
        Client(format!("192.0.2.{host}").into())
    }

    #[test]
    fn settings() {
        let read = |text: &str| text.parse::<RateSetting>();
        let per_minute = |user: u32, address: u32| {
            Ok(RateSetting::PerMinute {
                user: user.try_into().unwrap(),
                address: address.try_into().unwrap(),
            })
        };
        assert_eq!(read("off"), Ok(RateSetting::Off));
        assert_eq!(read(""), per_minute(USER_PER_MINUTE, ADDRESS_PER_MINUTE));
        assert_eq!(read("user=5"), per_minute(5, ADDRESS_PER_MINUTE));
        assert_eq!(read("address=7, user=5"), per_minute(5, 7));
        for bad in ["on", "user", "user=", "user=0", "user=-1", "users=5", "user=5;address=6"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_exhausted_address_learns_when_to_retry_and_others_pass() {
        let limits = limits("address=2,user=100");
        let none = HeaderMap::new();
        let mut fields = HeaderMap::new();
        let first = limits.count(Some(&from(1)), &none);
        first.write(&mut fields);
        assert_eq!(fields["ratelimit-policy"], "\"address\";q=2;w=60");
        assert_eq!(fields["ratelimit"], "\"address\";r=1;t=30");
        assert!(!fields.contains_key("retry-after"));
        assert!(limits.count(Some(&from(1)), &none).refused.is_none());
        let status = limits.count(Some(&from(1)), &none);
        let refused = status.refused.as_ref().unwrap();
        assert!(
            (1..=31).contains(&refused.wait_s) && refused.reason == RATE_ADDRESS,
            "{refused:?}"
        );
        status.write(&mut fields);
        assert_eq!(fields["ratelimit"], "\"address\";r=0;t=60");
        assert!(fields.contains_key("retry-after"));
        assert!(limits.count(Some(&from(2)), &none).refused.is_none());
    }

    #[test]
    fn a_user_is_counted_over_all_tokens_and_a_forged_token_spends_nothing() {
        let limits = limits("user=1");
        let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs());
        let now_s = now.unwrap();
        let claims = |issued_at_s| token::Claims {
            user_id: 7,
            issued_at_s,
            expires_at_s: now_s + 60,
            scope: "tasks:read".to_owned(),
        };
        let header = |token: &str| headers(&[("authorization", &format!("Bearer {token}"))]);
        let bearer = |secret: &[u8], issued_at_s| {
            header(&token::sign(&claims(issued_at_s), &HmacKey::new(secret).unwrap()))
        };
        let forged = bearer(b"another secret of more than 32 bytes", now_s);
        let refused = |host, headers: &HeaderMap| limits.count(Some(&from(host)), headers).refused;
        assert!(refused(1, &forged).is_none());
        assert!(refused(2, &bearer(SECRET, now_s)).is_none());
        let again = refused(3, &bearer(SECRET, now_s - 1)).unwrap();
        assert_eq!(again.reason, RATE_USER);
        let private = PUBLIC.replace('}', r#","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}"#);
        let token = SigningKey::read(&private).unwrap().sign(&claims(now_s));
        assert!(refused(4, &header(&token)).is_some());
    }
}
