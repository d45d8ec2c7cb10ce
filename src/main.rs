//! The program: everything is in the library.

/// The C library's allocator gives each thread a heap of its own and rarely returns any of them: under load the vault
/// held three times the memory it used. How many heaps this one keeps, and for how long, is set in
/// `.cargo/config.toml`; docs/adr/0011 has the figures.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> std::process::ExitCode {
    custos::cli::main()
}
