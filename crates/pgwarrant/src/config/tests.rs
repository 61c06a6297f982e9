//! Each kind of mistake as data: what is changed in a good file, and every word that comes out.

use std::path::Path;
use std::time::Duration;

use pgwarrant_catalog::Sensitivity;

use super::problem::nearest;
use super::*;

mod api;
mod conditions;
mod identity;
mod inbound;
mod own_file;
mod policy;
mod secrets;
mod webhooks;

/// The shortest good file. Line numbers in the cases count from its first line.
const GOOD: &str = r#"[listen]
address = "127.0.0.1:6432"
[[database]]
name = "shop"
upstream = "postgres://127.0.0.1/shop"
role = [{ name = "shop_app" }]
[[group]]
name = "engineering"
may_request = true
[[group]]
name = "privacy"
may_approve = true
[[user]]
name = "ada"
scram = "SCRAM-SHA-256$4096:sn+kV75jBT/v1Qzh8bMPPg==$kXLr5lJV46X947HbnsGRNj3UBd9HmZAEIvm5D/TGY8g=:7XTD1Z/N2Y5tmmJEjf+niD9wraAVwEIujXGiuK6k/Zs="
groups = ["engineering"]
[[label]]
columns = "customers.email"
category = "contact"
mask = "email"
[store]
path = "store"
"#;

fn read(text: &str) -> Result<Config, Problems> {
    let variable = |name: &str| (name == "SET").then(|| "a value that is long enough to be a key".to_owned());
    parse(text, "f", &Surroundings { directory: Path::new("/nowhere"), variable: &variable })
}

/// What comes out for the good file with `from` replaced by `to`, or with `to` at its end.
fn said(from: &str, to: &str) -> String {
    let text = if from.is_empty() {
        format!("{GOOD}{to}")
    } else {
        assert!(GOOD.contains(from), "{from:?} is not in the good file");
        GOOD.replacen(from, to, 1)
    };
    match read(&text) {
        Ok(config) => config.warnings.to_string(),
        Err(problems) => problems.to_string(),
    }
}

#[track_caller]
fn check(cases: &[(&str, &str, &str)]) {
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|(from, to, expected)| {
            let said = said(from, to);
            (said != *expected)
                .then(|| format!("{from:?} -> {to:?}\n--- expected\n{expected}\n--- said\n{said}\n"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_good_file_has_no_problem_and_gets_the_defaults() {
    let config = read(GOOD).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(config.warnings.to_string(), "");
    assert_eq!(config.grants.default_duration, Duration::from_secs(3600));
    assert_eq!(config.limits.statement, 1 << 20);
    assert_eq!(config.limits.message, 64 << 20);
    assert_eq!(config.listen.plaintext, Plaintext::Loopback);
    assert_eq!(config.databases[0].tls.mode, TlsMode::Disable);
    assert_eq!(config.databases[0].upstream.port, 5432);
    assert_eq!(config.databases[0].catalogue.login.role, "shop_app");
    assert!(config.labels[0].label.nulls_show);
    assert_eq!(config.labels[0].label.sensitivity, Sensitivity::Medium);
    assert_eq!(config.labels[0].line, 17);
    assert_eq!(config.store.path, Path::new("/nowhere/store"));
    assert!(
        matches!(config.masking.key, MaskingKey::Generated(path) if path == Path::new("/nowhere/store/masking.key"))
    );
}

#[test]
fn unknown_keys_are_errors_with_the_nearest_known_key() {
    check(&[
        (
            "mask = \"email\"",
            "mask = \"email\"\nsensitivity = \"hihg\"",
            "f:21: sensitivity cannot be \"hihg\"\nHINT:  Did you mean \"high\"?",
        ),
        ("address", "adress", "f:2: unknown key \"adress\" in [listen]\nHINT:  Did you mean \"address\"?"),
        (
            "columns",
            "colunms",
            "f:17: [[label]] has no columns\nHINT:  Write columns = [\"customers.email\"], or a pattern such as \"*.email\".\nf:18: unknown key \"colunms\" in [[label]]\nHINT:  Did you mean \"columns\"?",
        ),
        (
            "[store]",
            "[stoer]",
            "f: [store] has no path\nHINT:  Write [store] path = \"/var/lib/pgwarrant\": grants and the audit trail are kept there.\nf:21: unknown key \"stoer\" in the file\nHINT:  Did you mean \"store\"?",
        ),
        ("", "wibble = 1", "f:23: unknown key \"wibble\" in [store]\nHINT:  Known keys: path."),
        (
            "name = \"shop_app\" }",
            "name = \"shop_app\", pasword_file = \"x\" }",
            "f:6: unknown key \"pasword_file\" in [[database.role]]\nHINT:  Did you mean \"password_file\"?",
        ),
        (
            "",
            "[grants]\n\"\" = 1",
            "f:24: unknown key \"\" in [grants]\nHINT:  Known keys: default_duration, max_ahead, max_duration, max_pending_per_user, pending_lapse, time_zone.",
        ),
    ]);
}

#[test]
fn all_problems_come_at_once_in_the_order_of_lines() {
    let text = GOOD.replace("127.0.0.1:6432", "localhost").replace("may_request = true", "may_request = 1")
        + "[grants]\nmax_duration = \"10 fortnights\"\n[limits]\nconnections = 0\n";
    let said = read(&text).expect_err("four mistakes").to_string();
    assert_eq!(
        said,
        "f:2: address cannot be \"localhost\"\n\
         HINT:  Write an IP address and a port: \"127.0.0.1:6432\", \"[::1]:6432\" or \"0.0.0.0:6432\".\n\
         f:9: may_request must be true or false, not an integer\n\
         f:24: max_duration cannot be \"10 fortnights\"\n\
         HINT:  Write a whole number and a unit: ms, s, min, h or d, for example \"60 min\".\n\
         f:26: connections must be 1 to 100000"
    );
}

#[test]
fn what_is_not_toml_says_where() {
    check(&[
        ("[listen]", "[listen", "f:1: unclosed table, expected `]`"),
        ("name = \"ada\"", "name = \"ada\"\nname = \"eve\"", "f:15: duplicate key"),
    ]);
}

#[test]
fn listening_where_nobody_could_connect_or_anybody_could_listen_in_is_reported() {
    check(&[
        (
            "127.0.0.1:6432",
            "0.0.0.0:6432",
            "f:2: nobody could connect to 0.0.0.0:6432 from elsewhere without [listen.tls]\nHINT:  Add [listen.tls] with certificate and key, or listen on 127.0.0.1 only.",
        ),
        (
            "\"127.0.0.1:6432\"",
            "\"127.0.0.1:6432\"\nplaintext = \"never\"",
            "f:3: nobody could connect: plaintext is refused and there is no [listen.tls]\nHINT:  Add [listen.tls] with certificate and key, or allow plaintext = \"loopback\".",
        ),
        (
            "\"127.0.0.1:6432\"",
            "[\"10.0.0.5:6432\", \"[::1]:6432\"]\nplaintext = \"always\"",
            "f:3: warning: plaintext = \"always\" lets personal data cross the network unencrypted\nHINT:  Use \"loopback\" with [listen.tls] unless something else encrypts the connection.",
        ),
        (
            "\"127.0.0.1:6432\"",
            "[\"127.0.0.1:1\", \"127.0.0.1:1\"]",
            "f:2: address 127.0.0.1:1 is there twice",
        ),
        ("\"127.0.0.1:6432\"", "[]", "f:2: address is empty\nHINT:  Write address = \"127.0.0.1:6432\"."),
        ("\"127.0.0.1:6432\"", "6432", "f:2: address must be a string or a list of strings, not an integer"),
        (
            "\"127.0.0.1:6432\"",
            "\"127.0.0.1:6432\"\nplaintext = \"allways\"",
            "f:3: plaintext cannot be \"allways\"\nHINT:  Did you mean \"always\"?",
        ),
        (
            "\"127.0.0.1:6432\"",
            "\"127.0.0.1:6432\"\ntls = { certificate = \"no.crt\" }",
            "f:3: could not read /nowhere/no.crt: No such file or directory (os error 2)\nHINT:  Name a PEM file; relative paths start at this file's directory.\nf:3: [listen.tls] has no key\nHINT:  Name a PEM file.",
        ),
    ]);
}

#[test]
fn an_upstream_is_a_url_without_secrets_and_with_tls_off_loopback() {
    const FORM: &str =
        "HINT:  Write postgres://host:port/dbname, or postgres:///dbname?host=/directory/of/the/socket.";
    let at = |url: &str| said("postgres://127.0.0.1/shop", url);
    for (url, message) in [
        ("mysql://db/shop", "upstream is not a postgres:// URL"),
        ("postgres://db", "upstream names no database"),
        ("postgres:///shop", "upstream names no host"),
        ("postgres://db:port/shop", "upstream has no valid host and port"),
        ("postgres://db:0/shop", "upstream has no valid host and port"),
        ("postgres://[::1/shop", "upstream has no valid host and port"),
        ("postgres://a,b/shop", "upstream has no valid host and port"),
        ("postgres://db/%zz", "upstream has a bad percent-encoding"),
        ("postgres://db/%00", "upstream has a bad percent-encoding"),
        ("postgres://db/shop?options=-cx", "upstream has an unknown parameter \"options\""),
    ] {
        assert_eq!(at(url), format!("f:5: {message}\n{FORM}"), "{url}");
    }
    assert!(at("postgres://app:secret@db/shop").starts_with("f:5: upstream names a user\n"));
    assert!(!at("postgres://app:secret@db/shop").contains("secret@"));
    assert!(
        at("postgres://db/shop?password=secret")
            .starts_with("f:5: upstream has the parameter \"password\"\n")
    );
    for good in [
        "postgres://db.internal:6000/shop",
        "postgresql://[::1]:5433/shop",
        "postgres:///shop?host=/run/postgresql&port=5433",
        "postgres://%2Frun%2Fpostgresql/shop%20two",
    ] {
        assert_eq!(at(good), "", "{good}");
    }
    let config = read(&GOOD.replace("127.0.0.1/shop", "%2Frun%2Fpg:6000/shop%20two")).expect("a good file");
    let expected = Upstream { host: Host::Unix("/run/pg".into()), port: 6000, database: "shop two".into() };
    assert_eq!(config.databases[0].upstream, expected);

    let mode = |host: &str, tls: &str| {
        let url = format!("postgres://{host}/shop\"{tls}");
        let text = GOOD.replace("postgres://127.0.0.1/shop\"", &url);
        read(&text).map(|config| (config.databases[0].tls.mode, config.warnings.to_string()))
    };
    assert_eq!(mode("db", "").expect("good").0, TlsMode::VerifyFull);
    assert_eq!(mode("[::1]", "").expect("good").0, TlsMode::Disable);
    assert_eq!(mode("localhost", "").expect("good").0, TlsMode::Disable);
    assert_eq!(mode("127.0.0.1", "\ntls = \"verify-full\"").expect("good").0, TlsMode::VerifyFull);
    let disabled =
        mode("127.0.0.1.evil.example", "\ntls = \"disable\"").expect_err("not loopback").to_string();
    assert!(
        disabled.starts_with("f:6: tls = \"disable\" is for loopback and Unix-domain sockets only\n"),
        "{disabled}"
    );
    let required = mode("db", "\ntls = \"require\"").expect("a warning").1;
    assert!(required.starts_with("f:6: warning: tls = \"require\" does not notice"), "{required}");
}

#[test]
fn people_and_their_groups_must_exist_once_and_be_able_to_sign_in() {
    check(&[
        (
            "groups = [\"engineering\"]",
            "groups = [\"enginering\"]",
            "f:16: there is no group \"enginering\"\nHINT:  Did you mean \"engineering\"?",
        ),
        (
            "groups = [\"engineering\"]",
            "groups = [\"sales\"]",
            "f:16: there is no group \"sales\"\nHINT:  Add [[group]] with name = \"sales\".",
        ),
        (
            "may_approve = true",
            "may_approve = false",
            "f:7: warning: nobody can approve what this group may request\nHINT:  Give another group may_approve = true; nobody approves their own request.",
        ),
        (
            "",
            "[[user]]\nname = \"ada\"\nscram_env = \"UNSET\"",
            "f:24: user \"ada\" is there twice\nHINT:  The other is on line 14.\nf:25: the environment variable UNSET is not set\nHINT:  Set it before the program starts.",
        ),
        (
            "",
            "[[user]]\nname = \"ben\"",
            "f:23: [[user]] has neither scram nor certificate nor provider\nHINT:  Add [[user]] with name and scram; `pgwarrant user hash` makes the value of scram.",
        ),
        (
            "",
            "[[user]]\nname = \"ben\"\npassword = \"hunter2\"",
            "f:25: password may not be in the configuration file\nHINT:  Write scram = \"…\", as `pgwarrant user hash` prints it.",
        ),
        (
            "",
            "[[user]]\nname = \"ben\"\nscram = \"hunter2\"",
            "f:25: scram is not a SCRAM-SHA-256 verifier\nHINT:  Use what `pgwarrant user hash` prints, or rolpassword of pg_authid: SCRAM-SHA-256$4096:….",
        ),
        (
            "",
            "[[user]]\nname = \"ben\"\nscram = \"md5aa\"",
            "f:25: scram is an MD5 hash, which is not accepted\nHINT:  Use what `pgwarrant user hash` prints, or rolpassword of pg_authid: SCRAM-SHA-256$4096:….",
        ),
        (
            "",
            "[[user]]\nname = \"ben\"\ncertificate = \"ben\"",
            "f:25: no client certificate could be accepted\nHINT:  Name the authority of client certificates in [listen.tls] client_ca.",
        ),
        (
            "",
            "[[user]]\nscram_env = \"SET\"",
            "f:23: [[user]] has no name\nf:24: scram is not a SCRAM-SHA-256 verifier\nHINT:  Use what `pgwarrant user hash` prints, or rolpassword of pg_authid: SCRAM-SHA-256$4096:….",
        ),
        ("", "[user]\nname = \"ben\"", "f:23: duplicate key"),
        (
            "[[group]]\nname = \"engineering\"\nmay_request = true\n[[group]]\nname = \"privacy\"\nmay_approve = true",
            "[group]",
            "f:7: group is a list\nHINT:  Write [[group]], in two brackets.\nf:11: there is no group \"engineering\"\nHINT:  Add [[group]] with name = \"engineering\".",
        ),
    ]);
}

#[test]
fn a_role_is_for_somebody_and_one_at_most_for_everybody() {
    let role = "{ name = \"shop_app\" }";
    check(&[
        (
            role,
            "{ name = \"a\" }, { name = \"b\" }",
            "f:6: two roles are for everybody\nHINT:  The other is on line 6; name users or groups in one of the two.",
        ),
        (
            role,
            "{ name = \"a\", groups = [] }",
            "f:6: [[database.role]] is for nobody\nHINT:  Name users or groups, or leave both keys out for everybody.",
        ),
        (
            role,
            "{ name = \"a\", users = [\"adda\"] }",
            "f:6: there is no user \"adda\"\nHINT:  Did you mean \"ada\"?\nf:6: [[database.role]] is for nobody\nHINT:  Name users or groups, or leave both keys out for everybody.",
        ),
        (
            role,
            "{ name = \"a\", password = \"x\" }",
            "f:6: password may not be in the configuration file\nHINT:  Put it into a file of its own and name that in password_file.",
        ),
        (
            role,
            "{ name = \"a\", password_env = \"SET\", password_file = \"x\" }",
            "f:6: password_file and password_env are both given\nHINT:  Remove one of them.",
        ),
        (
            role,
            "",
            "f:3: [[database]] has no role\nHINT:  Add [[database.role]] with name: the role of PostgreSQL that sessions sign in as.",
        ),
        (
            "role = [{",
            "catalogue = { password_env = \"SET\" }\nrole = [{",
            "f:6: [database.catalogue] has a password but no role\nHINT:  Write role in [database.catalogue].",
        ),
    ]);
    let roles = "{ name = \"all\" }, { name = \"grouped\", groups = [\"engineering\"] }, { name = \"named\", users = [\"ada\"] }";
    let config = read(&GOOD.replace(role, roles)).expect("a good file");
    let roles: Vec<(&str, &[String], &[String])> = config.databases[0]
        .roles
        .iter()
        .map(|role| (role.login.role.as_str(), &role.users[..], &role.groups[..]))
        .collect();
    let expected: [(&str, &[String], &[String]); 3] =
        [("all", &[], &[]), ("grouped", &[], &["engineering".into()]), ("named", &["ada".into()], &[])];
    assert_eq!(roles, expected);
    // The proxy's own connection has no role of its own here.
    assert_eq!(config.databases[0].catalogue.login.role, "all");
}

#[test]
fn a_label_names_columns_a_category_and_a_known_mask() {
    const MASKS: &str =
        "HINT:  Known masks: redact, null, email, phone, card, hash, token, random, constant, partial.";
    let mask = |to: &str| said("mask = \"email\"", &format!("mask = {to}"));
    assert_eq!(mask("\"emial\""), format!("f:20: unknown mask \"emial\"\n{MASKS}"));
    assert_eq!(mask("{ shuffle = 1 }"), format!("f:20: unknown mask \"shuffle\"\n{MASKS}"));
    for (to, message) in [
        ("\"partial\"", "mask partial needs what it keeps: { partial = { first = 1, last = 0 } }"),
        ("\"constant\"", "mask constant needs its value: { constant = \"hidden\" }"),
        ("{ email = true }", "mask email takes no arguments: write mask = \"email\""),
        ("{ constant = \"x\", partial = { first = 1 } }", "a label has one mask, not constant and partial"),
        ("{ partial = { first = 1, width = 2, keep_length = true } }", "give width or keep_length, not both"),
        (
            "{ partial = { first = 1, fill = \"a\" } }",
            "fill must be a visible character that is neither a letter nor a digit",
        ),
        ("{ partial = { first = 100 } }", "a partial mask keeps at most 64 characters on each side"),
        ("{ partial = { first = 1, width = 0 } }", "width must be 1 to 64"),
    ] {
        assert_eq!(mask(to), format!("f:20: {message}"), "{to}");
    }
    assert!(mask("{ partial = {} }").starts_with("f:20: a partial mask keeps something"));
    assert!(mask("{ partial = { frist = 1 } }").starts_with("f:20: unknown field `frist`"));
    assert!(mask("7").starts_with("f:20: invalid type: integer `7`, expected a mask: redact, null"));
    for good in
        ["\"redact\"", "{ constant = 0 }", "{ constant = false }", "{ partial = { last = 4, fill = \"•\" } }"]
    {
        assert_eq!(mask(good), "", "{good}");
    }
    check(&[
        (
            "\"customers.email\"",
            "\"email\"",
            "f:18: columns cannot hold \"email\": it names no relation\nHINT:  Write relation.column, or *.column for that column of every relation.",
        ),
        (
            "\"customers.email\"",
            "[\"a.b\", \"c..d\", \"a.b.c.d\"]",
            "f:18: columns cannot hold \"c..d\": a part is empty\nHINT:  Write relation.column, or * where any name will do.\nf:18: columns cannot hold \"a.b.c.d\": it has too many parts\nHINT:  Write relation.column or schema.relation.column.",
        ),
        ("\"customers.email\"", r#"'"Odd Schema"."Per.son ""x""".email'"#, ""),
        (
            "\"contact\"",
            "\"Contact data\"",
            "f:19: category cannot be \"Contact data\"\nHINT:  Use lower-case letters, digits, _ and -: people write category:contact in a request.",
        ),
        ("category = \"contact\"\n", "", "f:17: [[label]] has no category"),
        (
            "",
            "[[label]]\ncolumns = \"customers.email\"\ncategory = \"contact\"",
            "f:24: \"customers.email\" is labelled twice\nHINT:  The other is on line 18; a column has one label.",
        ),
        (
            "category = \"contact\"",
            "category = \"contact\"\nungranted = \"blok\"",
            "f:20: ungranted cannot be \"blok\"\nHINT:  Did you mean \"block\"?",
        ),
        (
            "[[label]]\ncolumns = \"customers.email\"\ncategory = \"contact\"\nmask = \"email\"",
            "",
            "f: warning: there is no [[label]]: nothing is protected\nHINT:  Add [[label]] with columns, category and mask.",
        ),
    ]);
}

#[test]
fn durations_and_sizes_have_units_and_bounds() {
    check(&[
        (
            "",
            "[grants]\ndefault_duration = \"9 h\"",
            "f:24: default_duration is longer than max_duration\nHINT:  Raise max_duration or lower default_duration.",
        ),
        (
            "",
            "[grants]\nmax_duration = 60",
            "f:24: max_duration must be a string with a unit, such as \"8 h\", not an integer",
        ),
        (
            "",
            "[grants]\nmax_duration = \"60 m\"",
            "f:24: max_duration cannot be \"60 m\"\nHINT:  \"m\" could be minutes or months: write min.",
        ),
        ("", "[grants]\nmax_duration = \"400 d\"", "f:24: max_duration must be 1 s to 366 days"),
        (
            "",
            "[grants]\nmax_duration = \"99999999999999999999 d\"",
            "f:24: max_duration cannot be \"99999999999999999999 d\"\nHINT:  Write a whole number and a unit: ms, s, min, h or d, for example \"60 min\".",
        ),
        (
            "",
            "[grants]\nmax_duration = \"9999999999999999 d\"",
            "f:24: max_duration cannot be \"9999999999999999 d\"\nHINT:  At most ten years.",
        ),
        (
            "",
            "[limits]\nmessage = \"-1 MiB\"",
            "f:24: message cannot be \"-1 MiB\"\nHINT:  Write a whole number and a unit: B, KiB, MiB or GiB, for example \"1 MiB\".",
        ),
        (
            "",
            "[limits]\nmessage = \"1 MB\"",
            "f:24: message cannot be \"1 MB\"\nHINT:  MB means different things: write KiB, MiB or GiB.",
        ),
        ("", "[limits]\nstatement = \"2 GiB\"", "f:24: statement must be 1 KiB to 16 MiB"),
        ("", "[limits]\nnesting = 1_000_000_000_000_000_000_000", "f:24: nesting must be 20 to 1000"),
    ]);
    for (text, milliseconds) in
        [("250ms", 250), ("90s", 90_000), (" 60 min ", 3_600_000), ("2 hours", 7_200_000), ("1d", 86_400_000)]
    {
        assert_eq!(quantity::duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
    }
    for (text, bytes) in [("0", 0), ("17", 17), ("3B", 3), ("64 KiB", 65_536), ("1MiB", 1 << 20)] {
        assert_eq!(quantity::size(text), Ok(bytes), "{text}");
    }
}

#[test]
fn trusted_functions_are_qualified_names() {
    for good in ["public.vat", "extension:pg_trgm"] {
        assert_eq!(said("", &format!("[trust]\nfunctions = [\"{good}\"]")), "", "{good}");
    }
    for bad in ["vat", "public.vat(numeric)", "extension:a.b", "public.", "", "a b.c"] {
        let said = said("", &format!("[trust]\nfunctions = [\"{bad}\"]"));
        assert!(said.starts_with(&format!("f:24: functions cannot hold \"{bad}\"\n")), "{bad}: {said}");
    }
}

#[test]
fn no_text_makes_the_reader_panic() {
    for cut in 0..GOOD.len() {
        if GOOD.is_char_boundary(cut) {
            let _ = read(&GOOD[..cut]);
            let _ = read(&GOOD[cut..]);
        }
    }
    for text in [
        "",
        "\0",
        "=",
        "[[[",
        "listen = 1",
        "user = [1]",
        "database = [[]]",
        "label = {}",
        "\u{feff}[listen]",
    ] {
        let _ = read(text).map_err(|problems| problems.to_string());
    }
    assert!(nearest("adress", ["address", "tls"]) == Some("address"));
    assert!(nearest("x", ["y"]).is_none());
}
