//! The least that each measure makes a card do, counted launch by launch at full size, against the committed table
//! `docs/results/cuda-floors.txt`. `ETNAS_WRITE=1` writes the table anew.

use etnas::backend::Backend;
use etnas::cuda::{Cuda, Least, Work};
use etnas::input::{Batch, RegressionTask};
use etnas::random::{Seeds, Stream};
use etnas::space::{Cell, Skeleton};
use etnas::weights::{Init, Weights};
use etnas_emulator::{activate, Build};
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

/// What a card can do in a second, by its data sheet.
struct Rates {
    name: &'static str,
    /// Number of the emulated card.
    number: usize,
    bytes: f64,
    /// f32 operations without tensor cores.
    plain: f64,
    /// f32 operations by three TF32 products.
    split: f64,
    /// f64 operations.
    double: f64,
}

const CARDS: [Rates; 2] = [
    Rates { name: "H100", number: 0, bytes: 3.35e12, plain: 67e12, split: 495e12 / 3.0, double: 34e12 },
    Rates { name: "T4", number: 2, bytes: 0.32e12, plain: 8.1e12, split: 8.1e12, double: 0.25e12 },
];

impl Rates {
    /// Seconds of the least work of a kernel: memory or arithmetic, whichever takes longer.
    fn floor(&self, kernel: &str, least: Least) -> f64 {
        let flop = match kernel {
            "log_determinant" => self.double,
            kernel if kernel.contains("tf32x3") => self.split,
            _ => self.plain,
        };
        (least.bytes as f64 / self.bytes).max(least.flop as f64 / flop)
    }
}

fn table(text: &mut String, rates: &Rates, measure: &str, cells: usize, work: &Work) {
    let each = |number: u64| number as f64 / cells as f64 / 1e6;
    let mut all = (0, Least::default(), 0.0);
    writeln!(text, "\n{measure}, {}: for each of {cells} cells", rates.name).unwrap();
    writeln!(text, "{:26} {:>8} {:>10} {:>9} {:>9}", "kernel", "launches", "MFLOP", "MB", "floor µs").unwrap();
    for (kernel, (launches, least)) in work {
        let floor = 1e6 * rates.floor(kernel, *least) / cells as f64;
        let (mflop, mb) = (each(least.flop), each(least.bytes));
        writeln!(text, "{kernel:26} {launches:8} {mflop:10.1} {mb:9.3} {floor:9.2}").unwrap();
        all.0 += launches;
        all.1 += *least;
        all.2 += floor;
    }
    let (mflop, mb) = (each(all.1.flop), each(all.1.bytes));
    writeln!(text, "{:26} {:8} {mflop:10.1} {mb:9.3} {:9.2}", "all", all.0, all.2).unwrap();
}

#[test]
fn emulated_cuda_least_work_is_as_committed() {
    activate(Build::Plain).unwrap();
    let list = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers/cells.txt")).unwrap();
    let cells: Vec<Cell> = list.lines().take(20).map(|line| line.parse().unwrap()).collect();
    let weights = Arc::new(Weights::generated(Skeleton::benchmark(10, 32), Init::Uniform, 0).unwrap());
    let mut stream = Stream::new(1, &[]);
    let mut images = |count: usize| {
        let pixels = (0..count * 3 * 1024).map(|_| stream.symmetric(1.0)).collect();
        Batch { count, height: 32, width: 32, pixels }
    };
    let batch = images(128);
    let task = RegressionTask::draw(images(16), &Seeds::new(2));
    let mut text = String::from(
        "The least work of each measure: bytes if every number is read or written once, operations of convolutions and\n\
         determinants, and the floor by data sheet: H100 3.35 TB/s, 165 TFLOP/s by three TF32 products; T4 0.32 TB/s,\n\
         8.1 TFLOP/s. Mean over the first cells of benches/peers/cells.txt in one chunk; launches are those of the chunk.\n",
    );
    for rates in &CARDS {
        let card = Cuda::new(rates.number).unwrap();
        let naswot = |backend: &dyn Backend| backend.kernels(&cells, &weights, &batch, &()).map(drop);
        let synflow = |backend: &dyn Backend| backend.synflow(&cells, &weights, &()).map(drop);
        let slope = |backend: &dyn Backend| backend.train(&cells[..8], &weights, &task, &()).map(drop);
        table(&mut text, rates, "naswot, 128 images", cells.len(), &card.rehearse(naswot).unwrap());
        table(&mut text, rates, "LogSynflow", cells.len(), &card.rehearse(synflow).unwrap());
        table(&mut text, rates, "LossSlope, 16 images", 8, &card.rehearse(slope).unwrap());
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/results/cuda-floors.txt");
    if std::env::var_os("ETNAS_WRITE").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap();
    assert!(
        committed == text,
        "The least work has changed; run with ETNAS_WRITE=1 and look at the difference:\n{text}"
    );
}
