//! Analyses, kept by the template of the text.
//!
//! Texts of the simple protocol carry their literals, so a cache by exact text never hits; splices
//! are token positions, so one analysis serves every text with the same template. An analysis
//! depends on catalogue, access and session state as well: a hit compares all three.
//!
//! A hit copies the text and nothing else: what an ordinary statement's tokens are is found again
//! by whoever asks, which is an error message and seldom anything else.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher};
use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use pgwarrant_audit::Shape;
use pgwarrant_catalog::Catalogue;
use pgwarrant_sql::lexer::Token;
use pgwarrant_sql::{
    Access, Class, Context, Effect, GrantId, Limits, Message, Piece, Refusal, SessionState, Splice,
    Statement, Touched, Verdict, splice, template,
};

use crate::{intents, withhold};

/// A message longer than this does not leave its memory behind for the next one.
const SCRATCH_BYTES: usize = 64 * 1024;

/// So many plans come between two looks for those of ended grants.
const SWEEP_AFTER: usize = 64;

/// The longest RowDescription that is remembered.
const DESCRIPTION_BYTES: usize = 4 * 1024;

/// What an analysis was made under, held so that it can be made again or compared.
#[derive(Clone, Debug)]
pub struct Basis {
    pub catalogue: Arc<Catalogue>,
    pub access: Arc<Access>,
    pub session: Arc<SessionState>,
    /// Of all of them and of the database's name, by the cache that is asked with it.
    digest: u64,
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
    statements: Vec<Statement>,
    facts: Vec<Facts>,
    basis: Basis,
    /// See [`Analysed::ordinary`].
    ordinary: bool,
}

/// What is known of one statement besides its analysis.
#[derive(Debug)]
struct Facts {
    touched: Arc<Touched>,
    fingerprint: u64,
    /// It could write.
    writes: bool,
    /// It may pass raw data and surely does nothing but read; see [`intents::only_reads`].
    only_reads: bool,
    /// The result that its rows were described by when the wire guard last let them pass.
    description: OnceLock<Box<[u8]>>,
    /// See [`Analysed::shape`].
    shape: OnceLock<Arc<Shape>>,
}

/// A text with its analysis.
#[derive(Clone, Debug)]
pub struct Analysed {
    pub text: Arc<str>,
    /// Empty: to be found again.
    tokens: OnceLock<Arc<[Token]>>,
    plan: Arc<Plan>,
}

impl Analysed {
    /// A text that has no analysis because it was refused as a whole.
    pub fn of_nothing(text: &str, basis: &Basis) -> Self {
        Plan::new(text, &[], Vec::new(), Vec::new(), basis).of(text, &[])
    }

    pub fn statements(&self) -> &[Statement] {
        &self.plan.statements
    }

    pub fn basis(&self) -> &Basis {
        &self.plan.basis
    }

    /// A single statement of which there is nothing more to find out: it passes nothing raw, uses no
    /// grant, changes no name and no state, tries no value, and nothing of it waits for live state.
    pub fn ordinary(&self) -> Option<&Statement> {
        self.plan.statements.first().filter(|_| self.plan.ordinary)
    }

    /// The same for every text of one statement's template.
    pub fn fingerprint(&self, index: usize) -> u64 {
        self.plan.facts.get(index).map_or(0, |facts| facts.fingerprint)
    }

    /// What the statement of this index touches; nothing for an index out of range.
    pub fn touched(&self, index: usize) -> Arc<Touched> {
        self.plan.facts.get(index).map(|facts| facts.touched.clone()).unwrap_or_default()
    }

    /// Is that all that the statement of this index touches, and not what it runs as well?
    pub fn is_own(&self, index: usize, touched: &Arc<Touched>) -> bool {
        self.plan.facts.get(index).is_some_and(|facts| Arc::ptr_eq(&facts.touched, touched))
    }

    /// What the audit trail says of the statement of this index alone; made once for all texts with
    /// this analysis, for they are all redacted to the same text. None for an index out of range.
    pub fn shape(&self, index: usize, make: impl FnOnce() -> Shape) -> Option<Arc<Shape>> {
        let facts = self.plan.facts.get(index)?;
        Some(facts.shape.get_or_init(|| Arc::new(make())).clone())
    }

    /// Could the statement of this index write?
    pub fn writes(&self, index: usize) -> bool {
        self.plan.facts.get(index).is_some_and(|facts| facts.writes)
    }

    /// May the statement of this index pass raw data, and does it surely do nothing but read?
    pub fn only_reads(&self, index: usize) -> bool {
        self.plan.facts.get(index).is_some_and(|facts| facts.only_reads)
    }

    /// A RowDescription that the wire guard has let pass for this statement, under this analysis.
    pub fn passed(&self, index: usize) -> Option<&[u8]> {
        self.plan.facts.get(index)?.description.get().map(|description| &**description)
    }

    /// The wire guard has let this RowDescription pass.
    pub fn set_passed(&self, index: usize, description: &[u8]) {
        if let Some(facts) = self.plan.facts.get(index)
            && description.len() <= DESCRIPTION_BYTES
        {
            facts.description.get_or_init(|| description.into());
        }
    }

    /// The tokens of the whole message.
    pub fn tokens(&self) -> &[Token] {
        self.tokens.get_or_init(|| {
            // It was read before, within the limits.
            let limits = Limits { statement_bytes: usize::MAX, statement_tokens: usize::MAX, nesting: 0 };
            pgwarrant_sql::lexer::lex(&self.text, &limits).unwrap_or_default().into()
        })
    }

    /// The tokens of one statement.
    pub fn statement_tokens(&self, index: usize) -> &[Token] {
        self.statements()
            .get(index)
            .and_then(|found| self.tokens().get(found.tokens.clone()))
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

impl Plan {
    fn new(
        text: &str,
        tokens: &[Token],
        statements: Vec<Statement>,
        template: Vec<u8>,
        basis: &Basis,
    ) -> Self {
        let facts = statements
            .iter()
            .map(|statement| {
                let tokens = tokens.get(statement.tokens.clone()).unwrap_or_default();
                let runs_another = matches!(statement.class, Class::Execute | Class::Fetch);
                Facts {
                    touched: Arc::new(statement.touched.clone()),
                    fingerprint: template::fingerprint(&template::template(text, tokens)),
                    writes: withhold::writes(statement.class, text, tokens),
                    only_reads: (runs_another || !statement.touched.raw.is_empty())
                        && intents::only_reads(statement.class, text, tokens, &basis.catalogue),
                    description: OnceLock::new(),
                    shape: OnceLock::new(),
                }
            })
            .collect::<Vec<_>>();
        let ordinary = match (statements.as_slice(), facts.as_slice()) {
            ([statement], [facts]) => is_ordinary(statement, facts, basis),
            _ => false,
        };
        Self { template, statements, facts, basis: basis.clone(), ordinary }
    }

    /// The analysis of `text`, whose tokens these are.
    fn of(self, text: &str, tokens: &[Token]) -> Analysed {
        Analysed { text: text.into(), tokens: OnceLock::from(Arc::from(tokens)), plan: Arc::new(self) }
    }
}

/// See [`Analysed::ordinary`].
fn is_ordinary(statement: &Statement, facts: &Facts, basis: &Basis) -> bool {
    let touched = &statement.touched;
    matches!(
        statement.class,
        Class::Select | Class::Insert | Class::Update | Class::Delete | Class::Merge | Class::Show
    ) && statement.effects.is_empty()
        && touched.raw.is_empty()
        && touched.grants.is_empty()
        && touched.probed.is_empty()
        && !(facts.writes && withhold::touches_unseen(touched, &basis.catalogue, &basis.access, |_| true))
        && match &statement.verdict {
            Verdict::AsWritten => true,
            Verdict::Spliced(splices) => !splices
                .iter()
                .flat_map(|splice| &splice.with)
                .any(|piece| matches!(piece, Piece::Console(_))),
            Verdict::Refused(_) => false,
        }
}

/// Two generations: when the young one is full it becomes the old one, and the old one goes.
#[derive(Debug, Default)]
struct Generations {
    young: Plans,
    young_bytes: usize,
    old: Plans,
    /// Plans that came since those of ended grants were last looked for.
    since_sweep: usize,
}

/// By keys that are hashes already.
type Plans = HashMap<u64, Vec<Arc<Plan>>, BuildHasherDefault<AsIs>>;

/// Hashes a hash.
#[derive(Debug, Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// What one thread remembers of the statements that it has analysed.
#[derive(Debug)]
pub struct Cache {
    inner: Mutex<Inner>,
    hasher: RandomState,
    /// Most bytes that the two generations hold, about.
    bytes: usize,
}

#[derive(Debug, Default)]
struct Inner {
    /// The text at hand, taken apart.
    message: Message,
    /// For [`Cache::splice`].
    spliced: String,
    generations: Generations,
}

impl Cache {
    pub fn new(bytes: usize) -> Self {
        Self { inner: Mutex::default(), hasher: RandomState::new(), bytes }
    }

    /// What analyses rest on in a session of this database.
    pub fn basis(
        &self,
        catalogue: Arc<Catalogue>,
        access: Arc<Access>,
        session: Arc<SessionState>,
        database: &str,
    ) -> Basis {
        let digest = self.hasher.hash_one((database, catalogue.version, access.version, &*session));
        Basis { catalogue, access, session, digest }
    }

    /// To be called when grants have come or gone: now and then, plans that rest on a grant that is not
    /// live any more are let go of. No grant has a number that another had before.
    pub fn forget_ended(&self, is_live: impl Fn(GrantId) -> bool) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.generations.since_sweep >= SWEEP_AFTER {
            inner.generations.sweep(is_live);
        }
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
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let Inner { message, generations, .. } = &mut *inner;
        if message.read(text, limits).is_err() {
            // The analysis says what is wrong in the words of a refusal.
            let analysis = pgwarrant_sql::analyse(text, &context)?;
            let plan = Plan::new(text, &analysis.tokens, analysis.statements, Vec::new(), basis);
            return Ok(plan.of(text, &analysis.tokens));
        }
        let key = self.hasher.hash_one((basis.digest, message.key()));
        if let Some(plan) = generations.find(key, message.key(), basis, self.bytes) {
            let tokens = OnceLock::new();
            if !plan.ordinary
                || !matches!(plan.statements.as_slice(), [only] if only.verdict == Verdict::AsWritten)
            {
                let _ = tokens.set(message.tokens().into());
            }
            return Ok(Analysed { text: text.into(), tokens, plan });
        }
        let statements = message.analyse(text, &context);
        let plan = Plan::new(text, message.tokens(), statements, message.key().to_vec(), basis);
        let analysed = plan.of(text, message.tokens());
        if analysed.statements().iter().all(keepable) {
            generations.keep(key, &analysed.plan, self.bytes);
        }
        if text.len() > SCRATCH_BYTES {
            *message = Message::default();
        }
        Ok(analysed)
    }

    /// Gives `send` what an ordinary statement is sent as.
    ///
    /// # Errors
    /// The splices do not fit the text.
    pub fn splice(
        &self,
        analysed: &Analysed,
        statement: &Statement,
        splices: &[Splice],
        send: impl FnOnce(&str),
    ) -> Result<(), Refusal> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let spliced = &mut inner.spliced;
        spliced.clear();
        splice::apply_into(&analysed.text, analysed.tokens(), statement.tokens.clone(), splices, spliced)?;
        send(spliced);
        spliced.shrink_to(SCRATCH_BYTES);
        Ok(())
    }
}

impl Generations {
    fn find(&mut self, key: u64, template: &[u8], basis: &Basis, bytes: usize) -> Option<Arc<Plan>> {
        let fits = |plan: &&Arc<Plan>| plan.template == template && plan.basis.equals(basis);
        if let Some(plan) = self.young.get(&key).and_then(|plans| plans.iter().find(fits)) {
            return Some(plan.clone());
        }
        let plan = self.old.get(&key).and_then(|plans| plans.iter().find(fits)).cloned()?;
        self.keep(key, &plan, bytes);
        Some(plan)
    }

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
        self.since_sweep += 1;
        self.young.entry(key).or_default().push(plan.clone());
    }

    /// Lets go of plans that nobody can find any more, for one of their grants has ended.
    fn sweep(&mut self, is_live: impl Fn(GrantId) -> bool) {
        self.since_sweep = 0;
        let holds = |plan: &Arc<Plan>| plan.basis.access.scopes.iter().all(|scope| is_live(scope.id));
        for plans in [&mut self.young, &mut self.old] {
            plans.retain(|_, plans| {
                plans.retain(holds);
                !plans.is_empty()
            });
        }
        self.young_bytes = self.young.values().flatten().map(|plan| size(plan)).sum();
    }
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
                    Piece::Text(text) => 64 + text.len(),
                    Piece::Tokens(_) | Piece::Console(_) => 256,
                })
                .sum::<usize>(),
            Verdict::AsWritten | Verdict::Refused(_) => 0,
        })
        .sum();
    let touched: usize = plan
        .facts
        .iter()
        .map(|Facts { touched, .. }| {
            128 + 16
                * (touched.relations.len() + touched.masked.len() + touched.raw.len() + touched.plain.len())
        })
        .sum();
    // A description may come to it.
    // Once more for the text and the description of rows that are found out later.
    1024 + 2 * plan.template.len() + plan.statements.len() * 1024 + splices + 2 * touched
}

#[cfg(test)]
mod tests {
    use pgwarrant_sql::{Actions, GrantScope, OtherRows, Rows};

    use super::*;

    /// An access under grants, which have to do with no relation that there is.
    fn access(grants: &[GrantId]) -> Arc<Access> {
        let scope = |id: &GrantId| GrantScope {
            id: *id,
            relation: 1,
            columns: Default::default(),
            actions: Actions::default(),
            rows: Rows::All,
            others: OtherRows::Mask,
        };
        let scopes = grants.iter().map(scope).collect();
        Arc::new(Access { version: grants.iter().sum(), scopes, deciding: Arc::default() })
    }

    #[test]
    fn plans_of_ended_grants_are_let_go_of_and_no_others() {
        let cache = Cache::new(16 << 20);
        let catalogue = Arc::new(Catalogue::default());
        let basis = |grants| cache.basis(catalogue.clone(), access(grants), Arc::default(), "shop");
        let limits = Limits { statement_bytes: 1000, statement_tokens: 100, nesting: 10 };
        let analyse = |basis: &Basis, name: usize| {
            cache.analyse(&format!("SELECT 1 AS a{name}"), basis, &limits, "shop").expect("analysed").plan
        };
        let (none, live, ended) = (basis(&[]), basis(&[7]), basis(&[7, 8]));
        let kept: Vec<_> = [&none, &live].into_iter().map(|basis| (basis, analyse(basis, 0))).collect();
        for name in 0..SWEEP_AFTER {
            analyse(&ended, name);
        }
        let held = analyse(&ended, 0);
        cache.forget_ended(|grant| grant == 7);
        for (basis, plan) in kept {
            assert!(Arc::ptr_eq(&plan, &analyse(basis, 0)));
        }
        assert!(!Arc::ptr_eq(&held, &analyse(&ended, 0)));
    }
}
