//! The embedded photographs: 128 crops of 32×32 pixels, compiled in, in the binary form of CIFAR-10. The label says which
//! photograph a crop is from.
//!
//! Credits. The crops are from photographs that scikit-image ships, all in the public domain or under CC0: *astronaut*
//! (Eileen Collins; NASA, public domain), *chelsea* the cat (Stéfan van der Walt, CC0), *coffee* (Rachel Michetti, CC0),
//! *rocket* (SpaceX, public domain), *retina* (Mikael Häggström, CC0) and *hubble_deep_field* (NASA/ESA, public domain).
//! Crops of 48 to 240 pixels were averaged down; half of them are mirrored, and brightness and contrast were drawn so that
//! the channels' statistics are near CIFAR-10's.

use super::images::{Pixels, RawImages};

static FILE: &[u8] = include_bytes!("photos_128.bin");

const SIZE: usize = 32;

/// All 128: at 32 pixels as they are; at 16 pixels averaged 2×2, so levels are multiples of ¼, not rounded.
pub(super) fn images(size: usize) -> RawImages {
    let images = FILE.chunks_exact(1 + 3 * SIZE * SIZE).map(|record| &record[1..]);
    if size == SIZE {
        return RawImages { height: SIZE, width: SIZE, pixels: Pixels::Bytes(images.flatten().copied().collect()) };
    }
    let averaged = images.flat_map(|image| image.chunks_exact(2 * SIZE)).flat_map(|rows| {
        let (upper, lower) = rows.split_at(SIZE);
        upper.chunks_exact(2).zip(lower.chunks_exact(2)).map(|(a, b)| {
            let sum: f32 = a.iter().chain(b).map(|&level| f32::from(level)).sum();
            sum / 4.0
        })
    });
    RawImages { height: SIZE / 2, width: SIZE / 2, pixels: Pixels::Levels(averaged.collect()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_128_and_the_average_is_exact() {
        assert_eq!(FILE.len(), 128 * 3073);
        let Pixels::Bytes(whole) = images(32).pixels else { panic!("not bytes") };
        let Pixels::Levels(half) = images(16).pixels else { panic!("not levels") };
        assert_eq!((whole.len(), half.len()), (128 * 3072, 128 * 768));
        for (n, c, y, x) in [(0, 0, 0, 0), (127, 2, 15, 15), (5, 1, 3, 9)] {
            let at = |dy, dx| u32::from(whole[((n * 3 + c) * 32 + 2 * y + dy) * 32 + 2 * x + dx]);
            let sum = at(0, 0) + at(0, 1) + at(1, 0) + at(1, 1);
            assert_eq!(half[((n * 3 + c) * 16 + y) * 16 + x], sum as f32 / 4.0);
        }
        assert!(half.iter().any(|level| level.fract() == 0.25));
    }
}
