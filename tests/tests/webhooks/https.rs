//! Receivers over HTTPS: who cannot show a certificate of the configured authority is told nothing.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use pgwarrant_tests::providers::certificates::Validity;
use pgwarrant_tests::{Shop, ask};
use serde_json::Value;

use crate::receiver::Receiver;
use crate::{first_times, proxy, section, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_is_told_over_https_when_its_authority_is_trusted() {
    let (shop, receiver) = (Shop::new().await, Receiver::start_https(Ipv4Addr::LOCALHOST, Validity::Now));
    let ca = format!("ca = \"{}\"", receiver.authority().display());
    let proxy = proxy(&shop, section(&receiver, &ca));
    let ada = proxy.connect("ada").await;
    ask(&ada, "customers.email", Some("id = 1"), "10 min").await;
    let came = until(&receiver, "it is told", |came| !came.is_empty());
    assert_eq!(first_times(&came), ["request 1 requested"]);
    assert_eq!(came[0]["signed"], true, "{came:#?}");
}

/// By a certificate of an authority that nobody named, of another than was named, that has expired, and
/// for another name.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_is_told_anything() {
    let other = Receiver::start_https(Ipv4Addr::LOCALHOST, Validity::Now);
    for what in ["no authority", "another authority", "expired", "another name"] {
        let validity = if what == "expired" { Validity::Expired } else { Validity::Now };
        // Loopback as well, and not in the certificate.
        let address = if what == "another name" { Ipv4Addr::new(127, 0, 0, 2) } else { Ipv4Addr::LOCALHOST };
        let (shop, receiver) = (Shop::new().await, Receiver::start_https(address, validity));
        let ca = match what {
            "no authority" => String::new(),
            "another authority" => format!("ca = \"{}\"", other.authority().display()),
            _ => format!("ca = \"{}\"", receiver.authority().display()),
        };
        let proxy = proxy(&shop, section(&receiver, &ca));
        let ada = proxy.connect("ada").await;
        ask(&ada, "customers.email", Some("id = 1"), "10 min").await;
        let deadline = Instant::now() + Duration::from_secs(30);
        let warned = |log: &str| log.lines().any(|line| line.contains("WARN") && line.contains("ops"));
        while !warned(&proxy.log()) {
            assert!(Instant::now() < deadline, "{what}: {}", proxy.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let reason = proxy.log().to_lowercase();
        assert!(reason.contains("certificate"), "{what}: {reason}");
        assert_eq!(receiver.came(), Vec::<Value>::new(), "{what}");
    }
}
