//! How LossSlope's images are varied, once (SPEC section 4): a random crop of the image within a black border, and a
//! mirroring with probability one half.

use crate::random::Stream;

/// The crop of a `[3, h, w]` image that begins at (`top`, `left`) of the image with a border of `pad` black pixels on every side, in
/// the image's own size, mirrored if asked for.
fn crop(image: &[f32], width: usize, pad: usize, (top, left): (usize, usize), mirror: bool) -> Vec<f32> {
    let height = image.len() / (3 * width);
    let mut cropped = Vec::with_capacity(image.len());
    for plane in image.chunks_exact(height * width) {
        for y in 0..height {
            // Coordinates in the image; what lies outside is border.
            let row = (y + top).checked_sub(pad).and_then(|y| plane.chunks_exact(width).nth(y));
            for x in 0..width {
                let x = if mirror { width - 1 - x } else { x };
                let level = row.and_then(|row| row.get((x + left).checked_sub(pad)?));
                cropped.push(level.copied().unwrap_or(0.0));
            }
        }
    }
    cropped
}

/// A random crop and mirroring of a `[3, h, w]` image whose levels have not been normalised.
pub(super) fn vary(image: &[f32], width: usize, pad: usize, mut stream: Stream) -> Vec<f32> {
    let corner = (stream.below(2 * pad + 1), stream.below(2 * pad + 1));
    crop(image, width, pad, corner, stream.below(2) == 1)
}

/// Each pixel of `[n, w]` rows doubled in both directions: the nearest neighbour at twice the size.
pub(super) fn double(pixels: &[f32], width: usize) -> Vec<f32> {
    let wide = |row: &[f32]| row.iter().flat_map(|&level| [level, level]).collect::<Vec<f32>>();
    pixels.chunks_exact(width).flat_map(|row| [wide(row), wide(row)].concat()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Levels that tell where they come from; none is 0.
    fn image(size: usize) -> Vec<f32> {
        (1..=3 * size * size).map(|i| i as f32).collect()
    }

    #[test]
    fn crops_shift_and_the_border_is_black() {
        let image = image(4);
        assert_eq!(crop(&image, 4, 2, (2, 2), false), image);
        let mirrored = crop(&image, 4, 2, (2, 2), true);
        assert_eq!(mirrored[..8], [4.0, 3.0, 2.0, 1.0, 8.0, 7.0, 6.0, 5.0]);
        let corner = crop(&image, 4, 2, (0, 0), false);
        assert_eq!(corner[..16], [0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 1., 2., 0., 0., 5., 6.]);
        let other = crop(&image, 4, 2, (4, 3), false);
        assert_eq!(other[..16], [10., 11., 12., 0., 14., 15., 16., 0., 0., 0., 0., 0., 0., 0., 0., 0.]);
        assert_eq!(corner[26..28], [17.0, 18.0]);
    }

    #[test]
    fn crops_and_mirrorings_are_uniform() {
        let image = image(8);
        let mut seen = std::collections::HashMap::new();
        let draws = 20_000;
        for i in 0..draws {
            *seen
                .entry(vary(&image, 8, 2, Stream::new(5, &[i])).iter().map(|l| l.to_bits()).collect::<Vec<_>>())
                .or_insert(0) += 1;
        }
        // 25 corners, each mirrored or not: 400 draws each, standard deviation 20.
        assert_eq!(seen.len(), 50);
        assert!(seen.values().all(|&count| (300..500).contains(&count)), "{:?}", seen.values());
        let corners = (0..25).flat_map(|c| [false, true].map(|mirror| crop(&image, 8, 2, (c / 5, c % 5), mirror)));
        for variant in corners {
            assert!(seen.contains_key(&variant.iter().map(|l| l.to_bits()).collect::<Vec<_>>()));
        }
    }

    #[test]
    fn doubling_repeats_pixels() {
        assert_eq!(double(&[1., 2., 3., 4.], 2), [1., 1., 2., 2., 1., 1., 2., 2., 3., 3., 4., 4., 3., 3., 4., 4.]);
    }
}
