//! Pictures: what is in an SVG file, what is on a PNG's pixels, and that no data can spoil them.

mod common;

use etnas::engine::{Engine, Options};
use etnas::input::Dataset;
use etnas::measure::{loss_slope, Measure, SlopeFit};
use etnas::plot::{
    losses, utopian, Bounds, Colouring, Cost, Gain, Losses, Mark, Picture, Scatter, Size, Trajectories, Values,
};
use etnas::space::Cell;
use etnas::statistics::{Clash, ScoreSet};
use etnas::table::{Accuracies, ScoreFile};
use std::path::PathBuf;

const SIZE: Size = Size { width: 720, height: 500, scale: 2 };

fn values(name: &str, promise: Vec<f64>) -> Values {
    Values { name: name.to_string(), title: format!("{name} (unit)"), promise, higher_is_better: true }
}

fn scatter(x: Vec<f64>, y: Vec<f64>) -> Scatter {
    Scatter {
        x: values("score", x),
        y: values("accuracy", y),
        colouring: Colouring::Density,
        log_x: false,
        x_bounds: Bounds::default(),
        y_bounds: Bounds::default(),
    }
}

/// That tags nest, attributes are quoted, text has no bare `<` or `&`, and no character that XML forbids.
fn assert_well_formed(svg: &str) {
    assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"), "{}", &svg[..svg.len().min(200)]);
    let forbidden = |c: char| (c < ' ' && !"\t\n\r".contains(c)) || c == '\u{fffe}' || c == '\u{ffff}';
    assert!(!svg.contains(forbidden));
    let mut open: Vec<&str> = Vec::new();
    let mut rest = svg;
    while let Some(begin) = rest.find('<') {
        let text = &rest[..begin];
        for entity in text.split('&').skip(1) {
            assert!(["lt;", "gt;", "amp;", "quot;", "apos;"].iter().any(|e| entity.starts_with(e)), "{text:?}");
        }
        let end = begin + rest[begin..].find('>').expect("a tag ends");
        let tag = &rest[begin + 1..end];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name));
        } else {
            let name = tag.split([' ', '/']).next().unwrap();
            assert_eq!(tag.matches('"').count() % 2, 0, "{tag:?}");
            if !tag.ends_with('/') {
                open.push(name);
            }
        }
        rest = &rest[end + 1..];
    }
    assert!(open.is_empty(), "{open:?}");
}

/// The texts of a picture.
fn texts(svg: &str) -> Vec<&str> {
    let parts = svg.split("<text ").skip(1);
    parts.filter_map(|part| Some(part.split_once('>')?.1.split_once("</text>")?.0.trim())).collect()
}

/// Width, and pixels of three bytes.
fn pixels(bytes: &[u8]) -> (usize, Vec<[u8; 3]>) {
    let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
    let mut buffer = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut buffer).unwrap();
    assert_eq!((info.color_type, info.bit_depth), (png::ColorType::Rgb, png::BitDepth::Eight));
    (info.width as usize, buffer.chunks_exact(3).map(|p| [p[0], p[1], p[2]]).collect())
}

/// The attribute of an element as a number.
fn attribute(element: &str, name: &str) -> f64 {
    let (_, rest) = element.split_once(&format!(" {name}=\"")).unwrap();
    rest.split('"').next().unwrap().parse().unwrap()
}

fn elements<'a>(svg: &'a str, tag: &str) -> Vec<&'a str> {
    svg.lines().filter(|line| line.starts_with(&format!("<{tag} "))).collect()
}

#[test]
fn each_cell_is_a_circle_where_the_axes_say() {
    let picture = scatter(vec![0.0, 10.0, 5.0], vec![50.0, 90.0, 70.0]).picture();
    let svg = picture.svg(SIZE).unwrap();
    assert_well_formed(&svg);
    let circles: Vec<[f64; 2]> =
        elements(&svg, "circle").iter().map(|c| [attribute(c, "cx"), attribute(c, "cy")]).collect();
    assert_eq!(circles.len(), 3);
    // The third cell is half way between the other two, the second right of and above the first.
    for k in [0, 1] {
        assert!((circles[0][k] + circles[1][k] - 2.0 * circles[2][k]).abs() <= 1.0, "{circles:?}");
    }
    assert!(circles[1][0] > circles[0][0] + 4000.0 && circles[1][1] < circles[0][1] - 3000.0);
    // Three per cent of air on each side: the tick at 0 is below the first cell.
    let texts = texts(&svg);
    for text in [
        "accuracy against score",
        "score (unit)",
        "accuracy (unit)",
        "n = 3, Kendall τ = 1.000, Spearman ρ = 1.000",
        "0",
        "10",
        "50",
        "90",
    ] {
        assert!(texts.iter().any(|t| t.eq_ignore_ascii_case(text)), "{text} is not among {texts:?}");
    }
    let zero = svg.split("<text ").find(|part| part.contains(">\n0\n<")).unwrap();
    assert!((attribute(&format!(" {zero}"), "x") - circles[0][0]).abs() <= 10.0);
    assert!(svg.contains("width=\"720\" height=\"500\" viewBox=\"0 0 7200 5000\""));
    assert!(svg.contains("font-family=\"sans-serif\"") && svg.contains("<title>"));
}

#[test]
fn png_has_the_same_picture() {
    let picture = scatter(vec![3.0], vec![70.0]).picture();
    let svg = picture.svg(SIZE).unwrap();
    let circle = elements(&svg, "circle")[0];
    let (width, pixels) = pixels(&picture.png(SIZE).unwrap());
    assert_eq!((width, pixels.len()), (1440, 1440 * 1000));
    // Blue at 85 % on white.
    let blue: Vec<(f64, f64)> = pixels
        .iter()
        .enumerate()
        .filter(|(_, [r, g, b])| *b > 150 && *r < 90 && *g < 160)
        .map(|(i, _)| ((i % width) as f64, (i / width) as f64))
        .collect();
    // A circle of radius 5 units, 10 pixels.
    let area = std::f64::consts::PI * 100.0;
    assert!((blue.len() as f64 - area).abs() < 0.15 * area, "{} pixels", blue.len());
    let mean = |k: fn(&(f64, f64)) -> f64| blue.iter().map(k).sum::<f64>() / blue.len() as f64;
    for (found, expected) in [(mean(|p| p.0), attribute(circle, "cx")), (mean(|p| p.1), attribute(circle, "cy"))] {
        assert!((found - expected / 5.0).abs() < 2.0, "{found} instead of {}", expected / 5.0);
    }
    // The corners are white; there are dark letters.
    assert_eq!((pixels[0], pixels[pixels.len() - 1]), ([255; 3], [255; 3]));
    assert!(pixels.iter().filter(|[r, g, b]| *r < 60 && *g < 60 && *b < 60).count() > 500);
}

#[test]
fn thousands_of_cells_are_squares_of_counts() {
    // A grid of 50 × 50 places; of 2,500 more cells all are in one place.
    let grid = (0..2500).map(|i| (f64::from(i % 50), f64::from(i / 50)));
    let (x, y) = grid.chain((0..2500).map(|_| (0.0, 0.0))).unzip();
    let picture = scatter(x, y).picture();
    let svg = picture.svg(SIZE).unwrap();
    assert_well_formed(&svg);
    assert!(elements(&svg, "circle").is_empty());
    let squares: Vec<&str> =
        elements(&svg, "rect").into_iter().filter(|r| attribute(r, "width") == attribute(r, "height")).collect();
    assert_eq!(squares.len(), 2500);
    let yellow = squares.iter().filter(|r| r.contains("#FEE825")).count();
    let dark = squares.iter().filter(|r| r.contains("#440154")).count();
    assert_eq!((yellow, dark), (1, 2499));
    let texts = texts(&svg);
    for text in ["cells", "1", "10", "100", "1,000", "2,000"] {
        assert!(texts.contains(&text), "{text} is not among {texts:?}");
    }
}

#[test]
fn what_is_not_shown_is_told() {
    let (none, unknown) = (f64::NEG_INFINITY, f64::NAN);
    let x = vec![1.0, none, none, 4.0, 5.0, -6.0];
    let y = vec![10.0, 20.0, 30.0, unknown, 50.0, 60.0];
    let mut scatter = scatter(x, y);
    scatter.y_bounds.high = Some(55.0);
    let picture = scatter.picture();
    let expected = [
        "1 cell is left out, as its accuracy is not known.",
        "2 cells without score are not shown; τ and ρ count them as lowest.",
        "1 cell lies outside the axes.",
    ];
    assert_eq!(picture.notes, expected);
    let Mark::Cells { points, .. } = &picture.panels[0].marks[0] else { panic!("no cells") };
    assert_eq!(*points, [[1.0, 10.0], [5.0, 50.0]]);
    assert!(picture.panels[0].facts.starts_with("n = 5,"), "{}", picture.panels[0].facts);
    let svg = picture.svg(SIZE).unwrap();
    assert!(expected.iter().all(|note| svg.contains(note)));
}

#[test]
fn smaller_is_better_turns_the_coefficients_and_not_the_axis() {
    let mut scatter = scatter(vec![-1.0, -2.0, -3.0], vec![90.0, 80.0, 70.0]);
    scatter.x.higher_is_better = false;
    let picture = scatter.picture();
    let Mark::Cells { points, .. } = &picture.panels[0].marks[0] else { panic!("no cells") };
    assert_eq!(*points, [[1.0, 90.0], [2.0, 80.0], [3.0, 70.0]]);
    assert!(picture.panels[0].facts.contains("τ = 1.000"));
    assert!(picture.notes[0].starts_with("Smaller score is better"), "{:?}", picture.notes);
}

#[test]
fn colours_follow_ranks_and_values() {
    let mut scatter = scatter(vec![1.0, 2.0, 3.0], vec![70.0, 90.0, 80.0]);
    let fills = |scatter: &Scatter| -> Vec<String> {
        let svg = scatter.picture().svg(SIZE).unwrap();
        elements(&svg, "circle").iter().map(|c| c.split_once("fill=\"").unwrap().1[..7].to_string()).collect()
    };
    scatter.colouring = Colouring::Rank;
    let by_rank = fills(&scatter);
    assert_eq!((by_rank[0].as_str(), by_rank[1].as_str()), ("#440154", "#FEE825"));
    assert!(by_rank[2] != by_rank[0] && by_rank[2] != by_rank[1]);
    scatter.colouring = Colouring::Values(values("depth", vec![5.0, 5.0, f64::NEG_INFINITY]));
    let by_value = fills(&scatter);
    assert_eq!(by_value[0], by_value[1]);
    assert_eq!(by_value[2], "#440154");
    assert!(texts(&scatter.picture().svg(SIZE).unwrap()).contains(&"depth"));
}

#[test]
fn no_data_spoil_a_picture() {
    let (none, nan) = (f64::NEG_INFINITY, f64::NAN);
    let sets: [(Vec<f64>, Vec<f64>); 9] = [
        (vec![], vec![]),
        (vec![1.0], vec![2.0]),
        (vec![7.0; 100], vec![7.0; 100]),
        (vec![none; 5], vec![1.0, 2.0, 3.0, 4.0, 5.0]),
        (vec![nan; 5], vec![nan; 5]),
        (vec![1e308, -1e308, 5e-324, 0.0, -0.0], vec![-1e308, 1e308, f64::MAX, f64::MIN, 0.0]),
        (vec![f64::INFINITY, none, nan, 1.0], vec![1.0, f64::INFINITY, 2.0, 3.0]),
        (vec![1.0, 1.0 + f64::EPSILON], vec![1e300, 1e-300]),
        ((0..3000).map(f64::from).collect(), vec![1.0; 3000]),
    ];
    for (x, y) in sets {
        for log_x in [false, true] {
            for colouring in [Colouring::Density, Colouring::Rank, Colouring::Values(values("z", x.clone()))] {
                let scatter = Scatter { log_x, colouring, ..scatter(x.clone(), y.clone()) };
                let picture = scatter.picture();
                let svg = picture.svg(Size { width: 320, height: 240, scale: 1 }).unwrap();
                assert_well_formed(&svg);
                assert!(!svg.contains("NaN") && !svg.contains("inf"), "{x:?} {y:?}");
                picture.png(Size { width: 320, height: 240, scale: 1 }).unwrap();
            }
        }
    }
    let empty = scatter(vec![none], vec![1.0]).picture().svg(SIZE).unwrap();
    assert!(texts(&empty).contains(&"Nothing to show"));
}

#[test]
fn no_name_spoils_a_picture() {
    for name in ["<script>&\"'", "a\u{0}\u{7}\n\u{ffff}b", &"w".repeat(5000), "", "  ", "𝔘ṅ∞日本"] {
        let mut scatter = scatter(vec![1.0, 2.0], vec![1.0, 2.0]);
        (scatter.x.name, scatter.x.title) = (name.to_string(), name.to_string());
        scatter.x.promise.push(f64::NEG_INFINITY);
        scatter.y.promise.push(3.0);
        let mut picture = scatter.picture();
        picture.panels[0].legend.push((name.to_string(), etnas::plot::Ink::PALETTE[0]));
        picture.panels[0].title = name.to_string();
        for width in [320, 720] {
            assert_well_formed(&picture.svg(Size { width, ..SIZE }).unwrap());
            picture.png(Size { width, ..SIZE }).unwrap();
        }
    }
}

#[test]
fn sizes_out_of_bounds_are_errors() {
    let picture = scatter(vec![1.0], vec![1.0]).picture();
    for size in [Size { width: 0, ..SIZE }, Size { height: u32::MAX, ..SIZE }, Size { scale: 9, ..SIZE }] {
        assert_eq!(picture.svg(size).unwrap_err().exit_code(), 2);
        assert_eq!(picture.png(size).unwrap_err().exit_code(), 2);
    }
}

#[test]
fn the_same_picture_has_the_same_bytes() {
    let x: Vec<f64> = (0..5000).map(|i| f64::from(i * 7919 % 1009)).collect();
    let y: Vec<f64> = (0..5000).map(|i| f64::from(i * 104_729 % 997)).collect();
    let draw = || {
        let picture = scatter(x.clone(), y.clone()).picture();
        (picture.svg(SIZE).unwrap(), picture.png(SIZE).unwrap())
    };
    let first = draw();
    let second = std::thread::spawn({
        let (x, y) = (x.clone(), y.clone());
        move || {
            let picture = scatter(x, y).picture();
            (picture.svg(SIZE).unwrap(), picture.png(SIZE).unwrap())
        }
    });
    assert!(first == draw() && first == second.join().unwrap());
}

#[test]
fn the_whole_space_has_the_paper_s_coefficients_in_a_small_file() {
    let (Some(scores), Some(table)) =
        (common::shared("data/nb201_proxy_scores.csv"), common::shared("data/nb201_accuracy.csv"))
    else {
        return;
    };
    let set = ScoreSet::join(&[ScoreFile::open(&scores).unwrap()], Clash::Refuse).unwrap();
    let table = Accuracies::open(&table).unwrap();
    let picture = |column: &str, accuracy: &str| -> Picture {
        let x = Values::of_scores(set.column(column).unwrap());
        let y = Values::of_table(accuracy, table.column(accuracy).unwrap(), set.cells());
        Scatter { x, y, ..scatter(vec![], vec![]) }.picture()
    };
    for (column, accuracy, facts) in [
        ("fracapuano_naswot_c10", "cifar10_test200", "n = 15,625, Kendall τ = 0.607, Spearman ρ = 0.794"),
        ("fracapuano_logsynflow_c10", "cifar10_test200", "n = 15,625, Kendall τ = 0.630, Spearman ρ = 0.826"),
        ("fracapuano_naswot_in16", "imagenet16_120_test200", "n = 15,625, Kendall τ = 0.597, Spearman ρ = 0.779"),
    ] {
        let picture = picture(column, accuracy);
        assert_eq!(picture.panels[0].facts, facts);
        let svg = picture.svg(SIZE).unwrap();
        assert_well_formed(&svg);
        assert!(svg.len() < 300_000, "{} bytes", svg.len());
        assert!(elements(&svg, "rect").len() > 500);
    }
    let singular = picture("freerea_naswot_c10", "cifar10_test200");
    assert_eq!(singular.notes, ["201 cells without freerea_naswot_c10 are not shown; τ and ρ count them as lowest."]);
}

#[test]
fn fig_2_has_two_panels_over_the_same_cells() {
    let slope = values("LossSlope", vec![0.1, 0.4, f64::NEG_INFINITY, 0.2]);
    let mut distance = values("utopian distance", vec![-0.9, -0.1, -1.7, -0.5]);
    distance.higher_is_better = false;
    let y = values("test accuracy", vec![30.0, 46.0, f64::NAN, 40.0]);
    let picture = utopian(slope, distance, y, &Colouring::Density, Bounds::default());
    assert_eq!(picture.panels.len(), 2);
    assert_eq!(picture.panels[0].y.range, picture.panels[1].y.range);
    let svg = picture.svg(Size { width: 1080, height: 460, scale: 1 }).unwrap();
    assert_well_formed(&svg);
    assert_eq!(elements(&svg, "circle").len(), 6);
    let texts = texts(&svg);
    for text in ["(a) LossSlope", "(b) Utopian distance"] {
        assert!(texts.contains(&text), "{texts:?}");
    }
    // What both leave out is told once, what one says with its letter.
    assert_eq!(picture.notes.len(), 2, "{:?}", picture.notes);
    assert_eq!(picture.notes[0], "1 cell is left out, as its test accuracy is not known.");
    assert!(picture.notes[1].starts_with("(b) Smaller utopian distance is better"), "{:?}", picture.notes);
}

#[test]
fn losses_are_those_of_the_score() {
    let engine = Engine::new(Options { batch: 2, dataset: Dataset::ImageNet16, ..Options::default() }).unwrap();
    let cells: Vec<Cell> = [5, 9930].map(|i| Cell::from_index(i).unwrap()).to_vec();
    let curves = engine.losses(&cells, &()).unwrap();
    let records = engine.records(&cells, &[Measure::LossSlope], &()).unwrap();
    for (curve, record) in curves.iter().zip(&records) {
        assert_eq!(curve.len(), 10);
        assert_eq!(loss_slope::score(curve, SlopeFit::Reference), record.score(Measure::LossSlope).unwrap().value);
    }
    assert!(engine.losses(&[], &()).unwrap().is_empty());
    let trainings: Vec<Losses> = cells.into_iter().zip(curves).map(|(cell, losses)| Losses { cell, losses }).collect();
    let svg = losses(&trainings, SlopeFit::Reference, "ImageNet16-120").svg(SIZE).unwrap();
    assert_well_formed(&svg);
    assert_eq!(elements(&svg, "circle").len(), 20);
    let texts = texts(&svg);
    assert!(texts.iter().any(|t| t.starts_with("cell 9930: ")) && texts.contains(&"SGD step"), "{texts:?}");
}

fn file(name: &str, content: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    (folder, path)
}

const HEADER: &str = "method,run,evaluations,seconds,simulated_seconds,index,score,test_accuracy\n";

#[test]
fn trajectories_of_both_forms_give_the_same_picture() {
    let rows = [("rea", 0, 1, 60.0), ("rea", 0, 5, 80.0), ("rea", 1, 1, 50.0), ("rea", 1, 9, 90.0), ("x", 0, 2, 70.0)];
    let csv: String =
        rows.iter().map(|(method, run, n, y)| format!("{method},{run},{n},0.5,{},7,,{y}\n", n * 100)).collect();
    let json: String = rows
        .iter()
        .map(|(method, run, n, y)| {
            format!("{{\"method\":\"{method}\",\"run\":{run},\"evaluations\":{n},\"seconds\":0.5,\"simulated_seconds\":{},\"score\":null,\"test_accuracy\":{y}}}\n", n * 100)
        })
        .collect();
    let (_a, csv) = file("t.csv", &(HEADER.to_string() + &csv));
    let (_b, json) = file("t.jsonl", &json);
    let open = |path: &PathBuf, cost| Trajectories::open(&[path], cost, Gain::Accuracy).unwrap().picture(false);
    let picture = open(&csv, Cost::Evaluations);
    assert_eq!(picture, open(&json, Cost::Evaluations));
    let panel = &picture.panels[0];
    let names: Vec<&str> = panel.legend.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["rea, 2 runs", "x, 1 run"]);
    // The medians of two runs: 55, 65, 85.
    let Mark::Curve { points, .. } = &panel.marks[1] else { panic!("{:?}", panel.marks) };
    assert_eq!(*points, [[1.0, 55.0], [5.0, 55.0], [5.0, 65.0], [9.0, 65.0], [9.0, 85.0]]);
    let svg = picture.svg(SIZE).unwrap();
    assert_well_formed(&svg);
    assert_eq!(elements(&svg, "polygon").len(), 1);
    assert!(texts(&svg).contains(&"Test accuracy of the best cell so far (%)"));
    let (_c, other) = file("o.csv", "method,dataset,evaluations,test_accuracy\nrea,cifar100,1,70\nrea,cifar10,1,90\n");
    let names = |paths: &[&PathBuf]| -> Vec<String> {
        let picture = Trajectories::open(paths, Cost::Evaluations, Gain::Accuracy).unwrap().picture(false);
        picture.panels[0].legend.iter().map(|(name, _)| name.clone()).collect()
    };
    assert_eq!(names(&[&other]), ["rea on CIFAR-100, 1 run", "rea on CIFAR-10, 1 run"]);
    assert_eq!(names(&[&csv, &csv])[0], "rea, 4 runs");
    let simulated = open(&csv, Cost::Simulated);
    assert!(simulated.panels[0].x.title.contains("Simulated") && simulated.panels[0].x.range.1 > 900.0);
}

#[test]
fn what_is_no_trajectory_is_told_with_its_line() {
    let cases = [
        ("", "no point"),
        ("method,run,evaluations\nrea,0,1\n", "no such key"),
        ("method,run,evaluations,test_accuracy\nrea,0,1,90\nrea,0,many,91\n", "line 3"),
        ("method,run,evaluations,test_accuracy\nrea,0,-1,90\n", "not negative"),
        ("method,run,evaluations,test_accuracy\nrea,0,1,\n", "1 points without test_accuracy"),
        ("{\"evaluations\":1,\"test_accuracy\":90}\n{\"evalu", "line 2"),
        ("method,run,evaluations,test_accuracy\nrea,0,1,1e999\n", "line 2"),
        ("a,b\n1,2,3\n", "header"),
    ];
    for (content, expected) in cases {
        let (_folder, path) = file("t.csv", content);
        let error = Trajectories::open(&[&path], Cost::Evaluations, Gain::Accuracy).expect_err(content);
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains(expected), "{content:?}: {error}");
    }
    let two = "evaluations,criterion,score\n1,naswot,5\n2,utopian,0.5\n";
    let (_folder, path) = file("t.csv", two);
    let error = Trajectories::open(&[&path], Cost::Evaluations, Gain::Score).unwrap_err().to_string();
    assert!(error.contains("naswot, and utopian in line 3"), "{error}");
    let many: String = (0..15).map(|i| format!("m{i},0,1,,,,,90\n")).collect();
    let (_folder, path) = file("t.csv", &(HEADER.to_string() + &many));
    let error = Trajectories::open(&[&path], Cost::Evaluations, Gain::Accuracy).unwrap_err().to_string();
    assert!(error.contains("at most 14"), "{error}");
}
