//! A sweep: which cells are scored, in which order, and which of them a shard takes.

use super::json::object;
use crate::error::{Error, Result};
use crate::space::Cell;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

/// How the cells of a sweep were chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The whole space, by index.
    All,
    /// Drawn by the sample seed.
    Sample,
    /// Named one by one.
    List,
}

impl Rule {
    /// The word in metadata.
    pub fn name(self) -> &'static str {
        ["all", "sample", "list"][self as usize]
    }
}

/// One of `of` parts of a sweep, which together hold every cell once.
///
/// The cell at place p, counted from 0, is in part 1 + (sum of the digits of p in base `of`) mod `of`. So each run of `of` places has
/// one cell in every part, and the parts cost alike: taking every `of`-th cell would not do, as with five parts of the whole space each
/// would hold one operation on the last edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    number: usize,
    of: usize,
}

impl Shard {
    /// The whole.
    pub const WHOLE: Shard = Shard { number: 1, of: 1 };

    /// Part `number`, counted from 1, of `of`.
    ///
    /// # Errors
    /// [`Error::Options`] where there is no such part.
    pub fn new(number: usize, of: usize) -> Result<Shard> {
        match (1..=of).contains(&number) {
            true => Ok(Shard { number, of }),
            false => Err(no_shard(&format!("{number}/{of}"))),
        }
    }

    /// Which part this is, counted from 1.
    pub fn number(self) -> usize {
        self.number
    }

    /// How many parts there are.
    pub fn of(self) -> usize {
        self.of
    }

    /// The number of the part that has this place.
    pub fn of_place(self, place: usize) -> usize {
        let (mut rest, mut sum) = (place, 0);
        // In base 1 there are no digits.
        while rest > 0 && self.of > 1 {
            sum += rest % self.of;
            rest /= self.of;
        }
        1 + sum % self.of
    }

    /// The places of this part among `count`.
    pub fn places(self, count: usize) -> impl Iterator<Item = usize> {
        (0..count).filter(move |place| self.of_place(*place) == self.number)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

impl FromStr for Shard {
    type Err = Error;

    /// Reads `2/8`.
    fn from_str(text: &str) -> Result<Shard> {
        let numbers = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
        numbers.map_or_else(|| Err(no_shard(text)), |(number, of)| Shard::new(number, of))
    }
}

fn no_shard(found: &str) -> Error {
    let remedy = "Write 1/4 for the first of four parts.";
    Error::options("--shard", "a part and how many there are, counted from 1", found, remedy)
}

/// The cells of one process.
pub struct Sweep {
    rule: Rule,
    asked: usize,
    sha256: String,
    shard: Shard,
    cells: Vec<Cell>,
}

impl Sweep {
    /// The part of `asked` that `shard` is.
    ///
    /// # Errors
    /// [`Error::Options`] where there are more parts than cells.
    pub fn new(rule: Rule, asked: Vec<Cell>, shard: Shard) -> Result<Sweep> {
        if shard.of > asked.len().max(1) {
            let expected = format!("at most as many parts as cells, {}", asked.len());
            return Err(Error::options("--shard", expected, shard.to_string(), "Make fewer parts."));
        }
        let sha256 = fingerprint(asked.iter().copied());
        let cells = shard.places(asked.len()).map(|place| asked[place]).collect();
        Ok(Sweep { rule, asked: asked.len(), sha256, shard, cells })
    }

    /// What is to be scored, in order.
    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// Which part of the cells asked for this is.
    pub fn shard(&self) -> Shard {
        self.shard
    }

    /// All cells that were asked for, in metadata: rule, count and fingerprint.
    pub fn selection(&self) -> Value {
        Value::Object(object([
            ("rule", Value::from(self.rule.name())),
            ("count", Value::from(self.asked)),
            ("sha256", Value::from(self.sha256.as_str())),
        ]))
    }

    /// The shard in metadata: `2/8`, null for the whole.
    pub fn shard_value(&self) -> Value {
        Value::from((self.shard.of > 1).then(|| self.shard.to_string()))
    }
}

/// SHA-256 of cells in their order: of their indices in decimal, a line feed after each.
pub(super) fn fingerprint(cells: impl Iterator<Item = Cell>) -> String {
    let mut hash = Sha256::new();
    cells.for_each(|cell| hash.update(format!("{}\n", cell.index())));
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Engine, Options};
    use crate::measure::Measure;
    use crate::space::SPACE_SIZE;

    fn shards(of: usize) -> Vec<Shard> {
        (1..=of).map(|number| Shard::new(number, of).unwrap()).collect()
    }

    #[test]
    fn every_place_is_in_one_shard_and_sizes_differ_by_one_at_most() {
        for of in [1, 2, 3, 4, 5, 7, 10, 25, 64] {
            for count in [of, 100, 1001] {
                let parts: Vec<Vec<usize>> = shards(of).iter().map(|shard| shard.places(count).collect()).collect();
                let mut all: Vec<usize> = parts.iter().flatten().copied().collect();
                all.sort_unstable();
                assert_eq!(all, (0..count).collect::<Vec<_>>());
                let sizes = parts.iter().map(Vec::len);
                assert!(sizes.clone().max().unwrap() - sizes.min().unwrap() <= 1, "{count} in {of}");
            }
        }
        // 0110 1001 …, Thue and Morse's sequence.
        assert_eq!((0..8).map(|p| Shard::WHOLE.of_place(p)).collect::<Vec<_>>(), [1; 8]);
        assert_eq!((0..8).map(|p| shards(2)[0].of_place(p)).collect::<Vec<_>>(), [1, 2, 2, 1, 2, 1, 1, 2]);
    }

    #[test]
    fn shards_of_the_whole_space_cost_alike() {
        let engine = Engine::new(Options { batch: 2, ..Options::default() }).unwrap();
        let costs: Vec<f64> = Cell::all().map(|cell| engine.flop(Measure::Naswot, &cell) as f64).collect();
        let mean: f64 = costs.iter().sum::<f64>();
        let uneven = |of: usize, part: &dyn Fn(usize) -> usize| {
            let mut sums = vec![0.0; of];
            costs.iter().enumerate().for_each(|(place, cost)| sums[part(place)] += cost);
            sums.iter().map(|sum| (sum * of as f64 / mean - 1.0).abs()).fold(0.0, f64::max)
        };
        assert_eq!(costs.len(), SPACE_SIZE);
        for of in [2, 3, 4, 5, 8, 10, 16, 25, 32] {
            let digits = uneven(of, &|place| shards(of)[0].of_place(place) - 1);
            assert!(digits < 0.05, "{of} shards: {digits}");
        }
        // What every fifth cell would do.
        assert!(uneven(5, &|place| place % 5) > 0.5);
    }

    #[test]
    fn shards_are_read_and_refused() {
        assert_eq!("2/8".parse::<Shard>().unwrap(), Shard::new(2, 8).unwrap());
        assert_eq!(Shard::new(2, 8).unwrap().to_string(), "2/8");
        for bad in ["", "1", "0/4", "5/4", "1/0", "1/4/2", "-1/4", "a/b"] {
            assert!(bad.parse::<Shard>().unwrap_err().to_string().contains("1/4"), "{bad}");
        }
        let five = || (0..5).map(|index| Cell::from_index(index).unwrap()).collect::<Vec<_>>();
        assert!(Sweep::new(Rule::List, five(), Shard::new(1, 6).unwrap()).is_err());
        let sweep = Sweep::new(Rule::List, five(), Shard::new(2, 2).unwrap()).unwrap();
        assert_eq!(sweep.cells().iter().map(Cell::index).collect::<Vec<_>>(), [1, 2, 4]);
        // sha256sum of "0\n1\n2\n3\n4\n".
        let hash = "026d8ad3dfa1f2aa9da7964947ddedd4e83c6fc008206ebf898699dea80f9804";
        assert_eq!(sweep.selection()["sha256"], hash);
    }
}
