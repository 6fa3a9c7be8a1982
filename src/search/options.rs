//! The options of ET-NAS: presets, variants, rules, sizes, and what may not be combined.

use crate::error::{Error, Result};
use crate::space::SPACE_SIZE;
use serde::Serialize;

/// Gives an enum its list, its names and the way back from a name.
macro_rules! named {
    ($type:ident, $kind:literal, $($variant:ident = $name:literal),+) => {
        impl $type {
            /// All, in the order of the documentation.
            pub const ALL: &'static [$type] = &[$($type::$variant),+];

            /// The name on the command line.
            pub fn name(self) -> &'static str {
                match self {
                    $($type::$variant => $name),+
                }
            }

            /// The value of a name.
            ///
            /// # Errors
            /// [`Error::UnknownName`], with the nearest name that exists.
            pub fn from_name(name: &str) -> Result<$type> {
                Self::ALL.iter().copied().find(|v| v.name() == name).ok_or_else(|| Error::UnknownName {
                    kind: $kind,
                    found: name.to_string(),
                    allowed: Self::ALL.iter().map(|v| v.name().to_string()).collect(),
                })
            }
        }
    };
}

pub(super) use named;

/// Which account of ET-NAS is followed (SPEC section 6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// What produced the paper's figures: parent by Degree, then LogSynflow; a child of equal Degree is accepted; only
    /// the children of maximal Degree are compared; a front of one wins without LossSlope.
    #[default]
    Reference,
    /// The paper's Algorithm 1 to the letter: parent by LogSynflow; a child needs a higher Degree, so the search stalls
    /// after some 14 to 23 children; all children are compared; LossSlope also for a front of one.
    Algorithm1,
}
named!(Preset, "preset", Reference = "reference", Algorithm1 = "algorithm1");

/// Which of the paper's variants is run (its Table IV).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Variant {
    /// The Pareto front's nearest to the utopian point wins.
    #[default]
    EtNas,
    /// As ET-NAS, but a child of any Degree is accepted. The choice of parents and of the compared children stays.
    NoDegree,
    /// The best sum of three ranks wins.
    Rank,
    /// As ET-NAS with Degree removed everywhere: the parent by LogSynflow alone, a child of any Degree, and all children
    /// compared. The other reading of "no Degree".
    OffDegree,
}
named!(Variant, "variant", EtNas = "et-nas", NoDegree = "no-degree", Rank = "rank", OffDegree = "off-degree");

/// What a child's Degree must be to be accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DegreeRule {
    /// At least the parent's.
    Ge,
    /// Above the parent's.
    Gt,
    /// Any.
    Off,
}
named!(DegreeRule, "Degree rule", Ge = "ge", Gt = "gt", Off = "off");

impl DegreeRule {
    /// A child of Degree `child` may follow a parent of Degree `parent`.
    pub fn accepts(self, child: u32, parent: u32) -> bool {
        match self {
            DegreeRule::Ge => child >= parent,
            DegreeRule::Gt => child > parent,
            DegreeRule::Off => true,
        }
    }
}

/// Among which children the variant RANK ranks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RankPool {
    /// The Pareto front.
    #[default]
    Front,
    /// All children of maximal Degree, each of which then needs its LossSlope.
    MaxDegree,
}
named!(RankPool, "rank pool", Front = "front", MaxDegree = "max-degree");

/// ET-NAS with its options. The default is the paper's setting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EtNas {
    /// Which account is followed.
    pub preset: Preset,
    /// Which variant is run.
    pub variant: Variant,
    /// The rule for a child's Degree, where not the preset's and variant's own.
    pub degree_rule: Option<DegreeRule>,
    /// Where RANK ranks; without effect in the other variants.
    pub rank_pool: RankPool,
    /// P, the cells that live at a time.
    pub population: usize,
    /// S, the members of the population of which the best becomes a parent.
    pub sample: usize,
    /// C: the search goes on while the history (starters and children) has at most so many cells, so C + 1 are
    /// evaluated.
    pub cycles: usize,
    /// Mutants rejected in a row after which the search counts as stalled.
    ///
    /// A rejection costs about a microsecond. Over 10,000 table-backed searches of each data set the `reference` preset
    /// never met 400 in a row; `algorithm1` stalls all the same.
    pub patience: usize,
}

impl Default for EtNas {
    fn default() -> EtNas {
        EtNas {
            preset: Preset::default(),
            variant: Variant::default(),
            degree_rule: None,
            rank_pool: RankPool::default(),
            population: 20,
            sample: 5,
            cycles: 60,
            patience: 1_000,
        }
    }
}

impl EtNas {
    /// The rule in force: the one set, else NO DEGREE's or the preset's.
    pub fn rule(&self) -> DegreeRule {
        self.degree_rule.unwrap_or(match (self.variant, self.preset) {
            (Variant::NoDegree | Variant::OffDegree, _) => DegreeRule::Off,
            (_, Preset::Reference) => DegreeRule::Ge,
            (_, Preset::Algorithm1) => DegreeRule::Gt,
        })
    }

    /// Parents are chosen by Degree first, then by LogSynflow.
    pub fn parents_by_degree(&self) -> bool {
        self.preset == Preset::Reference && self.variant != Variant::OffDegree
    }

    /// The most cells whose LogSynflow a run asks for, C + 1; with the paper's setting 61. Fewer where the search
    /// stalls.
    pub fn most_evaluations(&self) -> usize {
        self.cycles.saturating_add(1)
    }

    /// Checks that such a search can be run.
    ///
    /// # Errors
    /// [`Error::Options`] for a zero, a population larger than the space, a sample larger than the population, fewer
    /// cycles than population, and a Degree rule for a variant without one.
    pub fn check(&self) -> Result<()> {
        tournament(self.population, self.sample, (20, 5))?;
        positive("number of cycles", self.cycles, "The paper's is 60.")?;
        positive("patience", self.patience, "The default is 1000.")?;
        if self.cycles < self.population {
            return Err(Error::options(
                "The number of cycles of the search",
                format!("at least the population, {}, because the starters count", self.population),
                self.cycles.to_string(),
                "Choose more cycles or a smaller population; the paper's are 60 and 20.",
            ));
        }
        match (self.variant, self.degree_rule) {
            (variant @ (Variant::NoDegree | Variant::OffDegree), Some(rule @ (DegreeRule::Ge | DegreeRule::Gt))) => {
                Err(Error::options(
                    format!("The Degree rule of the variant {}", variant.name()),
                    "off, or none set",
                    rule.name(),
                    "Leave the Degree rule out or choose the variant et-nas.",
                ))
            }
            _ => Ok(()),
        }
    }
}

/// Checks that there is one at least.
pub(super) fn positive(name: &str, count: usize, remedy: &str) -> Result<()> {
    match count {
        0 => Err(Error::options(format!("The {name} of the search"), "at least 1", "0", remedy)),
        _ => Ok(()),
    }
}

/// Checks the sizes of a population and of the sample that meets in a tournament; `usual` are the method's own.
pub(super) fn tournament(population: usize, sample: usize, usual: (usize, usize)) -> Result<()> {
    positive("population", population, &format!("The method's is {}.", usual.0))?;
    positive("sample", sample, &format!("The method's is {}.", usual.1))?;
    if population > SPACE_SIZE {
        return Err(Error::options(
            "The population of the search",
            format!("at most {SPACE_SIZE}, the cells of the space"),
            population.to_string(),
            format!("Choose a smaller population; the method's is {}.", usual.0),
        ));
    }
    if sample > population {
        return Err(Error::options(
            "The sample of the search",
            format!("at most the population, {population}"),
            sample.to_string(),
            format!("Choose a smaller sample or a larger population; the method's are {} and {}.", usual.1, usual.0),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_and_serialise_alike() {
        fn check<T: Copy + PartialEq + std::fmt::Debug + Serialize>(
            all: &[T],
            name: fn(T) -> &'static str,
            from: fn(&str) -> Result<T>,
        ) {
            for &value in all {
                assert_eq!(from(name(value)).unwrap(), value);
                assert_eq!(serde_json::to_value(value).unwrap(), name(value));
            }
        }
        check(Preset::ALL, Preset::name, Preset::from_name);
        check(Variant::ALL, Variant::name, Variant::from_name);
        check(DegreeRule::ALL, DegreeRule::name, DegreeRule::from_name);
        check(RankPool::ALL, RankPool::name, RankPool::from_name);
        let error = Preset::from_name("algoritm1").unwrap_err();
        assert!(error.to_string().contains("Did you mean algorithm1?"), "{error}");
    }

    #[test]
    fn the_default_is_the_papers_setting() {
        let search = EtNas::default();
        search.check().unwrap();
        assert_eq!((search.population, search.sample, search.cycles), (20, 5, 60));
        assert_eq!((search.rule(), search.most_evaluations()), (DegreeRule::Ge, 61));
        assert_eq!(EtNas { preset: Preset::Algorithm1, ..search.clone() }.rule(), DegreeRule::Gt);
        assert_eq!(EtNas { variant: Variant::NoDegree, ..search.clone() }.rule(), DegreeRule::Off);
        assert_eq!(EtNas { degree_rule: Some(DegreeRule::Gt), ..search }.rule(), DegreeRule::Gt);
    }

    #[test]
    fn impossible_options_are_refused() {
        let paper = EtNas::default();
        let cases = [
            (EtNas { population: 0, ..paper.clone() }, "The population"),
            (EtNas { sample: 0, ..paper.clone() }, "The sample"),
            (EtNas { cycles: 0, ..paper.clone() }, "The number of cycles"),
            (EtNas { patience: 0, ..paper.clone() }, "The patience"),
            (EtNas { population: 15_626, cycles: 20_000, ..paper.clone() }, "at most 15625"),
            (EtNas { sample: 21, ..paper.clone() }, "at most the population, 20"),
            (EtNas { cycles: 19, ..paper.clone() }, "at least the population, 20"),
            (
                EtNas { variant: Variant::NoDegree, degree_rule: Some(DegreeRule::Ge), ..paper.clone() },
                "off, or none set",
            ),
        ];
        for (search, part) in cases {
            let error = search.check().unwrap_err();
            assert!(error.to_string().contains(part), "{error}");
            assert_eq!(error.exit_code(), 2);
        }
        for fine in [
            EtNas { population: 15_625, cycles: 15_625, sample: 15_625, ..paper.clone() },
            EtNas { population: 1, cycles: 1, sample: 1, patience: 1, ..paper.clone() },
            EtNas { variant: Variant::NoDegree, degree_rule: Some(DegreeRule::Off), ..paper },
        ] {
            fine.check().unwrap();
        }
    }
}
