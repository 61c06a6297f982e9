//! What a name in an expression refers to.

use pgwarrant_catalog::{ColumnId, FunctionSafety, RelationKind};
use sqlparser::ast::Ident;

use super::account::Role;
use super::cover::Shown;
use super::names::{self, Found};
use super::parse::token_of;
use super::probe::Place;
use super::walk::{Item, Walk, Walked, What};
use super::{refuse, text};

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

    /// The items of a block that a name at this place can mean.
    fn in_sight(&self, block: usize) -> &[Item] {
        let block = self.blocks.get(block);
        block.and_then(|block| block.items.get(block.from..)).unwrap_or_default()
    }

    fn entries_of(&self, block: usize) -> Vec<usize> {
        let mut entries = Vec::new();
        self.in_sight(block).iter().for_each(|item| item.what.entries(&mut entries));
        entries
    }

    /// A name without a point.
    pub(crate) fn column(&mut self, ident: &Ident) -> Walked {
        self.role(ident, Role::Column)?;
        let name = ident.value.as_str();
        let blocks = self.visible();
        let target = self.sees_target();
        // Could something further in that is not known here have a column of this name?
        let mut doubt = false;
        let mut passed = Vec::new();
        let mut met = false;
        for block in &blocks {
            let mut found = false;
            for entry in self.entries_of(*block) {
                let known = self.entries.get(entry).and_then(|entry| entry.column(name));
                if let Some(column) = known.filter(|column| !self.is_left_out(entry, *column, doubt)) {
                    if target && self.is_masked_target(entry, column) {
                        let alias =
                            self.entries.get(entry).map(|entry| entry.alias.clone()).unwrap_or_default();
                        if self.blocks.get(*block).is_some_and(|block| block.conflict) {
                            return Err(refuse::ambiguous_column(name, self.byte(ident)));
                        }
                        if doubt || passed.iter().any(|block| self.is_captured(*block, &alias)) {
                            return Err(self.which(entry, ident));
                        }
                        self.uses(*block, entry, column, token_of(ident))?;
                        let token = self.token(ident)?;
                        self.refer(entry, column, token..token + 1, &text::name(&alias))?;
                    } else {
                        self.uses(*block, entry, column, token_of(ident))?;
                        self.refer_column(*block, entry, column, &[ident])?;
                    }
                    found = true;
                } else if let Some(system) = system(name) {
                    found |= self.uses_system(entry, system);
                }
            }
            // Columns of a join with an alias may be called something else.
            let certain =
                !target || self.in_sight(*block).iter().all(|item| !matches!(item.what, What::Join(_)));
            if found && certain {
                return Ok(());
            }
            met |= found;
            doubt |= self.in_sight(*block).iter().any(|item| !matches!(item.what, What::Entry(_)));
            passed.push(*block);
        }
        if met {
            return Ok(());
        }
        // PostgreSQL looks for a relation of that name, whose row it then is, last.
        for block in &blocks {
            if let Some(item) = self.item_named(*block, name, None) {
                self.uses_row(*block, &item, token_of(ident))?;
                if let What::Entry(entry) = item.what
                    && self.is_inline(entry)
                {
                    if doubt {
                        return Err(self.which(entry, ident));
                    }
                    let token = self.token(ident)?;
                    self.refer_row(entry, token..token + 1, &text::name(name))?;
                } else if let What::Entry(entry) = item.what {
                    self.refer_whole(*block, entry, ident, doubt)?;
                }
                return Ok(());
            }
        }
        Ok(())
    }

    /// Does a privacy view lack this column, so that PostgreSQL looks for the name further out?
    /// `doubt`: something further in may have a column of that name; otherwise a blocked column is
    /// refused with a word about it.
    fn is_left_out(&self, entry: usize, column: usize, doubt: bool) -> bool {
        let Some(entry) = self.entries.get(entry).filter(|entry| !entry.raw) else { return false };
        let is_blocked =
            || entry.cover.columns.get(column).is_some_and(|cover| cover.shown == Shown::Blocked);
        (doubt && is_blocked()) || entry.is_unreadable(column, &self.state.session.role)
    }

    fn item_named(&self, block: usize, alias: &str, schema: Option<&str>) -> Option<Item> {
        let versions = self.blocks.get(block).map(|block| block.versions.as_slice()).unwrap_or_default();
        let fits = |item: &&Item| {
            item.alias.as_deref() == Some(alias)
                && schema.is_none_or(|schema| item.schema.as_deref() == Some(schema))
        };
        self.in_sight(block).iter().chain(versions).find(fits).cloned()
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
        let Some((block, item)) = found else {
            // PostgreSQL finds none either, unless it sees what is not seen here.
            self.not_hidden(qualifier)?;
            return match qualifier.last().filter(|_| self.sees_target()) {
                Some(last) => Err(refuse::missing_from(&last.value, self.byte(last))),
                None => Ok(()),
            };
        };
        let mut entries = Vec::new();
        item.what.entries(&mut entries);
        for entry in entries {
            let name = column.value.as_str();
            if let Some(index) = self.entries.get(entry).and_then(|entry| entry.column(name)) {
                self.role(column, Role::Column)?;
                self.uses(block, entry, index, token_of(column))?;
                if matches!(item.what, What::Entry(_)) {
                    self.refer_column(block, entry, index, parts)?;
                }
                if let (Some(first), Some(alias)) = (parts.first(), &item.alias) {
                    let tokens = self.token(first)?..self.token(column)? + 1;
                    self.refer(entry, index, tokens, &text::name(alias))?;
                }
            } else if let Some(system) = system(name)
                && self.uses_system(entry, system)
            {
                self.role(column, Role::Column)?;
            } else if self.is_inline(entry) {
                return Err(self.unsupported("a computed field of the target of a write", Some(column)));
            } else if matches!(item.what, What::Join(_)) {
                // Of another item of the join, or a function of its row, in which blocked columns are
                // not.
                self.uses_shown(block, entry, token_of(column))?;
            } else if self.context.catalogue.call(name, 1) == FunctionSafety::Unknown {
                // PostgreSQL knows neither a column nor a function of that name.
                self.uses_shown(block, entry, token_of(column))?;
            } else {
                // `c.f` is `f(c)` to PostgreSQL where there is no such column.
                self.uses_row(
                    block,
                    &Item { alias: None, schema: None, what: What::Entry(entry) },
                    token_of(column),
                )?;
                self.refer_computed(entry, parts)?;
            }
        }
        Ok(())
    }

    /// Refuses a qualifier that nothing in sight goes by if it is the name of a relation which is
    /// there, replaced, under an alias.
    pub(crate) fn not_hidden(&self, qualifier: &[&Ident]) -> Walked {
        let Some((name, schemas)) = qualifier.split_last() else { return Ok(()) };
        let relation = match schemas.last() {
            Some(schema) => names::qualified(&schema.value, &name.value, self.context.catalogue),
            None => names::unqualified(&name.value, self.state, self.context.catalogue),
        };
        let Found::Known(relation) = relation else { return Ok(()) };
        let hidden = |item: &Item| match item.what {
            What::Entry(entry) if self.is_replaced(&item.what) => {
                self.entries.get(entry).filter(|entry| entry.relation.oid == relation.oid)
            }
            _ => None,
        };
        let found = self.visible().into_iter().find_map(|block| self.in_sight(block).iter().find_map(hidden));
        match (found, qualifier.first()) {
            (Some(entry), Some(first)) if entry.alias != name.value => {
                Err(refuse::hidden_by_alias(&name.value, &entry.alias, self.byte(first)))
            }
            _ => Ok(()),
        }
    }

    /// Notes that a column is named.
    pub(crate) fn uses(&mut self, block: usize, entry: usize, column: usize, at: Option<usize>) -> Walked {
        let grouped = self.blocks.get(block).is_some_and(|block| block.output && block.aggregates == 0);
        let byte = self.source.byte(at.unwrap_or(self.source.range.start));
        let assigning = self.assigning;
        let own =
            assigning.is_some_and(|assigning| assigning.entry == entry && assigning.column == Some(column));
        let Some(entry) = self.entries.get_mut(entry) else { return Ok(()) };
        if (!entry.raw || entry.target)
            && let Some(cover) = entry.cover.columns.get(column)
            && let Some(column) = entry.relation.columns.get(column)
        {
            if cover.shown == Shown::Blocked {
                return Err(refuse::blocked(&entry.relation, column, byte));
            }
            if cover.shown == Shown::Masked && assigning.is_some_and(|assigning| assigning.protected) {
                return Err(refuse::stores_mask(&entry.relation, column, byte));
            }
        }
        if !self.filters && !own {
            entry.stored.insert(column);
        }
        self.probes.know(at);
        let shown = entry.cover.columns.get(column).map(|cover| &cover.shown);
        if matches!(shown, Some(Shown::Masked | Shown::Rows(_) | Shown::Blank))
            && let Some(known) = entry.relation.columns.get(column)
        {
            let id = ColumnId { relation: entry.relation.oid, attnum: known.attnum };
            self.probes.note(id, at, entry.column_name(column).unwrap_or_default());
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

    /// Notes that all columns of an entry that its privacy view has are named.
    fn uses_shown(&mut self, block: usize, entry: usize, at: Option<usize>) -> Walked {
        let count = self.entries.get(entry).map_or(0, |entry| entry.relation.columns.len());
        for column in 0..count {
            if !self.is_left_out(entry, column, true) {
                self.uses(block, entry, column, at)?;
            }
        }
        Ok(())
    }

    /// Notes that an item's row is a value.
    pub(crate) fn uses_row(&mut self, block: usize, item: &Item, at: Option<usize>) -> Walked {
        if !matches!(item.what, What::Entry(_)) {
            self.probes.lose_track();
        }
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
        let place = std::mem::replace(&mut self.probes.place, Place::Joined);
        for entry in self.entries_of(block) {
            if let Some(index) = self.entries.get(entry).and_then(|entry| entry.column(&column.value)) {
                self.uses(block, entry, index, token_of(column))?;
            }
        }
        self.probes.place = place;
        Ok(())
    }

    /// NATURAL JOIN names whatever columns both sides have. Those that a privacy view leaves out must
    /// not be missing from the comparison in silence: it gets them in a form that cannot be compared.
    pub(crate) fn natural(&mut self) -> Walked {
        let Some(block) = self.blocks.len().checked_sub(1) else { return Ok(()) };
        for entry in self.entries_of(block) {
            self.uses_shown(block, entry, None)?;
            if let Some(entry) = self.entries.get_mut(entry) {
                entry.natural = true;
            }
        }
        Ok(())
    }
}
