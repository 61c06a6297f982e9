//! The end of a query block: stars that must be written out, and its privacy views.

use super::walk::{Block, Star, Walk, Walked, What};
use super::{rows, target, text, view};
use crate::Refusal;

impl Walk<'_> {
    /// Everything that the block asks of its relations is known: makes the replacements.
    pub(crate) fn close_block(&mut self) -> Walked {
        self.complete_group_by()?;
        let Some(block) = self.blocks.pop() else { return Ok(()) };
        let mut entries = Vec::new();
        block.items.iter().for_each(|item| item.what.entries(&mut entries));
        let lists_system = entries.iter().any(|entry| {
            self.entries
                .get(*entry)
                .is_some_and(|entry| !entry.raw && entry.relation.is_protected() && !entry.system.is_empty())
        });
        let regrouped = !block.stars.is_empty() && entries.iter().any(|entry| self.needs_any(*entry));
        if lists_system || regrouped || entries.iter().any(|entry| self.is_inline(*entry)) {
            self.expand(&block, &entries)?;
        } else {
            self.shorten(&block);
        }
        entries.into_iter().try_for_each(|entry| self.replace(entry))
    }

    /// Does a query group by the primary key of an entry that has a column which nothing can be
    /// grouped by?
    fn needs_any(&self, entry: usize) -> bool {
        self.entries.get(entry).is_some_and(|entry| entry.regrouped && !rows::is_comparable(&entry.relation))
    }

    /// `public.customers.*` becomes `customers.*`.
    fn shorten(&mut self, block: &Block) {
        for star in &block.stars {
            // A name, a point and the star; more: a schema.
            let Some(item) = star.item.and_then(|item| block.items.get(item)) else { continue };
            if star.tokens.len() > 3 && self.is_replaced(&item.what) {
                self.splice(star.tokens.start..star.tokens.end - 3, "");
            }
        }
    }

    /// A privacy view that lists system columns has more columns than the relation: stars over it
    /// are written out.
    fn expand(&mut self, block: &Block, entries: &[usize]) -> Walked {
        let refuse = |walk: &Self, what: &str| Err(walk.unsupported(what, None));
        let named = entries.iter().filter_map(|entry| self.entries.get(*entry));
        let mut listed =
            named.filter(|entry| !entry.system.is_empty() && !entry.raw && entry.relation.is_protected());
        if listed.any(|entry| entry.as_row) {
            return refuse(self, "a system column beside a whole row");
        }
        for star in &block.stars {
            // In `TABLE t ORDER BY ctid` the star is not in the text.
            if self.facts.table_commands.contains(&star.tokens.start) {
                return refuse(self, "a system column in a TABLE command");
            }
            let list = self.written_out(block, star)?;
            self.splice(star.tokens.clone(), list);
        }
        Ok(())
    }

    fn written_out(&self, block: &Block, star: &Star) -> Result<String, Refusal> {
        let items: Vec<_> = match star.item {
            Some(item) => block.items.get(item).into_iter().collect(),
            None if block.merges => {
                return Err(self.unsupported("such a star over USING or NATURAL", None));
            }
            None => block.items.iter().collect(),
        };
        let mut list = Vec::new();
        for item in items {
            match (&item.what, &item.alias) {
                (What::Entry(index), Some(alias)) => {
                    let Some(entry) = self.entries.get(*index) else { continue };
                    if self.is_inline(*index) {
                        list.extend(target::target_columns(self, *index, &text::name(alias)));
                        continue;
                    }
                    if !self.is_replaced(&item.what) {
                        list.push(format!("{}.*", text::name(alias)));
                        continue;
                    }
                    let columns = view::columns(&entry.relation, &entry.cover, &self.state.session.role);
                    list.extend(columns.into_iter().filter_map(|index| {
                        let name = text::name(entry.column_name(index)?);
                        let written = format!("{}.{name}", text::name(alias));
                        let grouped = entry.relation.columns.get(index).is_none_or(rows::has_equality);
                        Some(match grouped || !entry.regrouped {
                            true => written,
                            false => format!("{} AS {name}", rows::any_of_group(&written)),
                        })
                    }));
                }
                (What::Other | What::Console, Some(alias)) => list.push(format!("{}.*", text::name(alias))),
                _ => return Err(self.unsupported("such a star", None)),
            }
        }
        Ok(list.join(", "))
    }
}
