//! A look at a database without serving it, for `pgwarrant check`.

use std::collections::BTreeSet;

use pgwarrant_catalog::{Finding, Label, upstream_findings, upstream_query};

use crate::database::Database;
use crate::error::Error;
use crate::settings;

/// What the live schema says of the labels, and what the roles of the sessions may do that they
/// need not.
///
/// # Errors
/// The schema cannot be read.
pub async fn inspect(
    settings: &settings::Database,
    labels: &[Label],
    trusted_functions: &[String],
) -> Result<Vec<Finding>, Error> {
    let problem = |problem: String| Error::Catalogue { database: settings.name.clone(), problem };
    let (database, mut loader) =
        Database::open(settings.clone(), labels.to_vec(), trusted_functions.to_vec()).await?;
    let findings = database.findings();
    let mut all: Vec<Finding> = findings.errors.iter().chain(&findings.warnings).cloned().collect();
    let roles: BTreeSet<&str> = settings.roles.iter().map(|role| role.login.role.as_str()).collect();
    let roles: Vec<&str> = roles.into_iter().collect();
    let rows = loader.query(&upstream_query(&roles)).await.map_err(|error| problem(error.to_string()))?;
    all.extend(upstream_findings(&rows, &database.catalogue()).map_err(|error| problem(error.to_string()))?);
    Ok(all)
}
