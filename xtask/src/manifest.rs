//! `kernels/prebuilt/MANIFEST`: what the committed images were made from, line by line, so that an ordinary test sees whether a
//! source has changed since.

use sha2::{Digest, Sha256};

/// The manifest's text. `compiler` is the version of NVRTC, `program` what it was given; sources and outputs are names and contents.
pub fn render<'a>(
    compiler: &str,
    options: &[&str],
    program: &str,
    sources: impl Iterator<Item = (&'a str, &'a [u8])>,
    outputs: impl Iterator<Item = (&'a str, &'a [u8])>,
) -> String {
    let mut text =
        format!("compiler NVRTC {compiler}\noptions {}\nprogram {}\n", options.join(" "), sha256(program.as_bytes()));
    for (name, content) in sources {
        text += &format!("source {name} {}\n", sha256(content));
    }
    for (name, content) in outputs {
        text += &format!("output {name} {}\n", sha256(content));
    }
    text
}

fn sha256(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::render;

    #[test]
    fn lines_of_the_manifest() {
        let sources = [("a.cu", b"abc".as_slice())];
        let outputs = [("x.ptx", b"".as_slice())];
        assert_eq!(
            render("12.4.127", &["--std=c++17"], "abc", sources.into_iter(), outputs.into_iter()),
            "compiler NVRTC 12.4.127\noptions --std=c++17\n\
             program ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n\
             source a.cu ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n\
             output x.ptx e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n"
        );
    }
}
