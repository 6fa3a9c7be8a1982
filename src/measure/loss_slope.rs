//! LossSlope (ET-NAS): minus the slope of the least-squares line through the losses of the first SGD steps on GenNAS'
//! regression task. Larger is better.

use serde::Serialize;

/// Which losses the line is fitted to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SlopeFit {
    /// All but the first, which is the untouched network's: nine of ten. What produced the paper's figures.
    #[default]
    Reference,
    /// All ten: the paper's text.
    Algorithm1,
}

/// LossSlope of a series of losses; `None` where one of them is not finite, or fewer than two remain.
///
/// With ten losses L₀ … L₉ the reference is −Σ_{k=0..8} (k − 4)·L_{k+1} / 60.
pub fn score(losses: &[f64], fit: SlopeFit) -> Option<f64> {
    let fitted = match fit {
        SlopeFit::Reference => losses.get(1..)?,
        SlopeFit::Algorithm1 => losses,
    };
    if fitted.len() < 2 || losses.iter().any(|loss| !loss.is_finite()) {
        return None;
    }
    let centre = (fitted.len() - 1) as f64 / 2.0;
    let offsets = || (0..fitted.len()).map(|k| k as f64 - centre);
    let spread: f64 = offsets().map(|x| x * x).sum();
    let slope = offsets().zip(fitted).map(|(x, loss)| x * loss).sum::<f64>() / spread;
    slope.is_finite().then_some(-slope)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nine_points_or_ten() {
        let losses = [10.0, 9.1, 8.3, 7.8, 7.4, 7.1, 6.8, 6.6, 6.4, 6.3];
        let by_hand: f64 = -(0..9).map(|k| (k as f64 - 4.0) * losses[k + 1]).sum::<f64>() / 60.0;
        assert!((score(&losses, SlopeFit::Reference).unwrap() - by_hand).abs() < 1e-14);
        let line: Vec<f64> = (0..10).map(|k| 5.0 - 0.25 * f64::from(k)).collect();
        assert_eq!(score(&line, SlopeFit::Algorithm1), Some(0.25));
        assert_eq!(score(&line, SlopeFit::Reference), Some(0.25));
        assert!(score(&losses, SlopeFit::Algorithm1).unwrap() > by_hand);
    }

    #[test]
    fn diverged_losses_have_no_slope() {
        for bad in [f64::NAN, f64::INFINITY] {
            let mut losses = [1.0; 10];
            losses[9] = bad;
            assert_eq!(score(&losses, SlopeFit::Reference), None);
            losses = [1.0; 10];
            losses[0] = bad;
            assert_eq!(score(&losses, SlopeFit::Reference), None);
        }
        assert_eq!(score(&[], SlopeFit::Reference), None);
        assert_eq!(score(&[1.0], SlopeFit::Algorithm1), None);
        let huge: Vec<f64> = (0..10).map(|k| if k % 2 == 0 { f64::MAX } else { -f64::MAX }).collect();
        assert_eq!(score(&huge, SlopeFit::Algorithm1), None);
    }
}
