//! What each source line of a kernel asks of memory, against the least that would do. Counted by the checked build, exactly and
//! the same every time; no prediction of time.

use crate::library;

/// Accesses of one source line, of one kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    /// Kernel, and the capability it was compiled for.
    pub kernel: String,
    /// Compute capability, as 90 for 9.0.
    pub capability: u32,
    /// "file.cu:line".
    pub line: String,
    /// "load", "store" or "atomic".
    pub access: String,
    /// Global memory; shared if false.
    pub global: bool,
    /// Bytes that a lane asks for.
    pub bytes: u64,
    /// Times that a warp asks.
    pub requests: u64,
    /// Lanes that took part, over all requests.
    pub lanes: u64,
    /// Global memory: sectors of 32 bytes. Shared memory: wavefronts, of which bank conflicts cost more.
    pub parts: u64,
    /// The least number of parts: for sectors, the distinct numbers asked for if they lay side by side.
    pub least: u64,
}

/// Global memory that the launches of a kernel touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Total {
    /// Kernel.
    pub kernel: String,
    /// Compute capability, as 90 for 9.0.
    pub capability: u32,
    /// Launches.
    pub launches: u64,
    /// Bytes, in whole sectors, that a launch read at least once; the sum over launches.
    pub read: u64,
    /// Bytes, in whole sectors, that a launch wrote at least once; the sum over launches.
    pub written: u64,
}

/// A profile of all launches since [`start`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// By kernel and line.
    pub rows: Vec<Row>,
    /// By kernel.
    pub totals: Vec<Total>,
}

/// Forgets what was counted, and counts from now on: all launches of the checked build in this process.
///
/// # Errors
/// If the library cannot be loaded.
pub fn start() -> Result<(), String> {
    // SAFETY: takes nothing.
    unsafe { (library::profile()?.start)() };
    Ok(())
}

/// What was counted so far.
///
/// # Errors
/// If the library cannot be loaded.
pub fn read() -> Result<Profile, String> {
    let functions = library::profile()?;
    // SAFETY: asks for the length only.
    let mut bytes = unsafe { (functions.text)(std::ptr::null_mut(), 0) };
    loop {
        let mut text = vec![0u8; bytes];
        // SAFETY: the library writes nothing if the text does not fit.
        let needed = unsafe { (functions.text)(text.as_mut_ptr().cast(), text.len()) };
        if needed <= text.len() {
            text.truncate(needed.saturating_sub(1));
            return Ok(parse(&String::from_utf8_lossy(&text)));
        }
        bytes = needed;
    }
}

fn parse(text: &str) -> Profile {
    let mut profile = Profile::default();
    for line in text.lines() {
        let number = |field: &str| field.parse().unwrap_or(0);
        match *line.split('\t').collect::<Vec<_>>() {
            [kernel, capability, place, access, space, bytes, requests, lanes, parts, least] => {
                profile.rows.push(Row {
                    kernel: kernel.into(),
                    capability: capability.parse().unwrap_or(0),
                    line: place.into(),
                    access: access.into(),
                    global: space == "global",
                    bytes: number(bytes),
                    requests: number(requests),
                    lanes: number(lanes),
                    parts: number(parts),
                    least: number(least),
                })
            }
            [kernel, capability, launches, read, written] => profile.totals.push(Total {
                kernel: kernel.into(),
                capability: capability.parse().unwrap_or(0),
                launches: number(launches),
                read: number(read),
                written: number(written),
            }),
            _ => {}
        }
    }
    profile
}

impl Profile {
    /// Sectors of global memory that a kernel asked for, and the least, over all lines; one kernel on one capability.
    pub fn sectors(&self, kernel: &str, capability: u32) -> (u64, u64) {
        self.sum(kernel, capability, true)
    }

    /// Wavefronts of shared memory, and the least, over all lines.
    pub fn wavefronts(&self, kernel: &str, capability: u32) -> (u64, u64) {
        self.sum(kernel, capability, false)
    }

    fn sum(&self, kernel: &str, capability: u32, global: bool) -> (u64, u64) {
        let rows = self.rows.iter().filter(|r| r.kernel == kernel && r.capability == capability && r.global == global);
        rows.fold((0, 0), |(parts, least), row| (parts + row.parts, least + row.least))
    }

    /// A table for people, the rows that waste most of a kernel first.
    pub fn table(&self) -> String {
        let mut rows: Vec<_> = self.rows.iter().collect();
        rows.sort_by_key(|r| {
            (&r.kernel, r.capability, std::cmp::Reverse(r.parts - r.least.min(r.parts)), &r.line, &r.access)
        });
        let mut text = format!(
            "{:24} {:>3} {:28} {:14} {:>5} {:>10} {:>6} {:>12} {:>12} {:>6}\n",
            "kernel", "cc", "line", "access", "bytes", "requests", "lanes", "parts", "least", "ratio"
        );
        for row in rows {
            let access = format!("{} {}", if row.global { "global" } else { "shared" }, row.access);
            let lanes = row.lanes as f64 / row.requests.max(1) as f64;
            let ratio = row.parts as f64 / row.least.max(1) as f64;
            text += &format!(
                "{:24} {:>3} {:28} {:14} {:>5} {:>10} {:>6.1} {:>12} {:>12} {:>6.2}\n",
                row.kernel,
                row.capability,
                row.line,
                access,
                row.bytes,
                row.requests,
                lanes,
                row.parts,
                row.least,
                ratio
            );
        }
        for total in &self.totals {
            text += &format!(
                "{:24} {:>3} {} launches, {} bytes read, {} bytes written at least once\n",
                total.kernel, total.capability, total.launches, total.read, total.written
            );
        }
        text
    }
}
