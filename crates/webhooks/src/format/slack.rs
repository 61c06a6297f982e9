//! `format = "slack"`: blocks for an incoming webhook (<https://docs.slack.dev/reference/block-kit>).
//!
//! Whatever others wrote is `plain_text`, where no markup, mention or emoji is looked for, and
//! escaped on top (<https://docs.slack.dev/messaging/formatting-message-text#escaping>): mentions
//! and links are written between `<` and `>`.

use serde_json::{Value, json};

use crate::format::card::Card;
use crate::format::text::cut;

/// Of a header and of a field, as Slack has them, less what "…" and a label take.
const MAX_HEADER: usize = 140;
const MAX_FIELD: usize = 1_900;
/// Fields of one section.
const MAX_FIELDS: usize = 10;

pub fn body(card: &Card) -> Value {
    let title = escaped(&card.title, MAX_HEADER);
    let mut blocks = vec![json!({ "type": "header", "text": plain(&title) })];
    let fields: Vec<Value> = card
        .facts
        .iter()
        .map(|(label, text)| plain(&format!("{label}\n{}", escaped(text, MAX_FIELD))))
        .collect();
    blocks.extend(fields.chunks(MAX_FIELDS).map(|fields| json!({ "type": "section", "fields": fields })));
    if let Some(link) = &card.link {
        let mut button = json!({ "type": "button", "text": plain(link.label), "url": link.url });
        if link.asks {
            button["style"] = json!("primary");
        }
        blocks.push(json!({ "type": "actions", "elements": [button] }));
    }
    // What notifications show.
    json!({ "text": title, "mrkdwn": false, "unfurl_links": false, "unfurl_media": false, "blocks": blocks })
}

fn plain(text: &str) -> Value {
    json!({ "type": "plain_text", "text": text, "emoji": false })
}

fn escaped(text: &str, most: usize) -> String {
    cut(text, most, |character, written| match character {
        '&' => written.push_str("&amp;"),
        '<' => written.push_str("&lt;"),
        '>' => written.push_str("&gt;"),
        other => written.push(other),
    })
}
