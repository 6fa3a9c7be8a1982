//! One emulated card: memory and launches of single kernels.

use std::ffi::{c_char, c_void, CStr, CString};
use std::marker::PhantomData;
use std::mem::{size_of, MaybeUninit};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::library::{self, Functions, RawStatistics};
use crate::{Build, Order};

/// One emulated card of a compute capability.
pub struct Card {
    functions: &'static Functions,
    number: u32,
    capability: u32,
    order: Order,
}

/// What a launch did.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Statistics {
    /// Blocks run.
    pub blocks: u64,
    /// Threads run.
    pub threads: u64,
    /// Switches from one thread to another.
    pub switches: u64,
    /// Barriers, each counted once for its block.
    pub barriers: u64,
    /// Operations of a warp: shuffles, ballots, products, `__syncwarp`.
    pub collectives: u64,
    /// Tensor-core products of a warp.
    pub products: u64,
    /// Time the launch took.
    pub seconds: f64,
}

/// Device memory that holds values of one type; freed when dropped.
pub struct Memory<T> {
    functions: &'static Functions,
    address: u64,
    len: usize,
    values: PhantomData<T>,
}

impl<T> Memory<T> {
    /// Address on the card, as kernels take it.
    pub fn address(&self) -> u64 {
        self.address
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl<T> Drop for Memory<T> {
    fn drop(&mut self) {
        // SAFETY: the address came from `allocate` and is released once.
        unsafe { (self.functions.release)(self.address) };
    }
}

/// A kernel's argument, passed by value.
#[derive(Clone, Debug)]
pub struct Argument {
    /// The value's bytes, in words so that any type is aligned.
    words: Vec<MaybeUninit<u128>>,
    bytes: usize,
}

impl Argument {
    /// Takes the bytes of a number, an address or a `#[repr(C)]` structure.
    pub fn new<T: Copy>(value: T) -> Argument {
        let bytes = size_of::<T>();
        let mut words = vec![MaybeUninit::uninit(); bytes.div_ceil(size_of::<u128>())];
        // SAFETY: `words` has room for the value, and copying it as raw bytes reads no padding as a value.
        unsafe {
            std::ptr::copy_nonoverlapping((&raw const value).cast::<u8>(), words.as_mut_ptr().cast::<u8>(), bytes);
        }
        Argument { words, bytes }
    }
}

impl Card {
    /// A card of capability 75, 80 or 90 whose launches run in the given build and order.
    ///
    /// # Panics
    /// If the emulator's library cannot be loaded.
    pub fn new(capability: u32, build: Build, order: Order) -> Card {
        /// Numbers below belong to the cards of the stand-in for libcuda.
        static NEXT: AtomicU32 = AtomicU32::new(1000);
        let functions = library::functions(build).unwrap_or_else(|message| panic!("{message}"));
        Card { functions, number: NEXT.fetch_add(1, Ordering::Relaxed), capability, order }
    }

    /// Memory that holds a copy of the values.
    pub fn upload<T: Copy>(&self, values: &[T]) -> Memory<T> {
        let memory = self.poisoned(values.len());
        // SAFETY: the memory has room for the values.
        unsafe { (self.functions.write)(memory.address, values.as_ptr().cast(), size_of_val(values)) };
        memory
    }

    /// Memory whose bytes are 0xff (for floats: NaN), and which the checker takes for uninitialised.
    ///
    /// # Panics
    /// If there is no memory.
    pub fn poisoned<T: Copy>(&self, len: usize) -> Memory<T> {
        // SAFETY: allocates only.
        let address = unsafe { (self.functions.allocate)(self.number, len * size_of::<T>()) };
        assert_ne!(address, 0, "The emulated card has no {len} values of {} bytes left.", size_of::<T>());
        Memory { functions: self.functions, address, len, values: PhantomData }
    }

    /// A copy of what the memory holds.
    pub fn download<T: Copy>(&self, memory: &Memory<T>) -> Vec<T> {
        let mut values = Vec::with_capacity(memory.len);
        // SAFETY: the memory holds `len` values of this type, and its bytes are all initialised (by the pattern, if by nothing else).
        unsafe {
            (self.functions.read)(memory.address, values.as_mut_ptr() as *mut c_void, memory.len * size_of::<T>());
            values.set_len(memory.len);
        }
        values
    }

    /// Runs a kernel to its end.
    ///
    /// # Errors
    /// If there is no such kernel, the arguments are not its parameters, the launch is not allowed, or the kernel fails: a divergent
    /// barrier, a deadlock, a wrong mask, a misaligned access, or a finding of the checked build.
    pub fn launch(
        &self,
        kernel: &str,
        grid: [u32; 3],
        block: [u32; 3],
        shared_bytes: usize,
        arguments: &[Argument],
    ) -> Result<Statistics, String> {
        let name = CString::new(kernel).map_err(|_| format!("'{kernel}' is no kernel's name."))?;
        let pointers: Vec<*const c_void> = arguments.iter().map(|a| a.words.as_ptr().cast()).collect();
        let sizes: Vec<usize> = arguments.iter().map(|a| a.bytes).collect();
        let (order, seed) = self.order.raw();
        let mut raw = RawStatistics::default();
        let mut message = vec![0 as c_char; 16384];
        // SAFETY: pointers and lengths belong together; the library checks the arguments' sizes.
        let result = unsafe {
            (self.functions.launch)(
                self.number,
                name.as_ptr(),
                self.capability,
                grid.as_ptr(),
                block.as_ptr(),
                shared_bytes,
                pointers.as_ptr(),
                sizes.as_ptr(),
                sizes.len(),
                order,
                seed,
                &mut raw,
                message.as_mut_ptr(),
                message.len(),
            )
        };
        if result == 0 {
            let RawStatistics { blocks, threads, switches, barriers, collectives, products, seconds } = raw;
            return Ok(Statistics { blocks, threads, switches, barriers, collectives, products, seconds });
        }
        // SAFETY: the library ends its message with a zero.
        let mut text = unsafe { CStr::from_ptr(message.as_ptr()) }.to_string_lossy().into_owned();
        if result == 2 {
            let errors = library::compile_errors();
            if !errors.is_empty() {
                text = format!("{text}; these sources did not compile:\n{errors}");
            }
        }
        Err(text)
    }
}
