//! Every table and figure of the paper, computed again and set beside the published values.
//!
//! This room runs experiments: searches, correlations and sweeps over scores that engines compute or score files hold. It prints
//! nothing ([`crate::report`] does) and knows the paper's figures only to compare with them.

mod correlation;
mod entry;
mod laboratory;
pub mod paper;
mod searches;
mod sweep;

pub use correlation::{fig2, scored, table3, Scored};
pub use entry::{Entry, Found, Origin, Quantity, Reproduction};
pub use laboratory::{Laboratory, Setting, Told};
pub use searches::{table1, table2, table4, table5};

use crate::error::{Error, Result};

/// A table or figure of the paper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Experiment {
    /// Random search by naswot.
    Table1,
    /// Random search by validation accuracy after 12 epochs.
    Table2,
    /// Rank correlations of the measures.
    Table3,
    /// Variants of ET-NAS.
    Table4,
    /// ET-NAS beside other methods.
    Table5,
    /// LossSlope and utopian distance against accuracy.
    Fig2,
}

impl Experiment {
    /// All, in the order of the paper.
    pub const ALL: [Experiment; 6] = [
        Experiment::Table1,
        Experiment::Table2,
        Experiment::Table3,
        Experiment::Table4,
        Experiment::Table5,
        Experiment::Fig2,
    ];

    /// The name on the command line and in records.
    pub fn name(self) -> &'static str {
        ["table1", "table2", "table3", "table4", "table5", "fig2"][self as usize]
    }

    /// The experiments of a name; `all` is all of them.
    ///
    /// # Errors
    /// [`Error::UnknownName`].
    pub fn named(name: &str) -> Result<Vec<Experiment>> {
        if name == "all" {
            return Ok(Experiment::ALL.to_vec());
        }
        let found = Experiment::ALL.into_iter().find(|experiment| experiment.name() == name);
        found.map(|experiment| vec![experiment]).ok_or_else(|| Error::UnknownName {
            kind: "table or figure",
            found: name.to_string(),
            allowed: Experiment::ALL.iter().map(|e| e.name()).chain(["all"]).map(String::from).collect(),
        })
    }
}
