//! The tables: for the terminal, and for `BENCHMARKS.md`.

use crate::machine;
use crate::measure::Measurement;
use crate::peers::Peer;
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

const TERMINAL_COLUMNS: u16 = 80;

/// Tables that fit a terminal: xent, then how many times as long each peer takes.
pub(crate) fn terminal(measurements: &[Measurement], peers: &[Peer]) -> String {
    let rows = measurements.iter().map(|found| {
        vec![
            found.case.clone(),
            time(found.median_ms),
            percent(found.spread()),
            limited(found, percent(found.fraction)),
            limited(found, time(found.in_cache_ms)),
            mib(found),
        ]
    });
    let header = ["case", "median", "spread", "of limit", "in cache", "extra\nMiB"];
    let header = header.map(str::to_owned);
    let xent = table(&header, rows);
    if peers.is_empty() {
        return format!("\n{xent}\n");
    }
    let names = peers.iter().map(|peer| peer.name.replace('_', "\n"));
    let header: Vec<String> =
        std::iter::once("times as long as xent".to_owned()).chain(names).collect();
    let rows = measurements.iter().map(|found| {
        let ratio = |peer: &Peer| found.ratio(peer.name).map_or(String::new(), times);
        std::iter::once(found.case.clone()).chain(peers.iter().map(ratio)).collect()
    });
    format!("\n{xent}\n\n{}\n", table(&header, rows))
}

/// The page.
pub(crate) fn markdown(measurements: &[Measurement], peers: &[Peer], threads: usize) -> String {
    let described = machine::description().into_iter();
    let versions = peers.iter().map(|peer| (peer.title, peer.version.clone()));
    let described: String =
        described.chain(versions).map(|(what, which)| format!("| {what} | {which} |\n")).collect();
    let titles: String = peers.iter().map(|peer| format!(" {} |", peer.title)).collect();
    let rules = "---:|".repeat(peers.len());
    let rows: String = measurements.iter().map(|found| row(found, peers)).collect();
    format!(
        "# Benchmarks

What each loss takes on {threads} threads, and what the memory of the machine allows;
`cargo xtask bench --peers`.

- *limit*: the bytes that have to be read and written, at the bandwidth measured in the same rounds
  on buffers of the same size: that of a copy where a gradient is written, that of reading where only
  the value is asked for. *of limit* is the limit divided by the median: 100% is as fast as a copy.
  *goal* is what that should be.
- *in cache*: what the arithmetic takes. All rows at the pace of a few that stay in the caches of one
  core, shared out among the threads. *by* is what the time goes into: arithmetic, if only that
  takes 85% of the median; memory, if only the limit does; else both.
  [ARCHITECTURE.md](ARCHITECTURE.md#what-limits-the-kernels) counts the instructions.
- Each round times the bandwidth, xent and a peer in turn, so that all of them meet the machine in the
  same state. *median* is over the rounds; a quarter of them was below the first of the *quartiles*,
  and a quarter above the second.
- *extra* is memory at its peak on top of inputs and gradient.
- Peers: the median, and how many times as long as xent that is. All have the same inputs, the same
  number of threads and warm caches. PyTorch and JAX keep their memory from call to call, which the C
  library does not do by itself: left alone, PyTorch spends more time on page faults than on large
  losses. A peer that lacks a case, or cannot put the gradient in the place of the predictions, is
  left blank.
- Cases that move less than a MiB are about the cost of a call, not about memory.

| | |
|---|---|
{described}
| case | threads | median | quartiles | GB/s | limit | in cache | of limit | goal | by | extra |{titles}
|---|---:|---:|---:|---:|---:|---:|---:|---:|---|---:|{rules}
{rows}"
    )
}

fn row(found: &Measurement, peers: &[Peer]) -> String {
    let [first, third] = found.quartiles_ms.map(time);
    let mut cells = vec![
        format!("`{}`", found.case),
        found.threads.to_string(),
        time(found.median_ms),
        format!("{first} – {third}"),
        limited(found, format!("{:.1}", found.bandwidth_gb_s)),
        limited(found, time(found.limit_ms)),
        limited(found, time(found.in_cache_ms)),
        limited(found, percent(found.fraction)),
        limited(found, found.goal.map_or(String::new(), percent)),
        limited(found, found.limited_by().to_owned()),
        mib(found),
    ];
    cells.extend(peers.iter().map(|peer| {
        let median_ms = found.peers.get(peer.name);
        let ratio = found.ratio(peer.name).map_or(String::new(), times);
        median_ms.map_or(String::new(), |&ms| format!("{} ({ratio})", time(ms)))
    }));
    format!("| {} |\n", cells.join(" | "))
}

fn table(header: &[String], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(TERMINAL_COLUMNS);
    rows.for_each(|row| _ = table.add_row(row));
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 1));
        if index > 0 {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt()
}

/// What is said of large cases only.
fn limited(found: &Measurement, text: String) -> String {
    if found.has_limit() { text } else { String::new() }
}

fn mib(found: &Measurement) -> String {
    found.peak_extra_mib.map_or(String::new(), |mib| format!("{mib:.1}"))
}

/// Three digits, and the unit that they need.
fn time(ms: f64) -> String {
    let (number, unit) = if ms < 1.0 { (ms * 1e3, "µs") } else { (ms, "ms") };
    format!("{} {unit}", three_digits(number))
}

fn times(ratio: f64) -> String {
    format!("{}×", three_digits(ratio))
}

fn percent(fraction: f64) -> String {
    format!("{:.0}%", fraction * 100.0)
}

fn three_digits(number: f64) -> String {
    let decimals = match number {
        ..10.0 => 2,
        10.0..100.0 => 1,
        _ => 0,
    };
    format!("{number:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits() {
        assert_eq!(
            [0.00193, 0.25, 1.0, 27.44, 451.2].map(time),
            ["1.93 µs", "250 µs", "1.00 ms", "27.4 ms", "451 ms"]
        );
        assert_eq!(times(8.25), "8.25×");
        assert_eq!(percent(0.946), "95%");
    }
}
