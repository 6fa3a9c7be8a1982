//! The paper's figures: means and standard deviations over 30 runs, test accuracy in % after 200 epochs, seconds of one search.
//!
//! Source: *ET-NAS: Efficient near-Training-free Neural Architecture Search* (Mereu, Mantegna, Scagliola), Tables I to V. Where two columns
//! of the paper disagree with the output of its own experiment, the output stands here and [`Published::remark`] says what is printed.

use crate::input::Dataset;

/// A figure as published.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Published {
    /// The mean (of a correlation: the coefficient).
    pub mean: f64,
    /// The standard deviation over the runs.
    pub std: Option<f64>,
    /// Seconds of one search, mean.
    pub seconds: Option<f64>,
    /// What a reader must know of the printed figure.
    pub remark: Option<&'static str>,
}

/// Runs behind each published mean.
pub const RUNS: usize = 30;

/// Numbers of cells drawn in Tables I and II.
pub const DRAWN: [usize; 3] = [10, 100, 1000];

/// `(mean, deviation, seconds)` by row and data set.
type Rows<const N: usize> = [[(f64, f64, f64); 3]; N];
type NamedRows<const N: usize> = [(&'static str, [(f64, f64, f64); 3]); N];

/// Table I: random search by naswot.
const TABLE_1: Rows<3> = [
    [(92.59, 0.67, 1.09), (68.91, 2.08, 1.67), (41.69, 3.40, 0.78)],
    [(92.92, 0.81, 10.81), (69.70, 1.40, 10.84), (42.64, 3.63, 8.09)],
    [(92.99, 0.81, 108.72), (70.16, 0.68, 108.79), (44.34, 2.59, 77.6)],
];

/// Table II: random search by validation accuracy after 12 epochs; the seconds are those of simulated training.
const TABLE_2: Rows<3> = [
    [(92.64, 0.94, 1134.0), (68.94, 1.45, 2220.0), (41.45, 2.75, 6594.0)],
    [(93.98, 0.25, 11083.0), (71.21, 1.08, 22124.0), (44.83, 1.50, 66670.0)],
    [(94.09, 0.28, 112_872.0), (72.11, 0.89, 220_177.0), (46.21, 0.58, 665_714.0)],
];

/// Table III: Kendall's τ and Spearman's ρ of naswot, LogSynflow, LossSlope and utopian distance, by data set.
const TABLE_3: [[(f64, f64); 4]; 3] = [
    [(0.61, 0.79), (0.63, 0.83), (0.65, 0.84), (0.74, 0.91)],
    [(0.62, 0.81), (0.61, 0.81), (0.64, 0.84), (0.74, 0.90)],
    [(0.60, 0.78), (0.60, 0.79), (0.62, 0.82), (0.65, 0.83)],
];

/// Table IV: the variants, P = 20, C = 60.
const TABLE_4: NamedRows<3> = [
    ("RANK", [(94.24, 0.21, 29.0), (72.81, 0.41, 32.0), (46.48, 0.28, 22.0)]),
    ("NO DEGREE", [(93.98, 0.45, 14.0), (72.54, 0.43, 16.0), (45.53, 1.07, 14.0)]),
    ("ET-NAS", [(94.36, 0.02, 28.0), (73.46, 0.13, 29.0), (46.40, 0.19, 20.0)]),
];

/// Table V: other methods, on an RTX 3080.
const TABLE_5: NamedRows<8> = [
    ("REA", [(94.02, 0.31, 2e4), (72.23, 0.84, 4e4), (45.77, 0.80, 1.2e5)]),
    ("REINFORCE", [(93.90, 0.26, 2e4), (71.86, 0.89, 4e4), (45.64, 0.78, 1.2e5)]),
    ("DARTS", [(65.38, 7.84, 2e4), (60.49, 4.95, 4e4), (36.79, 7.59, 1.2e5)]),
    ("ENAS", [(93.76, 0.00, 2e4), (70.67, 0.62, 4e4), (41.44, 0.00, 1.2e5)]),
    ("TE-NAS", [(93.18, 0.39, 327.0), (70.24, 1.05, 327.0), (43.55, 8.24, 278.0)]),
    ("TF-MOENAS", [(93.96, 0.10, 7753.0), (71.94, 0.50, 8361.0), (45.68, 1.24, 9091.0)]),
    ("GenNAS-N", [(94.18, 0.10, 1200.0), (72.56, 0.74, 1200.0), (45.59, 0.54, 1200.0)]),
    ("ET-NAS", [(94.36, 0.02, 28.0), (73.46, 0.13, 29.0), (46.40, 0.19, 20.0)]),
];

fn accuracy((mean, std, seconds): (f64, f64, f64), remark: Option<&'static str>) -> Published {
    Published { mean, std: Some(std), seconds: Some(seconds), remark }
}

/// A figure of Table I; `n` is one of [`DRAWN`].
pub fn table1(n: usize, dataset: Dataset) -> Option<Published> {
    let row = DRAWN.iter().position(|drawn| *drawn == n)?;
    let remark = match (n, dataset) {
        (100, Dataset::ImageNet16) => Some("printed as ± 1.26"),
        (1000, Dataset::Cifar10) => Some("printed as ± 1.03"),
        _ => None,
    };
    Some(accuracy(TABLE_1[row][dataset as usize], remark))
}

/// A figure of Table II; `n` is one of [`DRAWN`].
pub fn table2(n: usize, dataset: Dataset) -> Option<Published> {
    let row = DRAWN.iter().position(|drawn| *drawn == n)?;
    Some(accuracy(TABLE_2[row][dataset as usize], None))
}

/// Kendall's τ and Spearman's ρ of Table III; `measure` counts naswot, LogSynflow, LossSlope, utopian distance.
pub fn table3(measure: usize, dataset: Dataset) -> Option<[Published; 2]> {
    let &(kendall, spearman) = TABLE_3[dataset as usize].get(measure)?;
    // SPEC section 7: that column was computed over one cell of each isomorphism class.
    let remark = (measure == 2 && dataset == Dataset::ImageNet16).then_some("over the 6,466 classes");
    Some([kendall, spearman].map(|mean| Published { mean, std: None, seconds: None, remark }))
}

/// The rows of Table IV.
pub fn table4() -> impl Iterator<Item = (&'static str, [Published; 3])> {
    TABLE_4.into_iter().map(|(name, row)| (name, row.map(|figure| accuracy(figure, None))))
}

/// The rows of Table V.
pub fn table5() -> impl Iterator<Item = (&'static str, [Published; 3])> {
    TABLE_5.into_iter().map(|(name, row)| (name, row.map(|figure| accuracy(figure, None))))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The figures are compared with the page they were copied from, where that is at hand: see `tests/reproduce.rs`.
    #[test]
    fn every_row_and_data_set_has_a_figure() {
        for dataset in Dataset::ALL {
            for n in DRAWN {
                // A larger sample never has a worse published mean.
                assert!(table1(n, dataset).is_some_and(|p| (40.0..95.0).contains(&p.mean)));
                assert!(table2(n, dataset).is_some_and(|p| (40.0..95.0).contains(&p.mean)));
            }
            assert!(table1(11, dataset).is_none() && table2(0, dataset).is_none() && table3(4, dataset).is_none());
            for measure in 0..4 {
                let [kendall, spearman] = table3(measure, dataset).unwrap();
                assert!(kendall.mean < spearman.mean);
            }
        }
        let (four, five) = (table4().last().unwrap(), table5().last().unwrap());
        assert_eq!(four, five);
    }
}
