//! What the measurements were made on, and with.

use std::fs;
use std::process::Command;

/// Lines of `what: which`; only Linux tells all of them.
pub(crate) fn description() -> Vec<(&'static str, String)> {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let mut lines = vec![
        ("Processor", format!("{}, {cores} cores", processor())),
        ("Instruction set", instruction_set()),
    ];
    lines.extend(caches().map(|caches| ("Caches", caches)));
    lines.extend(memory().map(|memory| ("Memory", memory)));
    lines.extend(pages().map(|pages| ("Pages", pages)));
    lines.push(("System", format!("{} on {}", std::env::consts::OS, std::env::consts::ARCH)));
    lines.extend(output("rustc", &["--version"]).map(|version| ("Compiler", version)));
    let commit = output("git", &["describe", "--always", "--dirty"]);
    let commit = commit.map_or(String::new(), |commit| format!(" ({commit})"));
    lines.push(("xent", format!("{}{commit}", env!("CARGO_PKG_VERSION"))));
    lines.push(("Date", chrono::Utc::now().date_naive().to_string()));
    lines
}

fn processor() -> String {
    let model = fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    model.unwrap_or_else(|| "unknown".to_owned())
}

/// The widest that the processor has, and the one asked for.
fn instruction_set() -> String {
    #[cfg(target_arch = "x86_64")]
    let widest = match (is_x86_feature_detected!("avx512f"), is_x86_feature_detected!("avx2")) {
        (true, _) => "AVX-512",
        (false, true) => "AVX2",
        (false, false) => "SSE2",
    };
    #[cfg(not(target_arch = "x86_64"))]
    let widest = std::env::consts::ARCH;
    match std::env::var("XENT_ISA") {
        Ok(wanted) => format!("{widest}; XENT_ISA={wanted}"),
        Err(_) => widest.to_owned(),
    }
}

/// Such as `L1d 48K, L2 2048K, L3 32768K`, as the first core sees them.
fn caches() -> Option<String> {
    let caches = (0..8).map_while(|index| {
        let folder = format!("/sys/devices/system/cpu/cpu0/cache/index{index}");
        let read = |file: &str| fs::read_to_string(format!("{folder}/{file}")).ok();
        let (level, size, kind) = (read("level")?, read("size")?, read("type")?);
        let kind = match kind.trim() {
            "Data" => "d",
            "Instruction" => "i",
            _ => "",
        };
        Some(format!("L{}{kind} {}", level.trim(), size.trim()))
    });
    let caches: Vec<String> = caches.collect();
    (!caches.is_empty()).then(|| caches.join(", "))
}

fn memory() -> Option<String> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let kib: f64 = text.strip_prefix("MemTotal:")?.split_whitespace().next()?.parse().ok()?;
    Some(format!("{:.0} GiB", kib / f64::from(1 << 20)))
}

/// Whether memory comes in large pages: what the system grants, and what `malloc` asks for.
fn pages() -> Option<String> {
    let text = fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled").ok()?;
    let granted = text.split_once('[')?.1.split_once(']')?.0;
    let tunables = std::env::var("GLIBC_TUNABLES").unwrap_or_default();
    let asked = tunables.split(':').any(|tunable| tunable == "glibc.malloc.hugetlb=1");
    Some(match (granted, asked) {
        ("always", _) => "large, always".to_owned(),
        ("madvise", true) => "large, asked for by malloc (glibc.malloc.hugetlb=1)".to_owned(),
        _ => format!("small, unless a program asks (transparent huge pages: {granted})"),
    })
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
