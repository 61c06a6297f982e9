//! Proves: `pgwarrant demo` does what it prints, word for word, and leaves nothing behind.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use pgwarrant_tests::{binary, free_port, workspace};

#[test]
fn the_printed_lines_work_as_printed_and_ctrl_c_leaves_nothing_behind() {
    let directory = tempfile::Builder::new().prefix("pgw-demo-").tempdir().expect("a temporary directory");
    make_readable(directory.path());
    let config = directory.path().join("proxy.toml");
    let text = fs::read_to_string(workspace().join("proxy.toml")).expect("proxy.toml");
    let (proxy_port, server_port) = (free_port(), free_port());
    let text = text
        .replace("127.0.0.1:6432", &format!("127.0.0.1:{proxy_port}"))
        .replace("127.0.0.1:55432", &format!("127.0.0.1:{server_port}"));
    fs::write(&config, text).expect("a configuration");
    let temporary = directory.path().join("t");
    fs::create_dir(&temporary).expect("a directory");
    make_readable(&temporary);

    let mut demo = Command::new(binary())
        .arg("demo")
        .arg("--config")
        .arg(&config)
        .current_dir(directory.path())
        .env("TMPDIR", &temporary)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("the demo starts");
    let mut lines = BufReader::new(demo.stdout.take().expect("a pipe")).lines();
    let (mut commands, mut pages) = (Vec::new(), None);
    for line in lines.by_ref() {
        let line = line.expect("text");
        if line.trim_start().starts_with("psql ") {
            commands.push(line.trim_start().to_owned());
        }
        if let Some((_, address)) = line.split_once("in a browser: http://") {
            pages = address.split_once(' ').map(|(address, _)| address.to_owned());
        }
        if line.contains("Ctrl-C") {
            break;
        }
    }
    let drain = std::thread::spawn(move || lines.count());
    // Not if something else has the port.
    let page = pages.map(|address| shell(&format!("curl -s -i http://{address}/")));
    let outputs: Vec<(String, String)> =
        commands.iter().map(|command| (command.clone(), shell(command))).collect();
    let expected: &[(&str, &[&str], &[&str])] = &[
        ("ada", &["42", "NOTICE", "masked", "pgwarrant.request("], &["@example"]),
        ("ada", &["(0 rows)"], &["@example"]),
        ("ada", &["ERROR", "blood", "pgwarrant.request("], &["Employee 1"]),
        ("ada", &["pending"], &[]),
        ("ada", &["ERROR"], &["approved by"]),
        ("petra", &["id = 42", "ticket 4711", "approved"], &[]),
        ("ada", &["42@example"], &["41@example"]),
        ("ada", &["released"], &["@example"]),
        ("aud", &["public.customers.email", "SELECT"], &["@example"]),
    ];
    let transcript: String =
        outputs.iter().map(|(command, output)| format!("$ {command}\n{output}\n")).collect();
    assert_eq!(outputs.len(), expected.len(), "{transcript}");
    for ((command, output), (user, present, absent)) in outputs.iter().zip(expected) {
        assert!(command.contains(&format!("user={user} ")), "{command}\n{transcript}");
        for text in *present {
            assert!(output.contains(text), "{text:?} is missing after {command}\n{transcript}");
        }
        for text in *absent {
            assert!(!output.contains(text), "{text:?} is there after {command}\n{transcript}");
        }
    }

    if let Some(page) = page {
        assert!(page.starts_with("HTTP/1.1 200") && page.contains("<title>pgwarrant"), "{page}");
    }

    let interrupted = Command::new("kill").args(["-INT", &demo.id().to_string()]).status();
    assert!(interrupted.expect("kill runs").success());
    let status = demo.wait().expect("the demo ends");
    let _ = drain.join();
    assert!(status.success(), "{status}");
    let left: Vec<_> =
        fs::read_dir(&temporary).expect("a directory").flatten().map(|entry| entry.path()).collect();
    assert!(left.is_empty(), "left behind: {left:?}");
    let left: Vec<_> = fs::read_dir(directory.path())
        .expect("a directory")
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name != "proxy.toml" && name != "t")
        .collect();
    assert!(left.is_empty(), "left behind: {left:?}");
    assert!(std::net::TcpListener::bind(("127.0.0.1", server_port)).is_ok(), "the server still listens");
}

#[test]
fn it_refuses_to_be_exposed_beyond_loopback() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let config = directory.path().join("proxy.toml");
    let text = fs::read_to_string(workspace().join("proxy.toml")).expect("proxy.toml");
    let exposed = text
        .replace("127.0.0.1:6432", "0.0.0.0:6432")
        .replace("plaintext = \"loopback\"", "plaintext = \"always\"");
    fs::write(&config, exposed).expect("a configuration");
    let output =
        Command::new(binary()).arg("demo").arg("--config").arg(&config).output().expect("the demo runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(said.contains("loopback"), "{said}");
}

/// The server runs as another user when this is root, and must be able to walk through.
fn make_readable(directory: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(directory, fs::Permissions::from_mode(0o777)).expect("permissions");
}

fn shell(command: &str) -> String {
    let output = Command::new("sh").args(["-c", &format!("{command} 2>&1")]).output().expect("a shell");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
