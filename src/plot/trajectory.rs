//! Searches over their course: the best cell so far against what has been spent.

use super::axis::{Axis, Bounds};
use super::font::spoken;
use super::picture::{Ink, Mark, Panel, Picture};
use super::scatter::first_upper;
use crate::error::{Error, Result};
use crate::input::Dataset;
use crate::report::grouped;
use crate::search::Criterion;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The most places at which the quartiles of a method are taken: more than a picture can show apart.
const PLACES: usize = 400;

/// What the files may say that a score is.
const CRITERIA: [Criterion; 6] = [
    Criterion::Naswot,
    Criterion::ValidAccuracy,
    Criterion::LogSynflow,
    Criterion::Utopian,
    Criterion::RankSum,
    Criterion::FreeReaRank,
];

/// What a search spends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cost {
    /// Cells that were scored or trained.
    #[default]
    Evaluations,
    /// Seconds of the clock.
    Seconds,
    /// Seconds of training that a table counts.
    Simulated,
}

impl Cost {
    /// All three.
    pub const ALL: [Cost; 3] = [Cost::Evaluations, Cost::Seconds, Cost::Simulated];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        ["evaluations", "seconds", "simulated-seconds"][self as usize]
    }

    /// The key in files.
    fn key(self) -> &'static str {
        ["evaluations", "seconds", "simulated_seconds"][self as usize]
    }

    fn title(self) -> &'static str {
        ["Evaluations", "Time (s)", "Simulated training time (s)"][self as usize]
    }

    fn words(self) -> &'static str {
        ["evaluations", "time", "simulated training time"][self as usize]
    }
}

/// What a search gains.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gain {
    /// The test accuracy of the best cell so far.
    #[default]
    Accuracy,
    /// The number that the search prefers cells by.
    Score,
}

impl Gain {
    /// Both.
    pub const ALL: [Gain; 2] = [Gain::Accuracy, Gain::Score];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        ["test-accuracy", "score"][self as usize]
    }

    fn key(self) -> &'static str {
        ["test_accuracy", "score"][self as usize]
    }

    fn words(self) -> &'static str {
        ["test accuracy", "score"][self as usize]
    }
}

/// The courses of some runs of some methods.
#[derive(Clone, Debug, PartialEq)]
pub struct Trajectories {
    cost: Cost,
    gain: Gain,
    /// In the order of the files.
    methods: Vec<Method>,
    /// Points without the gain.
    without: usize,
    /// What the score is, where the files tell.
    criterion: String,
}

/// The runs of a method on a data set.
#[derive(Clone, Debug, PartialEq)]
struct Method {
    name: String,
    /// As in the files; empty where they do not tell.
    dataset: String,
    /// What was spent and the gain then, ascending.
    runs: Vec<Vec<[f64; 2]>>,
}

impl Trajectories {
    /// Reads the files of `search --trajectory`, in CSV or JSON Lines: a row for each new best cell, with `method`, `run`, what
    /// was spent and what was gained.
    ///
    /// # Errors
    /// [`Error::Unreadable`]; [`Error::Data`] for what is no such file, or if no point of all files has both numbers;
    /// [`Error::Options`] for more than 14 methods, and for scores of several criteria.
    pub fn open(paths: &[impl AsRef<Path>], cost: Cost, gain: Gain) -> Result<Trajectories> {
        let (mut methods, mut without, mut criterion): (Vec<Method>, usize, Option<String>) = (Vec::new(), 0, None);
        let mut runs: BTreeMap<(usize, usize, String), Vec<[f64; 2]>> = BTreeMap::new();
        for (file, path) in paths.iter().enumerate() {
            let path = path.as_ref();
            for (line, row) in rows(path)? {
                let point = point(path, line, &row, cost, gain)?;
                match (&criterion, gain) {
                    (Some(first), Gain::Score) if *first != point.criterion => {
                        let found = format!("{first}, and {} in line {line} of {}", point.criterion, path.display());
                        let remedy = "Show one criterion, or --y test-accuracy.";
                        return Err(Error::options("The score of a picture", "one criterion", found, remedy));
                    }
                    _ => criterion = Some(point.criterion),
                }
                let same = |method: &Method| method.name == point.method && method.dataset == point.dataset;
                let place = methods.iter().position(same).unwrap_or_else(|| {
                    let (name, dataset) = (point.method.clone(), point.dataset.clone());
                    methods.push(Method { name, dataset, runs: Vec::new() });
                    methods.len() - 1
                });
                match point.gained {
                    Some(gained) => runs.entry((place, file, point.run)).or_default().push([point.spent, gained]),
                    None => without += 1,
                }
            }
        }
        for ((place, ..), mut points) in runs {
            points.sort_by(|a, b| a[0].total_cmp(&b[0]));
            if let Some(method) = methods.get_mut(place) {
                method.runs.push(points);
            }
        }
        methods.retain(|method| !method.runs.is_empty());
        let read = Trajectories { cost, gain, methods, without, criterion: criterion.unwrap_or_default() };
        let most = 2 * Ink::PALETTE.len();
        match (read.methods.len(), paths.first()) {
            (1.., _) if read.methods.len() <= most => Ok(read),
            (1.., _) => {
                let found = read.methods.len().to_string();
                Err(Error::options("The methods of a picture", format!("at most {most}"), found, "Give fewer files."))
            }
            (0, None) => Err(Error::options("The files of a picture", "at least one", "none", "Name a file.")),
            (0, Some(path)) => Err(Error::data(
                path.as_ref(),
                format!("a point with {} and {}", cost.key(), gain.key()),
                if read.without > 0 {
                    format!("{} points without {}", read.without, gain.key())
                } else {
                    "no point".into()
                },
                "Write the file by search --trajectory; for accuracies give that search a --table.",
            )),
        }
    }

    /// The median over the runs of each method, with the quartiles as a band.
    pub fn picture(&self, log_x: bool) -> Picture {
        let (mut bands, mut curves, mut legend) = (Vec::new(), Vec::new(), Vec::new());
        let first = self.methods.first().map_or("", |method| &method.dataset);
        let one_dataset = self.methods.iter().all(|method| method.dataset == first);
        for (i, Method { name, dataset, runs }) in self.methods.iter().enumerate() {
            let ink = Ink::PALETTE[i % Ink::PALETTE.len()];
            let course = course(runs, log_x);
            if runs.len() > 1 {
                let points = steps(&course, |q| [q[0], q[2]]).into_iter().map(|(x, [low, high])| [x, low, high]);
                bands.push(Mark::Band { points: points.collect(), ink });
            }
            let points = steps(&course, |q| [q[1]]).into_iter().map(|(x, [y])| [x, y]).collect();
            curves.push(Mark::Curve { points, ink, dashed: i >= Ink::PALETTE.len(), dots: false });
            let count =
                if runs.len() == 1 { "1 run".to_string() } else { format!("{} runs", grouped(runs.len() as u64)) };
            let on = if one_dataset { String::new() } else { format!(" on {}", title(dataset)) };
            legend.push((format!("{name}{on}, {count}"), ink));
        }
        let values = |k: usize| {
            let marks = bands.iter().chain(&curves);
            let points = marks.flat_map(|mark| match mark {
                Mark::Curve { points, .. } => points.clone(),
                Mark::Band { points, .. } => {
                    points.iter().flat_map(|[x, low, high]| [[*x, *low], [*x, *high]]).collect()
                }
                Mark::Cells { points, .. } => points.clone(),
            });
            points.map(move |point| point[k]).collect::<Vec<f64>>()
        };
        let x = Axis::around(self.cost.title(), values(0), log_x, Bounds::default());
        let on = if one_dataset && !first.is_empty() { format!(" on {}", title(first)) } else { String::new() };
        let criterion = CRITERIA.into_iter().find(|criterion| criterion.key() == self.criterion);
        let (gained, unit) = match (self.gain, criterion) {
            (Gain::Accuracy, _) => (format!("test accuracy{on}"), " (%)"),
            (Gain::Score, Some(Criterion::ValidAccuracy)) => (Criterion::ValidAccuracy.title().to_string(), " (%)"),
            (Gain::Score, Some(criterion)) => (criterion.title().to_string(), ""),
            (Gain::Score, None) => ("score".to_string(), ""),
        };
        let y_title = first_upper(&format!("{gained} of the best cell so far{unit}"));
        let y = Axis::around(&y_title, values(1), false, Bounds::default());
        let mut notes = Vec::new();
        if !bands.is_empty() {
            notes.push("Lines: medians over the runs of a method. Bands: first to third quartile.".to_string());
        }
        match self.without {
            0 => {}
            1 => notes.push(format!("1 point without {} is left out.", self.gain.words())),
            n => notes.push(format!("{} points without {} are left out.", grouped(n as u64), self.gain.words())),
        }
        let marks = bands.into_iter().chain(curves).collect();
        let panel = Panel { title: String::new(), facts: String::new(), x, y, marks, legend, bar: None };
        let title = format!("Best cell so far: {gained} against {}", self.cost.words());
        Picture { title, panels: vec![panel], notes }
    }
}

/// First quartile, median and third quartile over the runs, from where all runs have a best cell, to where the last one ends; a run
/// that has ended keeps its best cell.
fn course(runs: &[Vec<[f64; 2]>], log_x: bool) -> Vec<(f64, [f64; 3])> {
    let begin = runs.iter().filter_map(|run| run.first()).map(|p| p[0]).fold(f64::NEG_INFINITY, f64::max);
    let mut places: Vec<f64> = runs.iter().flatten().map(|p| p[0]).filter(|x| *x >= begin).collect();
    places.sort_by(f64::total_cmp);
    places.dedup();
    if let (true, Some(&first), Some(&last)) = (places.len() > PLACES, places.first(), places.last()) {
        let first_positive = places.iter().copied().find(|x| *x > 0.0).unwrap_or(last);
        let at = |i: usize| {
            let share = i as f64 / (PLACES - 1) as f64;
            match log_x {
                true => first_positive * (last / first_positive).powf(share),
                false => first + share * (last - first),
            }
        };
        places = (0..PLACES - 1).map(at).chain([last]).collect();
    }
    let quartiles = |x: f64| {
        let now = runs.iter().filter_map(|run| run[..run.partition_point(|p| p[0] <= x)].last());
        let mut values: Vec<f64> = now.map(|p| p[1]).collect();
        values.sort_by(f64::total_cmp);
        (!values.is_empty()).then(|| (x, [0.25, 0.5, 0.75].map(|share| quantile(&values, share))))
    };
    places.into_iter().filter_map(quartiles).collect()
}

/// Of sorted values, at least one; between two by their distance (type 7 of Hyndman and Fan).
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let (below, above) = (place.floor() as usize, place.ceil() as usize);
    sorted[below] + (place - below as f64) * (sorted[above] - sorted[below])
}

/// The corners of a line that keeps its value until it takes the next.
fn steps<const K: usize>(course: &[(f64, [f64; 3])], of: impl Fn(&[f64; 3]) -> [f64; K]) -> Vec<(f64, [f64; K])> {
    let mut corners: Vec<(f64, [f64; K])> = Vec::new();
    for (i, (x, quartiles)) in course.iter().enumerate() {
        let now = of(quartiles);
        match corners.last().copied() {
            Some((_, before)) if before == now && i + 1 < course.len() => {}
            Some((_, before)) if before != now => corners.extend([(*x, before), (*x, now)]),
            _ => corners.push((*x, now)),
        }
    }
    corners
}

/// How people write a data set.
fn title(dataset: &str) -> String {
    Dataset::from_name(dataset).map_or_else(|_| spoken(dataset), |dataset| dataset.title().to_string())
}

/// A row of a file.
struct Point {
    method: String,
    dataset: String,
    criterion: String,
    run: String,
    spent: f64,
    gained: Option<f64>,
}

fn point(path: &Path, line: usize, row: &Map<String, Value>, cost: Cost, gain: Gain) -> Result<Point> {
    let wrong = |key: &str, expected: &str, found: String| {
        let expected = format!("{expected} as {key} in line {line}");
        Error::data(path, expected, found, "Give a file that search --trajectory wrote.")
    };
    let number = |key: &str| match row.get(key) {
        None => Err(wrong(key, "a number", "no such key".to_string())),
        Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.trim().is_empty() => Ok(None),
        Some(value) => {
            let parsed = match value {
                Value::String(text) => text.trim().parse().ok(),
                other => other.as_f64(),
            };
            match parsed.filter(|v: &f64| v.is_finite()) {
                Some(v) => Ok(Some(v)),
                None => Err(wrong(key, "a number", value.to_string())),
            }
        }
    };
    let word = |key: &str| match row.get(key) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    };
    let spent = number(cost.key())?.filter(|v| *v >= 0.0);
    let spent = spent.ok_or_else(|| wrong(cost.key(), "a number that is not negative", "none".to_string()))?;
    let named = Some(word("method")).filter(|name| !name.is_empty());
    let stem = || path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    let method = named.unwrap_or_else(stem);
    let (dataset, criterion, run) = (word("dataset"), word("criterion"), word("run"));
    Ok(Point { method, dataset, criterion, run, spent, gained: number(gain.key())? })
}

/// The most bytes of a file that are read: thousands of searches.
const MOST_BYTES: u64 = 1 << 28;
/// What is looked at in a row.
const KEYS: [&str; 9] =
    ["method", "dataset", "criterion", "run", "evaluations", "seconds", "simulated_seconds", "test_accuracy", "score"];

/// The rows of a file with their lines.
fn rows(path: &Path) -> Result<Vec<(usize, Map<String, Value>)>> {
    let unreadable = |source| Error::Unreadable { path: path.to_path_buf(), source };
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes)).map_err(unreadable)?;
    let wrong = |found: String| {
        let expected = "CSV with a header, or JSON Lines";
        Error::data(path, expected, found, "Give a file that search --trajectory wrote.")
    };
    if bytes.len() as u64 > MOST_BYTES {
        return Err(wrong(format!("more than {MOST_BYTES} bytes")));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| wrong("bytes that are no UTF-8 text".to_string()))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim_start().starts_with('{') {
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let read = |(i, line): (usize, &str)| match serde_json::from_str(line) {
            Ok(Value::Object(row)) => Ok((i + 1, row)),
            Ok(_) => Err(wrong(format!("no object in line {}", i + 1))),
            Err(e) => Err(wrong(format!("in line {}: {e}", i + 1))),
        };
        return lines.map(read).collect();
    }
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let header = reader.headers().map_err(|e| wrong(e.to_string()))?.clone();
    let read = |record: csv::Result<csv::StringRecord>| {
        let record = record.map_err(|e| wrong(e.to_string()))?;
        let line = record.position().map_or(0, |position| position.line() as usize);
        // The others' names, which may be long, are not copied for every row.
        let known = header.iter().zip(&record).filter(|(key, _)| KEYS.contains(key));
        Ok((line, known.map(|(key, field)| (key.to_string(), Value::from(field))).collect()))
    };
    reader.records().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_lie_between_values() {
        assert_eq!([0.25, 0.5, 0.75].map(|q| quantile(&[1.0, 2.0, 3.0, 10.0], q)), [1.75, 2.5, 4.75]);
        assert_eq!(quantile(&[7.0], 0.25), 7.0);
    }

    #[test]
    fn a_method_begins_when_all_its_runs_have_and_runs_keep_their_last_cell() {
        let runs = vec![vec![[1.0, 50.0], [4.0, 90.0]], vec![[2.0, 60.0]], vec![[2.0, 10.0], [9.0, 20.0]]];
        let median: Vec<(f64, f64)> = course(&runs, false).iter().map(|(x, q)| (*x, q[1])).collect();
        assert_eq!(median, [(2.0, 50.0), (4.0, 60.0), (9.0, 60.0)]);
        let corners = steps(&course(&runs, false), |q| [q[1]]);
        assert_eq!(corners, [(2.0, [50.0]), (4.0, [50.0]), (4.0, [60.0]), (9.0, [60.0])]);
    }

    #[test]
    fn long_courses_are_thinned() {
        let run: Vec<[f64; 2]> = (0..5000).map(|i| [f64::from(i), f64::from(i)]).collect();
        for log in [false, true] {
            let course = course(std::slice::from_ref(&run), log);
            assert_eq!(course.len(), PLACES);
            assert_eq!(course.last().unwrap().1, [4999.0; 3]);
            assert!(course.windows(2).all(|pair| pair[0].0 < pair[1].0));
        }
    }
}
