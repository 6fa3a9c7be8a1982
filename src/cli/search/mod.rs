//! `search`: a search method, and what it found.

mod job;

pub use job::SearchJob;

use super::common::{DrawArguments, EngineArguments, OutputArguments, TableArguments};
use super::names;
use crate::engine::SlopeFit;
use crate::error::{Error, Result};
use crate::input::Dataset;
use crate::report::TrajectoryForm;
use crate::search::{Budget, ClimbBy, DegreeRule, Method, Preset, RankPool, Trained, Variant};
use crate::statistics::ScoreSet;
use crate::table::{Accuracies, ScoreFile};
use clap::Args;
use std::path::PathBuf;

/// Search the space and report the cell found.
///
/// ET-NAS, the default, evolves a population by Degree and LogSynflow, takes the Pareto front of LogSynflow and naswot, and of it the
/// cell nearest to the utopian point of LogSynflow, naswot and LossSlope. No method sees a test accuracy; it is looked up afterwards.
/// Methods that train look their validation accuracies and training times up in a table (--table): their cost is simulated.
#[derive(Args)]
#[command(allow_negative_numbers = true)]
pub struct SearchArguments {
    /// How to search
    ///
    /// et-nas; rank, no-degree, off-degree: its variants, as by --variant; random-naswot, random-accuracy: the best of random cells by
    /// naswot, or by the validation accuracy after 12 epochs; rea, reinforce: by that accuracy; area: rea from a pool's best by naswot;
    /// rea-naswot: evolution by naswot; free-rea: by naswot, LogSynflow and skipped layers; local: climbing.
    #[arg(long, value_name = "NAME", value_parser = names::method(), default_value = "et-nas")]
    method: Method,
    /// Cells in the population [default: 20; rea and area 10, free-rea 100]
    #[arg(long, value_name = "P", value_parser = names::count)]
    population: Option<usize>,
    /// Cells drawn from the population for each choice of a parent [default: 5; rea and area 3, free-rea 25]
    #[arg(long, value_name = "S", value_parser = names::count)]
    sample: Option<usize>,
    /// The evolution also ends after this many rejected mutations in a row [default: 1000]
    #[arg(long, value_name = "N", value_parser = names::count)]
    patience: Option<usize>,
    /// End after this many cells [default: 100; free-rea 1000; methods that train end by simulated seconds, random-accuracy apart]
    #[arg(long, value_name = "N", value_parser = names::count)]
    evaluations: Option<usize>,
    /// End when the simulated training reaches this [default: 20000 on CIFAR-10, 40000 on CIFAR-100, 120000 on ImageNet16-120]
    ///
    /// For methods that train. With --evaluations too, the first limit that is reached ends the search.
    #[arg(long, value_name = "S", value_parser = names::number)]
    simulated_seconds: Option<f64>,

    /// `reference` is what produced the paper's figures, `algorithm1` the paper's text to the letter [default: reference]
    #[arg(long, value_name = "NAME", value_parser = names::preset(), help_heading = "ET-NAS")]
    preset: Option<Preset>,
    /// ET-NAS itself, or one of the paper's variants of it [default: et-nas]
    #[arg(long, value_name = "NAME", value_parser = names::variant(), help_heading = "ET-NAS")]
    variant: Option<Variant>,
    /// A child's Degree against its parent's: at least equal, greater, or not compared [default: the preset's]
    #[arg(long, value_name = "RULE", value_parser = names::degree_rule(), help_heading = "ET-NAS")]
    degree_rule: Option<DegreeRule>,
    /// Which cells the variant `rank` ranks [default: front]
    #[arg(long, value_name = "NAME", value_parser = names::rank_pool(), help_heading = "ET-NAS")]
    rank_pool: Option<RankPool>,
    /// The evolution ends when its history is longer than this [default: 60]
    #[arg(long, value_name = "C", value_parser = names::count, help_heading = "ET-NAS")]
    cycles: Option<usize>,

    /// area: random cells of which the best by naswot are the first population [default: 100]
    #[arg(long, value_name = "N", value_parser = names::count, help_heading = "Other methods")]
    pool: Option<usize>,
    /// local: what cells are compared by [default: naswot]
    #[arg(long, value_name = "NAME", value_parser = names::climb_by(), help_heading = "Other methods")]
    by: Option<ClimbBy>,
    /// local: end after this many starts, each followed to its optimum
    #[arg(long, value_name = "N", value_parser = names::count, help_heading = "Other methods")]
    starts: Option<usize>,
    /// reinforce: learning rate of Adam [default: 0.01]
    #[arg(long, value_name = "RATE", value_parser = names::number, help_heading = "Other methods")]
    learning_rate: Option<f64>,
    /// reinforce: decay of the average reward, the baseline [default: 0.9]
    #[arg(long, value_name = "M", value_parser = names::number, help_heading = "Other methods")]
    momentum: Option<f64>,
    /// Methods that train: the data set whose validation accuracy they compare [default: --dataset; the paper's Table II: cifar10]
    #[arg(long, value_name = "NAME", value_parser = names::dataset(), help_heading = "Other methods")]
    validate_on: Option<Dataset>,

    /// Independent runs, each with its own random decisions
    #[arg(long, value_name = "R", value_parser = names::count, default_value_t = 1)]
    runs: usize,
    /// Number of the first run, counted from 0: runs F to F + R − 1 are those that a search of that many runs has [default: 0]
    ///
    /// So several processes can share the runs of one search.
    #[arg(long, value_name = "F", value_parser = names::run, default_value_t = 0, hide_default_value = true)]
    first_run: usize,
    /// Each run draws its own weights; else all runs share them
    #[arg(long)]
    weights_per_run: bool,
    /// Take the scores from FILEs of the whole space, as `score --all` writes them, instead of computing them
    ///
    /// They must hold every measure that the method asks for; where several hold the same one, its mean is taken.
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with_all = OF_THE_ENGINE)]
    scores: Vec<PathBuf>,
    /// Write the best cell so far after each evaluation to FILE (.csv or .jsonl), with what was spent
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    trajectory: Option<PathBuf>,
    #[command(flatten)]
    engine: EngineArguments,
    #[command(flatten)]
    draws: DrawArguments,
    #[command(flatten)]
    output: OutputArguments,
    #[command(flatten)]
    table: TableArguments,
}

impl SearchArguments {
    /// Everything is read and checked; nothing is computed.
    pub fn ready(self) -> Result<SearchJob> {
        let method = self.method()?;
        method.check()?;
        let mut options = self.engine.options();
        options.repeats = self.draws.repeats;
        // Algorithm 1 fits LossSlope's line to all ten losses (SPEC section 4).
        options.slope_fit = match &method {
            Method::EtNas(search) if search.preset == Preset::Algorithm1 => SlopeFit::Algorithm1,
            _ => SlopeFit::Reference,
        };
        let accuracies = Accuracies::find(self.table.table.as_deref())?;
        let validated_on = method.needs_trained().then(|| self.validate_on.unwrap_or(options.dataset));
        if let Some(validated_on) = validated_on {
            Trained::new(&accuracies, options.dataset, validated_on)?;
        }
        let trajectory = match self.trajectory {
            Some(path) if self.output.output.as_ref() == Some(&path) => {
                let what = "The file of --trajectory";
                return Err(Error::options(
                    what,
                    "another than that of -o",
                    path.display().to_string(),
                    "Name two files.",
                ));
            }
            Some(path) => Some((TrajectoryForm::of(&path)?, path)),
            None => None,
        };
        let files = self.scores.iter().map(|path| ScoreFile::open(path)).collect::<Result<Vec<_>>>()?;
        let set = (!files.is_empty()).then(|| score_set(&files, options.dataset, &method)).transpose()?;
        Ok(SearchJob {
            method,
            files,
            set,
            validated_on,
            runs: self.runs,
            first_run: self.first_run,
            weights_per_run: self.weights_per_run,
            options,
            accuracies,
            trajectory,
            output: self.output,
        })
    }

    /// The method with the options given, which must be its own.
    fn method(&self) -> Result<Method> {
        let mut method = self.method.clone();
        match &mut method {
            Method::EtNas(search) => {
                if let (true, Some(variant)) = (search.variant != Variant::EtNas, self.variant) {
                    if variant != search.variant {
                        return Err(Error::options(
                            "--variant",
                            format!(
                                "none beside --method {}, which is the variant of that name",
                                search.variant.name()
                            ),
                            variant.name(),
                            "Give one of the two.",
                        ));
                    }
                }
                set(&mut search.variant, self.variant);
                set(&mut search.preset, self.preset);
                search.degree_rule = self.degree_rule;
                set(&mut search.rank_pool, self.rank_pool);
                set(&mut search.population, self.population);
                set(&mut search.sample, self.sample);
                set(&mut search.cycles, self.cycles);
                set(&mut search.patience, self.patience);
            }
            Method::RandomNaswot(search) => set(&mut search.evaluations, self.evaluations),
            Method::RandomAccuracy(search) => self.set_budget(&mut search.budget),
            Method::Rea(search) => {
                set(&mut search.population, self.population);
                set(&mut search.sample, self.sample);
                self.set_budget(&mut search.budget);
            }
            Method::ReaNaswot(search) => {
                set(&mut search.population, self.population);
                set(&mut search.sample, self.sample);
                set(&mut search.evaluations, self.evaluations);
                set(&mut search.patience, self.patience);
            }
            Method::Area(search) => {
                set(&mut search.pool, self.pool);
                set(&mut search.population, self.population);
                set(&mut search.sample, self.sample);
                self.set_budget(&mut search.budget);
            }
            Method::Reinforce(search) => {
                set(&mut search.learning_rate, self.learning_rate);
                set(&mut search.momentum, self.momentum);
                self.set_budget(&mut search.budget);
            }
            Method::FreeRea(search) => {
                set(&mut search.population, self.population);
                set(&mut search.sample, self.sample);
                set(&mut search.evaluations, self.evaluations);
                set(&mut search.patience, self.patience);
            }
            Method::LocalSearch(search) => {
                set(&mut search.by, self.by);
                search.starts = self.starts;
                self.set_budget(&mut search.budget);
            }
        }
        let own = options_of(&method);
        match self.given().into_iter().find(|(name, given)| *given && !own.contains(name)) {
            Some((name, _)) => Err(Error::options(
                name,
                format!("an option of --method {}, which has {}", method.name(), own.join(", ")),
                "one of other methods",
                "Leave it out, or choose another method.",
            )),
            None => Ok(method),
        }
    }

    /// A limit that is given takes the place of the method's own.
    fn set_budget(&self, budget: &mut Budget) {
        let given = Budget { evaluations: self.evaluations, simulated_seconds: self.simulated_seconds };
        if given != Budget::default() {
            *budget = given;
        }
    }

    /// The options that not every method has, and whether they were given.
    fn given(&self) -> [(&'static str, bool); 18] {
        [
            ("--preset", self.preset.is_some()),
            ("--variant", self.variant.is_some()),
            ("--degree-rule", self.degree_rule.is_some()),
            ("--rank-pool", self.rank_pool.is_some()),
            ("--cycles", self.cycles.is_some()),
            ("--population", self.population.is_some()),
            ("--sample", self.sample.is_some()),
            ("--patience", self.patience.is_some()),
            ("--evaluations", self.evaluations.is_some()),
            ("--simulated-seconds", self.simulated_seconds.is_some()),
            ("--pool", self.pool.is_some()),
            ("--by", self.by.is_some()),
            ("--starts", self.starts.is_some()),
            ("--learning-rate", self.learning_rate.is_some()),
            ("--momentum", self.momentum.is_some()),
            ("--validate-on", self.validate_on.is_some()),
            ("--weights-per-run", self.weights_per_run),
            ("--scores", !self.scores.is_empty()),
        ]
    }
}

/// Of the options that not every method has, those of this one.
fn options_of(method: &Method) -> Vec<&'static str> {
    let budget = ["--evaluations", "--simulated-seconds"];
    let population = ["--population", "--sample"];
    let mut own = match method {
        Method::EtNas(_) => {
            let own = ["--preset", "--variant", "--degree-rule", "--rank-pool", "--cycles", "--patience"];
            [&own[..], &population].concat()
        }
        Method::RandomNaswot(_) => vec!["--evaluations"],
        Method::ReaNaswot(_) | Method::FreeRea(_) => [&population[..], &["--patience", "--evaluations"]].concat(),
        Method::RandomAccuracy(_) => budget.to_vec(),
        Method::Rea(_) => [population, budget].concat(),
        Method::Area(_) => [&["--pool"], &population[..], &budget].concat(),
        Method::Reinforce(_) => [["--learning-rate", "--momentum"], budget].concat(),
        Method::LocalSearch(_) => [["--by", "--starts"], budget].concat(),
    };
    if method.needs_trained() {
        own.push("--validate-on");
    }
    if !method.needs_scores().is_empty() {
        own.extend(["--weights-per-run", "--scores"]);
    }
    own
}

/// What decides how scores are computed, and nothing where they stand in files.
const OF_THE_ENGINE: [&str; 15] = [
    "weights_per_run",
    "data",
    "batch",
    "classes",
    "init",
    "slope_init",
    "log_synflow",
    "weight_seed",
    "data_seed",
    "target_seed",
    "noise_seed",
    "threads",
    "device",
    "precision",
    "repeats",
];

/// The scores of files, which must be of the data set and hold what the method asks for.
fn score_set(files: &[ScoreFile], dataset: Dataset, method: &Method) -> Result<ScoreSet> {
    let set = ScoreSet::of_space(files)?;
    if let Some(found) = set.dataset().filter(|found| *found != dataset) {
        let remedy = format!("Add --dataset {}, or give files of {}.", found.name(), dataset.name());
        return Err(Error::options("--scores", format!("scores on {}", dataset.name()), found.name(), remedy));
    }
    match method.needs_scores().iter().find(|measure| set.measure(**measure).is_none()) {
        Some(measure) => {
            let columns: Vec<&str> = set.columns().iter().map(|column| column.name.as_str()).collect();
            let expected = format!("a column {} for --method {}", measure.key(), method.name());
            let remedy = "Add a file that has it: `etnas-fast score --all --measures` makes one.";
            Err(Error::options("--scores", expected, columns.join(", "), remedy))
        }
        None => Ok(set),
    }
}

/// Sets what was given.
fn set<T: Copy>(place: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *place = given;
    }
}
