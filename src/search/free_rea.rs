//! FreeREA (Cavagnero, Robbiano, Caputo, Averta 2023): regularised evolution by three training-free measures together.

use super::budget::evaluations_in_range;
use super::ledger::Ledger;
use super::options::{positive, tournament};
use super::outcome::{Ended, Outcome};
use super::random::draw;
use super::trajectory::Criterion;
use crate::error::Result;
use crate::measure::Measure;
use crate::random::Stream;
use crate::space::{Cell, Op, EDGES, SPACE_SIZE};
use serde::Serialize;
use std::collections::HashMap;

/// FreeREA. A cell's rank in a set is the sum of its naswot, LogSynflow and mean skipped layers, each divided by the largest
/// magnitude in the set. The two highest ranks of a sample give a mutant each and a crossover; then the oldest member leaves, and
/// the lowest ranks until the population is as large as before. The highest rank of all cells evaluated wins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FreeRea {
    /// Cells that live at a time; the first are drawn with replacement, and each lives once.
    pub population: usize,
    /// Distinct members, of which the two highest ranks become the parents.
    pub sample: usize,
    /// Cells evaluated, each by naswot and LogSynflow; a cell that comes up again costs nothing.
    pub evaluations: usize,
    /// Children in a row that had all been evaluated before, after which the search counts as stalled: a population that has
    /// converged makes hardly any other.
    pub patience: usize,
}

impl Default for FreeRea {
    fn default() -> FreeRea {
        FreeRea { population: 100, sample: 25, evaluations: 1_000, patience: 1_000 }
    }
}

/// What keeps a rank's divisors from 0.
const EPSILON: f64 = 1e-9;

/// naswot, LogSynflow, mean skipped layers.
type Values = [f64; 3];

/// A member of the population.
#[derive(Clone, Copy)]
struct Member {
    cell: Cell,
    values: Values,
    generation: usize,
}

impl FreeRea {
    pub(super) fn check(&self) -> Result<()> {
        tournament(self.population, self.sample, (100, 25))?;
        positive("patience", self.patience, "The default is 1000.")?;
        evaluations_in_range(self.evaluations)
    }

    pub(super) fn search(&self, ledger: Ledger, rng: &mut Stream) -> Result<Outcome> {
        let mut history = History { ledger, places: HashMap::new(), cells: Vec::new(), largest: [0.0; 3], best: 0 };
        let first = (0..self.population).map(|_| draw(rng)).collect::<Result<Vec<Cell>>>()?;
        // In the order of birth; a member that is born again keeps its place, but not its age.
        let mut population: Vec<Member> = Vec::new();
        history.join(&mut population, &first, 0, self.evaluations)?;

        let (mut generation, mut fruitless) = (0, 0);
        let ended = loop {
            if history.cells.len() >= self.evaluations {
                break Ended::EvaluationsSpent;
            }
            if history.cells.len() == SPACE_SIZE {
                break Ended::SpaceExhausted;
            }
            if fruitless >= self.patience {
                break Ended::Stalled { rejections: fruitless };
            }
            generation += 1;
            let known = history.cells.len();
            let drawn = rng.distinct(self.sample.min(population.len()), population.len());
            let sample: Vec<Member> = drawn.into_iter().filter_map(|i| population.get(i).copied()).collect();
            let parents: Vec<Cell> =
                by_rank(&sample).into_iter().take(2).filter_map(|i| sample.get(i).map(|member| member.cell)).collect();
            let mut children: Vec<Cell> = parents.iter().map(|parent| mutant(parent, rng)).collect();
            if let [one, other] = parents.as_slice() {
                children.push(crossover(one, other, rng));
            }
            history.ledger.evaluations.mutations += children.len();
            history.join(&mut population, &children, generation, self.evaluations)?;
            history.ledger.evaluations.children += history.cells.len() - known;
            fruitless = if history.cells.len() > known { 0 } else { fruitless + children.len() };
            if population.len() > self.population {
                let oldest = population.iter().enumerate().min_by_key(|(_, member)| member.generation);
                if let Some((place, _)) = oldest {
                    population.remove(place);
                }
                let mut places = by_rank(&population);
                places.truncate(self.population);
                // Back to the order of birth.
                places.sort_unstable();
                population = places.into_iter().filter_map(|place| population.get(place).copied()).collect();
            }
        };
        history.ledger.close(ended)
    }
}

/// All cells evaluated.
struct History<'a> {
    ledger: Ledger<'a>,
    places: HashMap<Cell, usize>,
    cells: Vec<(Cell, Values)>,
    /// The largest magnitude of each value.
    largest: Values,
    /// The place of the highest rank.
    best: usize,
}

impl History<'_> {
    /// Lets cells join the population, each evaluated if it never was, while the budget lasts. A member that comes up again is
    /// as young as its last birth.
    fn join(&mut self, population: &mut Vec<Member>, cells: &[Cell], generation: usize, most: usize) -> Result<()> {
        let mut new: Vec<Cell> = Vec::new();
        for cell in cells {
            if !self.places.contains_key(cell) && self.cells.len() + new.len() < most {
                self.places.insert(*cell, self.cells.len() + new.len());
                new.push(*cell);
            }
        }
        self.evaluate(&new)?;
        for cell in cells {
            let Some((_, values)) = self.places.get(cell).and_then(|place| self.cells.get(*place)).copied() else {
                continue;
            };
            match population.iter_mut().find(|member| member.cell == *cell) {
                Some(member) => member.generation = generation,
                None => population.push(Member { cell: *cell, values, generation }),
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, cells: &[Cell]) -> Result<()> {
        let before = self.ledger.asked();
        let naswot = self.ledger.ask(Measure::Naswot, cells)?;
        let log_synflow = self.ledger.ask(Measure::LogSynflow, cells)?;
        for (i, (cell, (naswot, log_synflow))) in cells.iter().zip(naswot.into_iter().zip(log_synflow)).enumerate() {
            let values = [naswot, log_synflow, skipped_layers(cell)];
            self.cells.push((*cell, values));
            let larger = largest([&self.largest, &values].into_iter());
            let place = self.cells.len() - 1;
            let rank_of = |place: usize| self.cells.get(place).map_or(f64::NEG_INFINITY, |(_, v)| rank(v, &larger));
            if larger == self.largest {
                if rank_of(place) > rank_of(self.best) {
                    self.best = place;
                }
            } else {
                // Another divisor reorders all.
                let mut best = 0;
                for place in 0..self.cells.len() {
                    if rank_of(place) > rank_of(best) {
                        best = place;
                    }
                }
                self.best = best;
            }
            let best_rank = rank_of(self.best);
            self.largest = larger;
            if let Some((best, _)) = self.cells.get(self.best) {
                self.ledger.declare(Criterion::FreeReaRank, Some(best_rank), *best, before + 2 * (i + 1));
            }
        }
        Ok(())
    }
}

/// The places of members by their rank among themselves, highest first; of equals the first.
fn by_rank(members: &[Member]) -> Vec<usize> {
    let divisors = largest(members.iter().map(|member| &member.values));
    let mut ranked: Vec<(f64, usize)> =
        members.iter().enumerate().map(|(place, member)| (rank(&member.values, &divisors), place)).collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    ranked.into_iter().map(|(_, place)| place).collect()
}

/// The largest finite magnitude of each value.
fn largest<'a>(all: impl Iterator<Item = &'a Values>) -> Values {
    let mut largest = [0.0f64; 3];
    for values in all {
        for (most, value) in largest.iter_mut().zip(values) {
            if value.is_finite() {
                *most = most.max(value.abs());
            }
        }
    }
    largest
}

/// −∞ where a value is.
fn rank(values: &Values, largest: &Values) -> f64 {
    values.iter().zip(largest).map(|(value, most)| value / (most + EPSILON)).sum()
}

/// FreeREA's third measure: the nodes that a skip connection jumps, on the mean over the cell's skip connections; 0 without any.
fn skipped_layers(cell: &Cell) -> f64 {
    let skips = cell.ops().iter().zip(EDGES).filter(|(op, _)| **op == Op::SkipConnect);
    let jumped: Vec<usize> = skips.map(|(_, (from, to))| to - from - 1).collect();
    if jumped.is_empty() {
        return 0.0;
    }
    jumped.iter().sum::<usize>() as f64 / jumped.len() as f64
}

/// One of the six edges uniformly gets another of the five operations uniformly. ET-NAS and REA choose the node first.
fn mutant(cell: &Cell, rng: &mut Stream) -> Cell {
    let mut ops = *cell.ops();
    let edge = rng.below(EDGES.len());
    let other = 1 + rng.below(Op::ALL.len() - 1);
    if let Some(op) = ops.get_mut(edge) {
        *op = Op::ALL[(*op as usize + other) % Op::ALL.len()];
    }
    Cell::new(ops)
}

/// Each edge has the operation of either parent, as likely.
fn crossover(one: &Cell, other: &Cell, rng: &mut Stream) -> Cell {
    let mut ops = *one.ops();
    for (op, of_other) in ops.iter_mut().zip(other.ops()) {
        if rng.below(2) == 1 {
            *op = *of_other;
        }
    }
    Cell::new(ops)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(text: &str) -> Cell {
        Cell::parse(text, crate::space::Encoding::Ops).unwrap()
    }

    #[test]
    fn skipped_layers_by_hand() {
        for (ops, expected) in [
            ("0,0,0,0,0,0", 0.0),
            ("1,0,0,0,0,0", 0.0),
            ("0,0,0,1,0,0", 2.0),
            ("1,1,1,1,1,1", 4.0 / 6.0),
            ("3,1,1,2,1,0", 2.0 / 3.0),
        ] {
            assert_eq!(skipped_layers(&cell(ops)), expected, "{ops}");
        }
    }

    #[test]
    fn ranks_by_hand() {
        let all = [[100.0, 2.0, 0.5], [-200.0, 4.0, 0.0], [f64::NEG_INFINITY, 1.0, 2.0]];
        let divisors = largest(all.iter());
        assert_eq!(divisors, [200.0, 4.0, 2.0]);
        let ranks = all.map(|values| rank(&values, &divisors));
        assert!((ranks[0] - 1.25).abs() < 1e-8 && ranks[1].abs() < 1e-8, "{ranks:?}");
        assert_eq!(ranks[2], f64::NEG_INFINITY);
        let dead = [f64::NEG_INFINITY, 0.0, 0.0];
        assert_eq!(rank(&dead, &largest([dead].iter())), f64::NEG_INFINITY);
    }

    #[test]
    fn mutants_differ_in_one_edge_each_as_often_and_crossovers_mix() {
        let (one, other) = (cell("0,1,2,3,4,0"), cell("4,3,2,1,0,4"));
        let mut rng = Stream::new(5, &[]);
        let mut changed = [0usize; 6];
        for _ in 0..6_000 {
            let child = mutant(&one, &mut rng);
            let edges: Vec<usize> = (0..6).filter(|e| child.ops()[*e] != one.ops()[*e]).collect();
            assert_eq!(edges.len(), 1);
            changed[edges[0]] += 1;
            let child = crossover(&one, &other, &mut rng);
            assert!((0..6).all(|e| [one.ops()[e], other.ops()[e]].contains(&child.ops()[e])));
        }
        assert!(changed.iter().all(|n| (880..1_120).contains(n)), "{changed:?}");
    }
}
