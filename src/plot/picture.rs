//! A picture as data: what is shown where, before any pixel.

use super::axis::{Axis, Ruled, Ticks};
use crate::error::{Error, Result};
use plotters::style::RGBColor;

/// How large a picture is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Width in units; a unit of SVG is a pixel of CSS.
    pub width: u32,
    /// Height in units.
    pub height: u32,
    /// Pixels of PNG for each unit.
    pub scale: u32,
}

impl Size {
    /// That it can be drawn.
    ///
    /// # Errors
    /// [`Error::Options`] below 320×240 or above 2000×2000 units, or with a scale that is not 1 to 4.
    pub fn check(&self) -> Result<()> {
        let fits = (320..=2000).contains(&self.width) && (240..=2000).contains(&self.height);
        if !fits {
            let found = format!("{}x{}", self.width, self.height);
            let expected = "from 320x240 to 2000x2000";
            return Err(Error::options("The size of a picture", expected, found, "Choose a size in between."));
        }
        if !(1..=4).contains(&self.scale) {
            let remedy = "Choose the size in units, and by the scale how finely they are drawn.";
            return Err(Error::options("The scale of a picture", "from 1 to 4", self.scale.to_string(), remedy));
        }
        Ok(())
    }
}

/// A colour: red, green, blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ink(pub u8, pub u8, pub u8);

impl Ink {
    /// Colours that people with any colour vision tell apart (Okabe and Ito 2008; without yellow, which is pale on white).
    pub const PALETTE: [Ink; 7] = [
        Ink(0x00, 0x72, 0xb2),
        Ink(0xd5, 0x5e, 0x00),
        Ink(0x00, 0x9e, 0x73),
        Ink(0xcc, 0x79, 0xa7),
        Ink(0xe6, 0x9f, 0x00),
        Ink(0x56, 0xb4, 0xe9),
        Ink(0x00, 0x00, 0x00),
    ];

    pub(super) fn rgb(self) -> RGBColor {
        RGBColor(self.0, self.1, self.2)
    }
}

/// What the colours of cells say.
#[derive(Clone, Debug, PartialEq)]
pub enum Shade {
    /// How many cells lie in a place; where there are few cells, all are of one colour.
    Density,
    /// A value of each cell.
    Values {
        /// From 0, the darkest, to 1, for each point.
        of: Vec<f64>,
        /// What it is.
        bar: Bar,
    },
}

/// What explains a scale of colours.
#[derive(Clone, Debug, PartialEq)]
pub struct Bar {
    /// What the colours say.
    pub title: String,
    /// Where on the scale, from 0 to 1, something is written, and what.
    pub ticks: Vec<(f64, String)>,
}

impl Bar {
    /// The scale of an axis, with these ticks of it.
    pub(super) fn along(axis: &Axis, ticks: Ticks) -> Bar {
        let ruled = Ruled { axis: axis.clone(), ticks };
        let title = ruled.title();
        let place = |(v, label): (f64, String)| (axis.place(v), label);
        Bar { title, ticks: ruled.ticks.marks.into_iter().map(place).collect() }
    }
}

/// Something in a panel, in the units of its axes.
#[derive(Clone, Debug, PartialEq)]
pub enum Mark {
    /// A point for each cell.
    Cells {
        /// x and y.
        points: Vec<[f64; 2]>,
        /// Their colours.
        shade: Shade,
    },
    /// A line.
    Curve {
        /// x and y along it.
        points: Vec<[f64; 2]>,
        /// Its colour.
        ink: Ink,
        /// Broken.
        dashed: bool,
        /// With a dot at each point.
        dots: bool,
    },
    /// What lies between two lines.
    Band {
        /// x, lower and upper y along it.
        points: Vec<[f64; 3]>,
        /// Its colour, shown pale.
        ink: Ink,
    },
}

/// One frame with axes.
#[derive(Clone, Debug, PartialEq)]
pub struct Panel {
    /// Above it; may be empty.
    pub title: String,
    /// Figures below the title; may be empty.
    pub facts: String,
    /// From left to right.
    pub x: Axis,
    /// From below upwards.
    pub y: Axis,
    /// In the order drawn.
    pub marks: Vec<Mark>,
    /// Colours and their names, beside the frame.
    pub legend: Vec<(String, Ink)>,
    /// What the colours of curves say, where they follow a scale; that of cells follows from their mark.
    pub bar: Option<Bar>,
}

/// A picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// Above all panels.
    pub title: String,
    /// Side by side.
    pub panels: Vec<Panel>,
    /// Sentences below the panels: what is not shown, and why.
    pub notes: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_that_cannot_be_drawn_are_refused() {
        let check = |width, height, scale| Size { width, height, scale }.check();
        assert!(check(320, 240, 1).is_ok() && check(2000, 2000, 4).is_ok());
        for (w, h, s) in [(319, 240, 1), (320, 239, 1), (2001, 300, 1), (300, 2001, 1), (800, 600, 0), (800, 600, 5)] {
            assert_eq!(check(w, h, s).unwrap_err().exit_code(), 2);
        }
    }
}
