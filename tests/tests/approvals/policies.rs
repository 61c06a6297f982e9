//! What policies say is what happens, and how the draft of others would have decided.

use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use pgwarrant_tests::{Proxy, Shop};

use crate::{POLICIES, call, email, proxy, with_policies};

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_a_rule_approves_is_a_live_grant_in_its_answer() {
    let shop = Shop::new().await;
    let proxy = proxy(&shop);
    let ada = proxy.connect("ada").await;
    let asked = call(
        &ada,
        "SELECT state, message FROM pgwarrant.request('customers.email', rows => 'id = 42', \
         reason => 'access request', ticket => 'DSR-17')",
    )
    .await;
    assert!(asked.contains("approved") && asked.contains("by rule: grant 1"), "{asked}");
    assert!(email(&ada).await.contains("@example"), "the next statement sees it");

    let longer = call(
        &ada,
        "SELECT * FROM pgwarrant.request('customers.email', rows => 'id = 42', reason => 'r', \
         ticket => 'DSR-17', duration => '2 h')",
    )
    .await;
    assert!(longer.starts_with("42501") && longer.contains("30 min"), "{longer}");

    // Without the ticket, or for all rows, the rule does not match: somebody is asked.
    for arguments in ["reason => 'r', rows => 'id = 42'", "reason => 'r', ticket => 'DSR-17'"] {
        let sql = format!("SELECT state FROM pgwarrant.request('customers.email', {arguments})");
        assert_eq!(call(&ada, &sql).await, "pending");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_says_which_rule_and_is_in_the_trail_with_what_it_saw() {
    let shop = Shop::new().await;
    let proxy = proxy(&shop);
    let (ada, aud) = (proxy.connect("ada").await, proxy.connect("aud").await);
    let refused =
        call(&ada, "SELECT * FROM pgwarrant.request('hr.employees.blood', reason => 'curious')").await;
    assert!(refused.starts_with("42501 request 1 of user \"ada\" is refused"), "{refused}");
    assert!(refused.contains("Nobody needs health data here."), "{refused}");

    let trail = call(
        &aud,
        "SELECT user_name, decision FROM pgwarrant.audit WHERE kind = 'decision' AND statement LIKE '%request 1 %'",
    )
    .await;
    assert_eq!(trail, "ada|denied");
    let explained = call(
        &aud,
        "SELECT ruling, policies, facts -> 'reason', facts #>> '{columns,0,2}', today FROM pgwarrant.explain(1)",
    )
    .await;
    assert_eq!(explained, r#"refuse|no-health|"curious"|health|refuse"#);
    // Of what is not theirs, others learn nothing.
    let ben = proxy.connect("ben").await;
    let hidden = call(&ben, "SELECT * FROM pgwarrant.explain(1)").await;
    assert!(hidden.starts_with("42704 there is no request 1 that you may see"), "{hidden}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_persons_approve_and_one_of_them_is_not_enough_nor_the_asker_as_another() {
    let shop = Shop::new().await;
    let proxy = proxy(&shop);
    let (ada, lead) = (proxy.connect("ada").await, proxy.connect("ada_lead").await);
    let (petra, olga) = (proxy.connect("petra").await, proxy.connect("olga").await);
    let asked = call(
        &ada,
        "SELECT state, message FROM pgwarrant.request('payments.iban', reason => 'refund', ticket => 'DSR-1')",
    )
    .await;
    assert!(asked.contains("pending"), "{asked}");

    let own = call(&lead, "SELECT * FROM pgwarrant.approve(1)").await;
    assert!(own.starts_with("42501") && own.contains("as user \"ada\""), "{own}");
    let first = call(&petra, "SELECT state, message FROM pgwarrant.approve(1)").await;
    assert!(first.contains("pending"), "{first}");
    let again = call(&petra, "SELECT * FROM pgwarrant.approve(1)").await;
    assert!(again.starts_with("55000 you have approved request 1 already"), "{again}");
    assert_eq!(call(&ada, "SELECT count(*) FROM pgwarrant.grants").await, "0");
    let second = call(&olga, "SELECT state FROM pgwarrant.approve(1, reason => 'checked')").await;
    assert_eq!(second, "approved");
    let grant = call(&ada, "SELECT approved_by, policies, state FROM pgwarrant.grants").await;
    assert_eq!(grant, "petra, olga|payment-two|live");
    let decided = call(
        &ada,
        "SELECT decided_by #>> '{1,by}', decided_by #>> '{1,from,sign_in}' FROM pgwarrant.explain(1)",
    )
    .await;
    assert_eq!(decided, "olga|scram");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_is_asked_for_by_name_and_only_by_its_groups() {
    let shop = Shop::new().await;
    let proxy = proxy(&shop);
    let (dan, ada, petra) =
        (proxy.connect("dan").await, proxy.connect("ada").await, proxy.connect("petra").await);
    let listed =
        call(&dan, "SELECT profile, rows, max_duration FROM pgwarrant.profiles WHERE schedule IS NULL").await;
    assert_eq!(listed, "dsr-lookup|some|00:20:00");
    for (call_text, expected) in [
        ("profile => 'dsr-lookup', reason => 'r'", "22023 profile 'dsr-lookup' is for some rows only"),
        (
            "profile => 'dsr-lookup', columns => '*', rows => 'id = 1', reason => 'r'",
            "22023 profile 'dsr-lookup' says columns itself",
        ),
        (
            "profile => 'dsr-lookup', rows => 'id = 1', reason => 'r', duration => '1 h'",
            "22023 duration '1 h' is longer than allowed",
        ),
        (
            "profile => 'dsr-lokup', rows => 'id = 1', reason => 'r'",
            "42704 there is no profile 'dsr-lokup' for you / Did you mean profile => 'dsr-lookup'?",
        ),
        ("profile => 'never', reason => 'r'", "55000 profile 'never' cannot be had at that time"),
        ("'customers.email', reason => 'r'", "42501 user \"dan\" may not request grants"),
    ] {
        let said = call(&dan, &format!("SELECT * FROM pgwarrant.request({call_text})")).await;
        assert!(said.starts_with(expected), "{call_text}: {said}");
    }
    let not_hers = call(
        &ada,
        "SELECT * FROM pgwarrant.request(profile => 'dsr-lookup', rows => 'id = 1', reason => 'r')",
    )
    .await;
    assert!(not_hers.starts_with("42704"), "{not_hers}");

    let asked = call(
        &dan,
        "SELECT state FROM pgwarrant.request(profile => 'dsr-lookup', rows => 'id = 42', reason => 'r')",
    )
    .await;
    assert_eq!(asked, "pending");
    assert_eq!(call(&petra, "SELECT state FROM pgwarrant.approve(1)").await, "approved");
    assert!(email(&dan).await.contains("@example"));
    let grant = call(&dan, "SELECT profile, valid_until - valid_from FROM pgwarrant.grants").await;
    assert_eq!(grant, "dsr-lookup|00:20:00");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_is_tried_on_the_requests_in_the_trail() {
    let shop = Shop::new().await;
    let proxy = proxy(&shop);
    let ada = proxy.connect("ada").await;
    for (what, expected) in [
        ("'customers.email', rows => 'id = 42'", "approved"),
        ("'payments.iban'", "pending"),
        ("'hr.employees.blood'", "42501 request 3 of user \"ada\" is refused"),
    ] {
        let sql = format!("SELECT state FROM pgwarrant.request({what}, reason => 'r', ticket => 'DSR-17')");
        let said = call(&ada, &sql).await;
        assert!(said.starts_with(expected), "{said}");
    }
    let config = proxy.config().display().to_string();
    // Records are in the trail a moment after the answer.
    let mut same = proxy.pgwarrant(&["policy", "test", "--config", &config]);
    for _ in 0..100 {
        if same.stdout.starts_with("3 requests") {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        same = proxy.pgwarrant(&["policy", "test", "--config", &config]);
    }
    let recorded =
        proxy.pgwarrant(&["audit", "--config", &config, "query", "--kind", "request", "--json"]).stdout;
    assert!(recorded.contains(r#"\"rows\":\"id = ?\""#), "no constant stays in the trail: {recorded}");

    assert!(same.success && same.stdout == "3 requests: 0 would be decided otherwise", "{same:?}");

    let draft = proxy.directory.path().join("draft.cedar");
    std::fs::write(&draft, POLICIES.replace("DSR-*", "GDPR-*")).expect("a draft");
    let run =
        proxy.pgwarrant(&["policy", "test", "--config", &config, "--draft", &draft.display().to_string()]);
    assert!(!run.success, "something changes: {run:?}");
    assert!(run.stdout.contains("1  ada: select on public.customers.email"), "{run:?}");
    assert!(run.stdout.contains("approve, at most 30 min  ->  ask 1 of privacy"), "{run:?}");
    assert!(run.stdout.ends_with("3 requests: 1 would be decided otherwise"), "{run:?}");

    std::fs::write(&draft, POLICIES.replace("context.all_rows", "context.al_rows")).expect("a draft");
    let wrong =
        proxy.pgwarrant(&["policy", "test", "--config", &config, "--draft", &draft.display().to_string()]);
    assert!(
        !wrong.success && wrong.stderr.contains("al_rows") && wrong.stderr.contains("all_rows"),
        "{wrong:?}"
    );
}

/// Rows that their primary key names are as many as there are keys; of others PostgreSQL knows how many
/// the table has. What a condition on other columns says of the rows is no request's business: it would
/// tell of the values.
#[tokio::test(flavor = "multi_thread")]
async fn a_policy_sees_how_many_rows_are_asked_for() {
    const FEW: &str = r#"
@id("few")
@decision("approve")
permit (principal in Group::"engineering", action, resource)
when { context has estimated_rows && context.estimated_rows <= 3 };

@id("many")
@decision("ask")
@approvers("privacy")
permit (principal, action, resource);
"#;
    let shop = Shop::new().await;
    let (direct, proxy) = (&shop.direct, with_policies(&shop, FEW));
    let ada = proxy.connect("ada").await;
    let mut number = 0;
    let mut asked = async |columns: &str, rows: &str| {
        let rows = if rows.is_empty() { String::new() } else { format!("rows => '{rows}', ") };
        let ask = format!("SELECT state FROM pgwarrant.request('{columns}', {rows}reason => 'r')");
        let state = call(&ada, &ask).await;
        number += 1;
        let facts =
            format!("SELECT COALESCE(facts ->> 'estimated_rows', '?') FROM pgwarrant.explain({number})");
        format!("{state} {}", call(&ada, &facts).await)
    };
    direct.batch_execute("ANALYZE customers").await.expect("analysed");
    let all = direct.query_one("SELECT reltuples::int8 FROM pg_class WHERE oid = 'customers'::regclass", &[]);
    let number_of_customers: i64 = all.await.expect("an estimate").get(0);
    assert!(number_of_customers > 3);
    let all = format!("pending {number_of_customers}");
    for (rows, expected) in [
        ("id = 42", "approved 1"),
        ("id IN (1, 2, 3)", "approved 3"),
        ("id = 1 OR id = 2", "approved 2"),
        ("id IN (1, 2, 3, 4)", "pending 4"),
        ("id = 42 AND name = ''Somebody''", "approved 1"),
        ("NOT id = 42", all.as_str()),
        ("id = 42 OR name = ''Somebody''", all.as_str()),
        ("name = ''Somebody''", all.as_str()),
        ("id > 1", all.as_str()),
        ("", all.as_str()),
    ] {
        assert_eq!(asked("customers.email", rows).await, expected, "{rows}");
    }
    // Never analysed: nothing is known of it, and no rule takes it for few.
    direct
        .batch_execute("UPDATE pg_class SET reltuples = -1 WHERE oid = 'payments'::regclass")
        .await
        .expect("set");
    assert_eq!(asked("payments.iban", "").await, "pending ?");
    // The rows of a partitioned table are those of its partitions.
    direct.batch_execute("ANALYZE page_views").await.expect("analysed");
    let views = direct.query_one("SELECT count(*) FROM page_views", &[]).await.expect("a count");
    let views: i64 = views.get(0);
    assert_eq!(asked("page_views.ip", "").await, format!("pending {views}"));
    // And of a table from which others inherit, theirs too.
    direct
        .batch_execute(
            "CREATE TABLE customers_of_2019 () INHERITS (customers);
             UPDATE pg_class SET reltuples = 1000 WHERE oid = 'customers_of_2019'::regclass",
        )
        .await
        .expect("a child");
    let with_child = format!("pending {}", number_of_customers + 1000);
    assert_eq!(asked("customers.email", "").await, with_child);
    assert_eq!(asked("customers.email", "id = 42").await, "approved 1");
}

/// Tells the proxy to read its policies again, and waits until its log has more about that.
fn reload(proxy: &Proxy) -> String {
    let before = proxy.log().len();
    let pid = proxy.process_id().to_string();
    assert!(Command::new("kill").args(["-HUP", &pid]).status().expect("kill").success());
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let log = proxy.log();
        let more = log.get(before..).unwrap_or_default();
        if more.contains("read again") {
            return more.to_owned();
        }
        assert!(Instant::now() < deadline, "{log}");
        sleep(Duration::from_millis(20));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_are_read_again_at_a_signal_as_a_whole_or_not_at_all() {
    let shop = Shop::new().await;
    let proxy = proxy(&shop);
    let (ada, aud) = (proxy.connect("ada").await, proxy.connect("aud").await);
    let config = std::fs::read_to_string(proxy.config()).expect("a configuration");
    let (_, file) = config.rsplit_once("files = [\"").expect("policies");
    let file = file.split_once('"').expect("a name").0;
    let ask = "SELECT state FROM pgwarrant.request('customers.phone', rows => 'id = 1', reason => 'r', ticket => 'T-1')";
    assert_eq!(call(&ada, ask).await, "pending");

    let laxer = POLICIES.replace("\"DSR-*\"", "\"T-*\"");
    std::fs::write(file, &laxer).expect("a file");
    let told = reload(&proxy);
    assert!(told.contains("policies were read again") && !told.contains("need a restart"), "{told}");
    let sum = Command::new("sha256sum").arg(file).output().expect("sha256sum").stdout;
    let sum = String::from_utf8(sum).expect("a checksum");
    assert!(told.contains(&format!("{file} (sha256 {}…)", &sum[..16])), "{told}");
    assert_eq!(call(&ada, ask).await, "approved");

    // With a mistake anywhere, what was in force stays so, and the log says where it is.
    std::fs::write(file, laxer.replace("context.ticket", "context.tikcet").replace("customers", "x"))
        .expect("a file");
    let told = reload(&proxy);
    assert!(told.contains("were not read again") && told.contains("tikcet"), "{told}");
    assert_eq!(call(&ada, ask).await, "approved");

    // Of what else has changed it says that it is not in force.
    std::fs::write(file, POLICIES).expect("a file");
    std::fs::write(proxy.config(), format!("{config}\n[[group]]\nname = \"more\"\n"))
        .expect("a configuration");
    let told = reload(&proxy);
    let deadline = Instant::now() + Duration::from_secs(30);
    while !proxy.log().contains("need a restart: [[group]]") {
        assert!(Instant::now() < deadline, "{told}");
        sleep(Duration::from_millis(20));
    }
    assert_eq!(call(&ada, ask).await, "pending");
    let recorded = call(
        &aud,
        "SELECT string_agg(decision, ', ' ORDER BY seq) FROM pgwarrant.audit WHERE kind = 'configuration'",
    )
    .await;
    assert_eq!(recorded, "allowed, refused, allowed");
}
