//! Which functions could reach protected data, and what calls them without being asked.
//!
//! Risk spreads from roots (built-ins that execute text, functions whose source names a protected
//! relation, functions in languages that nobody reads) along references until nothing changes:
//! caller to caller, function to operator, cast and type, function to the views, rules, triggers,
//! defaults and constraints that call it. Every step is over-inclusive; the operator's way out is
//! `trusted_functions`.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use crate::bind::BindOptions;
use crate::body::{Body, scan, setting_hazard};
use crate::builtins::{REVIEWED_EXTENSIONS, unsafe_builtin};
use crate::finding::{Finding, FindingKind};
use crate::lex::lex;
use crate::pattern::parse_qualified;
use crate::snapshot::{FIRST_NORMAL_OID, FunctionRow, Snapshot, Source, Target};
use crate::{ColumnId, FunctionSafety, Oid, RelationKind};

/// A reason is told through so many calls at most.
const MAX_REASON_BYTES: usize = 300;

/// What turned out to be a risk, each with its culprit: "function public.f, which executes text".
#[derive(Debug, Default)]
pub(crate) struct Safety {
    pub functions: HashMap<String, FunctionSafety>,
    pub operators: HashMap<String, String>,
    pub types: HashMap<String, String>,
    pub reading: HashMap<Oid, String>,
    pub writing: HashMap<Oid, String>,
    pub warnings: Vec<Finding>,
}

/// Something that can be a risk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Node {
    Function(Oid),
    Operator(Oid),
    /// Values of the type run unsafe code wherever they turn up.
    Type(Oid),
    /// A statement that names the type can.
    TypeName(Oid),
    Reading(Oid),
    Writing(Oid),
}

/// An edge's meaning, as a verb phrase before what it leads to.
pub(crate) type How = &'static str;

pub(crate) fn judge(snapshot: &Snapshot, protected: &HashSet<ColumnId>, options: &BindOptions) -> Safety {
    let mut warnings = Vec::new();
    let trusted = trusted(snapshot, options, &mut warnings);
    let mut judge = Judge {
        snapshot,
        trusted,
        edges: HashMap::new(),
        words: HashMap::new(),
        calls: HashMap::new(),
        operators: HashMap::new(),
        writers: HashSet::new(),
        reasons: HashMap::new(),
        queue: VecDeque::new(),
    };
    let protected: BTreeSet<Oid> = protected.iter().map(|column| column.relation).collect();
    let bodies = judge.read_bodies();
    judge.connect();
    judge.roots(&bodies, &protected);
    judge.spread();
    judge.result(warnings)
}

/// The judgement under way.
pub(crate) struct Judge<'a> {
    pub snapshot: &'a Snapshot,
    trusted: HashSet<Oid>,
    pub edges: HashMap<Node, Vec<(Node, How)>>,
    /// A word to the functions whose source holds it, anywhere or where a function is called.
    words: HashMap<String, Vec<Oid>>,
    calls: HashMap<String, Vec<Oid>>,
    /// Runs of operator characters, likewise.
    operators: HashMap<String, Vec<Oid>>,
    /// The functions whose source holds a word that writes.
    writers: HashSet<Oid>,
    /// Verb phrase of each risk found.
    reasons: HashMap<Node, String>,
    queue: VecDeque<Node>,
}

/// The functions that are vouched for.
fn trusted(snapshot: &Snapshot, options: &BindOptions, warnings: &mut Vec<Finding>) -> HashSet<Oid> {
    let mut trusted = HashSet::new();
    for entry in &options.trusted_functions {
        let before = trusted.len();
        let extension = entry.trim().strip_prefix("extension:").map(str::trim);
        let qualified = parse_qualified(entry);
        for (oid, function) in &snapshot.functions {
            let hit = match (extension, &qualified) {
                (Some(extension), _) => function.extension.as_deref() == Some(extension),
                (None, Some((schema, name))) => function.schema == *schema && function.name == *name,
                (None, None) => false,
            };
            if hit {
                trusted.insert(*oid);
            }
        }
        if trusted.len() == before {
            warnings.push(
                Finding::new(
                    FindingKind::Trusted,
                    format!("trusted function \"{entry}\" matches no function"),
                )
                .hint("Write schema.function, or extension:name for all functions of an extension."),
            );
        }
    }
    trusted
}

impl Judge<'_> {
    /// Indexes the sources of functions by the words in them; returns the hazards found.
    fn read_bodies(&mut self) -> HashMap<Oid, String> {
        let mut hazards = HashMap::new();
        for (oid, function) in &self.snapshot.functions {
            if *oid < FIRST_NORMAL_OID || self.trusted.contains(oid) || !has_source(function) {
                continue;
            }
            let Body { words, calls, operators, hazard } = scan(&function.body);
            for (index, names) in
                [(&mut self.words, words), (&mut self.calls, calls), (&mut self.operators, operators)]
            {
                for name in names {
                    index.entry(name).or_default().push(*oid);
                }
            }
            // With another string syntax the source means something else than was read.
            let syntax =
                function.settings.iter().any(|setting| setting.starts_with("standard_conforming_strings"));
            let hazard = hazard.or_else(|| syntax.then(|| "changes standard_conforming_strings".to_owned()));
            if let Some(hazard) = hazard {
                hazards.insert(*oid, hazard);
            }
        }
        for word in ["insert", "update", "delete", "merge", "truncate", "refresh", "copy"] {
            self.writers.extend(self.words.get(word).into_iter().flatten());
        }
        hazards
    }

    fn roots(&mut self, hazards: &HashMap<Oid, String>, protected: &BTreeSet<Oid>) {
        let snapshot = self.snapshot;
        let mut functions: Vec<(&Oid, &FunctionRow)> = snapshot.functions.iter().collect();
        functions.sort_unstable_by_key(|(oid, _)| **oid);
        for (oid, function) in functions {
            if let Some(reason) = root(*oid, function, hazards) {
                self.mark(Node::Function(*oid), reason);
            }
        }
        // BEGIN ATOMIC bodies have no source: a setting's name cannot be read there.
        for reference in &snapshot.references {
            if let (Source::Function(caller), Target::Function(callee)) = (reference.from, reference.to)
                && callee < FIRST_NORMAL_OID
                && let Some(callee) = snapshot.functions.get(&callee)
                && matches!(callee.name.as_str(), "set_config" | "current_setting")
            {
                self.mark(Node::Function(caller), format!("calls {}", callee.name));
            }
            if let (Source::Function(caller), Target::Relation(relation, _)) = (reference.from, reference.to)
                && protected.contains(&relation)
            {
                let relation = snapshot.relation_label(relation);
                self.mark(Node::Function(caller), format!("reads the protected relation {relation}"));
            }
            if let (Source::Rule(owner), Target::Relation(relation, _)) = (reference.from, reference.to)
                && protected.contains(&relation)
                && relation != owner
            {
                let relation = snapshot.relation_label(relation);
                self.mark(
                    Node::Writing(owner),
                    format!("has a rule that reads the protected relation {relation}"),
                );
            }
        }
        for relation in protected {
            let reason = format!("names the protected relation {}", snapshot.relation_label(*relation));
            self.mark_words(*relation, &reason, |_| true);
        }
        let mut views: Vec<_> = snapshot.views.iter().collect();
        views.sort_unstable();
        for (view, definition) in views {
            // PostgreSQL wrote it, so it can be read.
            if let Some(hazard) = lex(definition).ok().and_then(|tokens| setting_hazard(&tokens)) {
                self.mark(Node::Reading(*view), hazard);
            }
        }
    }

    fn mark(&mut self, node: Node, reason: String) {
        if let Node::Function(oid) = node
            && self.trusted.contains(&oid)
        {
            return;
        }
        if let Entry::Vacant(place) = self.reasons.entry(node) {
            place.insert(reason);
            self.queue.push_back(node);
        }
    }

    /// Marks the functions whose source holds the relation's name.
    fn mark_words(&mut self, relation: Oid, reason: &str, wanted: impl Fn(Oid) -> bool) {
        let Some(row) = self.snapshot.relations.get(&relation) else { return };
        let mut functions = self.words.get(&row.name).cloned().unwrap_or_default();
        functions.sort_unstable();
        for function in functions.into_iter().filter(|function| wanted(*function)) {
            self.mark(Node::Function(function), reason.to_owned());
        }
    }

    fn spread(&mut self) {
        while let Some(node) = self.queue.pop_front() {
            let culprit = self.culprit(node);
            // In one order, so that the same schema always gives the same culprits.
            let mut edges = self.edges.get(&node).cloned().unwrap_or_default();
            edges.sort_unstable();
            for (next, how) in edges {
                self.mark(next, format!("{how} {culprit}"));
            }
            match node {
                Node::Function(oid) => {
                    let Some(function) = self.snapshot.functions.get(&oid) else { continue };
                    let mut callers = self.calls.get(&function.name).cloned().unwrap_or_default();
                    callers.sort_unstable();
                    for caller in callers.into_iter().filter(|caller| *caller != oid) {
                        self.mark(Node::Function(caller), format!("calls {culprit}"));
                    }
                }
                Node::Operator(oid) => {
                    let Some(name) = self.snapshot.operators.get(&oid) else { continue };
                    // A run of operator characters can hold several operators.
                    let mut users: Vec<Oid> = self
                        .operators
                        .iter()
                        .filter(|(run, _)| run.contains(name.as_str()))
                        .flat_map(|(_, functions)| functions.iter().copied())
                        .collect();
                    users.sort_unstable();
                    for user in users {
                        self.mark(Node::Function(user), format!("uses {culprit}"));
                    }
                }
                Node::TypeName(oid) => {
                    let Some(row) = self.snapshot.types.get(&oid).filter(|_| oid >= FIRST_NORMAL_OID) else {
                        continue;
                    };
                    let mut users = self.words.get(&row.name).cloned().unwrap_or_default();
                    users.sort_unstable();
                    for user in users {
                        self.mark(Node::Function(user), format!("uses {culprit}"));
                    }
                }
                Node::Reading(oid) => self.mark_words(oid, &format!("names {culprit}"), |_| true),
                // Only who writes it meets what happens then.
                Node::Writing(oid) => {
                    let writers = self.writers.clone();
                    self.mark_words(oid, &format!("writes {culprit}"), |function| {
                        writers.contains(&function)
                    });
                }
                Node::Type(_) => {}
            }
        }
    }

    /// What a node is called, and what is wrong with it.
    fn culprit(&self, node: Node) -> String {
        let label = match node {
            Node::Function(oid) => match self.snapshot.functions.get(&oid) {
                Some(function) => format!("function {}.{}", function.schema, function.name),
                None => format!("function with oid {oid}"),
            },
            Node::Operator(oid) => {
                format!("operator {}", self.snapshot.operators.get(&oid).map_or("?", String::as_str))
            }
            Node::Type(oid) | Node::TypeName(oid) => match self.snapshot.types.get(&oid) {
                Some(row) => format!("type {}.{}", row.schema, row.name),
                None => format!("type with oid {oid}"),
            },
            Node::Reading(oid) | Node::Writing(oid) => {
                let view = self.snapshot.relations.get(&oid).and_then(|relation| relation.kind);
                let kind = match view {
                    Some(RelationKind::View) => "view",
                    Some(RelationKind::MaterializedView) => "materialized view",
                    _ => "relation",
                };
                format!("{kind} {}", self.snapshot.relation_label(oid))
            }
        };
        match self.reasons.get(&node) {
            // A type that is named runs what its values run.
            Some(reason) if matches!(node, Node::TypeName(_)) && reason.starts_with("is type ") => {
                reason.trim_start_matches("is ").to_owned()
            }
            Some(reason) if reason.len() <= MAX_REASON_BYTES => format!("{label}, which {reason}"),
            _ => label,
        }
    }

    fn result(self, warnings: Vec<Finding>) -> Safety {
        let mut safety = Safety { warnings, ..Safety::default() };
        let mut nodes: Vec<Node> = self.reasons.keys().copied().collect();
        nodes.sort_unstable();
        for function in self.snapshot.functions.values() {
            safety.functions.entry(function.name.clone()).or_insert(FunctionSafety::Safe);
        }
        for node in nodes {
            let culprit = self.culprit(node);
            match node {
                Node::Function(oid) => {
                    let Some(function) = self.snapshot.functions.get(&oid) else { continue };
                    let safe_here = function.schema != "pg_catalog";
                    let entry = safety.functions.entry(function.name.clone()).or_insert(FunctionSafety::Safe);
                    match entry {
                        FunctionSafety::Unsafe { pg_catalog_safe, .. } => *pg_catalog_safe &= safe_here,
                        _ => *entry = FunctionSafety::Unsafe { culprit, pg_catalog_safe: safe_here },
                    }
                }
                Node::Operator(oid) => {
                    if let Some(name) = self.snapshot.operators.get(&oid) {
                        safety.operators.entry(name.clone()).or_insert(culprit);
                    }
                }
                Node::TypeName(oid) => {
                    for name in self.type_names(oid) {
                        safety.types.entry(name).or_insert_with(|| culprit.clone());
                    }
                }
                Node::Reading(oid) => {
                    safety.reading.insert(oid, culprit);
                }
                Node::Writing(oid) => {
                    safety.writing.insert(oid, culprit);
                }
                Node::Type(_) => {}
            }
        }
        self.warn_of_casts(&mut safety);
        safety
    }

    /// The words that a type goes by.
    fn type_names(&self, oid: Oid) -> Vec<String> {
        let Some(row) = self.snapshot.types.get(&oid) else { return Vec::new() };
        let aliases: &[&str] = match (row.schema.as_str(), row.name.as_str()) {
            ("pg_catalog", "bool") => &["boolean"],
            ("pg_catalog", "int2") => &["smallint"],
            ("pg_catalog", "int4") => &["integer", "int"],
            ("pg_catalog", "int8") => &["bigint"],
            ("pg_catalog", "float4") => &["real", "float"],
            ("pg_catalog", "float8") => &["double", "float"],
            ("pg_catalog", "numeric") => &["decimal", "dec"],
            ("pg_catalog", "varchar" | "bpchar") => &["character", "char", "nchar", "national"],
            ("pg_catalog", "timestamptz") => &["timestamp"],
            ("pg_catalog", "timetz") => &["time"],
            ("pg_catalog", "varbit") => &["bit"],
            _ => &[],
        };
        aliases.iter().map(|alias| (*alias).to_owned()).chain([row.name.clone()]).collect()
    }

    /// A cast between built-in types that nobody has to write down cannot be recognised in a
    /// statement; only a superuser can make one.
    fn warn_of_casts(&self, safety: &mut Safety) {
        let mut seen = BTreeSet::new();
        for reference in &self.snapshot.references {
            if let (Source::ImplicitCast(oid), Target::Function(function)) = (reference.from, reference.to)
                && oid < FIRST_NORMAL_OID
                && self.reasons.contains_key(&Node::Function(function))
                && seen.insert(function)
            {
                let culprit = self.culprit(Node::Function(function));
                safety.warnings.push(
                    Finding::new(
                        FindingKind::Risk,
                        "an implicit cast of a built-in type could reach protected data",
                    )
                    .detail(format!("It calls {culprit}."))
                    .hint("Make it explicit, or add the function to trusted_functions if you vouch for it."),
                );
            }
        }
    }
}

fn has_source(function: &FunctionRow) -> bool {
    matches!(function.language.as_str(), "sql" | "plpgsql") && function.kind != 'a'
}

/// Why a function is a risk by itself.
fn root(oid: Oid, function: &FunctionRow, hazards: &HashMap<Oid, String>) -> Option<String> {
    if oid < FIRST_NORMAL_OID {
        return unsafe_builtin(&function.name).map(str::to_owned);
    }
    // Its support functions decide.
    if function.kind == 'a' {
        return None;
    }
    if has_source(function) {
        return hazards.get(&oid).cloned();
    }
    if !matches!(function.language.as_str(), "c" | "internal") {
        return Some(format!("is written in {}", function.language));
    }
    let reviewed =
        function.extension.as_deref().is_some_and(|extension| REVIEWED_EXTENSIONS.contains(&extension));
    if function.immutable || reviewed {
        return None;
    }
    Some("is compiled code and not labelled IMMUTABLE".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reviewed_extension_is_named_once() {
        let names: HashSet<_> = REVIEWED_EXTENSIONS.iter().collect();
        assert_eq!(names.len(), REVIEWED_EXTENSIONS.len());
    }
}
