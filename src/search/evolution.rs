//! The evolution of ET-NAS: tournaments by LogSynflow and Degree, mutation, no isomorphism class twice, the oldest
//! leaves.

use super::ledger::Ledger;
use super::options::EtNas;
use super::outcome::Ended;
use super::trajectory::Criterion;
use crate::error::{Error, Result};
use crate::measure::Measure;
use crate::random::Stream;
use crate::space::{mutate, Cell, SPACE_SIZE};
use std::collections::{HashSet, VecDeque};

/// Isomorphism classes of the space (SPEC section 1).
const CLASSES: usize = 6_466;

/// An evaluated cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Member {
    pub cell: Cell,
    pub degree: u32,
    pub log_synflow: f64,
    /// When it was evaluated, counted from 0: ties go to the earlier.
    pub order: usize,
}

/// What the evolution leaves.
#[derive(Debug)]
pub(super) struct Evolution {
    /// The last population, oldest first.
    pub population: VecDeque<Member>,
    /// All accepted children, in order of evaluation.
    pub children: Vec<Member>,
    /// Mutants made.
    pub mutations: usize,
    pub ended: Ended,
}

/// The member that becomes a parent, of a sample that is not empty: by Degree and then LogSynflow, or by LogSynflow alone, the
/// earlier in order of evaluation among equals.
pub(super) fn parent<'a>(by_degree: bool, sample: impl Iterator<Item = &'a Member>) -> Option<&'a Member> {
    let degree = |m: &Member| if by_degree { m.degree } else { 0 };
    sample.max_by(|a, b| {
        let by_score = degree(a).cmp(&degree(b)).then((a.log_synflow + 0.0).total_cmp(&(b.log_synflow + 0.0)));
        by_score.then(b.order.cmp(&a.order))
    })
}

/// Runs the evolution. The options have been checked.
pub(super) fn evolve(search: &EtNas, ledger: &mut Ledger, rng: &mut Stream) -> Result<Evolution> {
    let starters = rng
        .distinct(search.population, SPACE_SIZE)
        .into_iter()
        .map(|index| Cell::from_index(index as i64))
        .collect::<Result<Vec<Cell>>>()?;
    let by_degree = search.parents_by_degree();
    let values = ledger.ask(Measure::LogSynflow, &starters)?;
    let mut seen: HashSet<String> = starters.iter().map(Cell::unique_string).collect();
    let mut population: VecDeque<Member> = starters
        .into_iter()
        .zip(values)
        .enumerate()
        .map(|(order, (cell, log_synflow))| Member { cell, degree: cell.degree(), log_synflow, order })
        .collect();
    let offer = |ledger: &mut Ledger, m: &Member| {
        let class = if by_degree { m.degree } else { 0 };
        ledger.offer(Criterion::LogSynflow, class, m.log_synflow, m.cell, m.order + 1);
    };
    population.iter().for_each(|member| offer(ledger, member));

    // The history is a list: isomorphic starters count each, though `seen` holds their class once.
    let mut history = population.len();
    let mut children = Vec::new();
    let (mut mutations, mut rejections) = (0, 0);
    let mut ended = Ended::Completed;
    while history <= search.cycles {
        if seen.len() == CLASSES {
            ended = Ended::SpaceExhausted;
            break;
        }
        if rejections == search.patience {
            ended = Ended::Stalled { rejections };
            break;
        }
        let sample = rng.distinct(search.sample, population.len());
        let Some(parent) = parent(by_degree, sample.into_iter().map(|i| &population[i])).copied() else {
            return Err(Error::Internal("a tournament without members was asked for".to_string()));
        };
        let cell = mutate(&parent.cell, rng);
        let degree = cell.degree();
        mutations += 1;
        if !search.rule().accepts(degree, parent.degree) || !seen.insert(cell.unique_string()) {
            rejections += 1;
            continue;
        }
        rejections = 0;
        let Some(&log_synflow) = ledger.ask(Measure::LogSynflow, &[cell])?.first() else {
            return Err(Error::Internal("a child got no LogSynflow".to_string()));
        };
        let child = Member { cell, degree, log_synflow, order: history };
        offer(ledger, &child);
        population.pop_front();
        population.push_back(child);
        children.push(child);
        history += 1;
    }
    Ok(Evolution { population, children, mutations, ended })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::options::{DegreeRule, Preset, Variant};
    use crate::search::toy::Toy;

    fn run(search: &EtNas, seed: u64) -> (Evolution, Toy) {
        let mut toy = Toy::new();
        let evolution = evolve(search, &mut Ledger::new(&mut toy, None), &mut Stream::new(seed, &[0])).unwrap();
        (evolution, toy)
    }

    #[test]
    fn parents_by_rule_and_ties_to_the_earlier() {
        let member = |index: i64, degree, log_synflow, order| Member {
            cell: Cell::from_index(index).unwrap(),
            degree,
            log_synflow,
            order,
        };
        let sample = [
            member(0, 3, 9.0, 4),
            member(1, 5, 2.0, 3),
            member(2, 5, 7.0, 2),
            member(3, 5, 7.0, 1),
            member(4, 5, f64::NEG_INFINITY, 0),
        ];
        assert_eq!(parent(true, sample.iter()), Some(&sample[3]));
        assert_eq!(parent(true, sample.iter().rev()), Some(&sample[3]));
        assert_eq!(parent(false, sample.iter()), Some(&sample[0]));
        assert_eq!(parent(false, sample[1..].iter()), Some(&sample[3]));
        let zeros = [member(0, 1, -0.0, 0), member(1, 1, 0.0, 1)];
        assert_eq!(parent(true, zeros.iter()), Some(&zeros[0]));
        assert_eq!(parent(true, [].iter()), None);
    }

    #[test]
    fn there_are_as_many_classes_as_stated() {
        let classes: HashSet<String> = Cell::all().map(|cell| cell.unique_string()).collect();
        assert_eq!(classes.len(), CLASSES);
    }

    #[test]
    fn the_papers_setting_accepts_41_children_of_new_classes() {
        for seed in 0..20 {
            let (evolution, toy) = run(&EtNas::default(), seed);
            assert_eq!(evolution.ended, Ended::Completed);
            assert_eq!((evolution.children.len(), toy.count(Measure::LogSynflow)), (41, 61));
            assert_eq!(toy.asked.iter().map(|(_, cells)| cells.len()).sum::<usize>(), 61);
            // Starters are asked for together.
            assert_eq!(toy.asked[0].1.len(), 20);
            let starters: HashSet<Cell> = toy.asked[0].1.iter().copied().collect();
            assert_eq!(starters.len(), 20);
            let mut seen: HashSet<String> = starters.iter().map(Cell::unique_string).collect();
            for (i, child) in evolution.children.iter().enumerate() {
                assert!(seen.insert(child.cell.unique_string()), "class seen before");
                assert_eq!((child.degree, child.order), (child.cell.degree(), 20 + i));
                assert_eq!(child.log_synflow, Toy::new().value(Measure::LogSynflow, &child.cell));
            }
            // The oldest left: what lives are the 20 youngest.
            assert_eq!(evolution.population.iter().copied().collect::<Vec<_>>(), evolution.children[21..]);
        }
    }

    #[test]
    fn cycles_equal_to_the_population_give_one_child() {
        let (evolution, _) = run(&EtNas { cycles: 20, ..EtNas::default() }, 3);
        assert_eq!((evolution.children.len(), evolution.population.len()), (1, 20));
    }

    #[test]
    fn isomorphic_starters_count_twice() {
        // 12,000 of 15,625 cells cannot all be of different classes, yet the history is full of them at once.
        let search = EtNas { population: 12_000, cycles: 12_000, variant: Variant::NoDegree, ..EtNas::default() };
        let (evolution, toy) = run(&search, 4);
        assert_eq!((evolution.children.len(), toy.count(Measure::LogSynflow)), (1, 12_001));
    }

    #[test]
    fn the_printed_rule_stalls_and_says_so() {
        let search = EtNas { preset: Preset::Algorithm1, ..EtNas::default() };
        for seed in 0..10 {
            let evolution =
                evolve(&search, &mut Ledger::new(&mut Toy::network_like(), None), &mut Stream::new(seed, &[0]))
                    .unwrap();
            assert_eq!(evolution.ended, Ended::Stalled { rejections: search.patience });
            assert!((5..41).contains(&evolution.children.len()), "{} children", evolution.children.len());
            assert!(evolution.mutations >= search.patience + evolution.children.len());
        }
    }

    #[test]
    fn searches_without_end_end() {
        let endless = EtNas { cycles: usize::MAX, patience: 2_000, ..EtNas::default() };
        let (evolution, toy) = run(&endless, 1);
        assert_eq!(evolution.ended, Ended::Stalled { rejections: 2_000 });
        assert_eq!(toy.count(Measure::LogSynflow), 20 + evolution.children.len());

        let whole = EtNas { population: SPACE_SIZE, cycles: SPACE_SIZE, ..EtNas::default() };
        let (evolution, _) = run(&whole, 1);
        assert_eq!((evolution.ended, evolution.children.len()), (Ended::SpaceExhausted, 0));

        let open = EtNas { cycles: usize::MAX, degree_rule: Some(DegreeRule::Off), ..EtNas::default() };
        let (evolution, _) = run(&open, 1);
        assert_ne!(evolution.ended, Ended::Completed);
        assert!(evolution.children.len() > 1_000);
    }
}
