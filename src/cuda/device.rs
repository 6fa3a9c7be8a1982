//! A card in use: context, stream, kernels, memory. Every failure of the driver becomes [`Error::Device`].

use super::images::{self, Choice, Image, ImageKind};
use super::jobs::ConvShape;
use super::probe::{self, Card};
use super::work::{Least, Work};
use crate::error::{Error, Result};
use cudarc::driver::sys::{CUgraphInstantiate_flags, CUresult, CUstreamCaptureMode};
use cudarc::driver::{
    CudaContext, CudaFunction, CudaGraph, CudaModule, CudaSlice, CudaStream, DevicePtr, DriverError, LaunchConfig,
    PushKernelArg,
};
use cudarc::nvrtc::Ptx;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Alignment of everything that lies in a piece of memory, in bytes: what 128-bit accesses and whole sectors need.
pub const ALIGNMENT: usize = 256;

/// `bytes` rounded up to [`ALIGNMENT`].
pub fn aligned(bytes: usize) -> usize {
    bytes.next_multiple_of(ALIGNMENT)
}

/// What a kernel is given.
#[derive(Clone, Copy, Debug)]
pub enum Argument {
    /// An address in the card's memory.
    Address(u64),
    /// A whole number.
    Number(i32),
    /// The shape of a convolution.
    Shape(ConvShape),
}

/// How many blocks of how many threads.
#[derive(Clone, Copy, Debug)]
pub struct Grid {
    /// Blocks along x, y and z.
    pub blocks: [usize; 3],
    /// Threads of a block.
    pub threads: usize,
    /// Bytes of shared memory beyond what the kernel declares.
    pub shared: usize,
}

/// A piece of the card's memory, freed when it is dropped.
pub struct Memory {
    slice: CudaSlice<u8>,
    address: u64,
}

impl Memory {
    /// Where it begins.
    pub fn address(&self) -> u64 {
        self.address
    }

    /// Its size in bytes.
    pub fn bytes(&self) -> usize {
        self.slice.len()
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // The driver frees in the thread's current context, which may be another card's; where even this fails, nothing helps.
        self.slice.context().bind_to_thread().ok();
    }
}

/// Launches that were recorded; must live until they have ended.
pub struct Recording(CudaGraph);

/// Why a piece of memory was not to be had.
pub enum Refusal {
    /// Too little is free: a smaller piece may do.
    OutOfMemory,
    /// Something else went wrong.
    Other(Error),
}

/// An opened card.
pub struct Device {
    card: Card,
    image: String,
    stream: Arc<CudaStream>,
    module: Arc<CudaModule>,
    functions: Mutex<HashMap<String, CudaFunction>>,
    rehearsal: Mutex<Option<Work>>,
}

impl Device {
    /// Opens the card with this number.
    ///
    /// # Errors
    /// [`Error::Device`] with the reason where the card is not there or cannot run the kernels.
    pub fn open(number: usize) -> Result<Device> {
        let cards = probe::cards().map_err(|reason| refused(number, reason))?;
        let count = cards.len();
        let Some(card) = cards.into_iter().nth(number) else {
            let cards = if count == 1 { "is only 1 card".to_string() } else { format!("are only {count} cards") };
            return Err(refused(number, format!("there {cards}, numbered from 0")));
        };
        let (capability, driver) = (card.capability, card.driver);
        let image = match images::choose(capability, driver) {
            Choice::Image(image) => Ok(image.clone()),
            Choice::Compile => images::compile(capability, driver),
            Choice::None { reason } => Err(reason),
        };
        let Image { name, kind, bytes } = image.map_err(|reason| refused(number, reason))?;
        let ptx = match kind {
            ImageKind::Cubin { .. } => Ptx::from_binary(bytes.into_owned()),
            ImageKind::Ptx { .. } => Ptx::from_src(String::from_utf8_lossy(&bytes)),
        };
        let open = || -> Result<_, DriverError> {
            let context = CudaContext::new(number)?;
            // SAFETY: all work goes to one stream, in the order it is given.
            unsafe { context.disable_event_tracking() };
            let stream = context.new_stream()?;
            let module = context.load_module(ptx)?;
            Ok((stream, module))
        };
        let (stream, module) =
            open().map_err(|error| refused(number, format!("the driver says {}", reason(&error))))?;
        Ok(Device {
            card,
            image: name.into_owned(),
            stream,
            module,
            functions: Mutex::default(),
            rehearsal: Mutex::default(),
        })
    }

    /// The card.
    pub fn card(&self) -> &Card {
        &self.card
    }

    /// The kernel image in use.
    pub fn image(&self) -> &str {
        &self.image
    }

    /// Bytes of memory that are free now.
    pub fn free(&self) -> Result<usize> {
        let (free, _) = self.stream.context().mem_get_info().map_err(|e| self.failed("asking for free memory", &e))?;
        Ok(free)
    }

    /// A piece of memory with undefined contents, at least one byte.
    pub fn allocate(&self, bytes: usize) -> Result<Memory, Refusal> {
        // SAFETY: every kernel writes what it or a later one reads.
        match unsafe { self.stream.alloc::<u8>(bytes.max(1)) } {
            Ok(slice) => {
                let address = slice.device_ptr(&self.stream).0;
                Ok(Memory { slice, address })
            }
            Err(error) if error.0 == CUresult::CUDA_ERROR_OUT_OF_MEMORY => Err(Refusal::OutOfMemory),
            Err(error) => Err(Refusal::Other(self.failed("allocating memory", &error))),
        }
    }

    /// A piece of memory that must be had whole.
    pub fn demand(&self, bytes: usize, what: &str) -> Result<Memory> {
        self.allocate(bytes).map_err(|refusal| match refusal {
            Refusal::Other(error) => error,
            Refusal::OutOfMemory => self.out_of_memory(bytes, what),
        })
    }

    /// The error of too little memory for even the least piece of work.
    pub fn out_of_memory(&self, bytes: usize, what: &str) -> Error {
        let free = self.free().unwrap_or(0);
        Error::Device {
            asked: format!("cuda:{}", self.card.number),
            reason: format!("{what} would take {} MB of its memory and {} MB are free", bytes >> 20, free >> 20),
            remedy: "End what else uses the card, choose a smaller --batch, or use --device cpu.".to_string(),
        }
    }

    /// Copies to the card.
    pub fn write<T: bytemuck::NoUninit>(&self, to: &mut Memory, at: usize, values: &[T]) -> Result<()> {
        let bytes: &[u8] = bytemuck::cast_slice(values);
        let range = at..at + bytes.len();
        let mut place = to.slice.try_slice_mut(range).ok_or_else(|| outside("written"))?;
        self.stream.memcpy_htod(bytes, &mut place).map_err(|e| self.failed("copying to the card", &e))
    }

    /// Copies from the card, after all work that was given before.
    pub fn read<T: bytemuck::Pod>(&self, from: &Memory, at: usize, count: usize) -> Result<Vec<T>> {
        let mut values = vec![T::zeroed(); count];
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut values);
        let place = from.slice.try_slice(at..at + bytes.len()).ok_or_else(|| outside("read"))?;
        let copied = self.stream.memcpy_dtoh(&place, bytes).and_then(|()| self.stream.synchronize());
        copied.map_err(|e| self.failed("copying from the card", &e))?;
        Ok(values)
    }

    /// Counts what `work` would launch instead of launching it. What it computes is meaningless.
    pub fn rehearse(&self, work: impl FnOnce() -> Result<()>) -> Result<Work> {
        let rehearsal = || self.rehearsal.lock().unwrap_or_else(PoisonError::into_inner);
        *rehearsal() = Some(Work::new());
        let done = work();
        let counted = rehearsal().take().unwrap_or_default();
        done.map(|()| counted)
    }

    /// Gives a kernel to the stream.
    pub fn launch(&self, kernel: &str, grid: Grid, arguments: &[Argument], least: Least) -> Result<()> {
        if let Some(work) = self.rehearsal.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            let (launches, sum) = work.entry(kernel.to_string()).or_default();
            *launches += 1;
            *sum += least;
            return Ok(());
        }
        let function = self.function(kernel)?;
        let mut launch = self.stream.launch_builder(&function);
        for argument in arguments {
            match argument {
                Argument::Address(address) => launch.arg(address),
                Argument::Number(number) => launch.arg(number),
                Argument::Shape(shape) => launch.arg(shape),
            };
        }
        let [x, y, z] = grid.blocks.map(|n| u32::try_from(n).unwrap_or(u32::MAX));
        let configuration = LaunchConfig {
            grid_dim: (x, y, z),
            block_dim: (grid.threads as u32, 1, 1),
            shared_mem_bytes: grid.shared as u32,
        };
        // SAFETY: the programs of this room pass what the kernel's declaration asks for, addresses within live memory.
        unsafe { launch.launch(configuration) }
            .map(|_| ())
            .map_err(|error| self.failed(&format!("starting the kernel {kernel}"), &error))
    }

    /// Looks a kernel up, so that its first launch need not.
    pub fn prepare(&self, kernel: &str) -> Result<()> {
        self.function(kernel).map(|_| ())
    }

    /// Records `work`, which gives launches to the stream and nothing else, without running it. The stream may be busy. `None` where the
    /// driver does not record.
    pub fn record(&self, work: impl FnOnce() -> Result<()>) -> Option<Recording> {
        self.stream.begin_capture(CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL).ok()?;
        let recorded = work();
        let graph = self.stream.end_capture(CUgraphInstantiate_flags::CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH);
        match (recorded, graph) {
            (Ok(()), Ok(Some(graph))) => Some(Recording(graph)),
            _ => None,
        }
    }

    /// Gives what was recorded to the stream.
    pub fn replay(&self, recording: &Recording) -> Result<()> {
        recording.0.launch().map_err(|e| self.failed("starting a graph", &e))
    }

    fn function(&self, kernel: &str) -> Result<CudaFunction> {
        let mut functions = self.functions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(function) = functions.get(kernel) {
            return Ok(function.clone());
        }
        let found = self.module.load_function(kernel);
        let function = found.map_err(|e| self.failed(&format!("looking up the kernel {kernel}"), &e))?;
        functions.insert(kernel.to_string(), function.clone());
        Ok(function)
    }

    /// The error of something that the driver did not do.
    pub(super) fn failed(&self, doing: &str, error: &DriverError) -> Error {
        Error::Device {
            asked: format!("cuda:{}", self.card.number),
            reason: format!("{doing} failed: the driver says {}", reason(error)),
            remedy: "What was finished is kept: run again, with --resume for a sweep; with --device cpu if it happens again."
                .to_string(),
        }
    }
}

fn refused(number: usize, reason: impl Into<String>) -> Error {
    Error::Device {
        asked: format!("cuda:{number}"),
        reason: reason.into(),
        remedy: "Use --device cpu, or auto; `etnas-fast devices` lists what is there.".to_string(),
    }
}

fn outside(done: &str) -> Error {
    Error::Internal(format!("more was to be {done} than a piece of the card's memory holds"))
}

/// The driver's words for an error.
pub fn reason(error: &DriverError) -> String {
    let name = error.error_name().ok().and_then(|name| name.to_str().ok().map(str::to_string));
    let words = error.error_string().ok().and_then(|words| words.to_str().ok().map(str::to_string));
    match (name, words) {
        (Some(name), Some(words)) => format!("{name} ({words})"),
        (Some(name), None) => name,
        _ => format!("{:?}", error.0),
    }
}
