//! Sessions on a Unix socket.

use super::session::Entrance;
use crate::error::{Error, Result};
use std::io::{self, BufReader};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A socket that accepts sessions; its file is removed when it is dropped.
pub struct Socket {
    listener: UnixListener,
    path: PathBuf,
}

impl Socket {
    /// Makes the socket, for its owner alone. One that a dead server left behind is replaced.
    ///
    /// # Errors
    /// [`Error::Options`] if another server listens there, or the path is no socket; [`Error::Unwritable`].
    pub fn bind(path: &Path) -> Result<Socket> {
        let unwritable = |source| Error::Unwritable { path: path.to_path_buf(), source };
        if let Ok(found) = std::fs::symlink_metadata(path) {
            let refused = |found: &str, remedy: &str| {
                Error::options("--socket", "a path that is free", format!("{found} {}", path.display()), remedy)
            };
            if !found.file_type().is_socket() {
                return Err(refused("the file", "Choose another path; nothing was changed."));
            }
            if UnixStream::connect(path).is_ok() {
                return Err(refused("a server that listens at", "Use that one, or choose another path."));
            }
            std::fs::remove_file(path).map_err(unwritable)?;
        }
        let listener = UnixListener::bind(path).map_err(unwritable)?;
        let socket = Socket { listener, path: path.to_path_buf() };
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(unwritable)?;
        Ok(socket)
    }

    /// Lets sessions in from now on, by a thread of its own.
    ///
    /// # Errors
    /// [`Error::Internal`] if the thread cannot be started.
    pub fn accept(&self, entrance: Entrance) -> Result<()> {
        let internal = |e: io::Error| Error::Internal(format!("sessions cannot be accepted: {e}"));
        let listener = self.listener.try_clone().map_err(internal)?;
        let accept = move || loop {
            let opened = listener.accept().and_then(|(stream, _)| Ok((BufReader::new(stream.try_clone()?), stream)));
            match opened {
                // If no thread can be started this client is turned away, and the next may find room.
                Ok((source, sink)) => drop(entrance.open(source, sink, false)),
                // Out of file handles, or the client left at once.
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        };
        std::thread::Builder::new().name("etnas-accept".to_string()).spawn(accept).map(drop).map_err(internal)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // Somebody may have removed it already.
        let _ = std::fs::remove_file(&self.path);
    }
}
