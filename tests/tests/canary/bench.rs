//! The canary databases, and the proxy before them.

use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};

use pgwarrant_tests::raw::{Frame, Raw, startup};
use pgwarrant_tests::{Proxy, Settings, Shop, connect, grant, server_port, server_url, workspace};
use tokio_postgres::Client;

use crate::entries::Role;
use crate::search::{Canaries, GRANTED_ROW, PROTECTED, canaries};

/// Two salts: databases that differ in protected cells alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Salt {
    First,
    Second,
}

/// Everything that a test needs.
pub struct Bench {
    /// Of the first salt, past the proxy: what each attack is shown to disclose on.
    pub past: Shop,
    /// Of the first salt, behind the proxy.
    pub behind: Shop,
    /// Of the second salt: past the proxy, and behind it as the database `twin`.
    pub twins: Option<(Shop, Shop)>,
    pub proxy: Proxy,
    pub canaries: Canaries,
}

/// Who has the grant on one row of people; the password is ada's.
pub const GRANTED_USER: &str = "one";

impl Bench {
    /// `twins`: with databases of the second salt; `events`: with the event trigger enabled.
    pub async fn new(twins: bool, events: bool) -> Bench {
        let past = database(Salt::First).await;
        let behind = database(Salt::First).await;
        for shop in [&past, &behind].into_iter().filter(|_| events) {
            let enable = "ALTER EVENT TRIGGER on_ddl ENABLE";
            shop.direct.batch_execute(enable).await.expect("an event trigger");
        }
        let twins = match twins {
            true => Some((database(Salt::Second).await, database(Salt::Second).await)),
            false => None,
        };
        let proxy = Proxy::start_with(&behind, &settings(twins.as_ref().map(|(_, behind)| behind)));
        let key = fs::read_to_string(proxy.store().join("masking.key")).expect("the key of the masks");
        let canaries = canaries(&behind.direct, &[("the masks' key", key.trim().to_owned())]).await;
        let bench = Bench { past, behind, twins, proxy, canaries };
        let (one, petra) = (bench.client(GRANTED_USER).await, bench.proxy.connect("petra").await);
        let rows = format!("id = {GRANTED_ROW}");
        grant(&one, &petra, "public.people.*", Some(&rows)).await;
        bench
    }

    async fn client(&self, user: &str) -> Client {
        let conninfo = self.proxy.conninfo(user).replace(&format!("{user}-demo"), "ada-demo");
        connect(&conninfo).await
    }

    /// A session past the proxy, and what came at sign-in.
    pub fn past(&self, salt: Salt, role: Role, more: &[(String, String)]) -> (Raw, Vec<Frame>) {
        let database = match (salt, &self.twins) {
            (Salt::Second, Some((twin, _))) => &twin.database,
            _ => &self.past.database,
        };
        open(server_port(), role.upstream(), "", database, more)
    }

    /// A session past the proxy on the very database that is behind it.
    pub fn beside(&self, role: Role, more: &[(String, String)]) -> (Raw, Vec<Frame>) {
        open(server_port(), role.upstream(), "", &self.behind.database, more)
    }

    /// A session through the proxy.
    pub fn through(&self, salt: Salt, user: &str, more: &[(String, String)]) -> (Raw, Vec<Frame>) {
        let password = if user == GRANTED_USER { "ada-demo".to_owned() } else { format!("{user}-demo") };
        let database = if salt == Salt::First { "shop" } else { "twin" };
        open(self.proxy.port, user, &password, database, more)
    }

    /// What the wire guard, or another last resort, had to end: lines of the proxy's log.
    pub fn incidents(&self) -> Vec<String> {
        self.proxy.log().lines().filter(|line| line.contains("incident")).map(str::to_owned).collect()
    }
}

fn open(
    port: u16,
    user: &str,
    password: &str,
    database: &str,
    more: &[(String, String)],
) -> (Raw, Vec<Frame>) {
    let mut parameters = vec![("user", user), ("database", database)];
    parameters.extend(more.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let mut raw = Raw::open(port);
    raw.send(&startup(3, 0, &parameters));
    let frames = raw.sign_in(password);
    (raw, frames)
}

/// proxy.toml with the canaries' roles and labels.
fn settings(twin: Option<&Shop>) -> Settings {
    let roles = |text: &mut String| {
        for role in [Role::Owner, Role::Super] {
            text.push_str(&format!(
                "[[database.role]]\nname = \"{}\"\nusers = [\"{}\"]\n\n",
                role.upstream(),
                role.user()
            ));
        }
        text.push_str("[[database.role]]\nname = \"canary_app\"\n\n");
    };
    let mut of_first = String::new();
    roles(&mut of_first);
    let mut append = String::new();
    if let Some(twin) = twin {
        append.push_str(&format!(
            "\n[[database]]\nname = \"twin\"\nupstream = \"postgres://127.0.0.1:{}/{}\"\n\n",
            server_port(),
            twin.database
        ));
        roles(&mut append);
        append.push_str("[database.catalogue]\nrole = \"canary_catalogue\"\npoll = \"5 s\"\n");
    }
    let proxy_toml = fs::read_to_string(workspace().join("proxy.toml")).expect("proxy.toml");
    let scram = proxy_toml.lines().find(|line| line.starts_with("scram = ")).expect("ada's verifier");
    append.push_str(&format!("\n[[user]]\nname = \"{GRANTED_USER}\"\n{scram}\ngroups = [\"engineering\"]\n"));
    for (relation, columns) in PROTECTED {
        let category = if relation.starts_with("hr") { "work" } else { "canary" };
        for column in *columns {
            // A name with a point in it cannot be written in proxy.toml.
            let relation_pattern = relation.replace("\"Per.sön \"\"x\"\"\"", "*");
            let pattern = format!("{relation_pattern}.{column}");
            let mask = match (*relation, *column) {
                ("hr.people", "email") => "\"token\"",
                ("public.visits", "agent") => "{ partial = { first = 1 } }",
                ("public.vault", "c_varchar") => "\"hash\"",
                (
                    "public.vault",
                    "c_text" | "c_citext" | "c_int8" | "c_date" | "c_uuid" | "c_texts" | "c_jsonb" | "c_flag",
                )
                | ("public.people", "name" | "email" | "phone" | "birth" | "salary" | "address") => {
                    "\"redact\""
                }
                ("public.vault", _) | ("public.people", _) => "\"null\"",
                _ => "\"redact\"",
            };
            let ungranted = if *column == "größe" { "block" } else { "mask" };
            append.push_str(&format!(
                "\n[[label]]\ncolumns = '{pattern}'\ncategory = \"{category}\"\nmask = {mask}\nungranted = \"{ungranted}\"\n"
            ));
        }
    }
    append.push_str(
        "\n[[label]]\ncolumns = [\"remote_people.email\"]\ncategory = \"canary\"\nmask = \"redact\"\n",
    );
    let replace = vec![
        ("[[database.role]]\nname = \"shop_app\"\n".to_owned(), of_first),
        ("role = \"shop_catalogue\"".to_owned(), "role = \"canary_catalogue\"".to_owned()),
        ("connections_per_user = 100".to_owned(), "connections_per_user = 1000".to_owned()),
    ];
    Settings { replace, append }
}

/// A copy of the canary database, dropped at the end of the test.
async fn database(salt: Salt) -> Shop {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let admin = connect(&server_url("postgres")).await;
    let template = template(&admin, salt).await;
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let database = format!("canary_{}_{number}", std::process::id());
    // CREATE DATABASE takes a lock on its template: two tests at once wait for each other.
    admin.batch_execute("SELECT pg_advisory_lock(7119)").await.expect("a lock");
    admin
        .batch_execute(&format!("CREATE DATABASE {database} TEMPLATE {template}"))
        .await
        .expect("a copy of the canary database");
    admin.batch_execute("SELECT pg_advisory_unlock(7119)").await.expect("no lock");
    let direct = connect(&server_url(&database)).await;
    let here = format!("ALTER SERVER loopback OPTIONS (SET dbname '{database}')");
    direct.batch_execute(&here).await.expect("a foreign server that is this one");
    Shop { database, direct }
}

/// The database that is copied, made by the first who needs it; its name.
async fn template(admin: &Client, salt: Salt) -> String {
    let (name, salt) = match salt {
        Salt::First => ("canary_template_1", "first"),
        Salt::Second => ("canary_template_2", "second"),
    };
    let path = workspace().join("tests/data/canary/schema.sql");
    let schema = fs::read_to_string(path).expect("the canary schema");
    admin.batch_execute("SELECT pg_advisory_lock(7119)").await.expect("a lock");
    let there = admin.query("SELECT FROM pg_database WHERE datname = $1", &[&name]).await.expect("databases");
    if there.is_empty() {
        admin.batch_execute(ROLES).await.expect("the canaries' roles");
        let making = format!("{name}_in_the_making");
        admin
            .batch_execute(&format!("DROP DATABASE IF EXISTS {making} WITH (FORCE)"))
            .await
            .expect("a free name");
        admin.batch_execute(&format!("CREATE DATABASE {making}")).await.expect("a database");
        let client = connect(&server_url(&making)).await;
        let script = schema
            .replace("@SALT@", salt)
            .replace("@PORT@", &server_port().to_string())
            .replace("@DATABASE@", &making);
        client
            .batch_execute(&script)
            .await
            .unwrap_or_else(|error| panic!("tests/data/canary/schema.sql: {:?}", error.as_db_error()));
        drop(client);
        admin
            .batch_execute(&format!(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{making}'"
            ))
            .await
            .expect("nobody in it");
        admin.batch_execute(&format!("ALTER DATABASE {making} RENAME TO {name}")).await.expect("a template");
    }
    admin.batch_execute("SELECT pg_advisory_unlock(7119)").await.expect("no lock");
    name.to_owned()
}

const ROLES: &str = "DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'canary_owner') THEN
        CREATE ROLE canary_owner LOGIN; CREATE ROLE canary_app LOGIN; CREATE ROLE canary_catalogue LOGIN;
        CREATE ROLE canary_super LOGIN SUPERUSER;
        GRANT pg_monitor TO canary_app;
    END IF; END $$";
