//! The command line program: everything happens in [`etnas::cli`].

fn main() -> std::process::ExitCode {
    etnas::cli::main()
}
