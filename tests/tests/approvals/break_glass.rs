//! Access at once, alarmed, and reviewed by somebody else.

use pgwarrant_tests::Shop;

use crate::{call, email, proxy};

const TAKE: &str = "SELECT state, grant_id FROM pgwarrant.request('customers.email', reason => 'the shop is down', \
                    urgency => 'break-glass', duration => '10 min')";

#[tokio::test(flavor = "multi_thread")]
async fn it_is_given_at_once_and_stays_open_until_somebody_else_has_reviewed_it() {
    let shop = Shop::new().await;
    let proxy = proxy(&shop);
    let (olga, petra, ada) =
        (proxy.connect("olga").await, proxy.connect("petra").await, proxy.connect("ada").await);
    assert_eq!(call(&olga, TAKE).await, "approved|1");
    assert!(email(&olga).await.contains("@example"));
    let asked = call(&ada, TAKE).await;
    assert_eq!(asked, "pending|", "only those who are on call; others are asked about as ever");

    assert_eq!(call(&petra, "SELECT review FROM pgwarrant.grants WHERE id = 1").await, "open");
    let own = call(&olga, "SELECT * FROM pgwarrant.review(1, 'justified', reason => 'I know')").await;
    assert!(own.starts_with("42501"), "{own}");
    let word = call(&petra, "SELECT * FROM pgwarrant.review(1, 'fine', reason => 'r')").await;
    assert!(word.starts_with("22023 verdict 'fine' is not known"), "{word}");
    // It is still to be reviewed when it has ended.
    assert_eq!(call(&olga, "SELECT state FROM pgwarrant.release(1)").await, "released");
    assert_eq!(call(&petra, "SELECT review FROM pgwarrant.grants WHERE id = 1").await, "open");
    let reviewed =
        call(&petra, "SELECT message FROM pgwarrant.review(1, 'not justified', reason => 'it was not')")
            .await;
    assert!(reviewed.contains("not justified"), "{reviewed}");
    let twice = call(&petra, "SELECT * FROM pgwarrant.review(1, 'justified', reason => 'r')").await;
    assert!(twice.starts_with("55000 grant 1 has already been reviewed by petra"), "{twice}");
    assert_eq!(
        call(&olga, "SELECT review FROM pgwarrant.grants WHERE id = 1").await,
        "not justified (petra)"
    );

    let aud = proxy.connect("aud").await;
    let alarms = call(
        &aud,
        "SELECT count(*) FROM pgwarrant.audit WHERE kind = 'incident' AND statement LIKE 'break-glass: grant 1 %'",
    )
    .await;
    assert_eq!(alarms, "1");
    assert!(proxy.log().contains("break-glass access was taken"), "{}", proxy.log());
}
