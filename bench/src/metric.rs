// SPDX-License-Identifier: GPL-2.0
//! Metrics: paired runs of ours and of a peer.

use serde::Serialize;

/// One rate, as it stands in `build/bench/<name>.json`.
#[derive(Clone, Debug, Serialize)]
pub struct Metric {
    /// Its name.
    pub metric: String,
    /// Its unit.
    pub unit: String,
    /// Our runs, in order.
    pub ours: Vec<f64>,
    /// The peer's runs, each made just before ours of the same place.
    pub peer: Vec<f64>,
    /// Who the peer is.
    pub peer_name: String,
    /// Median over the pairs of ours/peer: above 1 is better.
    pub ratio_median: f64,
}

impl Metric {
    /// Of a rate, from pairs of ours and the peer's.
    pub fn of_rates(metric: &str, unit: &str, peer_name: &str, pairs: &[(f64, f64)]) -> Self {
        Self {
            metric: metric.into(),
            unit: unit.into(),
            ours: pairs.iter().map(|pair| pair.0).collect(),
            peer: pairs.iter().map(|pair| pair.1).collect(),
            peer_name: peer_name.into(),
            ratio_median: median(pairs.iter().map(|(ours, peer)| ours / peer).collect()),
        }
    }
}

/// The middle value; of two middle ones the mean.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let (count, half) = (values.len(), values.len() / 2);
    match count {
        0 => f64::NAN,
        _ if count % 2 == 1 => values[half],
        _ => (values[half - 1] + values[half]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(Vec::new()).is_nan());
    }

    #[test]
    fn ratios_are_of_pairs() {
        let metric = Metric::of_rates("a", "MiB/s", "b", &[(10.0, 5.0), (30.0, 10.0), (4.0, 4.0)]);
        assert_eq!(metric.ratio_median, 2.0);
        assert_eq!(metric.peer, [5.0, 10.0, 4.0]);
    }
}
