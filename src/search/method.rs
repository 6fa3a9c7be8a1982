//! All search methods behind one interface.

use super::budget::Budget;
use super::free_rea::FreeRea;
use super::ledger::Ledger;
use super::local_search::{ClimbBy, LocalSearch};
use super::options::{EtNas, Variant};
use super::outcome::Outcome;
use super::random::{RandomAccuracy, RandomNaswot};
use super::rea::{Area, Rea};
use super::rea_naswot::ReaNaswot;
use super::reinforce::Reinforce;
use super::scores::{require, Scores};
use super::trained::Trained;
use crate::error::{Error, Result};
use crate::input::Dataset;
use crate::measure::Measure;
use crate::random::{derive, Stream};

/// A search method with its options; the default of each is the paper's setting.
#[derive(Clone, Debug, PartialEq)]
pub enum Method {
    /// ET-NAS and the paper's variants of it: RANK, NO DEGREE, and ET-NAS without Degree anywhere.
    EtNas(EtNas),
    /// Random search by naswot.
    RandomNaswot(RandomNaswot),
    /// Random search by the validation accuracy after 12 epochs.
    RandomAccuracy(RandomAccuracy),
    /// Regularised evolution by the validation accuracy after 12 epochs.
    Rea(Rea),
    /// Regularised evolution by naswot.
    ReaNaswot(ReaNaswot),
    /// REA that begins with the best by naswot of a pool.
    Area(Area),
    /// A policy that learns from validation accuracies.
    Reinforce(Reinforce),
    /// Regularised evolution by naswot, LogSynflow and skipped layers.
    FreeRea(FreeRea),
    /// Climbing to the best neighbour, by naswot or by validation accuracy.
    LocalSearch(LocalSearch),
}

impl Method {
    /// The names, in the order of the documentation.
    pub const NAMES: &'static [&'static str] = &[
        "et-nas",
        "rank",
        "no-degree",
        "off-degree",
        "random-naswot",
        "random-accuracy",
        "rea",
        "rea-naswot",
        "area",
        "reinforce",
        "free-rea",
        "local",
    ];

    /// The method of a name, in its default setting.
    ///
    /// # Errors
    /// [`Error::UnknownName`], with the nearest name that exists.
    pub fn from_name(name: &str) -> Result<Method> {
        Ok(match name {
            "random-naswot" => Method::RandomNaswot(RandomNaswot::default()),
            "random-accuracy" => Method::RandomAccuracy(RandomAccuracy::default()),
            "rea" => Method::Rea(Rea::default()),
            "rea-naswot" => Method::ReaNaswot(ReaNaswot::default()),
            "area" => Method::Area(Area::default()),
            "reinforce" => Method::Reinforce(Reinforce::default()),
            "free-rea" => Method::FreeRea(FreeRea::default()),
            "local" => Method::LocalSearch(LocalSearch::default()),
            _ => match Variant::from_name(name) {
                Ok(variant) => Method::EtNas(EtNas { variant, ..EtNas::default() }),
                Err(_) => {
                    return Err(Error::UnknownName {
                        kind: "search method",
                        found: name.to_string(),
                        allowed: Self::NAMES.iter().map(|name| name.to_string()).collect(),
                    })
                }
            },
        })
    }

    /// The name on the command line; of ET-NAS that of its variant.
    pub fn name(&self) -> &'static str {
        match self {
            Method::EtNas(search) => search.variant.name(),
            Method::RandomNaswot(_) => "random-naswot",
            Method::RandomAccuracy(_) => "random-accuracy",
            Method::Rea(_) => "rea",
            Method::ReaNaswot(_) => "rea-naswot",
            Method::Area(_) => "area",
            Method::Reinforce(_) => "reinforce",
            Method::FreeRea(_) => "free-rea",
            Method::LocalSearch(_) => "local",
        }
    }

    /// The name in the literature.
    pub fn title(&self) -> &'static str {
        match self {
            Method::EtNas(search) => match search.variant {
                Variant::EtNas => "ET-NAS",
                Variant::Rank => "RANK",
                Variant::NoDegree => "NO DEGREE",
                Variant::OffDegree => "ET-NAS without Degree",
            },
            Method::RandomNaswot(_) => "Random search by naswot",
            Method::RandomAccuracy(_) => "Random search by accuracy",
            Method::Rea(_) => "REA",
            Method::ReaNaswot(_) => "REA by naswot",
            Method::Area(_) => "AREA",
            Method::Reinforce(_) => "REINFORCE",
            Method::FreeRea(_) => "FreeREA",
            Method::LocalSearch(_) => "Local search",
        }
    }

    /// The measures that the method cannot do without.
    pub fn needs_scores(&self) -> &'static [Measure] {
        match self {
            Method::EtNas(_) => &[Measure::LogSynflow, Measure::Naswot],
            Method::FreeRea(_) => &[Measure::Naswot, Measure::LogSynflow],
            Method::RandomNaswot(_) | Method::ReaNaswot(_) | Method::Area(_) => &[Measure::Naswot],
            Method::LocalSearch(search) if search.by == ClimbBy::Naswot => &[Measure::Naswot],
            Method::RandomAccuracy(_) | Method::Rea(_) | Method::Reinforce(_) | Method::LocalSearch(_) => &[],
        }
    }

    /// The method compares cells by their accuracy after 12 epochs, so it needs a table of trainings.
    pub fn needs_trained(&self) -> bool {
        match self {
            Method::EtNas(_) | Method::RandomNaswot(_) | Method::ReaNaswot(_) | Method::FreeRea(_) => false,
            Method::RandomAccuracy(_) | Method::Rea(_) | Method::Area(_) | Method::Reinforce(_) => true,
            Method::LocalSearch(search) => search.by == ClimbBy::Accuracy,
        }
    }

    /// What limits a search on this data set; empty for ET-NAS and its variants, which end after their cycles, and for a local
    /// search of so many starts.
    pub fn budget(&self, dataset: Dataset) -> Budget {
        match self {
            Method::EtNas(_) => Budget::default(),
            Method::RandomNaswot(search) => Budget::cells(search.evaluations),
            Method::ReaNaswot(search) => Budget::cells(search.evaluations),
            Method::FreeRea(search) => Budget::cells(search.evaluations),
            Method::RandomAccuracy(search) => search.budget.or_paper(dataset),
            Method::Rea(search) => search.budget.or_paper(dataset),
            Method::Area(search) => search.budget.or_paper(dataset),
            Method::Reinforce(search) => search.budget.or_paper(dataset),
            Method::LocalSearch(search) => search.budget_on(dataset),
        }
    }

    /// Scores of networks that a run asks for, as far as can be foreseen: in ET-NAS LogSynflow of the history, naswot of some 45 % of it,
    /// and LossSlope of a front of about five. Trainings are looked up and do not count.
    pub fn foreseen_scores(&self) -> usize {
        match self {
            Method::EtNas(search) => {
                search.cycles.saturating_add(1 + search.cycles / 100 * 45 + search.cycles % 100 * 45 / 100 + 5)
            }
            Method::RandomNaswot(search) => search.evaluations,
            Method::ReaNaswot(search) => search.evaluations,
            Method::FreeRea(search) => search.evaluations.saturating_mul(2),
            Method::Area(search) => search.pool,
            // A start takes some 80 evaluations, most of the first ones new.
            Method::LocalSearch(search) if search.by == ClimbBy::Naswot => {
                let started = search.starts.map_or(usize::MAX, |starts| starts.saturating_mul(80));
                search.budget_on(Dataset::Cifar10).evaluations.unwrap_or(usize::MAX).min(started)
            }
            Method::RandomAccuracy(_) | Method::Rea(_) | Method::Reinforce(_) | Method::LocalSearch(_) => 0,
        }
    }

    /// Checks that such a search can be run.
    ///
    /// # Errors
    /// [`Error::Options`] for sizes and budgets that cannot be carried out.
    pub fn check(&self) -> Result<()> {
        match self {
            Method::EtNas(search) => search.check(),
            Method::RandomNaswot(search) => search.check(),
            Method::RandomAccuracy(search) => search.budget.check(),
            Method::Rea(search) => search.check(),
            Method::ReaNaswot(search) => search.check(),
            Method::Area(search) => search.check(),
            Method::Reinforce(search) => search.check(),
            Method::FreeRea(search) => search.check(),
            Method::LocalSearch(search) => search.check(),
        }
    }

    /// Runs the search. Its decisions come from the stream of method, `search_seed` and `run` alone: run r is the same search
    /// however many others there are. What the method does not need is not asked.
    ///
    /// # Errors
    /// Those of [`Method::check`]; [`Error::Options`] for a source that lacks a measure, or no trainings, where the method needs
    /// them; and whatever the sources report.
    pub fn run(
        &self,
        scores: &mut dyn Scores,
        trained: Option<&Trained>,
        search_seed: u64,
        run: usize,
    ) -> Result<Outcome> {
        self.check()?;
        for measure in self.needs_scores() {
            require(scores, *measure)?;
        }
        if let Method::EtNas(search) = self {
            return search.run(scores, search_seed, run);
        }
        let ledger = Ledger::new(scores, trained);
        if self.needs_trained() {
            ledger.trained()?;
        }
        let mut rng = Stream::new(search_seed, &[run as u64, derive(0, self.name())]);
        match self {
            Method::EtNas(_) => Err(Error::Internal("a method was run twice".to_string())),
            Method::RandomNaswot(search) => search.search(ledger, &mut rng),
            Method::RandomAccuracy(search) => search.search(ledger, &mut rng),
            Method::Rea(search) => search.search(ledger, &mut rng),
            Method::ReaNaswot(search) => search.search(ledger, &mut rng),
            Method::Area(search) => search.search(ledger, &mut rng),
            Method::Reinforce(search) => search.search(ledger, &mut rng),
            Method::FreeRea(search) => search.search(ledger, &mut rng),
            Method::LocalSearch(search) => search.search(ledger, &mut rng),
        }
    }
}
