//! The nano binary: everything is the library's, but for the allocator.

use std::process::ExitCode;

/// Many threads allocate and free each other's small pieces all day; the system's allocator is slower at that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    nano::cli::run()
}
