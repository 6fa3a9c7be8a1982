//! Cards on the command line, with the emulated driver in place of NVIDIA's: what is listed, what is refused, what goes on.

use super::{names, rows, small, stdout, told, with_cards};
use serde_json::Value;
use std::path::Path;

#[test]
fn emulated_cuda_devices_are_listed_with_their_images() {
    let (code, text, errors) = told(with_cards("90,80,75", &["devices"]));
    assert_eq!((code, errors.as_str()), (Some(0), ""));
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 4, "{text}");
    for (number, (capability, image)) in [("9.0", "sm_90"), ("8.0", "sm_80"), ("7.5", "sm_75")].iter().enumerate() {
        let line = lines[number + 1];
        assert!(line.starts_with(&format!("cuda:{number} ")), "{text}");
        assert!(line.contains(&format!("compute capability {capability}")), "{text}");
        assert!(line.contains(&format!("etnas.{image}.cubin")) && line.contains(" GiB"), "{text}");
    }
}

#[test]
fn emulated_cuda_driver_without_cards_leaves_the_processor() {
    let (code, text, _) = told(with_cards("", &["devices"]));
    assert_eq!(code, Some(0));
    assert!(text.contains("cuda      none: the NVIDIA driver"), "{text}");
    let (code, plain, errors) = told(with_cards("", &small(&["5"], "naswot", "jsonl", &[])));
    assert_eq!((code, errors.as_str()), (Some(0), ""));
    assert_eq!(plain, stdout(&small(&["5"], "naswot", "jsonl", &["--device", "cpu"])));
    let (code, text, errors) = told(with_cards("", &["score", "5", "--device", "cuda"]));
    assert_eq!((code, text.as_str(), errors.lines().count()), (Some(3), "", 1), "{errors}");
    assert!(errors.contains("The device cuda:0 cannot be used: the NVIDIA driver"), "{errors}");
}

#[test]
fn emulated_cuda_cards_that_cannot_be_had_are_refused_by_name_alone() {
    for (cards, driver, device, part) in [
        ("90", "12040", "cuda:9", "there is only 1 card, numbered from 0"),
        ("70", "12040", "cuda", "compute capability 7.0"),
        // No machine code fits, and the PTX is of CUDA 12.4.
        ("100", "12000", "cuda", "Update the driver"),
        ("90", "11080", "cuda", "12.0 is the oldest"),
    ] {
        let refused = small(&["5"], "naswot", "jsonl", &["--device", device]);
        let mut command = with_cards(cards, &refused);
        command.env("EMULATED_DRIVER", driver);
        let (code, text, errors) = told(command);
        assert_eq!((code, text.as_str(), errors.lines().count()), (Some(3), "", 1), "{cards} {driver}: {errors}");
        assert!(errors.contains(part), "{cards} {driver}: {errors}");
    }
    // Any device will do: the processor does it, and a sentence says why.
    let mut arguments = small(&["5"], "naswot", "jsonl", &[]);
    arguments.retain(|argument| *argument != "--quiet");
    let (code, text, errors) = told(with_cards("70", &arguments));
    assert_eq!((code, text.lines().count()), (Some(0), 1), "{errors}");
    assert!(errors.contains("compute capability 7.0") && errors.contains("computed on the processor"), "{errors}");
}

#[test]
fn emulated_cuda_is_what_auto_takes_and_metadata_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scores.jsonl");
    let file = path.to_str().unwrap();
    // The first card that can be used: not the one of 7.0.
    let (code, _, errors) = told(with_cards("70,75,90", &small(&["5", "10"], "naswot", "jsonl", &["-o", file])));
    assert_eq!((code, errors.as_str()), (Some(0), ""));
    let meta: Value = serde_json::from_str(&std::fs::read_to_string(format!("{file}.meta.json")).unwrap()).unwrap();
    let configuration = &meta["configuration"];
    assert_eq!((&configuration["backend"], &configuration["kernel_set"]), (&"cuda".into(), &"cuda-f32".into()));
    let on_processor = rows(&stdout(&small(&["5", "10"], "naswot", "jsonl", &["--device", "cpu"])));
    let on_card = rows(&std::fs::read_to_string(&path).unwrap());
    for (card, processor) in on_card.iter().zip(&on_processor) {
        let [card, processor] = [card, processor].map(|row| row["naswot"].as_f64().unwrap());
        assert!((card - processor).abs() <= 1e-2 * processor.abs(), "{card} {processor}");
    }
}

/// The number of launches that scoring one cell takes on the emulated card, found by making each in turn fail.
fn failing_sweep(file: &str, launch: usize) -> (Option<i32>, String) {
    let arguments = small(&["10", "2", "81"], "naswot", "jsonl", &["--device", "cuda", "--chunk", "1", "-o", file]);
    let mut command = with_cards("90", &arguments);
    command.env("EMULATED_FAIL_LAUNCH", launch.to_string());
    let (code, _, errors) = told(command);
    (code, errors)
}

#[test]
fn emulated_cuda_launch_failure_keeps_finished_cells_and_resume_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scores.jsonl");
    let file = path.to_str().unwrap();
    let whole = small(&["10", "2", "81"], "naswot", "jsonl", &["--device", "cuda", "--chunk", "1"]);
    let (code, expected, _) = told(with_cards("90", &whole));
    assert_eq!(code, Some(0));

    // A failure in the first cell leaves nothing; some later one leaves a begin.
    let (code, errors) = failing_sweep(file, 1);
    assert_eq!(code, Some(3), "{errors}");
    assert!(errors.contains("CUDA_ERROR_LAUNCH_FAILED") && errors.contains("--resume"), "{errors}");
    assert_eq!(names(folder.path()), Vec::<String>::new());
    let mut launch = 64;
    while !path.exists() {
        launch *= 2;
        let (code, errors) = failing_sweep(file, launch);
        assert_eq!(code, Some(3), "no launch {launch}: {errors}");
    }
    let kept = std::fs::read_to_string(&path).unwrap();
    assert!(expected.starts_with(&kept) && kept.len() < expected.len(), "{kept}{expected}");
    let meta: Value = serde_json::from_str(&std::fs::read_to_string(format!("{file}.meta.json")).unwrap()).unwrap();
    assert_eq!((&meta["complete"], &meta["cells"]), (&false.into(), &kept.lines().count().into()));

    let resumed = [&whole[..], &["-o", file, "--resume"]].concat();
    let (code, _, errors) = told(with_cards("90", &resumed));
    assert_eq!((code, errors.as_str()), (Some(0), ""));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);
    assert!(Path::new(&format!("{file}.meta.json")).exists());
}

#[test]
fn emulated_cuda_without_graphs_gives_the_same_bits() {
    let arguments = small(&["10"], "loss-slope", "jsonl", &["--device", "cuda"]);
    let (code, recorded, _) = told(with_cards("80", &arguments));
    assert_eq!(code, Some(0));
    let mut plain = with_cards("80", &arguments);
    plain.env("EMULATED_FAIL_CAPTURE", "1");
    assert_eq!(told(plain), (Some(0), recorded, String::new()));
}

#[test]
fn emulated_cuda_bench_refers_to_the_cards_peak() {
    let arguments = ["bench", "--device", "cuda", "--measures", "log-synflow", "--cells", "1", "--repeats", "1"];
    let small = ["--dataset", "imagenet16-120", "--data", "noise", "--batch", "2", "--quiet", "--format"];
    let (code, text, errors) = told(with_cards("90", &[&arguments[..], &small, &["json"]].concat()));
    assert_eq!((code, errors.as_str()), (Some(0), ""));
    let report: Value = serde_json::from_str(&text).unwrap();
    let (peak, measure) = (report["peak_gflops"]["card"].as_f64().unwrap(), &report["measures"][0]);
    assert!((50_000.0..70_000.0).contains(&peak), "{peak}");
    let share = measure["gflops"].as_f64().unwrap() / peak;
    assert!((measure["share_of_peak"].as_f64().unwrap() - share).abs() <= 1e-12 * share, "{text}");
    let (code, text, _) = told(with_cards("90", &[&arguments[..], &small, &["table"]].concat()));
    assert!(code == Some(0) && text.contains("card") && text.contains("Emulated 9.0"), "{text}");
}
