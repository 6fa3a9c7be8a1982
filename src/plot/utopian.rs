//! Accuracy against LossSlope and against the distance to the utopian point, side by side: the paper's Fig. 2.

use super::axis::Bounds;
use super::picture::Picture;
use super::scatter::{Colouring, Scatter};
use super::values::Values;

/// The picture of a measure and of the distance to the utopian point over the same cells, both against `y`.
pub fn utopian(measure: Values, distance: Values, y: Values, colouring: &Colouring, y_bounds: Bounds) -> Picture {
    let titles = [format!("(a) {}", measure.name), "(b) Utopian distance".to_string()];
    let title = format!("{} against {} and utopian distance", y.name, measure.name);
    let mut notes: Vec<String> = Vec::new();
    let panels = [measure, distance].into_iter().zip(titles).map(|(x, title)| {
        let (colouring, y) = (colouring.clone(), y.clone());
        let scatter = Scatter { x, y, colouring, log_x: false, x_bounds: Bounds::default(), y_bounds };
        let (panel, told) = scatter.panel(&title);
        let letter = &title[..3];
        for note in told {
            // What both panels leave out is told once.
            let common = notes.iter_mut().find(|known| known.get(4..) == Some(note.as_str()));
            match common {
                Some(known) => *known = note,
                None => notes.push(format!("{letter} {note}")),
            }
        }
        panel
    });
    let panels = panels.collect();
    Picture { title: super::scatter::first_upper(&title), panels, notes }
}
