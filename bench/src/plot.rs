// SPDX-License-Identifier: GPL-2.0
//! A picture of the metrics: every run a dot, the medians as bars.

use crate::metric::{Metric, median};
use anyhow::{Context, Result, anyhow};
use plotters::prelude::*;
use std::path::Path;

const SIZE: (u32, u32) = (900, 480);
const OURS: RGBColor = RGBColor(0xb7, 0x41, 0x0e);
const PEER: RGBColor = RGBColor(0x70, 0x80, 0x90);

/// Draws metrics of one unit.
pub fn draw(path: &Path, title: &str, metrics: &[Metric]) -> Result<()> {
    let first = metrics.first().context("nothing to plot")?;
    draw_all(path, title, first, metrics).map_err(|error| anyhow!("{}: {error}", path.display()))
}

fn draw_all(
    path: &Path,
    title: &str,
    first: &Metric,
    metrics: &[Metric],
) -> Result<(), Box<dyn std::error::Error>> {
    let all = metrics
        .iter()
        .flat_map(|metric| metric.ours.iter().chain(&metric.peer));
    let top = all.copied().fold(0.0, f64::max) * 1.15;
    let root = SVGBackend::new(path, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .caption(title, ("sans-serif", 22))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(64)
        .build_cartesian_2d(0.0..metrics.len() as f64, 0.0..top)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .disable_x_axis()
        .y_desc(&first.unit)
        .draw()?;
    for (side, color, name) in [(0.28, PEER, first.peer_name.as_str()), (0.72, OURS, "ours")] {
        let runs = |metric: &Metric| {
            if color == OURS {
                metric.ours.clone()
            } else {
                metric.peer.clone()
            }
        };
        let bars = metrics.iter().enumerate().map(|(at, metric)| {
            let (middle, height) = (at as f64 + side, median(runs(metric)));
            Rectangle::new(
                [(middle - 0.18, 0.0), (middle + 0.18, height)],
                color.mix(0.55).filled(),
            )
        });
        chart
            .draw_series(bars)?
            .label(name)
            .legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 12, y + 5)], color.filled()));
        let dots = metrics.iter().enumerate().flat_map(|(at, metric)| {
            let dot = move |value| Circle::new((at as f64 + side, value), 3, color.filled());
            runs(metric).into_iter().map(dot)
        });
        chart.draw_series(dots)?;
    }
    let names = metrics.iter().enumerate().map(|(at, metric)| {
        let text = format!("{}  x{:.2}", metric.metric, metric.ratio_median);
        Text::new(text, (at as f64 + 0.2, top * 0.97), ("sans-serif", 16))
    });
    chart.draw_series(names)?;
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::MiddleLeft)
        .draw()?;
    root.present()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_names_what_it_shows() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.svg");
        let metric = Metric::of_rates("pv/take", "MiB/s", "the other", &[(3.0, 1.0), (4.0, 2.0)]);
        draw(&path, "title", &[metric]).unwrap();
        let picture = std::fs::read_to_string(&path).unwrap();
        for part in ["<svg", "title", "pv/take", "x2.50", "the other", "ours"] {
            assert!(picture.contains(part), "{part} in {picture}");
        }
    }
}
