//! The canaries, and the search for them in whatever form.

use std::collections::{HashMap, HashSet};

use aho_corasick::{AhoCorasick, AhoCorasickBuilder};
use pgwarrant_tests::raw::Frame;
use tokio_postgres::Client;

/// Relations with their protected columns: the labels, and where canaries are. A relation's first
/// column is its key.
pub const PROTECTED: &[(&str, &[&str])] = &[
    ("public.people", &["name", "email", "phone", "birth", "salary", "serial", "address", "note", "plan"]),
    ("public.people_log", &["entry"]),
    (
        "public.vault",
        &[
            "c_text",
            "c_varchar",
            "c_char",
            "c_citext",
            "c_name",
            "c_int8",
            "c_numeric",
            "c_float",
            "c_date",
            "c_ts",
            "c_uuid",
            "c_inet",
            "c_mac",
            "c_bytea",
            "c_json",
            "c_jsonb",
            "c_texts",
            "c_ints",
            "c_comp",
            "c_xml",
            "c_tsv",
            "c_range",
            "c_hstore",
            "c_domain",
            "c_number",
            "c_long",
            "c_mood",
            "c_flag",
            "c_bits",
            "c_interval",
            "c_money",
            "c_lo",
        ],
    ),
    ("hr.people", &["email", "wage"]),
    ("public.visits", &["ip", "agent"]),
    ("public.assets", &["holder"]),
    ("public.located", &["place"]),
    ("public.vehicles", &["plate"]),
    ("\"Odd Schema\".\"Per.sön \"\"x\"\"\"", &["\"E-Mail\"", "\"select\""]),
    ("\"Odd Schema\".\"user\"", &["\"table\""]),
    ("public.a_name_of_sixty_three_bytes_and_so_as_long_as_a_name_ever_may_b", &["secret"]),
    ("public.straße", &["größe"]),
    ("public.diary", &["entry"]),
];

/// Columns of few values, which no search can find; the blind attacks are for them.
const COMMON: &[&str] = &["c_mood", "c_flag", "c_lo"];

/// The one row that a row-scoped grant shows: of people, by its id.
pub const GRANTED_ROW: &str = "7";

/// Runs of letters and digits are canaries from this length on.
const SHORTEST: usize = 12;

/// What is searched for.
pub struct Canaries {
    text: AhoCorasick,
    binary: AhoCorasick,
    /// For each pattern of `text`, then of `binary`: whose it is.
    owners: Vec<Vec<String>>,
    text_patterns: usize,
}

struct Forms {
    owners: HashMap<Vec<u8>, Vec<String>>,
}

impl Forms {
    fn add(&mut self, pattern: Vec<u8>, owner: &str) {
        let owners = self.owners.entry(pattern).or_default();
        if !owners.iter().any(|other| other == owner) {
            owners.push(owner.to_owned());
        }
    }
}

/// Every protected cell of the database behind `direct`, and `secrets` beside them (the key of the
/// masks), in every form that is searched for.
pub async fn canaries(direct: &Client, secrets: &[(&str, String)]) -> Canaries {
    let mut text = Forms { owners: HashMap::new() };
    let mut binary = Forms { owners: HashMap::new() };
    for (relation, columns) in PROTECTED {
        for column in *columns {
            if COMMON.contains(column) {
                continue;
            }
            let bare = column.trim_matches('"');
            let send: String = direct
                .query_one(
                    "SELECT t.typsend::oid::regproc::text FROM pg_catalog.pg_attribute AS a JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid \
                     WHERE a.attrelid = $1::text::regclass AND a.attname = $2::text::name",
                    &[relation, &bare],
                )
                .await
                .unwrap_or_else(|error| panic!("{relation}.{column}: {error:?}"))
                .get(0);
            let key = key(direct, relation).await;
            let query = format!(
                "SELECT {key}::text, {column}::text, pg_catalog.md5({column}::text), \
                        pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to({column}::text, 'UTF8')), 'hex'), \
                        {send}({column}) FROM {relation} WHERE {column} IS NOT NULL"
            );
            let rows = direct.query(&query, &[]).await.unwrap_or_else(|error| panic!("{query}: {error:?}"));
            assert!(!rows.is_empty(), "{relation}.{column} holds canaries");
            for row in rows {
                let owner = format!("{relation}.{column} of {}", row.get::<_, String>(0));
                let value: String = row.get(1);
                forms(&value, &owner, &mut text);
                text.add(row.get::<_, String>(2).into_bytes(), &owner);
                text.add(row.get::<_, String>(3).into_bytes(), &owner);
                let sent: Vec<u8> = row.get(4);
                let length = (sent.len() as u32).to_be_bytes();
                binary.add([&length[..], &sent].concat(), &owner);
                if sent.len() >= 8 {
                    binary.add(sent, &owner);
                }
            }
        }
    }
    let objects = "SELECT loid::text, convert_from(data, 'UTF8') FROM pg_catalog.pg_largeobject";
    for row in direct.query(objects, &[]).await.expect("large objects") {
        forms(&row.get::<_, String>(1), &format!("large object {}", row.get::<_, String>(0)), &mut text);
    }
    for (name, secret) in secrets {
        forms(secret, name, &mut text);
    }
    assert!(text.owners.len() > 2000, "only {} forms of canaries", text.owners.len());
    let (patterns, mut owners): (Vec<_>, Vec<_>) = text.owners.into_iter().unzip();
    let (binary_patterns, binary_owners): (Vec<_>, Vec<_>) = binary.owners.into_iter().unzip();
    owners.extend(binary_owners);
    Canaries {
        text: AhoCorasickBuilder::new().ascii_case_insensitive(true).build(&patterns).expect("a search"),
        binary: AhoCorasick::new(&binary_patterns).expect("a search"),
        owners,
        text_patterns: patterns.len(),
    }
}

/// The column that tells a relation's rows apart.
async fn key(direct: &Client, relation: &str) -> String {
    direct
        .query_one(
            "SELECT pg_catalog.quote_ident(attname) FROM pg_catalog.pg_attribute WHERE attrelid = $1::text::regclass AND attnum = 1",
            &[&relation],
        )
        .await
        .expect("a first column")
        .get(0)
}

/// What a value could look like.
fn forms(value: &str, owner: &str, forms: &mut Forms) {
    // A date has too few digits to be found without what is between them.
    if let [year, month, day] = value.split('-').collect::<Vec<_>>()[..]
        && value.len() == 10
    {
        for form in [
            value.to_owned(),
            format!("{month}/{day}/{year}"),
            format!("{day}/{month}/{year}"),
            format!("{day}.{month}.{year}"),
            format!("{month}-{day}-{year}"),
            format!("{day}-{month}-{year}"),
        ] {
            forms.add(form.into_bytes(), owner);
        }
        return;
    }
    // What has few digits but an unmistakable shape: the value as it is printed.
    if value.len() >= 9 && value.contains(':') {
        forms.add(value.as_bytes().to_vec(), owner);
        if let Some((day, _)) = value.split_once(' ') {
            forms.add(day.as_bytes().to_vec(), owner);
        }
    }
    let value = value.strip_suffix("/128").unwrap_or(value);
    let whole: String = value.trim_start_matches("\\x").chars().filter(char::is_ascii_alphanumeric).collect();
    let mut atoms: Vec<&str> = value
        .trim_start_matches("\\x")
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|atom| atom.len() >= SHORTEST)
        .collect();
    if atoms.len() > 16 {
        atoms.drain(8..atoms.len() - 8);
    }
    if whole.len() >= SHORTEST && whole.len() <= 80 {
        atoms.push(&whole);
    }
    for atom in atoms {
        forms_of_atom(atom, owner, forms);
    }
}

fn forms_of_atom(atom: &str, owner: &str, forms: &mut Forms) {
    let bytes = atom.as_bytes();
    forms.add(bytes.to_vec(), owner);
    forms.add(bytes.iter().rev().copied().collect(), owner);
    forms.add(bytes.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect(), owner);
    forms.add(bytes.iter().flat_map(|byte| format!("{byte:03o}").into_bytes()).collect(), owner);
    for alignment in 0..3 {
        forms.add(base64_core(bytes, alignment), owner);
    }
    // A part is as bad as the whole.
    if atom.starts_with("zq7k") && bytes.len() >= 20 {
        for start in [0, 4, 8] {
            if let Some(part) = bytes.get(start..start + SHORTEST) {
                forms.add(part.to_vec(), owner);
                forms.add(part.iter().rev().copied().collect(), owner);
            }
        }
    }
}

/// What of base64 depends on these bytes alone, when they begin `alignment` bytes into a group.
fn base64_core(bytes: &[u8], alignment: usize) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let skip = (3 - alignment) % 3;
    let whole = &bytes[skip..];
    whole
        .chunks_exact(3)
        .flat_map(|group| {
            let bits = u32::from(group[0]) << 16 | u32::from(group[1]) << 8 | u32::from(group[2]);
            [18, 12, 6, 0].map(|shift| ALPHABET[(bits >> shift & 63) as usize])
        })
        .collect()
}

impl Canaries {
    /// The cells, at most a few, that what came shows, in one form or another, and that neither the
    /// client's own `text` did nor `allowed` lets through.
    pub fn disclosed(&self, frames: &[Frame], text: &str, allowed: impl Fn(&str) -> bool) -> Vec<String> {
        let told = self.patterns(&haystacks(&[], text.as_bytes()));
        let mut raw = Vec::new();
        for frame in frames {
            raw.push(frame.tag);
            raw.extend(&(frame.body.len() as u32 + 4).to_be_bytes());
            raw.extend(&frame.body);
        }
        let mut found: Vec<String> = self
            .patterns(&haystacks(frames, &raw))
            .difference(&told)
            .filter_map(|pattern| self.owners.get(*pattern))
            // A value that several cells share is one of the allowed if any of them is.
            .filter(|owners| !owners.iter().any(|owner| allowed(owner)))
            .flatten()
            .cloned()
            .collect();
        found.sort_unstable();
        found.dedup();
        found.truncate(4);
        found
    }

    fn patterns(&self, haystacks: &[Vec<u8>]) -> HashSet<usize> {
        let mut found = HashSet::new();
        for haystack in haystacks {
            found.extend(self.text.find_overlapping_iter(haystack).map(|hit| hit.pattern().as_usize()));
        }
        // Only the bytes as they came can hold binary values.
        if let Some(raw) = haystacks.first() {
            found.extend(
                self.binary
                    .find_overlapping_iter(raw)
                    .map(|hit| self.text_patterns + hit.pattern().as_usize()),
            );
        }
        found
    }
}

/// The bytes as they came; letters and digits alone; the cells of rows, and those of each column,
/// one after the other, letters and digits alone.
fn haystacks(frames: &[Frame], raw: &[u8]) -> Vec<Vec<u8>> {
    let strip =
        |bytes: &[u8]| -> Vec<u8> { bytes.iter().copied().filter(u8::is_ascii_alphanumeric).collect() };
    let mut rows = Vec::new();
    let mut columns: Vec<Vec<u8>> = Vec::new();
    for frame in frames.iter().filter(|frame| frame.tag == b'D') {
        for (place, cell) in cells(frame).into_iter().enumerate() {
            let cell = strip(cell.unwrap_or_default());
            rows.extend(&cell);
            if columns.len() <= place {
                columns.push(Vec::new());
            }
            columns[place].extend(&cell);
        }
    }
    let mut all = vec![raw.to_vec(), strip(raw), rows];
    all.extend(columns);
    all
}

/// The cells of a DataRow.
pub fn cells(row: &Frame) -> Vec<Option<&[u8]>> {
    let mut rest = row.body.get(2..).unwrap_or_default();
    let mut cells = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = i32::from_be_bytes(*length);
        if length < 0 {
            cells.push(None);
            rest = after;
            continue;
        }
        let (cell, next) = after.split_at(length as usize);
        cells.push(Some(cell));
        rest = next;
    }
    cells
}
