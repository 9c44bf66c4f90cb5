//! What the kernel says of a process: which core it may use, the CPU time it had, the memory it holds.
//!
//! Belongs here: Linux and `/proc`. Does not: what is measured with it.

use std::{fs, io, process::Command, time::Duration};

use rustix::{
    process::{Resource, Rlimit, getrlimit, setrlimit},
    thread::{CpuSet, sched_setaffinity},
    time::{ClockId, clock_gettime},
};

/// The core that the server gets.
pub const SERVER_CORE: usize = 0;
/// The core that the load gets.
pub const LOAD_CORE: usize = 1;

/// Nanoseconds on the clock that all processes of this machine share (`CLOCK_MONOTONIC`).
pub fn now_ns() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Keeps the calling thread, and the threads and processes that it starts later, on one core.
pub fn pin(core: usize) -> io::Result<()> {
    pin_to(&[core])
}

/// The same for several cores.
pub fn pin_to(cores: &[usize]) -> io::Result<()> {
    let mut set = CpuSet::new();
    cores.iter().for_each(|&core| set.set(core));
    Ok(sched_setaffinity(None, &set)?)
}

/// Lets this process, and those it starts, open as many files as the system allows.
pub fn raise_open_files() -> io::Result<u64> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    Ok(limit.maximum.unwrap_or(u64::MAX))
}

/// CPU time that all threads of a process had, of those alive now.
pub fn cpu(pid: u32) -> io::Result<Duration> {
    let mut total = 0;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread may end while the folder is read.
        let Ok(text) = fs::read_to_string(thread?.path().join("schedstat")) else { continue };
        total += text.split(' ').next().and_then(|ns| ns.parse::<u64>().ok()).unwrap_or(0);
    }
    Ok(Duration::from_nanos(total))
}

/// Bytes of memory that a process holds (`VmRSS`).
pub fn rss(pid: u32) -> io::Result<u64> {
    status_kib(pid, "VmRSS:").map(|kib| kib << 10)
}

/// The most it ever held (`VmHWM`).
pub fn peak_rss(pid: u32) -> io::Result<u64> {
    status_kib(pid, "VmHWM:").map(|kib| kib << 10)
}

fn status_kib(pid: u32, field: &str) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    kib.ok_or_else(|| io::Error::other(format!("/proc/{pid}/status has no {field}")))
}

/// Bytes of memory that the kernel charges for what connections from this local port have not
/// delivered yet: the largest of one connection, and the mean (`w` of `ss -m`, the size of the
/// write queue with its bookkeeping). `None` where iproute2 is not installed.
pub fn send_queues(port: u16) -> io::Result<Option<(u64, f64)>> {
    let ss = Command::new("ss").args(["-tmnH", &format!("sport = :{port}")]).output();
    let table = match ss {
        Ok(output) => String::from_utf8_lossy(&output.stdout).into_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let queue = |memory: &str| {
        let fields = memory.split(')').next()?.split(',');
        fields.filter_map(|field| field.strip_prefix('w')?.parse::<u64>().ok()).next()
    };
    let queues: Vec<u64> = table.split("skmem:(").skip(1).filter_map(queue).collect();
    let mean = queues.iter().sum::<u64>() as f64 / queues.len().max(1) as f64;
    Ok(queues.iter().max().map(|&largest| (largest, mean)))
}

/// The machine in one line: cores, processor, kernel.
pub fn machine() -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = cpuinfo.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_once(": ")).map_or("unknown", |(_, value)| value).to_owned()
    };
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZeroUsize::get);
    format!("{cores} cores of {}, Linux {}", field("model name"), kernel.trim())
}

/// Today, as in 2026-01-31 (UTC).
pub fn today() -> String {
    let ms = clock_gettime(ClockId::Realtime).tv_sec as u64 * 1000;
    framecast::wire::iso8601::format_ms(ms).chars().take(10).collect()
}
