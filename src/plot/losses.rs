//! The losses of LossSlope's steps, and the lines that give the slopes.

use super::axis::{number, Axis, Bounds};
use super::cells;
use super::picture::{Bar, Ink, Mark, Panel, Picture};
use crate::measure::loss_slope;
use crate::measure::SlopeFit;
use crate::space::Cell;

/// The training of one cell.
#[derive(Clone, Debug, PartialEq)]
pub struct Losses {
    /// The cell.
    pub cell: Cell,
    /// Its loss before each step.
    pub losses: Vec<f64>,
}

/// The picture of some trainings on this data set; `task` says on what. Up to seven cells have a colour, dots and their fitted line
/// each; of more, the colour tells the slope.
pub fn losses(trainings: &[Losses], fit: SlopeFit, task: &str) -> Picture {
    let slopes: Vec<Option<f64>> = trainings.iter().map(|t| loss_slope::score(&t.losses, fit)).collect();
    let steps = trainings.iter().map(|t| t.losses.len()).max().unwrap_or(0);
    let few = trainings.len() <= Ink::PALETTE.len();
    let known = slopes.iter().copied().flatten();
    let scale = Axis::around("LossSlope", known, false, Bounds::default());

    let (mut marks, mut lines, mut legend) = (Vec::new(), Vec::new(), Vec::new());
    for (i, (training, slope)) in trainings.iter().zip(&slopes).enumerate() {
        let ink = match (few, slope) {
            (true, _) => Ink::PALETTE[i % Ink::PALETTE.len()],
            (false, Some(slope)) => cells::ink(scale.place(*slope)),
            (false, None) => Ink(0x99, 0x99, 0x99),
        };
        let points = training.losses.iter().enumerate().map(|(step, loss)| [step as f64, *loss]).collect();
        marks.push(Mark::Curve { points, ink, dashed: false, dots: few });
        if !few {
            continue;
        }
        let told = slope.map_or_else(|| "diverged".to_string(), |slope| number(slope, 3, false));
        legend.push((format!("cell {}: {told}", training.cell.index()), ink));
        if let Some(points) = slope.and_then(|slope| line(&training.losses, slope, fit)) {
            lines.push(Mark::Curve { points, ink, dashed: true, dots: false });
        }
    }
    marks.extend(lines);
    let diverged = slopes.iter().filter(|slope| slope.is_none()).count();
    let first = match fit {
        SlopeFit::Reference => "all losses but the first, which is the untouched network's",
        SlopeFit::Algorithm1 => "all losses",
    };
    let mut notes = vec![if few {
        format!("LossSlope, beside each cell, is minus the slope of its dashed line, which is fitted to {first}.")
    } else {
        format!("LossSlope is minus the slope of the line through {first}.")
    }];
    if diverged > 0 && !few {
        notes.push(format!("Grey: {diverged} diverged."));
    }
    let values = |k: usize| {
        let points = marks.iter().flat_map(|mark| match mark {
            Mark::Curve { points, .. } => points.clone(),
            _ => Vec::new(),
        });
        points.map(move |point| point[k])
    };
    let (x, y) = (Axis::steps("SGD step", steps), Axis::around("Loss", values(1), false, Bounds::default()));
    let ticks = scale.ticks(6);
    let bar = (!few && !scale.empty).then(|| Bar::along(&scale, ticks));
    let panel = Panel { title: String::new(), facts: task.to_string(), x, y, marks, legend, bar };
    Picture { title: "Losses of LossSlope's task".to_string(), panels: vec![panel], notes }
}

/// The two ends of the fitted line.
fn line(losses: &[f64], slope: f64, fit: SlopeFit) -> Option<Vec<[f64; 2]>> {
    let from = match fit {
        SlopeFit::Reference => 1,
        SlopeFit::Algorithm1 => 0,
    };
    let fitted = losses.get(from..).filter(|fitted| !fitted.is_empty())?;
    let mean = fitted.iter().sum::<f64>() / fitted.len() as f64;
    let centre = from as f64 + (fitted.len() - 1) as f64 / 2.0;
    let at = |step: usize| [step as f64, mean - slope * (step as f64 - centre)];
    Some(vec![at(from), at(losses.len() - 1)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn training(index: i64, losses: &[f64]) -> Losses {
        Losses { cell: Cell::from_index(index).unwrap(), losses: losses.to_vec() }
    }

    #[test]
    fn the_line_is_the_least_squares_one() {
        // Through 1, 3, 2 at 1, 2, 3: slope 1/2, mean 2.
        let losses = [9.0, 1.0, 3.0, 2.0];
        let slope = loss_slope::score(&losses, SlopeFit::Reference).unwrap();
        assert_eq!(slope, -0.5);
        assert_eq!(line(&losses, slope, SlopeFit::Reference).unwrap(), [[1.0, 1.5], [3.0, 2.5]]);
        let slope = loss_slope::score(&losses, SlopeFit::Algorithm1).unwrap();
        let ends = line(&losses, slope, SlopeFit::Algorithm1).unwrap();
        assert_eq!((ends[0][0], ends[1][0]), (0.0, 3.0));
        assert!((ends[0][1] + ends[1][1] - 7.5).abs() < 1e-12);
    }

    #[test]
    fn few_cells_have_a_legend_and_many_a_scale() {
        let few =
            losses(&[training(5, &[3.0, 2.0, 1.5]), training(7, &[3.0, f64::NAN, 1.0])], SlopeFit::Reference, "x");
        let panel = &few.panels[0];
        let names: Vec<&str> = panel.legend.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["cell 5: 0.500", "cell 7: diverged"]);
        // Two curves and one fitted line.
        assert_eq!((panel.marks.len(), panel.bar.is_none()), (3, true));
        let many: Vec<Losses> = (0..9).map(|i| training(i, &[3.0, 2.0, 1.0 + i as f64 / 10.0])).collect();
        let panel = &losses(&many, SlopeFit::Reference, "x").panels[0];
        assert!(panel.legend.is_empty() && panel.bar.is_some() && panel.marks.len() == 9);
        assert!(losses(&[], SlopeFit::Reference, "x").panels[0].y.empty);
    }
}
