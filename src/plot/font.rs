//! The font: DejaVu Sans, registered under the family name that SVG files give too, so that any viewer finds a font of its own.
//!
//! DejaVu Sans is wider than the fonts that browsers take for `sans-serif`, so what fits here fits there.

use crate::error::{Error, Result};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{register_font, Color, FontDesc, FontFamily, FontStyle, FontTransform, RGBColor, TextStyle};
use std::sync::OnceLock;

/// The longest text that a picture shows of a name.
const LONGEST: usize = 120;

/// Puts the font where plotters finds it; once.
pub fn register() -> Result<()> {
    static DONE: OnceLock<bool> = OnceLock::new();
    let fonts = [(FontStyle::Normal, dejavu::sans::regular()), (FontStyle::Bold, dejavu::sans::bold())];
    let all = || fonts.into_iter().all(|(style, bytes)| register_font("sans-serif", style, bytes).is_ok());
    match DONE.get_or_init(all) {
        true => Ok(()),
        false => Err(Error::Internal("the font of pictures cannot be read".to_string())),
    }
}

/// How a text is set.
#[derive(Clone, Copy)]
pub struct Type {
    /// Height of the em square, in pixels.
    pub em: f64,
    pub bold: bool,
    pub colour: RGBColor,
    /// How far below its place the surface must be told to set a text, in em.
    pub lower: f64,
}

impl Type {
    fn font(&self) -> FontDesc<'static> {
        let style = if self.bold { FontStyle::Bold } else { FontStyle::Normal };
        // The size of a font in plotters counts what rises above and falls below the em square: 1.24 em, as its SVG files take it.
        FontDesc::new(FontFamily::SansSerif, self.em * 1.24, style)
    }

    pub fn style(&self, horizontal: HPos, vertical: VPos) -> TextStyle<'static> {
        TextStyle { font: self.font(), color: self.colour.to_backend_color(), pos: Pos::new(horizontal, vertical) }
    }

    /// The same, read from below upwards.
    pub fn upwards(&self, horizontal: HPos, vertical: VPos) -> TextStyle<'static> {
        self.style(horizontal, vertical).transform(FontTransform::Rotate270)
    }

    /// Pixels that a text takes along its line.
    pub fn width(&self, text: &str) -> f64 {
        self.font().layout_box(text).map_or(0.0, |((left, _), (right, _))| f64::from(right - left))
    }

    /// The text, cut and ended with `…` where it takes more than `width` pixels.
    pub fn cut(&self, text: &str, width: f64) -> String {
        if self.width(text) <= width {
            return text.to_string();
        }
        let mut kept: Vec<char> = text.chars().collect();
        while kept.pop().is_some() {
            let short: String = kept.iter().collect::<String>().trim_end().to_string() + "…";
            if self.width(&short) <= width {
                return short;
            }
        }
        String::new()
    }

    /// A smaller type in which the text takes at most `width` pixels, down to six tenths.
    pub fn fitted(mut self, text: &str, width: f64) -> Type {
        let least = 0.6 * self.em;
        while self.width(text) > width && self.em * 0.95 >= least {
            self.em *= 0.95;
        }
        self
    }

    /// The text in lines of at most `width` pixels, broken at blanks.
    pub fn lines(&self, text: &str, width: f64) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for word in text.split(' ') {
            match lines.last_mut() {
                Some(line) if self.width(&format!("{line} {word}")) <= width => line.extend([" ", word]),
                _ => lines.push(word.to_string()),
            }
        }
        lines.iter().map(|line| self.cut(line, width)).collect()
    }
}

/// A text as a picture can show it: one line, without characters that SVG forbids.
pub fn clean(text: &str) -> String {
    let forbidden = |c: char| c.is_control() || ('\u{fdd0}'..='\u{fdef}').contains(&c) || c as u32 & 0xfffe == 0xfffe;
    let shown = |c: char| if forbidden(c) { ' ' } else { c };
    text.chars().map(shown).collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A name as a picture can show it: clean, and not endless.
pub fn spoken(text: &str) -> String {
    let clean = clean(text);
    match clean.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &clean[..end]),
        None => clean,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plotters::style::BLACK;

    const PLAIN: Type = Type { em: 12.0, bold: false, colour: BLACK, lower: 0.0 };

    #[test]
    fn texts_are_measured_cut_and_broken_by_the_font() {
        register().unwrap();
        let width = PLAIN.width("Kendall τ");
        assert!((40.0..70.0).contains(&width), "{width}");
        assert!(PLAIN.width("WWW") > PLAIN.width("iii"));
        assert_eq!(PLAIN.cut("naswot", 500.0), "naswot");
        let cut = PLAIN.cut("a long name of a column", 60.0);
        assert!(cut.ends_with('…') && PLAIN.width(&cut) <= 60.0 && cut.len() > 6, "{cut}");
        assert_eq!(PLAIN.cut("naswot", 0.0), "");
        let lines = PLAIN.lines("one two three four five", 80.0);
        assert!(lines.len() > 1 && lines.iter().all(|line| PLAIN.width(line) <= 80.0), "{lines:?}");
        assert_eq!(lines.join(" "), "one two three four five");
        assert!(PLAIN.fitted("a title", 30.0).width("a title") <= 30.0);
    }

    #[test]
    fn names_become_one_clean_line() {
        assert_eq!(spoken("a\u{0}b\n\t c\u{ffff}<"), "a b c <");
        assert_eq!(spoken(&"x".repeat(500)).chars().count(), LONGEST + 1);
        assert_eq!(spoken("\u{7}"), "");
    }
}
