//! The repository's sources and manifests, read plainly: enough for rules about names.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A file, by its path from the repository's root.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// A crate.
pub(crate) struct Manifest {
    pub(crate) folder: String,
    pub(crate) name: String,
    pub(crate) dependencies: BTreeSet<String>,
    pub(crate) dev_dependencies: BTreeSet<String>,
    pub(crate) text: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A file of the repository.
pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Whether a file or folder of the repository is there.
pub(crate) fn exists(path: &str) -> bool {
    root().join(path).exists()
}

/// Every page: those at the root, and those below `docs`.
pub(crate) fn pages() -> Vec<Source> {
    let mut paths = Vec::new();
    walk("docs", &[".md"], &mut paths);
    for entry in fs::read_dir(root()).unwrap() {
        paths.push(entry.unwrap().file_name().into_string().unwrap());
    }
    paths.retain(|path| Path::new(path).extension().is_some_and(|extension| extension == "md"));
    paths.sort();
    paths.into_iter().map(|path| Source { text: read(&path), path }).collect()
}

/// Every Rust and Python file below these folders, in order.
pub(crate) fn sources(folders: &[&str]) -> Vec<Source> {
    let mut paths = Vec::new();
    for folder in folders {
        walk(folder, &[".rs", ".py"], &mut paths);
    }
    assert!(!paths.is_empty(), "nothing lies in {folders:?}");
    paths.sort();
    paths.into_iter().map(|path| Source { text: read(&path), path }).collect()
}

fn walk(folder: &str, ends: &[&str], paths: &mut Vec<String>) {
    let entries = fs::read_dir(root().join(folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
    for entry in entries {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let path = format!("{folder}/{name}");
        if entry.file_type().unwrap().is_dir() {
            if !name.starts_with('.') && name != "target" && name != "__pycache__" {
                walk(&path, ends, paths);
            }
        } else if ends.iter().any(|end| name.ends_with(end)) {
            paths.push(path);
        }
    }
}

impl Source {
    pub(crate) fn is_rust(&self) -> bool {
        Path::new(&self.path).extension().is_some_and(|extension| extension == "rs")
    }

    /// Whether the file is part of what is deployed.
    pub(crate) fn is_production(&self) -> bool {
        self.path.contains("/src/") && !self.path.starts_with("shared/testing/")
    }

    /// What is compiled into a function: no comments, and nothing from the unit tests on.
    pub(crate) fn code(&self) -> String {
        let code = self.text.split("#[cfg(test)]").next().unwrap_or_default();
        let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Whether the code holds a word, be it a part of a path.
    pub(crate) fn mentions(&self, word: &str) -> bool {
        let code = self.code();
        let part_of_a_name = |character: char| character.is_alphanumeric() || character == '_';
        code.match_indices(word).any(|(at, _)| !code[..at].ends_with(part_of_a_name))
    }

    /// Those of our crates that the code names.
    pub(crate) fn used_of_ours(&self) -> BTreeSet<String> {
        let code = self.code();
        let names = code.split("recoup_").skip(1);
        names.map(|rest| rest.chars().take_while(char::is_ascii_alphanumeric).collect()).collect()
    }
}

/// Every crate of which functions are made.
pub(crate) fn crates() -> Vec<Manifest> {
    let mut found = Vec::new();
    for parent in ["functions", "shared"] {
        for entry in fs::read_dir(root().join(parent)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let folder = format!("{parent}/{name}");
            if root().join(&folder).join("Cargo.toml").exists() {
                found.push(manifest(folder));
            }
        }
    }
    found
}

fn manifest(folder: String) -> Manifest {
    let text = read(&format!("{folder}/Cargo.toml"));
    let name =
        text.lines().find_map(|line| line.strip_prefix("name = ")).unwrap().trim_matches('"').to_owned();
    let section = |wanted: &str| {
        let mut within = false;
        let mut keys = BTreeSet::new();
        for line in text.lines() {
            if line.starts_with('[') {
                within = line == wanted;
            } else if within && line.starts_with(|first: char| first.is_ascii_lowercase()) {
                keys.extend(line.split(['.', ' ', '=']).next().map(str::to_owned));
            }
        }
        keys
    };
    let (dependencies, dev_dependencies) = (section("[dependencies]"), section("[dev-dependencies]"));
    assert!(!text.contains("dependencies."), "{folder}: this reads no tables of one dependency");
    Manifest { folder, name, dependencies, dev_dependencies, text }
}
