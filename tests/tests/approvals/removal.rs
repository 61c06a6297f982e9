//! Who is taken out of the configuration loses what they hold.

use pgwarrant_tests::Shop;

use crate::{call, proxy};

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_is_removed_has_no_grants_after_the_restart() {
    let shop = Shop::new().await;
    let mut proxy = proxy(&shop);
    let (ada, petra) = (proxy.connect("ada").await, proxy.connect("petra").await);
    for columns in ["customers.name", "customers.phone"] {
        call(&ada, &format!("SELECT * FROM pgwarrant.request('{columns}', reason => 'r')")).await;
    }
    assert_eq!(call(&petra, "SELECT state FROM pgwarrant.approve(1)").await, "approved");
    let config = std::fs::read_to_string(proxy.config()).expect("the configuration");
    std::fs::write(proxy.config(), config.replace("name = \"ada\"\n", "name = \"adele\"\n"))
        .expect("the configuration");
    proxy.crash_and_restart();
    let petra = proxy.connect("petra").await;
    assert_eq!(call(&petra, "SELECT state FROM pgwarrant.grants WHERE id = 1").await, "removed");
    assert_eq!(call(&petra, "SELECT state FROM pgwarrant.requests WHERE id = 2").await, "withdrawn");
}
