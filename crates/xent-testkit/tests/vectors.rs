//! Kernels that run on vectors still do, whatever has become of the code or the compiler.

use serde_json::Value;
use std::process::Command;

/// Each with the kind of its targets.
const KERNELS: [(&str, &str); 5] = [
    ("mean_squared_error", "values"),
    ("huber", "values"),
    ("cross_entropy", "labels"),
    ("binary_cross_entropy_with_logits", "values"),
    ("sigmoid_focal", "values"),
];
const ORDERS: [&str; 2] = ["value", "gradient"];
/// The exit status of the command where a process cannot be stepped through.
const CANNOT: i32 = 3;

#[test]
fn kernels_run_on_vectors() {
    for isa in ["avx2", "avx512"] {
        let output = Command::new(env!("CARGO_BIN_EXE_instructions"))
            .args(KERNELS.map(|(loss, _)| loss))
            .args(["--type", "f32", "--kernel", "--json"])
            .env("XENT_ISA", isa)
            .output()
            .unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        if output.status.code() == Some(CANNOT) {
            return eprintln!("skipped, as nothing can be counted here: {errors}");
        }
        let rows: Vec<Value> = serde_json::from_slice(&output.stdout).expect(&errors);
        for (loss, targets) in KERNELS {
            for order in ORDERS {
                let kernel = [loss, targets, order];
                let of_kernel =
                    |row: &&Value| ["loss", "targets", "order"].map(|key| &row[key]) == kernel;
                let row = rows.iter().find(of_kernel).unwrap_or_else(|| panic!("no {kernel:?}"));
                assert_eq!(row["runs_on_single_numbers"], false, "{isa}: {row:#}");
            }
        }
    }
}
