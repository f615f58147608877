// SPDX-License-Identifier: GPL-2.0
//! The table of `bed run`: redrawn in place on a terminal, else a line for each finished step.

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};
use console::Term;
use std::time::{Duration, Instant};

/// Redrawn at most that often.
const REDRAW: Duration = Duration::from_millis(100);

/// A row.
#[derive(Clone, Debug)]
pub struct Row {
    /// Guest.
    pub guest: String,
    /// Its kernel.
    pub kernel: String,
    /// What is asked of it.
    pub step: String,
    /// Its target in KiB.
    pub target_kb: u64,
    /// What it has in KiB.
    pub current_kb: u64,
    /// MiB per second, once known.
    pub rate: Option<f64>,
    /// Hypercalls for this step.
    pub hypercalls: u64,
    /// Whether the target was reached to the page, once known.
    pub exact: Option<bool>,
}

impl Row {
    fn cells(&self) -> [String; 8] {
        [
            self.guest.clone(),
            self.kernel.clone(),
            self.step.clone(),
            format!("{} KiB", self.target_kb),
            format!("{} KiB", self.current_kb),
            self.rate
                .map(|rate| format!("{rate:.0}"))
                .unwrap_or_default(),
            self.hypercalls.to_string(),
            match self.exact {
                None => "...".into(),
                Some(true) => "to the page".into(),
                Some(false) => "NOT reached".into(),
            },
        ]
    }
}

const HEAD: [&str; 8] = [
    "guest",
    "kernel",
    "xl mem-set",
    "target",
    "current",
    "MiB/s",
    "hypercalls",
    "reached",
];

/// All rows as a table.
pub fn render(rows: &[Row]) -> String {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_BORDERS_ONLY);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(HEAD);
    for row in rows {
        let cells = row.cells();
        table.add_row(cells.iter().enumerate().map(|(at, text)| {
            let side = if (3..=6).contains(&at) {
                CellAlignment::Right
            } else {
                CellAlignment::Left
            };
            Cell::new(text).set_alignment(side)
        }));
    }
    table.to_string()
}

/// Where the table is shown.
pub struct Screen {
    term: Term,
    rows: Vec<Row>,
    shown: usize,
    last: Option<Instant>,
}

impl Default for Screen {
    fn default() -> Self {
        Self {
            term: Term::stdout(),
            rows: Vec::new(),
            shown: 0,
            last: None,
        }
    }
}

impl Screen {
    /// Adds a row; answers its place.
    pub fn add(&mut self, row: Row) -> std::io::Result<usize> {
        self.rows.push(row);
        self.draw(false)?;
        Ok(self.rows.len() - 1)
    }

    /// Changes a row; the last change of a step is told in any case.
    pub fn update(&mut self, at: usize, change: impl FnOnce(&mut Row)) -> std::io::Result<()> {
        change(&mut self.rows[at]);
        let done = self.rows[at].exact.is_some();
        if done && !self.term.is_term() {
            println!("{}", self.rows[at].cells().join("  "));
        }
        self.draw(done)
    }

    /// Draws for the last time; answers all rows.
    pub fn finish(mut self) -> std::io::Result<Vec<Row>> {
        if self.term.is_term() {
            self.draw(true)?;
        } else {
            println!("{}", render(&self.rows));
        }
        Ok(self.rows)
    }

    fn draw(&mut self, now: bool) -> std::io::Result<()> {
        let fresh = self.last.is_some_and(|last| last.elapsed() < REDRAW);
        if !self.term.is_term() || (fresh && !now) {
            return Ok(());
        }
        let text = render(&self.rows);
        self.term.clear_last_lines(self.shown)?;
        self.term.write_line(&text)?;
        self.shown = text.lines().count();
        self.last = Some(Instant::now());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_shows_all_it_knows() {
        let row = Row {
            guest: "pv1".into(),
            kernel: "7.2".into(),
            step: "200 MiB".into(),
            target_kb: 204800,
            current_kb: 204800,
            rate: Some(123.4),
            hypercalls: 28,
            exact: Some(true),
        };
        let text = render(&[row]);
        for part in HEAD
            .into_iter()
            .chain(["pv1", "204800 KiB", "123", "28", "to the page"])
        {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}
