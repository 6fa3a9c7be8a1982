//! `completions`: what a shell needs to complete a command line.

use crate::error::Result;
use crate::report::Output;
use clap::{Args, CommandFactory};
use clap_complete::Shell;

/// Print the completions of a shell.
///
/// For bash: `etnas-fast completions bash > ~/.local/share/bash-completion/completions/etnas-fast`.
#[derive(Args)]
pub struct CompletionsArguments {
    /// The shell
    shell: Shell,
}

impl CompletionsArguments {
    /// Prints.
    pub fn run(self) -> Result<()> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut super::Arguments::command(), "etnas-fast", &mut script);
        let mut output = Output::open(None, false)?;
        output.write(&String::from_utf8_lossy(&script))?;
        output.flush()
    }
}
