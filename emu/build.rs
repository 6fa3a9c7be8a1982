//! Compiles the kernels and the emulator with g++ into two libraries, `plain/libcuda.so.1` and `checked/libcuda.so.1`.
//!
//! Every kernel source is compiled once for each compute capability. A source that does not compile is left out with a warning, and
//! a launch of a kernel that is not there quotes the compiler: so one broken kernel fails its own tests only.

use std::collections::VecDeque;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::SystemTime;
use std::{env, fs, thread};

const CAPABILITIES: [u32; 3] = [75, 80, 90];
const JOBS: usize = 2;
/// The variable that names sanitizers of g++ for the plain library, as `-fsanitize` takes them: see docs/sanitizers.md.
const SANITIZE: &str = "EMULATOR_SANITIZE";
/// The variable that leaves the libraries out, if it is set: for lints and documentation, which need none and would wait a minute for them.
const LEFT_OUT: &str = "EMULATOR_LEFT_OUT";

/// Which of the two libraries.
struct Build {
    name: &'static str,
    /// Folders of the emulator's sources.
    folders: &'static [&'static str],
    emulator: Vec<String>,
    kernels: Vec<String>,
    kernel_kind: Kind,
    /// Whether a second library is linked: see cpp/share.hpp.
    worker: bool,
    /// What compiling and linking need for sanitizers.
    sanitizers: Vec<String>,
}

/// One source to compile.
struct Job {
    source: PathBuf,
    object: PathBuf,
    flags: Vec<String>,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Emulator,
    /// May fail to compile.
    Kernel,
    /// As a kernel, with unused bytes behind every static array.
    CheckedKernel,
}

fn main() -> Result<(), String> {
    let folder = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(variable("OUT_DIR")?);
    let kernels = folder.parent().ok_or("The emulator's folder has no parent.")?.join("kernels");
    let sources = folder.join("cpp");
    for watched in [&kernels, &sources, &folder.join("test_kernels")] {
        println!("cargo:rerun-if-changed={}", watched.display());
    }
    println!("cargo:rerun-if-changed={}", folder.join("build.rs").display());
    println!("cargo:rerun-if-env-changed=CXX");
    println!("cargo:rerun-if-env-changed={SANITIZE}");
    println!("cargo:rerun-if-env-changed={LEFT_OUT}");
    let sanitize = env::var(SANITIZE).unwrap_or_default();
    let compiler = env::var("CXX").unwrap_or_else(|_| "g++".into());
    let include = [format!("-I{}", sources.display()), format!("-I{}", kernels.display())];
    let mut kernel_sources = files(&kernels, "cu");
    kernel_sources.extend(files(&folder.join("test_kernels"), "cu"));

    let mut failures = String::new();
    let builds = if env::var_os(LEFT_OUT).is_some() { Vec::new() } else { builds(&compiler, &sanitize)?.into() };
    for build in builds {
        let objects = out.join(build.name);
        fs::create_dir_all(&objects).map_err(|e| format!("{}: {e}.", objects.display()))?;
        let mut jobs = VecDeque::new();
        for source in build.folders.iter().flat_map(|folder| files(&sources.join(folder), "cpp")) {
            let object = objects.join(object_name(&source)).with_extension("o");
            let flags = [&include[..], &build.emulator, &build.sanitizers].concat();
            jobs.push_back(Job { source, object, flags, kind: Kind::Emulator });
        }
        for source in &kernel_sources {
            for capability in CAPABILITIES {
                let name = format!("{}_{capability}", object_name(source));
                let wrapper = out.join(format!("{name}.cpp"));
                write_if_new(&wrapper, &wrap(source))?;
                let capability = [format!("-DCAPABILITY={capability}")];
                let flags = [&include[..], &build.kernels, &build.sanitizers, &capability].concat();
                let object = objects.join(format!("{name}.o"));
                jobs.push_back(Job { source: wrapper, object, flags, kind: build.kernel_kind });
            }
        }
        let (compiled, failed) = compile(&compiler, jobs)?;
        failures.push_str(&failed);
        // The first name that cudarc looks for, so that a library which is loaded already is found by it even where a real
        // driver is installed; a second name for folders of LD_LIBRARY_PATH; and a second copy for a second thread.
        let named = [&build.sanitizers[..], &["-Wl,-soname,libcuda.so".into()]].concat();
        link(&compiler, &compiled, &objects.join("libcuda.so.1"), &named)?;
        let other = objects.join("libcuda.so");
        let _ = fs::remove_file(&other);
        symlink("libcuda.so.1", &other).map_err(|e| format!("{}: {e}.", other.display()))?;
        if build.worker {
            link(&compiler, &compiled, &objects.join("worker.so"), &build.sanitizers)?;
        }
    }
    let report = out.join("failures.txt");
    write_if_new(&report, &failures)?;
    for line in failures.lines().filter(|line| line.contains("error")) {
        println!("cargo:warning={line}");
    }
    println!("cargo:rustc-env=EMULATOR_LIBRARIES={}", out.display());
    println!("cargo:rustc-env=EMULATOR_SANITIZE={sanitize}");
    Ok(())
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|_| format!("{name} is not set; this program is run by cargo."))
}

/// "driver_state" of ".../driver/state.cpp": folders may have files of one name.
fn object_name(source: &Path) -> String {
    let text = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
    format!("{}_{}", text(source.parent().and_then(Path::file_name)), text(source.file_stem()))
}

/// Files of a folder with an extension, by name.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    found.retain(|path| path.extension().is_some_and(|e| e == extension));
    found.sort();
    found
}

fn builds(compiler: &str, sanitize: &str) -> Result<[Build; 2], String> {
    let common = [
        "-std=c++17",
        "-fPIC",
        "-fvisibility=hidden",
        "-fno-strict-aliasing",
        "-fno-gnu-unique",
        "-ffp-contract=off",
        "-gdwarf-4",
        "-pthread",
    ];
    // -fno-optimize-sibling-calls: a barrier at a kernel's end must return into the kernel, whose line a report names.
    let kernel =
        ["-fno-optimize-sibling-calls", "-fno-exceptions", "-fno-rtti", "-Wall", "-Wno-unused", "-Wno-unknown-pragmas"];
    let texts = |lists: &[&[&str]]| lists.concat().into_iter().map(String::from).collect::<Vec<_>>();
    let vectors = vector_flags(compiler)?;
    let vectors: Vec<&str> = vectors.iter().map(String::as_str).collect();
    // Products in the emulator are exact, so that contraction changes no bit there, but time.
    let emulator: &[&str] = &["-O3", "-Wall", "-Wextra", "-ffp-contract=fast"];
    let checked: &[&str] = &["-DEMULATOR_CHECKED=1"];
    let optimised: &[&str] = if vectors.is_empty() { &["-O2"] } else { &["-O3"] };
    Ok([
        Build {
            name: "plain",
            folders: &["", "driver"],
            emulator: texts(&[&common, emulator, &vectors]),
            kernels: texts(&[&common, &kernel, optimised, &vectors]),
            kernel_kind: Kind::Kernel,
            worker: true,
            sanitizers: sanitizer_flags(sanitize),
        },
        Build {
            name: "checked",
            folders: &["", "driver", "checker"],
            emulator: texts(&[&common, emulator, &vectors, checked]),
            kernels: texts(&[&common, &kernel, checked, &["-O1", "-fsanitize=thread", "-fdata-sections"]]),
            kernel_kind: Kind::CheckedKernel,
            worker: false,
            sanitizers: Vec::new(),
        },
    ])
}

/// Flags for sanitizers that end the process at the first finding; none for none.
fn sanitizer_flags(sanitize: &str) -> Vec<String> {
    if sanitize.is_empty() {
        return Vec::new();
    }
    // -O1: reports name the lines of the source. `vptr` needs the type information that kernels are without.
    let flags = ["-O1", "-fno-sanitize-recover=all", "-fno-sanitize=vptr", "-fno-omit-frame-pointer"];
    std::iter::once(format!("-fsanitize={sanitize}")).chain(flags.map(String::from)).collect()
}

/// -mavx2 and what comes with it, if this machine has it.
fn vector_flags(compiler: &str) -> Result<Vec<String>, String> {
    let output = Command::new(compiler)
        .args(["-march=native", "-dM", "-E", "-x", "c++", "/dev/null"])
        .output()
        .map_err(|e| missing(compiler, &e))?;
    let macros = String::from_utf8_lossy(&output.stdout).into_owned();
    let has = |name: &str| macros.lines().any(|line| line.split_whitespace().nth(1) == Some(name));
    let all = ["__AVX2__", "__FMA__", "__F16C__", "__POPCNT__"].iter().all(|name| has(name));
    Ok(if all { ["-mavx2", "-mfma", "-mf16c", "-mpopcnt"].map(String::from).to_vec() } else { Vec::new() })
}

fn missing(compiler: &str, error: &std::io::Error) -> String {
    format!(
        "The emulator of CUDA needs a C++ compiler, but '{compiler}' cannot be run ({error}). Install g++ 12 or newer, or name \
         a compiler in the environment variable CXX."
    )
}

/// A kernel's source inside an unnamed namespace, so that its variants do not meet in the linker.
fn wrap(source: &Path) -> String {
    format!(
        "#include \"emulated.hpp\"\nnamespace {{\ntemplate <int> struct LaunchBound;\n#include \"{}\"\n}}\n",
        source.display()
    )
}

fn write_if_new(path: &Path, text: &str) -> Result<(), String> {
    if fs::read_to_string(path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    fs::write(path, text).map_err(|e| format!("{}: {e}.", path.display()))
}

/// Compiles what is not up to date. Returns the objects that are there, and what the compiler said of kernels that failed.
fn compile(compiler: &str, jobs: VecDeque<Job>) -> Result<(Vec<PathBuf>, String), String> {
    let queue = Mutex::new(jobs);
    let done = Mutex::new((Vec::new(), Vec::new()));
    let failed = Mutex::new(None);
    let take = || queue.lock().ok()?.pop_front();
    let work = || {
        while let Some(job) = take() {
            let result = compile_one(compiler, &job);
            match result {
                Ok(None) => done.lock().unwrap_or_else(|e| e.into_inner()).0.push(job.object),
                Ok(Some(text)) => done.lock().unwrap_or_else(|e| e.into_inner()).1.push(text),
                Err(text) => *failed.lock().unwrap_or_else(|e| e.into_inner()) = Some(text),
            }
        }
    };
    thread::scope(|scope| (0..JOBS).for_each(|_| drop(scope.spawn(work))));
    if let Some(text) = failed.into_inner().unwrap_or_else(|e| e.into_inner()) {
        return Err(text);
    }
    let (mut objects, mut texts) = done.into_inner().unwrap_or_else(|e| e.into_inner());
    objects.sort();
    texts.sort();
    Ok((objects, texts.concat()))
}

/// None: the object is there. Some: why the kernel was left out.
fn compile_one(compiler: &str, job: &Job) -> Result<Option<String>, String> {
    // Written before the compiler reads anything: what changes later is newer.
    let started = job.object.with_extension("flags");
    let flags = job.flags.join("\n");
    if fs::read_to_string(&started).is_ok_and(|old| old == flags) && up_to_date(&job.object, &started) {
        return Ok(None);
    }
    let _ = fs::remove_file(&job.object);
    fs::write(&started, &flags).map_err(|e| format!("{}: {e}.", started.display()))?;
    let assembly = job.object.with_extension("s");
    let (action, target) = if job.kind == Kind::CheckedKernel { ("-S", &assembly) } else { ("-c", &job.object) };
    let run = |command: &mut Command| -> Result<Option<String>, String> {
        let output = command.output().map_err(|e| missing(compiler, &e))?;
        Ok((!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).into_owned()))
    };
    let mut command = Command::new(compiler);
    command.args(&job.flags).args(["-MMD", action, "-x", "c++"]).arg(&job.source).arg("-o").arg(target);
    let mut failure = run(&mut command)?;
    if job.kind == Kind::CheckedKernel && failure.is_none() {
        let text = fs::read_to_string(&assembly).map_err(|e| format!("{}: {e}.", assembly.display()))?;
        fs::write(&assembly, with_guards(&text)).map_err(|e| format!("{}: {e}.", assembly.display()))?;
        failure = run(Command::new(compiler).arg("-c").arg(&assembly).arg("-o").arg(&job.object))?;
    }
    match failure {
        Some(text) if job.kind == Kind::Emulator => {
            Err(format!("'{compiler}' could not compile {}:\n{text}", job.source.display()))
        }
        other => Ok(other),
    }
}

/// Adds 64 unused bytes behind every zero-initialised variable, whose size the symbol table still tells: the checker finds an
/// access past a shared array's end.
fn with_guards(assembly: &str) -> String {
    let mut inside = false;
    let mut text = String::with_capacity(assembly.len());
    for line in assembly.lines() {
        let word = line.trim_start();
        if word.starts_with(".section") || word.starts_with(".text") || word.starts_with(".data") {
            inside = word.starts_with(".section") && word.contains(".bss.");
        }
        let bytes = word.strip_prefix(".zero").and_then(|bytes| bytes.trim().parse::<u64>().ok());
        match bytes {
            Some(bytes) if inside => text.push_str(&format!("\t.zero\t{}\n", bytes + 64)),
            _ => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    text
}

/// Whether an object is there and nothing that the compiler noted as read for it has changed since it started.
fn up_to_date(object: &Path, started: &Path) -> bool {
    let time = |path: &Path| fs::metadata(path).and_then(|m| m.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    let Ok(notes) = fs::read_to_string(object.with_extension("d")) else { return false };
    let Some((_, read)) = notes.split_once(": ") else { return false };
    let started = time(started);
    object.exists()
        && read.split_whitespace().filter(|word| *word != "\\").all(|path| {
            let changed = time(Path::new(path));
            changed != SystemTime::UNIX_EPOCH && changed < started
        })
}

fn link(compiler: &str, objects: &[PathBuf], library: &Path, flags: &[String]) -> Result<(), String> {
    let output = Command::new(compiler)
        .args(["-shared", "-pthread", "-Wl,-z,nodelete", "-Wl,-Bsymbolic"])
        .args(flags)
        .args(objects)
        .arg("-o")
        .arg(library)
        .arg("-ldl")
        .output()
        .map_err(|e| missing(compiler, &e))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("'{compiler}' could not link {}:\n{}", library.display(), String::from_utf8_lossy(&output.stderr)))
}
