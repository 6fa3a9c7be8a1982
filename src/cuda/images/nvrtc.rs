//! NVRTC, NVIDIA's compiler as a library, loaded when it is needed: nothing here links to CUDA, and nothing panics without it.
//!
//! The build command includes this file too, so that what is committed and what is compiled on a user's machine come from one
//! place. It therefore depends on nothing of this crate.

use std::ffi::{c_char, c_int, c_void, CStr, CString, OsStr};
use std::mem::ManuallyDrop;
use std::ptr;

use libloading::Library;

/// What every compilation is given beside its target. `--fmad` stays at its default, true: a product and the sum it goes into
/// are rounded once.
pub const OPTIONS: [&str; 1] = ["--std=c++17"];

/// One source file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source<'a> {
    /// The name by which others include it.
    pub name: &'a str,
    /// Its text.
    pub text: &'a str,
}

/// What a program is compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// PTX for cards of at least this compute capability (75 is 7.5).
    Ptx(i32),
    /// Machine code for cards of this compute capability's major number and at least its minor number.
    Cubin(i32),
}

impl Target {
    /// NVRTC's name of the target: `compute_75`, `sm_75`.
    pub fn architecture(self) -> String {
        match self {
            Target::Ptx(capability) => format!("compute_{capability}"),
            Target::Cubin(capability) => format!("sm_{capability}"),
        }
    }
}

/// What a compilation made.
#[derive(Debug)]
pub struct Output {
    /// The program as PTX.
    pub ptx: String,
    /// Its machine code; empty where the target is PTX.
    pub cubin: Vec<u8>,
    /// Warnings, and what `--ptxas-options=-v` asks for.
    pub log: String,
}

type Program = *mut c_void;
type Size = unsafe extern "C" fn(Program, *mut usize) -> c_int;
type Read = unsafe extern "C" fn(Program, *mut c_char) -> c_int;

/// The loaded library.
pub struct Nvrtc {
    create: unsafe extern "C" fn(
        *mut Program,
        *const c_char,
        *const c_char,
        c_int,
        *const *const c_char,
        *const *const c_char,
    ) -> c_int,
    destroy: unsafe extern "C" fn(*mut Program) -> c_int,
    compile: unsafe extern "C" fn(Program, c_int, *const *const c_char) -> c_int,
    ptx: (Size, Read),
    cubin: (Size, Read),
    log: (Size, Read),
    version: (i32, i32),
    architectures: Vec<i32>,
    // Never unloaded: it may have left thread-local data and exit handlers behind.
    _library: ManuallyDrop<Library>,
}

impl Nvrtc {
    /// The names under which CUDA 11 to 13 install NVRTC, newest first.
    pub const NAMES: [&'static str; 6] = if cfg!(windows) {
        [
            "nvrtc64_130_0.dll",
            "nvrtc64_120_0.dll",
            "nvrtc64_112_0.dll",
            "nvrtc64_111_0.dll",
            "nvrtc64_110_0.dll",
            "nvrtc.dll",
        ]
    } else {
        ["libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so", "libnvrtc.so.11.2", "libnvrtc.so.11.1", "libnvrtc.so.11.0"]
    };

    /// Loads the newest NVRTC that the system's loader finds.
    pub fn find() -> Result<Nvrtc, String> {
        Self::NAMES
            .iter()
            .find_map(|name| Nvrtc::open(name).ok())
            .ok_or_else(|| format!("no NVRTC was found (looked for {}); a CUDA toolkit has it", Self::NAMES.join(", ")))
    }

    /// Loads the library at a path, or of a name that the system's loader knows.
    pub fn open(path: impl AsRef<OsStr>) -> Result<Nvrtc, String> {
        let path = path.as_ref();
        let failed = |error: &dyn std::fmt::Display| format!("{} cannot be used as NVRTC: {error}", path.display());
        // SAFETY: NVRTC's initialisers have no precondition.
        let library = unsafe { Library::new(path) }.map_err(|error| failed(&error))?;
        // SAFETY: the types of the symbols are those of nvrtc.h, the same in all versions from 11 on; the library is never unloaded,
        // so that copies of the symbols stay valid.
        unsafe {
            let symbol = |error: libloading::Error| failed(&error);
            let version: unsafe extern "C" fn(*mut c_int, *mut c_int) -> c_int =
                *library.get(c"nvrtcVersion").map_err(symbol)?;
            let count: unsafe extern "C" fn(*mut c_int) -> c_int =
                *library.get(c"nvrtcGetNumSupportedArchs").map_err(symbol)?;
            let list: unsafe extern "C" fn(*mut c_int) -> c_int =
                *library.get(c"nvrtcGetSupportedArchs").map_err(symbol)?;
            let (mut major, mut minor, mut length) = (0, 0, 0);
            if version(&mut major, &mut minor) != 0 || count(&mut length) != 0 {
                return Err(failed(&"it does not tell its version"));
            }
            let mut architectures = vec![0; usize::try_from(length).unwrap_or(0)];
            if list(architectures.as_mut_ptr()) != 0 {
                return Err(failed(&"it does not tell what it compiles for"));
            }
            Ok(Nvrtc {
                create: *library.get(c"nvrtcCreateProgram").map_err(symbol)?,
                destroy: *library.get(c"nvrtcDestroyProgram").map_err(symbol)?,
                compile: *library.get(c"nvrtcCompileProgram").map_err(symbol)?,
                ptx: (*library.get(c"nvrtcGetPTXSize").map_err(symbol)?, *library.get(c"nvrtcGetPTX").map_err(symbol)?),
                cubin: (
                    *library.get(c"nvrtcGetCUBINSize").map_err(symbol)?,
                    *library.get(c"nvrtcGetCUBIN").map_err(symbol)?,
                ),
                log: (
                    *library.get(c"nvrtcGetProgramLogSize").map_err(symbol)?,
                    *library.get(c"nvrtcGetProgramLog").map_err(symbol)?,
                ),
                version: (major, minor),
                architectures,
                _library: ManuallyDrop::new(library),
            })
        }
    }

    /// Its version, as (12, 4).
    pub fn version(&self) -> (i32, i32) {
        self.version
    }

    /// The compute capabilities it makes machine code for, as 75, in ascending order.
    pub fn architectures(&self) -> &[i32] {
        &self.architectures
    }

    /// Compiles the unit; what it includes comes from `sources`, never from the disk.
    pub fn compile(
        &self,
        unit: Source,
        sources: &[Source],
        target: Target,
        options: &[&str],
    ) -> Result<Output, String> {
        let (unit_name, unit_text) = (text(unit.name)?, text(unit.text)?);
        let names = sources.iter().map(|source| text(source.name)).collect::<Result<Vec<_>, _>>()?;
        let texts = sources.iter().map(|source| text(source.text)).collect::<Result<Vec<_>, _>>()?;
        let architecture = format!("--gpu-architecture={}", target.architecture());
        let options = OPTIONS.iter().chain(options).copied().chain([architecture.as_str()]);
        let options = options.map(text).collect::<Result<Vec<_>, _>>()?;
        let pointers = |list: &[CString]| list.iter().map(|text| text.as_ptr()).collect::<Vec<_>>();
        let (names, texts, options) = (pointers(&names), pointers(&texts), pointers(&options));

        let mut program = ptr::null_mut();
        // SAFETY: all strings end with zero and outlive the calls; the program is destroyed once and not used afterwards.
        unsafe {
            let code = (self.create)(
                &mut program,
                unit_text.as_ptr(),
                unit_name.as_ptr(),
                names.len() as c_int,
                texts.as_ptr(),
                names.as_ptr(),
            );
            if code != 0 {
                return Err(format!("NVRTC does not accept the program (error {code})."));
            }
            let code = (self.compile)(program, options.len() as c_int, options.as_ptr());
            let output = self.output(program, code, target);
            (self.destroy)(&mut program);
            output
        }
    }

    /// # Safety
    /// `program` is one of this library's that went through a compilation, with this result.
    unsafe fn output(&self, program: Program, code: c_int, target: Target) -> Result<Output, String> {
        let log = string(self.read(program, self.log));
        if code != 0 {
            return Err(format!("NVRTC does not compile it for {} (error {code}):\n{log}", target.architecture()));
        }
        let cubin = if let Target::Cubin(_) = target { self.read(program, self.cubin) } else { Vec::new() };
        Ok(Output { ptx: string(self.read(program, self.ptx)), cubin, log })
    }

    /// # Safety
    /// `program` is one of this library's that went through a compilation.
    unsafe fn read(&self, program: Program, (size, read): (Size, Read)) -> Vec<u8> {
        let mut length = 0;
        if size(program, &mut length) != 0 {
            return Vec::new();
        }
        let mut bytes = vec![0; length];
        if read(program, bytes.as_mut_ptr().cast()) != 0 {
            return Vec::new();
        }
        bytes
    }
}

fn text(text: &str) -> Result<CString, String> {
    CString::new(text).map_err(|_| format!("A zero byte stands in {:?}.", text.chars().take(40).collect::<String>()))
}

/// Text up to the zero that ends it.
fn string(bytes: Vec<u8>) -> String {
    CStr::from_bytes_until_nul(&bytes).map(|text| text.to_string_lossy().into_owned()).unwrap_or_default()
}
