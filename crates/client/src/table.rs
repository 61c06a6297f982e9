//! Lists and single things for people: aligned, cut to the terminal, coloured where there is one.

use std::io::{self, Write};

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::text::printable;

/// Between columns.
const GAP: usize = 2;
/// No column is cut to less.
const LEAST: usize = 8;

/// How it is shown.
#[derive(Clone, Copy, Debug, Default)]
pub struct Look {
    /// Of the terminal, in cells. None: there is none, and nothing is cut.
    pub width: Option<usize>,
    pub colour: bool,
}

/// A text that steers no terminal, and its colour.
#[derive(Clone, Debug)]
pub struct Cell {
    text: String,
    /// Of ECMA-48's SGR; empty: none.
    colour: &'static str,
}

impl Cell {
    pub fn new(text: impl AsRef<str>) -> Self {
        Self { text: printable(text.as_ref()).into_owned(), colour: "" }
    }

    pub fn coloured(text: impl AsRef<str>, colour: &'static str) -> Self {
        Self { colour, ..Self::new(text) }
    }
}

/// Rows below a header; the columns that were cut end in `…`.
pub fn table<const N: usize>(
    out: &mut dyn Write,
    look: Look,
    head: [&str; N],
    rows: &[[Cell; N]],
) -> io::Result<()> {
    let mut widths: [usize; N] = head.map(UnicodeWidthStr::width);
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.text.width());
        }
    }
    if let Some(most) = look.width {
        shrink(&mut widths, most.saturating_sub(GAP * N.saturating_sub(1)));
    }
    let head = head.map(|name| Cell::coloured(name, "1"));
    for row in std::iter::once(&head).chain(rows) {
        let mut line = String::new();
        // Blanks go before a cell, so that no line ends in them.
        let mut behind = 0;
        for (cell, width) in row.iter().zip(widths) {
            let text = cut(&cell.text, width);
            line.extend(std::iter::repeat_n(' ', behind));
            behind = width.saturating_sub(text.width()) + GAP;
            line.push_str(&paint(look, cell.colour, &text));
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// Names and values of one thing; those that are empty are left out.
pub fn fields(out: &mut dyn Write, look: Look, fields: &[(&str, Cell)]) -> io::Result<()> {
    let widest = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, cell) in fields.iter().filter(|(_, cell)| !cell.text.is_empty()) {
        let name = paint(look, "2", &format!("{name:widest$}"));
        writeln!(out, "{name}  {}", paint(look, cell.colour, &cell.text))?;
    }
    Ok(())
}

/// Takes from the widest column until all fit, or none has more than the least.
fn shrink(widths: &mut [usize], most: usize) {
    while widths.iter().sum::<usize>() > most {
        match widths.iter_mut().max() {
            Some(widest) if *widest > LEAST => *widest -= 1,
            _ => break,
        }
    }
}

/// At most so many cells of it.
fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut left = width.saturating_sub(1);
    let fits = |c: &char| {
        let width = c.width().unwrap_or(0);
        let fits = width <= left;
        left = left.saturating_sub(width);
        fits
    };
    let mut short: String = text.chars().take_while(fits).collect();
    short.push('…');
    short
}

fn paint(look: Look, colour: &str, text: &str) -> String {
    match look.colour && !colour.is_empty() {
        true => format!("\x1b[{colour}m{text}\x1b[0m"),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(width: Option<usize>, colour: bool) -> String {
        let row = |a: &str, b: &str, c: &'static str| [Cell::new(a), Cell::new(b), Cell::coloured(c, "31")];
        let rows = [
            row("1", "ticket 4711: the parcel came back, and was sent again", "denied"),
            row("20", "日本語\x1b[2J", "live"),
        ];
        let mut out = Vec::new();
        table(&mut out, Look { width, colour }, ["ID", "REASON", "STATE"], &rows).expect("written");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn columns_are_aligned_by_cells_and_cut_to_the_terminal() {
        assert_eq!(
            shown(None, false),
            "ID  REASON                                                 STATE\n\
             1   ticket 4711: the parcel came back, and was sent again  denied\n\
             20  日本語\\u{1b}[2J                                        live\n"
        );
        assert_eq!(
            shown(Some(30), false),
            "ID  REASON              STATE\n\
             1   ticket 4711: the …  denied\n\
             20  日本語\\u{1b}[2J     live\n"
        );
        assert!(shown(Some(3), false).lines().all(|line| line.chars().count() <= 30));
    }

    #[test]
    fn colours_do_not_move_columns() {
        let plain = shown(Some(40), true).replace("\x1b[0m", "");
        let plain = ["\x1b[1m", "\x1b[31m"].iter().fold(plain, |text, code| text.replace(code, ""));
        assert_eq!(plain, shown(Some(40), false));
    }

    #[test]
    fn fields_leave_out_what_is_empty() {
        let mut out = Vec::new();
        let all = [("user", Cell::new("ada")), ("ticket", Cell::new("")), ("reason", Cell::new("a\nb"))];
        fields(&mut out, Look::default(), &all).expect("written");
        assert_eq!(String::from_utf8(out).expect("text"), "user    ada\nreason  a\\nb\n");
    }
}
