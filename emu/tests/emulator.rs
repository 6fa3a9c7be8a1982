//! The emulator by small kernels of its own.

use etnas_emulator::{Argument, Build, Card, Order};

#[test]
fn threads_exchange_numbers() {
    let blocks = 5;
    let from: Vec<f32> = (0..256 * blocks).map(|i| i as f32).collect();
    for build in [Build::Plain, Build::Checked] {
        for order in [Order::Forward, Order::Reverse, Order::Random(7)] {
            let card = Card::new(90, build, order);
            let source = card.upload(&from);
            let target = card.poisoned::<f32>(from.len());
            let arguments = [Argument::new(source.address()), Argument::new(target.address())];
            let statistics = card.launch("test_exchange", [blocks, 1, 1], [256, 1, 1], 1024, &arguments).unwrap();
            assert_eq!((statistics.blocks, statistics.threads, statistics.barriers), (5, 5 * 256, 5));
            for (i, number) in card.download(&target).into_iter().enumerate() {
                let reversed = i / 256 * 256 + 255 - i % 256;
                assert_eq!(number, from[reversed] + 496.0 + 16.0, "{build:?} {order:?} {i}");
            }
        }
    }
}
