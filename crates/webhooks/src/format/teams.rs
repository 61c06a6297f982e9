//! `format = "teams"`: an Adaptive Card in the message that the workflow "Post to a channel when a
//! webhook request is received" takes.
//!
//! Whatever others wrote is a `TextRun`, the one text element in which no Markdown is looked for
//! (<https://adaptivecards.io/explorer/TextRun.html>), so that there is nothing to escape and nothing
//! to forget. Mentions need an entity in the card, and there is none.

use serde_json::{Value, json};

use crate::format::card::Card;
use crate::format::text::cut;

/// Bytes of one text: a message has 28 KiB at most.
const MAX_TEXT: usize = 1_500;

pub fn body(card: &Card) -> Value {
    let title =
        json!({ "type": "TextRun", "text": shortened(&card.title), "weight": "Bolder", "size": "Large" });
    let mut blocks = vec![line(vec![title])];
    blocks.extend(card.facts.iter().map(|(label, text)| {
        line(vec![
            json!({ "type": "TextRun", "text": format!("{label}: "), "weight": "Bolder" }),
            json!({ "type": "TextRun", "text": shortened(text) }),
        ])
    }));
    let actions: Vec<Value> = card
        .link
        .iter()
        .map(|link| json!({ "type": "Action.OpenUrl", "title": link.label, "url": link.url }))
        .collect();
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "body": blocks,
                "actions": actions,
            },
        }],
    })
}

fn line(inlines: Vec<Value>) -> Value {
    json!({ "type": "RichTextBlock", "inlines": inlines })
}

fn shortened(text: &str) -> String {
    cut(text, MAX_TEXT, |character, written| written.push(character))
}
