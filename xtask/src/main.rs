//! Project tasks, as `cargo xtask TASK`.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

const USAGE: &str = "\
usage: cargo xtask TASK

  test [--torch]       everything that has to pass: format, lints, tests, examples in docs, the
                       book, and the Python package, whose tools it installs into target/python;
                       --torch adds the tests with PyTorch, several GB to download once
  book                 the book, as target/book/html, with the tools it installs there
  stubs                the type stubs of the Python package, from the catalogue
  bench [ARGUMENTS]    speed against the bandwidth of the machine; `bench --help` has the options,
                       `bench --peers` downloads several GB of PyTorch and JAX once
  conformance [CASES]  the table of errors: every loss against its formula, in ulps
  instructions [LOSS]  what each loss runs for eight numbers; fails if a loop runs on single numbers
                       instead of vectors; `instructions --help` has the options
  deny                 licences and sources of the dependencies (needs cargo-deny)";

fn main() -> ExitCode {
    let task = env::args().nth(1).unwrap_or_default();
    let done = match task.as_str() {
        "test" => {
            let torch = env::args().any(|argument| argument == "--torch");
            test() && book() && python_package(torch).is_some_and(|python| python_tests(&python))
        }
        "book" => book(),
        "stubs" => python_package(false)
            .is_some_and(|python| run_program(python.as_ref(), &["crates/xent-python/stubs.py"])),
        "bench" => bench(&env::args().skip(2).collect::<Vec<_>>()),
        "conformance" => {
            let cases = env::args().nth(2);
            let mut arguments =
                vec!["run", "--quiet", "--package", "xent-testkit", "--example", "conformance"];
            arguments.extend(cases.as_deref().map(|cases| ["--", cases]).into_iter().flatten());
            run(&arguments)
        }
        "instructions" => {
            let mut command = vec!["run", "--quiet", "--release", "--package", "xent-testkit"];
            command.extend(["--bin", "instructions", "--"]);
            let arguments: Vec<String> = env::args().skip(2).collect();
            command.extend(arguments.iter().map(String::as_str));
            run(&command)
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
        && run(&["doc", "--quiet", "--workspace", "--no-deps"])
        && run(&["test", "--quiet", "--workspace", "--doc"])
        && run(tests)
}

/// The book: warnings, such as links that lead nowhere, are errors.
fn book() -> bool {
    let build = |python: PathBuf| {
        let (command, out) = (target("debug/xent"), target("book"));
        let (command, out) = (command.to_string_lossy(), out.to_string_lossy());
        run_program(python.as_ref(), &["book/build.py", &*command, &*out])
    };
    // Of the whole workspace, so that dependencies keep the features of the tests.
    run(&["build", "--quiet", "--workspace", "--bin", "xent"])
        && environment("book/python", &["sphinx", "myst-parser", "furo"]).is_some_and(build)
}

/// Has glibc ask for large pages, as NumPy does for itself: so xent and all peers have them, whose
/// processes inherit the setting.
const LARGE_PAGES: &[(&str, &str)] = &[("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1")];

/// Builds the benchmark, with its peers if they are asked for, and runs it.
fn bench(arguments: &[String]) -> bool {
    let peers = arguments.iter().any(|argument| argument == "--peers");
    let mut command = vec!["run", "--release", "--package", "xent-bench"];
    command.extend(peers.then_some("--features=peers"));
    command.push("--");
    command.extend(arguments.iter().map(String::as_str));
    let python_peers = if peers { python_peers() } else { None };
    if peers && python_peers.is_none() {
        eprintln!("note: without their environment, the Python peers are left out");
    }
    let given = |option: &str| arguments.iter().any(|argument| argument == option);
    // Part of what is promised is about what users see, not about a case.
    let users = python_peers.filter(|_| !given("--case") && !given("--list"));
    let last = if given("--quick") { "--quick" } else { "BENCHMARKS.md" };
    let last = (given("--quick") || !given("--output")).then_some(last);
    let example = ["build", "--release", "--package", "xent-train", "--example", "epoch"];
    let epoch = target("release/examples").join(format!("epoch{}", env::consts::EXE_SUFFIX));
    let training = ["crates/xent-bench/training.py", &*epoch.to_string_lossy()];
    let scripts = |python: PathBuf| {
        let script = |setting, arguments: &[&str]| {
            let arguments: Vec<&str> = arguments.iter().copied().chain(last).collect();
            run_in(setting, python.as_ref(), &arguments)
        };
        run(&example)
            && script(LARGE_PAGES, &training)
            && script(&[], &["crates/xent-bench/users.py"])
    };
    run_in(LARGE_PAGES, &cargo(), &command) && users.is_none_or(scripts)
}

/// The environment where the benchmark finds its Python peers, the package of a release build
/// among them.
fn python_peers() -> Option<PathBuf> {
    let packages =
        ["maturin>=1.9.4", "numpy", "ml_dtypes", "torch", "jax", "optax", "lightgbm", "xgboost"];
    let python = environment("peers", &packages)?;
    install(&python, "peers", &["--release"])?;
    Some(python)
}

/// An environment with the Python package, from a wheel of the profile of the tests, and all that
/// its tests need; gives its interpreter.
fn python_package(torch: bool) -> Option<PathBuf> {
    let mut packages = vec![
        "maturin>=1.9.4",
        "mypy",
        "pytest",
        "hypothesis",
        "numpy",
        "ml_dtypes",
        "lightgbm",
        "xgboost",
        "scikit-learn",
    ];
    packages.extend(torch.then_some("torch"));
    let python = environment("python", &packages)?;
    install(&python, "python", &[])?;
    Some(python)
}

/// Builds a wheel of the Python package and installs it.
fn install(python: &Path, environment: &str, options: &[&str]) -> Option<()> {
    let wheels = target(environment).join("wheels");
    // A wheel of another version would be found beside the new one.
    let _ = fs::remove_dir_all(&wheels);
    let (interpreter, folder) = (python.to_string_lossy(), wheels.to_string_lossy());
    let build = ["-m", "maturin", "build", "--quiet", "-m", "crates/xent-python/Cargo.toml"];
    let build = [&build[..], &["-o", &*folder, "-i", &*interpreter], options].concat();
    let built = run_program(python.as_ref(), &build);
    let wheel = fs::read_dir(&wheels).ok().filter(|_| built)?.next()?.ok()?.path();
    let install = ["-m", "pip", "install", "--quiet", "--force-reinstall", "--no-deps"];
    run_program(python.as_ref(), &[&install[..], &[&*wheel.to_string_lossy()]].concat())
        .then_some(())
}

fn python_tests(python: &Path) -> bool {
    run_program(python.as_ref(), &["-m", "pytest", "crates/xent-python"])
}

/// A virtual environment under `target` with these packages; gives its interpreter. What is there
/// already stays.
fn environment(name: &str, packages: &[&str]) -> Option<PathBuf> {
    let root = target(name);
    let (system, folder) = if cfg!(windows) { ("python", "Scripts") } else { ("python3", "bin") };
    let python = root.join(folder).join("python");
    let install = [&["-m", "pip", "install", "--quiet"], packages].concat();
    (run_program(system.as_ref(), &["-m", "venv", &root.to_string_lossy()])
        && run_program(python.as_ref(), &install))
    .then_some(python)
}

fn target(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target").join(name)
}

/// Runs cargo, and says what it ran and for how long.
fn run(arguments: &[&str]) -> bool {
    run_program(&cargo(), arguments)
}

fn cargo() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

fn run_program(program: &OsStr, arguments: &[&str]) -> bool {
    run_in(&[], program, arguments)
}

/// As [`run_program`], with variables of the environment.
fn run_in(variables: &[(&str, &str)], program: &OsStr, arguments: &[&str]) -> bool {
    let name = Path::new(program).file_stem().unwrap_or(program).to_string_lossy();
    eprintln!("\n> {name} {}", arguments.join(" "));
    let start = Instant::now();
    match Command::new(program).args(arguments).envs(variables.iter().copied()).status() {
        Ok(status) => {
            let verdict = if status.success() { "passed" } else { "FAILED" };
            eprintln!("> {verdict} in {:.0} s", start.elapsed().as_secs_f64());
            status.success()
        }
        Err(error) => {
            eprintln!("error: cannot run {name}: {error}");
            false
        }
    }
}

#[cfg(test)]
mod tests {
    fn read(name: &str) -> String {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../");
        std::fs::read_to_string(format!("{path}{name}")).expect(name)
    }

    /// What the user types and sees is the same in both languages.
    #[test]
    fn the_chinese_readme_has_the_same_code() {
        let code = |text: &str| -> Vec<String> {
            text.split("\n```").skip(1).step_by(2).map(str::to_owned).collect()
        };
        let english = code(&read("README.md"));
        assert!(english.len() > 3);
        assert_eq!(english, code(&read("README.zh-CN.md")));
    }

    /// A dependency without its line in ARCHITECTURE.md, or a line without its dependency.
    #[test]
    fn every_dependency_is_justified() {
        let (manifest, architecture) = (read("Cargo.toml"), read("ARCHITECTURE.md"));
        let section = manifest.split("[workspace.dependencies]").nth(1).expect("dependencies");
        let section = section.split("\n[").next().expect("a section");
        let mut used: Vec<&str> = section
            .lines()
            .filter_map(|line| line.split_once(" = "))
            .map(|(name, _)| name)
            .filter(|name| !name.starts_with("xent"))
            .collect();
        let table = architecture.split("## Dependencies").nth(1).expect("a table");
        let mut justified: Vec<&str> = table
            .lines()
            .filter(|line| line.starts_with("| ") && !line.starts_with("| crate"))
            .filter_map(|line| line.split('|').nth(1))
            .flat_map(|names| names.split(','))
            .filter_map(|name| name.split_whitespace().next())
            .collect();
        used.sort_unstable();
        justified.sort_unstable();
        assert_eq!(used, justified);
    }
}
