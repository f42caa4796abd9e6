//! Prints the conformance table: the greatest errors found of every loss.
//!
//! `cargo xtask conformance [CASES]`, where CASES is the number of inputs per loss and type.

use xent_testkit::accuracy::{Worst, measure};

fn main() {
    let cases = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(1500);
    println!(
        "# Conformance

The greatest error of every loss against its formula, evaluated in arbitrary precision, in units
in the last place of the result. Half a unit is what rounding the exact answer costs. {cases} inputs
per loss and type, random and adversarial, at random parameters; `cargo xtask conformance`.

- *tiny*: results so small that not all digits of the wide arithmetic exist there (below 2⁻¹²⁶ for
  `f32`, 2⁻⁹⁷⁰ for `f64`).
- *cancelled*: entries that are the difference of numbers equal to 50 bits or more; they are within
  2⁻⁵⁰ of the value of their row, and not counted in units.

| loss | type | value | gradient | curvature | tiny | compared | cancelled |
|---|---|---:|---:|---:|---:|---:|---:|"
    );
    for entry in xent::catalogue() {
        row(entry.name, "f32", &measure::<f32>(entry, cases, 1));
        row(entry.name, "f64", &measure::<f64>(entry, cases, 1));
    }
}

fn row(loss: &str, number: &str, worst: &Worst) {
    let Worst { value, gradient, curvature, tiny, compared, cancelled, .. } = worst;
    let [value, gradient, curvature, tiny] =
        [value, gradient, curvature, tiny].map(|found| found.ulps);
    println!(
        "| `{loss}` | `{number}` | {value:.3} | {gradient:.3} | {curvature:.3} | {tiny:.3} | {compared} | {cancelled} |"
    );
}
