//! Prints the conformance table: the greatest errors found of every loss.
//!
//! `cargo xtask conformance [CASES]`, where CASES is the number of inputs per loss and type.

use xent::catalogue::Entry;
use xent::{bf16, f16};
use xent_testkit::accuracy::{Worst, measure};
use xent_testkit::sample::Tested;

fn main() {
    let cases = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(1500);
    println!(
        "# Conformance

The greatest error of every loss against its formula, evaluated in arbitrary precision, in units
in the last place of the result. Half a unit is what rounding the exact answer costs. {cases} inputs
per loss and type, random and adversarial, at random parameters; `cargo xtask conformance`.

- *tiny*: results so small that not all digits of the wide arithmetic exist there (below 2⁻¹⁴ for
  `f16`, 2⁻¹²⁶ for `bf16` and `f32`, 2⁻⁹⁷⁰ for `f64`).
- *cancelled*: entries that are the difference of numbers equal to about 50 bits, so that inputs
  changed by 2⁻⁵⁰ of themselves change the true entry by more than the error; or that have a factor
  which is subnormal in `f64`. They are not counted in units.

| loss | type | value | gradient | curvature | tiny | compared | cancelled |
|---|---|---:|---:|---:|---:|---:|---:|"
    );
    for entry in xent::catalogue() {
        row::<f16>(entry, cases);
        row::<bf16>(entry, cases);
        row::<f32>(entry, cases);
        row::<f64>(entry, cases);
    }
    println!(
        "
## Elementary functions

What the kernels for `f16`, `bf16` and `f32` are made of, over all 2³² inputs of `f32`: the greatest
error after rounding to `f32`, in units in the last place. It takes half an hour, so these are the
figures recorded in the test, which gives them again:

```sh
cargo test --release -p xent-testkit --test univariate -- --ignored --nocapture
```
"
    );
    let lines = include_str!("../tests/univariate.rs").lines();
    for line in lines.filter_map(|line| line.strip_prefix("//! |")) {
        println!("|{line}");
    }
}

fn row<T: Tested>(entry: &Entry, cases: usize) {
    let Worst { value, gradient, curvature, tiny, compared, cancelled, .. } =
        measure::<T>(entry, cases, 1);
    let [value, gradient, curvature, tiny] =
        [value, gradient, curvature, tiny].map(|found| found.ulps);
    println!(
        "| `{}` | `{}` | {value:.3} | {gradient:.3} | {curvature:.3} | {tiny:.3} | {compared} | {cancelled} |",
        entry.name,
        T::NAME,
    );
}
