// SPDX-License-Identifier: GPL-2.0
//! A picture of the metrics: above, how many times better ours is; below, what depends on a size.

use crate::metric::{Metric, median};
use anyhow::{Result, anyhow, ensure};
use plotters::coord::Shift;
use plotters::prelude::*;
use std::collections::BTreeMap;
use std::path::Path;

const WIDTH: u32 = 900;
const HEAD: u32 = 40;
const ROW: u32 = 26;
const AXIS: u32 = 50;
const CURVES: u32 = 340;
const OURS: RGBColor = RGBColor(0xb7, 0x41, 0x0e);
const PEER: RGBColor = RGBColor(0x70, 0x80, 0x90);
const FONT: &str = "sans-serif";

type Drawn = Result<(), Box<dyn std::error::Error>>;
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Draws metrics. One with an `@` in its name is a point of a curve: what stands behind it is the size.
pub fn draw(path: &Path, title: &str, metrics: &[Metric]) -> Result<()> {
    ensure!(!metrics.is_empty(), "nothing to plot");
    draw_all(path, title, metrics).map_err(|error| anyhow!("{}: {error}", path.display()))
}

fn draw_all(path: &Path, title: &str, metrics: &[Metric]) -> Drawn {
    let (points, rows): (Vec<&Metric>, Vec<&Metric>) = metrics
        .iter()
        .partition(|metric| metric.metric.contains('@'));
    let of_rows = match rows.len() as u32 {
        0 => 0,
        count => count * ROW + AXIS,
    };
    let of_curves = if points.is_empty() { 0 } else { CURVES };
    let size = (WIDTH, HEAD + of_rows + of_curves);
    let root = SVGBackend::new(path, size).into_drawing_area();
    root.fill(&WHITE)?;
    let area = root.titled(title, (FONT, 22))?;
    let (above, below) = area.split_vertically(of_rows);
    if !rows.is_empty() {
        draw_ratios(&above, &rows)?;
    }
    if !points.is_empty() {
        draw_curves(&below, &curves(&points))?;
    }
    root.present()?;
    Ok(())
}

/// A row each: every pair a dot, the ratio a bar from 1, all on a logarithmic scale.
fn draw_ratios(area: &Area<'_>, rows: &[&Metric]) -> Drawn {
    let dots = |metric: &Metric| -> Vec<f64> {
        let pairs = metric.ours.iter().zip(&metric.peer);
        let better = metric.ratio_median.unwrap_or(1.0) >= 1.0;
        // Which way is better only the ratio tells: on its side of 1 are most of the pairs.
        let ratios: Vec<f64> = pairs.map(|(ours, peer)| ours / peer).collect();
        let turned = (median(ratios.clone()) >= 1.0) != better;
        let turn = |ratio: f64| if turned { 1.0 / ratio } else { ratio };
        ratios.into_iter().map(turn).collect()
    };
    let all = || rows.iter().flat_map(|metric| dots(metric));
    let low = all().filter(|ratio| *ratio > 0.0).fold(0.8, f64::min) * 0.9;
    let high = all().filter(|ratio| ratio.is_finite()).fold(2.0, f64::max) * 1.5;
    let count = rows.len() as f64;
    let mut chart = ChartBuilder::on(area)
        .margin(8)
        .x_label_area_size(AXIS - 16)
        .y_label_area_size(300)
        .build_cartesian_2d((low..high).log_scale(), 0.0..count)?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .disable_y_axis()
        .x_desc("times as good as the peer")
        .x_label_formatter(&|ratio| format!("{ratio}"))
        .draw()?;
    let line = [(1.0, 0.0), (1.0, count)];
    chart.draw_series(LineSeries::new(line, PEER.stroke_width(2)))?;
    for (at, metric) in rows.iter().enumerate() {
        let middle = count - at as f64 - 0.5;
        let (_, top) = chart.backend_coord(&(low, middle));
        let (_, origin) = area.get_base_pixel();
        let label = |text: String| Text::new(text, (8, top - origin - 8), (FONT, 15));
        let Some(ratio) = metric.ratio_median else {
            let ours = median(metric.ours.clone());
            let text = format!("{}  {ours:.3} {} (no peer)", metric.metric, metric.unit);
            area.draw(&label(text))?;
            continue;
        };
        area.draw(&label(format!("{}  x{ratio:.2}", metric.metric)))?;
        let bar = [(1.0, middle - 0.3), (ratio, middle + 0.3)];
        let bars = [Rectangle::new(bar, OURS.mix(0.55).filled())];
        chart.draw_series(bars)?;
        let dots = dots(metric).into_iter();
        chart.draw_series(dots.map(|dot| Circle::new((dot, middle), 3, OURS.filled())))?;
    }
    Ok(())
}

/// The points of a curve: size, ours, the peer's.
type Curve = Vec<(f64, f64, f64)>;

fn curves(points: &[&Metric]) -> (String, BTreeMap<String, Curve>) {
    let mut curves = BTreeMap::<String, Curve>::new();
    for metric in points {
        let Some((name, size)) = metric.metric.split_once('@') else {
            continue;
        };
        let (ours, peer) = (median(metric.ours.clone()), median(metric.peer.clone()));
        let size = size.parse().unwrap_or_default();
        curves
            .entry(name.into())
            .or_default()
            .push((size, ours, peer));
    }
    let unit = points.first().map(|metric| metric.unit.clone());
    (unit.unwrap_or_default(), curves)
}

fn draw_curves(area: &Area<'_>, (unit, curves): &(String, BTreeMap<String, Curve>)) -> Drawn {
    let all = || curves.values().flatten();
    let right = all().map(|point| point.0).fold(0.0, f64::max) * 1.05;
    let top = all().map(|point| point.1.max(point.2)).fold(0.0, f64::max) * 1.15;
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(64)
        .build_cartesian_2d(0.0..right, 0.0..top)?;
    chart
        .configure_mesh()
        .x_desc("MiB at once")
        .y_desc(unit)
        .draw()?;
    for (at, (name, curve)) in curves.iter().enumerate() {
        for (whose, color) in [("peer", PEER), ("ours", OURS)] {
            let color = color.mix(1.0 - 0.45 * (at % 2) as f64);
            let of = |point: &(f64, f64, f64)| {
                (point.0, if whose == "ours" { point.1 } else { point.2 })
            };
            let points: Vec<_> = curve.iter().map(of).collect();
            chart
                .draw_series(LineSeries::new(points.clone(), color.stroke_width(2)))?
                .label(format!("{name}, {whose}"))
                .legend(move |(x, y)| {
                    Rectangle::new([(x, y - 3), (x + 12, y + 3)], color.filled())
                });
            let dots = points.into_iter();
            chart.draw_series(dots.map(|point| Circle::new(point, 3, color.filled())))?;
        }
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.8))
        .draw()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_names_what_it_shows() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.svg");
        let pairs = [(3.0, 1.0), (4.0, 2.0)];
        let metrics = [
            Metric::of_rates("pv/take", "MiB/s", "the other", &pairs),
            Metric::of_costs("pv/calls", "calls", "the other", &[(8.0, 512.0)]),
            Metric::alone("pv/share", "share", "none", vec![0.25]),
            Metric::of_costs("pv/cost@256", "ms/GiB", "the other", &pairs),
            Metric::of_costs("pv/cost@512", "ms/GiB", "the other", &pairs),
        ];
        draw(&path, "title", &metrics).unwrap();
        let picture = std::fs::read_to_string(&path).unwrap();
        for part in [
            "<svg",
            "title",
            "pv/take  x2.50",
            "pv/calls  x64.00",
            "pv/share  0.250 share",
            "pv/cost, ours",
            "pv/cost, peer",
            "ms/GiB",
        ] {
            assert!(picture.contains(part), "{part} in {picture}");
        }
        assert!(!picture.contains('@'));
        // Each alone too.
        draw(&path, "title", &metrics[..1]).unwrap();
        draw(&path, "title", &metrics[3..]).unwrap();
        assert!(draw(&path, "title", &[]).is_err());
    }
}
