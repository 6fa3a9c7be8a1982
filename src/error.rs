//! The one error type of the library. Every variant prints as full sentences: what was expected, what was found, what to do.

use std::io;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::{Path, PathBuf};

/// The library's result type.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Characters of a part of an error that are shown: some lines of a terminal.
const MOST_SHOWN: usize = 400;

/// Everything that can go wrong in the library.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Arguments that the command line's grammar refuses, in its words.
    #[error("{0}")]
    Usage(String),
    /// A cell's text does not follow its encoding.
    #[error(
        "The cell {:?} is malformed at position {position}: expected {}, found {}. {remedy}",
        short(text),
        line(expected),
        line(found)
    )]
    CellSyntax {
        /// The text as given.
        text: String,
        /// Byte offset, counted from 0, of the first character that does not fit.
        position: usize,
        /// What would have been right there.
        expected: String,
        /// What stands there.
        found: String,
        /// How a cell looks in that encoding, a sentence.
        remedy: &'static str,
    },
    /// A string of the NATS-Bench size search space (`64:64:32:16:8`).
    #[error("{:?} names a network of the NATS-Bench size search space (channels per layer). etnas scores the topology search space: give a string such as |nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|avg_pool_3x3~2| or an index from 0 to 15624.", short(text))]
    SizeSpaceCell {
        /// The text as given.
        text: String,
    },
    /// An index outside the space.
    #[error(
        "The cell index {} does not exist: expected a whole number from 0 to 15624, the order of NATS-Bench.",
        line(found)
    )]
    CellIndex {
        /// The index as given.
        found: String,
    },
    /// A name that is not in its list.
    #[error("{}", unknown_name(kind, found, allowed))]
    UnknownName {
        /// What is named, in the singular: `measure`, `data set`, `operation`.
        kind: &'static str,
        /// The name as given.
        found: String,
        /// The names that exist.
        allowed: Vec<String>,
    },
    /// An option's value, or a combination of options, that cannot be carried out.
    #[error("{}: expected {}, found {}. {}", visible(what), line(expected), line(found), visible(remedy))]
    Options {
        /// The option or the rule.
        what: String,
        /// What would be right.
        expected: String,
        /// What was given.
        found: String,
        /// What to do, a sentence.
        remedy: String,
    },
    /// A data file whose content is not what it should be.
    #[error("{}: expected {}, found {}. {}", visible(what), line(expected), line(found), visible(remedy))]
    Data {
        /// The file (or the part of it).
        what: String,
        /// What would be right.
        expected: String,
        /// What stands there.
        found: String,
        /// What to do, a sentence.
        remedy: String,
    },
    /// An input that cannot be opened at all.
    #[error("Cannot read {}: {source}. Check the path and its permissions.", visible(&path.to_string_lossy()))]
    Unreadable {
        /// The path as given.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// An output path that cannot be created.
    #[error("Cannot write {}: {source}. Choose a file in a folder that exists and that you may write to.", visible(&path.to_string_lossy()))]
    Unwritable {
        /// The path as given.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Reading or writing failed midway.
    #[error("Input or output failed while {action}: {source}. What was written so far is valid.")]
    Io {
        /// What was being done, as in "writing the records".
        action: String,
        /// The system's reason.
        source: io::Error,
    },
    /// A device that was asked for and cannot be had.
    #[error("The device {asked} cannot be used: {reason}. {remedy}")]
    Device {
        /// The device as asked for.
        asked: String,
        /// Why not.
        reason: String,
        /// What to do, a sentence.
        remedy: String,
    },
    /// The caller cancelled the work.
    #[error("Interrupted; what was written so far is valid.")]
    Interrupted,
    /// A broken promise inside the library.
    #[error("Internal error: {0}. Please report this with the command you ran.")]
    Internal(String),
}

impl Error {
    /// The process exit code: 1 failure of input/output or of the program, 2 wrong use or wrong data, 3 device, 130 interrupted.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Io { .. } | Error::Internal(_) => 1,
            Error::Device { .. } => 3,
            Error::Interrupted => 130,
            _ => 2,
        }
    }

    /// What `work` gives. A panic in it becomes [`Error::Internal`] with its message, so that none crosses the border to another language.
    ///
    /// # Errors
    /// Those of `work`.
    pub fn catch<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
        catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
            let text = match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
                (Some(text), _) => text,
                (_, Some(text)) => text.as_str(),
                _ => "a panic without a message",
            };
            Err(Error::Internal(line(text)))
        })
    }

    /// Wrong content of the data file at `path`.
    pub fn data(path: &Path, expected: impl Into<String>, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Error::Data {
            what: format!("The file {}", path.display()),
            expected: expected.into(),
            found: found.into(),
            remedy: remedy.into(),
        }
    }

    /// A wrong option or combination of options.
    pub fn options(
        what: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Error::Options { what: what.into(), expected: expected.into(), found: found.into(), remedy: remedy.into() }
    }
}

/// The allowed name nearest to `found`, if one is near enough to be a slip of the pen.
pub fn nearest<'a>(found: &str, allowed: &'a [String]) -> Option<&'a str> {
    let found = found.to_lowercase().replace('_', "-");
    allowed
        .iter()
        .map(|name| (strsim::jaro_winkler(&found, &name.to_lowercase().replace('_', "-")), name))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name.as_str())
}

/// Text that may come from a file, on one line and harmless on a terminal: control characters as they are escaped.
fn visible(text: &str) -> String {
    let mut seen = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_control() {
            true => seen.extend(c.escape_default()),
            false => seen.push(c),
        }
    }
    seen
}

/// The begin of a text of any length.
fn short(text: &str) -> String {
    match text.char_indices().nth(MOST_SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_string(),
    }
}

/// Both: a damaged file may have a name of a megabyte.
fn line(text: &str) -> String {
    visible(&short(text))
}

fn unknown_name(kind: &str, found: &str, allowed: &[String]) -> String {
    let found = &short(found);
    let hint = nearest(found, allowed).map(|name| format!(" Did you mean {name}?")).unwrap_or_default();
    format!("There is no {kind} called {found:?}.{hint} Known: {}.", allowed.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|s| s.to_string()).collect()
    }

    #[test]
    fn unknown_names_suggest_the_nearest() {
        let e = Error::UnknownName { kind: "measure", found: "nawsot".into(), allowed: names(&["naswot", "degree"]) };
        assert_eq!(e.to_string(), "There is no measure called \"nawsot\". Did you mean naswot? Known: naswot, degree.");
        assert_eq!(nearest("zzz", &names(&["naswot"])), None);
    }

    #[test]
    fn an_error_is_one_line_of_bounded_length_whatever_a_file_holds() {
        let name = "line\nfeed\u{1b}[2J".repeat(100_000);
        let path = Path::new("a\nb");
        for error in [
            Error::data(path, name.clone(), name.clone(), "Mend it."),
            Error::options("--x", name.clone(), name.clone(), "Mend it."),
            Error::CellSyntax {
                text: name.clone(),
                position: 1,
                expected: name.clone(),
                found: name.clone(),
                remedy: "Mend it.",
            },
            Error::SizeSpaceCell { text: name.clone() },
            Error::CellIndex { found: name.clone() },
            Error::UnknownName { kind: "measure", found: name.clone(), allowed: names(&["naswot"]) },
        ] {
            let text = error.to_string();
            assert!(text.len() < 4000 && !text.chars().any(char::is_control), "{} bytes: {text:.80}", text.len());
        }
        assert!(Error::data(path, "x", "y", "Mend it.").to_string().starts_with("The file a\\nb: expected x"));
    }

    #[test]
    fn a_panic_becomes_an_internal_error() {
        let place = [1, 2, 3].len();
        let error = Error::catch(|| -> Result<()> { panic!("at\n{place}") }).unwrap_err();
        assert_eq!(error.to_string(), "Internal error: at\\n3. Please report this with the command you ran.");
        let error = Error::catch(|| Ok(vec![0u8; 3][place])).unwrap_err();
        assert!(error.to_string().contains("index out of bounds"), "{error}");
        assert_eq!(Error::catch(|| Ok(place)).unwrap(), 3);
        assert!(matches!(Error::catch(|| Err::<(), _>(Error::Interrupted)), Err(Error::Interrupted)));
    }

    #[test]
    fn exit_codes_follow_the_contract() {
        assert_eq!(Error::Internal("x".into()).exit_code(), 1);
        assert_eq!(Error::CellIndex { found: "-1".into() }.exit_code(), 2);
        assert_eq!(Error::Device { asked: "cuda".into(), reason: "no".into(), remedy: "x".into() }.exit_code(), 3);
        assert_eq!(Error::Interrupted.exit_code(), 130);
    }
}
