// SPDX-License-Identifier: GPL-2.0
//! Metrics: paired runs of ours and of a peer.

use serde::Serialize;

/// One metric, as it stands in `build/bench/<name>.json`.
#[derive(Clone, Debug, Serialize)]
pub struct Metric {
    /// Its name.
    pub metric: String,
    /// Its unit.
    pub unit: String,
    /// Our runs, in order.
    pub ours: Vec<f64>,
    /// The peer's runs, each made beside ours of the same place; none if there is nothing to compare.
    pub peer: Vec<f64>,
    /// Who the peer is, or why there is none.
    pub peer_name: String,
    /// How many times better ours is: above 1 is better, whatever the unit. The median over the pairs; of a
    /// percentile the percentile of the one by that of the other. None without a peer, and where ours is 0.
    pub ratio_median: Option<f64>,
    /// The percentile that counts, if it is not the median.
    #[serde(skip)]
    percent: Option<f64>,
}

impl Metric {
    /// Of which more is better, from pairs of ours and the peer's.
    pub fn of_rates(metric: &str, unit: &str, peer_name: &str, pairs: &[(f64, f64)]) -> Self {
        let ratios = pairs.iter().map(|(ours, peer)| ours / peer).collect();
        Self::of_pairs(metric, unit, peer_name, pairs, median(ratios))
    }

    /// Of which less is better: times, counts.
    pub fn of_costs(metric: &str, unit: &str, peer_name: &str, pairs: &[(f64, f64)]) -> Self {
        let ratios = pairs.iter().map(|(ours, peer)| peer / ours).collect();
        Self::of_pairs(metric, unit, peer_name, pairs, median(ratios))
    }

    /// Of which less is better, and the worst counts: a percentile of all runs of each.
    pub fn of_tail(
        metric: &str,
        unit: &str,
        peer_name: &str,
        percent: f64,
        pairs: &[(f64, f64)],
    ) -> Self {
        let (ours, peer) = pairs.iter().copied().unzip();
        let ratio = percentile(peer, percent) / percentile(ours, percent);
        Self {
            percent: Some(percent),
            ..Self::of_pairs(metric, unit, peer_name, pairs, ratio)
        }
    }

    /// Of which the peer has none, for a reason.
    pub fn alone(metric: &str, unit: &str, why: &str, ours: Vec<f64>) -> Self {
        Self {
            metric: metric.into(),
            unit: unit.into(),
            ours,
            peer: Vec::new(),
            peer_name: why.into(),
            ratio_median: None,
            percent: None,
        }
    }

    fn of_pairs(
        metric: &str,
        unit: &str,
        peer_name: &str,
        pairs: &[(f64, f64)],
        ratio: f64,
    ) -> Self {
        let (ours, peer) = pairs.iter().copied().unzip();
        Self {
            metric: metric.into(),
            unit: unit.into(),
            ours,
            peer,
            peer_name: peer_name.into(),
            ratio_median: ratio.is_finite().then_some(ratio),
            percent: None,
        }
    }

    /// Whether a percentile of all runs counts, not each pair.
    pub fn is_tail(&self) -> bool {
        self.percent.is_some()
    }

    /// What stands for all runs of the one or the other.
    pub fn figure(&self, runs: &[f64]) -> f64 {
        match self.percent {
            Some(percent) => percentile(runs.to_vec(), percent),
            None => median(runs.to_vec()),
        }
    }

    /// In a line, for people.
    pub fn line(&self) -> String {
        let Self {
            metric,
            unit,
            peer_name,
            ..
        } = self;
        let ours = self.figure(&self.ours);
        match self.ratio_median {
            Some(ratio) => {
                let peer = told(self.figure(&self.peer));
                let ours = told(ours);
                format!(
                    "{metric}: {ours} {unit} beside {peer}: {ratio:.2} times as good as {peer_name}"
                )
            }
            None if self.peer.is_empty() => {
                format!("{metric}: {} {unit} ({peer_name})", told(ours))
            }
            None => {
                let (ours, peer) = (told(ours), told(self.figure(&self.peer)));
                format!("{metric}: {ours} {unit} beside {peer} of {peer_name}")
            }
        }
    }
}

/// With three digits after the point, or as many more as it takes to show two that count.
fn told(figure: f64) -> String {
    let places = match figure.abs() {
        small if small > 0.0 && small < 0.01 => (1.0 - small.log10().floor()) as usize,
        _ => 3,
    };
    format!("{figure:.places$}")
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

/// The smallest value that so many percent of all are not above.
pub fn percentile(mut values: Vec<f64>, percent: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = (percent / 100.0 * values.len() as f64).ceil() as usize;
    let at = rank.max(1) - 1;
    values.get(at).copied().unwrap_or(f64::NAN)
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
    fn percentiles_are_values_that_were_seen() {
        let values: Vec<f64> = (1..=200).rev().map(f64::from).collect();
        assert_eq!(percentile(values.clone(), 99.0), 198.0);
        assert_eq!(percentile(values.clone(), 0.0), 1.0);
        assert_eq!(percentile(values, 100.0), 200.0);
        assert_eq!(percentile(vec![1.0, 9.0, 2.0], 99.0), 9.0);
        assert!(percentile(Vec::new(), 99.0).is_nan());
    }

    #[test]
    fn ratios_are_of_pairs() {
        let pairs = [(10.0, 5.0), (30.0, 10.0), (4.0, 4.0)];
        let metric = Metric::of_rates("a", "MiB/s", "b", &pairs);
        assert_eq!(metric.ratio_median, Some(2.0));
        assert_eq!(metric.peer, [5.0, 10.0, 4.0]);
    }

    #[test]
    fn above_one_is_better_also_of_costs() {
        let pairs = [(5.0, 10.0), (10.0, 30.0), (4.0, 4.0)];
        let metric = Metric::of_costs("a", "ms", "b", &pairs);
        assert_eq!(metric.ratio_median, Some(2.0));
        let tail = Metric::of_tail("a", "ms", "b", 99.0, &pairs);
        assert_eq!(tail.ratio_median, Some(3.0));
        assert_eq!(
            (tail.figure(&tail.ours), tail.figure(&tail.peer)),
            (10.0, 30.0)
        );
        assert_eq!(tail.ours, [5.0, 10.0, 4.0]);
    }

    #[test]
    fn small_figures_are_told() {
        assert_eq!(told(0.0004), "0.00040");
        assert_eq!(told(0.00995), "0.0100");
        assert_eq!(told(-0.00031), "-0.00031");
        assert_eq!(told(0.016), "0.016");
        assert_eq!(told(0.0), "0.000");
        assert_eq!(told(5503.4849), "5503.485");
    }

    #[test]
    fn without_a_peer_there_is_no_ratio() {
        let metric = Metric::alone("a", "share", "none: why", vec![0.5]);
        let json = serde_json::to_value(&metric).unwrap();
        assert!(json["ratio_median"].is_null());
        assert_eq!(json["peer"].as_array().unwrap().len(), 0);
        assert_eq!(metric.line(), "a: 0.500 share (none: why)");
    }

    #[test]
    fn nothing_has_no_ratio() {
        for peer in [512.0, 0.0] {
            let metric = Metric::of_costs("a", "flushes/GiB", "b", &[(0.0, peer)]);
            assert_eq!(metric.ratio_median, None);
            let line = format!("a: 0.000 flushes/GiB beside {peer:.3} of b");
            assert_eq!(metric.line(), line);
        }
    }
}
