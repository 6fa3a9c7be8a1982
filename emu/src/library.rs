//! The emulator's library and the functions it exports.

use std::ffi::{c_char, c_void};
use std::path::{Path, PathBuf};
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
}

/// What the compiler said of kernels that are missing because they did not compile.
pub(crate) fn compile_errors() -> String {
    std::fs::read_to_string(Path::new(env!("EMULATOR_LIBRARIES")).join("failures.txt")).unwrap_or_default()
}

/// The folder that holds a build's `libcuda.so.1`.
pub(crate) fn folder(build: Build) -> PathBuf {
    Path::new(env!("EMULATOR_LIBRARIES")).join(match build {
        Build::Plain => "plain",
        Build::Checked => "checked",
    })
}

/// A build's functions; the library is loaded at the first call and stays loaded.
pub(crate) fn functions(build: Build) -> Result<&'static Functions, String> {
    static LOADED: [OnceLock<Result<Functions, String>>; 2] = [OnceLock::new(), OnceLock::new()];
    LOADED[build as usize].get_or_init(|| load(build)).as_ref().map_err(Clone::clone)
}

fn load(build: Build) -> Result<Functions, String> {
    let path = folder(build).join("libcuda.so.1");
    let failed = |e: libloading::Error| format!("The emulator {} cannot be loaded: {e}.", path.display());
    // SAFETY: the library is the one this crate's build script made. Its constructors only list kernels.
    let library = unsafe { Library::open(Some(&path), RTLD_NOW | RTLD_LOCAL) }.map_err(failed)?;
    // SAFETY: the types are those of cpp/api.cpp.
    unsafe {
        let functions = Functions {
            allocate: *library.get(b"emulator_allocate\0").map_err(failed)?,
            release: *library.get(b"emulator_release\0").map_err(failed)?,
            write: *library.get(b"emulator_write\0").map_err(failed)?,
            read: *library.get(b"emulator_read\0").map_err(failed)?,
            launch: *library.get(b"emulator_launch\0").map_err(failed)?,
        };
        std::mem::forget(library);
        Ok(functions)
    }
}
