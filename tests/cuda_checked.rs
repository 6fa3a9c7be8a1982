//! The engine for cards under the checker: no race, no access out of bounds, no uninitialised read, whatever order threads run in.

mod common;

use common::measures::{batch, fresh, raw_bits, skeleton};
use etnas::cuda::{Cuda, Precision};
use etnas::input::RegressionTask;
use etnas::random::{Seeds, Stream};
use etnas::space::Cell;
use etnas::weights::{Init, Weights};
use etnas_emulator::{activate, faults, Build, Order};
use std::sync::Arc;

#[test]
fn emulated_cuda_engine_passes_the_checker_in_every_order() {
    activate(Build::Checked).unwrap();
    let mut stream = Stream::new(fresh(), &[]);
    let weights = Arc::new(Weights::generated(skeleton(1, 4, 8), Init::Uniform, stream.bits()).unwrap());
    let images = batch(3, (4, 8), &mut stream);
    let mut task = RegressionTask::draw(batch(2, (4, 8), &mut stream), &Seeds::new(stream.bits()));
    task.noise.truncate(2);
    // Every operation on some edge, a node without terms, and a cell that is dead.
    let cells: Vec<Cell> = [
        "|nor_conv_3x3~0|+|avg_pool_3x3~0|nor_conv_1x1~1|+|skip_connect~0|nor_conv_3x3~1|avg_pool_3x3~2|",
        "|none~0|+|nor_conv_1x1~0|nor_conv_3x3~1|+|avg_pool_3x3~0|skip_connect~1|nor_conv_3x3~2|",
        "|nor_conv_3x3~0|+|none~0|none~1|+|none~0|none~1|none~2|",
    ]
    .map(|text| text.parse().unwrap())
    .to_vec();
    let orders = [Order::Forward, Order::Reverse, Order::Random(stream.bits())];
    for (number, precision) in [(0, Precision::Tf32x3), (1, Precision::F16), (2, Precision::F32)] {
        let results = orders.map(|order| {
            faults::order(order).unwrap();
            let card = Cuda::new(number).unwrap().with(precision).unwrap();
            // A finding of the checker is a failed launch.
            raw_bits(&card, &cells, &weights, &images, &task)
        });
        assert!(results[0].iter().any(|raw| raw.kernel.distance.iter().any(|distance| *distance > 0)));
        assert!(results[0].iter().all(|raw| raw.losses.len() == 2));
        assert!(results.iter().all(|result| *result == results[0]), "{precision:?}: the order changes the result");
    }
}
