//! Memory that the kernels touch in whole passes of the engine, counted by the emulator, against the least of
//! `Cuda::rehearse`; and the committed table `docs/results/cuda-traffic.txt`. `ETNAS_WRITE=1` writes the table anew.

use etnas::backend::Backend;
use etnas::cuda::{Cuda, Work};
use etnas::input::{Batch, RegressionTask};
use etnas::random::{Seeds, Stream};
use etnas::space::{Cell, Skeleton};
use etnas::weights::{Init, Weights};
use etnas_emulator::{activate, profile, Build};
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

/// The emulated card of compute capability 8.0.
const CARD: (usize, u32) = (1, 80);
/// A kernel may touch this much more than the least, in whole sectors.
const MOST: f64 = 1.3;
/// Kernels of less than this many bytes are not held to it: a sector, or a job, is much of so little.
const SMALL: u64 = 100_000;

/// Adds a table, and what is beyond [`MOST`] to `beyond`.
fn table(text: &mut String, beyond: &mut Vec<String>, measure: &str, work: &Work, counted: &profile::Profile) {
    writeln!(text, "\n{measure}").unwrap();
    let head = ["kernel", "launches", "least kB", "touched", "asked for", "shared"];
    writeln!(text, "{:26} {:>8} {:>10} {:>8} {:>10} {:>7}", head[0], head[1], head[2], head[3], head[4], head[5])
        .unwrap();
    for (kernel, (launches, least)) in work {
        let total = counted.totals.iter().find(|total| total.kernel == *kernel && total.capability == CARD.1);
        let Some(total) = total else { panic!("{kernel} was rehearsed and not run") };
        assert_eq!(total.launches, *launches as u64, "{kernel}");
        let asked = 32 * counted.sectors(kernel, CARD.1).0;
        let (wavefronts, fewest) = counted.wavefronts(kernel, CARD.1);
        let ratio = |bytes: u64| bytes as f64 / least.bytes.max(1) as f64;
        let touched = ratio(total.read + total.written);
        let conflicts = wavefronts as f64 / fewest.max(1) as f64;
        let kilobytes = least.bytes as f64 / 1e3;
        let line =
            format!("{kernel:26} {launches:8} {kilobytes:10.1} {touched:8.3} {:10.3} {conflicts:7.3}\n", ratio(asked));
        text.push_str(&line);
        if least.bytes >= SMALL && !(0.95..=MOST).contains(&touched) {
            beyond.push(line);
        }
    }
}

#[test]
fn emulated_cuda_kernels_touch_little_more_than_they_must() {
    activate(Build::Checked).unwrap();
    let skeleton = Skeleton { cells_per_stage: 1, ..Skeleton::benchmark(10, 32) };
    let weights = Arc::new(Weights::generated(skeleton, Init::Uniform, 0).unwrap());
    let mut stream = Stream::new(1, &[]);
    let mut images = |count: usize| {
        let pixels = (0..count * 3 * 1024).map(|_| stream.symmetric(1.0)).collect();
        Batch { count, height: 32, width: 32, pixels }
    };
    let batch = images(4);
    let mut task = RegressionTask::draw(images(2), &Seeds::new(2));
    task.noise.truncate(2);
    let cells: Vec<Cell> = [
        "|nor_conv_3x3~0|+|avg_pool_3x3~0|nor_conv_1x1~1|+|skip_connect~0|nor_conv_3x3~1|avg_pool_3x3~2|",
        "|nor_conv_1x1~0|+|nor_conv_3x3~0|skip_connect~1|+|avg_pool_3x3~0|none~1|nor_conv_3x3~2|",
    ]
    .map(|text| text.parse().unwrap())
    .to_vec();
    let card = Cuda::new(CARD.0).unwrap();
    let naswot = |backend: &dyn Backend| backend.kernels(&cells, &weights, &batch, &()).map(drop);
    let synflow = |backend: &dyn Backend| backend.synflow(&cells, &weights, &()).map(drop);
    let slope = |backend: &dyn Backend| backend.train(&cells, &weights, &task, &()).map(drop);
    type Ask<'a> = &'a dyn Fn(&dyn Backend) -> etnas::Result<()>;
    let measures: [(&str, Ask); 3] =
        [("naswot, 4 images", &naswot), ("LogSynflow", &synflow), ("LossSlope, 2 images, 2 steps", &slope)];

    let mut text = String::from(
        "Memory that kernels touch, counted by the emulator at compute capability 8.0, against the least bytes of their launches.\n\
         Two cells of the network with one cell a stage, 32×32 pixels. touched: sectors of 32 bytes that a launch reads or writes at\n\
         least once, over the least; asked for: all requests, which the caches answer in part; shared: wavefronts over the fewest.\n",
    );
    let mut beyond = Vec::new();
    for (name, ask) in measures {
        let work = card.rehearse(ask).unwrap();
        profile::start().unwrap();
        ask(&card).unwrap();
        table(&mut text, &mut beyond, name, &work, &profile::read().unwrap());
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/results/cuda-traffic.txt");
    if std::env::var_os("ETNAS_WRITE").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    println!("{text}");
    assert!(beyond.is_empty(), "These kernels touch more than {MOST} of the least:\n{}", beyond.concat());
    let committed = std::fs::read_to_string(&path).unwrap();
    assert!(committed == text, "The traffic has changed; run with ETNAS_WRITE=1 and look at the difference.");
}
