//! Every branch of the choice, on images that differ only in their kind.

use super::*;

const fn cubin(name: &'static str, capability: (i32, i32)) -> Image {
    Image { name: Cow::Borrowed(name), kind: ImageKind::Cubin { capability }, bytes: Cow::Borrowed(&[]) }
}

const fn ptx(name: &'static str, capability: (i32, i32)) -> Image {
    let kind = ImageKind::Ptx { capability, ptx_version: (8, 4) };
    Image { name: Cow::Borrowed(name), kind, bytes: Cow::Borrowed(&[]) }
}

static SHIPPED: [Image; 7] = [
    ptx("compute_75", (7, 5)),
    ptx("compute_80", (8, 0)),
    cubin("sm_75", (7, 5)),
    cubin("sm_80", (8, 0)),
    cubin("sm_86", (8, 6)),
    cubin("sm_89", (8, 9)),
    cubin("sm_90", (9, 0)),
];

fn without_nvrtc() -> Result<(), String> {
    Err("no NVRTC was found".into())
}

#[track_caller]
fn image(images: &'static [Image], card: (i32, i32), driver: i32) -> &'static str {
    match choose_among(images, card, driver, || panic!("NVRTC is not asked for where an image fits")) {
        Choice::Image(image) => &image.name,
        other => panic!("expected an image for {card:?} and driver {driver}, found {other:?}"),
    }
}

#[track_caller]
fn reason(images: &'static [Image], card: (i32, i32), driver: i32) -> String {
    match choose_among(images, card, driver, without_nvrtc) {
        Choice::None { reason } => reason,
        other => panic!("expected no image for {card:?} and driver {driver}, found {other:?}"),
    }
}

#[test]
fn cubin_of_the_same_major_and_the_largest_minor_that_fits() {
    for (card, name) in [
        ((7, 5), "sm_75"),
        ((8, 0), "sm_80"),
        ((8, 6), "sm_86"),
        ((8, 7), "sm_86"),
        ((8, 9), "sm_89"),
        ((9, 0), "sm_90"),
    ] {
        assert_eq!(image(&SHIPPED, card, 12000), name, "{card:?}");
        assert_eq!(image(&SHIPPED, card, 13000), name, "{card:?}");
    }
}

#[test]
fn newest_ptx_for_a_card_of_a_later_major() {
    for card in [(10, 0), (12, 0)] {
        assert_eq!(image(&SHIPPED, card, 12040), "compute_80");
        assert_eq!(image(&SHIPPED, card, 13000), "compute_80");
    }
}

#[test]
fn a_cubin_of_another_major_or_a_larger_minor_does_not_fit() {
    static LATER: [Image; 3] = [ptx("compute_75", (7, 5)), cubin("sm_86", (8, 6)), ptx("compute_90", (9, 0))];
    assert_eq!(image(&LATER, (8, 0), 12040), "compute_75");
    assert_eq!(image(&LATER, (9, 0), 12040), "compute_90");
}

#[test]
fn ptx_newer_than_the_driver_leads_to_nvrtc_or_to_a_reason() {
    assert_eq!(choose_among(&SHIPPED, (10, 0), 12030, || Ok(())), Choice::Compile);
    assert_eq!(
        reason(&SHIPPED, (10, 0), 12030),
        "There is no machine code of the kernels for compute capability 10.0; the driver, made for CUDA 12.3, takes PTX up to 8.3 \
         and the kernels' is 8.4; and no NVRTC was found. Update the driver."
    );
    assert!(reason(&[], (8, 0), 12040).contains("there is no PTX of the kernels either"));
    assert_eq!(choose_among(&[], (8, 0), 12040, || Ok(())), Choice::Compile);
}

#[test]
fn old_cards_and_old_drivers_are_told_so() {
    for card in [(7, 0), (6, 1), (3, 5)] {
        let reason = reason(&SHIPPED, card, 13000);
        assert!(reason.contains(&format!("compute capability {}.{}; expected 7.5", card.0, card.1)), "{reason}");
    }
    let reason = reason(&SHIPPED, (8, 0), 11080);
    assert!(reason.starts_with("The driver is made for CUDA 11.8; expected 12.0"), "{reason}");
}

#[test]
fn ptx_versions_of_drivers() {
    for (driver, version) in [
        (11080, (7, 0)),
        (12000, (8, 0)),
        (12040, (8, 4)),
        (12050, (8, 5)),
        (12060, (8, 5)),
        (12080, (8, 7)),
        (12090, (8, 8)),
        (13000, (9, 0)),
        (13010, (9, 1)),
    ] {
        assert_eq!(newest_ptx(driver), version, "driver {driver}");
    }
}

#[test]
fn what_nvrtc_is_asked_for() {
    let known = [50, 75, 80, 86, 90];
    assert_eq!(target((12, 4), &known, (8, 9), 12000), Ok(Target::Cubin(86)));
    assert_eq!(target((12, 4), &known, (10, 0), 12040), Ok(Target::Ptx(90)));
    assert_eq!(target((12, 4), &known, (9, 0), 13000), Ok(Target::Cubin(90)));
    assert!(target((12, 4), &known, (10, 0), 12030).is_err_and(|error| error.contains("newer than the driver")));
    assert!(target((13, 0), &known, (9, 0), 12080).is_err_and(|error| error.contains("newer than the driver")));
    assert!(target((13, 0), &[100], (7, 5), 13000).is_err_and(|error| error.contains("does not compile for")));
}

#[test]
fn embedded_images_serve_every_generation() {
    for (card, name) in [((7, 5), "etnas.sm_75.cubin"), ((8, 0), "etnas.sm_80.cubin"), ((9, 0), "etnas.sm_90.cubin")] {
        assert_eq!(image(IMAGES, card, 12000), name);
    }
    assert_eq!(image(IMAGES, (12, 0), 13000), "etnas.compute_80.ptx");
    for image in IMAGES {
        match image.kind {
            ImageKind::Cubin { .. } => assert!(image.bytes.starts_with(b"\x7fELF"), "{}", image.name),
            ImageKind::Ptx { .. } => {
                let text = std::str::from_utf8(&image.bytes).unwrap();
                assert!(text.contains(".visible .entry") && !text.contains('\0'), "{}", image.name);
            }
        }
    }
}

/// Runs where an NVRTC is installed; elsewhere the sentence is checked.
#[test]
fn sources_compile_at_run_time_where_nvrtc_is_there() {
    match Nvrtc::find() {
        Ok(nvrtc) => {
            let image = compile_with(&nvrtc, (8, 0), nvrtc.version().0 * 1000 + nvrtc.version().1 * 10).unwrap();
            assert!(image.bytes.starts_with(b"\x7fELF"));
        }
        Err(_) => {
            let error = compile((8, 0), 12040).unwrap_err();
            assert!(error.starts_with("The kernels cannot be compiled here: no NVRTC was found"), "{error}");
        }
    }
}
