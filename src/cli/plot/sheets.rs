//! Where a picture goes, and how large it is there.

use crate::cli::progress::catch_interrupts;
use crate::error::{Error, Result};
use crate::plot::{Picture, Size};
use crate::report::Output;
use clap::Args;
use std::path::{Path, PathBuf};

/// The files of a picture.
#[derive(Args, Clone)]
pub struct PictureArguments {
    /// Write the picture to FILE.svg or FILE.png; may be given several times
    #[arg(short, long, value_name = "FILE", required = true, help_heading = "Output")]
    output: Vec<PathBuf>,
    /// Width and height in units; a unit is a pixel of the screen in SVG [default: 720x500, utopian: 1080x460]
    #[arg(long, value_name = "WxH", value_parser = size, help_heading = "Output")]
    size: Option<(u32, u32)>,
    /// Pixels of PNG for each unit
    #[arg(long, value_name = "N", default_value_t = 2, help_heading = "Output")]
    scale: u32,
    /// Title above the picture [default: what it shows]
    #[arg(long, value_name = "TEXT", help_heading = "Output")]
    title: Option<String>,
    /// No notes on stderr; errors are still told
    #[arg(short, long, help_heading = "Output")]
    pub quiet: bool,
}

fn size(text: &str) -> Result<(u32, u32), String> {
    let parts = text.split_once(['x', '×']);
    let number = |part: &str| part.parse::<u32>().ok();
    parts
        .and_then(|(width, height)| Some((number(width)?, number(height)?)))
        .ok_or_else(|| "expected width and height as 720x500".to_string())
}

#[derive(Clone, Copy, PartialEq)]
enum Form {
    Svg,
    Png,
}

/// The open files of a picture.
pub struct Sheets {
    size: Size,
    title: Option<String>,
    outputs: Vec<(Form, Output)>,
}

impl PictureArguments {
    /// That the picture can be drawn and its files are of a known form; nothing is opened.
    pub fn check(&self) -> Result<()> {
        self.size((720, 500)).check()?;
        for (i, path) in self.output.iter().enumerate() {
            form(path)?;
            if self.output[..i].contains(path) {
                let found = format!("{} twice", path.display());
                return Err(Error::options("-o", "different files", found, "Name each file once."));
            }
        }
        Ok(())
    }

    fn size(&self, usual: (u32, u32)) -> Size {
        let (width, height) = self.size.unwrap_or(usual);
        Size { width, height, scale: self.scale }
    }

    /// Opens the files; `usual` is the size where none is asked for.
    pub fn open(&self, usual: (u32, u32)) -> Result<Sheets> {
        Ok(Sheets { title: self.title.clone(), ..Sheets::open(&self.output, self.size(usual))? })
    }
}

fn form(path: &Path) -> Result<Form> {
    let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
    match extension.as_deref() {
        Some("svg") => Ok(Form::Svg),
        Some("png") => Ok(Form::Png),
        other => {
            let found = other.map_or_else(|| path.display().to_string(), |e| format!(".{e}"));
            Err(Error::options("-o", "a file that ends in .svg or .png", found, "Rename the file."))
        }
    }
}

impl Sheets {
    /// Opens files for a picture of this size. From now on an interrupt leaves none of them half.
    pub fn open(paths: &[PathBuf], size: Size) -> Result<Sheets> {
        catch_interrupts();
        let open = |path: &PathBuf| Ok((form(path)?, Output::open(Some(path), false)?));
        Ok(Sheets { size, title: None, outputs: paths.iter().map(open).collect::<Result<_>>()? })
    }

    /// Draws the picture into every file; they appear when all are drawn.
    pub fn write(mut self, mut picture: Picture) -> Result<()> {
        if let Some(title) = self.title {
            picture.title = title;
        }
        for (form, output) in &mut self.outputs {
            match form {
                Form::Svg => output.write(&picture.svg(self.size)?)?,
                Form::Png => output.write_bytes(&picture.png(self.size)?)?,
            }
        }
        self.outputs.into_iter().try_for_each(|(_, output)| output.finish(&serde_json::Value::Null))
    }
}
