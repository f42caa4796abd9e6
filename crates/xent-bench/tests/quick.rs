//! A short run of the whole benchmark, so that it cannot rot. Nothing here depends on speed.

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

fn bench(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xent-bench")).args(arguments).output().expect("it starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs with `--json`, and gives what it says.
fn measured(folder: &Path, arguments: &[&str]) -> Vec<Value> {
    let json = folder.join("bench.json");
    let output = bench(&[arguments, &["--json", json.to_str().expect("a UTF-8 path")]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let json = std::fs::read_to_string(json).expect("the file it wrote");
    serde_json::from_str(&json).expect("an array")
}

#[test]
fn every_case_is_measured_once_and_every_number_is_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let table = folder.path().join("table.md");
    let found = measured(folder.path(), &["--quick", "--output", table.to_str().expect("UTF-8")]);
    let names: Vec<&str> =
        found.iter().map(|case| case["case"].as_str().expect("a name")).collect();
    let listed = text(&bench(&["--quick", "--list"]).stdout);
    assert_eq!(names, listed.lines().collect::<Vec<_>>());
    assert!(names.contains(&"cross_entropy_f32_4x32000"), "{names:?}");

    for case in &found {
        let keys = ["limit_ms", "median_ms", "in_cache_ms", "fraction", "bandwidth_gb_s"];
        for key in keys.into_iter().chain(["bytes", "threads"]) {
            let number = case[key].as_f64().unwrap_or(f64::NAN);
            assert!(number > 0.0 && number.is_finite(), "{key} of {case}");
        }
        assert!(case["peers"].as_object().is_some_and(|peers| peers.is_empty()), "{case}");
    }
    let table = std::fs::read_to_string(table).expect("the table it wrote");
    for name in names {
        assert_eq!(table.matches(&format!("| `{name}` |")).count(), 1, "{name} in {table}");
    }
}

#[test]
fn the_table_fits_a_terminal() {
    let output = bench(&["--quick", "--case", "x1000", "--case", "focal", "--case", "mse"]);
    for line in text(&output.stdout).lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[test]
fn cases_are_chosen_by_a_part_of_their_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let found = measured(folder.path(), &["--quick", "--case", "huber", "--case", "x128256"]);
    let names: Vec<&Value> = found.iter().map(|case| &case["case"]).collect();
    assert_eq!(names, ["cross_entropy_f32_2x128256", "huber_f32_16384"]);
}

#[test]
fn an_unknown_case_is_an_error_that_names_those_there_are() {
    let output = bench(&["--case", "cross_entropi"]);
    assert!(!output.status.success());
    let message = text(&output.stderr);
    assert!(message.contains("no case has `cross_entropi` in its name"), "{message}");
    assert!(message.contains("\n  cross_entropy_f32_4096x32000\n"), "{message}");
}

#[test]
fn a_peer_that_does_not_start_is_reported_and_left_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let json = folder.path().join("bench.json");
    let output = bench(&[
        "--quick",
        "--case=huber",
        "--peers",
        "--python=/no/such/python",
        "--json",
        json.to_str().expect("UTF-8"),
    ]);
    assert!(output.status.success());
    let message = text(&output.stderr);
    assert!(message.contains("PyTorch is left out: cannot run /no/such/python"), "{message}");
    let found = std::fs::read_to_string(json).expect("the file it wrote");
    assert!(!found.contains("torch"), "{found}");
}
