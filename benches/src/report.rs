//! What was measured: tables for the terminal, and `docs/performance.md`.
//!
//! Every row keeps its newest result in a file of its own, so that one row can be measured again
//! without the others.

use std::{fmt::Write as _, fs, io, path::Path};

use serde::{Deserialize, Serialize};

/// One row of the benchmark: what must hold, and the figures behind it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Section {
    /// Its name on the command line.
    pub name: String,
    /// Its heading.
    pub title: String,
    /// How it was measured, in a few sentences.
    pub how: String,
    /// What must hold.
    pub goals: Vec<Goal>,
    /// Figures; the first row is the heading.
    pub table: Vec<Vec<String>>,
    /// Day and machine.
    pub measured: String,
}

/// One thing that must hold.
#[derive(Debug, Serialize, Deserialize)]
pub struct Goal {
    /// What is compared.
    pub what: String,
    /// What it must be.
    pub bound: String,
    /// What it was.
    pub figure: String,
    /// Whether it held.
    pub met: bool,
}

impl Goal {
    /// `figure` must be at most `bound`.
    pub fn at_most(what: impl Into<String>, figure: f64, bound: f64, unit: &str) -> Self {
        Self::new(what, figure, format!("≤ {}", show(bound, unit)), unit, figure <= bound)
    }

    /// `figure` must be at least `bound`.
    pub fn at_least(what: impl Into<String>, figure: f64, bound: f64, unit: &str) -> Self {
        Self::new(what, figure, format!("≥ {}", show(bound, unit)), unit, figure >= bound)
    }

    fn new(what: impl Into<String>, figure: f64, bound: String, unit: &str, met: bool) -> Self {
        // What was not measured holds nothing.
        let met = met && figure.is_finite();
        Self { what: what.into(), bound, figure: show(figure, unit), met }
    }
}

/// A figure with as many digits as mean something.
pub fn show(figure: f64, unit: &str) -> String {
    let text = match figure.abs() {
        _ if !figure.is_finite() => return "not measured".to_owned(),
        n if n >= 100.0 || n == n.round() => format!("{figure:.0}"),
        n if n >= 10.0 => format!("{figure:.1}"),
        _ => format!("{figure:.2}"),
    };
    match unit {
        "" => text,
        "×" | "%" => format!("{text} {unit}"),
        unit => format!("{text} {unit}"),
    }
}

impl Section {
    /// For the terminal.
    pub fn print(&self) {
        println!("\n## {}\n", self.title);
        println!("{}", table(&self.table));
        for goal in &self.goals {
            let mark = if goal.met { "ok    " } else { "MISSED" };
            println!("{mark} {}: {} ({})", goal.what, goal.figure, goal.bound);
        }
    }

    /// Keeps it in `folder`.
    pub fn keep(&self, folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder)?;
        fs::write(folder.join(format!("{}.json", self.name)), serde_json::to_vec_pretty(self)?)
    }

    fn load(folder: &Path, name: &str) -> Option<Self> {
        serde_json::from_slice(&fs::read(folder.join(format!("{name}.json"))).ok()?).ok()
    }
}

/// Columns of equal width; Markdown as well.
fn table(rows: &[Vec<String>]) -> String {
    let Some(heading) = rows.first() else { return String::new() };
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<usize> = (0..heading.len()).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(text, "| {cell:width$} ");
        }
        text.push_str("|\n");
        if index == 0 {
            for width in &widths {
                let _ = write!(text, "|{}", "-".repeat(width + 2));
            }
            text.push_str("|\n");
        }
    }
    text
}

/// Writes the document from what is kept in `folder`, in the order of `names`.
pub fn write_document(path: &Path, folder: &Path, names: &[&str]) -> io::Result<()> {
    let sections: Vec<Section> =
        names.iter().filter_map(|name| Section::load(folder, name)).collect();
    let mut text = String::from(
        "# Performance\n\n\
         `make bench` measures the release binary and writes this page; do not edit it. Server and load\n\
         are separate processes on a core each, over loopback. Ratios compare figures of the same run;\n\
         figures are medians of the rounds. CPU time is what the kernel accounts to the server's\n\
         threads (`/proc/PID/task/*/schedstat`), all work in the kernel included. What decided the\n\
         design, and what lost, is in [decisions.md](decisions.md).\n\n## What must hold\n\n",
    );
    let mut goals = vec![["", "what", "goal", "measured"].map(str::to_owned).to_vec()];
    for section in &sections {
        for goal in &section.goals {
            let mark = if goal.met { "✓" } else { "✗" };
            let what = format!("{}: {}", section.title, goal.what);
            goals.push(vec![mark.to_owned(), what, goal.bound.clone(), goal.figure.clone()]);
        }
    }
    text.push_str(&table(&goals));
    for section in &sections {
        let _ = write!(text, "\n## {}\n\n{}\n\n", section.title, section.how);
        text.push_str(&table(&section.table));
        let _ = write!(text, "\nMeasured {}.\n", section.measured);
    }
    fs::write(path, text)
}
