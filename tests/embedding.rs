//! The engine as programs embed it: builder, columns, streams, images and weights in memory, many threads.

mod common;

use common::network;
use etnas::backend::Watch;
use etnas::engine::{Columns, Engine, EngineBuilder, Options, Status};
use etnas::input::{Dataset, Source};
use etnas::measure::Measure;
use etnas::random::Stream;
use etnas::space::{Cell, Skeleton};
use etnas::tensor_file::TensorFile;
use etnas::weights::{Init, Reduce, Slot, WeightSource, Weights};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

const NETWORK: [Measure; 3] = [Measure::Naswot, Measure::LogSynflow, Measure::LossSlope];

/// A quick engine: 16×16 pixels, few images.
fn quick() -> EngineBuilder {
    Engine::builder().dataset(Dataset::ImageNet16).batch(3)
}

fn fresh() -> Stream {
    Stream::new(common::measures::fresh(), &[])
}

fn cells(count: usize, stream: &mut Stream) -> Vec<Cell> {
    stream.distinct(count, 15_625).into_iter().map(|index| Cell::from_index(index as i64).unwrap()).collect()
}

/// Equal to the last bit; what does not exist is NaN on both sides.
fn same(a: &Columns, b: &Columns) {
    assert_eq!((&a.cells, &a.status), (&b.cells, &b.status));
    assert_eq!(a.columns.len(), b.columns.len());
    for (a, b) in a.columns.iter().zip(&b.columns) {
        let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        assert_eq!((a.measure, bits(&a.values)), (b.measure, bits(&b.values)));
        assert_eq!(a.std.as_deref().map(bits), b.std.as_deref().map(bits));
    }
}

#[test]
fn an_engine_may_be_shared_by_threads() {
    fn shared<T: Send + Sync + 'static>(value: T) -> Arc<T> {
        Arc::new(value)
    }
    let mut stream = fresh();
    let cells = cells(6, &mut stream);
    let alone = quick().build().unwrap().score(&cells, &NETWORK).unwrap();
    let engine = shared(quick().build().unwrap());
    let threads: Vec<_> = (0..3)
        .map(|turn| {
            let (engine, mut cells) = (engine.clone(), cells.clone());
            std::thread::spawn(move || {
                // Each asks in another order, and for one cell more often.
                cells.rotate_left(turn);
                (cells.clone(), engine.score(&cells, &NETWORK).unwrap())
            })
        })
        .collect();
    for thread in threads {
        let (cells, found) = thread.join().unwrap();
        for (i, cell) in cells.iter().enumerate() {
            let at = alone.cells.iter().position(|other| other == cell).unwrap();
            for measure in NETWORK {
                assert_eq!(found.values(measure)[i].to_bits(), alone.values(measure)[at].to_bits(), "{cell}");
            }
        }
    }
}

#[test]
fn columns_hold_what_records_hold() {
    let engine = quick().repeats(2).build().unwrap();
    // Dead; so few images that the kernel of a cell without convolutions may be singular.
    let mut list =
        vec![Cell::from_index(5).unwrap(), "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|".parse().unwrap()];
    list.extend(cells(3, &mut fresh()));
    let measures = [NETWORK.as_slice(), &[Measure::Utopian, Measure::Degree, Measure::Params]].concat();
    let (columns, records) = (engine.score(&list, &measures).unwrap(), engine.records(&list, &measures, &()).unwrap());
    assert_eq!((columns.len(), columns.is_empty(), columns.columns.len()), (5, false, 6));
    for (i, record) in records.iter().enumerate() {
        assert_eq!((columns.cells[i], columns.status[i]), (record.cell, record.status));
        for (measure, score) in &record.scores {
            let column = columns.column(*measure).unwrap();
            match score.value {
                Some(value) => assert_eq!(column.values[i], value),
                None if *measure == Measure::Naswot => assert_eq!(column.values[i], f64::NEG_INFINITY),
                None => assert!(column.values[i].is_nan()),
            }
            assert_eq!(column.std.as_ref().map(|std| std[i]).filter(|std| !std.is_nan()), score.std);
        }
    }
    // No convolution, so no code: all images look alike.
    assert_eq!((columns.status[1], columns.values(Measure::Naswot)[1]), (Status::Singular, f64::NEG_INFINITY));
    assert!(columns.column(Measure::Macs).is_none() && columns.values(Measure::Macs).is_empty());
    assert!(engine.score(&[], &measures).unwrap().is_empty());
}

/// Counts, and cancels after so many cells.
struct After(AtomicUsize, usize);

impl Watch for After {
    fn advance(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= self.1
    }
}

#[test]
fn a_stream_gives_the_same_scores_tells_of_progress_and_can_be_ended() {
    let measures = [Measure::LogSynflow, Measure::Naswot];
    let cells = cells(11, &mut fresh());
    let whole = quick().build().unwrap().score(&cells, &measures).unwrap();
    let engine = quick().build().unwrap();
    let watch = After(AtomicUsize::new(0), usize::MAX);
    let stream = engine.stream(&cells, &measures, &watch).unwrap().chunk(4);
    assert_eq!(stream.size_hint(), (1, Some(3)));
    let parts: Vec<Columns> = stream.map(Result::unwrap).collect();
    assert_eq!(parts.iter().map(Columns::len).collect::<Vec<_>>(), [4, 4, 3]);
    assert_eq!(watch.0.load(Ordering::Relaxed), 22);
    let joined: Vec<u64> = parts.iter().flat_map(|part| part.values(Measure::Naswot)).map(|v| v.to_bits()).collect();
    assert_eq!(joined, whole.values(Measure::Naswot).iter().map(|v| v.to_bits()).collect::<Vec<_>>());

    // Work that is cancelled ends with an error, and the stream with it.
    engine.forget();
    let watch = After(AtomicUsize::new(0), 5);
    let mut stream = engine.stream(&cells, &measures[..1], &watch).unwrap().chunk(4);
    assert!(stream.next().unwrap().is_ok());
    assert_eq!(stream.remaining(), 7);
    // The second chunk may be done before it is noticed, the third not even begun.
    let rest: Vec<_> = stream.by_ref().collect();
    let (last, before) = rest.split_last().unwrap();
    assert!(matches!(last, Err(etnas::Error::Interrupted)), "{last:?}");
    assert!(before.len() <= 1 && before.iter().all(Result::is_ok));
    assert_eq!((stream.remaining(), stream.next().is_none()), (0, true));

    let error = engine.stream(&cells, &[Measure::Utopian], &()).err().unwrap();
    assert!(error.to_string().contains("compares all cells"), "{error}");
}

#[test]
fn images_in_memory_are_as_good_as_those_of_a_file() {
    let mut stream = fresh();
    let shape = [4, 3, 16, 16];
    let levels: Vec<u8> = (0..shape.iter().product()).map(|_| stream.below(256) as u8).collect();
    let cells = cells(3, &mut stream);
    let engine = |data: Source| quick().batch(4).data(data).build().unwrap();
    let of_levels = engine(Source::levels(levels, shape).unwrap());

    // The batch that these levels become, given as it is and through a file.
    let inputs = of_levels.inputs(&cells[0]).unwrap();
    let pixels = inputs.batch.pixels.clone();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("batch.safetensors");
    let bytes: Vec<u8> = pixels.iter().flat_map(|value| value.to_le_bytes()).collect();
    let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.to_vec(), &bytes).unwrap();
    std::fs::write(&path, safetensors::serialize([("images", view)], None).unwrap()).unwrap();
    let of_file = engine(Source::Path(path)).score(&cells, &NETWORK).unwrap();
    let of_memory = engine(Source::tensor(pixels.clone(), shape).unwrap());
    same(&of_memory.score(&cells, &NETWORK).unwrap(), &of_file);
    let naswot = |engine: &Engine| engine.score(&cells, &[Measure::Naswot]).unwrap();
    same(&naswot(&of_memory), &naswot(&of_levels));

    let with = |at: usize, value: f32| (0..12).map(|i| if i == at { value } else { 0.5 }).collect::<Vec<f32>>();
    for allowed in [1e6, -1e6] {
        assert!(Source::tensor(with(7, allowed), [1, 3, 2, 2]).is_ok());
    }
    for (error, part) in [
        (Source::tensor(pixels.clone(), [4, 16, 16, 3]).unwrap_err(), "[count, 3, height, width]"),
        (Source::tensor(pixels.clone(), [5, 3, 16, 16]).unwrap_err(), "3072 values"),
        (Source::tensor(vec![f32::NAN; 12], [1, 3, 2, 2]).unwrap_err(), "NaN at place 0"),
        (
            Source::tensor(with(11, 1_000_000.06), [1, 3, 2, 2]).unwrap_err(),
            "expected finite numbers of at most 1e6 in absolute value, found 1000000.06 at place 11",
        ),
        (Source::tensor(with(3, -3e38), [1, 3, 2, 2]).unwrap_err(), "found -3e38 at place 3"),
        (Source::levels(Vec::new(), [0, 3, 16, 16]).unwrap_err(), "0 values"),
        (Source::levels(vec![1; 12], [usize::MAX, 3, usize::MAX, 4]).unwrap_err(), "12 values"),
    ] {
        assert!(error.to_string().contains(part), "{error}");
    }
    let small = Source::levels(vec![7; 3 * 64 * 4], [4, 3, 8, 8]).unwrap();
    let error = quick().data(small).build().err().unwrap();
    assert!(error.to_string().contains("expected 16×16 pixels, found 8×8"), "{error}");
    let few = quick().batch(5).data(Source::tensor(pixels, shape).unwrap()).build().err().unwrap();
    assert!(few.to_string().contains("The images given: expected at least 5 images"), "{few}");
}

/// A BatchNorm takes the scale of a convolution back, so weights of any scale give the same naswot, unless f32 cannot hold what they make of the
/// images: then they are refused, where a ReLU might otherwise make a number of an overflow.
#[test]
fn weights_that_f32_cannot_sum_are_refused_and_others_scored_as_they_are() {
    let mut stream = fresh();
    let cell: Cell = "1462".parse().unwrap();
    let skeleton = Skeleton { channels: 8, cells_per_stage: 1, classes: 10, height: 16, width: 16 };
    let drawn = Weights::generated(skeleton, Init::Uniform, stream.bits()).unwrap();
    let engine = |change: Slot, power: i32| {
        let tensors = network::slots(&cell, &skeleton).into_iter().map(|slot| {
            let factor = if slot == change { 2f32.powi(power) } else { 1.0 };
            network::named(slot, &skeleton, drawn.tensor(slot).iter().map(|weight| weight * factor).collect())
        });
        let file = network::file(&tensors.collect::<Vec<_>>());
        quick()
            .weights(WeightSource::Tensors(Arc::new(TensorFile::of_bytes("weights", file).unwrap())))
            .build()
            .unwrap()
    };
    let score = |engine: &Engine, measure| engine.score(&[cell], &[measure]).map(|scores| scores.columns[0].values[0]);
    // Of these scales the shift of the variance by 1e-5 is too small to be seen.
    let slots = network::slots(&cell, &skeleton);
    let scaled: Vec<Slot> = slots
        .into_iter()
        .filter(|slot| {
            !matches!(slot, Slot::Classifier | Slot::ClassifierBias | Slot::Reduction { conv: Reduce::Shortcut, .. })
        })
        .collect();
    // The stem and some of the others: all would take a minute.
    let others = stream.distinct(4, scaled.len() - 1);
    for slot in [0].into_iter().chain(others.into_iter().map(|at| at + 1)).map(|at| scaled[at]) {
        let expected = score(&engine(slot, 12), Measure::Naswot).unwrap();
        let (mut held, mut refused) = (0, 0);
        for power in [20, 40, 90, 126] {
            let engine = engine(slot, power);
            match score(&engine, Measure::Naswot) {
                Ok(found) => {
                    held += 1;
                    assert!(
                        (found - expected).abs() < 1e-3 * expected.abs(),
                        "{slot:?} by 2^{power}: {found}, {expected}"
                    );
                    if power == 20 {
                        assert!(score(&engine, Measure::LossSlope).unwrap().is_finite(), "{slot:?}");
                    }
                }
                Err(error) => {
                    refused += 1;
                    let (error, name) = (error.to_string(), slot.name(&skeleton));
                    assert!(error.contains(&format!("The tensor \"{name}\" of weights")), "{error}");
                    assert!(error.contains("1e36") && power > 40, "{slot:?} by 2^{power}: {error}");
                    assert_eq!(score(&engine, Measure::LossSlope).unwrap_err().to_string()[..60], error[..60]);
                    // Synflow's sums have a scale of their own.
                    assert!(score(&engine, Measure::LogSynflow).is_ok());
                }
            }
        }
        assert!(held == 2 && refused == 2, "{slot:?}: {held} held, {refused} refused");
    }
}

#[test]
fn weights_in_memory_are_as_good_as_those_of_a_file() {
    let cell: Cell = "9930".parse().unwrap();
    let engine = quick().seed(17).build().unwrap();
    let skeleton = *engine.network();
    let weights = Weights::generated(skeleton, Init::Uniform, engine.options().seeds.weight).unwrap();
    // Other values than would be drawn.
    let larger = |slot| weights.tensor(slot).iter().map(|w| w * 1.5).collect();
    let slots = network::slots(&cell, &skeleton).into_iter();
    let tensors: Vec<_> = slots.map(|slot| network::named(slot, &skeleton, larger(slot))).collect();
    let bytes = network::file(&tensors);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.safetensors");
    std::fs::write(&path, &bytes).unwrap();
    let score = |source: WeightSource| quick().weights(source).build().unwrap().score(&[cell], &NETWORK).unwrap();
    let memory = WeightSource::Tensors(Arc::new(TensorFile::of_bytes("weights", bytes).unwrap()));
    let given = score(memory);
    same(&given, &score(WeightSource::File(path)));
    let drawn = engine.score(&[cell], &NETWORK).unwrap();
    assert_ne!(given.values(Measure::LogSynflow), drawn.values(Measure::LogSynflow));
    let error = TensorFile::of_bytes("weights", vec![1, 2, 3]).unwrap_err();
    assert!(error.to_string().starts_with("The file weights: expected a safetensors file"), "{error}");
}

#[test]
fn a_builder_is_another_way_to_write_options() {
    let options = Options { batch: 5, dataset: Dataset::Cifar100, threads: Some(1), ..Options::default() };
    let builder = Engine::builder().batch(5).dataset(Dataset::Cifar100).threads(1);
    assert_eq!(builder.options(), &options);
    assert_eq!(EngineBuilder::from(options.clone()).options(), &options);
    let error = Engine::builder().threads(0).build().err().unwrap();
    assert!(error.to_string().contains("from 1 to 1024"), "{error}");
}
