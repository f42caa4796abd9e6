//! `cargo xtask instructions`: what each loss runs for eight numbers, counted instruction by
//! instruction. So a loop that is no longer vectorised is seen without timing anything.

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod case;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod decode;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod table;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod trace;

use std::process::ExitCode;

/// Where nothing can be counted.
const CANNOT: u8 = 3;

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn main() -> ExitCode {
    table::main()
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
fn main() -> ExitCode {
    eprintln!("error: only instructions of x86-64 are counted, and only under Linux");
    ExitCode::from(CANNOT)
}
