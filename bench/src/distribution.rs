//! Average and percentiles of a set of figures.

use std::fmt;

/// Figures in milliseconds, in ascending order.
pub struct Distribution(Vec<f64>);

impl Distribution {
    /// # Errors
    /// When there are no figures: nothing was measured.
    pub fn new(mut figures_ms: Vec<f64>) -> anyhow::Result<Self> {
        anyhow::ensure!(!figures_ms.is_empty(), "nothing was measured");
        figures_ms.sort_by(f64::total_cmp);
        Ok(Self(figures_ms))
    }

    #[allow(clippy::cast_precision_loss, reason = "far fewer than 2^52 figures")]
    fn average(&self) -> f64 {
        self.0.iter().sum::<f64>() / self.0.len() as f64
    }

    /// The smallest figure that at least `percent` of all do not exceed (nearest rank).
    pub fn percentile(&self, percent: usize) -> f64 {
        let rank = (self.0.len() * percent).div_ceil(100);
        self.0[rank.clamp(1, self.0.len()) - 1]
    }
}

impl fmt::Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "avg {:6.1} ms   p50 {:6.1} ms   p99 {:6.1} ms   max {:6.1} ms   ({} events)",
            self.average(),
            self.percentile(50),
            self.percentile(99),
            self.percentile(100),
            self.0.len()
        )
    }
}
