//! A small shop: its catalogue, its people, a table of grants over a store in memory.
#![allow(dead_code)]

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use pgwarrant_catalog::{
    Catalogue, Column, ColumnId, Oid, Protection, Relation, RelationKind, Sensitivity, Ungranted,
};
use pgwarrant_grants::{
    Arbiter, Ask, AskMore, Ceiling, Context, Event, Facts, Grant, Group, Live, MemoryStore, Outcome, Panel,
    Principal, Ruling, Settings, TestClock, Why,
};
use pgwarrant_masking::{BaseType, Mask, SqlType};

pub const START: i64 = 1_772_366_400_000; // 2026-03-01 12:00:00+00
pub const MINUTE: u64 = 60_000;
pub const SHOP: &str = "shop";

pub const CUSTOMERS: Oid = 16_400;
pub const ORDERS: Oid = 16_401;
pub const ARCHIVED_ORDERS: Oid = 16_402;
pub const ACTIVITY: Oid = 12_000;

fn column(relation: Oid, attnum: i16, name: &str, base: BaseType, category: Option<&str>) -> Column {
    let (sql, oid) = match base {
        BaseType::Integer => ("pg_catalog.int8", 20),
        _ => ("pg_catalog.text", 25),
    };
    let column_type = SqlType {
        sql: sql.to_owned(),
        base,
        array: false,
        max_length: None,
        enum_labels: Vec::new(),
        domain: false,
        oid,
        base_oid: oid,
        typmod: -1,
    };
    let protection = category.map(|category| Protection {
        category: category.to_owned(),
        mask: Mask { pieces: vec!["NULL".to_owned()] },
        method: "null".to_owned(),
        ungranted: Ungranted::Mask,
        sensitivity: if category == "identity" { Sensitivity::High } else { Sensitivity::Medium },
        sources: vec![ColumnId { relation, attnum }],
        uncovered_by: vec![vec![ColumnId { relation, attnum }]],
        built_in: category == "built-in",
    });
    Column { attnum, name: name.to_owned(), column_type, protection }
}

pub fn relation(
    oid: Oid,
    schema: &str,
    name: &str,
    columns: &[(i16, &str, BaseType, Option<&str>)],
) -> Relation {
    Relation {
        oid,
        schema: schema.to_owned(),
        name: name.to_owned(),
        kind: RelationKind::Table,
        columns: columns
            .iter()
            .map(|(attnum, name, base, category)| column(oid, *attnum, name, *base, *category))
            .collect(),
        primary_key: vec![1],
        ancestors: Vec::new(),
        unreadable: HashMap::new(),
        read_risk: None,
        write_risk: None,
    }
}

pub fn customers() -> Relation {
    let columns = [
        (1, "id", BaseType::Integer, None),
        (2, "email", BaseType::Text, Some("contact")),
        (3, "phone", BaseType::Text, Some("contact")),
        (4, "ssn", BaseType::Text, Some("identity")),
        (5, "region", BaseType::Text, None),
    ];
    relation(CUSTOMERS, "public", "customers", &columns)
}

pub fn catalogue_of(version: u64, relations: Vec<Relation>) -> Catalogue {
    let mut catalogue = Catalogue { version, ..Catalogue::default() };
    for relation in relations {
        catalogue.by_name.insert((relation.schema.clone(), relation.name.clone()), relation.oid);
        catalogue.names.entry(relation.name.clone()).or_default().push(relation.oid);
        catalogue.relations.insert(relation.oid, Arc::new(relation));
    }
    catalogue.unprotected.insert(("public".to_owned(), "products".to_owned()));
    catalogue
}

pub fn shop() -> Catalogue {
    let orders = [(1, "id", BaseType::Integer, None), (2, "address", BaseType::Text, Some("contact"))];
    let activity = [(1, "query", BaseType::Text, Some("built-in"))];
    catalogue_of(
        1,
        vec![
            customers(),
            relation(ORDERS, "public", "orders", &orders),
            relation(ARCHIVED_ORDERS, "archive", "orders", &orders),
            relation(ACTIVITY, "pg_catalog", "pg_stat_activity", &activity),
        ],
    )
}

pub fn person(user: &str, groups: &[&str]) -> Principal {
    Principal::new(user, groups.iter().map(|group| (*group).to_owned()).collect())
}
pub fn ann() -> Principal {
    person("ann", &["support"])
}
pub fn bob() -> Principal {
    person("bob", &["support"])
}
/// Approves, and may ask too.
pub fn petra() -> Principal {
    person("petra", &["support", "privacy"])
}
pub fn paul() -> Principal {
    person("paul", &["privacy"])
}
/// Neither asks nor approves.
pub fn guest() -> Principal {
    person("guest", &["visitors"])
}

pub fn settings() -> Settings {
    let group = |name: &str, may_request, may_approve| Group {
        name: name.to_owned(),
        may_request,
        may_approve,
        may_audit: may_approve,
        may_administer: false,
        max_duration: None,
    };
    Settings {
        groups: vec![
            group("support", true, false),
            group("privacy", false, true),
            group("visitors", false, false),
        ],
        ..Settings::default()
    }
}

/// An arbiter that says what a test wants.
pub struct Says<F>(pub F);

impl<F: Fn(&Facts) -> Ruling + Send + Sync + 'static> Arbiter for Says<F> {
    fn rule(&self, facts: &Facts) -> Ruling {
        (self.0)(facts)
    }
}

pub fn why(policy: &str) -> Why {
    Why { policies: vec![policy.to_owned()], reasons: vec![format!("{policy} says so")] }
}
pub fn refuse() -> Ruling {
    Ruling::Refuse { why: why("no"), hint: Some("Ask for less.".to_owned()) }
}
pub fn approve() -> Ruling {
    Ruling::Approve { why: why("routine"), limits: Ceiling::default() }
}
pub fn break_glass(reviewers: &[&str]) -> Ruling {
    Ruling::BreakGlass { why: why("oncall"), limits: Ceiling::default(), reviewers: texts(reviewers) }
}
/// Panels: groups, how many, with a second factor.
pub fn panels(panels: &[(&[&str], u32, bool)]) -> Ruling {
    let panel = |(groups, count, second_factor): &(&[&str], u32, bool)| Panel {
        groups: texts(groups),
        count: *count,
        second_factor: *second_factor,
    };
    Ruling::Ask {
        why: why("careful"),
        limits: Ceiling::default(),
        panels: panels.iter().map(panel).collect(),
        lapses_after: None,
        escalation: None,
    }
}
pub fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

pub fn named(event: &Event) -> &'static str {
    match event {
        Event::Requested { .. } => "requested",
        Event::PartlyApproved { .. } => "partly approved",
        Event::Checked { .. } => "checked",
        Event::Escalated { .. } => "escalated",
        Event::Decided { .. } => "decided",
        Event::Scheduled { .. } => "scheduled",
        Event::BreakGlass { .. } => "break-glass",
        Event::Started { .. } => "started",
        Event::Extended { .. } => "extended",
        Event::Ended { .. } => "ended",
        Event::CutOff { .. } => "cut off",
        Event::Reviewed { .. } => "reviewed",
    }
}
pub fn names(events: &mut tokio::sync::broadcast::Receiver<Event>) -> Vec<&'static str> {
    std::iter::from_fn(|| events.try_recv().ok()).map(|event| named(&event)).collect()
}

/// A session in which a second factor was shown so many minutes ago.
pub fn with_factor(minutes: u64) -> Context {
    Context { second_factor_age: Some(Duration::from_secs(60 * minutes)), ..here() }
}

/// A session without anything special about it.
pub fn here() -> Context {
    Context::default()
}

pub fn ask(columns: &str) -> Ask {
    Ask { columns: columns.to_owned(), reason: Some("ticket 4711".to_owned()), ..Ask::default() }
}

pub fn more(duration: &str) -> AskMore {
    AskMore { duration: Some(duration.to_owned()), reason: Some("not done yet".to_owned()), urgency: None }
}

pub struct Shop {
    pub live: Live,
    pub clock: TestClock,
    pub store: MemoryStore,
    pub catalogue: Catalogue,
}

impl Shop {
    pub fn open() -> Self {
        Self::with(settings())
    }
    pub fn with(settings: Settings) -> Self {
        let (clock, store) = (TestClock::new(START), MemoryStore::default());
        let live = Live::open(store.clone(), clock.clone(), settings).expect("opens");
        Self { live, clock, store, catalogue: shop() }
    }

    pub fn ruled(rule: impl Fn(&Facts) -> Ruling + Send + Sync + 'static) -> Self {
        Self::ruled_with(settings(), rule)
    }
    pub fn ruled_with(settings: Settings, rule: impl Fn(&Facts) -> Ruling + Send + Sync + 'static) -> Self {
        let (clock, store) = (TestClock::new(START), MemoryStore::default());
        let live =
            Live::open_with(store.clone(), clock.clone(), settings, Arc::new(Says(rule))).expect("opens");
        Self { live, clock, store, catalogue: shop() }
    }
    /// What a new process finds, with or without a farewell of this one.
    pub fn reopened(&self) -> Live {
        Live::open(self.store.after_crash(false), self.clock.clone(), self.live.settings().clone())
            .expect("opens")
    }

    pub fn ask(&self, by: &Principal, ask: Ask) -> Outcome {
        self.live.request(by, SHOP, &self.catalogue, ask, &here()).expect("asked")
    }
    pub fn find(&self, id: u64) -> Arc<Grant> {
        self.live.find(id).expect("it is known")
    }
    pub fn pass(&self, minutes: u64) {
        self.clock.advance(minutes * MINUTE);
        self.live.tick().expect("kept");
    }

    pub fn request(&self, by: &Principal, ask: Ask) -> u64 {
        self.live.request(by, SHOP, &self.catalogue, ask, &here()).expect("requested").request.id
    }
    /// A live grant of Ann's.
    pub fn grant(&self, ask: Ask) -> u64 {
        let request = self.request(&ann(), ask);
        self.live.approve(&petra(), request, None, &here()).expect("approved").grant.expect("live").id
    }
    /// Numbers of the grants that give `who` something.
    pub fn access(&self, who: &Principal) -> Vec<u64> {
        access(&self.live, who, &self.catalogue)
    }
}

pub fn access(live: &Live, who: &Principal, catalogue: &Catalogue) -> Vec<u64> {
    let mut ids: Vec<u64> = live.access(who, SHOP, catalogue).scopes.iter().map(|scope| scope.id).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}
