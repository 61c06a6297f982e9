//! Messages for people, with what others wrote in them.

use pgwarrant_tests::Shop;
use serde_json::Value;

use crate::receiver::Receiver;
use crate::{proxy, section, until};

/// Reasons that mean something else in some chat.
const HOSTILE: [&str; 8] = [
    "<!channel> look here",
    "<@U012AB3CD> & <#C123|general>",
    "<https://evil.example|Approve>",
    "&lt;!here&gt; twice",
    "[Approve](https://evil.example) **now** _or_ `never`",
    "<at>everyone</at> <script>alert(1)</script>",
    "*bold* ~gone~ > quote # head :rotating_light:",
    "```end \" } ] \\",
];

/// Every text in it, with the object that it is in.
fn texts<'v>(value: &'v Value, found: &mut Vec<(&'v Value, &'v str)>) {
    match value {
        Value::Object(members) => {
            for member in members.values() {
                match member {
                    Value::String(text) => found.push((value, text)),
                    other => texts(other, found),
                }
            }
        }
        Value::Array(elements) => elements.iter().for_each(|element| texts(element, found)),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_write_is_text_in_every_chat() {
    let (shop, slack, teams) = (Shop::new().await, Receiver::start(), Receiver::start());
    let inbox = "\n[api]\nlisten = \"127.0.0.1:0\"\npublic_url = \"https://warrant.example\"\n";
    let mut sections = section(&slack, "format = \"slack\"");
    sections.push_str(&section(&teams, "format = \"teams\"").replace("\"ops\"", "\"teams\""));
    let proxy = proxy(&shop, format!("{sections}{inbox}"));
    let ada = proxy.connect("ada").await;
    for reason in HOSTILE {
        ada.query(
            "SELECT * FROM pgwarrant.request('customers.email', rows => 'id = 42', reason => $1)",
            &[&reason],
        )
        .await
        .expect("the request is taken");
    }
    let of_slack = until(&slack, "all reasons", |came| came.len() == HOSTILE.len());
    let of_teams = until(&teams, "all reasons", |came| came.len() == HOSTILE.len());
    for reason in HOSTILE {
        let escaped = reason.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let has = |message: &Value, text: &str| {
            let mut found = Vec::new();
            texts(&message["body"], &mut found);
            found.iter().any(|(_, own)| own.contains(text))
        };
        assert!(of_slack.iter().any(|message| has(message, &escaped)), "{reason}: {of_slack:#?}");
        assert!(of_teams.iter().any(|message| has(message, reason)), "{reason}: {of_teams:#?}");
    }
    for message in &of_slack {
        let mut found = Vec::new();
        texts(&message["body"], &mut found);
        for (object, text) in found {
            assert!(!text.contains(['<', '>']), "{text}");
            assert!(object["type"] != "mrkdwn", "markup is looked for in {object}");
        }
        assert_eq!(
            message["body"]["blocks"][0]["text"]["text"]
                .as_str()
                .map(|title| title.ends_with("ada asks for access")),
            Some(true)
        );
        let url = message["body"]["blocks"]
            .as_array()
            .and_then(|blocks| blocks.last()?["elements"][0]["url"].as_str());
        assert!(
            url.is_some_and(|url| url.starts_with("https://warrant.example/#/requests/")),
            "{message:#?}"
        );
    }
    for message in &of_teams {
        let card = &message["body"]["attachments"][0]["content"];
        let mut found = Vec::new();
        texts(&card["body"], &mut found);
        for (object, text) in found {
            let is_plain = object["type"] == "TextRun" || ["RichTextBlock", "TextRun"].contains(&text);
            assert!(is_plain, "Markdown is looked for in {object}");
        }
        assert!(card.get("msteams").is_none(), "nobody is mentioned: {card}");
        let url = card["actions"][0]["url"].as_str();
        assert!(url.is_some_and(|url| url.starts_with("https://warrant.example/#/requests/")), "{card:#?}");
    }
}
