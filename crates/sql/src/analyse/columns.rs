//! What a name in an expression refers to.

use pgwarrant_catalog::RelationKind;
use sqlparser::ast::Ident;

use super::account::Role;
use super::cover::Shown;
use super::parse::token_of;
use super::refuse;
use super::walk::{Item, Walk, Walked, What};

/// PostgreSQL's system columns ("System Columns" in the documentation).
const SYSTEM: [&str; 6] = ["ctid", "xmin", "cmin", "xmax", "cmax", "tableoid"];

fn system(name: &str) -> Option<&'static str> {
    SYSTEM.iter().find(|column| **column == name).copied()
}

impl Walk<'_> {
    /// The visible blocks, from the innermost one outwards.
    fn visible(&self) -> Vec<usize> {
        (0..self.blocks.len())
            .rev()
            .filter(|block| self.blocks.get(*block).is_some_and(|block| !block.hidden))
            .collect()
    }

    fn entries_of(&self, block: usize) -> Vec<usize> {
        let mut entries = Vec::new();
        if let Some(block) = self.blocks.get(block) {
            block.items.iter().for_each(|item| item.what.entries(&mut entries));
        }
        entries
    }

    /// A name without a point.
    pub(crate) fn column(&mut self, ident: &Ident) -> Walked {
        self.role(ident, Role::Column)?;
        let name = ident.value.as_str();
        let blocks = self.visible();
        for block in &blocks {
            let mut found = false;
            for entry in self.entries_of(*block) {
                if let Some(column) = self.entries.get(entry).and_then(|entry| entry.column(name)) {
                    self.uses(*block, entry, column, token_of(ident))?;
                    found = true;
                } else if let Some(system) = system(name) {
                    found |= self.uses_system(entry, system);
                }
            }
            if found {
                return Ok(());
            }
        }
        // PostgreSQL looks for a relation of that name, whose row it then is, last.
        for block in &blocks {
            if let Some(item) = self.item_named(*block, name, None) {
                return self.uses_row(*block, &item, token_of(ident));
            }
        }
        Ok(())
    }

    fn item_named(&self, block: usize, alias: &str, schema: Option<&str>) -> Option<Item> {
        let items = &self.blocks.get(block)?.items;
        let fits = |item: &&Item| {
            item.alias.as_deref() == Some(alias)
                && schema.is_none_or(|schema| item.schema.as_deref() == Some(schema))
        };
        items.iter().find(fits).cloned()
    }

    /// Finds what `[[database.]schema.]alias` names, from the innermost block outwards.
    pub(crate) fn qualifier(&self, parts: &[&Ident]) -> Option<(usize, Item)> {
        let (alias, schema) = match parts {
            [alias] => (alias, None),
            [schema, alias] | [_, schema, alias] => (alias, Some(schema.value.as_str())),
            _ => return None,
        };
        self.visible()
            .into_iter()
            .find_map(|block| Some((block, self.item_named(block, &alias.value, schema)?)))
    }

    /// Gives the parts of a qualifier their roles, and takes the schema out where the alias of a
    /// privacy view stands in the relation's place.
    pub(crate) fn qualified_by(&mut self, parts: &[&Ident], item: Option<&Item>) -> Walked {
        for part in parts {
            self.role(part, Role::Qualifier)?;
        }
        if let ([first, .., last], Some(item)) = (parts, item)
            && self.is_replaced(&item.what)
        {
            let tokens = self.token(first)?..self.token(last)?;
            self.splice(tokens, "");
        }
        Ok(())
    }

    pub(crate) fn is_replaced(&self, what: &What) -> bool {
        match what {
            What::Entry(entry) => {
                self.entries.get(*entry).is_some_and(|entry| !entry.raw && entry.relation.is_protected())
            }
            What::Console => true,
            What::Other | What::Join(_) => false,
        }
    }

    /// A name with points: `c.email`, `public.customers.email`.
    pub(crate) fn qualified_column(&mut self, parts: &[&Ident]) -> Walked {
        let Some((column, qualifier)) = parts.split_last() else { return Ok(()) };
        let found = self.qualifier(qualifier);
        self.qualified_by(qualifier, found.as_ref().map(|(_, item)| item))?;
        self.role(column, Role::Field)?;
        let Some((block, item)) = found else { return Ok(()) };
        let mut entries = Vec::new();
        item.what.entries(&mut entries);
        for entry in entries {
            let name = column.value.as_str();
            if let Some(index) = self.entries.get(entry).and_then(|entry| entry.column(name)) {
                self.role(column, Role::Column)?;
                self.uses(block, entry, index, token_of(column))?;
            } else if let Some(system) = system(name)
                && self.uses_system(entry, system)
            {
                self.role(column, Role::Column)?;
            } else {
                // `c.f` is `f(c)` to PostgreSQL where there is no such column.
                self.uses_row(
                    block,
                    &Item { alias: None, schema: None, what: What::Entry(entry) },
                    token_of(column),
                )?;
            }
        }
        Ok(())
    }

    /// Notes that a column is named.
    pub(crate) fn uses(&mut self, block: usize, entry: usize, column: usize, at: Option<usize>) -> Walked {
        let grouped = self.blocks.get(block).is_some_and(|block| block.output && block.aggregates == 0);
        let byte = self.source.byte(at.unwrap_or(self.source.range.start));
        let Some(entry) = self.entries.get_mut(entry) else { return Ok(()) };
        if !entry.raw
            && let Some(cover) = entry.cover.columns.get(column)
            && cover.shown == Shown::Blocked
            && let Some(column) = entry.relation.columns.get(column)
        {
            return Err(refuse::blocked(&entry.relation, column, byte));
        }
        entry.used.insert(column);
        if grouped {
            entry.grouped.insert(column);
        }
        Ok(())
    }

    fn uses_system(&mut self, entry: usize, column: &'static str) -> bool {
        let Some(entry) = self.entries.get_mut(entry) else { return false };
        let has = !matches!(entry.relation.kind, RelationKind::View);
        if has {
            entry.system.insert(column);
        }
        has
    }

    /// Notes that all columns of an entry are named.
    pub(crate) fn uses_all(&mut self, block: usize, entry: usize, at: Option<usize>) -> Walked {
        let count = self.entries.get(entry).map_or(0, |entry| entry.relation.columns.len());
        for column in 0..count {
            self.uses(block, entry, column, at)?;
        }
        Ok(())
    }

    /// Notes that an item's row is a value.
    pub(crate) fn uses_row(&mut self, block: usize, item: &Item, at: Option<usize>) -> Walked {
        let mut entries = Vec::new();
        item.what.entries(&mut entries);
        for entry in entries {
            self.uses_all(block, entry, at)?;
            if let Some(entry) = self.entries.get_mut(entry) {
                entry.as_row = true;
            }
        }
        Ok(())
    }

    /// Columns that USING names: of every item so far.
    pub(crate) fn merged(&mut self, column: &Ident) -> Walked {
        self.role(column, Role::Column)?;
        let Some(block) = self.blocks.len().checked_sub(1) else { return Ok(()) };
        for entry in self.entries_of(block) {
            if let Some(index) = self.entries.get(entry).and_then(|entry| entry.column(&column.value)) {
                self.uses(block, entry, index, token_of(column))?;
            }
        }
        Ok(())
    }

    /// NATURAL JOIN names whatever columns both sides have.
    pub(crate) fn natural(&mut self) -> Walked {
        let Some(block) = self.blocks.len().checked_sub(1) else { return Ok(()) };
        for entry in self.entries_of(block) {
            self.uses_all(block, entry, None)?;
            let Some(entry) = self.entries.get(entry) else { continue };
            if !entry.raw && entry.relation.unreadable.contains_key(&self.state.session.role) {
                return Err(self.unsupported("NATURAL JOIN over columns that the role may not read", None));
            }
        }
        Ok(())
    }
}
