//! A real browser, driven through chromedriver. W3C WebDriver is JSON over HTTP; the dozen calls that
//! are needed are here, where a client library would bring forty crates.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::free_port;

/// Code points of keys, from WebDriver, section 17.4.2.
pub const TAB: &str = "\u{E004}";
pub const ENTER: &str = "\u{E007}";
pub const ESCAPE: &str = "\u{E00C}";

/// The member that an element is known by, from WebDriver, section 12.1.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// For the machine that is slow; what is waited for is there at once.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Screen {
    Phone,
    Desk,
}

/// A window with cookies of its own, closed with the test.
pub struct Browser {
    driver: Child,
    port: u16,
    session: String,
}

impl Browser {
    pub fn open(screen: Screen) -> Browser {
        Browser::made(screen, false)
    }

    /// Which takes any certificate.
    pub fn open_trusting(screen: Screen) -> Browser {
        Browser::made(screen, true)
    }

    fn made(screen: Screen, trusting: bool) -> Browser {
        let port = free_port();
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver starts: install it with `tests/bin/install tests`");
        let mut browser = Browser { driver, port, session: String::new() };
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "chromedriver does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        let mut arguments =
            vec!["--headless=new", "--window-size=1280,800", "--disable-dev-shm-usage", "--lang=en"];
        if is_root() {
            // Chromium's sandbox cannot be made by root.
            arguments.push("--no-sandbox");
        }
        let mut options = json!({ "args": arguments });
        if screen == Screen::Phone {
            options["mobileEmulation"] =
                json!({ "deviceMetrics": { "width": 360, "height": 740, "pixelRatio": 2.0, "touch": true } });
        }
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "acceptInsecureCerts": trusting,
            "goog:loggingPrefs": { "browser": "ALL" },
            "goog:chromeOptions": options,
        } } });
        let made = browser.call("POST", "/session", &wanted);
        browser.session = format!("/session/{}", made["sessionId"].as_str().expect("a session"));
        browser
    }

    pub fn go(&self, url: &str) {
        self.post("/url", &json!({ "url": url }));
    }

    /// The value that a function's body returns, or what its promise comes to.
    pub fn run(&self, body: &str) -> Value {
        self.post("/execute/sync", &json!({ "script": body, "args": [] }))
    }

    /// Waits until an expression is true.
    pub fn until(&self, expression: &str) {
        let deadline = Instant::now() + PATIENCE;
        while self.run(&format!("return Boolean({expression})")) != json!(true) {
            assert!(Instant::now() < deadline, "{expression} does not come true on\n{}", self.text("body"));
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until the page's main part says so.
    pub fn until_said(&self, text: &str) {
        self.until(&format!("document.getElementById('main').textContent.includes({})", json!(text)));
    }

    /// Waits until the page with this heading is shown.
    pub fn until_page(&self, heading: &str) {
        self.until(&format!("document.querySelector('h1')?.textContent === {}", json!(heading)));
    }

    pub fn text(&self, selector: &str) -> String {
        let text = self.run(&format!("return document.querySelector({})?.innerText ?? ''", json!(selector)));
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Presses and releases one key after another.
    pub fn keys(&self, keys: &str) {
        let strokes: Vec<Value> = keys
            .chars()
            .flat_map(|key| {
                ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key.to_string() }))
            })
            .collect();
        let actions = json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": strokes }] });
        self.post("/actions", &actions);
    }

    /// Presses Tab until what has the focus has a name that begins so, as a screen reader says it.
    pub fn tab_to(&self, name: &str) {
        self.tab_to_where(|found| found.starts_with(name));
    }

    /// Presses Tab until what has the focus has such a name.
    pub fn tab_to_where(&self, wanted: impl Fn(&str) -> bool) {
        let mut passed = Vec::new();
        for _ in 0..150 {
            self.keys(TAB);
            let label = self.focused();
            if wanted(&label) {
                return;
            }
            passed.push(label);
        }
        panic!("Tab leads only to {passed:?}");
    }

    /// The name of what has the focus.
    pub fn focused(&self) -> String {
        let active = self.call("GET", &format!("{}/element/active", self.session), &Value::Null);
        let id = active[ELEMENT].as_str().expect("an element");
        let label = self.call("GET", &format!("{}/element/{id}/computedlabel", self.session), &Value::Null);
        label.as_str().unwrap_or_default().to_owned()
    }

    /// A method of the Chrome DevTools Protocol.
    pub fn devtools(&self, method: &str, parameters: &Value) -> Value {
        self.post("/goog/cdp/execute", &json!({ "cmd": method, "params": parameters }))
    }

    /// What the console has got since the last call: exceptions, errors, violations of the policy. That
    /// a call was refused is the page's to show.
    pub fn complaints(&self) -> Vec<String> {
        let log = self.post("/se/log", &json!({ "type": "browser" }));
        let entries = log.as_array().cloned().unwrap_or_default();
        let complaint = |entry: &&Value| {
            entry["source"] != "network" && (entry["level"] == "SEVERE" || entry["level"] == "WARNING")
        };
        entries.iter().filter(complaint).map(|entry| entry["message"].to_string()).collect()
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        self.call("POST", &format!("{}{path}", self.session), body)
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let answer = exchange(self.port, method, path, body).expect("chromedriver answers");
        let value = answer["value"].clone();
        assert!(value["error"].is_null(), "{method} {path}: {value}");
        value
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It ends the browser, which would outlive chromedriver.
        if !self.session.is_empty() {
            let _ = exchange(self.port, "DELETE", &self.session, &Value::Null);
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

fn exchange(port: u16, method: &str, path: &str, body: &Value) -> std::io::Result<Value> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(120)))?;
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let length = body.len();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n");
    let typed = format!("Content-Type: application/json; charset=utf-8\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all(format!("{head}{typed}{body}").as_bytes())?;
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut answer = vec![0; length];
    reader.read_exact(&mut answer)?;
    Ok(serde_json::from_slice(&answer)?)
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().expect("id runs");
    String::from_utf8_lossy(&id.stdout).trim() == "0"
}
