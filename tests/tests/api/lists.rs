//! Lists come in pages, filtered as they are asked for.

use pgwarrant_tests::Shop;
use serde_json::{Value, json};

use crate::{Served, Shows, ask};

/// All items of a list, in pages of `limit`.
fn walk(served: &Served, shows: &Shows, path: &str, limit: usize) -> Vec<Value> {
    let mut all = Vec::new();
    let mut after = String::new();
    for _ in 0..100 {
        let page = served.get(shows, &format!("{path}limit={limit}{after}"));
        assert_eq!(page.status, 200, "{page:?}");
        let page = page.json();
        let items = page["items"].as_array().expect("a list");
        assert!(items.len() <= limit);
        all.extend(items.iter().cloned());
        match page["next"].as_str() {
            Some(next) => after = format!("&after={}", next.replace('\u{1f}', "%1F")),
            None => return all,
        }
    }
    panic!("the list has no end");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_show_everything_once_while_more_comes() {
    let shop = Shop::new().await;
    let served = Served::start(&shop);
    let ada = served.sign_in("ada");
    let numbers: Vec<u64> = (0..7).map(|_| ask(&served, &ada)).collect();
    let ids =
        |items: Vec<Value>| -> Vec<u64> { items.iter().filter_map(|item| item["id"].as_u64()).collect() };
    let mut expected = numbers.clone();
    expected.reverse();
    for limit in [1, 2, 3, 7, 200] {
        assert_eq!(ids(walk(&served, &ada, "/v1/requests?", limit)), expected, "{limit}");
    }
    let first = served.get(&ada, "/v1/requests?limit=3").json();
    ask(&served, &ada);
    let rest = served.get(&ada, &format!("/v1/requests?after={}", first["next"].as_str().expect("a cursor")));
    assert_eq!(ids(rest.json()["items"].as_array().expect("a list").clone()), expected[3..]);

    let columns = walk(&served, &ada, "/v1/catalog?", 4);
    let whole = served.get(&ada, "/v1/catalog?limit=200").json();
    assert_eq!(Some(&columns), whole["items"].as_array());
    assert!(columns.len() > 10 && columns.iter().all(|column| column["access"] != "raw"));
    let filtered = served.get(&ada, "/v1/catalog?relation=customers&category=contact").json();
    let names: Vec<&str> = filtered["items"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|column| column["column"].as_str())
        .collect();
    assert_eq!(names, ["email", "phone"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_filter_and_what_is_not_understood_is_refused() {
    let shop = Shop::new().await;
    let served = Served::start(&shop);
    let (ada, ben, petra) = (served.sign_in("ada"), served.sign_in("ben"), served.sign_in("petra"));
    let mine = ask(&served, &ada);
    let other = ask(&served, &ben);
    served.post(&petra, &format!("/v1/requests/{mine}/deny"), &json!({}));
    let ids = |path: &str| -> Vec<u64> {
        let listed = served.get(&petra, path).json();
        listed["items"].as_array().into_iter().flatten().filter_map(|item| item["id"].as_u64()).collect()
    };
    assert_eq!(ids("/v1/requests"), [other, mine]);
    assert_eq!(ids("/v1/requests?state=denied"), [mine]);
    assert_eq!(ids("/v1/requests?by=ben"), [other]);
    assert_eq!(ids("/v1/requests?waits_for_me=true"), [other]);
    assert_eq!(ids("/v1/requests?mine=true"), Vec::<u64>::new());
    for (path, problem) in [
        ("/v1/requests?state=open", "invalid"),
        ("/v1/requests?limit=0", "invalid"),
        ("/v1/requests?limit=201", "invalid"),
        ("/v1/requests?limit=many", "malformed"),
        ("/v1/requests?after=yesterday", "invalid"),
        ("/v1/requests?colour=red", "malformed"),
        ("/v1/requests?state=denied&state=pending", "malformed"),
        ("/v1/catalog?database=nothing", "invalid"),
        ("/v1/audit?kind=gossip", "invalid"),
        ("/v1/audit?since=yesterday", "invalid"),
        ("/v1/audit/events?limit=1", "malformed"),
    ] {
        assert_eq!(served.get(&petra, path).problem(), problem, "{path}");
    }
}
