//! The kernels' sources.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::named;
use crate::nvrtc::{Nvrtc, Output, Source, Target};
use crate::unit;

/// The `.cu` and `.cuh` files of a folder, by name.
pub struct Sources(BTreeMap<String, String>);

impl Sources {
    pub fn read(folder: &Path) -> Result<Sources, String> {
        let mut sources = BTreeMap::new();
        for entry in named("read", folder, fs::read_dir(folder))? {
            let path = named("read", folder, entry)?.path();
            if path.extension().is_some_and(|extension| extension == "cu" || extension == "cuh") {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                sources.insert(name, named("read", &path, fs::read_to_string(&path))?);
            }
        }
        if !sources.keys().any(|name| name.ends_with(".cu")) {
            return Err(format!("There is no .cu file in {}.", folder.display()));
        }
        Ok(Sources(sources))
    }

    /// Names and texts, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> + Clone {
        self.0.iter().map(|(name, text)| (name.as_str(), text.as_str()))
    }

    /// The program that all of them are compiled as.
    pub fn unit(&self) -> String {
        unit::unit(self.iter())
    }

    /// Compiles all of them as one program.
    pub fn compile(&self, nvrtc: &Nvrtc, target: Target, options: &[&str]) -> Result<Output, String> {
        let sources: Vec<_> = self.iter().map(|(name, text)| Source { name, text }).collect();
        let name = format!("{}.cu", unit::NAME);
        nvrtc.compile(Source { name: &name, text: &self.unit() }, &sources, target, options)
    }
}
