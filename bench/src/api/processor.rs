//! Processor time of a process and all that come from it, and of the machine, from `/proc`.

use std::fs;

use anyhow::Context as _;

/// Length of a clock tick in `/proc/…/stat`; USER_HZ is 100 on every Linux.
const TICK_S: f64 = 0.01;

/// Processor seconds that a process, those that come from it, and those of them that have ended have
/// used.
///
/// # Errors
/// When there is no such process.
pub fn seconds(process: u32) -> anyhow::Result<f64> {
    let mut used = Stat::read(process).with_context(|| format!("process {process}"))?.ticks;
    for child in children(process) {
        // It may have ended just now.
        used += seconds(child).unwrap_or(0.0) / TICK_S;
    }
    Ok(used * TICK_S)
}

/// The process that a process comes from.
///
/// # Errors
/// When there is no such process.
pub fn parent(process: u32) -> anyhow::Result<u32> {
    Ok(Stat::read(process).with_context(|| format!("process {process}"))?.parent)
}

fn children(process: u32) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let processes = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    processes.filter(|other| Stat::read(*other).is_some_and(|s| s.parent == process)).collect()
}

struct Stat {
    parent: u32,
    /// Of itself, and of its children that have ended.
    ticks: f64,
}

impl Stat {
    fn read(process: u32) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        // The name, in parentheses, may have anything in it. Fields 4 and 14 to 17 of proc(5).
        let (_, fields) = text.rsplit_once(") ")?;
        let fields: Vec<&str> = fields.split(' ').collect();
        let ticks: Option<Vec<f64>> =
            fields.get(11..15)?.iter().map(|field| field.parse().ok()).collect();
        Some(Self { parent: fields.get(1)?.parse().ok()?, ticks: ticks?.iter().sum() })
    }
}

/// Processor time of the whole machine until now, in ticks.
pub struct Machine {
    all: f64,
    stolen: f64,
}

impl Machine {
    /// # Errors
    /// When `/proc/stat` cannot be read.
    pub fn read() -> anyhow::Result<Self> {
        let text = fs::read_to_string("/proc/stat")?;
        // The first line of proc_stat(5): user, nice, system, idle, iowait, irq, softirq, steal, and the
        // guests' time, which is in user's and nice's.
        let ticks = text.lines().next().unwrap_or_default().split_whitespace().skip(1).take(8);
        let ticks: Vec<f64> = ticks.map(str::parse).collect::<Result<_, _>>()?;
        Ok(Self { all: ticks.iter().sum(), stolen: *ticks.get(7).context("no steal")? })
    }

    /// The share that other guests of the machine's host have taken of its processors since then.
    ///
    /// # Errors
    /// When `/proc/stat` cannot be read.
    pub fn stolen_since(&self) -> anyhow::Result<f64> {
        let now = Self::read()?;
        Ok((now.stolen - self.stolen) / (now.all - self.all).max(1.0))
    }
}
