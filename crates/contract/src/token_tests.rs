use super::key::{Jwk, SigningKey, read_document};
use super::*;

const NOW_S: i64 = 1_900_000_000;

fn key(fill: u8) -> HmacKey {
    HmacKey::new(&[fill; SECRET_BYTES_MIN]).unwrap()
}

fn claims() -> Claims {
    Claims {
        user_id: 7,
        expires_at_s: NOW_S + 900,
        issued_at_s: NOW_S,
        scope: "tasks:read tasks:write".to_owned(),
    }
}

fn encoded(part: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(part)
}

/// A token with any header and payload, correctly signed with the secret.
fn signed(header: &str, payload: &str) -> String {
    let signed = format!("{}.{}", encoded(header), encoded(payload));
    let signature = key(1).0.chain_update(&signed).finalize().into_bytes();
    format!("{signed}.{}", encoded(signature))
}

#[test]
fn a_token_round_trips_until_it_expires() {
    let token = sign(&claims(), &key(1));
    assert_eq!(verify(&token, &key(1), NOW_S), Ok(claims()));
    assert_eq!(verify(&token, &key(1), NOW_S + 899), Ok(claims()));
    assert_eq!(verify(&token, &key(1), NOW_S + 900), Err(TokenError::Expired));
    assert_eq!(verify(&token, &key(1), NOW_S - 61), Err(TokenError::NotYetValid));
}

#[test]
fn malformed_and_forged_tokens_are_refused() {
    const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;
    let good = sign(&claims(), &key(1));
    let parts: Vec<&str> = good.split('.').collect();
    let none = format!("{}.{}.", encoded(r#"{"alg":"none"}"#), parts[1]);
    let payload = r#"{"sub":"7","exp":1900000900,"iat":1900000000,"iss":"rondo"}"#;
    let with = |more: &str| payload.replace('}', &format!(",{more}}}"));
    let cases = [
        (String::new(), TokenError::Malformed),
        ("a.b".to_owned(), TokenError::Malformed),
        (parts[..2].join("."), TokenError::Malformed),
        // Ten groups of four characters remain: well-formed, but two bytes short.
        (good[..good.len() - 3].to_owned(), TokenError::BadSignature),
        (sign(&claims(), &key(2)), TokenError::BadSignature),
        (format!("{good}{}", "A".repeat(TOKEN_BYTES_MAX)), TokenError::Malformed),
        (none, TokenError::Unsupported),
        (signed(r#"{"alg":"None"}"#, payload), TokenError::Unsupported),
        (signed(r#"{"alg":"hs256"}"#, payload), TokenError::Unsupported),
        (signed(r#"{"alg":"HS512"}"#, payload), TokenError::Unsupported),
        (signed(r#"{"alg":"RS256"}"#, payload), TokenError::Unsupported),
        (signed(r#"{"alg":"HS256","crit":["b64"]}"#, payload), TokenError::Unsupported),
        (signed(HEADER, &payload.replace("rondo", "other")), TokenError::WrongIssuer),
        (signed(HEADER, &payload.replace("\"7\"", "\"x\"")), TokenError::Malformed),
        (signed(HEADER, &payload.replace("\"7\"", "7")), TokenError::Malformed),
        (signed(HEADER, &payload.replace(r#""iat":1900000000,"#, "")), TokenError::Malformed),
        (signed(HEADER, &payload.replace(r#""exp":1900000900,"#, "")), TokenError::Malformed),
        (signed(HEADER, &payload.replace("1900000900", "\"1900000900\"")), TokenError::Malformed),
        (signed(HEADER, &with(r#""nbf":1900000061"#)), TokenError::NotYetValid),
        (signed(HEADER, "[]"), TokenError::Malformed),
        (signed(r#"{"alg":"HS256","typ":"logout+jwt"}"#, payload), TokenError::WrongKind),
        (signed(r#"{"alg":"HS256","typ":""}"#, payload), TokenError::WrongKind),
        (signed(r#"{"alg":"HS256","typ":7}"#, payload), TokenError::Malformed),
        (signed(HEADER, &with(r#""nonce":"n""#)), TokenError::WrongKind),
        (signed(HEADER, &with(r#""events":{}"#)), TokenError::WrongKind),
        (signed(HEADER, &with(r#""scope":7"#)), TokenError::Malformed),
    ];
    for (token, expected) in cases {
        assert_eq!(verify(&token, &key(1), NOW_S), Err(expected), "{token}");
    }
    assert!(verify(&signed(HEADER, &with(r#""nbf":1900000060.5"#)), &key(1), NOW_S).is_ok());
    for typ in ["jwt", "JWT", "at+jwt", "AT+JWT", "application/at+jwt", "Application/JWT"] {
        let header = format!(r#"{{"alg":"HS256","typ":"{typ}"}}"#);
        assert!(verify(&signed(&header, payload), &key(1), NOW_S).is_ok(), "{typ}");
    }
    assert_eq!(HmacKey::new(b"short").unwrap_err(), TokenError::WeakSecret);
}

/// The examples of RFC 7515 (appendix A.1 to A.3) and RFC 8037 (appendix A.4), with their keys.
/// Their payloads are not those of Rondo's tokens, which is noticed only after the signature.
const RFC_SECRET: &str =
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
const RFC_PAYLOAD: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
const RFC_KEYS: &str = r#"{"keys":[
    {"kty":"RSA","kid":"r","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"},
    {"kty":"EC","kid":"e","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"},
    {"kty":"OKP","kid":"o","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
    {"kty":"oct","kid":"s","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ"},
    {"kty":"RSA","kid":"enc","use":"enc","n":"AQAB","e":"AQAB"},
    {"kty":"EC","kid":"no point","crv":"P-256","x":"AAAA","y":"AAAA"},
    {"kty":"new","kid":"later"}
]}"#;

fn rfc_tokens() -> [(Algorithm, String); 3] {
    [
        (
            Algorithm::Rs256,
            format!(
                "eyJhbGciOiJSUzI1NiJ9.{RFC_PAYLOAD}.\
                 cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
            ),
        ),
        (
            Algorithm::Es256,
            format!(
                "eyJhbGciOiJFUzI1NiJ9.{RFC_PAYLOAD}.\
                 DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
            ),
        ),
        (
            Algorithm::EdDsa,
            "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.\
             hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
                .to_owned(),
        ),
    ]
}

#[test]
fn signatures_of_the_rfcs_examples_are_valid() {
    let secret = HmacKey::new(&URL_SAFE_NO_PAD.decode(RFC_SECRET).unwrap()).unwrap();
    let token = format!(
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{RFC_PAYLOAD}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    );
    assert_eq!(verify(&token, &secret, 0), Err(TokenError::Malformed));
    let keys = read_document(RFC_KEYS).unwrap();
    let kids: Vec<_> = keys.iter().filter_map(|key| key.kid.as_deref()).collect();
    assert_eq!(kids, ["r", "e", "o"], "unusable keys are skipped");
    for (algorithm, token) in rfc_tokens() {
        let presented = Presented::read(&token).unwrap();
        assert_eq!(presented.algorithm, algorithm);
        assert_eq!(presented.proven_by_key(&keys).err(), Some(TokenError::Malformed));
        // Any change of the signed text or the signature is noticed earlier.
        let (head, tail) = token.rsplit_once('.').unwrap();
        let changed = format!("{head}.{}", tail.replacen(&tail[3..4], "x", 1));
        for changed in [changed, token.replacen(".e", ".f", 1).replacen(".R", ".S", 1)] {
            let presented = Presented::read(&changed).unwrap();
            assert_eq!(presented.proven_by_key(&keys).err(), Some(TokenError::BadSignature));
        }
    }
}

/// A new Ed25519 key, with its public half as a provider publishes it.
fn ed25519(seed: u8, kid: &str) -> (SigningKey, Jwk) {
    let public = ed25519_dalek::SigningKey::from_bytes(&[seed; 32]).verifying_key().to_bytes();
    let mut jwk = serde_json::json!(
        {"kty": "OKP", "crv": "Ed25519", "kid": kid, "alg": "EdDSA", "x": encoded(public)}
    );
    let public: Jwk = serde_json::from_value(jwk.clone()).unwrap();
    jwk["d"] = encoded([seed; 32]).into();
    (SigningKey::read(&jwk.to_string()).unwrap(), public)
}

#[test]
fn keys_are_selected_by_id_and_fix_their_algorithm() {
    let (old, old_public) = ed25519(1, "old");
    let (new, new_public) = ed25519(2, "new");
    let both = [old_public.clone(), new_public.clone()];
    let check = |token: &str, keys: &[Jwk], expected: Result<(), TokenError>| {
        let proven = Presented::read(token).and_then(|token| token.proven_by_key(keys));
        let claims = proven.and_then(|proven| proven.own(NOW_S));
        assert_eq!(claims.map(|claims| assert_eq!(claims, self::claims())), expected, "{token}");
    };
    let (by_old, by_new) = (old.sign(&claims()), new.sign(&claims()));
    // During a rotation both keys are valid; afterwards the old one is not.
    check(&by_old, &both, Ok(()));
    check(&by_new, &both, Ok(()));
    check(&by_old, &both[1..], Err(TokenError::UnknownKey));
    let renamed = Jwk { kid: Some("old".to_owned()), ..new_public.clone() };
    check(&by_old, &[renamed], Err(TokenError::BadSignature));
    // Without an id, a key is used only if no other fits.
    let (nameless, _) = by_old.split_once('.').unwrap();
    let nameless = by_old.replacen(nameless, &encoded(r#"{"alg":"EdDSA"}"#), 1);
    check(&nameless, &both, Err(TokenError::UnknownKey));
    check(&nameless, &both[..1], Err(TokenError::BadSignature));
    // A key fixes its algorithm; neither the token nor the document changes it.
    let rsa_by_name = Jwk { alg: Some("RS256".to_owned()), ..old_public.clone() };
    check(&by_old, &[rsa_by_name], Err(TokenError::UnknownKey));
    let encrypting = Jwk { usage: Some("enc".to_owned()), ..old_public.clone() };
    check(&by_old, &[encrypting], Err(TokenError::UnknownKey));
    // Algorithm confusion: an HMAC with a public key as its secret, which anybody can make.
    let public = old_public.x.clone().unwrap();
    let forged = sign(&claims(), &HmacKey::new(public.as_bytes()).unwrap());
    check(&forged, &both, Err(TokenError::UnknownKey));
    assert_eq!(verify(&by_old, &key(1), NOW_S), Err(TokenError::Unsupported));
}

#[test]
fn a_providers_token_must_be_meant_for_our_audience() {
    let provider = provider();
    let good = serde_json::json!({
        "iss": "https://id.example", "sub": "a|1", "aud": ["other", "rondo-api"],
        "exp": NOW_S + 60, "nbf": NOW_S, "scope": "openid tasks:read",
        "email": "a@example.org", "email_verified": true, "name": "A"
    });
    let check = |change: &dyn Fn(&mut Value), expected: Result<Option<&str>, TokenError>| {
        let mut payload = good.clone();
        change(&mut payload);
        let token = signed(r#"{"alg":"HS256"}"#, &payload.to_string());
        let proven = Presented::read(&token).unwrap().proven_by_secret(&key(1));
        let claims = proven.and_then(|proven| proven.of_provider(&provider, NOW_S));
        assert_eq!(claims.map(|claims| claims.email), expected.map(|e| e.map(str::to_owned)));
    };
    check(&|_| (), Ok(Some("a@example.org")));
    check(&|p| p["aud"] = "rondo-api".into(), Ok(Some("a@example.org")));
    check(&|p| p["email_verified"] = "true".into(), Ok(Some("a@example.org")));
    check(&|p| p["email_verified"] = false.into(), Ok(None));
    check(&|p| p["email_verified"] = Value::Null, Ok(None));
    check(&|p| p["aud"] = "other".into(), Err(TokenError::WrongAudience));
    check(&|p| p["aud"] = Value::Null, Err(TokenError::WrongAudience));
    check(&|p| p["iss"] = "https://id.example/".into(), Err(TokenError::WrongIssuer));
    check(&|p| p["iss"] = ISSUER.into(), Err(TokenError::WrongIssuer));
    check(&|p| p["exp"] = NOW_S.into(), Err(TokenError::Expired));
    check(&|p| p["nbf"] = (NOW_S + 61).into(), Err(TokenError::NotYetValid));
    check(&|p| p["sub"] = "".into(), Err(TokenError::Malformed));
    check(&|p| p["email"] = "a\0@b".into(), Ok(None));
}

fn provider() -> Provider {
    Provider {
        issuer: "https://id.example".to_owned(),
        audience: "rondo-api".to_owned(),
        default_scopes: Scopes::default(),
    }
}

/// The claims of a provider's token with this `typ` and these additional members.
fn claims_of_provider(typ: Option<&str>, members: Value) -> Result<ProviderClaims, TokenError> {
    let header = match typ {
        Some(typ) => serde_json::json!({"alg": "HS256", "typ": typ}),
        None => serde_json::json!({"alg": "HS256"}),
    };
    let mut payload = serde_json::json!(
        {"iss": "https://id.example", "sub": "a", "aud": "rondo-api", "exp": NOW_S + 60}
    );
    for (name, value) in members.as_object().unwrap() {
        payload[name] = value.clone();
    }
    let token = signed(&header.to_string(), &payload.to_string());
    let proven = Presented::read(&token)?.proven_by_secret(&key(1))?;
    proven.of_provider(&provider(), NOW_S)
}

#[test]
fn other_kinds_of_tokens_are_refused() {
    use serde_json::json;
    let check = |typ: Option<&str>, members: Value, is_taken: bool| {
        let expected = if is_taken { None } else { Some(TokenError::WrongKind) };
        assert_eq!(claims_of_provider(typ, members.clone()).err(), expected, "{typ:?} {members}");
    };
    check(None, json!({"nonce": null}), true);
    for claim in ["nonce", "at_hash", "c_hash"] {
        check(None, json!({claim: "x"}), false);
        check(Some("at+jwt"), json!({claim: "x"}), false);
    }
    let logout = json!({"http://schemas.openid.net/event/backchannel-logout": {}});
    check(None, json!({"events": logout}), false);
    check(Some("logout+jwt"), json!({}), false);
    check(Some("dpop+jwt"), json!({}), false);
    // Issued to a client on behalf of its subject.
    check(None, json!({"azp": "web"}), true);
    // Issued to its audience: an ID token, unless something proves otherwise.
    check(None, json!({"azp": "rondo-api"}), false);
    check(Some("JWT"), json!({"azp": "rondo-api", "scope": ""}), false);
    check(Some("at+jwt"), json!({"azp": "rondo-api"}), true);
    check(None, json!({"azp": "rondo-api", "client_id": "rondo-api"}), true);
    check(None, json!({"azp": "rondo-api", "scope": "openid"}), true);
}

#[test]
fn a_providers_scopes_have_several_forms() {
    use serde_json::json;
    let check = |members: Value, expected: Result<&str, TokenError>| {
        let claims = claims_of_provider(None, members.clone());
        let scope = claims.as_ref().map(|claims| claims.scope.as_str()).map_err(|error| *error);
        assert_eq!(scope, expected, "{members}");
    };
    check(json!({}), Ok(""));
    check(json!({"scope": "openid tasks:read"}), Ok("openid tasks:read"));
    check(json!({"scope": ["openid", "tasks:read"]}), Ok("openid tasks:read"));
    check(json!({"scp": "tasks:read  tasks:write"}), Ok("tasks:read tasks:write"));
    check(json!({"scp": ["tasks:read"], "scope": null}), Ok("tasks:read"));
    check(json!({"scp": ["tasks:read"], "scope": "openid"}), Ok("openid tasks:read"));
    check(json!({"scope": 7}), Err(TokenError::Malformed));
    check(json!({"scp": [7]}), Err(TokenError::Malformed));
}

#[test]
fn the_kind_of_key_that_a_token_needs() {
    let check = |algorithm: &str, issuer: &str, expected: Source| {
        let header = serde_json::json!({"alg": algorithm}).to_string();
        let payload = serde_json::json!({"iss": issuer, "sub": "7", "exp": 1}).to_string();
        let token = signed(&header, &payload);
        assert_eq!(Presented::read(&token).unwrap().source(), Ok(expected), "{algorithm} {issuer}");
    };
    let provider =
        || Source::Provider { issuer: "https://id.example".to_owned(), subject: "7".to_owned() };
    check("HS256", ISSUER, Source::Secret);
    // The secret proves only Rondo's own tokens, which is noticed after the signature.
    check("HS256", "https://id.example", Source::Secret);
    check("EdDSA", ISSUER, Source::OwnKey);
    check("RS256", ISSUER, Source::OwnKey);
    check("RS256", "https://id.example", provider());
    check("ES256", "https://id.example", provider());
}

#[test]
fn rsa_keys_have_bounds() {
    let jwk = |n: Vec<u8>| Jwk {
        kty: "RSA".to_owned(),
        kid: None,
        alg: None,
        usage: None,
        crv: None,
        x: None,
        y: None,
        n: Some(encoded(n)),
        e: Some("AQAB".to_owned()),
    };
    assert!(jwk(vec![0xff; 256]).public_key().is_ok());
    assert!(jwk(vec![0xff; 512]).public_key().is_ok());
    assert!(jwk(vec![0xff; 128]).public_key().is_err());
    assert!(jwk(vec![0xff; 513]).public_key().is_err());
    assert!(jwk(Vec::new()).public_key().is_err());
}

#[test]
fn the_user_and_scopes_of_a_token() {
    use super::check::{Check, Grant, Keys, ProviderRecord};
    use ed25519_dalek::Signer as _;

    let (own, own_public) = ed25519(1, "own");
    let (_, provider_public) = ed25519(2, "theirs");
    let all = Keys { secret: Some(key(1)), own: vec![own_public], provider: Some(provider()) };
    let scopes = Scopes::of_token("tasks:read tasks:write");
    let grant = |user_id, scopes, issued_at_s| Grant {
        user_id,
        scopes,
        issued_at_s,
        expires_at_s: NOW_S + 900,
    };
    let valid = |keys: &Keys, token: &str| match keys.check(token, NOW_S) {
        Check::Valid(grant) => Some(grant),
        Check::Invalid => None,
        Check::Provider(_) => panic!("{token} is not the provider's"),
    };
    let by_secret = sign(&claims(), &key(1));
    let by_own_key = own.sign(&claims());
    for token in [&by_secret, &by_own_key] {
        assert_eq!(valid(&all, token), Some(grant(7, scopes, NOW_S)));
        assert_eq!(valid(&Keys::default(), token), None, "no key");
    }
    assert_eq!(valid(&all, &sign(&claims(), &key(2))), None);
    assert_eq!(valid(&all, "no token"), None);

    let payload = serde_json::json!({
        "iss": "https://id.example", "sub": "a", "aud": "rondo-api", "exp": NOW_S + 900,
        "scope": "tasks:read",
    });
    let head = encoded(r#"{"alg":"EdDSA","kid":"theirs"}"#);
    let signed = format!("{head}.{}", encoded(payload.to_string()));
    let signature = ed25519_dalek::SigningKey::from_bytes(&[2; 32]).sign(signed.as_bytes());
    let theirs = format!("{signed}.{}", encoded(signature.to_bytes()));
    assert_eq!(valid(&Keys { provider: None, ..all.clone() }, &theirs), None);
    let Check::Provider(token) = all.check(&theirs, NOW_S) else { panic!("the provider's") };
    assert_eq!((token.subject.as_str(), token.key_id()), ("a", Some("theirs")));
    let record =
        |keys| ProviderRecord { keys, user_id: Some(9), granted_scopes: "admin".to_owned() };
    assert!(token.prove(&record(all.own.clone())).is_none());
    let login = token.prove(&record(vec![provider_public])).unwrap();
    assert_eq!((login.user_id, login.claims.subject.as_str()), (Some(9), "a"));
    let granted = Scopes::of_provider("tasks:read", "admin", Scopes::default());
    assert_eq!(login.grant(9), grant(9, granted, 0));
}
