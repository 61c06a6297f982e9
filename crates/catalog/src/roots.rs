//! Where risk starts: functions and relations that are dangerous by themselves.

use std::collections::HashMap;

use crate::Oid;
use crate::RelationKind;
use crate::body::{Body, Call, Hazard, scan, setting_hazard};
use crate::builtins::{SystemRelation, Verdict, builtin_verdict, extension_verdict, system_relation};
use crate::lex::lex;
use crate::naming::reads_other_columns_only;
use crate::safety::{Judge, Known, Node};
use crate::snapshot::{FIRST_NORMAL_OID, FunctionRow, RelationRow, Source, Target};

/// Said of what changes the session itself: the proxy would not see it.
pub(crate) const NOT_TO_BE_TRUSTED: &str = "which vouching for it does not cover";

/// Words of statements and functions that keep what they are given, or send it on.
const WRITE_WORDS: [&str; 14] = [
    "call",
    "copy",
    "create",
    "delete",
    "dblink_exec",
    "execute",
    "insert",
    "merge",
    "notify",
    "pg_notify",
    "refresh",
    "set_config",
    "truncate",
    "update",
];

impl Judge<'_> {
    /// Indexes the sources of functions by the words in them; returns the hazards found.
    pub fn read_bodies(&mut self) -> HashMap<Oid, Hazard> {
        let mut hazards = HashMap::new();
        for (oid, function) in &self.snapshot.functions {
            if *oid < FIRST_NORMAL_OID || function.kind == 'a' {
                continue;
            }
            if !has_source(function) {
                if !self.only_computes(function) {
                    self.writers.insert(*oid);
                }
                continue;
            }
            let Body { words, relations, calls, operators, hazard } = scan(&function.body);
            // The body of BEGIN ATOMIC is not text.
            if function.body.is_empty() || WRITE_WORDS.iter().any(|word| words.contains(*word)) {
                self.writers.insert(*oid);
            }
            if let Some(hazard) = hazard.or_else(|| clause_hazard(function)) {
                hazards.insert(*oid, hazard);
            }
            if self.trusted.functions.contains(oid) {
                continue;
            }
            for (index, names) in
                [(&mut self.words, words), (&mut self.relations, relations), (&mut self.operators, operators)]
            {
                for name in names {
                    index.entry(name).or_default().push(*oid);
                }
            }
            for call in calls {
                let Call { name, .. } = &call;
                self.calls.entry(name.clone()).or_default().push((call, *oid));
            }
        }
        hazards
    }

    /// Is it compiled code that keeps nothing of what it is given?
    fn only_computes(&self, function: &FunctionRow) -> bool {
        let reviewed =
            function.extension.as_deref().and_then(|extension| extension_verdict(extension, &function.name));
        let compiled = matches!(function.language.as_str(), "c" | "internal");
        compiled && (reviewed == Some(Verdict::Harmless) || (function.immutable && reviewed.is_none()))
    }

    pub fn roots(&mut self, hazards: &HashMap<Oid, Hazard>, known: &Known<'_>) {
        let snapshot = self.snapshot;
        let mut functions: Vec<(&Oid, &FunctionRow)> = snapshot.functions.iter().collect();
        functions.sort_unstable_by_key(|(oid, _)| **oid);
        for (oid, function) in functions {
            let node = Node::Function(*oid);
            match hazards.get(oid) {
                Some(Hazard { reason, session: true }) => {
                    self.mark_in_any_case(node, format!("{reason}, {NOT_TO_BE_TRUSTED}"));
                }
                Some(Hazard { reason, session: false }) => self.mark(node, reason.clone()),
                None => {
                    if let Some(reason) = root(*oid, function) {
                        self.mark(node, reason);
                    }
                }
            }
        }
        let mut relations: Vec<&RelationRow> = snapshot.relations.values().collect();
        relations.sort_unstable_by_key(|relation| relation.oid);
        for relation in relations {
            if let Some(reason) = self.relation_root(relation, known) {
                self.mark(Node::Reading(relation.oid), reason.to_owned());
                self.mark(Node::Writing(relation.oid), reason.to_owned());
            }
            // The only rules that initdb makes.
            if relation.oid < FIRST_NORMAL_OID && relation.name == "pg_settings" {
                let reason = format!("has a rule that changes settings, {NOT_TO_BE_TRUSTED}");
                self.mark(Node::Writing(relation.oid), reason);
            }
        }
        self.reference_roots(known);
        for relation in known.protected {
            let reason = format!("names the protected relation {}", snapshot.relation_label(*relation));
            // The system's own relations are named for their other columns all the time.
            let columns: Vec<&str> = match *relation < FIRST_NORMAL_OID {
                true => known.columns(snapshot, *relation),
                false => Vec::new(),
            };
            let name = snapshot.relations.get(relation).map(|row| row.name.as_str()).unwrap_or_default();
            self.mark_words(*relation, &reason, |function| {
                let body = snapshot.functions.get(&function).map(|row| row.body.as_str()).unwrap_or_default();
                columns.is_empty() || !reads_other_columns_only(body, name, &columns)
            });
        }
        let mut views: Vec<_> = snapshot.views.iter().collect();
        views.sort_unstable();
        for (view, definition) in views {
            // PostgreSQL wrote it, so it can be read.
            if let Some(hazard) = lex(definition).ok().and_then(|tokens| setting_hazard(&tokens)) {
                self.mark(Node::Reading(*view), hazard.reason);
            }
        }
    }

    fn reference_roots(&mut self, known: &Known<'_>) {
        let snapshot = self.snapshot;
        for reference in &snapshot.references {
            if let Target::Function(callee) = reference.to
                && callee < FIRST_NORMAL_OID
                && let Some(callee) = snapshot.functions.get(&callee)
                && matches!(callee.name.as_str(), "set_config" | "current_setting")
            {
                self.setting_call(reference.from, &callee.name);
            }
            if let (Source::Function(caller), Target::Relation(relation, _)) = (reference.from, reference.to)
                && known.protected.contains(&relation)
            {
                let relation = snapshot.relation_label(relation);
                self.mark(Node::Function(caller), format!("reads the protected relation {relation}"));
            }
            if let (Source::Rule(owner), Target::Relation(relation, _)) = (reference.from, reference.to)
                && known.protected.contains(&relation)
                && relation != owner
            {
                let relation = snapshot.relation_label(relation);
                self.mark(
                    Node::Writing(owner),
                    format!("has a rule that reads the protected relation {relation}"),
                );
            }
        }
    }

    /// Stored code that is no text calls a function that takes a setting's name.
    fn setting_call(&mut self, caller: Source, callee: &str) {
        let reason = format!("calls {callee}, {NOT_TO_BE_TRUSTED}");
        match (caller, callee) {
            // A body of BEGIN ATOMIC, or an argument's default: the setting's name is not known.
            (Source::Function(oid), "set_config") => self.mark_in_any_case(Node::Function(oid), reason),
            (Source::Function(oid), _) => self.mark(Node::Function(oid), format!("calls {callee}")),
            // What only reads settings there was written by the owner and shows what the owner meant.
            (_, "current_setting") | (Source::View(_), _) => {}
            (Source::Type(oid), _) => self.mark(Node::Type(oid), reason),
            (Source::Policy(owner), _) => {
                self.mark(Node::Reading(owner), reason.clone());
                self.mark(Node::Writing(owner), reason);
            }
            (
                Source::Rule(owner)
                | Source::Default(owner, _)
                | Source::Constraint(owner)
                | Source::Index(owner)
                | Source::Expression(owner)
                | Source::Trigger(owner),
                _,
            ) => self.mark(Node::Writing(owner), reason),
            _ => {}
        }
    }

    /// Why a relation is a risk by itself, whatever its columns' labels.
    fn relation_root(&self, relation: &RelationRow, known: &Known<'_>) -> Option<&'static str> {
        let system = relation.oid < FIRST_NORMAL_OID;
        if relation.unknown_kind {
            return Some("is of a kind that has not been reviewed");
        }
        if system_relation(&relation.schema, &relation.name, system) == Some(SystemRelation::Unreviewed) {
            return Some("has not been reviewed");
        }
        let vouched =
            known.labelled.contains(&relation.oid) || self.trusted.relations.contains(&relation.oid);
        (relation.kind == Some(RelationKind::ForeignTable) && !vouched)
            .then_some("shows rows of another server, or of this one by another way")
    }
}

/// Are there words to read?
pub(crate) fn has_source(function: &FunctionRow) -> bool {
    matches!(function.language.as_str(), "sql" | "plpgsql") && function.kind != 'a'
}

/// A SET clause that makes something else of the source than was read, or shows the key.
fn clause_hazard(function: &FunctionRow) -> Option<Hazard> {
    let changed = function.settings.iter().find_map(|setting| {
        let name = setting.split('=').next().unwrap_or_default().to_ascii_lowercase();
        (name == "standard_conforming_strings" || name.starts_with("pgwarrant")).then_some(name)
    })?;
    Some(Hazard { reason: format!("changes {changed}"), session: false })
}

/// Why a function is a risk by itself.
fn root(oid: Oid, function: &FunctionRow) -> Option<String> {
    let dangerous = |verdict| match verdict {
        Verdict::Harmless => None,
        Verdict::Dangerous(reason) => Some(reason.to_owned()),
    };
    if oid < FIRST_NORMAL_OID {
        if !matches!(function.language.as_str(), "internal" | "c" | "sql") {
            return Some("has been replaced".into());
        }
        return dangerous(builtin_verdict(&function.name, *function.arguments.end()));
    }
    // Its support functions decide; its source was read.
    if function.kind == 'a' || has_source(function) {
        return None;
    }
    let compiled = matches!(function.language.as_str(), "c" | "internal");
    if !compiled {
        return Some(format!("is written in {}", function.language));
    }
    let Some(extension) = function.extension.as_deref() else {
        return Some("is compiled code that belongs to no extension".into());
    };
    match extension_verdict(extension, &function.name) {
        Some(verdict) => dangerous(verdict),
        None if function.language == "internal" => {
            Some("is another name for a function of the server".into())
        }
        None if function.immutable => None,
        None => Some("is compiled code and not labelled IMMUTABLE".into()),
    }
}
