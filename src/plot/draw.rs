//! A picture on a surface of plotters: title, panels side by side, notes.

use super::font::{self, clean, spoken, Type};
use super::panel;
use super::picture::Picture;
use crate::error::{Error, Result};
use plotters::coord::Shift;
use plotters::prelude::{DrawingArea, DrawingBackend, RGBColor, Text, WHITE};
use plotters::style::text_anchor::{HPos, VPos};

/// Titles and labels.
pub const DARK: RGBColor = RGBColor(0x22, 0x22, 0x22);
/// Figures and notes.
pub const GREY: RGBColor = RGBColor(0x59, 0x59, 0x59);
/// Lines behind the data.
pub const PALE: RGBColor = RGBColor(0xe4, 0xe4, 0xe4);

/// Around everything, in units.
const MARGIN: f64 = 14.0;
/// Between two panels, in units.
const BETWEEN: f64 = 12.0;
/// From line to line of the notes, in em.
const LEADING: f64 = 1.4;

/// How a surface is drawn on.
#[derive(Clone, Copy)]
pub struct Pen {
    /// Pixels of a unit.
    pub unit: f64,
    /// How far too high the surface sets texts, in em: the bitmaps of plotters put the base line higher than its SVG files.
    pub lower: f64,
}

impl Pen {
    /// A type of so many units.
    pub fn letters(self, units: f64, bold: bool, colour: RGBColor) -> Type {
        Type { em: units * self.unit, bold, colour, lower: self.lower }
    }
}

/// A surface.
pub type Area<B> = DrawingArea<B, Shift>;

/// What plotters says when it cannot draw: our surfaces are memory, so this is no fault of the user.
pub fn failed(error: impl std::fmt::Display) -> Error {
    Error::Internal(format!("the picture cannot be drawn: {error}"))
}

/// A text at a place of the area, in pixels.
pub fn text<B: DrawingBackend>(
    area: &Area<B>,
    text: &str,
    kind: Type,
    at: (f64, f64),
    pos: (HPos, VPos),
) -> Result<()> {
    let place = (at.0.round() as i32, (at.1 + kind.lower * kind.em).round() as i32);
    area.draw(&Text::new(text.to_string(), place, kind.style(pos.0, pos.1))).map_err(failed)
}

/// Draws a picture.
pub fn picture<B: DrawingBackend>(picture: &Picture, area: &Area<B>, pen: Pen) -> Result<()> {
    let unit = pen.unit;
    font::register()?;
    area.fill(&WHITE).map_err(failed)?;
    let (width, height) = area.dim_in_pixel();
    let (width, height) = (f64::from(width), f64::from(height));
    let (margin, across) = (MARGIN * unit, width - 2.0 * MARGIN * unit);
    let left = (HPos::Left, VPos::Top);

    let heading = pen.letters(15.0, true, DARK);
    let title = spoken(&picture.title);
    let heading = heading.fitted(&title, across);
    text(area, &heading.cut(&title, across), heading, (margin, margin), left)?;
    let titled = picture.panels.iter().any(|panel| !panel.title.is_empty());
    let top = margin + if titled { 29.0 } else { 23.0 } * unit;

    let note = pen.letters(10.5, false, GREY);
    let lines: Vec<String> = picture.notes.iter().flat_map(|sentence| note.lines(&clean(sentence), across)).collect();
    // Half of the height at most: the data come first.
    let kept = lines.len().min((0.5 * height / (LEADING * note.em)) as usize);
    let gap = if kept > 0 { 4.0 * unit } else { 0.0 };
    let bottom = height - margin - gap - kept as f64 * LEADING * note.em;
    for (i, line) in lines.iter().take(kept).enumerate() {
        text(area, line, note, (margin, bottom + gap + (i as f64 + 0.4) * LEADING * note.em), left)?;
    }

    let count = picture.panels.len().max(1) as f64;
    let each = (across - (count - 1.0) * BETWEEN * unit) / count;
    for (i, content) in picture.panels.iter().enumerate() {
        let from = margin + (each + BETWEEN * unit) * i as f64;
        let around = [top, height - bottom, from, width - from - each].map(|length| length.round() as i32);
        let part = area.margin(around[0], around[1], around[2], around[3]);
        panel::draw(content, &part, pen)?;
    }
    Ok(())
}
