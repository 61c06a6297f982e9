//! The start of a connection.

use pgwarrant_tests::raw::{Event, Frame, PATIENCE, Raw, errors, packet, shapes, startup, tags, text};
use pgwarrant_tests::{Settings, server_port};

use crate::Bench;

const SSL: u32 = 80_877_103;
const GSSENC: u32 = 80_877_104;

fn request(code: u32) -> Vec<u8> {
    packet(&code.to_be_bytes())
}

const ADA: &[(&str, &str)] = &[("user", "ada"), ("database", "shop")];

fn fatal(frames: &[Frame]) -> String {
    let fatal = frames.iter().find(|frame| frame.tag == b'E').expect("an error");
    assert_eq!(fatal.field(b'V'), "FATAL", "{:?}", shapes(frames));
    fatal.field(b'C')
}

#[tokio::test]
async fn encryption_that_there_is_not_is_declined_and_plaintext_goes_on() {
    let bench = Bench::new().await;
    let both = [vec![SSL], vec![GSSENC], vec![GSSENC, SSL], vec![SSL, GSSENC]];
    for requests in both {
        let mut raw = Raw::open(bench.proxy.port);
        for code in &requests {
            raw.send(&request(*code));
            assert_eq!(raw.byte(), Some(b'N'), "{requests:?}");
        }
        raw.send(&startup(3, 0, ADA));
        assert!(tags(&raw.sign_in("ada-demo")).ends_with('Z'), "{requests:?}");
    }
    // Twice the same is no request any more.
    let mut raw = Raw::open(bench.proxy.port);
    raw.send(&[request(SSL), request(SSL)].concat());
    assert_eq!(raw.byte(), Some(b'N'));
    assert_eq!(fatal(&raw.until_closed()), "0A000");
    bench.is_well();
}

#[tokio::test]
async fn the_version_is_negotiated_down_to_what_is_spoken() {
    let bench = Bench::new().await;
    // Asked for 3.minor, with a protocol option or not: told (version, options), and the key's length.
    type Told = Option<(u16, Vec<&'static str>)>;
    let cases: [(u16, Option<&str>, Told, usize); 7] = [
        (0, None, None, 4),
        (2, None, None, 32),
        (1, None, Some((0, vec![])), 4),
        (99, None, Some((2, vec![])), 32),
        (0, Some("_pq_.x"), Some((0, vec!["_pq_.x"])), 4),
        (2, Some("_pq_.x"), Some((2, vec!["_pq_.x"])), 32),
        (9999, Some("_pq_.y"), Some((2, vec!["_pq_.y"])), 32),
    ];
    for (minor, option, told, key) in cases {
        let mut raw = Raw::open(bench.proxy.port);
        let option: Vec<(&str, &str)> = option.iter().map(|name| (*name, "1")).collect();
        raw.send(&startup(3, minor, &[ADA, &option].concat()));
        let frames = raw.sign_in("ada-demo");
        let negotiated = frames.iter().find(|frame| frame.tag == b'v').map(|frame| frame.body.clone());
        let expected = told.as_ref().map(|(minor, options)| {
            let mut body = (3u32 << 16 | u32::from(*minor)).to_be_bytes().to_vec();
            body.extend((options.len() as u32).to_be_bytes());
            body.extend(options.iter().flat_map(|option| text(option)));
            body
        });
        assert_eq!(negotiated, expected, "3.{minor} {option:?}");
        assert_eq!(raw.key.len(), key, "3.{minor}");
        assert!(tags(&frames).ends_with('Z'), "3.{minor} {option:?}: {:?}", shapes(&frames));
    }
    bench.is_well();
}

#[tokio::test]
async fn impossible_starts_are_refused_as_by_postgresql() {
    let bench = Bench::new().await;
    let database = bench.shop.database.as_str();
    let cases = |user: &'static str, database: &str| {
        let named = [("user", user), ("database", database)];
        let whole = startup(3, 0, &named);
        let mut trailing = whole[4..].to_vec();
        trailing.extend(b"x\0");
        let unterminated = &whole[4..whole.len() - 1];
        vec![
            ("no user", startup(3, 0, &[("database", database)])),
            ("an empty user", startup(3, 0, &[("user", ""), ("database", database)])),
            ("protocol 4.0", startup(4, 0, &named)),
            ("protocol 1.0", startup(1, 0, &named)),
            ("protocol 2.0", startup(2, 0, &named)),
            ("no terminator", packet(unterminated)),
            ("bytes behind the terminator", packet(&trailing)),
            ("a length below a header", vec![0, 0, 0, 3]),
            ("a length of nothing", vec![0, 0, 0, 0]),
            ("a negative length", vec![0xff, 0xff, 0xff, 0xff, 0, 3, 0, 0]),
            ("a packet that is too long", [&20_000u32.to_be_bytes()[..], &[0, 3, 0, 0]].concat()),
            ("HTTP", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        ]
    };
    for ((name, bytes), (_, direct)) in cases("ada", "shop").into_iter().zip(cases("shop_app", database)) {
        let ends = |port, bytes: &[u8]| {
            let mut raw = Raw::open(port);
            raw.send(bytes);
            raw.bytes_until_closed()
        };
        let (found, expected) = (ends(bench.proxy.port, &bytes), ends(server_port(), &direct));
        let sqlstate = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            let code = text.split('\0').find_map(|field| field.strip_prefix('C')).map(str::to_owned);
            (bytes.first().copied(), code)
        };
        // Where PostgreSQL hangs up without a word, an error is as good.
        if !expected.is_empty() {
            assert_eq!(sqlstate(&found), sqlstate(&expected), "{name}");
        }
        assert!(!found.contains(&b'R'), "{name}: {}", found.escape_ascii());
    }
    bench.is_well();
}

#[tokio::test]
async fn starts_that_break_off_are_forgotten() {
    let bench = Bench::new().await;
    let whole = startup(3, 0, ADA);
    for length in 0..whole.len() {
        let mut raw = Raw::open(bench.proxy.port);
        raw.send(&whole[..length]);
        raw.end();
        assert_eq!(raw.frame(PATIENCE), Event::Closed, "after {length} bytes");
    }
    bench.is_well();
}

#[tokio::test]
async fn what_the_proxy_does_not_offer_is_refused_by_name() {
    let bench = Bench::new().await;
    type Parameters = &'static [(&'static str, &'static str)];
    let cases: &[(Parameters, &[&str])] = &[
        (&[("user", "ada"), ("database", "shop"), ("replication", "true")], &["0A000"]),
        (&[("user", "ada"), ("database", "shop"), ("replication", "database")], &["0A000"]),
        (&[("user", "ada"), ("database", "nosuch")], &["3D000"]),
        (&[("user", "ada")], &["3D000"]),
        (&[("user", "ada"), ("database", "shop"), ("options", "-c role=postgres")], &["42501"]),
        (&[("user", "ada"), ("database", "shop"), ("nosuch_setting", "1")], &["42704"]),
        (&[("user", "ada"), ("database", "shop"), ("DateStyle", "nosuch")], &["22023"]),
        (&[("user", "ada"), ("database", "shop"), ("user", "petra")], &["08P01"]),
        (&[("user", "ada"), ("database", "shop"), ("replication", "off")], &[]),
    ];
    for (parameters, expected) in cases {
        let mut raw = Raw::open(bench.proxy.port);
        raw.send(&startup(3, 0, parameters));
        let frames = raw.sign_in("ada-demo");
        assert_eq!(errors(&frames), *expected, "{parameters:?}");
        if !expected.is_empty() {
            assert_eq!(fatal(&frames), expected[0]);
            assert_eq!(raw.frame(PATIENCE), Event::Closed);
        }
    }
    bench.is_well();
}

/// Nobody learns from an answer whether a user exists.
#[tokio::test]
async fn a_wrong_password_and_an_unknown_user_look_the_same() {
    let bench = Bench::new().await;
    let attempt = |user: &str, database: &str| {
        let mut raw = Raw::open(bench.proxy.port);
        raw.send(&startup(3, 0, &[("user", user), ("database", database)]));
        let frames = raw.sign_in("wrong");
        assert_eq!(raw.frame(PATIENCE), Event::Closed);
        frames
            .iter()
            .map(|frame| match frame.tag {
                b'E' => String::from_utf8_lossy(&frame.body).replace(user, "USER"),
                // The challenge differs in its nonce and salt, not in its form.
                _ => format!("{} {} bytes", char::from(frame.tag), frame.body.len()),
            })
            .collect::<Vec<_>>()
    };
    let known = attempt("ada", "shop");
    assert!(known.last().is_some_and(|error| error.contains("C28P01\0")), "{known:?}");
    for user in ["eve", "adb", "postgres", "shop_app", "x'; --", "ADA"] {
        assert_eq!(attempt(user, "shop"), known, "{user}");
        assert_eq!(attempt(user, "nosuch"), known, "{user}: and nobody learns of databases");
    }
    bench.is_well();
}

#[tokio::test]
async fn authentication_that_is_not_as_agreed_ends() {
    let bench = Bench::new().await;
    use pgwarrant_tests::raw::{message, query};
    let initial = |mechanism: &str, length: i32, response: &[u8]| {
        message(b'p', &[&text(mechanism)[..], &length.to_be_bytes(), response].concat())
    };
    let first = b"n,,n=,r=abcdefghijklmnop";
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("a query instead of a password", query("SELECT 1")),
        ("a password in clear", message(b'p', b"ada-demo\0")),
        ("another mechanism", initial("PLAIN", 3, b"\0a\0")),
        ("channel binding without TLS", initial("SCRAM-SHA-256-PLUS", first.len() as i32, first)),
        ("a length beyond the message", initial("SCRAM-SHA-256", 1 << 30, first)),
        ("a negative length", initial("SCRAM-SHA-256", -2, first)),
        ("an empty first message", initial("SCRAM-SHA-256", 0, b"")),
        ("not SCRAM", initial("SCRAM-SHA-256", 4, b"\xff\xfe,,")),
        ("another user within", initial("SCRAM-SHA-256", 31, b"n,a=petra,n=petra,r=abcdefghijkl")),
        ("nothing", message(b'p', b"")),
        ("a message that is too long", [&b"p"[..], &100_000_000u32.to_be_bytes()].concat()),
        ("a length of nothing", b"p\0\0\0\0".to_vec()),
    ];
    for (name, bytes) in cases {
        let mut raw = Raw::open(bench.proxy.port);
        raw.send(&startup(3, 0, ADA));
        assert_eq!(tags(&raw.until(b'R', 1)), "R");
        raw.send(&bytes);
        raw.end();
        let frames = raw.until_closed();
        assert!(!tags(&frames).contains('Z'), "{name}: {:?}", shapes(&frames));
        assert!(frames.iter().all(|frame| frame.tag != b'E' || frame.field(b'V') == "FATAL"), "{name}");
    }
    bench.is_well();
}

#[tokio::test]
async fn a_user_has_so_many_connections_and_no_more() {
    let settings = Settings {
        replace: vec![("connections_per_user = 100".to_owned(), "connections_per_user = 3".to_owned())],
        ..Settings::default()
    };
    let bench = Bench::with(&settings).await;
    let mut held: Vec<Raw> = (0..3).map(|_| bench.connect()).collect();
    let attempt = || {
        let mut raw = Raw::open(bench.proxy.port);
        raw.send(&startup(3, 0, ADA));
        errors(&raw.sign_in("ada-demo"))
    };
    assert_eq!(attempt(), ["53300"]);
    // Others may, and whoever is turned away takes no place.
    bench.connect_as("ben", 0, &[]);
    assert_eq!(attempt(), ["53300"]);
    let mut ended = held.pop().expect("a connection");
    ended.send(&pgwarrant_tests::raw::message(b'X', b""));
    assert_eq!(ended.frame(PATIENCE), Event::Closed);
    for tries in 0.. {
        let errors = attempt();
        if errors.is_empty() {
            break;
        }
        assert!(tries < 100, "a place that was given up stays taken: {errors:?}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    for raw in &mut held {
        assert_eq!(errors(&raw.query("SELECT 1")), [""; 0]);
    }
    drop(held);
    assert!(!bench.proxy.log().contains("panicked"));
}

#[tokio::test]
async fn a_start_that_takes_too_long_ends() {
    let settings = Settings {
        replace: vec![("startup_timeout = \"10 s\"".to_owned(), "startup_timeout = \"1 s\"".to_owned())],
        ..Settings::default()
    };
    let bench = Bench::with(&settings).await;
    let mut silent = Raw::open(bench.proxy.port);
    let mut half = Raw::open(bench.proxy.port);
    half.send(&startup(3, 0, ADA)[..9]);
    let mut unsigned = Raw::open(bench.proxy.port);
    unsigned.send(&startup(3, 0, ADA));
    for raw in [&mut silent, &mut half, &mut unsigned] {
        raw.until_closed();
    }
    bench.is_well();
}
