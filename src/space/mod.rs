//! The NATS-Bench topology search space (NAS-Bench-201): 15,625 cells of six edges with one of five operations each.
//!
//! This room owns what can be known of a cell without computing a network: its encodings, its graph, its isomorphism
//! class, Degree, parameter and MAC counts, and mutation. It knows nothing of weights, images or devices.

mod cell;
mod counts;
mod encoding;
mod graph;
mod mutate;
mod op;
mod order;
mod skeleton;
mod unique;

pub use cell::{Cell, EDGES, SPACE_SIZE};
pub use encoding::Encoding;
pub use graph::Reach;
pub use mutate::mutate;
pub use op::{Kernel, Op};
pub use skeleton::{Block, Skeleton};
