//! The emulator's library and the functions it exports.

use std::ffi::{c_char, c_void};
use std::path::Path;
use std::sync::OnceLock;

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};

use crate::Build;

/// Numbers of a launch, as the library gives them.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RawStatistics {
    pub blocks: u64,
    pub threads: u64,
    pub switches: u64,
    pub barriers: u64,
    pub collectives: u64,
    pub products: u64,
    pub seconds: f64,
}

type Launch = unsafe extern "C" fn(
    u32,
    *const c_char,
    u32,
    *const u32,
    *const u32,
    usize,
    *const *const c_void,
    *const usize,
    usize,
    u32,
    u64,
    *mut RawStatistics,
    *mut c_char,
    usize,
) -> i32;

/// Functions of a loaded library.
pub(crate) struct Functions {
    pub allocate: unsafe extern "C" fn(u32, usize) -> u64,
    pub release: unsafe extern "C" fn(u64) -> i32,
    pub write: unsafe extern "C" fn(u64, *const c_void, usize) -> i32,
    pub read: unsafe extern "C" fn(u64, *mut c_void, usize) -> i32,
    pub launch: Launch,
    pub set_cards: unsafe extern "C" fn(*const c_char) -> i32,
    pub set_memory: unsafe extern "C" fn(usize) -> i32,
    pub set_largest: unsafe extern "C" fn(usize) -> i32,
    pub set_driver: unsafe extern "C" fn(i32) -> i32,
    pub set_order: unsafe extern "C" fn(u32, u64) -> i32,
    pub fail_launch: unsafe extern "C" fn(u64) -> i32,
    pub fail_capture: unsafe extern "C" fn(i32) -> i32,
    pub last_failure: unsafe extern "C" fn(*mut c_char, usize) -> i32,
    /// In the checked build only.
    pub profile: Option<ProfileFunctions>,
}

/// The checked build's functions for profiles.
#[derive(Clone, Copy)]
pub(crate) struct ProfileFunctions {
    pub start: unsafe extern "C" fn() -> i32,
    pub text: unsafe extern "C" fn(*mut c_char, usize) -> usize,
}

/// What the compiler said of kernels that are missing because they did not compile.
pub(crate) fn compile_errors() -> String {
    std::fs::read_to_string(Path::new(env!("EMULATOR_LIBRARIES")).join("failures.txt")).unwrap_or_default()
}

/// The folder that holds a build's library.
pub(crate) fn folder(build: Build) -> &'static Path {
    Path::new(match build {
        Build::Plain => concat!(env!("EMULATOR_LIBRARIES"), "/plain"),
        Build::Checked => concat!(env!("EMULATOR_LIBRARIES"), "/checked"),
    })
}

/// The build that was loaded first: a search for `libcuda.so` finds that one.
static FIRST: OnceLock<Build> = OnceLock::new();

/// A build's functions; the library is loaded at the first call and stays loaded.
pub(crate) fn functions(build: Build) -> Result<&'static Functions, String> {
    static LOADED: [OnceLock<Result<Functions, String>>; 2] = [OnceLock::new(), OnceLock::new()];
    let first = *FIRST.get_or_init(|| build);
    if first != build {
        LOADED[first as usize].get_or_init(|| load(first));
    }
    LOADED[build as usize].get_or_init(|| load(build)).as_ref().map_err(Clone::clone)
}

/// The functions of the library that stands in for libcuda in this process.
pub(crate) fn activated() -> Result<&'static Functions, String> {
    let build = FIRST.get().ok_or("No emulated driver is in use. Call etnas_emulator::activate first.")?;
    functions(*build)
}

/// The functions for profiles.
pub(crate) fn profile() -> Result<ProfileFunctions, String> {
    functions(Build::Checked)?.profile.ok_or_else(|| "The emulator's library has no profile.".into())
}

/// See [`crate::activate`].
pub(crate) fn activate(build: Build) -> Result<(), String> {
    functions(build)?;
    match FIRST.get() {
        Some(first) if *first != build => Err(format!(
            "The {first:?} build of the emulator is loaded in this process already, and stands in for libcuda. Use {build:?} in a \
             process of its own."
        )),
        _ => Ok(()),
    }
}

fn load(build: Build) -> Result<Functions, String> {
    let path = folder(build).join("libcuda.so.1");
    let failed = |e: libloading::Error| format!("The emulator {} cannot be loaded: {e}.", path.display());
    // SAFETY: the library is the one this crate's build script made. Its constructors only list kernels.
    let library = unsafe { Library::open(Some(&path), RTLD_NOW | RTLD_LOCAL) }.map_err(failed)?;
    // SAFETY: the types are those of cpp/api.cpp, cpp/driver/fault_calls.cpp and cpp/checker/profile.cpp.
    unsafe {
        let functions = Functions {
            allocate: *library.get(b"emulator_allocate\0").map_err(failed)?,
            release: *library.get(b"emulator_release\0").map_err(failed)?,
            write: *library.get(b"emulator_write\0").map_err(failed)?,
            read: *library.get(b"emulator_read\0").map_err(failed)?,
            launch: *library.get(b"emulator_launch\0").map_err(failed)?,
            set_cards: *library.get(b"emulator_set_cards\0").map_err(failed)?,
            set_memory: *library.get(b"emulator_set_memory\0").map_err(failed)?,
            set_largest: *library.get(b"emulator_set_largest\0").map_err(failed)?,
            set_driver: *library.get(b"emulator_set_driver\0").map_err(failed)?,
            set_order: *library.get(b"emulator_set_order\0").map_err(failed)?,
            fail_launch: *library.get(b"emulator_fail_launch\0").map_err(failed)?,
            fail_capture: *library.get(b"emulator_fail_capture\0").map_err(failed)?,
            last_failure: *library.get(b"emulator_last_failure\0").map_err(failed)?,
            profile: match build {
                Build::Plain => None,
                Build::Checked => Some(ProfileFunctions {
                    start: *library.get(b"emulator_profile_start\0").map_err(failed)?,
                    text: *library.get(b"emulator_profile_text\0").map_err(failed)?,
                }),
            },
        };
        std::mem::forget(library);
        Ok(functions)
    }
}
