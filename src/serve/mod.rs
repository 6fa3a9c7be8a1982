//! A resident engine for any language: requests as lines of JSON, answered in order, what waits together in one batch.
//!
//! One thread reads each session and one writes it; the thread that calls [`Server::run`] scores. Both ways are bounded: a session
//! may have so many requests under way, and reading goes on when answers have been written, so that a client that does not read
//! its answers is not read either. Which requests meet in a batch changes no score.

mod answer;
mod line;
mod request;
mod session;
#[cfg(unix)]
mod socket;

pub use request::Request;
pub use session::{Entrance, Limits, Server};
#[cfg(unix)]
pub use socket::Socket;
