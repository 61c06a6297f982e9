//! Lists in pages: so many at once, and where to go on.

use serde::Serialize;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Type};
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::problem::{Problem, What};

const DEFAULT: usize = 50;
const MOST: usize = 200;

/// A part of a list.
#[derive(Clone, Debug, Serialize)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// To be given as `after` for what follows. None: this is the end.
    pub next: Option<String>,
}

impl<T: ToSchema> PartialSchema for Page<T> {
    fn schema() -> RefOr<Schema> {
        let items = ArrayBuilder::new().items(Ref::from_schema_name(T::name()));
        let next = ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::SchemaType::from_iter([Type::String, Type::Null]))
            .description(Some("To be given as `after` for what follows; null at the end."));
        ObjectBuilder::new()
            .property("items", items)
            .required("items")
            .property("next", next)
            .required("next")
            .into()
    }
}

impl<T: ToSchema> ToSchema for Page<T> {
    fn name() -> std::borrow::Cow<'static, str> {
        format!("PageOf{}", T::name()).into()
    }
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((T::name().into_owned(), T::schema()));
        T::schemas(schemas);
    }
}

/// How many of a list a call wants.
pub fn limit(limit: Option<usize>) -> Result<usize, Problem> {
    match limit.unwrap_or(DEFAULT) {
        limit @ 1..=MOST => Ok(limit),
        _ => Err(Problem::new(What::Invalid, "limit is out of range")
            .hint(format!("Ask for 1 to {MOST} at once, and follow \"next\"."))),
    }
}

impl<T> Page<T> {
    /// Of a list in the order of its cursors, the one that is shown first first: what follows the
    /// item with the cursor `after`, which may be gone by now.
    pub fn cut<I, C: Ord>(
        all: impl IntoIterator<Item = I>,
        limit: usize,
        after: Option<C>,
        cursor: impl Fn(&I) -> C,
        shown: impl Fn(&C) -> String,
        item: impl Fn(I) -> T,
    ) -> Self {
        let mut rest =
            all.into_iter().skip_while(|item| after.as_ref().is_some_and(|after| cursor(item) <= *after));
        let mut items = Vec::new();
        let mut last = None;
        for found in rest.by_ref().take(limit) {
            last = Some(cursor(&found));
            items.push(item(found));
        }
        let more = rest.next().is_some();
        Self { items, next: last.filter(|_| more).map(|cursor| shown(&cursor)) }
    }
}

/// The cursor of a list of numbered things.
pub fn number(after: Option<&str>) -> Result<Option<u64>, Problem> {
    after.map(|text| text.parse().map_err(|_| unknown_cursor())).transpose()
}

pub fn unknown_cursor() -> Problem {
    Problem::new(What::Invalid, "after is no cursor of this list")
        .hint("Give what \"next\" of the page before says.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other_also_where_something_is_gone() {
        let page = |all: &[u64], after: Option<u64>| {
            let all = all.iter().copied();
            Page::cut(all, 2, after, |item| *item, u64::to_string, |item| item)
        };
        let first = page(&[1, 2, 3, 5], None);
        assert_eq!((first.items, first.next.as_deref()), (vec![1, 2], Some("2")));
        let second = page(&[1, 3, 5], Some(2));
        assert_eq!((second.items, second.next), (vec![3, 5], None));
        assert!(page(&[1, 3, 5], Some(9)).items.is_empty());
        assert!(limit(Some(0)).is_err() && limit(Some(201)).is_err() && limit(Some(200)).is_ok());
        assert!(number(Some("x")).is_err() && number(Some("7")).is_ok_and(|it| it == Some(7)));
    }
}
