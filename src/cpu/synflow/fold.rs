//! Folded maps: equal rows and columns are stored once.
//!
//! Synflow's image is constant. A 3×3 convolution or pool of a map whose rows are equal, but for some at its top and bottom,
//! gives such a map with one more row at each end, and so do columns; all pixels between are equal, to the last bit. A map
//! of 32×32 behind the stem and four 3×3 convolutions has 11×11 different pixels. Everything between is the same network
//! over smaller maps: a map is stored with as many rows as its readers need to see each different row once, so that
//! convolutions and pools run on it as they are. Where maps of different sizes meet, rows are picked, and on the way back
//! summed. The mean over pixels weighs each row with how often it occurs.

use crate::plan::{Before, Conv, Plan, Source, Term};

/// Rows are stored in multiples of this, up to the map's own: convolutions hold as many pixels in registers.
const GRAIN: usize = 4;

/// Rows (and columns) at both ends of a map that may differ from those between, which are equal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Margins {
    /// At the top, or left.
    pub first: usize,
    /// At the bottom, or right.
    pub last: usize,
}

impl Margins {
    /// Behind a 3×3 window of stride 1.
    fn widened(self) -> Margins {
        Margins { first: self.first + 1, last: self.last + 1 }
    }

    /// Behind a 3×3 convolution of stride 2: output row y reads the rows 2y − 1 to 2y + 1.
    fn halved(self) -> Margins {
        Margins { first: (self.first + 1).div_ceil(2), last: self.last.div_ceil(2) }
    }

    /// Behind a 2×2 average.
    fn averaged(self) -> Margins {
        Margins { first: self.first.div_ceil(2), last: self.last.div_ceil(2) }
    }

    fn union(self, other: Margins) -> Margins {
        Margins { first: self.first.max(other.first), last: self.last.max(other.last) }
    }

    /// Different rows.
    fn rows(self) -> usize {
        self.first + self.last + 1
    }
}

/// Height and width of a stored map.
pub type Size = (usize, usize);

/// How the maps of a plan are stored.
pub struct Fold {
    image: Size,
    margins: Vec<Margins>,
    sizes: Vec<Size>,
}

impl Fold {
    /// The fold of a plan for images of `height` × `width`.
    pub fn new(plan: &Plan, (height, width): Size) -> Fold {
        let stored = |rows: usize, of: usize| rows.next_multiple_of(GRAIN).min(of);
        let need = Margins::default().widened().rows();
        let image = (stored(need, height), stored(need, width));
        let mut fold = Fold { image, margins: Vec::new(), sizes: Vec::new() };
        for value in &plan.values {
            let of_terms = value.terms.iter().map(|term| fold.term(plan, term));
            let margins = of_terms.fold(Margins::default(), Margins::union);
            fold.margins.push(margins);
        }
        for (v, value) in plan.values.iter().enumerate() {
            let margins = fold.margins[v];
            let of_convs = value.convs.iter().map(|&c| {
                let (rows, scale) = (fold.conv(&plan.convs[c]).rows(), scale(&plan.convs[c]));
                rows * scale
            });
            let of_readers = plan.readers(v).map(|(_, term)| fold.term(plan, term).rows());
            let rows = of_convs.chain(of_readers).fold(margins.rows(), usize::max);
            fold.sizes.push((stored(rows, value.shape.height), stored(rows, value.shape.width)));
        }
        fold
    }

    /// The margins of a convolution's output.
    pub fn conv(&self, conv: &Conv) -> Margins {
        let source = match conv.source {
            Source::Image => Margins::default(),
            Source::Value(v) => self.margins[v],
        };
        match (conv.before, conv.stride, conv.kernel) {
            (Before::Average, ..) => source.averaged(),
            (_, 2, _) => source.halved(),
            (_, _, 3) => source.widened(),
            _ => source,
        }
    }

    /// The margins of a term.
    pub fn term(&self, plan: &Plan, term: &Term) -> Margins {
        match *term {
            Term::Conv(c) => self.conv(&plan.convs[c]),
            Term::Skip(v) => self.margins[v],
            Term::Pool(v) => self.margins[v].widened(),
            Term::Shift(_) => Margins::default(),
        }
    }

    /// The stored size of a value.
    pub fn value(&self, v: usize) -> Size {
        self.sizes[v]
    }

    /// The stored size of what a convolution reads.
    pub fn source(&self, conv: &Conv) -> Size {
        match conv.source {
            Source::Image => self.image,
            Source::Value(v) => self.sizes[v],
        }
    }

    /// The size of what a convolution gives.
    pub fn output(&self, conv: &Conv) -> Size {
        let (source, scale) = (self.source(conv), scale(conv));
        (source.0 / scale, source.1 / scale)
    }

    /// How many of a map's `rows` (or columns) each stored one of value `v` stands for.
    pub fn multiplicity(&self, v: usize, stored: usize, rows: usize) -> impl Iterator<Item = usize> {
        let Margins { first, last } = self.margins[v];
        (0..stored).map(move |row| match row {
            _ if stored == rows || row < first || stored - row <= last => 1,
            _ if row == first => rows - first - last,
            _ => 0,
        })
    }
}

/// Rows that a convolution reads for each of its output.
fn scale(conv: &Conv) -> usize {
    if conv.before == Before::Average {
        2
    } else {
        conv.stride
    }
}

/// The row of `from` that row `row` of `to` stored rows is equal to.
fn equal_row(row: usize, to: usize, from: usize, margins: Margins) -> usize {
    match row {
        _ if to == from || row < margins.first => row,
        _ if to - row <= margins.last => from - (to - row),
        _ => margins.first,
    }
}

/// Stores a map of other size: each pixel of `to` is the equal one of `from`.
pub fn resize(from: (&[f32], Size), to: (&mut [f32], Size), margins: Margins, channels: usize) {
    let ((from, (from_h, from_w)), (to, (h, w))) = (from, to);
    for (at, pixel) in to.chunks_exact_mut(channels).enumerate() {
        let (y, x) = (equal_row(at / w, h, from_h, margins), equal_row(at % w, w, from_w, margins));
        pixel.copy_from_slice(&from[(y * from_w + x) * channels..][..channels]);
    }
}

/// The adjoint of [`resize`]: each pixel of `to` is the sum of those of `from` that are picked from it.
pub fn resize_adjoint(from: (&[f32], Size), to: (&mut [f32], Size), margins: Margins, channels: usize) {
    let ((from, (from_h, from_w)), (to, (h, w))) = (from, to);
    to.fill(0.0);
    for (at, pixel) in from.chunks_exact(channels).enumerate() {
        let (y, x) = (at / from_w, at % from_w);
        let (y, x) = (equal_row(y, from_h, h, margins), equal_row(x, from_w, w, margins));
        to[(y * w + x) * channels..][..channels].iter_mut().zip(pixel).for_each(|(sum, x)| *sum += x);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Purpose;
    use crate::random::Stream;
    use crate::space::{Cell, Skeleton};

    const C: usize = 3;

    /// Windows of three around each row, zeros outside; every `stride`-th.
    fn windows(rows: &[f64], stride: usize) -> Vec<f64> {
        let at = |y: usize| y.checked_sub(1).and_then(|y| rows.get(y)).copied().unwrap_or(0.0);
        (0..rows.len()).step_by(stride).map(|y| at(y) + 3.0 * at(y + 1) + 5.0 * at(y + 2)).collect()
    }

    fn averages(rows: &[f64]) -> Vec<f64> {
        rows.chunks(2).map(|pair| pair[0] + pair[1]).collect()
    }

    #[test]
    fn folded_rows_are_those_of_the_whole_map() {
        // The rows of one column stand for maps: each value's folded rows are computed from folded rows alone.
        let skeleton = Skeleton { channels: 16, cells_per_stage: 2, classes: 10, height: 32, width: 64 };
        for cell in Cell::all().step_by(31) {
            let plan = Plan::new(&cell, &skeleton, Purpose::Output, false);
            let fold = Fold::new(&plan, (skeleton.height, skeleton.width));
            let mut values: [Vec<Vec<f64>>; 2] = Default::default();
            for (v, value) in plan.values.iter().enumerate() {
                // Folded, then whole.
                let sizes = [fold.value(v).0, value.shape.height];
                assert_eq!((fold.value(v).0 == sizes[1]) as usize, usize::from(sizes[0] == sizes[1]));
                let mut sums = sizes.map(|rows| vec![0.0; rows]);
                for term in &value.terms {
                    for whole in [0, 1] {
                        let image = [vec![1.0; fold.image.0], vec![1.0; skeleton.height]];
                        let rows = match *term {
                            Term::Conv(c) => {
                                let conv = &plan.convs[c];
                                let source = match conv.source {
                                    Source::Image => &image[whole],
                                    Source::Value(u) => &values[whole][u],
                                };
                                match (conv.before, conv.kernel) {
                                    (Before::Average, _) => averages(source),
                                    (_, 3) => windows(source, conv.stride),
                                    _ => source.clone(),
                                }
                            }
                            Term::Skip(u) => values[whole][u].clone(),
                            Term::Pool(u) => windows(&values[whole][u], 1),
                            Term::Shift(_) => unreachable!("no BatchNorm shifts"),
                        };
                        let margins = fold.term(&plan, term);
                        for (row, sum) in sums[whole].iter_mut().enumerate() {
                            *sum += rows[equal_row(row, sizes[whole], rows.len(), margins)];
                        }
                    }
                }
                let [folded, whole] = sums;
                for (row, x) in whole.iter().enumerate() {
                    assert_eq!(
                        *x,
                        folded[equal_row(row, whole.len(), folded.len(), fold.margins[v])],
                        "{cell} {v} {row}"
                    );
                }
                let times: Vec<usize> = fold.multiplicity(v, folded.len(), whole.len()).collect();
                let sum: f64 = folded.iter().zip(&times).map(|(x, times)| x * *times as f64).sum();
                assert!((sum / whole.iter().sum::<f64>() - 1.0).abs() < 1e-12);
                values[0].push(folded);
                values[1].push(whole);
            }
        }
    }

    #[test]
    fn sizes_change_by_adjoints() {
        let mut stream = Stream::new(std::process::id().into(), &[22]);
        let margins = Margins { first: 2, last: 1 };
        for (from, to) in [((4, 4), (8, 16)), ((8, 12), (4, 4)), ((4, 8), (4, 8)), ((16, 4), (4, 20))] {
            let mut random = |(h, w): Size| -> Vec<f32> { (0..h * w * C).map(|_| stream.symmetric(1.0)).collect() };
            let (x, y) = (random(from), random(to));
            let (mut ax, mut ay) = (vec![f32::NAN; y.len()], vec![f32::NAN; x.len()]);
            resize((&x, from), (&mut ax, to), margins, C);
            resize_adjoint((&y, to), (&mut ay, from), margins, C);
            let inner = |a: &[f32], b: &[f32]| -> f64 { a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum() };
            assert!((inner(&ax, &y) - inner(&x, &ay)).abs() < 1e-4);
        }
    }
}
