//! The stand-in for libcuda, through cudarc as it is.

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cudarc::driver::sys::{CUdevice_attribute as Attribute, CUgraphInstantiate_flags, CUresult, CUstreamCaptureMode};
use cudarc::driver::{CudaContext, CudaModule, CudaSlice, CudaStream, DriverError, LaunchConfig, PushKernelArg};
use cudarc::nvrtc::Ptx;
use etnas_emulator::{activate, faults, library_folder, Build, Order};

/// Settings are the process's, so that tests take turns. Each begins with three cards of 1 MiB.
fn emulated() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    activate(Build::Plain).unwrap();
    faults::cards(&[90, 80, 75]).unwrap();
    faults::memory(1 << 20).unwrap();
    faults::largest(usize::MAX).unwrap();
    faults::driver(12040).unwrap();
    faults::order(Order::Forward).unwrap();
    faults::fail_launch(0).unwrap();
    faults::fail_capture(false).unwrap();
    turn
}

/// PTX of an empty kernel: the stand-in reads its declarations only.
fn ptx(version: &str, target: &str, entry: &str) -> Ptx {
    Ptx::from_src(format!(
        ".version {version}\n.target {target}\n.address_size 64\n.visible .entry {entry}\n{{\n ret;\n}}\n"
    ))
}

const AXPY: &str =
    "test_axpy(\n .param .u64 .ptr .global .align 4 test_axpy_param_0,\n .param .u64 test_axpy_param_1,\n \
                    .param .f32 test_axpy_param_2,\n .param .u32 test_axpy_param_3\n)\n.maxntid 128, 1, 1";
const CAPABILITY: &str = "test_capability(.param .u64 test_capability_param_0)";

fn code(error: DriverError) -> CUresult {
    error.0
}

fn module(context: &Arc<CudaContext>, ptx: Ptx) -> Result<Arc<CudaModule>, CUresult> {
    context.load_module(ptx).map_err(code)
}

struct Axpy {
    stream: Arc<CudaStream>,
    function: cudarc::driver::CudaFunction,
    x: CudaSlice<f32>,
    y: CudaSlice<f32>,
}

impl Axpy {
    fn new(card: usize) -> Axpy {
        let context = CudaContext::new(card).unwrap();
        // SAFETY: one stream does all the work, in its order.
        unsafe { context.disable_event_tracking() };
        let stream = context.new_stream().unwrap();
        let function = module(&context, ptx("8.4", "sm_75", AXPY)).unwrap().load_function("test_axpy").unwrap();
        let x = stream.clone_htod(&(0..1000).map(|i| i as f32).collect::<Vec<_>>()).unwrap();
        let y = stream.clone_htod(&vec![1.0f32; 1000]).unwrap();
        Axpy { stream, function, x, y }
    }

    /// y += a·x
    fn add(&mut self, a: f32) -> Result<(), DriverError> {
        self.launch(a, 128)
    }

    fn launch(&mut self, a: f32, threads: u32) -> Result<(), DriverError> {
        let mut launch = self.stream.launch_builder(&self.function);
        launch.arg(&self.x).arg(&mut self.y).arg(&a).arg(&1000i32);
        let config = LaunchConfig {
            grid_dim: (1000u32.div_ceil(threads), 1, 1),
            block_dim: (threads, 1, 1),
            shared_mem_bytes: 0,
        };
        // SAFETY: the arguments are the kernel's parameters, and both slices hold 1000 numbers.
        unsafe { launch.launch(config) }.map(|_| ())
    }

    fn result(&self) -> Result<Vec<f32>, DriverError> {
        let values = self.stream.clone_dtoh(&self.y)?;
        self.stream.synchronize()?;
        Ok(values)
    }
}

fn line(slope: f32) -> Vec<f32> {
    (0..1000).map(|i| 1.0 + slope * i as f32).collect()
}

#[test]
fn cards_have_the_figures_of_their_kind() {
    let _turn = emulated();
    assert_eq!(CudaContext::device_count().unwrap(), 3);
    let expected = [("Emulated 9.0", (9, 0), 132), ("Emulated 8.0", (8, 0), 108), ("Emulated 7.5", (7, 5), 40)];
    for (number, (name, capability, multiprocessors)) in expected.into_iter().enumerate() {
        let context = CudaContext::new(number).unwrap();
        assert_eq!(context.name().unwrap(), name);
        assert_eq!(context.compute_capability().unwrap(), capability);
        assert_eq!(context.total_mem().unwrap(), 1 << 20);
        let count = context.attribute(Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT).unwrap();
        assert_eq!(count, multiprocessors);
    }
    assert_eq!(code(CudaContext::new(3).unwrap_err()), CUresult::CUDA_ERROR_INVALID_DEVICE);
}

#[test]
fn no_card_is_an_error_of_its_own() {
    let _turn = emulated();
    faults::cards(&[]).unwrap();
    assert_eq!(code(CudaContext::new(0).unwrap_err()), CUresult::CUDA_ERROR_NO_DEVICE);
}

#[test]
fn kernels_run_as_their_image_was_compiled() {
    let _turn = emulated();
    for (card, target, expected) in
        [(0, "sm_90", 90), (0, "sm_80", 80), (0, "sm_75", 75), (1, "sm_80", 80), (2, "sm_75", 75)]
    {
        let context = CudaContext::new(card).unwrap();
        let function =
            module(&context, ptx("8.0", target, CAPABILITY)).unwrap().load_function("test_capability").unwrap();
        let stream = context.new_stream().unwrap();
        let mut to = stream.alloc_zeros::<i32>(32).unwrap();
        let config = LaunchConfig { grid_dim: (1, 1, 1), block_dim: (32, 1, 1), shared_mem_bytes: 0 };
        // SAFETY: the kernel writes 32 numbers.
        unsafe { stream.launch_builder(&function).arg(&mut to).launch(config) }.unwrap();
        assert_eq!(stream.clone_dtoh(&to).unwrap(), [expected; 32]);
    }
}

#[test]
fn launches_copies_and_fills_do_what_they_say() {
    let _turn = emulated();
    for order in [Order::Forward, Order::Reverse, Order::Random(3)] {
        faults::order(order).unwrap();
        let mut axpy = Axpy::new(1);
        axpy.add(2.0).unwrap();
        axpy.add(0.5).unwrap();
        assert_eq!(axpy.result().unwrap(), line(2.5));
        let stream = axpy.stream.clone();
        let copy = stream.clone_dtod(&axpy.y).unwrap();
        stream.memset_zeros(&mut axpy.y).unwrap();
        assert_eq!(axpy.result().unwrap(), vec![0.0; 1000]);
        assert_eq!(stream.clone_dtoh(&copy).unwrap(), line(2.5));
    }
}

#[test]
fn structures_are_passed_by_value() {
    #[repr(C)]
    #[derive(Clone, Copy)]
    struct Affine {
        x: u64,
        scale: f32,
        shift: f32,
        count: i32,
    }
    // SAFETY: plain numbers, laid out as the kernel's structure.
    unsafe impl cudarc::driver::DeviceRepr for Affine {}
    use cudarc::driver::DevicePtr;

    let _turn = emulated();
    let context = CudaContext::new(0).unwrap();
    let entry = "test_structure(.param .align 8 .b8 test_structure_param_0[24], .param .u64 test_structure_param_1)";
    let function = module(&context, ptx("8.4", "sm_80", entry)).unwrap().load_function("test_structure").unwrap();
    let stream = context.new_stream().unwrap();
    let x = stream.clone_htod(&[1.0f32, 2.0, 3.0]).unwrap();
    let mut to = stream.alloc_zeros::<f32>(3).unwrap();
    let affine = Affine { x: x.device_ptr(&stream).0, scale: 2.0, shift: 0.5, count: 3 };
    let config = LaunchConfig { grid_dim: (1, 1, 1), block_dim: (128, 1, 1), shared_mem_bytes: 0 };
    // SAFETY: the arguments are the kernel's parameters.
    unsafe { stream.launch_builder(&function).arg(&affine).arg(&mut to).launch(config) }.unwrap();
    assert_eq!(stream.clone_dtoh(&to).unwrap(), [2.5, 4.5, 6.5]);
}

#[test]
fn memory_ends_and_comes_back() {
    let _turn = emulated();
    let context = CudaContext::new(0).unwrap();
    let stream = context.new_stream().unwrap();
    let half = stream.alloc_zeros::<u8>(600 << 10).unwrap();
    assert_eq!(context.mem_get_info().unwrap(), ((1 << 20) - (600 << 10), 1 << 20));
    assert_eq!(code(stream.alloc_zeros::<u8>(600 << 10).unwrap_err()), CUresult::CUDA_ERROR_OUT_OF_MEMORY);
    // Another card's memory is its own, and the error passes.
    let other = CudaContext::new(1).unwrap();
    other.new_stream().unwrap().alloc_zeros::<u8>(600 << 10).unwrap();
    drop(half);
    faults::largest(599 << 10).unwrap();
    assert_eq!(code(stream.alloc_zeros::<u8>(600 << 10).unwrap_err()), CUresult::CUDA_ERROR_OUT_OF_MEMORY);
    faults::largest(600 << 10).unwrap();
    stream.alloc_zeros::<u8>(600 << 10).unwrap();
}

#[test]
fn images_are_refused_for_the_right_reason() {
    let _turn = emulated();
    let card = |number| CudaContext::new(number).unwrap();
    let refused = |card: &Arc<CudaContext>, version, target| {
        module(card, ptx(version, target, CAPABILITY)).err().unwrap_or(CUresult::CUDA_SUCCESS)
    };
    let (new, old) = (card(0), card(2));
    assert_eq!(refused(&new, "8.4", "sm_90"), CUresult::CUDA_SUCCESS);
    assert_eq!(refused(&old, "8.4", "sm_80"), CUresult::CUDA_ERROR_INVALID_PTX);
    assert_eq!(refused(&new, "8.5", "sm_75"), CUresult::CUDA_ERROR_UNSUPPORTED_PTX_VERSION);
    faults::driver(12000).unwrap();
    assert_eq!(refused(&new, "8.4", "sm_75"), CUresult::CUDA_ERROR_UNSUPPORTED_PTX_VERSION);
    assert!(faults::last_failure().unwrap().contains("newer than the driver"), "{:?}", faults::last_failure());
    assert_eq!(refused(&new, "8.0", "sm_75"), CUresult::CUDA_SUCCESS);
    assert_eq!(code(new.load_module(Ptx::from_src("no PTX")).unwrap_err()), CUresult::CUDA_ERROR_INVALID_PTX);
}

/// A cubin that declares its architecture and nothing else.
fn cubin(architecture: u32) -> Vec<u8> {
    let mut elf = vec![0u8; 64 + 2 * 64 + 16];
    elf[..9].copy_from_slice(b"\x7fELF\x02\x01\x01\x33\x07");
    elf[18..20].copy_from_slice(&190u16.to_le_bytes());
    elf[40..48].copy_from_slice(&64u64.to_le_bytes());
    elf[48..52].copy_from_slice(&(architecture | 5 << 8 | architecture << 16).to_le_bytes());
    elf[58..60].copy_from_slice(&64u16.to_le_bytes());
    elf[60..62].copy_from_slice(&2u16.to_le_bytes());
    elf[62..64].copy_from_slice(&1u16.to_le_bytes());
    // The second section holds the names: one empty name.
    elf[64 + 64 + 24..][..8].copy_from_slice(&192u64.to_le_bytes());
    elf
}

#[test]
fn cubins_run_on_their_own_major_version_only() {
    let _turn = emulated();
    faults::cards(&[90, 86, 80, 75]).unwrap();
    let runs = [(0, 90), (1, 86), (1, 80), (2, 80), (3, 75)];
    for card in 0..4 {
        let context = CudaContext::new(card).unwrap();
        for architecture in [75, 80, 86, 89, 90] {
            let loaded = context.load_module(Ptx::from_binary(cubin(architecture))).map(|_| ()).map_err(code);
            let expected =
                if runs.contains(&(card, architecture)) { Ok(()) } else { Err(CUresult::CUDA_ERROR_NO_BINARY_FOR_GPU) };
            assert_eq!(loaded, expected, "card {card}, architecture {architecture}");
        }
    }
}

#[test]
fn stale_images_are_found_by_their_parameters() {
    let _turn = emulated();
    let context = CudaContext::new(0).unwrap();
    let stale =
        module(&context, ptx("8.4", "sm_80", "test_axpy(.param .u64 a, .param .u64 b, .param .f32 c)")).unwrap();
    assert_eq!(code(stale.load_function("test_axpy").unwrap_err()), CUresult::CUDA_ERROR_INVALID_PTX);
    assert!(faults::last_failure().unwrap().contains("(8, 8, 4) bytes, its source of (8, 8, 4, 4)"));
    let unknown = module(&context, ptx("8.4", "sm_80", "test_nothing()")).unwrap();
    assert_eq!(code(unknown.load_function("test_nothing").unwrap_err()), CUresult::CUDA_ERROR_NOT_FOUND);
    assert_eq!(code(unknown.load_function("test_axpy").unwrap_err()), CUresult::CUDA_ERROR_NOT_FOUND);
}

#[test]
fn launches_outside_of_the_limits_are_refused() {
    let _turn = emulated();
    let mut axpy = Axpy::new(0);
    assert_eq!(code(axpy.launch(1.0, 256).unwrap_err()), CUresult::CUDA_ERROR_INVALID_VALUE);
    axpy.add(1.0).unwrap();
    assert_eq!(axpy.result().unwrap(), line(1.0));
}

#[test]
fn a_failed_launch_breaks_its_context_only() {
    let _turn = emulated();
    let mut broken = Axpy::new(0);
    let mut other = Axpy::new(1);
    faults::fail_launch(3).unwrap();
    broken.add(1.0).unwrap();
    other.add(1.0).unwrap();
    broken.add(1.0).unwrap();
    assert_eq!(code(broken.stream.synchronize().unwrap_err()), CUresult::CUDA_ERROR_LAUNCH_FAILED);
    assert_eq!(code(broken.add(1.0).unwrap_err()), CUresult::CUDA_ERROR_LAUNCH_FAILED);
    assert_eq!(code(broken.result().unwrap_err()), CUresult::CUDA_ERROR_LAUNCH_FAILED);
    other.add(1.0).unwrap();
    assert_eq!(other.result().unwrap(), line(2.0));
    // Once all of the context is dropped, a new one works.
    drop(broken);
    let mut mended = Axpy::new(0);
    mended.add(3.0).unwrap();
    assert_eq!(mended.result().unwrap(), line(3.0));
}

#[test]
fn a_kernels_own_failure_breaks_the_context() {
    let _turn = emulated();
    let context = CudaContext::new(0).unwrap();
    // SAFETY: one stream does all the work, in its order.
    unsafe { context.disable_event_tracking() };
    let entry = "test_misaligned(.param .u64 a, .param .u64 b)";
    let function = module(&context, ptx("8.4", "sm_80", entry)).unwrap().load_function("test_misaligned").unwrap();
    let stream = context.new_stream().unwrap();
    let (from, mut to) = (stream.alloc_zeros::<f32>(8).unwrap(), stream.alloc_zeros::<f32>(8).unwrap());
    let config = LaunchConfig { grid_dim: (1, 1, 1), block_dim: (1, 1, 1), shared_mem_bytes: 0 };
    // SAFETY: the kernel's access is misaligned, which the emulator finds.
    unsafe { stream.launch_builder(&function).arg(&from).arg(&mut to).launch(config) }.unwrap();
    assert_eq!(code(stream.synchronize().unwrap_err()), CUresult::CUDA_ERROR_MISALIGNED_ADDRESS);
    assert!(faults::last_failure().unwrap().contains("stand_in.cu:"), "{:?}", faults::last_failure());
}

/// Launches a captured graph of two launches and a fill three times.
fn captured(axpy: &mut Axpy) -> Result<(), DriverError> {
    axpy.stream.begin_capture(CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL)?;
    axpy.add(2.0)?;
    axpy.add(0.25)?;
    let flags = CUgraphInstantiate_flags::CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH;
    let graph = axpy.stream.end_capture(flags)?.expect("a graph");
    graph.upload()?;
    (0..3).try_for_each(|_| graph.launch())
}

#[test]
fn a_captured_graph_equals_plain_launches() {
    let _turn = emulated();
    for card in 0..3 {
        let mut plain = Axpy::new(card);
        for _ in 0..3 {
            plain.add(2.0).unwrap();
            plain.add(0.25).unwrap();
        }
        let expected = plain.result().unwrap();
        drop(plain);
        let mut graph = Axpy::new(card);
        captured(&mut graph).unwrap();
        assert_eq!(graph.result().unwrap(), expected);
        assert_eq!(expected, line(6.75));
    }
}

#[test]
fn capture_can_be_made_to_fail() {
    let _turn = emulated();
    let mut axpy = Axpy::new(0);
    faults::fail_capture(true).unwrap();
    assert_eq!(code(captured(&mut axpy).unwrap_err()), CUresult::CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
    axpy.add(1.0).unwrap();
    assert_eq!(axpy.result().unwrap(), line(1.0));
}

#[test]
fn what_cannot_be_captured_breaks_the_capture() {
    let _turn = emulated();
    let mut axpy = Axpy::new(0);
    let stream = axpy.stream.clone();
    stream.begin_capture(CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL).unwrap();
    axpy.add(1.0).unwrap();
    assert_eq!(code(stream.synchronize().unwrap_err()), CUresult::CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
    let ended = stream.end_capture(CUgraphInstantiate_flags::CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH);
    assert_eq!(ended.err().map(code), Some(CUresult::CUDA_ERROR_STREAM_CAPTURE_INVALIDATED));
    // Nothing of the capture has been done, and the stream is as before.
    axpy.add(4.0).unwrap();
    assert_eq!(axpy.result().unwrap(), line(4.0));
}

#[test]
fn events_are_timed_and_streams_wait() {
    let _turn = emulated();
    let context = CudaContext::new(0).unwrap();
    let (first, second) = (context.new_stream().unwrap(), context.new_stream().unwrap());
    let flags = cudarc::driver::sys::CUevent_flags::CU_EVENT_DEFAULT;
    let start = first.record_event(Some(flags)).unwrap();
    let slice = first.alloc_zeros::<u8>(1000).unwrap();
    second.join(&first).unwrap();
    let end = second.record_event(Some(flags)).unwrap();
    assert!(start.elapsed_ms(&end).unwrap() >= 0.0);
    assert_eq!(second.clone_dtoh(&slice).unwrap(), vec![0; 1000]);
}

#[test]
fn environment_variables_reach_child_processes() {
    let child = |variables: &[(&str, &str)]| {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--ignored", "--nocapture"])
            .env("LD_LIBRARY_PATH", library_folder(Build::Plain))
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout)
            .lines()
            .find(|line| line.starts_with("child:"))
            .unwrap_or("none")
            .to_string()
    };
    assert_eq!(child(&[]), "child: 3 Emulated 9.0 1073741824 Ok(1.0)");
    assert_eq!(
        child(&[("EMULATED_CARDS", "75"), ("EMULATED_MEMORY", "100000")]),
        "child: 1 Emulated 7.5 100000 Ok(1.0)"
    );
    assert_eq!(child(&[("EMULATED_CARDS", "")]), "child: CUDA_ERROR_NO_DEVICE");
    assert_eq!(
        child(&[("EMULATED_DRIVER", "12020")]),
        "child: 3 Emulated 9.0 1073741824 Err(CUDA_ERROR_UNSUPPORTED_PTX_VERSION)"
    );
    assert_eq!(
        child(&[("EMULATED_FAIL_LAUNCH", "1")]),
        "child: 3 Emulated 9.0 1073741824 Err(CUDA_ERROR_LAUNCH_FAILED)"
    );
}

#[test]
#[ignore = "run by environment_variables_reach_child_processes"]
fn child() {
    let context = match CudaContext::new(0) {
        Ok(context) => context,
        Err(error) => return println!("\nchild: {:?}", error.0),
    };
    let launched = || {
        let function = context.load_module(ptx("8.4", "sm_75", AXPY))?.load_function("test_axpy")?;
        let stream = context.new_stream()?;
        let (x, mut y) = (stream.clone_htod(&[1.0f32; 128])?, stream.alloc_zeros::<f32>(128)?);
        let config = LaunchConfig { grid_dim: (1, 1, 1), block_dim: (128, 1, 1), shared_mem_bytes: 0 };
        // SAFETY: the arguments are the kernel's parameters.
        unsafe { stream.launch_builder(&function).arg(&x).arg(&mut y).arg(&1.0f32).arg(&128i32).launch(config) }?;
        Ok::<f32, DriverError>(stream.clone_dtoh(&y)?[0])
    };
    let (count, name) = (CudaContext::device_count().unwrap(), context.name().unwrap());
    println!("\nchild: {count} {name} {} {:?}", context.total_mem().unwrap(), launched().map_err(code));
}

/// Names of the entries of PTX text.
fn entries(ptx: &str) -> Vec<String> {
    ptx.split(".entry ")
        .skip(1)
        .map(|rest| rest.split(['(', '{']).next().unwrap_or_default().trim().to_string())
        .collect()
}

#[test]
fn committed_images_declare_the_parameters_of_the_sources() {
    let _turn = emulated();
    faults::cards(&[90, 89, 86, 80, 75]).unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../kernels/prebuilt");
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    let text = |name: &str| String::from_utf8(read(name)).unwrap();
    let contexts = [0, 1, 2, 3, 4].map(|card| CudaContext::new(card).unwrap());
    let all = |image: Arc<CudaModule>, names: &[String], what: &str| {
        for name in names {
            image.load_function(name).unwrap_or_else(|e| panic!("{what}, {name}: {e:?}, {:?}", faults::last_failure()));
        }
    };
    let (old, new) = (text("etnas.compute_75.ptx"), text("etnas.compute_80.ptx"));
    assert!(entries(&old).len() > 10, "{:?}", entries(&old));
    for context in &contexts {
        all(context.load_module(Ptx::from_src(old.clone())).unwrap(), &entries(&old), "PTX for 7.5");
    }
    for context in &contexts[..4] {
        all(context.load_module(Ptx::from_src(new.clone())).unwrap(), &entries(&new), "PTX for 8.0");
    }
    for (context, architecture) in contexts.iter().zip([90, 89, 86, 80, 75]) {
        let name = format!("etnas.sm_{architecture}.cubin");
        let image = context.load_module(Ptx::from_binary(read(&name))).unwrap();
        all(image, &entries(if architecture == 75 { &old } else { &new }), &name);
    }
}
