//! Every loss of the catalogue against its formula and against the laws.

use libtest_mimic::{Arguments, Failed, Trial};
use xent::catalogue::Entry;
use xent::{bf16, f16};
use xent_testkit::accuracy::{Found, Worst, measure};
use xent_testkit::laws::laws;
use xent_testkit::sample::Tested;

/// Inputs per loss for `f32` and for `f64`; a third of them for each type of 16 bits, which are
/// computed as `f32` is. A longer run takes the number from the environment.
fn cases() -> usize {
    std::env::var("XENT_CONFORMANCE_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(1500)
}

/// How far the oracle itself may be off, in units of the last place.
const ORACLE_ERROR: f64 = 1.0 / (1u64 << 20) as f64;

fn main() {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    for &entry in xent::catalogue() {
        for (number, (law, check)) in laws() {
            let name = [entry.name, law, number].join("::");
            trials.push(Trial::test(name.trim_end_matches("::"), move || {
                check(entry);
                Ok(())
            }));
        }
        trials.push(Trial::test(format!("{}::accuracy", entry.name), move || accuracy(entry)));
    }
    libtest_mimic::run(&arguments, trials).exit();
}

/// The budget of a loss holds, and is not far too loose.
fn accuracy(entry: &'static Entry) -> Result<(), Failed> {
    let worsts = [
        worst::<f16>(entry, cases() / 3)?,
        worst::<bf16>(entry, cases() / 3)?,
        worst::<f32>(entry, cases())?,
        worst::<f64>(entry, cases())?,
    ];
    let all = worsts.each_ref();
    for (what, budget, found) in [
        ("value", entry.ulp.value, all.map(|worst| &worst.value)),
        ("gradient", entry.ulp.gradient, all.map(|worst| &worst.gradient)),
        ("curvature", entry.ulp.curvature, all.map(|worst| &worst.curvature)),
    ] {
        let greatest = found.into_iter().max_by(|a, b| a.ulps.total_cmp(&b.ulps));
        let found = greatest.expect("four types");
        if found.ulps > budget + ORACLE_ERROR {
            let Found { ulps, at } = found;
            return Err(format!("{what}: {ulps} ulp, budget {budget}: {at}").into());
        }
        if budget > 2.0 * found.ulps {
            let text = format!("{what}: budget {budget} is far too loose for {} ulp", found.ulps);
            return Err(text.into());
        }
    }
    Ok(())
}

fn worst<T: Tested>(entry: &Entry, cases: usize) -> Result<Worst, Failed> {
    let worst = measure::<T>(entry, cases, 1);
    let few = worst.compared / 100;
    if worst.unresolved > few || worst.cancelled > few {
        let Worst { unresolved, cancelled, compared, .. } = worst;
        return Err(format!("{unresolved} unresolved, {cancelled} cancelled of {compared}").into());
    }
    if worst.tiny.ulps > 4.0 {
        return Err(format!("tiny result: {:?}", worst.tiny).into());
    }
    Ok(worst)
}
