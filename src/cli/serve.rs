//! `serve`: a resident engine for programs in any language.

use super::common::{DrawArguments, EngineArguments};
use super::names;
use super::progress::{catch_interrupts, say, Progress};
use crate::engine::Engine;
use crate::error::Result;
use crate::serve::{Limits, Server};
use clap::Args;
use std::io::{stdin, stdout, BufReader};
#[cfg(unix)]
use std::path::PathBuf;

/// Answer requests with the scores of cells, as a resident engine.
///
/// A request is a line of JSON, {"id": 1, "cells": [9930, "1462"], "measures": ["naswot"]}, on stdin or a Unix socket; its answer is a line
/// {"id": 1, "records": […]}, with the records of `score --format jsonl`, or {"id": 1, "error": "…", "code": 2}. Answers come in the order of
/// the requests of a session. Requests that wait are scored together, which changes no score; what was scored once is remembered.
/// The server ends at the end of stdin, or by Ctrl-C or SIGTERM, and then answers what it has read: with exit code 0, or with 130 if requests
/// were cut off.
#[derive(Args)]
#[command(allow_negative_numbers = true)]
pub struct ServeArguments {
    /// Listen on a Unix socket at PATH, for any number of sessions at a time, instead of stdin
    #[cfg(unix)]
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// Longest request, in bytes; a longer one is refused and skipped
    #[arg(long, value_name = "BYTES", value_parser = names::count, default_value_t = Limits::default().request_bytes)]
    most_bytes: usize,
    /// Most cells of a request
    #[arg(long, value_name = "N", value_parser = names::count, default_value_t = Limits::default().cells)]
    most_cells: usize,
    /// Requests of a session that may be under way; no more is read until an answer is written
    #[arg(long, value_name = "N", value_parser = names::count, default_value_t = Limits::default().under_way)]
    under_way: usize,
    /// Sessions at a time on the socket
    #[arg(long, value_name = "N", value_parser = names::count, default_value_t = Limits::default().sessions)]
    sessions: usize,
    #[command(flatten)]
    engine: EngineArguments,
    #[command(flatten)]
    draws: DrawArguments,
    /// No notes on stderr; errors are still told
    #[arg(short, long, help_heading = "Output")]
    quiet: bool,
}

impl ServeArguments {
    /// Answers until the end.
    pub fn run(self) -> Result<()> {
        let mut options = self.engine.options();
        options.repeats = self.draws.repeats;
        catch_interrupts();
        #[cfg(unix)]
        let socket = self.socket.as_deref().map(crate::serve::Socket::bind).transpose()?;
        let engine = Engine::new(options)?;
        if let Some(note) = engine.device_note().filter(|_| !self.quiet) {
            say(note);
        }
        let limits = Limits {
            request_bytes: self.most_bytes,
            cells: self.most_cells,
            under_way: self.under_way,
            sessions: self.sessions,
        };
        let server = Server::new(limits);
        let progress = Progress::new(0, true);
        #[cfg(unix)]
        if let Some(socket) = &socket {
            socket.accept(server.entrance())?;
            if let Some(path) = self.socket.filter(|_| !self.quiet) {
                say(&format!("Listening at {}.", path.display()));
            }
            return server.run(&engine, &progress);
        }
        server.entrance().open(BufReader::new(stdin()), stdout(), true)?;
        server.run(&engine, &progress)
    }
}
