//! Closed forms, counts and encodings of the search space (SPEC section 1).

mod common;

use etnas::input::Dataset;
use etnas::random::Stream;
use etnas::space::{mutate, Cell, Encoding, Kernel, Op, Skeleton, EDGES, SPACE_SIZE};
use etnas::Error;
use std::collections::HashSet;

#[test]
fn order_of_nats_bench() {
    let Some(path) = common::shared("data/nats_tss_arch_order.txt") else { return };
    let text = std::fs::read_to_string(path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), SPACE_SIZE);
    for (index, line) in lines.into_iter().enumerate() {
        let cell = Cell::from_index(index as i64).unwrap();
        assert_eq!(cell.to_string(), line);
        assert_eq!(line.parse::<Cell>().unwrap(), cell);
        assert_eq!(cell.index(), index);
    }
}

#[test]
fn landmarks_of_the_order() {
    // Known without any file: the first cell, and the best of CIFAR-10 in SPEC section 9.
    let first = "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|";
    assert_eq!(Cell::from_index(0).unwrap().to_string(), first);
    let resnet = "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|skip_connect~2|";
    assert_eq!(resnet.parse::<Cell>().unwrap().index(), 11472);
}

#[test]
fn classes_degrees_and_dead_cells() {
    let mut degrees = [0; 8];
    let mut classes = HashSet::new();
    let (mut dead, mut constant) = (0, 0);
    for cell in Cell::all() {
        degrees[cell.degree() as usize] += 1;
        classes.insert(cell.unique_string());
        dead += usize::from(cell.is_dead());
        constant += usize::from(cell.has_constant_codes());
        assert!(!cell.has_constant_codes() || cell.is_dead());
    }
    assert_eq!(degrees, [216, 1296, 3258, 4510, 3775, 1934, 564, 72]);
    assert_eq!(classes.len(), 6466);
    assert_eq!((dead, constant), (341, 201));
}

#[test]
fn parameters_and_macs() {
    for dataset in Dataset::ALL {
        let network = Skeleton::benchmark(dataset.classes(), dataset.size());
        let (params, macs) = match dataset {
            Dataset::Cifar10 => (73_306, [7_783_050, 3_932_160, 35_389_440]),
            Dataset::Cifar100 => (73_306 + 5_850, [7_783_050 + 5_850, 3_932_160, 35_389_440]),
            Dataset::ImageNet16 => (73_306 + 7_150, [1_953_400, 983_040, 8_847_360]),
        };
        for cell in Cell::all() {
            let (n1, n3) = (cell.conv_edges(Some(Kernel::K1)) as u64, cell.conv_edges(Some(Kernel::K3)) as u64);
            assert_eq!(network.params(&cell), params + 28_000 * n1 + 243_040 * n3, "{dataset:?} {cell}");
            assert_eq!(network.macs(&cell), macs[0] + macs[1] * n1 + macs[2] * n3, "{dataset:?} {cell}");
            let quarter = if dataset == Dataset::ImageNet16 { 4 } else { 1 };
            assert_eq!(network.code_bits(&cell) * quarter, 40_960 + 143_360 * (n1 + n3));
        }
    }
}

#[test]
fn parameters_and_macs_of_the_published_table() {
    let Some(path) = common::shared("data/nb201_accuracy.csv") else { return };
    let mut reader = csv::Reader::from_path(path).unwrap();
    let network = Skeleton::benchmark(10, 32);
    let mut rows = 0;
    for (index, row) in reader.records().enumerate() {
        let row = row.unwrap();
        let cell: Cell = row[1].parse().unwrap();
        assert_eq!(cell.index(), index);
        let millions = |column: usize| row[column].parse::<f64>().unwrap() * 1e6;
        assert!((millions(15) - network.params(&cell) as f64).abs() < 1.0);
        assert!((millions(16) - network.macs(&cell) as f64).abs() < 10.0);
        rows += 1;
    }
    assert_eq!(rows, SPACE_SIZE);
}

#[test]
fn encodings_round_trip() {
    for cell in Cell::all() {
        let (ops, naslib) = (format!("{:?}", cell.op_ids()), format!("{:?}", cell.naslib()));
        assert_eq!(Cell::parse(&ops, Encoding::Ops).unwrap(), cell);
        assert_eq!(Cell::parse(&naslib.replace('[', "(").replace(']', ")"), Encoding::Naslib).unwrap(), cell);
        assert_eq!(Cell::parse(&format!(" {} \n", cell.index()), Encoding::Arch).unwrap(), cell);
    }
    let edges = [Op::NorConv3x3, Op::None, Op::SkipConnect, Op::NorConv1x1, Op::AvgPool3x3, Op::NorConv3x3];
    // NASLib: ops skip, none, 3x3, 1x1, avg; edges 01 02 03 12 13 23.
    assert_eq!(Cell::new(edges).naslib(), [2, 1, 3, 0, 4, 2]);
}

#[test]
fn malformed_cells_name_the_position() {
    let at = |text: &str, encoding| match Cell::parse(text, encoding) {
        Err(Error::CellSyntax { position, .. }) => position,
        other => panic!("{text:?} gave {other:?}"),
    };
    let good = Cell::from_index(0).unwrap().to_string();
    assert_eq!(at("", Encoding::Arch), 0);
    assert_eq!(at("   ", Encoding::Arch), 3);
    assert_eq!(at("avg", Encoding::Arch), 0);
    assert_eq!(at("|avg_pool_4x4~0|", Encoding::Arch), 1);
    assert_eq!(at("|avg_pool_3x3~1|", Encoding::Arch), 14);
    assert_eq!(at(&good[..good.len() - 1], Encoding::Arch), good.len() - 1);
    assert_eq!(at(&format!("{good}+"), Encoding::Arch), good.len());
    assert_eq!(at("1,2,3,4,0", Encoding::Ops), 9);
    assert_eq!(at("1,2,3,4,0,5", Encoding::Ops), 10);
    assert_eq!(at("(1,2,3,4,0,1", Encoding::Ops), 12);
    assert_eq!(at("1,2,3,4,0,1,1", Encoding::Ops), 12);
    assert_eq!(at("123401", Encoding::Ops), 1);
    for text in ["-1", "15625", "99999999999999999999"] {
        assert!(matches!(text.parse::<Cell>(), Err(Error::CellIndex { found }) if found == text));
    }
    assert!(matches!("64:32:16:8:64".parse::<Cell>(), Err(Error::SizeSpaceCell { .. })));
    let slip = "|nor_conv_3x2~0|".parse::<Cell>().unwrap_err().to_string();
    assert!(slip.contains("did you mean nor_conv_3x3?") && slip.contains("position 1"), "{slip}");
}

#[test]
fn reachability_agrees_with_path_enumeration() {
    // All paths 0 → … → 3, written out by hand as edge lists.
    let paths: [&[usize]; 4] = [&[3], &[0, 4], &[1, 5], &[0, 2, 5]];
    for cell in Cell::all() {
        let open = |path: &&&[usize]| path.iter().all(|&e| cell.ops()[e] != Op::None);
        assert_eq!(cell.is_dead(), paths.iter().filter(open).count() == 0);
        for edge in 0..EDGES.len() {
            assert_eq!(cell.is_live(edge), paths.iter().filter(open).any(|p| p.contains(&edge)));
        }
    }
}

#[test]
fn mutation_changes_one_edge_as_often_as_it_should() {
    let mut rng = Stream::new(5, &[]);
    let cell = Cell::from_index(9930).unwrap();
    let mut changes = [[0usize; 5]; 6];
    let draws = 72_000;
    for _ in 0..draws {
        let child = mutate(&cell, &mut rng);
        let differing: Vec<usize> = (0..6).filter(|&e| child.ops()[e] != cell.ops()[e]).collect();
        assert_eq!(differing.len(), 1);
        changes[differing[0]][child.ops()[differing[0]] as usize] += 1;
    }
    for (edge, (_, to)) in EDGES.into_iter().enumerate() {
        for op in Op::ALL.into_iter().filter(|&op| op != cell.ops()[edge]) {
            let expected = draws as f64 / (3 * to * 4) as f64;
            let found = changes[edge][op as usize] as f64;
            assert!((found - expected).abs() < 5.0 * expected.sqrt(), "edge {edge} {op:?}: {found} of {expected}");
        }
    }
}
