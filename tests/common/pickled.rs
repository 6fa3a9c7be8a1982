//! Python values, pickled as Python pickles them: with a memo, long containers after a mark, single entries without.

use etnas::space::Cell;
use std::io::Write;

/// A value of Python.
#[derive(Clone, Debug, PartialEq)]
pub enum Py {
    None,
    Int(i64),
    Float(f64),
    Str(String),
    Tuple(Vec<Py>),
    List(Vec<Py>),
    Dict(Vec<(Py, Py)>),
}

impl Py {
    pub fn str(text: &str) -> Py {
        Py::Str(text.to_string())
    }

    fn entries(&mut self) -> &mut Vec<(Py, Py)> {
        match self {
            Py::Dict(entries) => entries,
            other => panic!("{other:?} is no dict"),
        }
    }

    /// The value of a key.
    pub fn at(&mut self, key: &str) -> &mut Py {
        self.entries().iter_mut().find(|(k, _)| *k == Py::str(key)).map(|(_, v)| v).unwrap()
    }

    /// The value of a key that is a data set and a seed.
    pub fn at_seed(&mut self, dataset: &str, seed: i64) -> &mut Py {
        let key = Py::Tuple(vec![Py::str(dataset), Py::Int(seed)]);
        self.entries().iter_mut().find(|(k, _)| *k == key).map(|(_, v)| v).unwrap()
    }

    pub fn set(&mut self, key: &str, value: Py) {
        self.remove(key);
        self.entries().push((Py::str(key), value));
    }

    pub fn remove(&mut self, key: &str) {
        self.entries().retain(|(k, _)| *k != Py::str(key));
    }

    /// The pickle of the value, in protocol 4.
    pub fn pickle(&self) -> Vec<u8> {
        let mut bytes = b"\x80\x04".to_vec();
        self.put(&mut bytes);
        bytes.push(b'.');
        bytes
    }

    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Py::None => out.push(b'N'),
            Py::Int(i) => {
                out.extend([0x8a, 8]);
                out.extend(i.to_le_bytes());
            }
            Py::Float(f) => {
                out.push(b'G');
                out.extend(f.to_be_bytes());
            }
            Py::Str(text) => {
                out.extend([0x8c, text.len() as u8]);
                out.extend(text.as_bytes());
                out.push(0x94);
            }
            Py::Tuple(items) => {
                out.push(b'(');
                items.iter().for_each(|item| item.put(out));
                out.extend([b't', 0x94]);
            }
            Py::List(items) => {
                out.extend([b']', 0x94, b'(']);
                items.iter().for_each(|item| item.put(out));
                out.push(b'e');
            }
            Py::Dict(entries) => {
                out.extend([b'}', 0x94]);
                if entries.len() != 1 {
                    out.push(b'(');
                }
                for (key, value) in entries {
                    key.put(out);
                    value.put(out);
                }
                out.push(if entries.len() == 1 { b's' } else { b'u' });
            }
        }
    }
}

fn dict<const N: usize>(pairs: [(&str, Py); N]) -> Py {
    Py::Dict(pairs.into_iter().map(|(key, value)| (Py::str(key), value)).collect())
}

/// NATS-Bench's results of a cell: 200 epochs, seeds 777 and 888 with the accuracies `accuracy` and `accuracy` + 1.
pub fn cell_results(index: i64, accuracy: f64) -> Py {
    let arch = Cell::from_index(index).unwrap().to_string();
    let sets: [(&str, &[&str]); 4] = [
        ("cifar10-valid", &["x-valid", "ori-test"]),
        ("cifar10", &["ori-test"]),
        ("cifar100", &["x-valid", "x-test", "ori-test"]),
        ("ImageNet16-120", &["x-valid", "x-test", "ori-test"]),
    ];
    let seeds = [777, 888];
    let mut results = Vec::new();
    for (dataset, names) in sets {
        for (i, seed) in seeds.into_iter().enumerate() {
            let of = |value: f64| {
                Py::Dict(names.iter().map(|name| (Py::Str(format!("{name}@199")), Py::Float(value))).collect())
            };
            let run = dict([
                ("name", Py::str(dataset)),
                ("train_times", Py::Dict((0..3).map(|e| (Py::Int(e), Py::Float(e as f64 + 1.0))).collect())),
                ("params", Py::Float(0.25)),
                ("flop", Py::Float(12.5)),
                ("epochs", Py::Int(200)),
                ("eval_acc1es", of(accuracy + i as f64)),
                ("eval_times", of(0.5)),
            ]);
            results.push((Py::Tuple(vec![Py::str(dataset), Py::Int(seed)]), run));
        }
    }
    let seeds = Py::List(seeds.map(Py::Int).to_vec());
    let state = dict([
        ("arch_index", Py::Int(index)),
        ("arch_str", Py::Str(arch)),
        ("all_results", Py::Dict(results)),
        ("dataset_seed", Py::Dict(sets.map(|(dataset, _)| (Py::str(dataset), seeds.clone())).to_vec())),
    ]);
    dict([("200", state)])
}

/// The pickle of NATS-Bench's single file.
pub fn benchmark(archs: Vec<Py>, cells: Vec<(Py, Py)>) -> Vec<u8> {
    let evaluated = Py::List(cells.iter().map(|(index, _)| index.clone()).collect());
    dict([
        ("meta_archs", Py::List(archs)),
        ("total_archs", Py::Int(15_625)),
        ("arch2infos", Py::Dict(cells)),
        ("evaluated_indexes", evaluated),
    ])
    .pickle()
}

/// The pickle of NASLib's training of a cell, of so many epochs.
pub fn naslib(index: i64, epochs: usize) -> Vec<u8> {
    let accuracies = Py::List((0..epochs).map(|epoch| Py::Float(epoch as f64 / 4.0)).collect());
    let training = dict([("eval_acc1es", accuracies), ("cost_info", dict([("params", Py::Float(1.5))]))]);
    let arch = Cell::from_index(index).unwrap().to_string();
    dict([(arch.as_str(), dict([("cifar10-valid", training)]))]).pickle()
}

/// Packed by bzip2.
pub fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut packed = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}
