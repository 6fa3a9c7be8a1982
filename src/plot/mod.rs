//! Pictures: scores against accuracies, searches over their course, losses over the steps; as SVG or PNG.
//!
//! [`Scatter`], [`utopian`], [`Trajectories`] and [`losses`] turn data into a [`Picture`], which is plain data: panels, axes and
//! marks in the data's own units. [`Picture::svg`] and [`Picture::png`] draw it, each through a backend of the crate plotters.
//! The same picture gives the same bytes: texts are laid out by a font that is part of the program (DejaVu Sans).

mod axis;
mod cells;
mod draw;
mod font;
mod losses;
mod panel;
mod picture;
mod png;
mod scatter;
mod svg;
mod trajectory;
mod utopian;
mod values;

pub use axis::{Axis, Bounds};
pub use losses::{losses, Losses};
pub use picture::{Bar, Ink, Mark, Panel, Picture, Shade, Size};
pub use scatter::{Colouring, Scatter};
pub use trajectory::{Cost, Gain, Trajectories};
pub use utopian::utopian;
pub use values::Values;
