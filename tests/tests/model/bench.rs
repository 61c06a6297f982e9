//! Worlds, their databases and the proxy in front of them.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use pgwarrant_tests::raw::Raw;
use pgwarrant_tests::{Proxy, Settings, connect, server_port};

use crate::flesh::{Copy, Databases};
use crate::grants::{Cell, Grant, cell, grants};
use crate::random::Random;
use crate::world::World;

/// A world and a user who has grants in it.
pub struct Place {
    pub world: World,
    pub grants: Vec<Grant>,
    pub user: &'static str,
    /// By relation and column: is it there for the user?
    pub there: Vec<Vec<bool>>,
}

pub struct Bench {
    pub places: Vec<Place>,
    // Before the databases that it is connected to.
    pub proxy: Proxy,
    pub databases: Databases,
    /// How many cells differ between the two databases behind the proxy.
    pub changed: u64,
    key: String,
    _key_file: tempfile::TempDir,
}

/// Users who may ask.
const USERS: [&str; 2] = ["ada", "ben"];

/// The proxy's name of the database with the values that the models are made from.
const SOURCE: &str = "shop";

/// The proxy's name of the database with other values.
const OTHER: &str = "other";

impl Bench {
    pub async fn new(name: &str, copy: Copy, worlds: usize, random: &mut Random) -> Bench {
        let worlds: Vec<World> = (0..worlds).map(|number| World::new(number, random)).collect();
        let databases = Databases::new(name, &worlds).await;
        let key = format!("{:016x}{:016x}{:016x}", random.next(), random.next(), random.next());
        let places: Vec<Place> = worlds
            .into_iter()
            .enumerate()
            .map(|(number, world)| {
                let grants = grants(&world, random);
                let there = there(&world, &grants);
                Place { world, grants, user: USERS[number % USERS.len()], there }
            })
            .collect();
        let mut changed = 0;
        for place in &places {
            changed += databases.prepare(copy, &place.world, &place.grants, &key).await;
        }
        let directory = tempfile::tempdir().expect("a directory");
        let proxy = start(copy, &databases, &places, &key, directory.path());
        let bench = Bench { places, proxy, databases, changed, key, _key_file: directory };
        let behind: &[&str] = match copy {
            Copy::Model | Copy::Written => &[SOURCE],
            Copy::Other => &[SOURCE, OTHER],
        };
        let actions = (copy == Copy::Written).then_some("select, insert, update, delete, export");
        for database in behind {
            let approver = bench.client("petra", database).await;
            let mut askers = BTreeMap::new();
            for user in USERS {
                askers.insert(user, bench.client(user, database).await);
            }
            for place in &bench.places {
                for grant in &place.grants {
                    grant.obtain(&place.world, actions, &askers[place.user], &approver).await;
                }
            }
        }
        bench
    }

    async fn client(&self, user: &str, database: &str) -> tokio_postgres::Client {
        let to = format!("dbname={database} ");
        connect(&self.proxy.conninfo(user).replace(&format!("dbname={SOURCE} "), &to)).await
    }

    /// A session through the proxy.
    pub fn proxied(&self, place: &Place) -> Raw {
        self.through(place, SOURCE)
    }

    /// A session through the proxy on the database with other values.
    pub fn proxied_other(&self, place: &Place) -> Raw {
        self.through(place, OTHER)
    }

    fn through(&self, place: &Place, database: &str) -> Raw {
        let password = format!("{}-demo", place.user);
        let mut raw = Raw::connect(self.proxy.port, 0, place.user, &password, database, &[]);
        at_home(&mut raw, &place.world);
        raw
    }

    /// A superuser's session on the copy.
    pub fn owner(&self, place: &Place) -> Raw {
        self.superuser(place, &self.databases.copy.database)
    }

    /// A superuser's session on the source.
    pub fn truth(&self, place: &Place) -> Raw {
        self.superuser(place, &self.databases.source.database)
    }

    fn superuser(&self, place: &Place, database: &str) -> Raw {
        let mut raw = Raw::connect(server_port(), 0, "postgres", "", database, &[]);
        at_home(&mut raw, &place.world);
        raw.query(&format!("SET pgwarrant.key = '{}'", self.key));
        raw
    }

    /// A session on the model.
    pub fn model(&self, place: &Place) -> Raw {
        let mut raw = Raw::connect(server_port(), 0, "shop_app", "", &self.databases.copy.database, &[]);
        at_home(&mut raw, &place.world);
        raw
    }

    /// A session on the source as somebody who may not read what is blocked.
    pub fn reader(&self, place: &Place) -> Raw {
        let (user, database) = (&self.databases.reader, &self.databases.source.database);
        let mut raw = Raw::connect(server_port(), 0, user, "", database, &[]);
        at_home(&mut raw, &place.world);
        raw
    }
}

fn at_home(raw: &mut Raw, world: &World) {
    raw.query(&format!("SET search_path = {}, public", world.schema));
    // Random joins can be anything.
    raw.query("SET statement_timeout = '2s'");
}

fn there(world: &World, grants: &[Grant]) -> Vec<Vec<bool>> {
    let of = |relation: usize| {
        let columns = 0..world.relations[relation].columns.len();
        columns.map(|column| cell(world, grants, relation, column) != Cell::Blocked).collect()
    };
    (0..world.relations.len()).map(of).collect()
}

fn start(
    copy: Copy,
    databases: &Databases,
    places: &[Place],
    key: &str,
    directory: &std::path::Path,
) -> Proxy {
    let path = directory.join("masking.key");
    fs::write(&path, key).expect("a key");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("a key that is nobody else's");
    let mut append: String = places.iter().map(|place| place.world.labels()).collect();
    if copy == Copy::Other {
        let _ = write!(
            append,
            "\n[[database]]\nname = \"{OTHER}\"\nupstream = \"postgres://127.0.0.1:{}/{}\"\n\
         [[database.role]]\nname = \"shop_app\"\n[database.catalogue]\nrole = \"shop_catalogue\"\n",
            server_port(),
            databases.copy.database
        );
    }
    let replace = vec![(
        "# key_env = \"PGWARRANT_MASKING_KEY\"".to_owned(),
        format!("key_file = \"{}\"", path.display()),
    )];
    Proxy::start_with(&databases.source, &Settings { replace, append })
}

/// What somebody needs to look at a failure by hand.
pub fn described(place: &Place, query: &str) -> String {
    let mut text = String::new();
    for relation in &place.world.relations {
        let definition = relation.script.split(";\nINSERT").next().unwrap_or_default();
        if query.contains(&crate::world::ident(&relation.name)) {
            let _ = writeln!(text, "  {}", definition.replace('\n', "\n  "));
            for column in &relation.columns {
                if let Some(label) = &column.label {
                    let _ = writeln!(
                        text,
                        "    {}: {:?} category {} block {} nulls_show {}",
                        column.name, label.method, label.category, label.block, label.nulls_show
                    );
                }
            }
        }
    }
    for grant in &place.grants {
        let rows = grant.rows.as_ref().map_or("all rows", |rows| rows.text.as_str());
        let others = if grant.hide { ", others hidden" } else { "" };
        let _ = writeln!(text, "  grant on {}: {rows}{others}", grant.columns(&place.world));
    }
    text
}
