//! Stand-in, replaced at merge: draws cells and keeps the best.

mod live;

pub use live::LiveScores;

use crate::error::{Error, Result};
use crate::measure::Measure;
use crate::random::Stream;
use crate::space::{Cell, SPACE_SIZE};
use std::fmt;

/// Scores to search over.
pub trait Scores {
    /// Has it.
    fn supports(&self, measure: Measure) -> bool;
    /// Gives it.
    fn scores(&mut self, measure: Measure, cells: &[Cell]) -> Result<Vec<f64>>;
}

macro_rules! names {
    ($(#[$doc:meta])* $type:ident, $kind:literal, $($variant:ident $name:literal),*) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $type { $(
            /// A choice.
            $variant ),* }
        impl $type {
            /// All.
            pub const ALL: &'static [$type] = &[$($type::$variant),*];
            /// Its name.
            pub fn name(self) -> &'static str { match self { $($type::$variant => $name),* } }
            /// By name.
            pub fn from_name(name: &str) -> Result<$type> {
                match name { $($name => Ok($type::$variant),)* _ => Err(Error::UnknownName {
                    kind: $kind, found: name.to_string(), allowed: vec![$($name.to_string()),*],
                }) }
            }
        }
    };
}
names!(/// Preset.
    Preset, "preset", Reference "reference", Algorithm1 "algorithm1");
names!(/// Variant.
    Variant, "variant", EtNas "et-nas", NoDegree "no-degree", Rank "rank");
names!(/// Rule.
    DegreeRule, "degree rule", Ge "ge", Gt "gt", Off "off");
names!(/// Pool.
    RankPool, "rank pool", Front "front", MaxDegree "max-degree");

/// The search.
#[derive(Clone, Debug)]
pub struct EtNas {
    /// Preset.
    pub preset: Preset,
    /// Variant.
    pub variant: Variant,
    /// Rule.
    pub degree_rule: Option<DegreeRule>,
    /// Pool.
    pub rank_pool: RankPool,
    /// P.
    pub population: usize,
    /// S.
    pub sample: usize,
    /// C.
    pub cycles: usize,
    /// Patience.
    pub patience: usize,
}

impl Default for EtNas {
    fn default() -> EtNas {
        EtNas {
            preset: Preset::Reference,
            variant: Variant::EtNas,
            degree_rule: None,
            rank_pool: RankPool::Front,
            population: 20,
            sample: 5,
            cycles: 60,
            patience: 10_000,
        }
    }
}

/// Result.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Winner.
    pub winner: Cell,
    /// Front.
    pub front: Vec<Finalist>,
    /// Counts.
    pub evaluations: Evaluations,
    /// Seconds.
    pub seconds: Phases,
    /// How.
    pub ended: Ended,
}

/// Of the front.
#[derive(Clone, Debug)]
pub struct Finalist {
    /// Cell.
    pub cell: Cell,
    /// LogSynflow.
    pub log_synflow: f64,
    /// naswot.
    pub naswot: f64,
    /// LossSlope.
    pub loss_slope: Option<f64>,
    /// Degree.
    pub degree: u32,
    /// Distance.
    pub distance: Option<f64>,
}

/// Counts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Evaluations {
    /// LogSynflow.
    pub log_synflow: usize,
    /// naswot.
    pub naswot: usize,
    /// LossSlope.
    pub loss_slope: usize,
    /// Mutations.
    pub mutations: usize,
    /// Children.
    pub children: usize,
}

/// Seconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Phases {
    /// Evolution.
    pub evolution: f64,
    /// naswot.
    pub naswot: f64,
    /// LossSlope.
    pub loss_slope: f64,
    /// Total.
    pub total: f64,
}

/// How it ended.
#[derive(Clone, Copy, Debug)]
pub struct Ended;

impl Ended {
    /// Complete.
    pub fn is_complete(&self) -> bool {
        true
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("The history passed 60 cells.")
    }
}

impl EtNas {
    /// Checks.
    pub fn check(&self) -> Result<()> {
        let wrong = |what: &str, expected: String, found: usize| {
            Err(Error::options(what, expected, found.to_string(), "Change one of the two."))
        };
        if self.population > SPACE_SIZE {
            return wrong("--population", format!("at most {SPACE_SIZE}, the size of the space"), self.population);
        }
        if self.sample > self.population {
            return wrong("--sample", format!("at most the population, {}", self.population), self.sample);
        }
        if self.cycles < self.population {
            return wrong("--cycles", format!("at least the population, {}", self.population), self.cycles);
        }
        Ok(())
    }

    /// Searches.
    pub fn run(&self, scores: &mut dyn Scores, search_seed: u64, run: usize) -> Result<Outcome> {
        let mut stream = Stream::new(search_seed, &[run as u64]);
        let cells: Vec<Cell> = stream
            .distinct(self.cycles + 1, SPACE_SIZE)
            .into_iter()
            .filter_map(|i| Cell::from_index(i as i64).ok())
            .collect();
        let synflow = scores.scores(Measure::LogSynflow, &cells)?;
        let few = &cells[..5];
        let naswot = scores.scores(Measure::Naswot, few)?;
        let slope = scores.scores(Measure::LossSlope, few)?;
        let front: Vec<Finalist> = (0..few.len())
            .map(|i| Finalist {
                cell: few[i],
                log_synflow: synflow[i],
                naswot: naswot[i],
                loss_slope: Some(slope[i]),
                degree: few[i].degree(),
                distance: Some(0.1 * i as f64),
            })
            .collect();
        Ok(Outcome {
            winner: few[0],
            front,
            evaluations: Evaluations {
                log_synflow: cells.len(),
                naswot: 5,
                loss_slope: 5,
                mutations: 245,
                children: 41,
            },
            seconds: Phases { evolution: 1.25, naswot: 2.5, loss_slope: 3.75, total: 7.5 },
            ended: Ended,
        })
    }
}
