//! A record as machines read it: fixed keys in a fixed order, null for what does not exist.

use super::{measures, number};
use crate::engine::{Record, Score};
use crate::measure::Measure;
use serde_json::{Map, Value};

/// Which keys records have: `index, arch, dataset, status`, then the measures asked for in the order of [`Measure::ALL`];
/// with repeats each drawn measure is followed by `NAME_std`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns {
    measures: Vec<(Measure, bool)>,
}

impl Columns {
    /// The columns for these measures, scored `repeats` times.
    pub fn new(asked: &[Measure], repeats: usize) -> Columns {
        let with_std = |m: Measure| (m, repeats > 1 && measures::draws(m));
        Columns { measures: Measure::ALL.into_iter().filter(|m| asked.contains(m)).map(with_std).collect() }
    }

    /// The measures, each with whether its deviation has a column too.
    pub fn measures(&self) -> &[(Measure, bool)] {
        &self.measures
    }

    /// All keys in order.
    pub fn keys(&self) -> Vec<String> {
        let mut keys: Vec<String> = ["index", "arch", "dataset", "status"].map(String::from).to_vec();
        for (measure, std) in &self.measures {
            keys.push(measure.key().to_string());
            if *std {
                keys.push(format!("{}_std", measure.key()));
            }
        }
        keys
    }

    /// The record as an object with exactly [`Columns::keys`].
    pub fn object(&self, record: &Record) -> Value {
        let mut values = vec![
            Value::from(record.cell.index()),
            Value::from(record.cell.to_string()),
            Value::from(record.dataset.name()),
            Value::from(record.status.name()),
        ];
        for (measure, std) in &self.measures {
            let Score { value, std: deviation } = record.score(*measure).unwrap_or_default();
            values.push(number::exact(*measure, value));
            if *std {
                values.push(deviation.map_or(Value::Null, Value::from));
            }
        }
        Value::Object(self.keys().into_iter().zip(values).collect::<Map<_, _>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Status;
    use crate::input::Dataset;
    use crate::space::Cell;

    #[test]
    fn keys_are_always_there() {
        let asked = [Measure::Macs, Measure::Naswot, Measure::Naswot, Measure::Degree];
        let columns = Columns::new(&asked, 3);
        let keys = ["index", "arch", "dataset", "status", "naswot", "naswot_std", "degree", "macs"];
        assert_eq!(columns.keys(), keys);
        let cell = Cell::from_index(9930).unwrap();
        let score = |value| Score { value, std: None };
        let record = Record {
            cell,
            dataset: Dataset::ImageNet16,
            status: Status::Singular,
            scores: vec![(Measure::Naswot, score(None)), (Measure::Degree, score(Some(7.0)))],
        };
        let text = format!(
            r#"{{"index":9930,"arch":"{cell}","dataset":"imagenet16-120","status":"singular","naswot":null,"naswot_std":null,"degree":7,"macs":null}}"#
        );
        assert_eq!(columns.object(&record).to_string(), text);
        assert_eq!(Columns::new(&asked, 1).keys().len(), 7);
    }
}
