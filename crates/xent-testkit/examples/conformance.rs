//! Prints the conformance table: the worst error of every loss, in units of the last place.

use xent_testkit::accuracy::{Worst, measure};

fn main() {
    let cases = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(2000);
    for entry in xent::catalogue() {
        for (name, worst) in
            [("f32", measure::<f32>(entry, cases, 1)), ("f64", measure::<f64>(entry, cases, 1))]
        {
            let Worst { value, gradient, curvature, tiny, compared, cancelled, unresolved } =
                &worst;
            println!(
                "{:30} {name} {:10.4} {:10.4} {:10.4} {:10.4} {compared} {cancelled} {unresolved}",
                entry.name, value.ulps, gradient.ulps, curvature.ulps, tiny.ulps
            );
            for found in [value, gradient, curvature, tiny] {
                if found.ulps > 0.51 {
                    println!("      {:.3}: {}", found.ulps, found.at);
                }
            }
        }
    }
}
