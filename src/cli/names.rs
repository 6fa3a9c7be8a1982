//! Values that are names out of a list: help and completions show the list, a slip is answered with the nearest name.

use super::bench::Subject;
use super::convert::{Source, Target};
use crate::engine::{Device, LogSynflowForm, Precision};
use crate::error::{Error, Result};
use crate::input::Dataset;
use crate::measure::Measure;
use crate::plot::{Cost, Gain};
use crate::report::{ConvertFormat, Format, Notation, ReproduceFormat};
use crate::reproduce::Experiment;
use crate::search::{ClimbBy, DegreeRule, Method, Preset, RankPool, Variant};
use crate::space::Encoding;
use crate::statistics::Population;
use crate::weights::Init;
use clap::builder::{PossibleValue, TypedValueParser};
use clap::error::ErrorKind;
use std::ffi::OsStr;

/// Reads a name, given the names that are allowed.
type Read<T> = fn(&str, &[(&'static str, T)]) -> Result<T>;

/// Parses the names of a list.
#[derive(Clone)]
pub struct Names<T> {
    allowed: Vec<(&'static str, T)>,
    read: Read<T>,
}

impl<T: Clone + Send + Sync + 'static> TypedValueParser for Names<T> {
    type Value = T;

    fn parse_ref(&self, _: &clap::Command, _: Option<&clap::Arg>, value: &OsStr) -> Result<T, clap::Error> {
        (self.read)(&value.to_string_lossy(), &self.allowed)
            .map_err(|error| clap::Error::raw(ErrorKind::ValueValidation, format!("{error}\n")))
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.allowed.iter().map(|(name, _)| PossibleValue::new(*name))))
    }
}

/// Every name that `--dataset` knows.
pub fn dataset() -> Names<Dataset> {
    Names { allowed: Dataset::ALL.map(|d| (d.name(), d)).to_vec(), read: |name, _| Dataset::from_name(name) }
}

/// Every name that `--measures` knows.
pub fn measure() -> Names<Measure> {
    Names { allowed: Measure::ALL.map(|m| (m.name(), m)).to_vec(), read: |name, _| Measure::from_name(name) }
}

/// What `bench --measures` can time; keys are understood too.
pub fn subject() -> Names<Subject> {
    let allowed = Subject::ALL.map(|subject| (subject.name(), subject)).to_vec();
    Names { allowed, read: |name, allowed| find("subject of a benchmark", &name.replace('_', "-"), allowed) }
}

/// The formats of a benchmark.
pub fn bench_format() -> Names<Format> {
    let allowed = [Format::Table, Format::Json].map(|f| (f.name(), f)).to_vec();
    Names { allowed, read: |name, allowed| find("format of a benchmark", name, allowed) }
}

/// Every name that `--format` knows.
pub fn format() -> Names<Format> {
    Names { allowed: Format::ALL.map(|f| (f.name(), f)).to_vec(), read: |name, _| Format::from_name(name) }
}

/// The formats of reproduced tables.
pub fn reproduce_format() -> Names<ReproduceFormat> {
    let allowed = ReproduceFormat::ALL.map(|f| (f.name(), f)).to_vec();
    Names { allowed, read: |name, _| ReproduceFormat::from_name(name) }
}

/// What can be reproduced.
pub fn experiments() -> Names<Vec<Experiment>> {
    let one = Experiment::ALL.iter().map(|e| (e.name(), vec![*e]));
    let allowed = one.chain([("all", Experiment::ALL.to_vec())]).collect();
    Names { allowed, read: |name, _| Experiment::named(name) }
}

/// The formats of one explained cell.
pub fn explain_format() -> Names<Format> {
    let allowed = [Format::Table, Format::Json].map(|f| (f.name(), f)).to_vec();
    Names { allowed, read: |name, allowed| find("format of an explanation", name, allowed) }
}

/// The initialisations of naswot's and LogSynflow's weights.
pub fn init() -> Names<Init> {
    inits(&[Init::Uniform, Init::KaimingFanOut])
}

/// The initialisations of LossSlope's weights.
pub fn slope_init() -> Names<Init> {
    inits(&[Init::Uniform, Init::Xavier])
}

fn inits(list: &[Init]) -> Names<Init> {
    let allowed = list.iter().map(|init| (init.name(), *init)).collect();
    Names { allowed, read: |name, allowed| find("initialisation", name, allowed) }
}

/// LogSynflow's forms.
pub fn log_synflow() -> Names<LogSynflowForm> {
    let allowed = vec![("reference", LogSynflowForm::Reference), ("one-plus", LogSynflowForm::OnePlus)];
    Names { allowed, read: |name, allowed| find("form of LogSynflow", name, allowed) }
}

/// How cells may be written.
pub fn encoding() -> Names<Encoding> {
    Names { allowed: Encoding::NAMED.to_vec(), read: |name, _| Encoding::from_name(name) }
}

/// How `convert` may find cells written.
pub fn source_notation() -> Names<Source> {
    let named = Notation::ALL.map(|notation| (notation.name(), Source::Notation(notation)));
    let allowed = [("auto", Source::Auto)].into_iter().chain(named).collect();
    Names { allowed, read: |name, allowed| find("encoding", name, allowed) }
}

/// How `convert` writes cells.
pub fn target_notation() -> Names<Target> {
    let named = Notation::ALL.map(|notation| (notation.name(), Target::Notation(notation)));
    let allowed = [("all", Target::All)].into_iter().chain(named).collect();
    Names { allowed, read: |name, allowed| find("encoding", name, allowed) }
}

/// The formats of converted cells.
pub fn convert_format() -> Names<ConvertFormat> {
    let allowed = ConvertFormat::ALL.map(|format| (format.name(), format)).to_vec();
    Names { allowed, read: |name, allowed| find("format of converted cells", name, allowed) }
}

/// Devices; `cuda:i` is understood beside the names shown.
pub fn device() -> Names<Device> {
    let allowed = vec![("auto", Device::Auto), ("cpu", Device::Cpu), ("cuda", Device::Cuda(0))];
    Names { allowed, read: |name, _| name.parse() }
}

/// Arithmetics of a card's convolutions.
pub fn precision() -> Names<Precision> {
    let allowed = Precision::ALL.map(|precision| (precision.name(), precision)).to_vec();
    Names { allowed, read: |name, allowed| find("precision", name, allowed) }
}

/// Populations of a correlation; `both` are each in turn.
pub fn populations() -> Names<Vec<Population>> {
    let one = Population::ALL.map(|p| (p.name(), vec![p]));
    let allowed = one.into_iter().chain([("both", Population::ALL.to_vec())]).collect();
    Names { allowed, read: |name, allowed| find("population", name, allowed) }
}

/// The search methods, each in its default setting.
pub fn method() -> Names<Method> {
    let allowed = Method::NAMES.iter().filter_map(|name| Some((*name, Method::from_name(name).ok()?))).collect();
    Names { allowed, read: |name, _| Method::from_name(name) }
}

/// What a local search compares cells by.
pub fn climb_by() -> Names<ClimbBy> {
    Names {
        allowed: ClimbBy::ALL.iter().map(|by| (by.name(), *by)).collect(),
        read: |name, _| ClimbBy::from_name(name),
    }
}

/// The search's presets.
pub fn preset() -> Names<Preset> {
    Names { allowed: Preset::ALL.iter().map(|p| (p.name(), *p)).collect(), read: |name, _| Preset::from_name(name) }
}

/// The search's variants.
pub fn variant() -> Names<Variant> {
    Names { allowed: Variant::ALL.iter().map(|v| (v.name(), *v)).collect(), read: |name, _| Variant::from_name(name) }
}

/// The rules by which a child's Degree is compared with its parent's.
pub fn degree_rule() -> Names<DegreeRule> {
    let allowed = DegreeRule::ALL.iter().map(|r| (r.name(), *r)).collect();
    Names { allowed, read: |name, _| DegreeRule::from_name(name) }
}

/// The pools that RANK ranks over.
pub fn rank_pool() -> Names<RankPool> {
    let allowed = RankPool::ALL.iter().map(|p| (p.name(), *p)).collect();
    Names { allowed, read: |name, _| RankPool::from_name(name) }
}

/// What searches spend.
pub fn cost() -> Names<Cost> {
    let allowed = Cost::ALL.map(|cost| (cost.name(), cost)).to_vec();
    Names { allowed, read: |name, allowed| find("cost of a search", &name.replace('_', "-"), allowed) }
}

/// What searches gain.
pub fn gain() -> Names<Gain> {
    let allowed = Gain::ALL.map(|gain| (gain.name(), gain)).to_vec();
    Names { allowed, read: |name, allowed| find("gain of a search", &name.replace('_', "-"), allowed) }
}

fn find<T: Clone>(kind: &'static str, name: &str, allowed: &[(&'static str, T)]) -> Result<T> {
    allowed.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone()).ok_or_else(|| {
        let allowed = allowed.iter().map(|(known, _)| known.to_string()).collect();
        Error::UnknownName { kind, found: name.to_string(), allowed }
    })
}

/// A count of at least 1.
pub fn count(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| *n > 0).ok_or_else(|| "expected a whole number of at least 1".to_string())
}

/// The number of a run.
pub fn run(text: &str) -> Result<usize, String> {
    let most = 1_000_000_000;
    text.parse().ok().filter(|n| *n <= most).ok_or_else(|| format!("expected a whole number from 0 to {most}"))
}

/// A number.
pub fn number(text: &str) -> Result<f64, String> {
    text.parse().map_err(|_| "expected a number".to_string())
}

/// A seed.
pub fn seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("expected a whole number from 0 to {}", u64::MAX))
}

/// A part of a sweep, `i/n`.
pub fn shard(text: &str) -> Result<crate::report::Shard, String> {
    text.parse().map_err(|error: Error| error.to_string())
}
