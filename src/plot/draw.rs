//! A picture on a surface of plotters: title, panels side by side, notes.

use super::font::{self, Type};
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
/// From line to line of the notes, in em.
const LEADING: f64 = 1.4;

/// A surface.
pub type Area<B> = DrawingArea<B, Shift>;

/// What plotters says when it cannot draw: our surfaces are memory, so this is no fault of the user.
pub fn failed(error: impl std::fmt::Display) -> Error {
    Error::Internal(format!("the picture cannot be drawn: {error}"))
}

/// A text at a place of the area, in pixels.
pub fn text<B: DrawingBackend>(area: &Area<B>, text: &str, kind: Type, at: (f64, f64), pos: (HPos, VPos)) -> Result<()> {
    let place = (at.0.round() as i32, at.1.round() as i32);
    area.draw(&Text::new(text.to_string(), place, kind.style(pos.0, pos.1))).map_err(failed)
}

/// Draws a picture; `unit` is the number of pixels of a unit.
pub fn picture<B: DrawingBackend>(picture: &Picture, area: &Area<B>, unit: f64) -> Result<()> {
    font::register()?;
    area.fill(&WHITE).map_err(failed)?;
    let (width, height) = area.dim_in_pixel();
    let (width, height) = (f64::from(width), f64::from(height));
    let (margin, across) = (MARGIN * unit, width - 2.0 * MARGIN * unit);
    let left = (HPos::Left, VPos::Top);

    let heading = Type { em: 15.0 * unit, bold: true, colour: DARK };
    let heading = heading.fitted(&picture.title, across);
    text(area, &heading.cut(&picture.title, across), heading, (margin, margin), left)?;
    let top = margin + 23.0 * unit;

    let note = Type { em: 10.5 * unit, bold: false, colour: GREY };
    let lines: Vec<String> = picture.notes.iter().flat_map(|sentence| note.lines(sentence, across)).collect();
    // Half of the height at most: the data come first.
    let kept = lines.len().min((0.5 * height / (LEADING * note.em)) as usize);
    let bottom = height - margin - kept as f64 * LEADING * note.em;
    for (i, line) in lines.iter().take(kept).enumerate() {
        text(area, line, note, (margin, bottom + (i as f64 + 0.4) * LEADING * note.em), left)?;
    }

    let whole = (margin as i32, top as i32, (width - margin) as i32, bottom as i32);
    let count = picture.panels.len().max(1) as i32;
    let each = (whole.2 - whole.0) / count;
    for (i, content) in picture.panels.iter().enumerate() {
        let from = whole.0 + each * i as i32;
        let part = area.margin(whole.1, height as i32 - whole.3, from, width as i32 - from - each);
        panel::draw(content, &part, unit)?;
    }
    Ok(())
}
