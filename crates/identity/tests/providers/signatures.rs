//! Who signed a token, and whether that counts.

use pgwarrant_identity::oidc::{Algorithm, Provider, Refused};
use serde_json::{Value, json};

use crate::issuer::Issuer;
use crate::keys::{SigningKey, base64, rsa_pkcs8, rsa_public_pem, sign_hs256};
use crate::oidc::{House, claims, header, now, settings};

#[tokio::test]
async fn every_algorithm_is_good_if_it_is_allowed() {
    let keys = [
        (SigningKey::rsa(2048), &["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"][..]),
        (SigningKey::p256(), &["ES256"]),
        (SigningKey::p384(), &["ES384"]),
        (SigningKey::ed25519(), &["EdDSA"]),
    ];
    let published: Vec<Value> = keys.iter().map(|(key, names)| key.jwk(names[0])).collect();
    let issuer = Issuer::start(&published).await;
    for (key, names) in &keys {
        for name in *names {
            let token = key.sign(&header(name, names[0]), &claims(&issuer).to_string());
            for allowed in Algorithm::ALL {
                let mut settings = settings(&issuer);
                settings.algorithms = vec![allowed];
                let outcome = Provider::new(settings).unwrap().verify(&token, "ada", now()).await;
                if allowed.name() == *name {
                    assert!(outcome.is_ok(), "{name}: {outcome:?}");
                } else {
                    assert_eq!(outcome, Err(Refused::Algorithm), "{name}");
                }
            }
        }
    }
}

#[tokio::test]
async fn headers_that_mean_something_else_are_refused() {
    let house = House::new().await;
    let provider = house.provider();
    let claims = claims(&house.issuer).to_string();
    for (header, expected) in [
        (json!({"alg": "none"}), Refused::Algorithm),
        (json!({"alg": "None", "kid": "k"}), Refused::Algorithm),
        (json!({"alg": "es256", "kid": "k"}), Refused::Algorithm),
        (json!({"alg": "HS256", "kid": "k"}), Refused::Algorithm),
        (json!({"alg": "ES256K", "kid": "k"}), Refused::Algorithm),
        (json!({"alg": "ES384", "kid": "k"}), Refused::Algorithm),
        (json!({"alg": ["ES256"], "kid": "k"}), Refused::Algorithm),
        (json!({"kid": "k"}), Refused::Algorithm),
        (json!({"alg": "ES256", "kid": "k", "crit": ["exp"], "exp": 1}), Refused::Header("crit")),
        (json!({"alg": "ES256", "kid": "k", "crit": []}), Refused::Header("crit")),
        (json!({"alg": "ES256", "kid": "k", "typ": "logout+jwt"}), Refused::Header("typ")),
        (json!({"alg": "ES256", "kid": "k", "typ": "dpop+jwt"}), Refused::Header("typ")),
        (json!({"alg": "ES256", "kid": "k", "typ": 7}), Refused::Header("typ")),
        (json!({"alg": "ES256", "kid": 7}), Refused::Header("kid")),
        (json!({"alg": "ES256", "kid": "x".repeat(257)}), Refused::Header("kid")),
        (json!({"alg": "ES256", "kid": "another"}), Refused::UnknownKey),
        (json!({"alg": "RS256", "kid": "k"}), Refused::UnknownKey),
        (json!({"alg": "EdDSA", "kid": "k"}), Refused::UnknownKey),
    ] {
        let token = house.key.sign(&header.to_string(), &claims);
        assert_eq!(provider.verify(&token, "ada", now()).await, Err(expected), "{header}");
    }
    for header in [
        json!({"alg": "ES256", "kid": "k"}),
        json!({"alg": "ES256"}),
        json!({"alg": "ES256", "kid": "k", "typ": "at+jwt"}),
        json!({"alg": "ES256", "kid": "k", "typ": "application/AT+JWT"}),
        // The word of whoever made the token.
        json!({"alg": "ES256", "kid": "k", "jku": "https://evil.example/keys", "x5c": ["…"]}),
    ] {
        let token = house.key.sign(&header.to_string(), &claims);
        assert!(provider.verify(&token, "ada", now()).await.is_ok(), "{header}");
    }
}

#[tokio::test]
async fn a_key_that_comes_with_the_token_is_not_used() {
    let house = House::new().await;
    let forger = SigningKey::p256();
    let header = json!({"alg": "ES256", "kid": "k", "jwk": forger.jwk("k")}).to_string();
    let token = forger.sign(&header, &claims(&house.issuer).to_string());
    assert_eq!(house.provider().verify(&token, "ada", now()).await, Err(Refused::Signature));
}

#[tokio::test]
async fn a_public_key_is_no_secret() {
    let pkcs8 = rsa_pkcs8(2048);
    let key = SigningKey::Rsa(ring::signature::RsaKeyPair::from_pkcs8(&pkcs8).unwrap());
    let jwk = key.jwk("k");
    let issuer = Issuer::start(std::slice::from_ref(&jwk)).await;
    let provider = Provider::new(settings(&issuer)).unwrap();
    let claims = claims(&issuer).to_string();
    let genuine = key.sign(&header("RS256", "k"), &claims);
    assert!(provider.verify(&genuine, "ada", now()).await.is_ok());
    let pem = rsa_public_pem(&pkcs8);
    for secret in [&pem[..], jwk["n"].as_str().unwrap().as_bytes(), jwk.to_string().as_bytes(), b""] {
        for algorithm in ["HS256", "RS256", "none"] {
            let token = sign_hs256(secret, &header(algorithm, "k"), &claims);
            let outcome = provider.verify(&token, "ada", now()).await;
            assert!(matches!(outcome, Err(Refused::Algorithm | Refused::Signature)), "{outcome:?}");
        }
    }
    let unsigned = format!("{}.{}.", base64(header("none", "k")), base64(&claims));
    assert_eq!(provider.verify(&unsigned, "ada", now()).await, Err(Refused::Algorithm));
}

#[tokio::test]
async fn a_signature_covers_every_byte() {
    let house = House::new().await;
    let provider = house.provider();
    let good = house.token(json!({}));
    let another = house.token(json!({"preferred_username": "root"}));
    let parts: Vec<&str> = good.split('.').collect();
    let swapped = format!("{}.{}.{}", parts[0], another.split('.').nth(1).unwrap(), parts[2]);
    assert_eq!(provider.verify(&swapped, "root", now()).await, Err(Refused::Signature));
    let forged = SigningKey::p256().sign(&header("ES256", "k"), &claims(&house.issuer).to_string());
    assert_eq!(provider.verify(&forged, "ada", now()).await, Err(Refused::Signature));
    for end in 0..good.len() {
        assert!(provider.verify(&good[..end], "ada", now()).await.is_err(), "cut at {end}");
    }
    for place in (0..good.len()).filter(|place| good.as_bytes()[*place] != b'.') {
        let mut bytes = good.clone().into_bytes();
        bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        assert!(provider.verify(&changed, "ada", now()).await.is_err(), "changed at {place}");
    }
}

#[tokio::test]
async fn keys_are_used_for_what_they_are_published_for() {
    let house = House::new().await;
    let weak = SigningKey::weak();
    let (rsa, other) = (SigningKey::rsa(2048), SigningKey::p256());
    let with = |key: &SigningKey, name: &str, value: Value| {
        let mut jwk = key.jwk("k");
        jwk[name] = value;
        jwk
    };
    let secret = json!({"kty": "oct", "kid": "k", "k": base64("secret")});
    let ec = &house.key;
    for (what, published, signer, algorithm, expected) in [
        ("for encryption", vec![with(ec, "use", json!("enc"))], ec, "ES256", Some(Refused::UnknownKey)),
        ("for nothing", vec![with(ec, "use", json!(null))], ec, "ES256", Some(Refused::UnknownKey)),
        ("for signatures", vec![with(ec, "use", json!("sig"))], ec, "ES256", None),
        ("to sign", vec![with(ec, "key_ops", json!(["sign"]))], ec, "ES256", Some(Refused::UnknownKey)),
        ("to verify", vec![with(ec, "key_ops", json!(["verify"]))], ec, "ES256", None),
        ("of a secret", vec![secret], ec, "ES256", Some(Refused::UnknownKey)),
        ("for PS256 only", vec![with(&rsa, "alg", json!("PS256"))], &rsa, "RS256", Some(Refused::UnknownKey)),
        ("for PS256", vec![with(&rsa, "alg", json!("PS256"))], &rsa, "PS256", None),
        (
            "for RSA-OAEP",
            vec![with(&rsa, "alg", json!("RSA-OAEP"))],
            &rsa,
            "RS256",
            Some(Refused::UnknownKey),
        ),
        ("too weak", vec![weak.jwk("k")], &weak, "RS256", Some(Refused::Signature)),
        ("two of one name", vec![ec.jwk("k"), other.jwk("k")], ec, "ES256", Some(Refused::UnknownKey)),
        ("two types of one name", vec![ec.jwk("k"), rsa.jwk("k")], ec, "ES256", None),
        (
            "with a wrong point",
            vec![with(ec, "x", json!(base64([1; 32])))],
            ec,
            "ES256",
            Some(Refused::Signature),
        ),
        (
            "with a short point",
            vec![with(ec, "x", json!(base64([1; 31])))],
            ec,
            "ES256",
            Some(Refused::UnknownKey),
        ),
        (
            "with another curve",
            vec![with(ec, "crv", json!("secp256k1"))],
            ec,
            "ES256",
            Some(Refused::UnknownKey),
        ),
        ("among nonsense", vec![json!(7), json!({}), ec.jwk("k")], ec, "ES256", None),
        ("nowhere", vec![], ec, "ES256", Some(Refused::UnknownKey)),
    ] {
        house.issuer.publish(&published);
        let token = signer.sign(&header(algorithm, "k"), &claims(&house.issuer).to_string());
        let outcome = house.provider().verify(&token, "ada", now()).await;
        assert_eq!(outcome.err(), expected, "{what}");
    }
    // A modulus that begins with a zero, as some issuers write it.
    let n = rsa.jwk("k")["n"].as_str().unwrap().to_owned();
    house.issuer.publish(&[with(&rsa, "n", json!(leading_zero(&n)))]);
    let token = rsa.sign(&header("RS256", "k"), &claims(&house.issuer).to_string());
    assert!(house.provider().verify(&token, "ada", now()).await.is_ok());
}

fn leading_zero(n: &str) -> String {
    use base64::Engine;
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(n).unwrap();
    base64([&[0][..], &bytes].concat())
}

#[tokio::test]
async fn without_a_name_the_key_must_be_the_only_one_that_fits() {
    let house = House::new().await;
    let token = house.key.sign(r#"{"alg":"ES256"}"#, &claims(&house.issuer).to_string());
    house.issuer.publish(&[house.key.jwk("a"), SigningKey::ed25519().jwk("b")]);
    assert!(house.provider().verify(&token, "ada", now()).await.is_ok());
    house.issuer.publish(&[house.key.jwk("a"), SigningKey::p256().jwk("b")]);
    assert_eq!(house.provider().verify(&token, "ada", now()).await, Err(Refused::UnknownKey));
}
