//! Statements that are not quite what the grammar says.

use super::dice::Dice;
use super::lexeme::Lexeme;

/// Leaves out, doubles, swaps, replaces or moves a few lexemes.
pub fn mutate(lexemes: &mut Vec<Lexeme>, other: &[Lexeme], dice: &mut Dice) {
    for _ in 0..=dice.below(3) {
        if lexemes.is_empty() {
            return;
        }
        let at = dice.below(lexemes.len());
        match dice.below(7) {
            0 => drop(lexemes.remove(at)),
            1 => lexemes.insert(at, lexemes[at].clone()),
            2 => {
                let with = dice.below(lexemes.len());
                lexemes.swap(at, with);
            }
            3 if !other.is_empty() => lexemes[at] = dice.pick(other).clone(),
            4 if !other.is_empty() => {
                let from = dice.below(other.len());
                let until = (from + 1 + dice.below(12)).min(other.len());
                lexemes.splice(at..at, other[from..until].iter().cloned());
            }
            5 => {
                // A name becomes another kind of thing of the same letters.
                if let Lexeme::Name(name) | Lexeme::Word(name) = &lexemes[at] {
                    lexemes[at] = match dice.one_in(2) {
                        true => Lexeme::Text(name.clone()),
                        false => Lexeme::Name(name.clone()),
                    };
                }
            }
            _ => lexemes.truncate(at.max(3)),
        }
    }
}
