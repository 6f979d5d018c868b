//! Finds the specification files and reads them.

use std::{
    env, fs,
    ops::Deref,
    path::{Path, PathBuf},
};

/// The folder that holds one folder per specification.
pub(crate) struct Folder {
    path: PathBuf,
    /// Whether it is the one the project is tested with, rather than one named by the environment.
    pub(crate) is_default: bool,
}

/// One JSON file of a specification.
pub(crate) struct SpecFile {
    /// Path relative to the specification folder, without its extension, with `/` between its parts.
    pub(crate) name: String,
    /// The file's text, for suites that read it as extended JSON.
    pub(crate) text: String,
    /// The file's content.
    pub(crate) json: serde_json::Value,
}

/// The folder named by `MONGO_SPECS`, else the one beside the project; none if there is no such folder.
pub(crate) fn specification_folder() -> Option<Folder> {
    let folder = match env::var_os("MONGO_SPECS") {
        Some(path) => Folder { path: path.into(), is_default: false },
        None => Folder { path: Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/specs"), is_default: true },
    };
    folder.path.is_dir().then_some(folder)
}

/// Every JSON file below `folder`, in the order of their names.
pub(crate) fn files(folder: &Folder) -> Vec<SpecFile> {
    let mut paths = Vec::new();
    collect(&folder.path, &mut paths);
    paths.sort();
    paths.iter().map(|path| read(folder, path)).collect()
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
        let path = entry.unwrap_or_else(|e| panic!("{}: {e}", folder.display())).path();
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "json") {
            paths.push(path);
        }
    }
}

fn read(folder: &Folder, path: &Path) -> SpecFile {
    let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let json = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let relative = path.strip_prefix(&folder.path).unwrap_or(path).with_extension("");
    let parts: Vec<_> = relative.iter().map(|part| part.to_string_lossy()).collect();
    SpecFile { name: parts.join("/"), text, json }
}

impl Deref for Folder {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.path
    }
}
