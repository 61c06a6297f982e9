use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Mutex;
use std::time::Instant;

use super::*;

/// The real rule of a store, in memory; each state goes through its serialised form.
#[derive(Default)]
struct Memory(Mutex<HashMap<String, String>>);

impl Store for Memory {
    type Error = Infallible;

    fn update<R>(
        &self,
        person: &str,
        change: impl FnOnce(&mut Option<Factor>) -> R,
    ) -> Result<R, Infallible> {
        let mut kept = self.0.lock().unwrap();
        let mut factor = kept.get(person).map(|text| serde_json::from_str(text).unwrap());
        let outcome = change(&mut factor);
        match factor {
            Some(factor) => kept.insert(person.to_owned(), serde_json::to_string(&factor).unwrap()),
            None => kept.remove(person),
        };
        Ok(outcome)
    }
}

const RFC: [u8; 20] = *b"12345678901234567890";
/// The beginning of a step.
const BEGIN: u64 = 1_700_000_010;

fn at(unix: u64) -> Now {
    Now { wall: SystemTime::UNIX_EPOCH + Duration::from_secs(unix), steady: Instant::now() }
}

fn code(secret: &Secret, unix: u64) -> String {
    String::from_utf8(secret.code(unix / STEP).to_vec()).unwrap()
}

fn enrolled() -> (Memory, Secret) {
    let store = Memory::default();
    enrol(&store, "ada", "pgwarrant", "ada@shop", at(BEGIN)).unwrap();
    let secret = store.update("ada", |factor| factor.clone().unwrap().secret).unwrap();
    assert!(!is_enrolled(&store, "ada").unwrap());
    confirm(&store, "ada", &code(&secret, BEGIN), at(BEGIN)).unwrap();
    assert!(is_enrolled(&store, "ada").unwrap());
    (store, secret)
}

fn refused(outcome: Result<(), Error<Infallible>>) -> Refused {
    match outcome {
        Err(Error::Refused(refused)) => refused,
        other => panic!("{other:?}"),
    }
}

fn wrong_code(secret: &Secret, unix: u64) -> String {
    let right: Vec<String> = (0..3).map(|step| code(secret, unix - STEP + step * STEP)).collect();
    (0..).map(|number: u32| format!("{number:06}")).find(|code| !right.contains(code)).unwrap()
}

/// RFC 6238, appendix B, its last six digits.
#[test]
fn codes_are_those_of_the_rfc() {
    for (unix, expected) in [
        (59, "287082"),
        (1_111_111_109, "081804"),
        (1_111_111_111, "050471"),
        (1_234_567_890, "005924"),
        (2_000_000_000, "279037"),
        (20_000_000_000, "353130"),
    ] {
        assert_eq!(code(&Secret::of(RFC), unix), expected);
    }
}

#[test]
fn a_secret_is_written_as_apps_read_it() {
    let secret = Secret::of(RFC);
    assert_eq!(secret.base32(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    assert_eq!(
        secret.uri("Shop: privacy", "ada@shop?&/"),
        "otpauth://totp/Shop%3A%20privacy:ada%40shop%3F%26%2F?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Shop%3A%20privacy&algorithm=SHA1&digits=6&period=30"
    );
    assert_ne!(Secret::new().unwrap(), Secret::new().unwrap());
    assert_eq!(format!("{secret:?}"), "Secret(…)");
}

#[test]
fn codes_of_one_step_before_and_after_are_good_and_no_others() {
    for (steps, expected) in
        [(-2, Err(Refused::Wrong)), (-1, Ok(())), (0, Ok(())), (1, Ok(())), (2, Err(Refused::Wrong))]
    {
        let (store, secret) = enrolled();
        let now = BEGIN + 100 * STEP + 17;
        let of = now.checked_add_signed(steps * 30).unwrap();
        let outcome = verify(&store, "ada", &code(&secret, of), at(now));
        assert_eq!(outcome, expected.map_err(Error::Refused), "{steps}");
    }
}

#[test]
fn a_code_is_good_once() {
    let (store, secret) = enrolled();
    assert_eq!(refused(verify(&store, "ada", &code(&secret, BEGIN), at(BEGIN))), Refused::Used);
    let next = BEGIN + STEP;
    verify(&store, "ada", &code(&secret, next), at(BEGIN)).expect("of the next step already");
    assert_eq!(refused(verify(&store, "ada", &code(&secret, next), at(next + STEP))), Refused::Used);
    assert_eq!(
        refused(verify(&store, "ada", &code(&secret, BEGIN), at(next))),
        Refused::Used,
        "an older one"
    );
    // A clock that was set back brings no code back.
    assert_eq!(refused(verify(&store, "ada", &code(&secret, next), at(next))), Refused::Used);
}

#[test]
fn wrong_codes_lock_for_longer_each_time() {
    let (store, secret) = enrolled();
    let mut now = BEGIN + 10 * STEP;
    for _ in 0..FREE_FAILURES {
        assert_eq!(refused(verify(&store, "ada", &wrong_code(&secret, now), at(now))), Refused::Wrong);
    }
    for lock in [30, 60, 120, 240, 480, 960, 1920, 3600, 3600] {
        let until = SystemTime::UNIX_EPOCH + Duration::from_secs(now + lock);
        for early in [0, lock - 1] {
            let right = code(&secret, now + early);
            let outcome = verify(&store, "ada", &right, at(now + early));
            assert_eq!(refused(outcome), Refused::Locked { until });
        }
        now += lock;
        assert_eq!(refused(verify(&store, "ada", &wrong_code(&secret, now), at(now))), Refused::Wrong);
    }
    now += 3600;
    verify(&store, "ada", &code(&secret, now), at(now)).expect("the right one after all");
    now += STEP;
    assert_eq!(refused(verify(&store, "ada", &wrong_code(&secret, now), at(now))), Refused::Wrong);
    verify(&store, "ada", &code(&secret, now), at(now)).expect("one wrong code does not lock");
}

#[test]
fn what_is_no_code_is_told_so_and_not_counted() {
    let (store, secret) = enrolled();
    let now = BEGIN + 10 * STEP;
    for bad in ["", "12345", "1234567", "12345a", "１２３４５６", "-12345", "12 34 5", "123\x00456"] {
        for _ in 0..3 {
            assert_eq!(refused(verify(&store, "ada", bad, at(now))), Refused::Malformed, "{bad:?}");
        }
    }
    let right = code(&secret, now);
    verify(&store, "ada", &format!("{} {}", &right[..3], &right[3..]), at(now)).unwrap();
}

#[test]
fn an_enrolment_counts_once_it_is_confirmed() {
    let store = Memory::default();
    assert_eq!(refused(verify(&store, "ada", "123456", at(BEGIN))), Refused::NotEnrolled);
    enrol(&store, "ada", "pgwarrant", "ada", at(BEGIN)).unwrap();
    let first = store.update("ada", |factor| factor.clone().unwrap().secret).unwrap();
    let late = BEGIN + CONFIRM_WITHIN.as_secs() + 1;
    assert_eq!(refused(verify(&store, "ada", &code(&first, BEGIN), at(BEGIN))), Refused::NotEnrolled);
    assert_eq!(refused(confirm(&store, "ada", &code(&first, late), at(late))), Refused::NotEnrolled);
    // Somebody else's secret, shown before, does not become the person's by it.
    enrol(&store, "ada", "pgwarrant", "ada", at(late)).unwrap();
    let second = store.update("ada", |factor| factor.clone().unwrap().secret).unwrap();
    assert_ne!(first, second);
    assert_eq!(refused(confirm(&store, "ada", &wrong_code(&second, late), at(late))), Refused::Wrong);
    confirm(&store, "ada", &code(&second, late), at(late)).unwrap();
    assert_eq!(refused(confirm(&store, "ada", "123456", at(late))), Refused::Enrolled);
    assert!(matches!(
        enrol(&store, "ada", "pgwarrant", "ada", at(late)),
        Err(Error::Refused(Refused::Enrolled))
    ));
    assert_eq!(refused(verify(&store, "bob", &code(&second, late), at(late))), Refused::NotEnrolled);
    store.update("ada", |factor| *factor = None).unwrap();
    assert_eq!(refused(verify(&store, "ada", &code(&second, late), at(late))), Refused::NotEnrolled);
}

#[test]
fn two_at_the_same_instant_use_a_code_once() {
    let (store, secret) = enrolled();
    let now = BEGIN + 10 * STEP;
    let right = code(&secret, now);
    let accepted = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..4).map(|_| scope.spawn(|| verify(&store, "ada", &right, at(now)).is_ok())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).filter(|accepted| *accepted).count()
    });
    assert_eq!(accepted, 1);
}

/// Another program's codes: an app that was given the secret as a person would type it.
#[test]
fn oathtool_makes_the_same_codes() {
    let store = Memory::default();
    let enrolment = enrol(&store, "ada", "pgwarrant", "ada", at(BEGIN)).unwrap();
    let oathtool = |unix: u64| {
        let output = std::process::Command::new("oathtool")
            .args(["--totp", "--base32", &format!("--now=@{unix}"), &enrolment.secret])
            .output()
            .expect("oathtool must be installed: tests/bin/install tests");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    confirm(&store, "ada", &oathtool(BEGIN), at(BEGIN)).unwrap();
    for later in [STEP, 1_000 * STEP + 29, 1_000_000 * STEP] {
        let now = BEGIN + later;
        assert_eq!(verify(&store, "ada", &oathtool(now), at(now)), Ok(()));
    }
}
