//! Plots as SVG. Their ink is replaced by the page's own colours, so that they suit a light and a dark one.

use std::{error::Error, time::Duration};

use plotters::prelude::*;

use super::Summary;

/// What the page's style sheet replaces by the colour of its text, of its faint lines, and of its data.
pub(super) const INK: &str = "#010101";
pub(super) const FAINT: &str = "#020202";
pub(super) const DATA: &str = "#030303";

const INK_COLOUR: RGBColor = RGBColor(1, 1, 1);
const FAINT_COLOUR: RGBColor = RGBColor(2, 2, 2);
const DATA_COLOUR: RGBColor = RGBColor(3, 3, 3);

const SIZE: (u32, u32) = (720, 300);
const TEXT: (&str, u32) = ("sans-serif", 16);

/// Which share of the times that service was away had ended after how long; none without any.
pub(super) fn recoveries(summary: &Summary) -> Option<String> {
    let longest = summary.recoveries.last()?.as_secs_f64();
    let count = summary.recoveries.len() as f64;
    let share = |ended: usize| ended as f64 / count * 100.0;
    let step =
        |(rank, duration): (usize, &Duration)| [rank, rank + 1].map(|ended| (duration.as_secs_f64(), share(ended)));
    let steps = summary.recoveries.iter().enumerate().flat_map(step);
    let points: Vec<_> = std::iter::once((0.0, 0.0)).chain(steps).collect();
    lines(&points, longest, 100.0, "seconds until service was back", "% of the times").ok()
}

/// How many operations each run made, in the order of their seeds; none for a single run.
pub(super) fn operations(counts: &[u64]) -> Option<String> {
    let most = *counts.iter().max().filter(|_| counts.len() > 1)?;
    let points: Vec<_> = counts.iter().enumerate().map(|(run, count)| (run as f64, *count as f64)).collect();
    lines(&points, (counts.len() - 1) as f64, most as f64, "run", "operations").ok()
}

fn lines(points: &[(f64, f64)], right: f64, top: f64, x_title: &str, y_title: &str) -> Result<String, Box<dyn Error>> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        // A plot without any extent cannot be drawn.
        let (right, top) = (right.max(1e-3) * 1.02, top.max(1.0) * 1.02);
        let mut chart = ChartBuilder::on(&root)
            .margin(12)
            .x_label_area_size(40)
            .y_label_area_size(56)
            .build_cartesian_2d(0.0..right, 0.0..top)?;
        let text = TEXT.into_font().color(&INK_COLOUR);
        chart
            .configure_mesh()
            .axis_style(INK_COLOUR)
            .bold_line_style(FAINT_COLOUR)
            .disable_x_mesh()
            .max_light_lines(0)
            .x_label_formatter(&number)
            .y_label_formatter(&number)
            .label_style(text.clone())
            .axis_desc_style(text)
            .x_desc(x_title)
            .y_desc(y_title)
            .draw()?;
        chart.draw_series(LineSeries::new(points.iter().copied(), DATA_COLOUR.stroke_width(2)))?;
        root.present()?;
    }
    Ok(svg)
}

/// As short as a number can be that a grid line stands for.
fn number(value: &f64) -> String {
    ((value * 1000.0).round() / 1000.0).to_string()
}
