//! What a run asks, what that costs, and the best cell so far.

use super::budget::{Budget, MOST_EVALUATIONS};
use super::outcome::{Ended, Evaluations, Outcome, Phases};
use super::scores::{ask, Scores};
use super::trained::Trained;
use super::trajectory::{Criterion, Point};
use crate::error::{Error, Result};
use crate::measure::Measure;
use crate::space::Cell;
use std::time::Instant;

/// The sources of a run, through which everything it asks is counted.
pub(super) struct Ledger<'a> {
    scores: &'a mut dyn Scores,
    trained: Option<&'a Trained<'a>>,
    start: Instant,
    pub evaluations: Evaluations,
    pub simulated_seconds: f64,
    best: Option<Best>,
    trajectory: Vec<Point>,
}

/// The best cell so far.
#[derive(Clone, Copy)]
struct Best {
    criterion: Criterion,
    /// Compared before the score.
    class: u32,
    score: f64,
    cell: Cell,
}

impl<'a> Ledger<'a> {
    pub fn new(scores: &'a mut dyn Scores, trained: Option<&'a Trained<'a>>) -> Ledger<'a> {
        Ledger {
            scores,
            trained,
            start: Instant::now(),
            evaluations: Evaluations::default(),
            simulated_seconds: 0.0,
            best: None,
            trajectory: Vec::new(),
        }
    }

    /// The trainings.
    ///
    /// # Errors
    /// [`Error::Options`] if there are none.
    pub fn trained(&self) -> Result<&'a Trained<'a>> {
        self.trained.ok_or_else(|| {
            Error::options(
                "The method",
                "a table of accuracies after 12 epochs",
                "none",
                "Give a table of the whole space, or choose a method that does without.",
            )
        })
    }

    /// Scores of cells, counted.
    pub fn ask(&mut self, measure: Measure, cells: &[Cell]) -> Result<Vec<f64>> {
        let values = ask(self.scores, measure, cells)?;
        match measure {
            Measure::LogSynflow => self.evaluations.log_synflow += cells.len(),
            Measure::Naswot => self.evaluations.naswot += cells.len(),
            Measure::LossSlope => self.evaluations.loss_slope += cells.len(),
            other => return Err(Error::Internal(format!("a search asked for {}", other.name()))),
        }
        Ok(values)
    }

    /// The source can answer for this measure.
    pub fn supports(&self, measure: Measure) -> bool {
        self.scores.supports(measure)
    }

    /// Trains a cell: its validation accuracy, whose cost is counted, and which is offered as the best.
    pub fn train(&mut self, cell: &Cell) -> Result<f64> {
        let training = self.trained()?.of(cell)?;
        self.evaluations.trained += 1;
        self.simulated_seconds += training.seconds;
        self.offer(Criterion::ValidAccuracy, 0, training.accuracy, *cell, self.asked());
        Ok(training.accuracy)
    }

    /// naswot of cells, each offered as the best.
    pub fn naswot(&mut self, cells: &[Cell]) -> Result<Vec<f64>> {
        let before = self.asked();
        let values = self.ask(Measure::Naswot, cells)?;
        for (i, (cell, value)) in cells.iter().zip(&values).enumerate() {
            self.offer(Criterion::Naswot, 0, *value, *cell, before + i + 1);
        }
        Ok(values)
    }

    /// Cells asked for, over all measures.
    pub fn asked(&self) -> usize {
        let Evaluations { log_synflow, naswot, loss_slope, trained, .. } = self.evaluations;
        log_synflow + naswot + loss_slope + trained
    }

    /// A cell that was evaluated as number `evaluations`: the best so far if its class, then its score, is higher than of all
    /// before. Equals leave it to the earlier.
    pub fn offer(&mut self, criterion: Criterion, class: u32, score: f64, cell: Cell, evaluations: usize) {
        // Adding 0 makes −0 equal to 0.
        let better = |best: &Best| class.cmp(&best.class).then((score + 0.0).total_cmp(&(best.score + 0.0))).is_gt();
        if self.best.as_ref().is_none_or(better) {
            self.best = Some(Best { criterion, class, score, cell });
        }
        self.record(evaluations);
    }

    /// Declares the best cell so far, whatever was before.
    pub fn declare(&mut self, criterion: Criterion, score: Option<f64>, cell: Cell, evaluations: usize) {
        self.best = Some(Best { criterion, class: 0, score: score.unwrap_or(f64::NEG_INFINITY), cell });
        self.record(evaluations);
    }

    fn record(&mut self, evaluations: usize) {
        if let Some(best) = self.best {
            self.trajectory.push(Point {
                evaluations,
                seconds: self.start.elapsed().as_secs_f64(),
                simulated_seconds: self.simulated_seconds,
                criterion: best.criterion,
                score: best.score.is_finite().then_some(best.score),
                cell: best.cell,
            });
        }
    }

    /// Why the search ends now that it has evaluated so many cells; `None` if it goes on.
    pub fn spent(&self, budget: &Budget, evaluated: usize) -> Option<Ended> {
        if evaluated >= budget.evaluations.unwrap_or(MOST_EVALUATIONS).min(MOST_EVALUATIONS) {
            return Some(Ended::EvaluationsSpent);
        }
        let spent = budget.simulated_seconds.is_some_and(|limit| self.simulated_seconds >= limit);
        spent.then_some(Ended::SimulatedSecondsSpent)
    }

    /// Seconds since the run began.
    pub fn seconds(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }

    /// Ends the run: the best cell so far has won.
    pub fn close(self, ended: Ended) -> Result<Outcome> {
        let seconds = Phases { total: self.seconds(), ..Phases::default() };
        let Some(best) = self.best else {
            return Err(Error::Internal("a search ended without a cell to choose".to_string()));
        };
        Ok(Outcome {
            winner: best.cell,
            criterion: best.criterion,
            score: best.score.is_finite().then_some(best.score),
            front: Vec::new(),
            evaluations: self.evaluations,
            simulated_seconds: self.simulated_seconds,
            seconds,
            ended,
            shifted: Vec::new(),
            without_loss_slope: false,
            trajectory: self.trajectory,
        })
    }
}
