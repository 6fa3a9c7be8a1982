//! Bytes that the kernels of maps ask of global memory, sector by sector, against the least that they could move
//! (`docs/cuda-maps.md`), at the stages' shapes. One test: the profile is the process's.

#[path = "common/maps.rs"]
mod common;

use common::*;
use etnas_emulator::{profile, Argument, Build, Card, Order};

const IMAGES: usize = 4;

/// Runs launches under the profile; asserts that each kernel asks for at most `most` times its least bytes, and that its accesses
/// of shared memory take at most `shared` times their least wavefronts.
fn within(name: &str, least: usize, most: f64, shared: f64, launches: impl FnOnce()) {
    profile::start().unwrap();
    launches();
    let profile = profile::read().unwrap();
    let bytes = 32 * profile.sectors(name, 80).0;
    let ratio = bytes as f64 / least as f64;
    let (wavefronts, fewest) = profile.wavefronts(name, 80);
    let conflicts = wavefronts as f64 / fewest.max(1) as f64;
    println!("{name:24} {bytes:10} bytes {ratio:6.3} of the least, wavefronts {conflicts:6.3}");
    let fine = (0.99..=most).contains(&ratio) && conflicts <= shared;
    assert!(fine, "{name}: {bytes} bytes of {least}, wavefronts {conflicts}\n{}", profile.table());
}

#[test]
fn kernels_move_little_more_than_they_must() {
    for (size, c) in [(32, 16), (16, 32), (8, 64)] {
        println!("{size}×{size}×{c}, {IMAGES} images");
        maps_of(size, c);
    }
    let card = Card::new(80, Build::Checked, Order::Forward);
    let (weights, parts) = (9216, 4);
    let [w, m] = [0; 2].map(|_| card.upload(&vec![0.5f32; weights]));
    let gradient = card.upload(&vec![0.5f32; weights * parts]);
    let job = SgdJob {
        w: w.address(),
        m: m.address(),
        gradient: gradient.address(),
        weights: weights as i32,
        parts: parts as i32,
        decay: 4e-5,
        padding: 0,
    };
    within("sgd", weights * (16 + 4 * parts), 1.1, 1.0, || launch(&card, "sgd", [9, 1], 0, &[job], &[]));
}

fn maps_of(size: usize, c: usize) {
    let card = Card::new(80, Build::Checked, Order::Forward);
    let pixels = IMAGES * size * size;
    let (numbers, parts) = (pixels * c, pixels.div_ceil(PART));
    let mut random = Numbers::new(seed());
    let maps = [0; 4].map(|_| card.upload(&random.list(numbers)));
    let sums = card.poisoned::<f32>(parts * 2 * c);
    let (affine, moments) = (card.poisoned::<f32>(2 * c), card.poisoned::<f32>(2 * c));

    let job = MapJob { from: maps[0].address(), to: sums.address() };
    within("map_sums", 4 * numbers, 1.1, 1.05, || launch(&card, "map_sums", [parts, 1], 0, &[job], &[pixels, c]));
    let job =
        MomentsJob { sums: sums.address(), gamma: 0, beta: 0, affine: affine.address(), moments: moments.address() };
    // A job's own loads weigh little once there are as many parts as naswot has. Threads leave their four doubles one behind the
    // other, in the same banks, but only once.
    let many = 16 * parts;
    let longer = card.upload(&random.list(many * 2 * c));
    let within_many = MomentsJob { sums: longer.address(), ..job };
    within("norm_moments", 4 * (many * 2 * c + 4 * c), 1.6, 2.5, || {
        launch(&card, "norm_moments", [1, 1], 0, &[within_many], &[many, many * PART, c]);
    });
    launch(&card, "norm_moments", [1, 1], 0, &[job], &[parts, pixels, c]);

    let coefficients = card.poisoned::<f32>(3 * c);
    let job = NormBackJob {
        g: maps[1].address(),
        y: maps[2].address(),
        moments: moments.address(),
        gamma: 0,
        sums: sums.address(),
        coefficients: coefficients.address(),
        gamma_gradient: 0,
        beta_gradient: 0,
    };
    let arguments = [pixels, c];
    within("norm_back_sums", 8 * numbers, 1.1, 1.05, || {
        launch(&card, "norm_back_sums", [parts, 1], 0, &[job], &arguments);
    });
    launch(&card, "norm_back_coefficients", [1, 1], 0, &[job], &[parts, pixels, c]);
    within("norm_back_apply", 12 * numbers, 1.1, 1.0, || {
        launch(&card, "norm_back_apply", [parts, 1], 0, &[job], &arguments);
    });

    // One MAP behind an affine, one POOL; value and code.
    let code = card.poisoned::<u32>(numbers / 32);
    let term = |kind: i32, x: usize, affine: u64| Term { x: maps[x].address(), affine, kind, padding: 0 };
    let terms = [term(TERM_MAP, 0, affine.address()), term(TERM_POOL, 1, 0), Term::default()];
    let job = NodeJob { terms, value: maps[3].address(), code: code.address() };
    let blocks = stretches(IMAGES, size * size * c);
    let shared = stage_bytes(size, size, c);
    within("node", 12 * numbers + numbers / 8, 1.16, 1.05, || {
        launch(&card, "node", [blocks, 1], shared, &[job], &[IMAGES, size, size, c, size * size * c / 32]);
    });

    let half = card.poisoned::<f32>(numbers / 4);
    let job = MapJob { from: maps[0].address(), to: half.address() };
    within("average2", 5 * numbers, 1.05, 1.0, || {
        launch(&card, "average2", [blocks.div_ceil(4).max(IMAGES), 1], 0, &[job], &[IMAGES, size, size, c]);
    });

    // Two CONV, one POOL.
    let reader = |kind: i32, g: usize| Reader { g: maps[g].address(), kind, padding: 0 };
    let readers = card.upload(&[reader(READER_CONV, 0), reader(READER_POOL, 1), reader(READER_CONV, 2)]);
    let gradient = card.poisoned::<f32>(numbers);
    let job = GradientJob { value: maps[3].address(), gradient: gradient.address(), first: 0, count: 3 };
    let jobs = card.upload(&[job]);
    let mut arguments = vec![Argument::new(jobs.address()), Argument::new(readers.address())];
    arguments.extend([IMAGES, size, size, c].map(|n| Argument::new(n as i32)));
    within("node_gradient", 20 * numbers, 1.1, 1.05, || {
        run(&card, "node_gradient", [blocks, 1, 1], shared, &arguments);
    });

    let resized = card.poisoned::<f32>(IMAGES * 64 * c);
    let job = MapJob { from: maps[0].address(), to: resized.address() };
    within("resize8", 8 * IMAGES * 64 * c, 1.05, 1.0, || {
        launch(&card, "resize8", [IMAGES, 1], 0, &[job], &[IMAGES, size, size, c]);
    });
    let of_head = IMAGES * 64 * 64;
    let [output, target] = [0; 2].map(|_| card.upload(&random.list(of_head)));
    let bias = card.upload(&random.list(64));
    let (of_bias, loss) = (card.poisoned::<f32>(64), card.poisoned::<f64>(1));
    let job = HeadJob {
        output: output.address(),
        bias: bias.address(),
        target: target.address(),
        bias_gradient: of_bias.address(),
        loss: loss.address(),
        weight: 0.25,
        padding: 0,
    };
    within("head_loss", 12 * of_head, 1.05, 1.05, || {
        launch(&card, "head_loss", [1, 1], 0, &[job], &[IMAGES * 64, 64]);
    });
}
