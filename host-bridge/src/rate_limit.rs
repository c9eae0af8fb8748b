//! Rate limits of the one origin of `rondo up`: by user and by address, in this process, where each
//! request passes. Elsewhere the ingress has them.
//!
//! Each holder has a bucket of a minute's requests that fills steadily (GCRA). Answers say how one
//! stands by the fields of draft-ietf-httpapi-ratelimit-headers-10, and 429 says when to come back.

use std::hash::{BuildHasher as _, RandomState};
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use rondo_contract::address::{self, TrustedProxies};
use ws_sync::Keys;

/// Requests in a minute that a user, and an address, may make unless set otherwise: more than a
/// person with several devices makes, and a household or a small office.
const USER_PER_MINUTE: u32 = 3_000;
const ADDRESS_PER_MINUTE: u32 = 6_000;
const WINDOW_S: u64 = 60;
/// Holders that are remembered before those with a full bucket are forgotten, and how often, in
/// requests, that is looked at.
const HOLDERS_MAX: usize = 100_000;
const LOOK_REQUESTS: u32 = 1_024;

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const STANDING: HeaderName = HeaderName::from_static("ratelimit");
const FORWARDED_FOR: &str = "x-forwarded-for";

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

/// Whose requests are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Holder {
    /// An address as [`address::client`] tells it.
    Address(String),
    User(i64),
    /// Another token, by its hash: whose it is, only the components find out.
    Token(u64),
}

/// One kind of bucket.
struct Buckets {
    name: &'static str,
    per_minute: NonZeroU32,
    limiter:
        RateLimiter<Holder, HashMapStateStore<Holder>, DefaultClock, StateInformationMiddleware>,
    clock: DefaultClock,
}

/// The limits, and how every holder stands.
pub struct RateLimits {
    users: Buckets,
    addresses: Buckets,
    keys: Keys,
    trusted: TrustedProxies,
    hasher: RandomState,
    requests: AtomicU32,
}

/// How a request's holders stand: fields for its answer.
#[derive(Debug, Default)]
pub struct Standing {
    policies: Vec<String>,
    standings: Vec<String>,
    /// Seconds until the next request is let through, when this one is not.
    pub refused_s: Option<u64>,
}

impl RateLimits {
    /// None when they are off. `keys` tell whose a token of our own is, for a forged one must not
    /// use up what its user has.
    #[must_use]
    pub fn new(setting: RateSetting, keys: Keys, trusted: TrustedProxies) -> Option<Self> {
        let RateSetting::PerMinute { user, address } = setting else { return None };
        Some(Self {
            users: Buckets::new("user", user),
            addresses: Buckets::new("address", address),
            keys,
            trusted,
            hasher: RandomState::new(),
            requests: AtomicU32::new(0),
        })
    }

    /// Counts a request.
    #[must_use]
    pub fn count(&self, peer: Option<SocketAddr>, headers: &HeaderMap) -> Standing {
        self.forget();
        let mut standing = Standing::default();
        let forwarded: Vec<&str> =
            headers.get_all(FORWARDED_FOR).iter().filter_map(|line| line.to_str().ok()).collect();
        let peer = peer.map(|peer| peer.to_string()).unwrap_or_default();
        if let Some(client) = address::client(&peer, &forwarded.join(","), &self.trusted) {
            self.addresses.count(Holder::Address(client), &mut standing);
        }
        // Who is refused by address has not used a user's share.
        if standing.refused_s.is_none()
            && let Some(holder) = self.bearer(headers)
        {
            self.users.count(holder, &mut standing);
        }
        standing
    }

    fn bearer(&self, headers: &HeaderMap) -> Option<Holder> {
        let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let (scheme, token) = value.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let token = token.trim();
        let now_s = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
        Some(match self.keys.own_claims(token, i64::try_from(now_s).ok()?) {
            Some(claims) => Holder::User(claims.user_id),
            None => Holder::Token(self.hasher.hash_one(token)),
        })
    }

    /// Keeps the memory bounded: a holder with a full bucket is as good as a new one.
    fn forget(&self) {
        if !self.requests.fetch_add(1, Ordering::Relaxed).is_multiple_of(LOOK_REQUESTS) {
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
    fn new(name: &'static str, per_minute: NonZeroU32) -> Self {
        let limiter = RateLimiter::hashmap(Quota::per_minute(per_minute)).with_middleware();
        Self { name, per_minute, limiter, clock: DefaultClock::default() }
    }

    fn count(&self, holder: Holder, standing: &mut Standing) {
        let quota = u64::from(self.per_minute.get());
        let (left, full_in_s) = match self.limiter.check_key(&holder) {
            Ok(state) => {
                let left = u64::from(state.remaining_burst_capacity());
                (left, (quota.saturating_sub(left) * WINDOW_S).div_ceil(quota))
            }
            Err(until) => {
                let wait = until.wait_time_from(self.clock.now());
                standing.refused_s = Some(wait.as_secs() + 1);
                (0, WINDOW_S)
            }
        };
        let Self { name, .. } = self;
        standing.policies.push(format!("\"{name}\";q={quota};w={WINDOW_S}"));
        standing.standings.push(format!("\"{name}\";r={left};t={full_in_s}"));
    }
}

impl Standing {
    /// Writes the fields into an answer.
    pub fn write(&self, headers: &mut HeaderMap) {
        for (name, parts) in [(POLICY, &self.policies), (STANDING, &self.standings)] {
            if !parts.is_empty()
                && let Ok(value) = HeaderValue::try_from(parts.join(", "))
            {
                headers.insert(name, value);
            }
        }
        if let Some(seconds) = self.refused_s {
            headers.insert(header::RETRY_AFTER, seconds.into());
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

    fn limits(setting: &str, trusted: &str) -> RateLimits {
        let own = read_document(&format!(r#"{{"keys":[{PUBLIC}]}}"#)).unwrap();
        let keys = Keys { own, ..Keys::from(HmacKey::new(SECRET).unwrap()) };
        let trusted = TrustedProxies::parse(trusted).unwrap();
        RateLimits::new(setting.parse().unwrap(), keys, trusted).unwrap()
    }

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    fn peer(text: &str) -> Option<SocketAddr> {
        Some(text.parse().unwrap())
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
    fn an_address_is_stopped_and_told_when_to_come_back_and_others_go_on() {
        let limits = limits("address=2,user=100", "");
        let none = HeaderMap::new();
        let mut fields = HeaderMap::new();
        let first = limits.count(peer("192.0.2.1:5000"), &none);
        first.write(&mut fields);
        assert_eq!(fields["ratelimit-policy"], "\"address\";q=2;w=60");
        assert_eq!(fields["ratelimit"], "\"address\";r=1;t=30");
        assert!(!fields.contains_key("retry-after"));
        assert_eq!(limits.count(peer("192.0.2.1:6000"), &none).refused_s, None);
        let refused = limits.count(peer("192.0.2.1:7000"), &none);
        assert!((1..=31).contains(&refused.refused_s.unwrap()), "{refused:?}");
        refused.write(&mut fields);
        assert_eq!(fields["ratelimit"], "\"address\";r=0;t=60");
        assert!(fields.contains_key("retry-after"));
        assert_eq!(limits.count(peer("192.0.2.2:5000"), &none).refused_s, None);
    }

    #[test]
    fn what_a_client_says_of_its_address_counts_only_behind_a_trusted_proxy() {
        let forged = |n: u32| headers(&[("x-forwarded-for", &format!("198.51.100.{n}"))]);
        let alone = limits("address=1", "");
        assert_eq!(alone.count(peer("192.0.2.1:1"), &forged(1)).refused_s, None);
        assert!(alone.count(peer("192.0.2.1:2"), &forged(2)).refused_s.is_some());
        let behind = limits("address=1", "192.0.2.0/24");
        assert_eq!(behind.count(peer("192.0.2.1:1"), &forged(1)).refused_s, None);
        assert_eq!(behind.count(peer("192.0.2.1:1"), &forged(2)).refused_s, None);
        assert!(behind.count(peer("192.0.2.1:1"), &forged(2)).refused_s.is_some());
    }

    #[test]
    fn a_user_is_counted_over_all_tokens_and_a_forged_token_uses_up_nothing() {
        let limits = limits("user=1", "");
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
        let from = |n: u32| peer(&format!("192.0.2.{n}:1"));
        assert_eq!(limits.count(from(1), &forged).refused_s, None);
        assert_eq!(limits.count(from(2), &bearer(SECRET, now_s)).refused_s, None);
        assert!(limits.count(from(3), &bearer(SECRET, now_s - 1)).refused_s.is_some());
        let private = PUBLIC.replace('}', r#","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}"#);
        let token = SigningKey::read(&private).unwrap().sign(&claims(now_s));
        assert!(limits.count(from(4), &header(&token)).refused_s.is_some());
    }
}
