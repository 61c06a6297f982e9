//! Which functions could reach protected data, and what calls them without being asked.
//!
//! Risk spreads from roots (built-ins that execute text, functions whose source names a protected
//! relation, functions in languages that nobody reads) along references until nothing changes:
//! caller to caller, function to operator, cast and type, function to the views, rules, triggers,
//! defaults and constraints that call it. A step that is not known to be harmless is taken; the
//! operator's way out is `trusted_functions`.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use crate::bind::BindOptions;
use crate::body::Call;
use crate::finding::{Finding, FindingKind};
use crate::snapshot::{FIRST_NORMAL_OID, FunctionRow, Snapshot, Source, Target};
use crate::trust::{Trusted, trusted, written};
use crate::{ColumnId, DefinitionRisk, FunctionSafety, Oid, RelationKind, UnsafeOverload};

/// A reason is told through so many calls at most.
const MAX_REASON_BYTES: usize = 300;

/// What turned out to be a risk, each with its culprit: "function public.f, which executes text".
#[derive(Debug, Default)]
pub(crate) struct Safety {
    pub functions: HashMap<String, FunctionSafety>,
    pub overloads: HashMap<String, Vec<UnsafeOverload>>,
    /// Names of functions that can store what they are given or send it on.
    pub writers: HashSet<String>,
    pub operators: HashMap<String, String>,
    pub types: HashMap<String, String>,
    pub reading: HashMap<Oid, String>,
    pub writing: HashMap<Oid, String>,
    pub definitions: Vec<DefinitionRisk>,
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
    EventTrigger(Oid),
}

/// An edge's meaning, as a verb phrase before what it leads to.
pub(crate) type How = &'static str;

/// What of the schema is protected, and what the operator said of it.
pub(crate) struct Known<'k> {
    /// Relations with protected columns, and those columns.
    pub protected: &'k BTreeSet<Oid>,
    pub columns: &'k HashSet<ColumnId>,
    /// Foreign tables that a label names.
    pub labelled: &'k HashSet<Oid>,
}

impl Known<'_> {
    /// The names of a relation's protected columns.
    pub fn columns<'s>(&self, snapshot: &'s Snapshot, relation: Oid) -> Vec<&'s str> {
        let Some(row) = snapshot.relations.get(&relation) else { return Vec::new() };
        let protected = |attnum: i16| self.columns.contains(&ColumnId { relation, attnum });
        row.columns
            .iter()
            .filter(|column| protected(column.attnum))
            .map(|column| column.name.as_str())
            .collect()
    }
}

pub(crate) fn judge(snapshot: &Snapshot, known: &Known<'_>, options: &BindOptions) -> Safety {
    let mut warnings = Vec::new();
    let trusted = trusted(snapshot, options, &mut warnings);
    let mut judge = Judge {
        snapshot,
        trusted,
        edges: HashMap::new(),
        words: HashMap::new(),
        relations: HashMap::new(),
        calls: HashMap::new(),
        operators: HashMap::new(),
        writers: HashSet::new(),
        reasons: HashMap::new(),
        queue: VecDeque::new(),
    };
    let hazards = judge.read_bodies();
    judge.connect();
    judge.roots(&hazards, known);
    judge.spread();
    judge.result(warnings)
}

/// The judgement under way.
pub(crate) struct Judge<'a> {
    pub snapshot: &'a Snapshot,
    pub trusted: Trusted,
    pub edges: HashMap<Node, Vec<(Node, How)>>,
    /// A word to the functions whose source holds it: anywhere, where it could name a relation, or
    /// where a function is called.
    pub words: HashMap<String, Vec<Oid>>,
    pub relations: HashMap<String, Vec<Oid>>,
    pub calls: HashMap<String, Vec<(Call, Oid)>>,
    /// Runs of operator characters, likewise.
    pub operators: HashMap<String, Vec<Oid>>,
    /// The functions whose source holds a word that writes, or cannot be read.
    pub writers: HashSet<Oid>,
    /// Verb phrase of each risk found.
    reasons: HashMap<Node, String>,
    queue: VecDeque<Node>,
}

impl Judge<'_> {
    /// Marks what is a risk, unless somebody vouches for it.
    pub fn mark(&mut self, node: Node, reason: String) {
        let vouched = match node {
            Node::Function(oid) => self.trusted.functions.contains(&oid),
            _ => false,
        };
        if !vouched {
            self.mark_in_any_case(node, reason);
        }
    }

    /// Marks what is a risk whoever vouches for it.
    pub fn mark_in_any_case(&mut self, node: Node, reason: String) {
        if let Entry::Vacant(place) = self.reasons.entry(node) {
            place.insert(reason);
            self.queue.push_back(node);
        }
    }

    /// Marks the functions whose source could name the relation.
    pub fn mark_words(&mut self, relation: Oid, reason: &str, wanted: impl Fn(Oid) -> bool) {
        let Some(row) = self.snapshot.relations.get(&relation) else { return };
        let mut functions = self.relations.get(&row.name).cloned().unwrap_or_default();
        functions.sort_unstable();
        for function in functions.into_iter().filter(|function| wanted(*function)) {
            self.mark(Node::Function(function), reason.to_owned());
        }
    }

    /// Marks the functions whose source could call this one.
    fn mark_callers(&mut self, oid: Oid, reason: &str) {
        let Some(function) = self.snapshot.functions.get(&oid) else { return };
        let mut callers: Vec<Oid> = self
            .calls
            .get(&function.name)
            .into_iter()
            .flatten()
            .filter(|(call, caller)| *caller != oid && self.could_call(call, function))
            .map(|(_, caller)| *caller)
            .collect();
        callers.sort_unstable();
        for caller in callers {
            self.mark(Node::Function(caller), reason.to_owned());
        }
    }

    /// Could the call be one of this function, by its number of arguments and its notation?
    fn could_call(&self, call: &Call, function: &FunctionRow) -> bool {
        let takes_rows = || {
            function.types.iter().any(|type_oid| {
                // Composite types, domains over them, polymorphic types and record.
                self.snapshot.types.get(type_oid).is_none_or(|row| matches!(row.kind, 'c' | 'd' | 'p'))
            })
        };
        let built_in = function.schema == "pg_catalog" && function.types.is_empty();
        function.arguments.contains(&call.arguments) && (!call.attribute || built_in || takes_rows())
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
                Node::Function(oid) => self.mark_callers(oid, &format!("calls {culprit}")),
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
                Node::Type(_) | Node::EventTrigger(_) => {}
            }
        }
    }

    /// What a node is called, and what is wrong with it.
    fn culprit(&self, node: Node) -> String {
        let label = match node {
            Node::Function(oid) => match self.snapshot.functions.get(&oid) {
                Some(function) => format!("function {}", written(&function.schema, &function.name)),
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
                    Some(RelationKind::ForeignTable) => "foreign table",
                    _ => "relation",
                };
                match self.snapshot.relations.get(&oid) {
                    Some(row) => format!("{kind} {}", written(&row.schema, &row.name)),
                    None => format!("{kind} with oid {oid}"),
                }
            }
            Node::EventTrigger(oid) => {
                let name =
                    self.snapshot.event_triggers.get(&oid).map_or("?", |trigger| trigger.name.as_str());
                format!("event trigger {name}")
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
                    safety.overloads.entry(function.name.clone()).or_default().push(UnsafeOverload {
                        arguments: function.arguments.clone(),
                        culprit: culprit.clone(),
                        pg_catalog: !safe_here,
                    });
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
                Node::EventTrigger(oid) => {
                    let Some(trigger) = self.snapshot.event_triggers.get(&oid) else { continue };
                    safety.definitions.push(DefinitionRisk { culprit, tags: trigger.tags.clone() });
                }
                Node::Type(_) => {}
            }
        }
        self.warn_of_casts(&mut safety);
        safety.writers = self.writing_functions();
        safety
    }

    /// Names of the functions that write, and of those that call one.
    fn writing_functions(&self) -> HashSet<String> {
        let mut writers = self.writers.clone();
        let mut queue: VecDeque<Oid> = writers.iter().copied().collect();
        while let Some(oid) = queue.pop_front() {
            let Some(function) = self.snapshot.functions.get(&oid) else { continue };
            let callers = self.calls.get(&function.name).into_iter().flatten();
            let mut reached: Vec<Oid> = callers
                .filter(|(call, _)| self.could_call(call, function))
                .map(|(_, caller)| *caller)
                .collect();
            for (next, _) in self.edges.get(&Node::Function(oid)).into_iter().flatten() {
                if let Node::Function(next) = next {
                    reached.push(*next);
                }
            }
            queue.extend(reached.into_iter().filter(|caller| writers.insert(*caller)));
        }
        let functions = writers.iter().filter_map(|oid| self.snapshot.functions.get(oid));
        functions.map(|function| function.name.clone()).collect()
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
                    .hint(
                        "Make it explicit, or add the function to functions in [trust] if you vouch for it.",
                    ),
                );
            }
        }
    }
}
