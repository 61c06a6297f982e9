use cedar_policy::Schema;
use pgwarrant_grants::ruling::{Asker, LocalTime, Sensitivity, SignIn, Source, Urgency};

use super::*;

fn facts(full: bool) -> Facts {
    let some = |text: &str| full.then(|| text.to_owned());
    let column = |category: &str| AskedColumn {
        relation: "public.customers".to_owned(),
        column: category.to_owned(),
        category: category.to_owned(),
        sensitivity: Sensitivity::High,
    };
    Facts {
        by: Asker {
            user: "ada".to_owned(),
            person: "Ada".to_owned(),
            groups: vec!["engineering".to_owned(), "engineering".to_owned()],
            sign_in: SignIn::Oidc,
        },
        holder: if full { Who::Group("engineering".to_owned()) } else { Who::User("ada".to_owned()) },
        database: "shop".to_owned(),
        actions: Action::ALL.to_vec(),
        columns: vec![column("contact"), column("payment")],
        more_columns: 0,
        rows: some("id = 42"),
        estimated_rows: full.then_some(u64::MAX),
        duration: Duration::MAX,
        starts_in: Duration::ZERO,
        uses: full.then_some(1),
        rows_limit: full.then_some(0),
        reason: String::new(),
        purpose: some("p"),
        ticket: some("t"),
        case: some("c"),
        profile: some("p"),
        urgency: Urgency::BreakGlass,
        extends: full.then_some(1),
        at: 0,
        local: LocalTime { minute_of_day: 1439, weekday: 7 },
        source: Source { address: full.then(|| [10, 0, 0, 1].into()), tls: true },
        second_factor_age: full.then_some(Duration::MAX),
        recent_grants: u32::MAX,
        live_grants: u32::MAX,
    }
}

/// What Cedar is asked is what the schema, and so the validator, believes it is asked.
#[test]
fn questions_conform_to_the_schema() {
    let policies = Policies::load([], [], [], []).expect("no policies");
    let schema: &Schema = &policies.model.schema;
    for full in [false, true] {
        let facts = facts(full);
        let question = Question::new(&policies, &facts).expect("a question");
        let own =
            question.entities.iter().filter(|entity| entity.uid().type_name() != &policies.model.action);
        Entities::from_entities(own.cloned(), Some(schema)).expect("entities of the schema");
        assert_eq!(question.asked.len(), Action::ALL.len());
        for asked in &question.asked {
            let (principal, action) = (asked.request.principal(), asked.request.action());
            let parts = (principal.cloned(), action.cloned(), asked.request.resource().cloned());
            let (Some(principal), Some(action), Some(resource)) = parts else { panic!("a part is missing") };
            let context = asked.request.context().expect("a context").clone();
            Request::new(principal, action, resource, context, Some(schema))
                .expect("a request of the schema");
        }
    }
}

#[test]
fn minutes_are_rounded_up_and_never_overflow() {
    for (duration, expected) in [
        (Duration::ZERO, 0),
        (Duration::from_nanos(1), 1),
        (Duration::from_secs(60), 1),
        (Duration::from_millis(60_001), 2),
        (Duration::MAX, 307_445_734_561_825_861),
    ] {
        assert_eq!(minutes(duration), expected);
    }
}
