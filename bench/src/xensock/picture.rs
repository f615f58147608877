// SPDX-License-Identifier: GPL-2.0
//! A picture of the curves: a panel for each, all ways in it.

use crate::metric::{Metric, median};
use anyhow::{Result, anyhow};
use plotters::prelude::*;
use std::collections::BTreeMap;
use std::path::Path;

const PANEL: (u32, u32) = (450, 330);
const COLORS: [RGBColor; 4] = [
    RGBColor(0xb7, 0x41, 0x0e),
    RGBColor(0x70, 0x80, 0x90),
    RGBColor(0x2a, 0x6f, 0x97),
    RGBColor(0x6a, 0x8d, 0x3a),
];
const OURS: &str = "xensock";

type Drawn = Result<(), Box<dyn std::error::Error>>;
/// Rates by size, of one way.
type Curve = BTreeMap<u32, f64>;
/// By way.
type Panel = BTreeMap<String, Curve>;

/// Draws those of the metrics that are points of curves.
pub fn draw(path: &Path, metrics: &[Metric]) -> Result<()> {
    let panels = panels(metrics);
    if panels.is_empty() {
        return Ok(());
    }
    draw_all(path, &panels).map_err(|error| anyhow!("{}: {error}", path.display()))
}

fn panels(metrics: &[Metric]) -> BTreeMap<String, Panel> {
    let mut panels = BTreeMap::<String, Panel>::new();
    for metric in metrics {
        let point = metric.metric.split_once('@');
        let Some((name, Ok(at))) = point.map(|(name, at)| (name, at.parse())) else {
            continue;
        };
        let panel = panels.entry(name.into()).or_default();
        for (way, runs) in [(OURS, &metric.ours), (&metric.peer_name, &metric.peer)] {
            let curve = panel.entry(way.into()).or_default();
            curve.insert(at, median(runs.clone()));
        }
    }
    panels
}

fn draw_all(path: &Path, panels: &BTreeMap<String, Panel>) -> Drawn {
    let rows = panels.len().div_ceil(2);
    let size = (PANEL.0 * 2, PANEL.1 * rows as u32);
    let root = SVGBackend::new(path, size).into_drawing_area();
    root.fill(&WHITE)?;
    for (area, (name, panel)) in root.split_evenly((rows, 2)).iter().zip(panels) {
        draw_panel(area, name, panel)?;
    }
    root.present()?;
    Ok(())
}

fn draw_panel(
    area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    name: &str,
    panel: &Panel,
) -> Drawn {
    let all = || panel.values().flatten();
    let left = all().map(|point| *point.0).min().unwrap_or(1);
    let right = all().map(|point| *point.0).max().unwrap_or(1);
    let rates = || all().map(|point| *point.1).filter(|rate| *rate > 0.0);
    let low = rates().fold(f64::MAX, f64::min) / 1.5;
    let high = rates().fold(0.0, f64::max) * 1.5;
    let mut chart = ChartBuilder::on(area)
        .caption(format!("{name}, MiB/s"), ("sans-serif", 16))
        .margin(10)
        .x_label_area_size(30)
        .y_label_area_size(60)
        .build_cartesian_2d((left..right).log_scale(), (low..high).log_scale())?;
    chart.configure_mesh().draw()?;
    let mut ways: Vec<_> = panel.iter().collect();
    ways.sort_by_key(|(way, _)| way.as_str() != OURS);
    for ((way, curve), color) in ways.into_iter().zip(COLORS) {
        let points = curve.iter().map(|(at, rate)| (*at, *rate));
        chart
            .draw_series(LineSeries::new(points.clone(), color.stroke_width(2)))?
            .label(way.as_str())
            .legend(move |(x, y)| Rectangle::new([(x, y - 3), (x + 12, y + 3)], color.filled()));
        chart.draw_series(points.map(|point| Circle::new(point, 3, color.filled())))?;
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE.mix(0.8))
        .draw()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_every_way() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.svg");
        let mut metrics = Vec::new();
        for (name, rate) in [("pv/a@64", 3.0), ("pv/a@128", 5.0), ("pv/b@1", 2.0)] {
            for peer in ["netfront-tcp", "af-unix"] {
                metrics.push(Metric::of_rates(name, "MiB/s", peer, &[(rate, 1.0)]));
            }
        }
        metrics.push(Metric::of_rates("pv/c", "MiB/s", "af-unix", &[(1.0, 1.0)]));
        draw(&path, &metrics).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        for word in [
            "pv/a, MiB/s",
            "pv/b, MiB/s",
            "xensock",
            "netfront-tcp",
            "af-unix",
        ] {
            assert!(text.contains(word), "{word}");
        }
        assert!(!text.contains("pv/c"));
    }
}
