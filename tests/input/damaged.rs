//! Files of random bytes, and files that were damaged.

use super::common::cifar::{binary, py2_batch, py3_batch};
use super::{images, tensors, Folder};
use etnas::input::{Dataset, Images, Source};
use proptest::prelude::*;

/// Loads the bytes as every data set, in both ways; errors must be such that the user is at fault.
fn load_all(folder: &Folder, bytes: &[u8]) {
    let path = folder.put("fuzzed", bytes);
    for dataset in Dataset::ALL {
        for draw in [false, true] {
            match Images::load(&Source::Path(path.clone()), dataset, 2, 1, draw) {
                Ok(images) => {
                    assert_eq!(images.batch().pixels.len(), 6 * images.origin().height * images.origin().width)
                }
                Err(error) => assert_eq!(error.exit_code(), 2, "{error}"),
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn arbitrary_files_never_panic(head in proptest::sample::select(vec![&b""[..], b"\x80\x02", b"\x80\x04", b"(dp0\n", b"}q\0", b"\x40\0\0\0\0\0\0\0{\""]), bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        load_all(&Folder::new(), &[head, &bytes].concat());
    }

    #[test]
    fn damaged_files_never_panic(kind in 0..5usize, flips in proptest::collection::vec((0..400usize, any::<u8>()), 0..5), back in any::<bool>(), cut in prop_oneof![Just(0usize), 0..4000usize]) {
        let mut bytes = match kind {
            0 => binary(&images(15, 3, 3072), &[2]),
            1 => py2_batch(&images(16, 3, 3072), &[("labels", &[1, 2, 3])]),
            2 => py3_batch(&images(17, 3, 768), "labels", &[1, 2, 3]),
            3 => py3_batch(&images(18, 3, 3072), "fine_labels", &[1, 2, 3]),
            _ => tensors("images", &[3, 3, 4, 4], &[0.5; 144]),
        };
        for (at, byte) in flips {
            let at = at % bytes.len();
            let at = if back { bytes.len() - 1 - at } else { at };
            bytes[at] ^= byte;
        }
        let length = bytes.len();
        bytes.truncate(length - cut.min(length));
        load_all(&Folder::new(), &bytes);
    }
}
