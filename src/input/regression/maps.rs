//! The 8×8 maps of each kind of signal.

use crate::random::Stream;
use std::f64::consts::TAU;

/// Height and width of the target maps.
pub const SIZE: usize = 8;
/// Pixels of a target map.
pub const PIXELS: usize = SIZE * SIZE;
/// Random phases of each frequency or pair of frequencies.
const PHASES: usize = 32;

/// A map, row-major.
pub type Map = [f64; PIXELS];

/// `channels` distinct waves along one axis, out of 640.
///
/// Each frequency f has 32 phases s, uniform in [0, 2π). Each phase gives sin(2πf·t + s) if its number is even, cos if odd,
/// once along y and once along x; t runs from 1 to 8.
pub fn waves_along_one_axis(channels: usize, frequencies: &[f64; 10], stream: &mut Stream) -> Vec<Map> {
    waves(channels, frequencies.len(), stream, |frequency, second, [y, x]| {
        TAU * frequencies[frequency] * (if second { x } else { y } + 1) as f64
    })
}

/// `channels` distinct waves along both axes, out of 6,400.
///
/// Each ordered pair (f, g) of frequencies has 32 phases; each phase gives sin or cos of 2π(f·y + g·x) + s and its mirror
/// image, first row last.
pub fn waves_along_both_axes(channels: usize, frequencies: &[f64; 10], stream: &mut Stream) -> Vec<Map> {
    let count = frequencies.len();
    waves(channels, count * count, stream, |pair, mirrored, [y, x]| {
        let (f, g) = (frequencies[pair / count], frequencies[pair % count]);
        let row = if mirrored { SIZE - 1 - y } else { y };
        TAU * (f * (row + 1) as f64 + g * (x + 1) as f64)
    })
}

/// A random choice of the bank's maps: for each of `kinds`, 32 phases of the first form, then the same phases of the second.
/// `angle(kind, second form, [y, x])` is the angle without the phase.
fn waves(
    channels: usize,
    kinds: usize,
    stream: &mut Stream,
    angle: impl Fn(usize, bool, [usize; 2]) -> f64,
) -> Vec<Map> {
    let phases: Vec<f64> = (0..kinds * PHASES).map(|_| TAU * stream.unit()).collect();
    let chosen = stream.distinct(channels, kinds * 2 * PHASES);
    let map = |number: usize| {
        let (kind, form, phase) = (number / (2 * PHASES), number / PHASES % 2, number % PHASES);
        let wave = if phase % 2 == 0 { libm::sin } else { libm::cos };
        let shift = phases[kind * PHASES + phase];
        std::array::from_fn(|p| wave(angle(kind, form == 1, [p / SIZE, p % SIZE]) + shift))
    };
    chosen.into_iter().map(map).collect()
}

/// `channels` maps of `count` dots: distinct random pixels of ±1, blurred, divided by the largest absolute value.
pub fn dots(channels: usize, count: usize, stream: &mut Stream) -> Vec<Map> {
    (0..channels).map(|_| normalised(blur(&scatter(count, stream)))).collect()
}

/// ±1 on `count` distinct pixels, 0 elsewhere.
fn scatter(count: usize, stream: &mut Stream) -> Map {
    let mut map = [0.0; PIXELS];
    for pixel in stream.distinct(count, PIXELS) {
        map[pixel] = if stream.below(2) == 0 { -1.0 } else { 1.0 };
    }
    map
}

/// Divided by its largest absolute value.
fn normalised(map: Map) -> Map {
    let most = map.iter().fold(0.0f64, |most, v| most.max(v.abs()));
    if most > 0.0 {
        map.map(|v| v / most)
    } else {
        map
    }
}

/// Gaussian filter with σ = 1, cut off at 4σ, on the map continued by reflection (… b a | a b … ).
fn blur(map: &Map) -> Map {
    const RADIUS: usize = 4;
    let mut kernel: [f64; 2 * RADIUS + 1] = std::array::from_fn(|i| {
        let distance = i as f64 - RADIUS as f64;
        libm::exp(-0.5 * distance * distance)
    });
    let total: f64 = kernel.iter().sum();
    kernel.iter_mut().for_each(|k| *k /= total);
    // Position `at + i − RADIUS` of the continued axis; the reach is less than one reflection.
    let reflected = |at: usize, i: usize| match (at + i).checked_sub(RADIUS) {
        Some(p) if p < SIZE => p,
        Some(p) => 2 * SIZE - 1 - p,
        None => RADIUS - 1 - at - i,
    };
    let along = |map: &Map, stride: usize| -> Map {
        std::array::from_fn(|p| {
            let at = p / stride % SIZE;
            let start = p - at * stride;
            kernel.iter().enumerate().map(|(i, k)| k * map[start + reflected(at, i) * stride]).sum()
        })
    };
    along(&along(map, SIZE), 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FREQUENCIES: [f64; 10] = [0.05, 0.11, 0.13, 0.17, 0.19, 0.23, 0.29, 0.31, 0.37, 0.41];

    /// The frequencies f for which a + c = 2·cos(2πf)·b along a line: a pure wave of frequency f.
    fn frequencies_of(line: &[f64]) -> Vec<f64> {
        let fits = |f: &&f64| line.windows(3).all(|w| (w[0] + w[2] - 2.0 * (TAU * *f).cos() * w[1]).abs() < 1e-9);
        FREQUENCIES.iter().filter(fits).copied().collect()
    }

    fn row(map: &Map, y: usize) -> Vec<f64> {
        map[y * SIZE..][..SIZE].to_vec()
    }

    fn column(map: &Map, x: usize) -> Vec<f64> {
        (0..SIZE).map(|y| map[y * SIZE + x]).collect()
    }

    #[test]
    fn a_wave_along_one_axis_is_constant_along_the_other() {
        let maps = waves_along_one_axis(640, &FREQUENCIES, &mut Stream::new(1, &[]));
        let mut along_y = 0;
        let mut of_frequency = [0; 10];
        for map in &maps {
            let vertical = (0..PIXELS).all(|p| map[p] == map[p / SIZE * SIZE]);
            let horizontal = (0..PIXELS).all(|p| map[p] == map[p % SIZE]);
            assert!(vertical != horizontal);
            along_y += usize::from(vertical);
            let found = frequencies_of(&if vertical { column(map, 0) } else { row(map, 0) });
            let [f] = found[..] else { panic!("{found:?}") };
            of_frequency[FREQUENCIES.iter().position(|&g| g == f).unwrap()] += 1;
        }
        // All 640 were asked for, so that each stands there once.
        assert_eq!((along_y, of_frequency), (320, [64; 10]));
    }

    #[test]
    fn waves_along_both_axes_have_a_frequency_for_each_and_a_mirror_image() {
        let maps = waves_along_both_axes(6400, &FREQUENCIES, &mut Stream::new(2, &[]));
        let mut pairs = [[0; 10]; 10];
        let at = |f: f64| FREQUENCIES.iter().position(|&g| g == f).unwrap();
        let mut bits: Vec<Vec<u64>> = Vec::new();
        for map in &maps {
            let ([f], [g]) = (&frequencies_of(&column(map, 3))[..], &frequencies_of(&row(map, 5))[..]) else {
                panic!("not one frequency along each axis")
            };
            pairs[at(*f)][at(*g)] += 1;
            bits.push(map.iter().map(|v| v.to_bits()).collect());
        }
        assert_eq!(pairs, [[64; 10]; 10]);
        let all: std::collections::HashSet<_> = bits.iter().cloned().collect();
        let mirrored = |b: &[u64]| -> Vec<u64> { b.chunks(SIZE).rev().flatten().copied().collect() };
        assert!(all.len() == 6400 && bits.iter().all(|b| all.contains(&mirrored(b))));
    }

    #[test]
    fn blur_is_that_of_scipy() {
        // scipy.ndimage.gaussian_filter(map, 1) divided by its largest absolute value, SciPy 1.17.
        let mut map = [0.0; PIXELS];
        for pixel in [0, 7, 9, 27, 36, 63] {
            map[pixel] = 1.0;
        }
        for pixel in [1, 20, 44] {
            map[pixel] = -1.0;
        }
        let found = normalised(blur(&map));
        for (pixel, expected) in SCIPY {
            assert!((found[pixel] - expected).abs() < 1e-14, "pixel {pixel}: {} instead of {expected}", found[pixel]);
        }
    }
    const SCIPY: [(usize, f64); 9] = [
        (0, 0.7519425137148927),
        (7, 0.9999521555394545),
        (9, 0.3234450392449512),
        (20, -0.19425259632246364),
        (27, 0.36241692801981484),
        (36, 0.24279642967944218),
        (44, -0.12437549400699385),
        (55, 0.45996578776602187),
        (63, 1.0),
    ];

    #[test]
    fn dots_are_as_many_as_asked_for_and_fall_everywhere() {
        let mut stream = Stream::new(3, &[]);
        let mut sums = [[0; 2]; PIXELS];
        for _ in 0..2000 {
            let map = scatter(37, &mut stream);
            assert_eq!(map.iter().filter(|&&v| v.abs() == 1.0).count(), 37);
            assert_eq!(map.iter().filter(|&&v| v == 0.0).count(), PIXELS - 37);
            for (sum, &v) in sums.iter_mut().zip(&map) {
                sum[0] += usize::from(v == 1.0);
                sum[1] += usize::from(v == -1.0);
            }
        }
        // 2000·37/64/2 = 578 of each sign on each pixel, deviation 20.3; the bound is five of them.
        assert!(sums.iter().flatten().all(|n| (477..=679).contains(n)), "{sums:?}");
    }

    #[test]
    fn dots_are_blurred_and_normalised() {
        for map in dots(50, 28, &mut Stream::new(4, &[])) {
            assert!(map.iter().all(|v| v.abs() <= 1.0) && map.iter().any(|v| v.abs() == 1.0));
        }
        let map = scatter(28, &mut Stream::new(5, &[]));
        let (before, after): (f64, f64) = (map.iter().sum(), blur(&map).iter().sum());
        assert!((before - after).abs() < 1e-12, "{before} {after}");
        assert_eq!(normalised([0.0; PIXELS]), [0.0; PIXELS]);
    }
}
