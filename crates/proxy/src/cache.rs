//! Analyses, kept by the template of the text.
//!
//! Texts of the simple protocol carry their literals, so a cache by exact text never hits; splices
//! are token positions, so one analysis serves every text with the same template. An analysis
//! depends on catalogue, access and session state as well: a hit compares all three.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use pgwarrant_catalog::Catalogue;
use pgwarrant_sql::lexer::Token;
use pgwarrant_sql::{Access, Context, Effect, Limits, Refusal, SessionState, Statement, Touched, Verdict};

/// What an analysis was made under, held so that it can be made again or compared.
#[derive(Clone, Debug)]
pub struct Basis {
    pub catalogue: Arc<Catalogue>,
    pub access: Arc<Access>,
    pub session: Arc<SessionState>,
}

impl Basis {
    /// Would an analysis under `other` come out the same?
    pub fn equals(&self, other: &Self) -> bool {
        self.catalogue.version == other.catalogue.version
            && (Arc::ptr_eq(&self.access, &other.access) || *self.access == *other.access)
            && (Arc::ptr_eq(&self.session, &other.session) || *self.session == *other.session)
    }
}

/// The part of an analysis that does not depend on literals.
#[derive(Debug)]
struct Plan {
    template: Vec<u8>,
    fingerprints: Vec<u64>,
    statements: Vec<Statement>,
    touched: Vec<Arc<Touched>>,
    basis: Basis,
}

/// A text with its analysis.
#[derive(Clone, Debug)]
pub struct Analysed {
    pub text: Arc<str>,
    pub tokens: Arc<[Token]>,
    plan: Arc<Plan>,
}

impl Analysed {
    /// A text that has no analysis because it was refused as a whole.
    pub fn of_nothing(text: &str, basis: &Basis) -> Self {
        let analysis = pgwarrant_sql::Analysis { tokens: Vec::new(), statements: Vec::new() };
        fresh(text, analysis, Vec::new(), Vec::new(), basis)
    }

    pub fn statements(&self) -> &[Statement] {
        &self.plan.statements
    }

    pub fn basis(&self) -> &Basis {
        &self.plan.basis
    }

    /// The same for every text of one statement's template.
    pub fn fingerprint(&self, index: usize) -> u64 {
        self.plan.fingerprints.get(index).copied().unwrap_or_default()
    }

    /// What the statement of this index touches; nothing for an index out of range.
    pub fn touched(&self, index: usize) -> Arc<Touched> {
        self.plan.touched.get(index).cloned().unwrap_or_default()
    }

    /// The tokens of one statement.
    pub fn statement_tokens(&self, index: usize) -> &[Token] {
        self.statements()
            .get(index)
            .and_then(|found| self.tokens.get(found.tokens.clone()))
            .unwrap_or_default()
    }

    /// The bytes of one statement in this text. (The analysis may have been made for a text with
    /// other literals, so only the token positions hold.)
    pub fn statement_bytes(&self, index: usize) -> Range<usize> {
        match self.statement_tokens(index) {
            [] => 0..0,
            [only] => only.start as usize..only.end as usize,
            [first, .., last] => first.start as usize..last.end as usize,
        }
    }
}

/// Two generations: when the young one is full it becomes the old one, and the old one goes.
#[derive(Debug, Default)]
struct Generations {
    young: HashMap<u64, Vec<Arc<Plan>>>,
    young_bytes: usize,
    old: HashMap<u64, Vec<Arc<Plan>>>,
}

#[derive(Debug)]
pub struct Cache {
    generations: Mutex<Generations>,
    hasher: RandomState,
    /// Most bytes that the two generations hold, about.
    bytes: usize,
}

impl Cache {
    pub fn new(bytes: usize) -> Self {
        Self { generations: Mutex::default(), hasher: RandomState::new(), bytes }
    }

    /// Analyses `text`, or finds that this was done before. An error refuses the whole message.
    pub fn analyse(
        &self,
        text: &str,
        basis: &Basis,
        limits: &Limits,
        database: &str,
    ) -> Result<Analysed, Refusal> {
        let context = Context {
            catalogue: &basis.catalogue,
            access: &basis.access,
            session: &basis.session,
            limits,
            database,
        };
        let Ok(tokens) = pgwarrant_sql::lexer::lex(text, limits) else {
            // The analysis says what is wrong in the words of a refusal.
            let analysis = pgwarrant_sql::analyse(text, &context)?;
            return Ok(fresh(text, analysis, Vec::new(), Vec::new(), basis));
        };
        let (template, fingerprints) = template(text, &tokens);
        let key = self.key(&template, basis, database);
        if let Some(plan) = self.find(key, &template, basis) {
            return Ok(Analysed { text: text.into(), tokens: tokens.into(), plan });
        }
        let analysis = pgwarrant_sql::analyse(text, &context)?;
        let analysed = fresh(text, analysis, template, fingerprints, basis);
        if analysed.statements().iter().all(keepable) {
            self.keep(key, &analysed.plan);
        }
        Ok(analysed)
    }

    fn key(&self, template: &[u8], basis: &Basis, database: &str) -> u64 {
        self.hasher.hash_one((
            template,
            database,
            basis.catalogue.version,
            basis.access.version,
            &*basis.session,
        ))
    }

    fn find(&self, key: u64, template: &[u8], basis: &Basis) -> Option<Arc<Plan>> {
        let fits = |plan: &&Arc<Plan>| plan.template == template && plan.basis.equals(basis);
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(plan) = generations.young.get(&key).and_then(|plans| plans.iter().find(fits)) {
            return Some(plan.clone());
        }
        let plan = generations.old.get(&key).and_then(|plans| plans.iter().find(fits)).cloned()?;
        generations.keep(key, &plan, self.bytes);
        Some(plan)
    }

    fn keep(&self, key: u64, plan: &Arc<Plan>) {
        self.generations.lock().unwrap_or_else(PoisonError::into_inner).keep(key, plan, self.bytes);
    }
}

impl Generations {
    fn keep(&mut self, key: u64, plan: &Arc<Plan>, bytes: usize) {
        let size = size(plan);
        if size > bytes / 8 {
            return;
        }
        if self.young_bytes + size > bytes / 2 {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        self.young_bytes += size;
        self.young.entry(key).or_default().push(plan.clone());
    }
}

/// The key of a message: where each of its statements stands among the tokens, and its template.
/// With it, the statements' fingerprints for the audit trail.
fn template(text: &str, tokens: &[Token]) -> (Vec<u8>, Vec<u64>) {
    let mut key = Vec::with_capacity(text.len() + 16);
    let mut fingerprints = Vec::new();
    for range in pgwarrant_sql::lexer::split(text, tokens) {
        key.extend_from_slice(&(range.start as u64).to_be_bytes());
        let statement = pgwarrant_sql::template::template(text, tokens.get(range).unwrap_or_default());
        key.extend_from_slice(&(statement.len() as u64).to_be_bytes());
        fingerprints.push(pgwarrant_sql::template::fingerprint(&statement));
        key.extend_from_slice(&statement);
    }
    (key, fingerprints)
}

fn fresh(
    text: &str,
    analysis: pgwarrant_sql::Analysis,
    template: Vec<u8>,
    fingerprints: Vec<u64>,
    basis: &Basis,
) -> Analysed {
    let touched = analysis.statements.iter().map(|statement| Arc::new(statement.touched.clone())).collect();
    let plan =
        Plan { template, fingerprints, statements: analysis.statements, touched, basis: basis.clone() };
    Analysed { text: text.into(), tokens: analysis.tokens.into(), plan: Arc::new(plan) }
}

/// Does what the analysis says of this statement hold for every text of its template?
fn keepable(statement: &Statement) -> bool {
    !statement.literals_decide
        && !matches!(statement.verdict, Verdict::Refused(_))
        && !statement.effects.iter().any(|effect| matches!(effect, Effect::Prepare { .. }))
}

/// About what a plan takes in memory.
fn size(plan: &Plan) -> usize {
    let splices: usize = plan
        .statements
        .iter()
        .map(|statement| match &statement.verdict {
            Verdict::Spliced(splices) => splices
                .iter()
                .flat_map(|splice| &splice.with)
                .map(|piece| match piece {
                    pgwarrant_sql::Piece::Text(text) => 64 + text.len(),
                    pgwarrant_sql::Piece::Tokens(_) | pgwarrant_sql::Piece::Console(_) => 256,
                })
                .sum::<usize>(),
            Verdict::AsWritten | Verdict::Refused(_) => 0,
        })
        .sum();
    let touched: usize = plan
        .touched
        .iter()
        .map(|touched| {
            128 + 16
                * (touched.relations.len() + touched.masked.len() + touched.raw.len() + touched.plain.len())
        })
        .sum();
    512 + plan.template.len() + plan.statements.len() * 512 + splices + 2 * touched
}
