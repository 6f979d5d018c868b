//! Servers and directories watched by a shell.

use std::{
    any::Any,
    ffi::OsString,
    io,
    path::Path,
    process::{Child, Command, Stdio},
    sync::Mutex,
};

use rustix::process::{Pid, kill_process};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::ChildStdin,
    sync::watch,
};

use super::Signal;
use crate::background;

/// Starts a server, writes its process id, and at last its exit status. A subshell waits for the
/// pipe to close and then kills the server. The server itself does not get hold of the pipe.
const WATCH_SERVER: &str = r#"
log=$1; shift
exec 3<&0
"$@" </dev/null >>"$log" 2>&1 3<&- &
server=$!
{ read -r _ <&3; kill -KILL "$server"; } >/dev/null 2>&1 &
guard=$!
exec 3<&-
echo "$server"
wait "$server"
status=$?
kill -KILL "$guard"
echo "$status"
"#;

/// Removes a directory once the pipe closes; servers that are just being killed may still write to it for a moment.
const WATCH_DIRECTORY: &str = r#"
read -r _
tries=0
while [ -e "$1" ] && [ "$tries" -lt 200 ]; do
  rm -rf "$1"
  tries=$((tries + 1))
  [ -e "$1" ] && sleep 0.05
done
"#;

/// A running, or ended, server process. Dropping it kills the server.
#[derive(Debug)]
pub(crate) struct ServerProcess {
    pid: Pid,
    /// The pipe whose end the shell waits for.
    _lifeline: ChildStdin,
    status: watch::Receiver<Option<i32>>,
}

impl ServerProcess {
    /// Starts `program` with its output appended to the file `log`. Must be called on the kit's runtime.
    pub(crate) async fn spawn(program: &Path, arguments: &[OsString], log: &Path) -> io::Result<Self> {
        let mut shell = tokio::process::Command::new("sh")
            .args(["-c", WATCH_SERVER, "mongo-testkit-watch"])
            .arg(log)
            .arg(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0) // so that Ctrl-C reaches the test process alone, and the shell can clean up after it
            .spawn()?;
        let missing = || io::Error::other("the shell has no pipes");
        let lifeline = shell.stdin.take().ok_or_else(missing)?;
        let mut reports = BufReader::new(shell.stdout.take().ok_or_else(missing)?).lines();
        let first = reports.next_line().await?.unwrap_or_default();
        let pid = first.trim().parse().ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| io::Error::other(format!("the shell reported {first:?} for a process id")))?;
        let (report, status) = watch::channel(None);
        background::spawn(async move {
            let last = reports.next_line().await.ok().flatten();
            // Without a report the shell was killed, and the server is of no more use.
            report.send_replace(Some(last.and_then(|text| text.trim().parse().ok()).unwrap_or(-1)));
            let _ = shell.wait().await;
        });
        Ok(Self { pid, _lifeline: lifeline, status })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().cast_unsigned()
    }

    /// The exit status as a shell reports it (128 and more for a signal); none while it runs.
    pub(crate) fn exit_status(&self) -> Option<i32> {
        *self.status.borrow()
    }

    /// Whether [`Signal::Stop`] has taken effect on all threads, which takes a moment.
    pub(crate) fn is_frozen(&self) -> bool {
        let Ok(threads) = std::fs::read_dir(format!("/proc/{}/task", self.pid())) else {
            return self.is_frozen_by_ps();
        };
        let is_frozen = |thread: io::Result<std::fs::DirEntry>| {
            let stat = thread.and_then(|thread| std::fs::read_to_string(thread.path().join("stat")));
            // The state follows the name, which is in parentheses. A thread that has just ended does no harm.
            stat.map_or(true, |stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with(['T', 't'])))
        };
        threads.into_iter().all(is_frozen)
    }

    /// The same where there is no `/proc`.
    fn is_frozen_by_ps(&self) -> bool {
        let output = Command::new("ps").args(["-o", "stat=", "-p", &self.pid().to_string()]).output();
        output.is_ok_and(|output| output.stdout.trim_ascii().starts_with(b"T"))
    }

    /// Waits for the end of the server.
    pub(crate) async fn exited(&self) -> i32 {
        let mut status = self.status.clone();
        match status.wait_for(Option::is_some).await {
            Ok(status) => status.unwrap_or(-1),
            Err(_) => -1,
        }
    }

    /// Sends a signal; nothing happens when the server has ended.
    pub(crate) fn signal(&self, signal: Signal) -> io::Result<()> {
        if self.exit_status().is_some() {
            return Ok(());
        }
        let signal = match signal {
            Signal::Terminate => rustix::process::Signal::TERM,
            Signal::Kill => rustix::process::Signal::KILL,
            Signal::Stop => rustix::process::Signal::STOP,
            Signal::Continue => rustix::process::Signal::CONT,
        };
        match kill_process(self.pid, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        let _ = self.signal(Signal::Kill);
    }
}

/// Lets the shell go and collects it, so that no zombie stays.
#[derive(Debug)]
struct DirectoryWatch(Mutex<Child>);

impl Drop for DirectoryWatch {
    fn drop(&mut self) {
        let Ok(child) = self.0.get_mut() else { return };
        drop(child.stdin.take());
        let _ = child.wait();
    }
}

/// Has a shell remove `path` when the value returned is dropped, which waits for it, or the process ends.
pub(crate) fn watched_directory(path: &Path) -> io::Result<Box<dyn Any + Send + Sync>> {
    use std::os::unix::process::CommandExt;
    let child = Command::new("sh")
        .args(["-c", WATCH_DIRECTORY, "mongo-testkit-watch"])
        .arg(path)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()?;
    Ok(Box::new(DirectoryWatch(Mutex::new(child))))
}
