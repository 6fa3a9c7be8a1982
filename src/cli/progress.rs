//! What the user sees on stderr while work goes on, and the way to interrupt it.

use crate::backend::Watch;
use crate::report::{self, grouped};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// How often a sweep says where it is, if stderr is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(30);

/// From when on a sweep says what time is left: the first cells pay for what is made once.
const FORETELL_AFTER: Duration = Duration::from_secs(5);

/// Steps of a sweep's bar, which shows the share of the work.
const BAR: f64 = 10_000.0;

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
    shown: bool,
    quiet: bool,
    pace: Option<Mutex<Pace>>,
}

impl Progress {
    /// A bar for `length` steps.
    pub fn new(length: usize, quiet: bool) -> Progress {
        Progress::made(length as u64, quiet, "{bar:30} {percent:>3} %  {elapsed}, {eta} left  {wide_msg}", None)
    }

    /// A bar for a sweep.
    pub fn of_sweep(pace: Pace, quiet: bool) -> Progress {
        Progress::made(BAR as u64, quiet, "{bar:30} {percent:>3} %  {wide_msg}", Some(pace))
    }

    fn made(length: u64, quiet: bool, template: &str, pace: Option<Pace>) -> Progress {
        let shown = !quiet && std::io::stderr().is_terminal();
        let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(length), target);
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("━╸─"));
        }
        if let Some(pace) = &pace {
            bar.set_message(pace.text(Instant::now()));
            bar.set_position((BAR * pace.share()) as u64);
        }
        if shown {
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        Progress { bar, shown, quiet, pace: pace.map(Mutex::new) }
    }

    /// The next `cells` of the sweep begin.
    pub fn begin(&self, cells: usize) {
        self.paced(|pace| pace.begin(cells));
    }

    /// The cells that began are finished.
    pub fn end(&self) {
        self.paced(Pace::end);
    }

    fn paced(&self, change: impl FnOnce(&mut Pace)) {
        let Some(pace) = &self.pace else { return };
        let mut pace = pace.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut pace);
        let now = Instant::now();
        if self.shown {
            self.bar.set_position((BAR * pace.share()) as u64);
            if pace.due(now, Duration::from_millis(200)) {
                self.bar.set_message(pace.text(now));
            }
        } else if !self.quiet && pace.lines && pace.due(now, LINE_EVERY) {
            self.note(&format!("{}.", pace.text(now)));
        }
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

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

impl Watch for Progress {
    fn advance(&self) {
        if self.pace.is_some() {
            self.paced(Pace::advance);
        } else if self.bar.length().is_none_or(|length| self.bar.position() < length) {
            // Work that was remembered or repeated may report less or more steps than were foreseen.
            self.bar.inc(1);
        }
    }

    fn cancelled(&self) -> bool {
        INTERRUPTED.load(Ordering::SeqCst)
    }
}

/// Where a sweep is and when it will end, its cells weighed by what they cost.
pub struct Pace {
    /// Of all cells, in order.
    costs: Vec<f64>,
    /// Network passes of a cell.
    passes: usize,
    /// Lines shall be written now and then if there is no terminal.
    lines: bool,
    start: Instant,
    told: Instant,
    total: f64,
    /// Cells that were there at the start, and their cost.
    before: (usize, f64),
    /// Cells finished, those included, and their cost.
    done: (usize, f64),
    /// Cells begun, their cost, and the passes finished among them.
    begun: (usize, f64, usize),
}

impl Pace {
    /// A sweep over cells of these costs, each of so many network passes; the first `before` are there already.
    pub fn new(costs: Vec<f64>, passes: usize, before: usize, lines: bool) -> Pace {
        let (start, total) = (Instant::now(), costs.iter().sum());
        let before = (before, costs.iter().take(before).sum());
        Pace { costs, passes, lines, start, told: start, total, before, done: before, begun: (0, 0.0, 0) }
    }

    fn begin(&mut self, cells: usize) {
        let cost = self.costs.iter().skip(self.done.0).take(cells).sum();
        self.begun = (cells, cost, 0);
    }

    fn advance(&mut self) {
        self.begun.2 += 1;
    }

    fn end(&mut self) {
        self.done = (self.done.0 + self.begun.0, self.done.1 + self.begun.1);
        self.begun = (0, 0.0, 0);
    }

    /// The cost of what is done.
    fn spent(&self) -> f64 {
        let (cells, cost, passes) = self.begun;
        let part = passes as f64 / (cells * self.passes).max(1) as f64;
        // Work that was remembered or repeated may report less or more passes than were foreseen.
        (self.done.1 + cost * part.min(1.0)).min(self.total)
    }

    /// The part of the work that is done, from 0 to 1.
    fn share(&self) -> f64 {
        if self.total > 0.0 {
            self.spent() / self.total
        } else {
            0.0
        }
    }

    /// It is time to tell again.
    fn due(&mut self, now: Instant, every: Duration) -> bool {
        let due = now.duration_since(self.told) >= every;
        if due {
            self.told = now;
        }
        due
    }

    /// As in `1,234 of 15,625 cells, 38 a second, 6 min left`.
    fn text(&self, now: Instant) -> String {
        let count = |n: usize| grouped(n as u64);
        let mut text = format!("{} of {} cells", count(self.done.0), count(self.costs.len()));
        let seconds = now.duration_since(self.start).as_secs_f64();
        let (cells, spent) = (self.done.0 - self.before.0, self.spent() - self.before.1);
        if cells > 0 && seconds > 0.0 {
            let rate = cells as f64 / seconds;
            text += &match rate {
                rate if rate >= 10.0 => format!(", {} a second", count(rate as usize)),
                rate if rate >= 1.0 => format!(", {rate:.1} a second"),
                rate => format!(", {:.1} a minute", 60.0 * rate),
            };
        }
        if spent > 0.0 && now.duration_since(self.start) >= FORETELL_AFTER {
            text += &format!(", {} left", span(seconds * (self.total - self.spent()) / spent));
        }
        text
    }
}

/// Seconds for people: `40 s`, `12 min`, `3 h 20 min`, `2 d 4 h`.
fn span(seconds: f64) -> String {
    let minutes = (seconds / 60.0).round() as u64;
    match minutes {
        _ if seconds < 90.0 => format!("{seconds:.0} s"),
        0..60 => format!("{minutes} min"),
        60..1440 => format!("{} h {} min", minutes / 60, minutes % 60),
        _ => format!("{} d {} h", minutes / 1440, minutes % 1440 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_follows_the_cost_of_cells_and_not_their_number() {
        // One cell is there; then two of the four others with a quarter of their cost.
        let mut pace = Pace::new(vec![8.0, 1.0, 1.0, 3.0, 3.0], 2, 1, true);
        let after = |pace: &Pace, seconds| pace.text(pace.start + Duration::from_secs(seconds));
        assert_eq!((pace.share(), after(&pace, 5).as_str()), (0.5, "1 of 5 cells"));
        pace.begin(2);
        pace.advance();
        pace.advance();
        assert_eq!(pace.share(), 9.0 / 16.0);
        assert_eq!(after(&pace, 100), "1 of 5 cells, 12 min left");
        pace.end();
        assert_eq!(pace.share(), 0.625);
        assert_eq!(after(&pace, 200), "3 of 5 cells, 0.6 a minute, 10 min left");
        pace.begin(2);
        (0..9).for_each(|_| pace.advance());
        assert_eq!(pace.share(), 1.0, "more passes than were foreseen");
        pace.end();
        assert_eq!(after(&pace, 2), "5 of 5 cells, 2.0 a second");
        assert_eq!(after(&pace, 40), "5 of 5 cells, 6.0 a minute, 0 s left");
        assert!(pace.due(pace.start + LINE_EVERY, LINE_EVERY));
        assert!(!pace.due(pace.start + LINE_EVERY + Duration::from_secs(1), LINE_EVERY));
    }

    #[test]
    fn spans_are_told_in_their_unit() {
        let texts = [0.4, 89.0, 90.0, 3570.0, 12_000.0, 187_200.0].map(span);
        assert_eq!(texts, ["0 s", "89 s", "2 min", "1 h 0 min", "3 h 20 min", "2 d 4 h"]);
    }
}
