//! What a golden file says, of any backend, at the tolerances for f32 of tests/golden/README.md.

use super::golden::Golden;
use super::measures::FirstGradients;
use etnas::backend::Backend;
use etnas::measure::naswot;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// K_H, naswot and the Synflows of a golden file.
pub fn check_scores(path: &Path, backends: &[&dyn Backend]) {
    let golden = Golden::open(path);
    let batch = golden.batch("naswot.input");
    let weights = Arc::new(golden.weights((batch.height, batch.width)));
    for backend in backends {
        let set = backend.kernel_set();
        let found = backend.hamming(&[golden.cell], &weights, &batch, &()).unwrap().remove(0);
        assert_eq!(found.bits, golden.json["n_a"].as_u64().unwrap());
        let k = golden.tensor_f64("naswot.k");
        // Or one flipped sign, which counts up to three times: in small networks 1e-5 of N_A is less than a bit.
        let most = (found.bits as f64 * 1e-5).max(3.0);
        let mut flips = 0;
        for (at, (k, distance)) in k.iter().zip(&found.distance).enumerate() {
            let ours = (found.bits - distance) as f64;
            assert!((ours - k).abs() <= most, "{} {set}: K[{at}] is {ours}, expected {k}", golden.name);
            flips += (ours - k).abs() as u64;
        }
        match golden.json["naswot"].as_f64() {
            Some(expected) => assert!((naswot::score(&found) - expected).abs() <= 1e-3, "{} {set}", golden.name),
            None => assert_eq!(naswot::score(&found), f64::NEG_INFINITY, "{} {set}", golden.name),
        }
        let sums = backend.synflow(&[golden.cell], &weights, &()).unwrap()[0];
        for (key, ours) in
            [("synflow", sums.product), ("log_synflow_1e-6", sums.log_reference), ("log_synflow_1", sums.log_one_plus)]
        {
            let expected = golden.json[key].as_f64().unwrap();
            assert!((ours - expected).abs() <= 1e-5 * expected, "{} {set} {key}: {ours} {expected}", golden.name);
        }
        println!("{} {set}: K differs by {flips} in all", golden.name);
    }
}

/// The losses and the first step's gradients of a golden file.
pub fn check_slope(path: &Path, backends: &[(&dyn Backend, FirstGradients)]) {
    let golden = Golden::open(path);
    let task = golden.task();
    let weights = Arc::new(golden.weights((task.images.height, task.images.width)));
    let expected: Vec<f64> = serde_json::from_value(golden.json["losses"].clone()).unwrap();
    for (backend, first_gradients) in backends {
        let set = backend.kernel_set();
        let losses = backend.train(&[golden.cell], &weights, &task, &()).unwrap().remove(0);
        println!("{} {set}: {losses:?} {expected:?}", golden.name);
        assert_eq!(losses.len(), expected.len());
        assert!((losses[0] - expected[0]).abs() <= 1e-5 * expected[0], "{} {set}: {losses:?}", golden.name);
        // Later losses are chaotic in f32 (SPEC section 4): these only have to be trained.
        for (ours, theirs) in losses.iter().zip(&expected) {
            assert!((ours - theirs).abs() < 0.05 * theirs, "{} {set}: {losses:?} {expected:?}", golden.name);
        }
        let norms: HashMap<String, f64> = first_gradients(&golden.cell, &weights, &task).into_iter().collect();
        let golden_norms = golden.json["first_step_gradient_norms"].as_object().unwrap();
        let largest = golden_norms.values().map(|norm| norm.as_f64().unwrap()).fold(0.0, f64::max);
        let (mut beyond, mut total) = (0, [0.0; 2]);
        for (name, norm) in golden_norms {
            let ours = norms.get(name.strip_prefix("net.").unwrap_or(name)).copied().unwrap_or(0.0);
            let theirs = norm.as_f64().unwrap();
            // An activation that f32 gives the other sign than f64 lets a ReLU pass what it stopped: see tests/cpu.rs.
            let off = (ours - theirs).abs();
            assert!(off <= 1e-2 * theirs + 1e-9 * largest, "{} {set} {name}: {ours} {theirs}", golden.name);
            beyond += usize::from(off > 1e-3 * theirs + 1e-9 * largest);
            total[0] += ours * ours;
            total[1] += theirs * theirs;
        }
        let [ours, theirs] = total.map(f64::sqrt);
        println!("{} {set}: {beyond} of {} gradients are off by more than 1e-3", golden.name, golden_norms.len());
        assert!((ours - theirs).abs() <= 1e-3 * theirs, "{} {set}: gradient {ours}, {theirs}", golden.name);
        assert!(beyond * 20 <= golden_norms.len(), "{} {set}: {beyond} of {}", golden.name, golden_norms.len());
        assert!(norms.len() <= golden_norms.len());
    }
}
