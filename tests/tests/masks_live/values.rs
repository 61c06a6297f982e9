//! What comes out: of the column's own type, what the method promises, and never the value.

use std::collections::{BTreeMap, HashSet};

use pgwarrant_masking::{BaseType, Method, SqlType, compile, oid};

use crate::kinds::{kinds, methods};
use crate::server::{Scratch, masked, table};

/// What a text mask should give, told another way than in SQL.
fn expected_text(method: &Method, raw: &str, limit: u32) -> Option<String> {
    let letters: Vec<char> = raw.chars().collect();
    let take = |range: std::ops::Range<usize>| letters[range].iter().collect::<String>();
    let count = letters.len();
    Some(match method {
        Method::Partial(partial) => {
            let kept = partial.kept() as usize;
            let width =
                |hidden| partial.width.map_or(hidden, |width| width.min(limit - partial.kept()) as usize);
            let fill = |count: usize| partial.fill.to_string().repeat(count);
            if count < kept + kept.max(3) {
                return Some(fill(width(count)));
            }
            let (first, last) = (partial.first as usize, partial.last as usize);
            take(0..first) + &fill(width(count - kept)) + &take(count - last..count)
        }
        Method::Email => {
            let parts: Vec<&str> = raw.split('@').collect();
            let [local, domain] = parts[..] else { return Some("***".into()) };
            let dotted = domain.char_indices().any(|(at, c)| {
                c == '.' && domain[..at].chars().count() >= 1 && domain[at + 1..].chars().count() >= 1
            });
            if local.chars().count() < 4 || !dotted {
                return Some("***".into());
            }
            let top = domain.rsplit('.').next().unwrap_or_default();
            let shown =
                (2..=3).contains(&top.chars().count()) && top.chars().last().is_some_and(|c| c >= 'A');
            format!("{}***@***{}", letters[0], if shown { format!(".{top}") } else { String::new() })
        }
        Method::Phone | Method::Card => {
            let (threshold, shown, width) = if *method == Method::Phone { (7, 2, 3) } else { (12, 4, 12) };
            let fill = "*".repeat(width);
            if count < threshold || !letters[count - shown..].iter().all(char::is_ascii_digit) {
                return Some(fill);
            }
            fill + &take(count - shown..count)
        }
        _ => return None,
    })
}

#[tokio::test]
async fn every_mask_has_its_columns_type_and_lets_no_value_through() {
    let scratch = Scratch::new("all").await;
    let client = &scratch.client;
    let (mut evaluated, mut refused) = (0, 0);
    for (number, kind) in kinds().iter().enumerate() {
        let table_name = format!("t{number}");
        let column = table(client, &table_name, kind).await;
        let raw = client.prepare(&format!("SELECT c FROM {table_name}")).await.expect("the raw column");
        for method in methods() {
            for nulls_show in [true, false] {
                let what = format!("{} {method:?} nulls_show={nulls_show}", kind.sql);
                let mask = match compile(&method, &column, "contact", nulls_show) {
                    Ok(mask) => mask.render("r.c"),
                    Err(error) => {
                        assert_eq!(error.method, method.name(), "{what}");
                        assert!(error.hint.ends_with('.'), "{what}: {}", error.hint);
                        assert!(method != Method::Null, "{what}: NULL fits every type");
                        refused += 1;
                        continue;
                    }
                };
                evaluated += 1;
                // On its own and as the privacy view has it: exactly the column's type.
                let full =
                    format!("SELECT {mask} AS c, CAST({mask} AS {}) AS d FROM {table_name} AS r", column.sql);
                let shape =
                    client.prepare(&full).await.unwrap_or_else(|error| panic!("{what}\n{full}\n{error:?}"));
                for found in shape.columns() {
                    assert_eq!(found.type_().oid(), raw.columns()[0].type_().oid(), "{what}: type");
                    assert_eq!(found.type_modifier(), raw.columns()[0].type_modifier(), "{what}: modifier");
                }
                let result = masked(client, &table_name, &column, &mask).await;
                assert_eq!(result.len(), kind.values.len() + 1, "{what}");
                check_values(&what, &method, &column, nulls_show, &result);
                if method == Method::Random {
                    let again = masked(client, &table_name, &column, &mask).await;
                    let third = masked(client, &table_name, &column, &mask).await;
                    check_draws(&what, &column, [&result, &again, &third]);
                }
                // Beside granted rows, and with the whole array or value behind it.
                let scoped = format!("CASE WHEN r.id OPERATOR(pg_catalog.=) 0 THEN r.c ELSE {mask} END");
                for (id, (raw, shown)) in masked(client, &table_name, &column, &scoped).await {
                    let expected = if id == 0 { &raw } else { &result[&id].1 };
                    if id != 0 && method == Method::Random {
                        continue;
                    }
                    assert_eq!(shown, *expected, "{what}: row {id} of a row-scoped grant");
                }
            }
        }
    }
    assert!(evaluated > 700, "only {evaluated} evaluated, {refused} refused");
}

type Cells = BTreeMap<i32, (Option<String>, Option<String>)>;

/// numeric(3,3) has two thousand values, of which chance may draw the real one. Everything else is
/// long enough that it never may.
fn chance_meets(column: &SqlType, raw: &str) -> bool {
    column.base == BaseType::Number && raw.chars().count() < 8
}

/// What chance may meet once, it does not meet three times.
fn check_draws(what: &str, column: &SqlType, draws: [&Cells; 3]) {
    for (id, (raw, _)) in draws[0] {
        let Some(raw) = raw.as_deref().filter(|raw| raw.chars().count() >= 4 && chance_meets(column, raw))
        else {
            continue;
        };
        let shows = |draw: &Cells| draw[id].1.as_deref().is_some_and(|shown| shown.contains(raw));
        assert!(!draws.into_iter().all(shows), "{what}: {raw:?} shows in every draw");
    }
}

fn check_values(what: &str, method: &Method, column: &SqlType, nulls_show: bool, result: &Cells) {
    let null = &result[&1000].1;
    match method {
        Method::Null => assert!(result.values().all(|(_, shown)| shown.is_none()), "{what}"),
        _ => assert_eq!(null.is_none(), nulls_show, "{what}: NULL came out as {null:?}"),
    }
    let present: Vec<(&str, &str)> =
        result.values().filter_map(|(raw, shown)| Some((raw.as_deref()?, shown.as_deref()?))).collect();
    if matches!(method, Method::Redact | Method::Constant(_)) {
        let shown: HashSet<&str> = present.iter().map(|(_, shown)| *shown).collect();
        assert_eq!(shown.len(), 1, "{what}: one value for all");
        return;
    }
    let plain_text = column.base == BaseType::Text && !column.array;
    let limit = if column.base_oid == oid::NAME { 63 } else { column.max_length.unwrap_or(u32::MAX) };
    let mut by_value: BTreeMap<String, String> = BTreeMap::new();
    for (raw, shown) in &present {
        let padded = column.base_oid == oid::BPCHAR;
        let (raw, shown) =
            if padded { (raw.trim_end_matches(' '), shown.trim_end_matches(' ')) } else { (*raw, *shown) };
        let fill = matches!(method, Method::Partial(partial) if raw.chars().all(|c| c == partial.fill));
        let digest = method.is_keyed() || *method == Method::Random;
        if !raw.is_empty() && !digest && raw != "{}" && !fill {
            assert!(!shown.contains(raw), "{what}: {raw:?} shows in {shown:?}");
        }
        let labels = column.base == BaseType::Enum || column.base == BaseType::Boolean;
        let drawn_again = *method == Method::Random && chance_meets(column, raw);
        if digest && raw.chars().count() >= 4 && !labels && !drawn_again {
            assert!(!shown.contains(raw), "{what}: {raw:?} shows in {shown:?}");
        }
        if plain_text && let Some(expected) = expected_text(method, raw, limit) {
            assert_eq!(shown, expected, "{what}: of {raw:?}");
        }
        if plain_text && *method == Method::Token {
            assert!(shown.len() == 20 && shown.starts_with("tok_"), "{what}: {shown}");
        }
        // citext: what is equal regardless of case is one value.
        let folded = plain_text && column.base_oid > 16_000;
        let value = if folded { raw.to_lowercase() } else { raw.to_owned() };
        by_value.insert(value, shown.to_owned());
    }
    if method.is_keyed() {
        let distinct: HashSet<&String> = by_value.values().collect();
        assert_eq!(distinct.len(), by_value.len(), "{what}: distinct values stay distinct");
    }
}
