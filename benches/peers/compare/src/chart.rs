//! The least times as a chart.

use std::{error::Error, path::Path};

use harness::{Algorithm, Case};
use plotters::{
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

use crate::{
    peer::PEERS,
    results::{Row, number},
};

/// What a chart shows, and how large.
pub(crate) struct Form {
    is_shown: fn(&Row) -> bool,
    /// The height of a bar, in pixels.
    bar: f64,
    /// Between two groups, in bars.
    gap: f64,
    /// The size of the number at a bar.
    font: i32,
}

/// All good tokens. Bad ones by one algorithm, for the others say the same.
pub(crate) const WHOLE: Form = Form {
    is_shown: |row| match row.case {
        Case::Repeated | Case::Distinct => true,
        _ => row.algorithm == Algorithm::RS256,
    },
    bar: 11.0,
    gap: 1.6,
    font: 12,
};

/// Five rows, for the main README: at most 480 pixels high.
pub(crate) const SMALL: Form = Form {
    is_shown: |row| row.algorithm == Algorithm::RS256 && row.case != Case::Garbage,
    bar: 7.8,
    gap: 0.8,
    font: 9,
};

/// Horizontal bars: a group for each row that is shown, a bar for each peer.
pub(crate) fn draw(path: &Path, rows: &[Row], form: &Form) -> Result<(), Box<dyn Error>> {
    let rows: Vec<_> = rows.iter().filter(|row| (form.is_shown)(row)).collect();
    let group = PEERS.len() as f64 + form.gap;
    let height = rows.len() as f64 * group;
    let times = rows.iter().flat_map(|row| row.cells.iter().flatten()).map(|cell| cell.least());
    let longest = times.fold(1.0, f64::max);

    let size = (WIDTH, HEAD + (height * form.bar) as u32 + FOOT);
    let root = SVGBackend::new(path, size).into_drawing_area();
    // Its own background, so that it can be read on a dark page too.
    root.fill(&WHITE)?;
    head(&root)?;

    let mut chart = ChartBuilder::on(&root)
        .margin_top(HEAD)
        .margin_right(RIGHT)
        .x_label_area_size(FOOT)
        .y_label_area_size(LEFT)
        .build_cartesian_2d((SHORTEST..longest * 1.1).log_scale(), height..0.0)?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .disable_y_axis()
        .x_labels(6)
        .x_label_formatter(&|value| value.to_string())
        .x_label_style(text(12, GREY))
        .bold_line_style(RGBColor(222, 222, 222))
        .light_line_style(TRANSPARENT)
        .axis_style(RGBColor(222, 222, 222))
        .draw()?;

    for (index, row) in rows.iter().enumerate() {
        let top = index as f64 * group + form.gap / 2.0;
        let middle = top + PEERS.len() as f64 / 2.0;
        let (x, y) = chart.backend_coord(&(SHORTEST, middle));
        let right = text(14, INK).pos(Pos::new(HPos::Right, VPos::Center));
        root.draw(&Text::new(row.name(), (x - 8, y), right))?;

        for (bar, (cell, color)) in row.cells.iter().zip(COLORS).enumerate() {
            let y = top + bar as f64;
            let value = cell.as_ref().map(|cell| cell.least());
            let end = value.unwrap_or(SHORTEST).max(SHORTEST);
            let shape = [(SHORTEST, y + 0.08), (end, y + 0.92)];
            chart.draw_series([Rectangle::new(shape, color.filled())])?;
            let (x, y) = chart.backend_coord(&(end, y + 0.5));
            let label = value.map_or("does not have it".to_owned(), number);
            let left = text(form.font, GREY).pos(Pos::new(HPos::Left, VPos::Center));
            root.draw(&Text::new(label, (x + 4, y), left))?;
        }
    }
    root.present()?;
    Ok(())
}

/// Title and legend.
fn head(root: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>) -> Result<(), Box<dyn Error>> {
    root.draw(&Text::new(TITLE, (16, 12), text(20, INK)))?;
    root.draw(&Text::new(SUBTITLE, (16, 36), text(14, GREY)))?;
    let (mut x, mut y) = (16, 60);
    for (peer, color) in PEERS.iter().zip(COLORS) {
        // Nothing measures text here, and a reader's fonts are unknown anyway.
        let width = 40 + peer.name.len() as i32 * 7;
        if x + width > WIDTH as i32 {
            (x, y) = (16, y + 20);
        }
        root.draw(&Rectangle::new([(x, y), (x + 11, y + 11)], color.filled()))?;
        root.draw(&Text::new(peer.name, (x + 16, y), text(14, INK)))?;
        x += width;
    }
    Ok(())
}

fn text(size: i32, color: RGBColor) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&color)
}

const TITLE: &str = "What authentication adds to a request";
const SUBTITLE: &str =
    "µs per request over the bare router, best round, on a logarithmic scale; shorter is better";
/// Of the peers, in their order. They can be told apart by the colour-blind.
const COLORS: [RGBColor; PEERS.len()] = [
    RGBColor(213, 94, 0),
    RGBColor(0, 114, 178),
    RGBColor(86, 180, 233),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(150, 150, 150),
    RGBColor(230, 159, 0),
    RGBColor(68, 68, 68),
];
const INK: RGBColor = RGBColor(31, 35, 40);
const GREY: RGBColor = RGBColor(89, 99, 110);
/// Where the bars begin, in µs. What is less has no bar, and its number alone.
const SHORTEST: f64 = 0.05;
// Pixels.
const WIDTH: u32 = 900;
const LEFT: u32 = 190;
const RIGHT: u32 = 100;
/// Title, subtitle, and two lines of the legend.
const HEAD: u32 = 106;
const FOOT: u32 = 28;
