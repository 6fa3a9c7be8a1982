//! ET-NAS (Mereu, Mantegna, Scagliola): evolution by LogSynflow and Degree, then a choice by naswot and LossSlope (SPEC
//! section 6).
//!
//! With the paper's setting a run asks for 61 LogSynflow, about 27 naswot and about 5 LossSlope.

use super::evolution::evolve;
use super::ledger::Ledger;
use super::options::{EtNas, Variant};
use super::outcome::{Outcome, Phases};
use super::scores::{require, Scores};
use super::selection::{pool, select};
use super::trajectory::Criterion;
use crate::error::Result;
use crate::measure::Measure;
use crate::random::Stream;

impl EtNas {
    /// Runs the search. Its decisions come from the stream of (`search_seed`, `run`): run r is the same search however
    /// many others there are.
    ///
    /// # Errors
    /// Those of [`EtNas::check`], a source that lacks LogSynflow or naswot, and whatever the source of scores reports.
    pub fn run(&self, scores: &mut dyn Scores, search_seed: u64, run: usize) -> Result<Outcome> {
        self.check()?;
        require(scores, Measure::LogSynflow)?;
        require(scores, Measure::Naswot)?;
        let mut ledger = Ledger::new(scores, None);
        let mut seconds = Phases::default();
        let evolution = evolve(self, &mut ledger, &mut Stream::new(search_seed, &[run as u64]))?;
        seconds.evolution = ledger.seconds();
        let selection = select(self, &pool(self, &evolution), &mut ledger, &mut seconds)?;
        ledger.evaluations.mutations = evolution.mutations;
        ledger.evaluations.children = evolution.children.len();
        let winner = selection.finalists.iter().find(|f| f.cell == selection.winner);
        let (criterion, score) = match self.variant {
            Variant::Rank => (Criterion::RankSum, winner.and_then(|f| f.rank_sum).map(|sum| sum as f64)),
            _ => (Criterion::Utopian, winner.and_then(|f| f.distance)),
        };
        let asked = ledger.asked();
        ledger.declare(criterion, score, selection.winner, asked);
        seconds.total = ledger.seconds();
        Ok(Outcome {
            front: selection.finalists,
            seconds,
            shifted: selection.shifted,
            without_loss_slope: selection.without_loss_slope,
            ..ledger.close(evolution.ended)?
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Error, Result};
    use crate::search::options::{Preset, RankPool, Variant};
    use crate::search::outcome::Ended;
    use crate::search::toy::Toy;
    use crate::space::{Cell, SPACE_SIZE};

    fn run(search: &EtNas, seed: u64, r: usize) -> (Outcome, Toy) {
        let mut toy = Toy::new();
        let outcome = search.run(&mut toy, seed, r).unwrap();
        assert!(outcome.seconds.total >= outcome.seconds.evolution);
        (outcome.timeless(), toy)
    }

    #[test]
    fn a_run_is_a_function_of_seed_and_number_alone() {
        for search in [EtNas::default(), EtNas { preset: Preset::Algorithm1, ..EtNas::default() }] {
            let many: Vec<Outcome> = (0..5).map(|r| run(&search, 7, r).0).collect();
            assert_eq!(run(&search, 7, 3).0, many[3]);
            assert_ne!(many[0].front, many[1].front);
            assert_ne!(run(&search, 8, 0).0.front, many[0].front);
        }
    }

    #[test]
    fn what_was_asked_is_what_is_counted() {
        let rank_all = EtNas { variant: Variant::Rank, rank_pool: RankPool::MaxDegree, ..EtNas::default() };
        let algorithm1 = EtNas { preset: Preset::Algorithm1, ..EtNas::default() };
        for search in [EtNas::default(), EtNas { variant: Variant::NoDegree, ..EtNas::default() }, rank_all, algorithm1]
        {
            let (outcome, toy) = run(&search, 1, 0);
            let counts = outcome.evaluations;
            assert_eq!(counts.log_synflow, toy.count(Measure::LogSynflow));
            assert_eq!(counts.naswot, toy.count(Measure::Naswot));
            assert_eq!(counts.loss_slope, toy.count(Measure::LossSlope));
            // naswot and LossSlope are asked for in one go.
            assert!(toy.asked.iter().filter(|(m, _)| *m != Measure::LogSynflow).count() <= 2);
            assert!(outcome.front.iter().any(|f| f.cell == outcome.winner));
            assert_eq!(counts.log_synflow, counts.children + 20);
        }
    }

    #[test]
    fn an_ordinary_run_has_no_notes_and_a_strange_one_says_so() {
        let (outcome, _) = run(&EtNas::default(), 2, 0);
        assert_eq!((outcome.ended, outcome.notes()), (Ended::Completed, vec![]));
        let whole = EtNas { population: SPACE_SIZE, cycles: SPACE_SIZE, ..EtNas::default() };
        let (outcome, toy) = run(&whole, 2, 0);
        assert_eq!((outcome.ended, outcome.winner.degree()), (Ended::SpaceExhausted, 7));
        assert_eq!((toy.count(Measure::LogSynflow), outcome.evaluations.naswot), (SPACE_SIZE, 72));
        let notes = outcome.notes().join(" ");
        assert!(notes.contains("every isomorphism class") && notes.contains("No child was accepted"), "{notes}");
        let algorithm1 = EtNas { preset: Preset::Algorithm1, ..EtNas::default() };
        let stalled = algorithm1.run(&mut Toy::network_like(), 2, 0).unwrap();
        assert!(stalled.notes()[0].contains("1000 mutants in a row were rejected"), "{:?}", stalled.notes());
    }

    #[test]
    fn hopeless_values_end_in_a_choice() {
        for search in [EtNas::default(), EtNas { preset: Preset::Algorithm1, ..EtNas::default() }] {
            let mut dead = Toy::with(|_, _| f64::NEG_INFINITY);
            let outcome = search.run(&mut dead, 5, 0).unwrap();
            // All equal: everybody is on the front, and the earliest evaluated wins.
            assert_eq!(outcome.front.len(), outcome.evaluations.naswot);
            assert_eq!(outcome.winner, outcome.front[0].cell);
        }
    }

    #[test]
    fn sources_that_break_their_promise_are_refused() {
        for wrong in [f64::NAN, f64::INFINITY] {
            let mut toy = Toy::with(move |_, _| wrong);
            let error = EtNas::default().run(&mut toy, 0, 0).unwrap_err();
            assert!(error.to_string().contains("log-synflow of cell"), "{error}");
        }
        struct Short;
        impl Scores for Short {
            fn supports(&self, _: Measure) -> bool {
                true
            }
            fn scores(&mut self, _: Measure, cells: &[Cell]) -> Result<Vec<f64>> {
                Ok(vec![1.0; cells.len() - 1])
            }
        }
        let error = EtNas::default().run(&mut Short, 0, 0).unwrap_err();
        assert!(matches!(&error, Error::Internal(text) if text.contains("20 cells got 19 values")), "{error}");
        struct Nothing;
        impl Scores for Nothing {
            fn supports(&self, measure: Measure) -> bool {
                measure == Measure::LogSynflow
            }
            fn scores(&mut self, _: Measure, _: &[Cell]) -> Result<Vec<f64>> {
                Err(Error::Interrupted)
            }
        }
        let error = EtNas::default().run(&mut Nothing, 0, 0).unwrap_err();
        assert!(error.to_string().contains("a source that knows naswot"), "{error}");
    }
}
