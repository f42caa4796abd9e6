//! Project tasks, as `cargo xtask TASK`.

use std::env;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

const USAGE: &str = "\
usage: cargo xtask TASK

  test         everything that has to pass: format, lints, tests, examples in docs
  conformance  the table of errors: every loss against its formula, in ulps
  deny         licences and sources of the dependencies (needs cargo-deny)";

fn main() -> ExitCode {
    let task = env::args().nth(1).unwrap_or_default();
    let done = match task.as_str() {
        "test" => test(),
        "conformance" => {
            run(&["run", "--quiet", "--package", "xent-testkit", "--example", "conformance"])
        }
        "deny" => run(&["deny", "check", "bans", "licenses", "sources"]),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    if done { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Cheapest check first.
fn test() -> bool {
    let nextest = Command::new("cargo")
        .args(["nextest", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    let tests: &[&str] = if nextest {
        &["nextest", "run", "--workspace", "--no-fail-fast"]
    } else {
        &["test", "--workspace", "--all-targets", "--no-fail-fast"]
    };
    run(&["fmt", "--all", "--check"])
        && run(&["check", "--quiet", "--package", "xent", "--no-default-features"])
        && run(&["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"])
        && run(&["test", "--quiet", "--workspace", "--doc"])
        && run(tests)
}

/// Runs cargo, and says what it ran and for how long.
fn run(arguments: &[&str]) -> bool {
    eprintln!("\n> cargo {}", arguments.join(" "));
    let start = Instant::now();
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    match Command::new(cargo).args(arguments).status() {
        Ok(status) => {
            let verdict = if status.success() { "passed" } else { "FAILED" };
            eprintln!("> {verdict} in {:.0} s", start.elapsed().as_secs_f64());
            status.success()
        }
        Err(error) => {
            eprintln!("error: cannot run cargo: {error}");
            false
        }
    }
}
