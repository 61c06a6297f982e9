//! From the click on "Revoke" in the web inbox to the last raw byte of a result that runs.
//!
//! The click is made through WebDriver in a real browser, and the clock starts when it is asked for:
//! what chromedriver takes is in the figure. The browser has the other cores to itself, as an
//! approver's is on another machine.

use pgwarrant_tests::browser::{Browser, ENTER, Screen, TAB};

use crate::contender::{free_port, on_path};
use crate::figure::{Outcome, quantile};
use crate::grants::Office;
use crate::machine;
use crate::report::{Bound, Line, PGWARRANT, Report};
use crate::revocation::Readers;
use crate::settings::{APPROVER, ASKER, Rules, password};
use crate::world::World;

const LINE: &str = "click on Revoke → last raw byte, p99";

pub fn run(world: &mut World, report: &mut Report) -> Outcome<()> {
    if on_path("chromedriver").is_none() {
        report
            .remarks
            .push("chromedriver was not found on the PATH, and so no click was measured".to_owned());
        return Ok(());
    }
    let times = if world.effort.quick { 8 } else { 100 };
    let page = free_port()?;
    let contender = world.ruled("click", Rules { page: Some(page), ..Rules::default() })?;
    let endpoint = world.endpoint(&contender);
    let asker = endpoint.with_user(ASKER, &password(ASKER));
    let mut office = Office::open(&asker, &endpoint.with_user(APPROVER, &password(APPROVER)))?;
    let mut readers = Readers::open(&asker, 1)?;
    machine::unpin()?;
    let browser = Browser::open_trusting(Screen::Desk);
    machine::pin(world.core)?;
    sign_in(&browser, page);
    let mut took = Vec::new();
    for number in 0..times {
        let grant = office.grant("people.email")?;
        browser.until(&format!("{}?.click() ?? {ASKED}", button(&grant)));
        let trial = readers.trial(number, "42501", || {
            browser.run("document.querySelector('dialog button[type=submit]').click()");
            Ok(())
        })?;
        readers.see_masks()?;
        took.push(trial.after_sent);
        browser.until("!document.querySelector('dialog')");
    }
    report.line(Line::new(LINE, "ms").bound(Bound::at_most(PGWARRANT, 50.0)).note(format!(
        "{times} times; p50 {:.1}; a headless Chromium on the other cores",
        quantile(&took, 0.5)
    )));
    report.sample(LINE, PGWARRANT, quantile(&took, 0.99));
    Ok(())
}

fn sign_in(browser: &Browser, page: u16) {
    browser.go(&format!("https://127.0.0.1:{page}/#/grants"));
    browser.until_page("Sign in to pgwarrant");
    browser.until("document.activeElement?.name === 'user'");
    browser.keys(&format!("{APPROVER}{TAB}{}{ENTER}", password(APPROVER)));
    browser.until("document.getElementById('link').dataset.state === 'live'");
}

/// The dialog asks before it is done.
const ASKED: &str = "document.querySelector('dialog button[type=submit]')";

/// On the grant's card in the list.
fn button(grant: &str) -> String {
    format!(
        "document.querySelector('a[href=\"#/grants/{grant}\"]')?.closest('article').querySelector('[data-key=revoke]')"
    )
}
