//! What is sent: requests of several kinds, one of each kind for each user, and how kinds are mixed.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

/// The file: `{"kinds": {"list": ["GET … HTTP/1.1\r\n…\r\n\r\n", …]}, "mix": ["list", …]}`, with as
/// many requests in each kind as there are users.
#[derive(Deserialize)]
struct PlanFile {
    kinds: BTreeMap<String, Vec<String>>,
    mix: Vec<String>,
}

pub struct Plan {
    /// In the order in which the report has them.
    pub kinds: Vec<String>,
    /// By kind, then by user.
    requests: Vec<Vec<String>>,
    /// Places in `kinds`.
    mix: Vec<usize>,
    users: usize,
}

impl Plan {
    /// # Errors
    /// When the file is not there, or does not fit together.
    pub fn read(path: &Path) -> Result<Self> {
        let file = File::open(path).with_context(|| format!("plan {}", path.display()))?;
        let file: PlanFile = serde_json::from_reader(BufReader::new(file))?;
        let (kinds, requests): (Vec<_>, Vec<_>) = file.kinds.into_iter().unzip();
        let users = requests.first().map_or(0, Vec::len);
        ensure!(users > 0, "the plan has no requests");
        ensure!(requests.iter().all(|kind| kind.len() == users), "kinds for different users");
        let place = |name: &String| {
            kinds.iter().position(|kind| kind == name).with_context(|| format!("no kind {name}"))
        };
        let mix = file.mix.iter().map(place).collect::<Result<Vec<_>>>()?;
        ensure!(!mix.is_empty(), "the plan's mix is empty");
        Ok(Self { kinds, requests, mix, users })
    }

    /// The kind and the text of a user's request number `step`. Users begin at different places of the
    /// mix; numbers beyond the last user begin again with the first.
    #[must_use]
    pub fn request(&self, user: usize, step: usize) -> (usize, &[u8]) {
        let kind = self.mix[(user + step) % self.mix.len()];
        (kind, self.requests[kind][user % self.users].as_bytes())
    }
}
