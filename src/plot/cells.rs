//! Cells as points, or, where there are thousands, as squares coloured by how many lie there.

use super::axis::number;
use super::draw::failed;
use super::panel::Frame;
use super::picture::{Bar, Ink, Mark, Shade};
use crate::error::Result;
use plotters::prelude::{Circle, Color, ColorMap, DrawingBackend, RGBColor, Rectangle, ViridisRGB};
use std::collections::BTreeMap;

/// With more points than this, squares are drawn: points would hide each other, and a file of them is large.
pub const SINGLE: usize = 2000;

/// The side of a square, in units: small ones, and larger ones where only [`FEW`] small ones have cells and hardly show.
const SQUARES: [f64; 2] = [2.0, 4.0];
const FEW: usize = 1000;

/// The colour of a share from 0, dark, to 1.
pub fn colour(share: f64) -> RGBColor {
    ViridisRGB.get_color(if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) })
}

/// The same as a colour of curves.
pub fn ink(share: f64) -> Ink {
    let RGBColor(r, g, b) = colour(share);
    Ink(r, g, b)
}

/// Whether a mark needs a scale of colours beside the frame.
pub fn has_bar(mark: &Mark) -> bool {
    match mark {
        Mark::Cells { points, shade: Shade::Density } => points.len() > SINGLE,
        Mark::Cells { points, shade: Shade::Values { .. } } => !points.is_empty(),
        _ => false,
    }
}

/// Draws the points; returns the scale that explains their colours.
pub fn draw<B: DrawingBackend>(frame: &Frame<B>, points: &[[f64; 2]], shade: &Shade) -> Result<Option<Bar>> {
    if points.len() > SINGLE {
        return squares(frame, points, shade);
    }
    let radius = match points.len() {
        0..=50 => 5.0,
        51..=300 => 3.5,
        _ => 2.2,
    };
    let alpha = if points.len() <= 50 { 0.85 } else { 0.55 };
    for (i, pixel) in frame.visible(points) {
        let ink = match shade {
            Shade::Density => Ink::PALETTE[0].rgb(),
            Shade::Values { of, .. } => colour(of.get(i).copied().unwrap_or(0.0)),
        };
        let radius = (radius * frame.unit).round() as i32;
        frame.area.draw(&Circle::new(pixel, radius, ink.mix(alpha).filled())).map_err(failed)?;
    }
    Ok(match shade {
        Shade::Values { bar, .. } if !points.is_empty() => Some(bar.clone()),
        _ => None,
    })
}

fn squares<B: DrawingBackend>(frame: &Frame<B>, points: &[[f64; 2]], shade: &Shade) -> Result<Option<Bar>> {
    let fine = binned(frame, points, shade, SQUARES[0]);
    let (squares, side) = if fine.0.len() < FEW { binned(frame, points, shade, SQUARES[1]) } else { fine };
    // A little over the next square, lest a seam show between two where a viewer scales the picture.
    let over = side + (0.15 * frame.unit).round() as i32;
    let most = squares.values().map(|(count, _)| *count).max().unwrap_or(0).max(2);
    let share = |count: u32| f64::from(count).ln() / f64::from(most).ln();
    for ((row, column), (count, sum)) in squares {
        let tone = match shade {
            Shade::Density => share(count),
            Shade::Values { .. } => sum / f64::from(count),
        };
        let corner = (column * side, row * side);
        let square = Rectangle::new([corner, (corner.0 + over, corner.1 + over)], colour(tone).filled());
        frame.area.draw(&square).map_err(failed)?;
    }
    Ok(Some(match shade {
        Shade::Density => Bar { title: "cells".to_string(), ticks: counts(most) },
        Shade::Values { bar, .. } => bar.clone(),
    }))
}

/// Count of points and sum of their values, by row and column of the square; and the side of a square in pixels.
type Binned = (BTreeMap<(i32, i32), (u32, f64)>, i32);

fn binned<B: DrawingBackend>(frame: &Frame<B>, points: &[[f64; 2]], shade: &Shade, units: f64) -> Binned {
    let side = (units * frame.unit).round().max(1.0) as i32;
    let mut squares = BTreeMap::new();
    for (i, (x, y)) in frame.visible(points) {
        let square: &mut (u32, f64) = squares.entry((y / side, x / side)).or_default();
        square.0 += 1;
        if let Shade::Values { of, .. } = shade {
            square.1 += of.get(i).copied().unwrap_or(0.0);
        }
    }
    (squares, side)
}

/// Round counts up to `most` on a logarithmic scale.
fn counts(most: u32) -> Vec<(f64, String)> {
    let top = f64::from(most).ln();
    let round = (0..10).flat_map(|k| [1u64, 2, 5].map(|m| m * 10u64.pow(k)));
    let ticks = round.take_while(|n| *n <= u64::from(most)).map(|n| ((n as f64).ln() / top, number(n as f64, 0, true)));
    ticks.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_of_counts_has_round_numbers() {
        let ticks = counts(30);
        let texts: Vec<&str> = ticks.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(texts, ["1", "2", "5", "10", "20"]);
        assert_eq!(ticks[0].0, 0.0);
        assert!((ticks[3].0 - 10f64.ln() / 30f64.ln()).abs() < 1e-12);
    }

    #[test]
    fn dark_is_little_and_light_is_much() {
        let light = |share| {
            let RGBColor(r, g, b) = colour(share);
            u32::from(r) + u32::from(g) + u32::from(b)
        };
        assert!(light(0.0) < light(0.5) && light(0.5) < light(1.0));
        assert_eq!((colour(f64::NAN), colour(7.0)), (colour(0.0), colour(1.0)));
    }
}
