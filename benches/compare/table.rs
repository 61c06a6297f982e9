//! The report as people read it, and as programs do.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::report::{Bound, COLUMNS, Limit, Line, Report, Spread, Verdict};

/// The whole report: heading, one row a figure with its verdicts below, checks and remarks.
pub fn text(heading: &[String], report: &Report) -> String {
    let columns: Vec<&str> = COLUMNS
        .into_iter()
        .filter(|column| report.lines.iter().any(|line| !line.of(column).is_empty()))
        .collect();
    let mut out = String::new();
    for line in heading {
        // Writing to a String does not fail.
        let _ = writeln!(out, "{line}");
    }
    let name = width(report.lines.iter().map(|line| line.name.as_str()).chain(["figure"]));
    let unit = width(report.lines.iter().map(|line| line.unit.as_str()).chain(["unit"]));
    let _ = write!(out, "\n{:name$} {:unit$}", "figure", "unit");
    for column in &columns {
        let _ = write!(out, " {column:>CELL$}");
    }
    out.push('\n');
    out.push_str(&"─".repeat(name + 1 + unit + columns.len() * (CELL + 1)));
    out.push('\n');
    for line in &report.lines {
        let _ = write!(out, "{:name$} {:unit$}", line.name, line.unit);
        for column in &columns {
            let _ = write!(out, " {:>CELL$}", Spread::of(line.of(column)).map_or("–".to_owned(), cell));
        }
        let others: Vec<String> = line
            .samples
            .iter()
            .filter(|(name, _)| !COLUMNS.contains(&name.as_str()))
            .filter_map(|(name, samples)| Some(format!("{name} {}", cell(Spread::of(samples)?))))
            .collect();
        let _ = writeln!(out, "  {}", others.join(", "));
        for bound in &line.bounds {
            let _ = writeln!(out, "    {}", verdict(bound, line.verdict(bound)));
        }
        for note in &line.notes {
            let _ = writeln!(out, "    {note}");
        }
    }
    out.push('\n');
    for check in &report.checks {
        let _ = match &check.outcome {
            Ok(seen) => writeln!(out, "ok      {}: {seen}", check.name),
            Err(why) => writeln!(out, "FAILED  {}: {why}", check.name),
        };
    }
    for remark in &report.remarks {
        let _ = writeln!(out, "{remark}");
    }
    let verdicts = report.lines.iter().flat_map(|line| line.bounds.iter().map(|bound| line.verdict(bound)));
    let (mut met, mut missed, mut open) = (0, 0, 0);
    for verdict in verdicts {
        match verdict.map(|verdict| verdict.met) {
            Some(Some(true)) => met += 1,
            Some(Some(false)) => missed += 1,
            Some(None) => {}
            None => open += 1,
        }
    }
    let _ = writeln!(out, "bounds: {met} met, {missed} missed, {open} not measured");
    out
}

const CELL: usize = 14;

fn width<'a>(texts: impl Iterator<Item = &'a str>) -> usize {
    texts.map(|text| text.chars().count()).max().unwrap_or(0)
}

/// The same as one JSON object.
pub fn json(heading: &[String], report: &Report) -> Value {
    let lines: Vec<Value> = report.lines.iter().map(json_line).collect();
    let checks: Vec<Value> = report
        .checks
        .iter()
        .map(|check| {
            let (passed, seen) = match &check.outcome {
                Ok(seen) => (true, seen),
                Err(why) => (false, why),
            };
            json!({ "name": check.name, "passed": passed, "seen": seen })
        })
        .collect();
    json!({ "heading": heading, "figures": lines, "checks": checks, "remarks": report.remarks })
}

fn json_line(line: &Line) -> Value {
    let contenders: serde_json::Map<String, Value> = line
        .samples
        .iter()
        .filter_map(|(name, samples)| {
            let spread = Spread::of(samples)?;
            let value = json!({
                "median": spread.median, "least": spread.least, "largest": spread.largest, "samples": samples,
            });
            Some((name.clone(), value))
        })
        .collect();
    let bounds: Vec<Value> = line
        .bounds
        .iter()
        .map(|bound| {
            let verdict = line.verdict(bound);
            json!({
                "of": bound.of,
                "against": bound.against,
                "must": limit(bound.must),
                "aim": bound.aim,
                "value": verdict.map(|verdict| verdict.value.median),
                "least": verdict.map(|verdict| verdict.value.least),
                "largest": verdict.map(|verdict| verdict.value.largest),
                "met": verdict.and_then(|verdict| verdict.met),
                "aim_met": verdict.and_then(|verdict| verdict.aim_met),
            })
        })
        .collect();
    json!({
        "figure": line.name, "unit": line.unit, "contenders": contenders, "bounds": bounds, "notes": line.notes,
    })
}

/// The median, and half the way from the least to the largest as a part of it.
fn cell(spread: Spread) -> String {
    let value = number(spread.median);
    if spread.least == spread.largest || spread.median == 0.0 {
        return value;
    }
    let half = (spread.largest - spread.least) / 2.0 / spread.median.abs() * 100.0;
    format!("{value} ±{half:.0}%")
}

/// Three digits that count, and no more decimals than a reader can use.
fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

fn verdict(bound: &Bound, verdict: Option<Verdict>) -> String {
    let must = limit(bound.must);
    let Some(Verdict { value, met, aim_met }) = verdict else {
        let against = bound.against.as_deref().map(|name| format!(" × {name}")).unwrap_or_default();
        return format!("{} {must}{against}: not measured", bound.of);
    };
    let measured = match &bound.against {
        None => format!("{} {}", bound.of, number(value.median)),
        Some(against) => format!(
            "{} = {:.2} × {against} ({:.2} to {:.2})",
            bound.of, value.median, value.least, value.largest
        ),
    };
    let Some(met) = met else { return measured };
    let must = format!("must {must}: {}", if met { "met" } else { "MISSED" });
    let sign = if matches!(bound.must, Limit::AtLeast(_)) { '≥' } else { '≤' };
    match (bound.aim, aim_met) {
        (Some(aim), Some(reached)) => {
            format!("{measured}   {must}, aim {sign} {aim}: {}", if reached { "met" } else { "missed" })
        }
        _ => format!("{measured}   {must}"),
    }
}

fn limit(limit: Limit) -> String {
    match limit {
        Limit::AtMost(value) => format!("≤ {value}"),
        Limit::AtLeast(value) => format!("≥ {value}"),
        Limit::Below => "< 1".to_owned(),
        Limit::Any => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{PGBOUNCER, PGWARRANT, SPLICE};

    #[test]
    fn a_row_shows_medians_spread_and_verdicts() {
        let mut report = Report::default();
        report.line(
            Line::new("cpu, simple c1", "µs/tx")
                .bound(Bound::ratio_at_most(PGWARRANT, SPLICE, 1.25).aim(1.15))
                .bound(Bound::below(PGWARRANT, PGBOUNCER)),
        );
        for (splice, pgwarrant) in [(10.0, 13.0), (10.0, 13.0), (11.0, 14.3)] {
            report.sample("cpu, simple c1", SPLICE, splice);
            report.sample("cpu, simple c1", PGWARRANT, pgwarrant);
        }
        report.sample("cpu, simple c1", "view", 3.0);
        report.check("the chain verifies", Err("it does not".to_owned()));
        let text = text(&["heading".to_owned()], &report);
        assert!(text.contains("10.0 ±5%"), "{text}");
        assert!(text.contains("view 3.00"), "{text}");
        let missed = "pgwarrant = 1.30 × splice (1.30 to 1.30)   must ≤ 1.25: MISSED, aim ≤ 1.15: missed";
        assert!(text.contains(missed), "{text}");
        assert!(text.contains("pgwarrant < 1 × pgbouncer: not measured"), "{text}");
        assert!(text.contains("FAILED  the chain verifies: it does not"), "{text}");
        assert!(text.contains("bounds: 0 met, 1 missed, 1 not measured"), "{text}");
        let value = json(&[], &report);
        assert_eq!(value.pointer("/figures/0/bounds/0/met"), Some(&Value::Bool(false)));
        assert_eq!(value.pointer("/checks/0/passed"), Some(&Value::Bool(false)));
    }
}
