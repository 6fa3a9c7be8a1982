//! What the user sees on stderr while work goes on, and the way to interrupt it.

use crate::backend::Watch;
use crate::report;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// From now on Ctrl-C (or a signal to terminate) lets the work end in order; a second one ends the process at once.
pub fn catch_interrupts() {
    // A program that embeds the command line may have a handler of its own: then that one decides.
    let _ = ctrlc::set_handler(|| {
        if INTERRUPTED.swap(true, Ordering::SeqCst) {
            report::remove_unfinished();
            std::process::exit(130);
        }
    });
}

/// A line on stderr; silence if nobody can be told.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// A progress bar on stderr if that is a terminal, and the work's watch.
pub struct Progress {
    bar: ProgressBar,
    quiet: bool,
}

impl Progress {
    /// A bar for `length` steps.
    pub fn new(length: usize, quiet: bool) -> Progress {
        let shown = !quiet && std::io::stderr().is_terminal();
        let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(length as u64), target);
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {percent:>3} %  {elapsed}, {eta} left  {wide_msg}") {
            bar.set_style(style.progress_chars("━╸─"));
        }
        if shown {
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        Progress { bar, quiet }
    }

    /// Says what is going on.
    pub fn describe(&self, text: String) {
        self.bar.set_message(text);
    }

    /// Moves the bar to this step of `length`.
    pub fn move_to(&self, step: usize, length: usize) {
        self.bar.set_length(length.max(step) as u64);
        self.bar.set_position(step as u64);
    }

    /// Runs something that writes to the terminal, with the bar out of the way.
    pub fn aside<T>(&self, work: impl FnOnce() -> T) -> T {
        self.bar.suspend(work)
    }

    /// Takes the bar away.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }

    /// A note on stderr, unless quiet.
    pub fn note(&self, line: &str) {
        if !self.quiet {
            self.aside(|| say(&format!("note: {line}")));
        }
    }
}

impl Watch for Progress {
    fn advance(&self) {
        // Work that was remembered or repeated may report less or more steps than were foreseen.
        if self.bar.length().is_none_or(|length| self.bar.position() < length) {
            self.bar.inc(1);
        }
    }

    fn cancelled(&self) -> bool {
        INTERRUPTED.load(Ordering::SeqCst)
    }
}
