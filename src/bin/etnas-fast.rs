//! The binary: everything happens in `etnas::cli`.

fn main() -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}
