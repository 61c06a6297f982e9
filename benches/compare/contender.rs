//! What stands between the clients and PostgreSQL: one process each, on a port of its own.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::figure::Outcome;
use crate::report::{DIRECT, HAPROXY, PGBOUNCER, PGCAT, PGDOG, PGWARRANT, SPLICE};
use crate::settings::{self, Place, Rules};

/// Longer than any of them takes to start.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running contender, ended with the value.
pub struct Contender {
    pub name: &'static str,
    /// What it says of itself.
    pub version: String,
    pub port: u16,
    /// Its process; none of `direct`.
    child: Option<Child>,
    log: PathBuf,
}

impl Contender {
    /// PostgreSQL itself.
    pub fn direct(port: u16, version: String) -> Contender {
        Contender { name: DIRECT, version, port, child: None, log: PathBuf::new() }
    }

    /// The processes whose processor time is the contender's; none of `direct`.
    pub fn pids(&self) -> Vec<u32> {
        self.child.iter().map(Child::id).collect()
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// With SIGTERM: a program that was built to count what it does writes that down when it ends.
    fn end(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = Command::new("kill").arg(child.id().to_string()).status();
            let deadline = Instant::now() + PATIENCE;
            while matches!(child.try_wait(), Ok(None)) && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(5));
            }
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Contender {
    fn drop(&mut self) {
        self.end();
    }
}

/// How a contender is run.
struct Recipe {
    name: &'static str,
    version: String,
    command: Command,
}

/// Starts a contender by name; nothing where its program is not installed.
///
/// `directory` is where it may keep its files, `upstream` PostgreSQL's port.
pub fn start(
    name: &'static str,
    directory: &Path,
    upstream: u16,
    verifiers: &[(String, String)],
    rules: Rules<'_>,
) -> Outcome<Option<Contender>> {
    let directory = directory.join(name);
    fs::create_dir_all(&directory)?;
    let place = Place { directory: &directory, port: free_port()?, upstream, verifiers, rules };
    let Some(recipe) = recipe(name, &place)? else { return Ok(None) };
    launch(recipe, &place).map(Some)
}

fn recipe(name: &'static str, place: &Place<'_>) -> Outcome<Option<Recipe>> {
    let file = |file: &str| place.directory.join(file);
    let Some(program) = find(name)? else { return Ok(None) };
    let mut command = Command::new(&program);
    let version = match name {
        SPLICE => {
            command.args(["splice", "--listen", &format!("127.0.0.1:{}", place.port)]);
            command.args(["--upstream", &format!("127.0.0.1:{}", place.upstream)]);
            "of this program".to_owned()
        }
        HAPROXY => {
            fs::write(file("haproxy.cfg"), settings::haproxy(place))?;
            command.arg("-db").arg("-f").arg(file("haproxy.cfg"));
            first_line(&program, "-v")
        }
        PGBOUNCER => {
            fs::write(file("pgbouncer.ini"), settings::pgbouncer(place))?;
            fs::write(file("userlist.txt"), settings::userlist(place))?;
            // It does not run as root, and reads its files as whoever it becomes.
            if is_root()? {
                command.args(["-u", "nobody"]);
            }
            command.arg(file("pgbouncer.ini"));
            first_line(&program, "--version")
        }
        PGCAT => {
            fs::write(file("pgcat.toml"), settings::pgcat(place))?;
            command.arg(file("pgcat.toml"));
            first_line(&program, "--version")
        }
        PGDOG => {
            fs::write(file("pgdog.toml"), settings::pgdog(place))?;
            fs::write(file("users.toml"), settings::pgdog_users())?;
            command.arg("--config").arg(file("pgdog.toml")).arg("--users").arg(file("users.toml"));
            first_line(&program, "--version")
        }
        _ => {
            certificate(place.directory)?;
            fs::write(file("proxy.toml"), settings::pgwarrant(place))?;
            fs::write(file(settings::POLICIES), place.rules.policies)?;
            command.arg("serve").arg("--config").arg(file("proxy.toml"));
            first_line(&program, "--version")
        }
    };
    Ok(Some(Recipe { name, version, command }))
}

fn launch(recipe: Recipe, place: &Place<'_>) -> Outcome<Contender> {
    let Recipe { name, version, mut command } = recipe;
    let log = place.directory.join("log");
    let output = fs::File::create(&log)?;
    let child = command
        .current_dir(place.directory)
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .spawn()
        .map_err(|error| format!("could not start {name}: {error}"))?;
    let mut contender = Contender { name, version, port: place.port, child: Some(child), log };
    let deadline = Instant::now() + PATIENCE;
    while TcpStream::connect(("127.0.0.1", contender.port)).is_err() {
        let ended = contender.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
        if ended.is_some() || Instant::now() > deadline {
            return Err(format!("{name} does not listen:\n{}", contender.log()).into());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(contender)
}

/// Where a contender's program is: what its environment variable says (PGWARRANT, PGCAT, …), beside
/// this program, or on the PATH.
pub fn find(name: &str) -> Outcome<Option<PathBuf>> {
    let own = std::env::current_exe()?;
    if name == SPLICE {
        return Ok(Some(own));
    }
    if let Some(path) = std::env::var_os(name.to_uppercase()) {
        let path = PathBuf::from(path);
        return match path.is_file() {
            true => Ok(Some(path)),
            false => Err(format!("{} is no file", path.display()).into()),
        };
    }
    if name == PGWARRANT {
        let beside = own.with_file_name(PGWARRANT);
        return match beside.is_file() {
            true => Ok(Some(beside)),
            false => Err(format!("{} does not exist; run \"make bench\"", beside.display()).into()),
        };
    }
    Ok(on_path(name))
}

/// A program on the PATH, or where Debian keeps servers.
pub fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    directories.map(|directory| directory.join(name)).find(|program| program.is_file())
}

/// A port that was free a moment ago.
pub fn free_port() -> Outcome<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

fn first_line(program: &Path, flag: &str) -> String {
    let output = Command::new(program).arg(flag).stdin(Stdio::null()).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().next().unwrap_or("unknown version").to_owned()
}

fn is_root() -> Outcome<bool> {
    use std::os::unix::fs::MetadataExt;
    Ok(fs::metadata("/proc/self")?.uid() == 0)
}

/// A certificate for `localhost` that nobody has signed.
pub fn certificate(directory: &Path) -> Outcome<()> {
    use std::os::unix::fs::PermissionsExt;
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    fs::write(directory.join("server.crt"), made.cert.pem())?;
    let key = directory.join("server.key");
    fs::write(&key, made.signing_key.serialize_pem())?;
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600))?;
    Ok(())
}
