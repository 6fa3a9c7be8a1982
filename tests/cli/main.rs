//! The command line as a contract: what is printed where, exit codes, and that nothing is written half.

#[path = "../common/mod.rs"]
mod common;

mod bad_input;
mod bench;
mod cards;
mod convert;
mod correlate;
mod data;
mod explain;
mod export;
mod formats;
mod output;
mod plot;
mod rank;
mod reproduce;
mod score;
mod search;
mod search_files;
mod search_repeats;
mod serve;
mod sweep;
mod table;
mod weights;

use common::program::{etnas, keys, names, rows, small, stdout, told, with_cards};
