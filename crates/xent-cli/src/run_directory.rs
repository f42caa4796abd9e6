//! Where results go, and values that are chosen by name.

use crate::failure::{Failure, Result};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use std::path::{Path, PathBuf};
use xent_train::error::RunError;
use xent_train::run::RunDirectory;

/// A directory in `runs` that does not exist yet, named after what is in it.
pub(crate) fn new_directory(parts: &[&str]) -> PathBuf {
    let plain = |c: char| if c.is_alphanumeric() || "._=@".contains(c) { c } else { '-' };
    let name: String = parts.join("-").chars().map(plain).collect();
    let runs = Path::new("runs");
    let numbered = (2..).map(|number| runs.join(format!("{name}-{number}")));
    std::iter::once(runs.join(&name))
        .chain(numbered)
        .find(|path| !path.exists())
        .expect("there are endlessly many names")
}

/// The name of a table without folders and extension.
pub(crate) fn stem(data: &str) -> &str {
    Path::new(data).file_stem().and_then(|stem| stem.to_str()).unwrap_or("data")
}

/// Refuses a directory that `marker` says is in use, before any work is done.
pub(crate) fn check_free(path: &Path, marker: &str, force: bool) -> Result {
    let taken = |problem: &str| Err(Failure::Usage(format!("{}: {problem}", path.display())));
    if path.exists() && !path.is_dir() {
        return taken("this is a file; --out is a directory");
    }
    match path.join(marker).exists() && !force {
        true => taken(&format!(
            "there is a {marker} already; choose another --out, or replace it with --force"
        )),
        false => Ok(()),
    }
}

/// Writes to a directory, so that neither a failure nor an interruption leaves a part of it:
/// `marker`, which says that all is there, goes first and comes last.
pub(crate) fn save(
    path: &Path,
    marker: &str,
    write: impl FnOnce(&RunDirectory) -> Result,
) -> Result {
    crate::interrupt::without(|| {
        let is_new = !path.exists();
        let old = path.join(marker);
        if old.exists() {
            std::fs::remove_file(&old).map_err(|source| RunError::Io { path: old, source })?;
        }
        let written = RunDirectory::create(path).map_err(Failure::from).and_then(|run| write(&run));
        if written.is_err() && is_new {
            // The error that matters is the first one.
            let _ = std::fs::remove_dir_all(path);
        }
        written
    })
}

/// Reads one of `all` by its name.
pub(crate) fn named<T, const N: usize>(all: [T; N]) -> impl TypedValueParser<Value = T>
where
    T: Copy + ToString + Send + Sync + 'static,
{
    let names = all.map(|value| clap::builder::PossibleValue::new(value.to_string()));
    PossibleValuesParser::new(names).map(move |name| {
        all.into_iter().find(|value| value.to_string() == name).expect("only names are possible")
    })
}
