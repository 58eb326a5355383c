//! The service manager that started the program, if one did: it is told when the program is ready, how it is and that it stops, by
//! the protocol of systemd (`sd_notify(3)`): one datagram of lines `NAME=value` to the socket that `NOTIFY_SOCKET` names.

use std::{
    ffi::{OsStr, OsString},
    io,
    time::Duration,
};

#[cfg(unix)]
type Socket = std::os::unix::net::UnixDatagram;
/// Stands in where there is no service manager of this kind, and is never made.
#[cfg(not(unix))]
type Socket = std::net::UdpSocket;

/// The service manager, or nobody.
#[derive(Debug)]
pub(crate) struct ServiceManager {
    socket: Option<Socket>,
    every: Option<Duration>,
}

impl ServiceManager {
    /// The one that the environment names. One that cannot be reached is told of in the log, and is nobody.
    pub(crate) fn from_environment() -> Self {
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let socket = variable("NOTIFY_SOCKET").and_then(|name| {
            let failed = |error: &io::Error| {
                tracing::warn!(%error, socket = ?name, "the service manager cannot be told anything");
            };
            connect(&name).inspect_err(failed).ok()
        });
        let (patience, whose) = (variable("WATCHDOG_USEC"), variable("WATCHDOG_PID"));
        Self { socket, every: watchdog(patience, whose, std::process::id()) }
    }

    /// Whether there is one.
    pub(crate) fn is_there(&self) -> bool {
        self.socket.is_some()
    }

    /// How often it has to hear that the program is alive, if it watches: twice within its patience.
    pub(crate) fn wants_to_hear_every(&self) -> Option<Duration> {
        self.every
    }

    /// The program is at work.
    pub(crate) fn ready(&self, status: &str) {
        self.tell(&format!("READY=1\nSTATUS={}\n", one_line(status)));
        self.alive();
    }

    /// What it is doing, for people.
    pub(crate) fn status(&self, status: &str) {
        self.tell(&format!("STATUS={}\n", one_line(status)));
    }

    /// It is alive, and well.
    pub(crate) fn alive(&self) {
        if self.every.is_some() {
            self.tell("WATCHDOG=1\n");
        }
    }

    /// It begins to end.
    pub(crate) fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=stopping; runs finish what they hold\n");
    }

    fn tell(&self, lines: &str) {
        let Some(socket) = &self.socket else { return };
        if let Err(error) = socket.send(lines.as_bytes()) {
            tracing::warn!(%error, "the service manager could not be told something");
        }
    }
}

fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

/// A socket to a path, or (`@`) to a name of Linux's abstract namespace.
#[cfg(unix)]
fn connect(name: &OsStr) -> io::Result<Socket> {
    let socket = Socket::unbound()?;
    // One that does not read must not hold up the program.
    socket.set_nonblocking(true)?;
    #[cfg(target_os = "linux")]
    if let Some(name) = std::os::unix::ffi::OsStrExt::as_bytes(name).strip_prefix(b"@") {
        use std::os::{linux::net::SocketAddrExt, unix::net::SocketAddr};
        socket.connect_addr(&SocketAddr::from_abstract_name(name)?)?;
        return Ok(socket);
    }
    socket.connect(name)?;
    Ok(socket)
}

#[cfg(not(unix))]
fn connect(_name: &OsStr) -> io::Result<Socket> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Half of the service manager's patience, in microseconds, if it is this process that it watches.
fn watchdog(patience: Option<OsString>, whose: Option<OsString>, own: u32) -> Option<Duration> {
    let number = |text: OsString| text.to_str()?.parse::<u64>().ok();
    if whose.is_some_and(|whose| number(whose) != Some(own.into())) {
        return None;
    }
    let patience = number(patience?).filter(|patience| *patience > 0)?;
    Some(Duration::from_micros(patience) / 2)
}

#[cfg(all(test, unix))]
mod tests {
    use std::time::Duration;

    use super::watchdog;

    #[test]
    fn the_watchdog_hears_twice_within_its_patience_if_it_is_this_process_that_it_watches() {
        for (patience, whose, every) in [
            (Some("60000000"), None, Some(Duration::from_secs(30))),
            (Some("60000000"), Some("7"), Some(Duration::from_secs(30))),
            (Some("60000000"), Some("8"), None),
            (Some("0"), None, None),
            (Some("soon"), None, None),
            (None, Some("7"), None),
        ] {
            let found = watchdog(patience.map(Into::into), whose.map(Into::into), 7);
            assert_eq!(found, every, "{patience:?} {whose:?}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_socket_without_a_path_is_reached_too() {
        use std::os::{
            linux::net::SocketAddrExt,
            unix::net::{SocketAddr, UnixDatagram},
        };
        let name = format!("charon-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("a name");
        let manager = UnixDatagram::bind_addr(&address).expect("a socket");
        manager.set_read_timeout(Some(Duration::from_secs(10))).expect("a limit");
        let socket = super::connect(format!("@{name}").as_ref()).expect("connected");
        let program = super::ServiceManager { socket: Some(socket), every: None };
        program.status("two\nlines");
        let mut heard = [0; 64];
        let length = manager.recv(&mut heard).expect("a datagram");
        assert_eq!(&heard[..length], b"STATUS=two lines\n");
    }
}
