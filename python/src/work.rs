//! Work that leaves Python free: without its lock, and ended by its signals.

use crate::errors::raised;
use etnas::backend::Watch;
use etnas::{Error, Result};
use pyo3::prelude::*;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{sync_channel, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// How often Python is asked for signals, and told of progress.
const SLICE: Duration = Duration::from_millis(50);

/// What the working thread and the waiting one tell each other.
#[derive(Default)]
pub struct Flags {
    stop: AtomicBool,
    done: AtomicUsize,
}

impl Flags {
    /// So many cells are done.
    pub fn reach(&self, done: usize) {
        self.done.store(done, Ordering::Relaxed);
    }
}

impl Watch for Flags {
    fn cancelled(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// Someone who is told how many cells of how many are done.
pub struct Listener {
    pub callback: Py<PyAny>,
    pub cells: usize,
}

/// What `work` gives. It runs on a thread of its own while this one waits without Python's lock and looks every [`SLICE`] for signals:
/// an exception that these (or the listener) raise ends the work, and is raised when it has ended.
pub fn detached<T: Send>(
    py: Python<'_>,
    listener: Option<&Listener>,
    work: impl FnOnce(&Flags) -> Result<T> + Send,
) -> PyResult<T> {
    let flags = Flags::default();
    let mut exception: Option<PyErr> = None;
    let mut told = None;
    let mut look = |flags: &Flags| {
        let done = flags.done.load(Ordering::Relaxed);
        Python::attach(|py| {
            py.check_signals()?;
            match listener.filter(|_| told.replace(done) != Some(done)) {
                Some(listener) => listener.callback.call1(py, (done, listener.cells)).map(drop),
                None => Ok(()),
            }
        })
    };
    let result = py.detach(|| {
        let result = waited(&flags, work, |flags| {
            if exception.is_none() {
                exception = look(flags).err();
                flags.stop.store(exception.is_some(), Ordering::Relaxed);
            }
        });
        if result.is_ok() && exception.is_none() && listener.is_some() {
            exception = look(&flags).err();
        }
        result
    });
    match exception {
        Some(exception) => Err(exception),
        None => result.map_err(|error| raised(py, &error)),
    }
}

fn waited<T: Send>(
    flags: &Flags,
    work: impl FnOnce(&Flags) -> Result<T> + Send,
    mut look: impl FnMut(&Flags),
) -> Result<T> {
    thread::scope(|scope| {
        let (sender, receiver) = sync_channel(1);
        let worker = move || drop(sender.send(Error::catch(|| work(flags))));
        let spawned = thread::Builder::new().name("etnas".to_string()).spawn_scoped(scope, worker);
        spawned.map_err(|source| Error::Io { action: "starting a thread".to_string(), source })?;
        loop {
            match receiver.recv_timeout(SLICE) {
                Ok(result) => return result,
                Err(RecvTimeoutError::Timeout) => look(flags),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Error::Internal("a thread ended without a result".to_string()));
                }
            }
        }
    })
}
