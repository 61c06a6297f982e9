//! What an analysis depends on besides the text.

use pgwarrant_catalog::snapshot::Snapshot;
use pgwarrant_catalog::{
    BindOptions, Catalogue, Column, ColumnId, Label, Oid, SESSION_SETUP, Ungranted, bind, queries,
};
use pgwarrant_masking::Method;
use pgwarrant_sql::{Access, Context, Limits, Rows, SessionState, lineage};
use tokio_postgres::{Client, SimpleQueryMessage};

/// A catalogue, and a session in it.
pub struct World {
    pub catalogue: Catalogue,
    pub access: Access,
    pub session: SessionState,
    pub limits: Limits,
}

impl World {
    /// A session without grants under the usual search_path.
    pub fn new(catalogue: Catalogue) -> World {
        let session = SessionState {
            search_path: vec!["pg_catalog".to_owned(), "public".to_owned()],
            role: "shop_app".to_owned(),
            ..SessionState::default()
        };
        World { catalogue, access: Access::default(), session, limits: Limits::default() }
    }

    /// The live schema, with the columns protected that `configuration` (the text of a proxy.toml)
    /// labels: what is protected matters here, not its masks.
    pub async fn live(direct: &Client, configuration: &str) -> World {
        direct.batch_execute(SESSION_SETUP).await.expect("the settings of the catalogue's session");
        let mut results = Vec::new();
        for query in queries() {
            let messages = direct.simple_query(query.sql).await.expect("a query of the catalogue's");
            let rows = messages.iter().filter_map(|message| match message {
                SimpleQueryMessage::Row(row) => {
                    Some((0..row.len()).map(|column| row.get(column).map(str::to_owned)).collect())
                }
                _ => None,
            });
            results.push((query.name, rows.collect::<Vec<Vec<Option<String>>>>()));
        }
        direct.batch_execute("RESET ALL").await.expect("the usual settings");
        let snapshot = Snapshot::from_rows(&results).expect("a snapshot");
        let resolve = |schema: &str, name: &str| snapshot.columns_of(schema, name);
        let options = BindOptions { trusted_functions: Vec::new(), version: 1 };
        let bound = bind(&snapshot, &[label(configuration)], &options, &|view| lineage(view, &resolve));
        World::new(bound.catalogue)
    }

    pub fn context(&self) -> Context<'_> {
        Context {
            catalogue: &self.catalogue,
            access: &self.access,
            session: &self.session,
            limits: &self.limits,
            database: "shop",
        }
    }

    /// The protected relation that a name stands for.
    pub fn protected(&self, schema: &str, name: &str) -> Option<Oid> {
        let permanent = |schema: &str| {
            self.catalogue.relation(schema, name).is_some()
                || self.catalogue.unprotected.contains(&(schema.to_owned(), name.to_owned()))
        };
        let temporary = self.session.temp_relations.iter().any(|relation| relation == name);
        let path = self.session.search_path.iter().map(String::as_str);
        let schema = match schema {
            "" if temporary && !path.clone().any(is_temporary) => return None,
            "" => path.clone().find(|schema| permanent(schema) || temporary && is_temporary(schema))?,
            schema => schema,
        };
        self.catalogue
            .relation(schema, name)
            .filter(|relation| relation.is_protected())
            .map(|relation| relation.oid)
    }

    /// Is it a protected column of which no grant shows all rows?
    pub fn is_masked(&self, column: &Column) -> bool {
        let granted = |column: ColumnId| {
            self.access.scopes.iter().any(|scope| {
                scope.actions.select && scope.rows == Rows::All && scope.columns.contains(&column)
            })
        };
        column.protection.as_ref().is_some_and(|protection| !protection.is_uncovered(granted))
    }
}

fn is_temporary(schema: &str) -> bool {
    schema.starts_with("pg_temp")
}

/// One label for all columns that a configuration labels.
fn label(configuration: &str) -> Label {
    let columns: Vec<String> = configuration
        .lines()
        .filter_map(|line| line.strip_prefix("columns = "))
        .flat_map(|value| match value.strip_prefix('\'') {
            Some(literal) => vec![literal.trim_end_matches('\'').to_owned()],
            None => value.split('"').skip(1).step_by(2).map(str::to_owned).collect(),
        })
        .collect();
    assert!(!columns.is_empty(), "a configuration with labels");
    Label {
        columns,
        category: "personal".into(),
        mask: Method::Redact,
        ungranted: Ungranted::Mask,
        sensitivity: Default::default(),
        nulls_show: false,
    }
}
