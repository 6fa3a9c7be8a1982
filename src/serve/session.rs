//! Sessions, and the queue between them and the engine.

use super::answer::{answers, refusal};
use super::line::{next_line, Line};
use super::request::{Refused, Request, Wanted};
use crate::backend::Watch;
use crate::engine::Engine;
use crate::error::{Error, Result};
use serde_json::Value;
use std::io::{self, BufRead, Write};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{channel, sync_channel, Receiver, RecvTimeoutError, Sender, SyncSender};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long the end of a session, or a signal, may stay unnoticed while nothing is asked.
const NOTICE: Duration = Duration::from_millis(50);

/// How long the last answers may take to reach clients when the server is told to end.
const FAREWELL: Duration = Duration::from_secs(2);

/// What clients may ask at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request.
    pub request_bytes: usize,
    /// Cells of a request.
    pub cells: usize,
    /// Requests of a session that are under way: read, and their answers not yet written.
    pub under_way: usize,
    /// Sessions at a time.
    pub sessions: usize,
}

impl Default for Limits {
    /// 1 MiB, the whole space, 64 requests, 64 sessions.
    fn default() -> Limits {
        Limits { request_bytes: 1 << 20, cells: crate::space::SPACE_SIZE, under_way: 64, sessions: 64 }
    }
}

/// A request on its way to the engine.
struct Job {
    request: Result<Request, Refused>,
    answer: Sender<String>,
    session: Arc<Session>,
}

/// What reader, writer and engine of a session know of each other.
struct Session {
    /// Answers reach nobody any more.
    lost: AtomicBool,
    /// Where the session is over, the whole server is.
    alone: bool,
}

/// What all sessions share.
struct Hall {
    limits: Limits,
    /// Sessions whose reader or writer still works.
    sessions: AtomicUsize,
    /// Requests that were read and not yet answered in writing.
    under_way: AtomicUsize,
    /// A session that was alone has lost its client.
    deserted: AtomicBool,
}

/// Takes sessions in and answers them: [`Server::entrance`] opens them, [`Server::run`] answers.
pub struct Server {
    waiting: Receiver<Job>,
    entrance: Entrance,
}

/// Where sessions are opened, from any thread.
#[derive(Clone)]
pub struct Entrance {
    jobs: SyncSender<Job>,
    hall: Arc<Hall>,
}

impl Server {
    /// A server without sessions.
    pub fn new(limits: Limits) -> Server {
        let (jobs, waiting) = sync_channel(limits.under_way.max(1));
        let hall = Hall {
            limits,
            sessions: AtomicUsize::new(0),
            under_way: AtomicUsize::new(0),
            deserted: AtomicBool::new(false),
        };
        Server { waiting, entrance: Entrance { jobs, hall: Arc::new(hall) } }
    }

    /// Where sessions are opened. While it, or a copy of it, is kept the server waits for more of them.
    pub fn entrance(&self) -> Entrance {
        self.entrance.clone()
    }

    /// Answers until all sessions are at their end and no entrance is kept, or `watch` cancels. Then every request that was read gets an
    /// answer, an error if it was not scored yet.
    ///
    /// # Errors
    /// [`Error::Interrupted`] if `watch` cancels while a request is under way (without any it is the end of a server); [`Error::Io`] if the one client of standard input and output is gone.
    pub fn run(self, engine: &Engine, watch: &dyn Watch) -> Result<()> {
        let Server { waiting, entrance: Entrance { jobs, hall } } = self;
        drop(jobs);
        let most = engine.cells_at_a_time();
        // Whether requests were cut off.
        let mut cut = false;
        loop {
            if hall.deserted.load(Ordering::Acquire) {
                let source = io::Error::from(io::ErrorKind::BrokenPipe);
                return Err(Error::Io { action: "writing the answers".to_string(), source });
            }
            if watch.cancelled() {
                break;
            }
            let first = match waiting.recv_timeout(NOTICE) {
                Ok(job) => job,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => {
                    while hall.under_way.load(Ordering::Acquire) > 0 && !watch.cancelled() {
                        std::thread::sleep(Duration::from_millis(1));
                    }
                    return Ok(());
                }
            };
            let mut count = first.cells();
            let mut batch = vec![first];
            while count < most {
                let Ok(job) = waiting.try_recv() else { break };
                count += job.cells();
                batch.push(job);
            }
            // Nobody waits for the answers of a lost session; its writer must still count them.
            let (lost, batch): (Vec<Job>, Vec<Job>) =
                batch.into_iter().partition(|job| job.session.lost.load(Ordering::Acquire));
            lost.into_iter().for_each(|job| job.send(String::new()));
            let (requests, senders): (Vec<_>, Vec<_>) =
                batch.into_iter().map(|Job { request, answer, .. }| (request, answer)).unzip();
            let lines = answers(engine, &requests, watch);
            // Asked before anybody is answered: a client may end the server by a signal as soon as it has its answer.
            cut |= watch.cancelled();
            for (line, sender) in lines.into_iter().zip(senders) {
                // A writer that is gone has counted what was on its way.
                let _ = sender.send(line);
            }
        }
        let end = Instant::now() + FAREWELL;
        while hall.under_way.load(Ordering::Acquire) > 0 && Instant::now() < end {
            match waiting.recv_timeout(Duration::from_millis(1)) {
                Ok(job) => {
                    cut = true;
                    let id = match &job.request {
                        Ok(request) => request.id.clone(),
                        Err(refused) => refused.id.clone(),
                    };
                    job.send(format!("{}\n", refusal(&id, &Error::Interrupted)));
                }
                // Writers are still at work.
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => std::thread::sleep(Duration::from_millis(1)),
            }
        }
        match cut || hall.under_way.load(Ordering::Acquire) > 0 {
            true => Err(Error::Interrupted),
            false => Ok(()),
        }
    }
}

impl Job {
    fn cells(&self) -> usize {
        match &self.request {
            Ok(Request { wanted: Wanted::Scores { cells, .. }, .. }) => cells.len(),
            _ => 0,
        }
    }

    fn send(self, line: String) {
        // A writer that is gone has counted what was on its way.
        let _ = self.answer.send(line);
    }
}

impl Entrance {
    /// Opens a session: a thread reads `source`, another writes to `sink`. With `alone` the server ends when its answers reach nobody.
    /// If there are too many sessions, one line says so and the session is over.
    ///
    /// # Errors
    /// [`Error::Internal`] if no thread can be started.
    pub fn open<R, W>(&self, source: R, mut sink: W, alone: bool) -> Result<()>
    where
        R: BufRead + Send + 'static,
        W: Write + Send + 'static,
    {
        let most = self.hall.limits.sessions;
        if self.hall.sessions.fetch_add(1, Ordering::AcqRel) >= most {
            self.hall.sessions.fetch_sub(1, Ordering::AcqRel);
            let expected = format!("at most {most} sessions at a time");
            let error = Error::options("The session", expected, "one more", "Try again when another one has ended.");
            // A client that is gone already need not know.
            let _ = sink.write_all(format!("{}\n", refusal(&Value::Null, &error)).as_bytes());
            return Ok(());
        }
        let session = Arc::new(Session { lost: AtomicBool::new(false), alone });
        let (answer, answers) = channel();
        // A permit for each request under way.
        let (permits, returned) = sync_channel(self.hall.limits.under_way.max(1));
        let reader =
            Reader { jobs: self.jobs.clone(), hall: self.hall.clone(), session: session.clone(), answer, permits };
        let hall = self.hall.clone();
        let started = |result: io::Result<_>| {
            result.map(drop).map_err(|e| Error::Internal(format!("a thread of a session cannot be started: {e}")))
        };
        let writer = move || {
            write(sink, &answers, &returned, &session, &hall);
            hall.sessions.fetch_sub(1, Ordering::AcqRel);
        };
        started(std::thread::Builder::new().name("etnas-writer".to_string()).spawn(writer))?;
        started(std::thread::Builder::new().name("etnas-reader".to_string()).spawn(move || reader.read(source)))
    }
}

/// The thread that reads a session.
struct Reader {
    jobs: SyncSender<Job>,
    hall: Arc<Hall>,
    session: Arc<Session>,
    answer: Sender<String>,
    permits: SyncSender<()>,
}

impl Reader {
    fn read(self, mut source: impl BufRead) {
        let Limits { request_bytes, cells, .. } = self.hall.limits;
        // A session that cannot be read is at its end.
        while let Ok(Some(line)) = next_line(&mut source, request_bytes) {
            let request = match line {
                Line::Whole(line) if line.iter().all(u8::is_ascii_whitespace) => continue,
                Line::Whole(line) => Request::read(&line, cells),
                Line::TooLong => {
                    let expected = format!("at most {request_bytes} bytes a line");
                    let error = Error::options("The request", expected, "more", "Send several requests.");
                    Err(Refused { id: Value::Null, error: Box::new(error) })
                }
            };
            // Blocks while too much is under way; fails when the writer is gone.
            if self.session.lost.load(Ordering::Acquire) || self.permits.send(()).is_err() {
                return;
            }
            self.hall.under_way.fetch_add(1, Ordering::AcqRel);
            let job = Job { request, answer: self.answer.clone(), session: self.session.clone() };
            if self.jobs.send(job).is_err() {
                self.hall.under_way.fetch_sub(1, Ordering::AcqRel);
                return;
            }
        }
    }
}

/// Writes the answers of a session in their order. When they reach nobody any more they are only counted.
fn write(mut sink: impl Write, answers: &Receiver<String>, returned: &Receiver<()>, session: &Session, hall: &Hall) {
    for line in answers {
        let lost = session.lost.load(Ordering::Acquire);
        if !lost && sink.write_all(line.as_bytes()).and_then(|()| sink.flush()).is_err() {
            session.lost.store(true, Ordering::Release);
            if session.alone {
                hall.deserted.store(true, Ordering::Release);
            }
        }
        hall.under_way.fetch_sub(1, Ordering::AcqRel);
        // The reader may be at its end.
        let _ = returned.try_recv();
    }
}
