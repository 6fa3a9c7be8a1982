//! Scores on images of one's own: `cargo run --release --example 04_own_images`.

use etnas::engine::Engine;
use etnas::input::Source;
use etnas::measure::Measure;
use etnas::random::Stream;

fn main() -> etnas::Result<()> {
    // 16 images of 32×32 pixels with levels from 0 to 255, red, green and blue planes one after the other. Here: coloured stripes.
    let (count, size) = (16, 32);
    let mut stream = Stream::new(1, &[]);
    let mut levels = Vec::with_capacity(count * 3 * size * size);
    for _image in 0..count {
        for _colour in 0..3 {
            let (period, level) = (2 + stream.below(9), stream.below(256));
            levels.extend((0..size * size).map(|pixel| if pixel % size % period == 0 { level as u8 } else { 40 }));
        }
    }
    let engine = Engine::builder().batch(count).data(Source::levels(levels, [count, 3, size, size])?).build()?;
    let scores = engine.score(&["1462".parse()?, "9930".parse()?, "0".parse()?], &[Measure::Naswot])?;
    for (cell, naswot) in scores.cells.iter().zip(scores.values(Measure::Naswot)) {
        println!("{naswot:8.2}  {cell}");
    }
    // The configuration says what was seen, with a hash of it.
    let images = engine.configuration().images;
    println!("{} {}, SHA-256 {}", images.count, images.name, images.sha256);
    Ok(())
}
