//! Pictures as SVG.

use super::draw;
use super::font::spoken;
use super::picture::{Picture, Size};
use crate::error::{Error, Result};
use plotters::prelude::{IntoDrawingArea, SVGBackend};

/// Steps of coordinates in a unit: plotters places in whole numbers only, and curves need finer ones.
const STEPS: u32 = 10;

impl Picture {
    /// The picture as the text of an SVG file.
    ///
    /// # Errors
    /// A size that cannot be drawn.
    pub fn svg(&self, size: Size) -> Result<String> {
        size.check()?;
        let (width, height) = (size.width * STEPS, size.height * STEPS);
        let mut text = String::new();
        {
            let area = SVGBackend::with_string(&mut text, (width, height)).into_drawing_area();
            draw::picture(self, &area, draw::Pen { unit: f64::from(STEPS), lower: 0.0 })?;
            area.present().map_err(draw::failed)?;
        }
        let begin = format!("<svg width=\"{width}\" height=\"{height}\"");
        let rest = text.strip_prefix(&begin).and_then(|rest| rest.split_once(">\n"));
        let Some((attributes, body)) = rest else {
            return Err(Error::Internal(format!("an SVG file begins with {:?}", text.get(..80))));
        };
        let title = escaped(&spoken(&self.title));
        // A square of density has no edge to speak of: the attributes that say nothing are a third of such a file.
        let body = body.replace(" opacity=\"1\"", "").replace(" stroke=\"none\"", "");
        Ok(format!(
            "<svg width=\"{}\" height=\"{}\"{attributes} role=\"img\">\n<title>{title}</title>\n{body}",
            size.width, size.height
        ))
    }
}

/// Text as it stands between two tags.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
