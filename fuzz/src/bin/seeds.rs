//! Writes the valid files of every body into `FOLDER/NAME/`: what libFuzzer begins with.

use std::io::Result;
use std::path::PathBuf;

fn main() -> Result<()> {
    let folder = PathBuf::from(std::env::args_os().nth(1).unwrap_or("corpus".into()));
    for (name, _) in etnas_fuzz::bodies::ALL {
        let corpus = folder.join(name);
        std::fs::create_dir_all(&corpus)?;
        for (i, bytes) in etnas_fuzz::seeds::of(name).iter().enumerate() {
            std::fs::write(corpus.join(format!("valid-{i}")), bytes)?;
        }
    }
    Ok(())
}
