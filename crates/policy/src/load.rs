//! Policies out of their files: read, validated against the schema, and made ready to be asked.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use cedar_policy::{Policy, PolicyId, PolicySet, ValidationMode, ValidationWarning, Validator};
use miette::Diagnostic;

use crate::conjuncts::{Collector, Conjuncts, Parts, clauses};
use crate::looks::Looks;
use crate::model::{Model, model};
use crate::names::Known;
use crate::problem::{Problem, sentence};
use crate::scope::{PrincipalScope, Scope};
use crate::snippet::{Snippet, snippets};
use crate::terms::{self, Terms};

/// Policies in all files together.
pub const MAX_POLICIES: usize = 5_000;
/// Bytes in all files together.
pub const MAX_BYTES: usize = 8 * 1024 * 1024;
/// Bytes of one policy.
pub const MAX_POLICY_BYTES: usize = 32 * 1024;
/// Brackets within each other in one policy, and operators in all: Cedar's parser and validator
/// recurse on them.
const MAX_NESTING: usize = 40;
const MAX_OPERATORS: usize = 2_000;
/// Enough for the deepest policy that these allow.
const STACK: usize = 256 * 1024 * 1024;
/// Nobody reads more mistakes at once.
const MAX_PROBLEMS: usize = 1_000;

/// Policies that were found right, in the order of their files.
pub struct Policies {
    pub(crate) rules: Vec<Rule>,
    pub(crate) looks: Looks,
    pub(crate) parts: Parts,
    pub(crate) model: &'static Model,
    /// Places in `rules`, by whom they are about.
    pub(crate) about_all: Vec<usize>,
    pub(crate) about_user: HashMap<String, Vec<usize>>,
    pub(crate) about_group: HashMap<String, Vec<usize>>,
}

/// One policy.
pub(crate) struct Rule {
    pub file: String,
    pub line: usize,
    pub terms: Terms,
    pub scope: Scope,
    /// Its conditions may come out differently for another column or action of a request.
    pub depends_on_asked: bool,
    pub conjuncts: Conjuncts,
    /// Itself alone: Cedar evaluates sets.
    pub set: PolicySet,
}

impl Policies {
    /// `files` are names and texts; `groups`, `categories` and outside `conditions` those that the
    /// configuration knows.
    ///
    /// # Errors
    /// Every mistake in every file, in their order: what is no Cedar, what the schema does not
    /// have, templates, annotations that are missing, misspelt or without meaning, groups, categories
    /// and conditions that are not configured, ids used twice, more or longer policies than
    /// [`MAX_POLICIES`], [`MAX_BYTES`] and [`MAX_POLICY_BYTES`] allow.
    pub fn load<'a>(
        files: impl IntoIterator<Item = (&'a str, &'a str)>,
        groups: impl IntoIterator<Item = &'a str>,
        categories: impl IntoIterator<Item = &'a str>,
        conditions: impl IntoIterator<Item = &'a str>,
    ) -> Result<Policies, Vec<Problem>> {
        let model = model().map_err(|error| {
            let hint = "This is a defect of pgwarrant. Please report it.";
            vec![Problem::whole("schema", format!("the schema of policies cannot be read: {error}"), hint)]
        })?;
        let known = Known {
            groups: groups.into_iter().map(str::to_owned).collect(),
            categories: categories.into_iter().map(str::to_owned).collect(),
            conditions: conditions.into_iter().map(str::to_owned).collect(),
        };
        let mut loader = Loader {
            validator: Validator::new(model.schema.clone()),
            known,
            problems: Vec::new(),
            ids: BTreeMap::new(),
            rules: Vec::new(),
            looks: Looks::default(),
            collector: Collector::default(),
        };
        stacker::grow(STACK, || loader.files(files));
        let Loader { mut problems, rules, looks, collector, .. } = loader;
        if !problems.is_empty() {
            problems.truncate(MAX_PROBLEMS);
            return Err(problems);
        }
        Ok(Self::indexed(model, rules, looks, collector.parts()))
    }

    fn indexed(model: &'static Model, rules: Vec<Rule>, looks: Looks, parts: Parts) -> Self {
        let mut about_all = Vec::new();
        let mut about_user: HashMap<String, Vec<usize>> = HashMap::new();
        let mut about_group: HashMap<String, Vec<usize>> = HashMap::new();
        for (place, rule) in rules.iter().enumerate() {
            match &rule.scope.principal {
                PrincipalScope::Any => about_all.push(place),
                PrincipalScope::User(user) => about_user.entry(user.clone()).or_default().push(place),
                PrincipalScope::Group(group) => about_group.entry(group.clone()).or_default().push(place),
            }
        }
        Self { rules, looks, parts, model, about_all, about_user, about_group }
    }

    pub fn len(&self) -> usize {
        self.rules.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Outside conditions that some policy names.
    pub fn conditions(&self) -> BTreeSet<&str> {
        self.rules.iter().flat_map(|rule| &rule.terms.conditions).map(String::as_str).collect()
    }
}

struct Loader {
    validator: Validator,
    known: Known,
    problems: Vec<Problem>,
    /// Where each id was first used.
    ids: BTreeMap<String, String>,
    rules: Vec<Rule>,
    looks: Looks,
    collector: Collector,
}

impl Loader {
    fn files<'a>(&mut self, files: impl IntoIterator<Item = (&'a str, &'a str)>) {
        let (mut bytes, mut policies) = (0, 0);
        for (file, source) in files {
            bytes += source.len();
            if bytes > MAX_BYTES {
                let message = format!("policies of more than {MAX_BYTES} bytes");
                self.problems.push(Problem::whole(file, message, "Keep fewer policies, or shorter ones."));
                return;
            }
            // Of the file's policies alone: one mistake must not hide those of the others.
            let before = self.problems.len();
            let snippets = snippets(file, source);
            policies += snippets.len();
            if policies > MAX_POLICIES {
                let hint = "Write policies about groups and categories, not about users and columns.";
                let message = format!("more than {MAX_POLICIES} policies");
                self.problems.push(Problem::whole(file, message, hint));
                return;
            }
            for snippet in snippets {
                self.policy(&snippet);
                if self.problems.len() > MAX_PROBLEMS {
                    return;
                }
            }
            if let Some(found) = self.problems.get_mut(before..) {
                found.sort_by_key(|problem| (problem.line, problem.column));
            }
        }
    }

    fn policy(&mut self, snippet: &Snippet<'_>) {
        if snippet.text.len() > MAX_POLICY_BYTES {
            let hint = "Write it as several, or name a group instead of its members.".to_owned();
            let message = format!("policy of more than {MAX_POLICY_BYTES} bytes");
            self.problems.push(snippet.problem(0, message, Some(hint)));
            return;
        }
        let (nesting, operators) = snippet.depth();
        if nesting > MAX_NESTING || operators > MAX_OPERATORS {
            let hint =
                "Write it as several, or a set with contains instead of a chain of comparisons.".to_owned();
            let message =
                format!("policy of more than {MAX_NESTING} nested brackets or {MAX_OPERATORS} operators");
            self.problems.push(snippet.problem(0, message, Some(hint)));
            return;
        }
        let policy = match Policy::parse(Some(PolicyId::new("policy")), snippet.text) {
            Ok(policy) => policy,
            Err(errors) => {
                self.problems.extend(errors.iter().map(|error| syntax(snippet, error)));
                return;
            }
        };
        let before = self.problems.len();
        let terms = terms::read(&policy, snippet, &self.known, &mut self.problems);
        if let Some(first) = terms.as_ref().and_then(|terms| self.ids.get(&terms.id)) {
            let message =
                format!("policy id {:?} is used twice", terms.as_ref().map_or("", |terms| &terms.id));
            let hint = Some(format!("{first} has it. Choose another."));
            self.problems.push(snippet.problem(snippet.annotation("id"), message, hint));
        } else if let Some(terms) = &terms {
            self.ids.insert(terms.id.clone(), format!("{}:{}", snippet.file, snippet.line));
        }
        let Some(set) = self.validated(&policy, snippet) else { return };
        let Some(clauses) = clauses(&policy) else {
            let hint = "This is a defect of pgwarrant. Please report it.".to_owned();
            self.problems.push(snippet.problem(0, "policy cannot be looked into", Some(hint)));
            return;
        };
        self.known.check(&policy, &clauses, snippet, &mut self.problems);
        let scope = Scope::of(&policy);
        let depends_on_asked = self.looks.add(&policy, &clauses);
        let (Some(terms), Some(scope)) = (terms, scope) else {
            if self.problems.len() == before {
                let hint = "Name a User or a Group, and a Database, Relation, Category or Column.".to_owned();
                self.problems.push(snippet.problem(0, "policy's scope can never match", Some(hint)));
            }
            return;
        };
        let (file, line) = (snippet.file.to_owned(), snippet.line);
        let conjuncts = self.collector.add(&clauses, &mut self.looks);
        self.rules.push(Rule { file, line, terms, scope, depends_on_asked, conjuncts, set });
    }

    /// None where it does not fit the schema, or can never match.
    fn validated(&mut self, policy: &Policy, snippet: &Snippet<'_>) -> Option<PolicySet> {
        let set = PolicySet::from_policies([policy.clone()]).ok()?;
        let result = self.validator.validate(&set, ValidationMode::Strict);
        let mut found: Vec<Problem> =
            result.validation_errors().map(|error| diagnosed(snippet, error, &error.to_string())).collect();
        // What can never match because of an error is told once.
        if found.is_empty() {
            let warnings = result.validation_warnings().filter(|warning| !harmless(warning));
            found.extend(warnings.map(|warning| never(snippet, warning)));
        }
        // Cedar tells the same for each action, and a scope that fits nothing as a condition too.
        found.sort_by_key(|problem| {
            (problem.line, problem.column, problem.message.clone(), problem.hint.clone())
        });
        found.dedup_by_key(|problem| (problem.line, problem.column, problem.message.clone()));
        let valid = found.is_empty();
        self.problems.append(&mut found);
        valid.then_some(set)
    }
}

/// Names in two scripts are ordinary where people write in other ones than Latin.
fn harmless(warning: &ValidationWarning) -> bool {
    matches!(
        warning,
        ValidationWarning::MixedScriptString(_)
            | ValidationWarning::MixedScriptIdentifier(_)
            | ValidationWarning::ConfusableIdentifier(_)
    )
}

fn never(snippet: &Snippet<'_>, warning: &ValidationWarning) -> Problem {
    let mut problem = diagnosed(snippet, warning, &warning.to_string());
    match warning {
        ValidationWarning::ImpossiblePolicy(_) | ValidationWarning::InvalidActionApplication(_) => {
            problem.message = "policy can never match".to_owned();
            let help = warning.help().map(|help| sentence(&help.to_string()));
            problem.hint = Some(help.unwrap_or_else(|| {
                "Write principal in a Group or == a User, resource in a Category, a Relation or a Database or == a \
                 Column, and conditions that can be true."
                    .to_owned()
            }));
        }
        _ => problem.hint = Some("Remove characters that change the direction of writing.".to_owned()),
    }
    problem
}

fn syntax(snippet: &Snippet<'_>, error: &dyn Diagnostic) -> Problem {
    let message = error.to_string();
    if message.starts_with("expected a static policy") {
        let mut problem = diagnosed(snippet, error, "policy templates are not supported");
        problem.hint =
            Some("Name the principal and the resource instead of ?principal and ?resource.".to_owned());
        return problem;
    }
    diagnosed(snippet, error, &message)
}

/// Cedar's own finding, at its place.
fn diagnosed(snippet: &Snippet<'_>, error: &dyn Diagnostic, message: &str) -> Problem {
    let label = error.labels().and_then(|mut labels| labels.next());
    let offset = label.as_ref().map_or(0, miette::LabeledSpan::offset);
    let message = ours(message);
    let message = of_any_action(message);
    let expected = label.as_ref().and_then(|label| label.label()).filter(|text| text.starts_with("expected"));
    let hint = error.help().map(|help| help.to_string()).or(expected.map(str::to_owned));
    let hint = hint.unwrap_or_else(|| match message.starts_with("duplicate annotation") {
        true => "Keep one of them.".to_owned(),
        false => "See https://docs.cedarpolicy.com/policies/syntax-policy.html".to_owned(),
    });
    snippet.problem(offset, message.trim_end_matches('.'), Some(sentence(ours(&hint))))
}

/// Every action has the same context: `attribute x in context for Action::"export" not found`.
fn of_any_action(message: &str) -> String {
    let action = message.split_once(" for Action::\"").and_then(|(before, rest)| {
        let (_, after) = rest.split_once('"')?;
        Some(format!("{before}{after}"))
    });
    action.unwrap_or_else(|| message.to_owned())
}

/// Without the id that Cedar knows the policy by.
fn ours(text: &str) -> &str {
    let text = text.strip_prefix("for policy `policy`, ").unwrap_or(text);
    text.strip_prefix("For policy `policy`, ").unwrap_or(text)
}
