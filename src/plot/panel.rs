//! One panel: frame, axes, marks, and what explains their colours.

use super::axis::{Axis, Ruled};
use super::cells;
use super::draw::{failed, text, Area, Pen, DARK, GREY, PALE};
use super::font::{clean, spoken, Type};
use super::picture::{Bar, Ink, Mark, Panel};
use crate::error::Result;
use plotters::element::DashedPathElement;
use plotters::prelude::{
    ChartBuilder, Circle, Color, DrawingBackend, PathElement, Polygon, Rectangle, ShapeStyle, TRANSPARENT,
};
use plotters::style::text_anchor::{HPos, VPos};

/// Units of: a line of a panel's title; one of its figures; the ticks' labels and title below; the column of a colour scale.
const TITLE: f64 = 20.0;
const FACTS: f64 = 19.0;
const BELOW: f64 = 40.0;
const BAR: f64 = 78.0;

/// Where the data are drawn: a surface of its own, and its axes.
pub struct Frame<'a, B: DrawingBackend> {
    pub area: Area<B>,
    pub x: &'a Axis,
    pub y: &'a Axis,
    pub unit: f64,
}

impl<B: DrawingBackend> Frame<'_, B> {
    /// The pixel of a point, also of one outside.
    pub fn pixel(&self, x: f64, y: f64) -> (i32, i32) {
        let (width, height) = self.area.dim_in_pixel();
        let along = |place: f64, length: u32| (place * f64::from(length.saturating_sub(1))).round() as i32;
        (along(self.x.place(x), width), along(1.0 - self.y.place(y), height))
    }

    fn shows(&self, point: &[f64; 2]) -> bool {
        self.x.shows(point[0]) && self.y.shows(point[1])
    }

    /// The points that lie within.
    pub fn visible<'p>(&'p self, points: &'p [[f64; 2]]) -> impl Iterator<Item = (usize, (i32, i32))> + 'p {
        points.iter().enumerate().filter(|(_, p)| self.shows(p)).map(|(i, p)| (i, self.pixel(p[0], p[1])))
    }
}

/// Draws a panel over the whole area.
pub fn draw<B: DrawingBackend>(panel: &Panel, area: &Area<B>, pen: Pen) -> Result<()> {
    let unit = pen.unit;
    let label = pen.letters(11.0, false, DARK);
    let (width, height) = area.dim_in_pixel();
    let (width, height) = (f64::from(width), f64::from(height));
    let above = [(&panel.title, TITLE), (&panel.facts, FACTS)];
    let above: f64 = above.iter().filter(|(text, _)| !text.is_empty()).map(|(_, units)| units * unit).sum();

    let has_bar = panel.bar.is_some() || panel.marks.iter().any(cells::has_bar);
    let legend = legend_width(panel, label, 0.4 * width, unit);
    let right = if has_bar { BAR * unit } else { legend.max(16.0 * unit) };

    let up = height - above - BELOW * unit;
    let y = Ruled { axis: panel.y.clone(), ticks: panel.y.ticks((up / (42.0 * unit)) as usize) };
    let widest = y.ticks.marks.iter().map(|(_, text)| label.width(text)).fold(0.0, f64::max);
    // Whole units: squares of density then lie on whole pixels.
    let beside = ((widest / unit).ceil() + 30.0) * unit;
    let x = ruled(&panel.x, width - beside - right, label, unit);

    let left = (HPos::Left, VPos::Top);
    let heading = pen.letters(12.5, true, DARK);
    let facts = pen.letters(11.0, false, GREY);
    let mut line = 0.0;
    for (content, kind, step) in [(&panel.title, heading, TITLE), (&panel.facts, facts, FACTS)] {
        let content = &clean(content);
        if !content.is_empty() {
            let room = width - 8.0 * unit;
            let kind = kind.fitted(content, room);
            text(area, &kind.cut(content, room), kind, (0.0, line), left)?;
            line += step * unit;
        }
    }

    let (x_title, y_title) = (x.title(), y.title());
    let (x_type, y_type) = (label.fitted(&x_title, width - beside - right), label.fitted(&y_title, up));
    let (x_title, y_title) = (x_type.cut(&x_title, width - beside - right), y_type.cut(&y_title, up));
    let mut chart = ChartBuilder::on(area)
        .margin_top(above as i32)
        .margin_right(right as i32)
        .x_label_area_size((BELOW * unit) as i32)
        .y_label_area_size(beside as i32)
        .build_cartesian_2d(x.clone(), y.clone())
        .map_err(failed)?;
    let stroke = |colour: &dyn Fn() -> ShapeStyle| colour().stroke_width(unit.round() as u32);
    chart
        .configure_mesh()
        .max_light_lines(0)
        .light_line_style(TRANSPARENT)
        .bold_line_style(stroke(&|| PALE.into()))
        .axis_style(stroke(&|| GREY.into()))
        .set_all_tick_mark_size((4.0 * unit) as i32)
        .y_label_offset((label.lower * label.em) as i32)
        .label_style(label.style(HPos::Center, VPos::Center))
        .draw()
        .map_err(failed)?;
    // Set by hand: plotters puts the names of axes against the picture's edge, whatever their type.
    let bottom = (HPos::Center, VPos::Bottom);
    let middle = (beside + (width - beside - right) / 2.0, above + up / 2.0);
    text(area, &x_title, x_type, (middle.0, height - 2.0 * unit), bottom)?;
    let sideways = plotters::prelude::Text::new(y_title, (0, middle.1 as i32), y_type.upwards(HPos::Center, VPos::Top));
    area.draw(&sideways).map_err(failed)?;

    let frame = Frame { area: chart.plotting_area().strip_coord_spec(), x: &panel.x, y: &panel.y, unit };
    let mut bar = panel.bar.clone();
    for mark in &panel.marks {
        match mark {
            Mark::Cells { points, shade } => bar = cells::draw(&frame, points, shade)?.or(bar),
            Mark::Curve { points, ink, dashed, dots } => curve(&frame, points, *ink, *dashed, *dots)?,
            Mark::Band { points, ink } => band(&frame, points, *ink)?,
        }
    }
    if panel.x.empty || panel.y.empty {
        let (w, h) = frame.area.dim_in_pixel();
        let centre = (HPos::Center, VPos::Center);
        text(&frame.area, "Nothing to show", facts, (f64::from(w) / 2.0, f64::from(h) / 2.0), centre)?;
    }
    if let Some(bar) = bar {
        scale(area, &bar, label, (width - right + 14.0 * unit, above), up, unit)?;
    }
    names(panel, area, label, (width - right + 12.0 * unit, above), right - 12.0 * unit, unit)
}

/// As many ticks as have room for their labels.
fn ruled(axis: &Axis, along: f64, label: Type, unit: f64) -> Ruled {
    let most = (along / (48.0 * unit)).clamp(1.0, 10.0) as usize;
    let fits = |count: &usize| {
        let ticks = axis.ticks(*count);
        let places: Vec<(f64, f64)> =
            ticks.marks.iter().map(|(v, text)| (axis.place(*v) * along, label.width(text) / 2.0)).collect();
        places.windows(2).all(|pair| pair[1].0 - pair[0].0 > pair[0].1 + pair[1].1 + 8.0 * unit)
    };
    let count = (1..=most).rev().find(fits).unwrap_or(1);
    Ruled { axis: axis.clone(), ticks: axis.ticks(count) }
}

fn style(ink: Ink, alpha: f64, width: f64) -> ShapeStyle {
    ShapeStyle { color: ink.rgb().mix(alpha), filled: true, stroke_width: width.round().max(1.0) as u32 }
}

fn curve<B: DrawingBackend>(frame: &Frame<B>, points: &[[f64; 2]], ink: Ink, dashed: bool, dots: bool) -> Result<()> {
    let unit = frame.unit;
    let pixels: Vec<(i32, i32)> = frame.visible(points).map(|(_, pixel)| pixel).collect();
    if pixels.len() > 1 {
        let style = style(ink, 1.0, if dashed { 1.2 * unit } else { 1.8 * unit });
        if dashed {
            let (dash, gap) = ((6.0 * unit) as i32, (4.0 * unit) as i32);
            frame.area.draw(&DashedPathElement::new(pixels.iter().copied(), dash, gap, style)).map_err(failed)?;
        } else {
            frame.area.draw(&PathElement::new(pixels.clone(), style)).map_err(failed)?;
        }
    }
    if dots || pixels.len() == 1 {
        for pixel in pixels {
            frame.area.draw(&Circle::new(pixel, (3.0 * unit) as i32, style(ink, 1.0, 1.0))).map_err(failed)?;
        }
    }
    Ok(())
}

fn band<B: DrawingBackend>(frame: &Frame<B>, points: &[[f64; 3]], ink: Ink) -> Result<()> {
    let inside = |[x, low, high]: &&[f64; 3]| frame.x.shows(*x) && frame.y.shows(*low) && frame.y.shows(*high);
    let shown: Vec<&[f64; 3]> = points.iter().filter(inside).collect();
    let lower = shown.iter().map(|[x, low, _]| frame.pixel(*x, *low));
    let upper = shown.iter().rev().map(|[x, _, high]| frame.pixel(*x, *high));
    let outline: Vec<(i32, i32)> = lower.chain(upper).collect();
    if outline.len() < 4 {
        return Ok(());
    }
    frame.area.draw(&Polygon::new(outline, style(ink, 0.18, 1.0))).map_err(failed)
}

/// The scale of colours, dark below.
fn scale<B: DrawingBackend>(
    area: &Area<B>,
    bar: &Bar,
    label: Type,
    (x, top): (f64, f64),
    up: f64,
    unit: f64,
) -> Result<()> {
    let wide = 12.0 * unit;
    let (begin, end) = (top + 20.0 * unit, top + up);
    let at = |share: f64| end - share * (end - begin);
    const BANDS: i32 = 64;
    let end_of_scale = at(1.0);
    for i in 0..BANDS {
        let (low, high) = (f64::from(i) / f64::from(BANDS), f64::from(i + 1) / f64::from(BANDS));
        // Each up to the end, so that no seam shows between two.
        let corners = [(x as i32, end_of_scale as i32), ((x + wide) as i32, at(low) as i32)];
        area.draw(&Rectangle::new(corners, cells::colour((low + high) / 2.0).filled())).map_err(failed)?;
    }
    let small = Type { em: 0.92 * label.em, ..label };
    let room = (BAR - 14.0) * unit;
    let content = spoken(&bar.title);
    let title = small.fitted(&content, room);
    text(area, &title.cut(&content, room), title, (x, top), (HPos::Left, VPos::Top))?;
    for (share, mark) in &bar.ticks {
        let y = at(*share);
        let tick = [((x + wide) as i32, y as i32), ((x + wide + 3.0 * unit) as i32, y as i32)];
        area.draw(&PathElement::new(tick.to_vec(), style(Ink(0x59, 0x59, 0x59), 1.0, unit))).map_err(failed)?;
        let room = room - wide - 5.0 * unit;
        text(area, &small.cut(mark, room), small, (x + wide + 5.0 * unit, y), (HPos::Left, VPos::Center))?;
    }
    Ok(())
}

/// Units of a line of the legend.
const ENTRY: f64 = 18.0;

fn legend_width(panel: &Panel, label: Type, most: f64, unit: f64) -> f64 {
    let widest = panel.legend.iter().map(|(name, _)| label.width(&spoken(name))).fold(0.0, f64::max);
    if panel.legend.is_empty() {
        0.0
    } else {
        (widest + 40.0 * unit).min(most)
    }
}

fn names<B: DrawingBackend>(
    panel: &Panel,
    area: &Area<B>,
    label: Type,
    (x, top): (f64, f64),
    room: f64,
    unit: f64,
) -> Result<()> {
    for (i, (name, ink)) in panel.legend.iter().enumerate() {
        let y = top + (i as f64 + 0.5) * ENTRY * unit;
        let line = [(x as i32, y as i32), ((x + 16.0 * unit) as i32, y as i32)];
        area.draw(&PathElement::new(line.to_vec(), style(*ink, 1.0, 2.5 * unit))).map_err(failed)?;
        let name = label.cut(&spoken(name), room - 22.0 * unit);
        text(area, &name, label, (x + 22.0 * unit, y), (HPos::Left, VPos::Center))?;
    }
    Ok(())
}
