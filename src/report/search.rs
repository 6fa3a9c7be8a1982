//! What a search found, in every format.

use super::finalists::{finalist, front_grid, winner_scores};
use super::grid::{pairs, Align, Grid};
use super::score::{csv_rows, percent, sourced};
use super::{draw, json, metadata::SearchSetting, number, Format, Output};
use crate::engine::Record;
use crate::error::Result;
use crate::input::Dataset;
use crate::measure::Measure;
use crate::search::{Criterion, Method, Outcome};
use crate::space::Cell;
use crate::table::Summary;
use serde_json::{json, Map, Value};

/// What the sign is beside scores.
const SPREAD: &str = "standard deviation of a score over the repeats";

/// One run of a search.
pub struct Run {
    /// Its number, from 0.
    pub number: usize,
    /// The seed of its weights; `None` where scores came from files.
    pub weight_seed: Option<u64>,
    /// What it found.
    pub outcome: Outcome,
    /// The records of [`Outcome::scored`] where scores are means over repeats; else `None`.
    pub repeated: Option<Vec<Record>>,
}

impl Run {
    /// The standard deviation of a cell's score over the repeats.
    pub fn std(&self, cell: &Cell, measure: Measure) -> Option<f64> {
        let record = self.repeated.iter().flatten().find(|record| record.cell == *cell)?;
        record.score(measure)?.std
    }

    /// That of what the winner won by, where that is itself a score.
    fn winners_std(&self) -> Option<f64> {
        let own = self.outcome.criterion == Criterion::Naswot;
        own.then(|| self.std(&self.outcome.winner, Measure::Naswot)).flatten()
    }
}

/// What is told of all runs that ended.
pub struct SearchReport<'a> {
    /// What was asked.
    pub setting: SearchSetting<'a>,
    /// The data set.
    pub dataset: Dataset,
    /// The runs that ended.
    pub runs: &'a [Run],
    /// What people are told of where scores came from: a label and its line.
    pub scores_from: (&'static str, String),
}

impl SearchReport<'_> {
    /// Writes the report and completes the output.
    pub fn write(&self, format: Format, metadata: &Value, mut output: Output) -> Result<()> {
        let text = match format {
            Format::Json => json::pretty(&self.object(metadata)),
            // Rows hold no time, so that equal searches give equal bytes.
            Format::Jsonl => self.runs.iter().map(|run| format!("{}\n", Value::Object(self.run(run, false)))).collect(),
            Format::Csv => self.csv()?,
            Format::Table if self.setting.runs == 1 => self.single(),
            Format::Table => self.several(),
        };
        output.write(&text)?;
        output.finish(metadata)
    }

    /// The test accuracies of the runs, with how many runs have one.
    pub fn summary(&self) -> Summary {
        Summary::of(self.runs.iter().map(|run| self.accuracy(run)))
    }

    fn accuracy(&self, run: &Run) -> Option<f64> {
        self.setting.accuracies.lookup(&run.outcome.winner, self.dataset)
    }

    /// The report as JSON: `meta`, `runs`, `mean`, `std`, `n`.
    pub fn object(&self, metadata: &Value) -> Value {
        let summary = self.summary();
        let runs: Vec<Value> = self.runs.iter().map(|run| Value::Object(self.run(run, true))).collect();
        json!({"meta": metadata, "runs": runs, "mean": summary.mean, "std": summary.std, "n": summary.n})
    }

    fn run(&self, run: &Run, with_seconds: bool) -> Map<String, Value> {
        let Outcome { winner, front, evaluations, seconds, ended, criterion, score, simulated_seconds, .. } =
            &run.outcome;
        let mut object = json::object([
            ("run", Value::from(run.number)),
            ("arch", Value::from(winner.to_string())),
            ("index", Value::from(winner.index())),
            ("dataset", Value::from(self.dataset.name())),
            ("test_accuracy", self.accuracy(run).map_or(Value::Null, Value::from)),
            ("weight_seed", Value::from(run.weight_seed)),
            (
                "evaluations",
                json!({
                    "log_synflow": evaluations.log_synflow,
                    "naswot": evaluations.naswot,
                    "loss_slope": evaluations.loss_slope,
                    "mutations": evaluations.mutations,
                    "children": evaluations.children,
                    "trained": evaluations.trained,
                }),
            ),
        ]);
        if with_seconds {
            let phases = match self.setting.method {
                Method::EtNas(_) => json!({
                    "evolution": seconds.evolution,
                    "naswot": seconds.naswot,
                    "loss_slope": seconds.loss_slope,
                    "total": seconds.total,
                }),
                _ => json!({"total": seconds.total}),
            };
            object.insert("seconds".to_string(), phases);
        }
        object.insert("front".to_string(), front.iter().map(|f| finalist(run, f)).collect());
        object.insert("ended".to_string(), Value::from(ended.name()));
        object.insert("notes".to_string(), Value::from(run.outcome.notes()));
        object.extend(json::object([
            ("method", Value::from(self.setting.method.name())),
            ("criterion", Value::from(criterion.key())),
            ("score", Value::from(*score)),
        ]));
        if run.repeated.is_some() {
            object.insert("score_std".to_string(), Value::from(run.winners_std()));
        }
        object.insert("simulated_seconds".to_string(), Value::from(*simulated_seconds));
        object
    }

    /// A row for each run: the run's own keys, the winner's scores, and the size of the front.
    fn csv(&self) -> Result<String> {
        let flat = |run: &Run| {
            let mut row = Map::new();
            for (key, value) in self.run(run, false) {
                match value {
                    Value::Array(_) if key == "notes" => {}
                    Value::Object(counts) if key == "evaluations" => {
                        for (name, count) in counts {
                            let scored = Measure::from_name(&name).is_ok() || name == "trained";
                            row.insert(if scored { format!("evaluations_{name}") } else { name }, count);
                        }
                    }
                    Value::Array(front) => {
                        row.extend(winner_scores(run));
                        row.insert("front_size".to_string(), Value::from(front.len()));
                    }
                    other => {
                        row.insert(key, other);
                    }
                }
            }
            Value::Object(row)
        };
        let rows: Vec<Value> = self.runs.iter().map(flat).collect();
        csv_rows(&rows)
    }

    fn heading(&self) -> String {
        let runs = match self.setting.runs {
            1 => String::new(),
            n => format!(", {n} runs"),
        };
        let title = self.dataset.title();
        let (name, options) = match self.setting.method {
            Method::EtNas(search) => {
                ("ET-NAS", format!("preset {}, variant {}", search.preset.name(), search.variant.name()))
            }
            other => (other.title(), self.options(other)),
        };
        format!("{name} on {title}: {options}{runs}\n\n")
    }

    /// The options of a method that is no ET-NAS.
    fn options(&self, method: &Method) -> String {
        let budget = method.budget(self.dataset);
        let tournament = |population: usize, sample: usize| format!("population {population}, sample {sample}");
        let mut options = match method {
            Method::EtNas(_) | Method::RandomNaswot(_) | Method::RandomAccuracy(_) => Vec::new(),
            Method::Rea(search) => vec![tournament(search.population, search.sample)],
            Method::ReaNaswot(search) => vec![tournament(search.population, search.sample)],
            Method::FreeRea(search) => vec![tournament(search.population, search.sample)],
            Method::Area(search) => vec![format!("pool {}", search.pool), tournament(search.population, search.sample)],
            Method::Reinforce(search) => {
                vec![format!("learning rate {}, momentum {}", search.learning_rate, search.momentum)]
            }
            Method::LocalSearch(search) => {
                let starts = search.starts.map(|starts| format!("{} starts", number::grouped(starts as u64)));
                [Some(format!("by {}", search.by.name())), starts].into_iter().flatten().collect()
            }
        };
        options.extend(
            self.setting.validated_on.filter(|d| *d != self.dataset).map(|d| format!("validated on {}", d.title())),
        );
        options.extend(budget.evaluations.map(|n| format!("{} cells", number::grouped(n as u64))));
        options.extend(
            budget.simulated_seconds.map(|s| format!("{} simulated seconds", number::grouped(s.round() as u64))),
        );
        options.join(", ")
    }

    fn single(&self) -> String {
        let mut text = self.heading();
        let Some(run) = self.runs.first() else {
            return text + "No run ended.\n";
        };
        let Outcome { winner, front, ended, .. } = &run.outcome;
        text.push_str(&draw(winner));
        text.push('\n');
        let mut lines = vec![
            ("cell", winner.to_string()),
            ("index", winner.index().to_string()),
            ("accuracy", self.accuracy_line(run)),
        ];
        let is_et_nas = matches!(self.setting.method, Method::EtNas(_));
        if !is_et_nas {
            lines.push(("won by", self.reason(run)));
        }
        lines.extend(self.spent());
        lines.push(("ended", ended.to_string()));
        let notes: Vec<String> = run.outcome.notes().into_iter().filter(|note| *note != ended.to_string()).collect();
        if !notes.is_empty() {
            lines.push(("note", notes.join("\n")));
        }
        lines.extend(self.sources());
        if run.repeated.as_ref().is_some_and(|records| !records.is_empty()) {
            lines.push(("±", SPREAD.to_string()));
        }
        text.push_str(&pairs(&lines));
        if !is_et_nas {
            return text;
        }
        text.push_str(match front.len() {
            1 => "\nThe only finalist, which won unopposed:\n",
            _ => "\nThe finalists, of which the winner (*) was chosen:\n",
        });
        text.push_str(&front_grid(self, run));
        text
    }

    /// What the winner of a method that is no ET-NAS won by.
    fn reason(&self, run: &Run) -> String {
        let outcome = &run.outcome;
        let (value, title) = (score(outcome), outcome.criterion.title());
        match (outcome.criterion, self.setting.validated_on) {
            (Criterion::ValidAccuracy, Some(on)) if on != self.dataset => {
                format!("{value} % {title} on {}", on.title())
            }
            (Criterion::ValidAccuracy, _) => format!("{value} % {title}"),
            _ => match run.winners_std() {
                Some(std) => format!("{title} {value} ± {}", number::rounded(Measure::Naswot, Some(std))),
                None => format!("{title} {value}"),
            },
        }
    }

    fn accuracy_line(&self, run: &Run) -> String {
        let accuracies = self.setting.accuracies;
        let Some(accuracy) = self.accuracy(run) else {
            return format!("unknown\n{}", accuracies.missing(&run.outcome.winner, self.dataset));
        };
        let rank = accuracies.rank(&run.outcome.winner, self.dataset).map_or_else(String::new, |(rank, of)| {
            format!(", rank {} of {}", number::grouped(rank as u64), number::grouped(of as u64))
        });
        format!("{} % on the test images of {}{rank}", percent(Some(accuracy)), self.dataset.title())
    }

    /// What the runs evaluated and took, on the mean.
    fn spent(&self) -> Vec<(&'static str, String)> {
        if let Method::EtNas(_) = self.setting.method {
            return vec![("evaluated", evaluated(self.runs)), ("seconds", seconds(self.runs))];
        }
        type Count = fn(&Outcome) -> usize;
        let counts: [(Count, &str); 3] = [
            (|o| o.evaluations.naswot, "naswot"),
            (|o| o.evaluations.log_synflow, "LogSynflow"),
            (|o| o.evaluations.trained, "trainings of 12 epochs"),
        ];
        let asked = counts.into_iter().filter(|(count, _)| self.runs.iter().any(|run| count(&run.outcome) > 0));
        let asked: Vec<String> =
            asked.map(|(count, name)| format!("{} {name}", mean_count(self.runs, count))).collect();
        let mut lines = vec![("evaluated", asked.join(", "))];
        let mean = |of: fn(&Outcome) -> f64| {
            self.runs.iter().map(|run| of(&run.outcome)).sum::<f64>() / self.runs.len().max(1) as f64
        };
        if self.setting.method.needs_trained() {
            let simulated = mean(|o| o.simulated_seconds);
            let hours = simulated / 3600.0;
            lines.push((
                "simulated",
                format!("{} s of training ({hours:.1} hours)", number::grouped(simulated.round() as u64)),
            ));
        }
        let total = mean(|o| o.seconds.total);
        lines.push(("seconds", if total < 0.05 { format!("{total:.4}") } else { format!("{total:.1}") }));
        lines
    }

    /// Where scores and accuracies come from; scores only where the method asks for some.
    fn sources(&self) -> Vec<(&'static str, String)> {
        let mut lines = Vec::new();
        if !self.setting.method.needs_scores().is_empty() {
            lines.push(self.scores_from.clone());
        }
        if let (true, Some(on)) = (self.setting.runs > 1, self.setting.validated_on) {
            lines.push(("valid %", format!("accuracy on the validation images of {} after 12 epochs", on.title())));
        }
        lines.push(("accuracies", sourced(self.setting.accuracies)));
        lines
    }

    fn several(&self) -> String {
        let mut text = self.heading();
        let right = |name: &str| (name.to_string(), Align::Right);
        let is_et_nas = matches!(self.setting.method, Method::EtNas(_));
        let mut header = ["run", "index", "test %", "rank"].map(right).to_vec();
        let own = match self.runs.first().map(|run| run.outcome.criterion) {
            Some(Criterion::Naswot) => ["naswot", "evaluated"],
            Some(Criterion::ValidAccuracy) => ["valid %", "trained"],
            Some(Criterion::FreeReaRank) => ["rank sum", "evaluated"],
            _ => ["Degree", "front"],
        };
        header.extend(own.map(right));
        let spread = self.runs.iter().any(|run| run.winners_std().is_some());
        if spread {
            // Beside the score, which is the column before the last.
            header.insert(header.len() - 1, right("±"));
        }
        header.extend([right("seconds"), ("cell".to_string(), Align::Left)]);
        let mut grid = Grid::new(header);
        for run in self.runs {
            let Outcome { winner, front, evaluations, seconds, .. } = &run.outcome;
            let rank = self.setting.accuracies.rank(winner, self.dataset);
            let own = match run.outcome.criterion {
                _ if is_et_nas => [winner.degree().to_string(), front.len().to_string()],
                Criterion::ValidAccuracy => [score(&run.outcome), number::grouped(evaluations.trained as u64)],
                _ => [score(&run.outcome), number::grouped(evaluations.naswot as u64)],
            };
            let mut row = vec![
                run.number.to_string(),
                winner.index().to_string(),
                percent(self.accuracy(run)),
                rank.map_or_else(|| number::ABSENT.to_string(), |(rank, _)| number::grouped(rank as u64)),
            ];
            let [of_winner, of_run] = own;
            row.push(of_winner);
            if spread {
                row.push(number::rounded(Measure::Naswot, run.winners_std()));
            }
            row.push(of_run);
            let precise = if seconds.total < 0.05 { 4 } else { 1 };
            row.extend([format!("{:.precise$}", seconds.total), winner.to_string()]);
            grid.row(row);
        }
        text.push_str(&grid.text());
        text.push('\n');
        let mut lines = vec![("accuracy", self.mean_line())];
        if !self.runs.is_empty() {
            let spent = self.spent().into_iter();
            lines.extend(spent.map(|(label, text)| (if label == "evaluated" { "mean run" } else { label }, text)));
        }
        lines.push(("ended", self.endings()));
        lines.extend(self.sources());
        if spread {
            lines.push(("±", SPREAD.to_string()));
        }
        text.push_str(&pairs(&lines));
        text
    }

    fn mean_line(&self) -> String {
        let Summary { mean, std, n, missing } = self.summary();
        let mut line = match (mean, std) {
            (Some(mean), Some(std)) => format!("{mean:.2} ± {std:.2} % (mean and standard deviation of n = {n} runs)"),
            (Some(mean), None) => format!("{mean:.2} % (n = {n} run)"),
            _ => "unknown".to_string(),
        };
        if missing > 0 {
            line.push_str(&format!("\n{missing} of the runs found a cell without a known accuracy."));
        }
        if let Some(sentence) = self.missing() {
            line.push_str(&format!("\n{sentence}"));
        }
        line
    }

    /// How to get the accuracy of the first cell found that has none; `None` if all have one.
    pub fn missing(&self) -> Option<String> {
        let unknown = self.runs.iter().find(|run| self.accuracy(run).is_none())?;
        Some(self.setting.accuracies.missing(&unknown.outcome.winner, self.dataset))
    }

    /// How the runs ended, and what else is to be known of them, with how many it is true of.
    fn endings(&self) -> String {
        let mut counts: Vec<(String, usize)> = Vec::new();
        for run in self.runs {
            let mut sentences = vec![run.outcome.ended.to_string()];
            sentences.extend(run.outcome.notes().into_iter().filter(|note| *note != run.outcome.ended.to_string()));
            for sentence in sentences {
                match counts.iter_mut().find(|(known, _)| *known == sentence) {
                    Some((_, count)) => *count += 1,
                    None => counts.push((sentence, 1)),
                }
            }
        }
        let lines: Vec<String> = counts.into_iter().map(|(sentence, count)| format!("{count} × {sentence}")).collect();
        lines.join("\n")
    }
}

/// The winner's value of what it won by.
fn score(outcome: &Outcome) -> String {
    let Some(value) = outcome.score else {
        return number::ABSENT.to_string();
    };
    match outcome.criterion {
        Criterion::Naswot => number::rounded(Measure::Naswot, Some(value)),
        Criterion::ValidAccuracy => percent(Some(value)),
        _ => format!("{value:.4}"),
    }
}

/// A count on the mean over the runs.
fn mean_count(runs: &[Run], count: fn(&Outcome) -> usize) -> String {
    let sum: usize = runs.iter().map(|run| count(&run.outcome)).sum();
    match runs.len() {
        n if n > 0 && sum.is_multiple_of(n) => number::grouped((sum / n) as u64),
        n => format!("{:.1}", sum as f64 / n as f64),
    }
}

/// What the runs of ET-NAS evaluated, on the mean.
fn evaluated(runs: &[Run]) -> String {
    let mean = |count: fn(&Outcome) -> usize| mean_count(runs, count);
    format!(
        "{} LogSynflow, {} naswot, {} LossSlope; {} mutations gave {} children",
        mean(|o| o.evaluations.log_synflow),
        mean(|o| o.evaluations.naswot),
        mean(|o| o.evaluations.loss_slope),
        mean(|o| o.evaluations.mutations),
        mean(|o| o.evaluations.children)
    )
}

/// What the runs took, on the mean, by phase.
fn seconds(runs: &[Run]) -> String {
    let mean = |phase: fn(&Outcome) -> f64| {
        let sum: f64 = runs.iter().map(|run| phase(&run.outcome)).sum();
        sum / runs.len() as f64
    };
    format!(
        "{:.1} = evolution {:.1} + naswot {:.1} + LossSlope {:.1}",
        mean(|o| o.seconds.total),
        mean(|o| o.seconds.evolution),
        mean(|o| o.seconds.naswot),
        mean(|o| o.seconds.loss_slope)
    )
}
