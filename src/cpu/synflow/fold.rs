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
