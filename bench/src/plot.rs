// SPDX-License-Identifier: GPL-2.0
//! A picture of the metrics: above, how many times better ours is; below, what depends on a size.

use crate::metric::{Metric, median};
use anyhow::{Result, anyhow, ensure};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::collections::BTreeMap;
use std::path::Path;

const WIDTH: u32 = 960;
const HEAD: u32 = 44;
const ROW: u32 = 24;
const AXIS: u32 = 56;
const CURVES: u32 = 380;
/// Where the figures stand, and where the bars begin.
const FIGURES: i32 = 240;
const BARS: u32 = 440;
/// For what is written behind a bar or a curve.
const RIGHT: i32 = 150;
const OURS: RGBColor = RGBColor(0xb7, 0x41, 0x0e);
const PEER: RGBColor = RGBColor(0x70, 0x80, 0x90);
const GRID: RGBColor = RGBColor(0xdd, 0xdd, 0xdd);
const FONT: &str = "sans-serif";
const SMALL: u32 = 14;
/// What may stand at an axis, times powers of ten.
const STEPS: [f64; 3] = [1.0, 2.0, 5.0];

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

/// A row each: the figures, every pair a dot, the ratio a bar from 1, all on a logarithmic scale.
fn draw_ratios(area: &Area<'_>, rows: &[&Metric]) -> Drawn {
    let ratios = || rows.iter().filter_map(|metric| metric.ratio_median);
    let all = || rows.iter().flat_map(|metric| dots(metric)).chain(ratios());
    let low = all().filter(|ratio| *ratio > 0.0).fold(0.5, f64::min) * 0.9;
    let high = all().filter(|ratio| ratio.is_finite()).fold(2.0, f64::max) * 1.1;
    let count = rows.len() as f64;
    let mut chart = ChartBuilder::on(area)
        .margin(8)
        .margin_right(RIGHT / 2)
        .x_label_area_size(AXIS - 16)
        .y_label_area_size(BARS)
        .build_cartesian_2d((low..high).log_scale(), 0.0..count)?;
    let (left, origin) = area.get_base_pixel();
    for tick in ticks(low, high) {
        let color = if tick == 1.0 { BLACK } else { GRID };
        chart.draw_series(LineSeries::new([(tick, 0.0), (tick, count)], color))?;
        let (x, y) = chart.backend_coord(&(tick, 0.0));
        area.draw(&centred(plain(tick), (x - left, y - origin + 6)))?;
    }
    let (x, y) = chart.backend_coord(&((low * high).sqrt(), 0.0));
    let what = "times as good as the peer; left of 1 is worse";
    area.draw(&centred(what.into(), (x - left, y - origin + 26)))?;
    for (at, metric) in rows.iter().enumerate() {
        let middle = count - at as f64 - 0.5;
        let (_, top) = chart.backend_coord(&(low, middle));
        let write = |text: String, x: i32| {
            area.draw(&Text::new(text, (x, top - origin - 7), (FONT, SMALL)))
        };
        write(metric.metric.clone(), 8)?;
        write(figures(metric), FIGURES)?;
        let Some(ratio) = metric.ratio_median else {
            let (x, _) = chart.backend_coord(&(1.0, middle));
            if metric.peer.is_empty() {
                write("no peer".into(), x - left + 6)?;
            }
            continue;
        };
        let color = if ratio < 1.0 { PEER } else { OURS };
        let bar = [(1.0, middle - 0.3), (ratio, middle + 0.3)];
        chart.draw_series([Rectangle::new(bar, color.mix(0.5).filled())])?;
        let dots = dots(metric);
        let end = dots.iter().copied().fold(ratio.max(1.0), f64::max);
        chart.draw_series(
            dots.into_iter()
                .map(|dot| Circle::new((dot, middle), 2, color.filled())),
        )?;
        let (x, _) = chart.backend_coord(&(end, middle));
        write(format!("x{ratio:.2}"), x - left + 6)?;
    }
    Ok(())
}

/// How many times better ours is, of each pair; of a percentile there is nothing to pair.
fn dots(metric: &Metric) -> Vec<f64> {
    if metric.is_tail() {
        return Vec::new();
    }
    let pairs = metric.ours.iter().zip(&metric.peer);
    let better = metric.ratio_median.unwrap_or(1.0) >= 1.0;
    // Which way is better only the ratio tells: on its side of 1 are most of the pairs.
    let ratios: Vec<f64> = pairs.map(|(ours, peer)| ours / peer).collect();
    let turned = (median(ratios.clone()) >= 1.0) != better;
    let turn = |ratio: f64| if turned { 1.0 / ratio } else { ratio };
    ratios.into_iter().map(turn).collect()
}

/// Ours and the peer's in a few words.
fn figures(metric: &Metric) -> String {
    let middle = |runs: &[f64]| plain(metric.figure(runs));
    let ours = middle(&metric.ours);
    match metric.peer.is_empty() {
        false => format!("{ours} / {} {}", middle(&metric.peer), metric.unit),
        true => format!("{ours} {}", metric.unit),
    }
}

/// A number with three digits that count, or more before the point.
fn plain(number: f64) -> String {
    if number == 0.0 {
        return "0".into();
    }
    let before = number.abs().log10().floor() as i32 + 1;
    let places = (3 - before).clamp(0, 6) as usize;
    let text = format!("{number:.places$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').into(),
        false => text,
    }
}

fn placed(across: HPos, along: VPos) -> TextStyle<'static> {
    let style: TextStyle<'_> = (FONT, SMALL).into_font().into();
    style.pos(Pos::new(across, along))
}

/// A text with the middle of its upper edge at a place.
fn centred(text: String, at: (i32, i32)) -> Text<'static, (i32, i32), String> {
    Text::new(text, at, placed(HPos::Center, VPos::Top))
}

/// What stands at a logarithmic axis.
fn ticks(low: f64, high: f64) -> Vec<f64> {
    let powers = (low.log10().floor() as i32)..=(high.log10().ceil() as i32);
    let all = powers.flat_map(|power| STEPS.map(|step| step * 10_f64.powi(power)));
    all.filter(|tick| (low..=high).contains(tick)).collect()
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
    let values = || all().flat_map(|point| [point.1, point.2]);
    let right = all().map(|point| point.0).fold(0.0, f64::max) * 1.05;
    let top = values().fold(1.0, f64::max) * 1.6;
    let bottom = values()
        .filter(|value| *value > 0.0)
        .fold(top, f64::min)
        .min(top / 4.0)
        / 1.6;
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .margin_right(RIGHT)
        .x_label_area_size(40)
        .y_label_area_size(70)
        .build_cartesian_2d(0.0..right, (bottom..top).log_scale())?;
    let (left, origin) = area.get_base_pixel();
    for tick in ticks(bottom, top) {
        chart.draw_series(LineSeries::new([(0.0, tick), (right, tick)], GRID))?;
        let (x, y) = chart.backend_coord(&(0.0, tick));
        let at = (x - left - 8, y - origin);
        area.draw(&Text::new(
            plain(tick),
            at,
            placed(HPos::Right, VPos::Center),
        ))?;
    }
    let sizes = curves.values().next().into_iter().flatten();
    for size in sizes.map(|point| point.0) {
        let (x, y) = chart.backend_coord(&(size, bottom));
        area.draw(&centred(plain(size), (x - left, y - origin + 6)))?;
    }
    let (x, y) = chart.backend_coord(&(right / 2.0, bottom));
    area.draw(&centred("MiB at once".into(), (x - left, y - origin + 24)))?;
    area.draw(&Text::new(
        unit.clone(),
        (8, 0),
        placed(HPos::Left, VPos::Top),
    ))?;
    let mut names = Vec::new();
    for (name, curve) in curves {
        for (whose, color) in [("peer", PEER), ("ours", OURS)] {
            let of = |point: &(f64, f64, f64)| {
                (point.0, if whose == "ours" { point.1 } else { point.2 })
            };
            let points: Vec<_> = curve.iter().map(of).collect();
            chart.draw_series(LineSeries::new(points.clone(), color.stroke_width(2)))?;
            let dots = points.iter();
            chart.draw_series(dots.map(|point| Circle::new(*point, 3, color.filled())))?;
            if let Some(last) = points.last() {
                let (x, y) = chart.backend_coord(last);
                let short = name.rsplit('/').next().unwrap_or(name);
                let short = short.split('-').next().unwrap_or(short);
                let at = (x - left + 10, y - origin - 7);
                names.push((at, format!("{short}, {whose}"), color));
            }
        }
    }
    // Where curves meet their names stand below each other.
    names.sort_by_key(|name| name.0.1);
    let mut free = i32::MIN;
    for ((x, y), text, color) in names {
        let y = y.max(free);
        free = y + SMALL as i32 + 2;
        let style = (FONT, SMALL).into_font().color(&color);
        area.draw(&Text::new(text, (x, y), style))?;
    }
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
            Metric::of_costs("pv/none", "flushes", "the other", &[(0.0, 512.0)]),
            Metric::of_costs("pv/cost@256", "ms/GiB", "the other", &pairs),
            Metric::of_costs("pv/cost@512", "ms/GiB", "the other", &pairs),
        ];
        draw(&path, "title", &metrics).unwrap();
        let picture = std::fs::read_to_string(&path).unwrap();
        for part in [
            "<svg",
            "title",
            "pv/take",
            "3.5 / 1.5 MiB/s",
            "x2.50",
            "pv/calls",
            "8 / 512 calls",
            "x64.00",
            "pv/share",
            "0.25 share",
            "no peer",
            "0 / 512 flushes",
            "cost, ours",
            "cost, peer",
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

    #[test]
    fn numbers_are_short() {
        for (number, text) in [
            (0.0, "0"),
            (0.00012345, "0.000123"),
            (0.998, "0.998"),
            (2.5, "2.5"),
            (17.04, "17"),
            (1833.6, "1834"),
        ] {
            assert_eq!(plain(number), text);
        }
        assert_eq!(ticks(0.4, 11.0), [0.5, 1.0, 2.0, 5.0, 10.0]);
    }
}
