//! etnas behind a C interface: `include/etnas.h` is its contract.
//!
//! Every function checks its pointers, keeps panics on this side of the border, and turns errors into the command line's code and
//! sentence. `unsafe` is here because C gives nothing but pointers; each block says what the header asks of the caller.

#![deny(missing_docs)]

mod border;
mod engine;
mod naming;

pub use border::Outcome;
pub use engine::*;
pub use naming::*;
