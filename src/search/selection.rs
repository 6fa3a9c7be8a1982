//! The choice of the winner: naswot, the Pareto front, LossSlope, and the Utopian distance or the sum of ranks.

use super::evolution::{Evolution, Member};
use super::ledger::Ledger;
use super::options::{EtNas, Preset, RankPool, Variant};
use super::outcome::{Finalist, Phases};
use super::pareto;
use crate::error::{Error, Result};
use crate::measure::{utopian, Measure};
use crate::space::Cell;
use std::time::Instant;

/// What the choice leaves.
#[derive(Debug)]
pub(super) struct Selection {
    pub winner: Cell,
    pub finalists: Vec<Finalist>,
    pub shifted: Vec<Measure>,
    pub without_loss_slope: bool,
}

/// The members whose naswot is asked for, in order of evaluation: the children, or the last population if there are
/// none; of maximal Degree only, but for `algorithm1` and where Degree plays no part.
pub(super) fn pool(search: &EtNas, evolution: &Evolution) -> Vec<Member> {
    let mut pool = evolution.children.clone();
    if pool.is_empty() {
        pool.extend(&evolution.population);
    }
    if search.parents_by_degree() || ranks_all(search) {
        let highest = pool.iter().map(|m| m.degree).max();
        pool.retain(|m| Some(m.degree) == highest);
    }
    pool
}

fn ranks_all(search: &EtNas) -> bool {
    search.variant == Variant::Rank && search.rank_pool == RankPool::MaxDegree
}

/// Chooses the winner among the members of the pool.
pub(super) fn select(search: &EtNas, pool: &[Member], ledger: &mut Ledger, seconds: &mut Phases) -> Result<Selection> {
    let start = Instant::now();
    let cells: Vec<Cell> = pool.iter().map(|m| m.cell).collect();
    let naswot = ledger.ask(Measure::Naswot, &cells)?;
    seconds.naswot = start.elapsed().as_secs_f64();

    let points: Vec<(f64, f64)> = pool.iter().zip(&naswot).map(|(m, n)| (m.log_synflow, *n)).collect();
    let compared = if ranks_all(search) { (0..pool.len()).collect() } else { pareto::front(&points) };
    let mut finalists: Vec<Finalist> = compared
        .into_iter()
        .map(|i| Finalist {
            cell: pool[i].cell,
            log_synflow: pool[i].log_synflow,
            naswot: naswot[i],
            loss_slope: None,
            degree: pool[i].degree,
            distance: None,
            rank_sum: None,
        })
        .collect();

    let wins_at_once = finalists.len() == 1 && search.preset == Preset::Reference;
    let known = ledger.supports(Measure::LossSlope);
    if known && !wins_at_once {
        let start = Instant::now();
        let cells: Vec<Cell> = finalists.iter().map(|f| f.cell).collect();
        for (finalist, slope) in finalists.iter_mut().zip(ledger.ask(Measure::LossSlope, &cells)?) {
            finalist.loss_slope = Some(slope);
        }
        seconds.loss_slope = start.elapsed().as_secs_f64();
    }

    let mut shifted = Vec::new();
    if wins_at_once {
        // Nothing to compare it with.
    } else if search.variant == Variant::Rank {
        rank(&mut finalists);
    } else {
        shifted = measure_distances(&mut finalists);
    }
    // `min_by` keeps the first of equals, the earlier in order of evaluation.
    let smallest = finalists.iter().min_by(|a, b| {
        let distance = |f: &Finalist| f.distance.unwrap_or(0.0);
        a.rank_sum.cmp(&b.rank_sum).then(distance(a).total_cmp(&distance(b)))
    });
    let Some(winner) = smallest.map(|f| f.cell) else {
        return Err(Error::Internal("a search ended without a cell to choose".to_string()));
    };
    let without_loss_slope = !known && !wins_at_once;
    Ok(Selection { winner, finalists, shifted, without_loss_slope })
}

/// Sets the Utopian distance of each finalist, over two measures where LossSlope was not asked for. Gives the measures
/// that had to be shifted.
fn measure_distances(finalists: &mut [Finalist]) -> Vec<Measure> {
    let slopes: Option<Vec<f64>> = finalists.iter().map(|f| f.loss_slope).collect();
    let (distances, shifted) = match slopes {
        Some(slopes) => {
            let rows: Vec<_> = finalists.iter().zip(slopes).map(|(f, s)| [f.naswot, f.log_synflow, s]).collect();
            let utopian = utopian::distances(&rows);
            (utopian.distances, utopian.shifted.to_vec())
        }
        None => {
            let rows: Vec<_> = finalists.iter().map(|f| [f.naswot, f.log_synflow]).collect();
            let utopian = utopian::distances(&rows);
            (utopian.distances, utopian.shifted.to_vec())
        }
    };
    for (finalist, distance) in finalists.iter_mut().zip(distances) {
        finalist.distance = Some(distance);
    }
    let measures = [Measure::Naswot, Measure::LogSynflow, Measure::LossSlope];
    measures.into_iter().zip(shifted).filter(|(_, shifted)| *shifted).map(|(measure, _)| measure).collect()
}

/// Sets the sum of ranks of each finalist: in each measure 1 is the best, equal values share the better rank. LossSlope
/// where not asked for adds 1 to all.
fn rank(finalists: &mut [Finalist]) {
    let columns: [fn(&Finalist) -> f64; 3] =
        [|f| f.naswot, |f| f.log_synflow, |f| f.loss_slope.unwrap_or(f64::NEG_INFINITY)];
    let sums: Vec<usize> = finalists
        .iter()
        .map(|f| columns.iter().map(|value| 1 + finalists.iter().filter(|other| value(other) > value(f)).count()).sum())
        .collect();
    for (finalist, sum) in finalists.iter_mut().zip(sums) {
        finalist.rank_sum = Some(sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::outcome::Ended;
    use crate::search::toy::Toy;

    const NONE: f64 = f64::NEG_INFINITY;

    /// Cells 0, 1, … with these (LogSynflow, naswot, LossSlope), in order of evaluation.
    fn choose(search: &EtNas, values: &[(f64, f64, f64)], has_loss_slope: bool) -> (Selection, Toy) {
        let owned = values.to_vec();
        let mut toy = Toy::with(move |measure, cell| match measure {
            Measure::Naswot => owned[cell.index()].1,
            Measure::LossSlope => owned[cell.index()].2,
            _ => f64::NAN,
        });
        toy.has_loss_slope = has_loss_slope;
        let pool = members(&values.iter().map(|v| v.0).collect::<Vec<_>>());
        let selection = select(search, &pool, &mut Ledger::new(&mut toy, None), &mut Phases::default()).unwrap();
        (selection, toy)
    }

    fn members(log_synflow: &[f64]) -> Vec<Member> {
        let cell = |i: usize| Cell::from_index(i as i64).unwrap();
        let member =
            |(i, l): (usize, &f64)| Member { cell: cell(i), degree: cell(i).degree(), log_synflow: *l, order: 20 + i };
        log_synflow.iter().enumerate().map(member).collect()
    }

    fn indices(selection: &Selection) -> Vec<usize> {
        selection.finalists.iter().map(|f| f.cell.index()).collect()
    }

    fn algorithm1() -> EtNas {
        EtNas { preset: Preset::Algorithm1, ..EtNas::default() }
    }

    #[test]
    fn the_fronts_nearest_to_the_utopian_point_wins() {
        // Cell 2 is dominated. Coordinates (naswot, LogSynflow, LossSlope): (.5, 1, .5), (1, .5, 1), (.75, .75, .75).
        let values = [(4.0, 50.0, 0.2), (2.0, 100.0, 0.4), (1.0, 40.0, 9.0), (3.0, 75.0, 0.3)];
        let (s, toy) = choose(&EtNas::default(), &values, true);
        assert_eq!(indices(&s), [0, 1, 3]);
        assert_eq!((toy.count(Measure::Naswot), toy.count(Measure::LossSlope), toy.asked.len()), (4, 3, 2));
        let distances: Vec<f64> = s.finalists.iter().map(|f| f.distance.unwrap()).collect();
        for (found, square) in distances.iter().zip([0.5f64, 0.25, 0.1875]) {
            assert!((found * found - square).abs() < 1e-12, "{distances:?}");
        }
        assert_eq!(s.winner.index(), 3);
        assert!(s.shifted.is_empty() && !s.without_loss_slope);
        assert!(s.finalists.iter().all(|f| f.rank_sum.is_none()));
        // Without LossSlope: squares .25, .25, .125.
        let (s, toy) = choose(&EtNas::default(), &values, false);
        assert_eq!((s.winner.index(), toy.count(Measure::LossSlope)), (3, 0));
        assert!((s.finalists[2].distance.unwrap().powi(2) - 0.125).abs() < 1e-12);
        assert!(s.without_loss_slope && s.finalists[0].loss_slope.is_none());
    }

    #[test]
    fn equal_distances_go_to_the_earlier() {
        // Squares .25 and .25 over two measures; duplicates too.
        let (s, _) = choose(&EtNas::default(), &[(2.0, 100.0, 0.0), (4.0, 50.0, 0.0), (4.0, 50.0, 0.0)], false);
        assert_eq!((indices(&s), s.winner.index()), (vec![0, 1, 2], 0));
    }

    #[test]
    fn a_front_of_one_needs_loss_slope_only_in_algorithm1() {
        let values = [(1.0, 1.0, 0.1), (2.0, 2.0, -0.3)];
        let (s, toy) = choose(&EtNas::default(), &values, true);
        assert_eq!((s.winner.index(), toy.count(Measure::LossSlope), s.finalists[0].distance), (1, 0, None));
        let (s, toy) = choose(&algorithm1(), &values, true);
        assert_eq!((s.winner.index(), toy.count(Measure::LossSlope), s.finalists[0].distance), (1, 1, Some(0.0)));
        assert_eq!(s.shifted, [Measure::LossSlope]);
        assert_eq!(s.finalists[0].loss_slope, Some(-0.3));
    }

    #[test]
    fn dead_and_diverged_cells_can_be_chosen_among() {
        let (s, _) = choose(&EtNas::default(), &[(5.0, NONE, NONE), (5.0, NONE, NONE)], true);
        assert_eq!((indices(&s), s.winner.index()), (vec![0, 1], 0));
        let (s, _) = choose(&EtNas::default(), &[(4.0, 50.0, NONE), (2.0, 100.0, 0.2)], true);
        assert_eq!(s.winner.index(), 1);
        assert_eq!(s.finalists[0].loss_slope, Some(NONE));
    }

    #[test]
    fn rank_sums_three_ranks() {
        let rank = EtNas { variant: Variant::Rank, ..EtNas::default() };
        // On the front 0, 1, 3. Ranks (naswot, LogSynflow, LossSlope): 3+1+2, 1+3+1, 2+2+3.
        let values = [(4.0, 50.0, 0.3), (2.0, 100.0, 0.4), (1.0, 40.0, 9.0), (3.0, 75.0, 0.2)];
        let (s, toy) = choose(&rank, &values, true);
        let sums: Vec<_> = s.finalists.iter().map(|f| f.rank_sum).collect();
        assert_eq!(sums, [Some(6), Some(5), Some(7)]);
        assert_eq!((s.winner.index(), toy.count(Measure::LossSlope)), (1, 3));
        assert!(s.finalists.iter().all(|f| f.distance.is_none()));
        // Equal values share the better rank, a diverged slope is last, ties go to the earlier: 1+2+1, 2+1+1, 3+3+3.
        let values = [(2.0, 3.0, 0.5), (3.0, 2.0, 0.5), (1.0, 1.0, NONE)];
        let all = EtNas { variant: Variant::Rank, rank_pool: RankPool::MaxDegree, ..EtNas::default() };
        let (s, toy) = choose(&all, &values, true);
        let sums: Vec<_> = s.finalists.iter().map(|f| f.rank_sum).collect();
        assert_eq!(sums, [Some(4), Some(4), Some(9)]);
        assert_eq!((s.winner.index(), toy.count(Measure::LossSlope)), (0, 3));
        // Over the front alone the third is not compared; without LossSlope it takes no part: 1+2, 2+1.
        let (s, _) = choose(&rank, &values, false);
        assert_eq!(s.finalists.iter().map(|f| f.rank_sum).collect::<Vec<_>>(), [Some(4), Some(4)]);
        assert_eq!((s.winner.index(), s.without_loss_slope), (0, true));
    }

    #[test]
    fn the_pool_is_of_maximal_degree_but_for_algorithm1() {
        let children = members(&[1.0; 40]);
        let highest = children.iter().map(|m| m.degree).max().unwrap();
        let some: Vec<Member> = children.iter().copied().filter(|m| m.degree == highest).collect();
        assert!((1..40).contains(&some.len()));
        let mut evolution = Evolution {
            population: children[10..20].iter().copied().collect(),
            children: children.clone(),
            mutations: 0,
            ended: Ended::Completed,
        };
        assert_eq!(pool(&EtNas::default(), &evolution), some);
        assert_eq!(pool(&EtNas { variant: Variant::NoDegree, ..EtNas::default() }, &evolution), some);
        assert_eq!(pool(&algorithm1(), &evolution), children);
        let all = EtNas { variant: Variant::Rank, rank_pool: RankPool::MaxDegree, ..algorithm1() };
        assert_eq!(pool(&all, &evolution), some);
        // No child at all: the last population stands in.
        evolution.children.clear();
        assert_eq!(pool(&algorithm1(), &evolution), children[10..20]);
    }
}
