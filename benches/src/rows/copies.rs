//! Copies: what a frame allocates must not depend on how many watch.

use std::{env, io, process::Command};

use super::Effort;
use crate::report::{Goal, Section, show};

#[path = "../copies/case.rs"]
mod case;

use case::Case;

/// Bytes that a frame may cost more for all further viewers together: a copy of the frame would cost
/// each of them a hundred times as much.
const MAX_MORE_BYTES: f64 = 500.0;
/// Allocations a viewer and frame.
const MAX_ALLOCATIONS: f64 = 0.1;

pub fn run(_: Effort) -> io::Result<Section> {
    let program = env::current_exe()?.with_file_name("framecast-bench-copies");
    let output = Command::new(&program).stderr(std::process::Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(io::Error::other(format!("{}: {}", program.display(), output.status)));
    }
    let cases: Vec<Case> = serde_json::from_slice(&output.stdout)?;
    section(&cases).ok_or_else(|| io::Error::other("nothing was counted"))
}

fn section(cases: &[Case]) -> Option<Section> {
    let (few, many) = (cases.first()?, cases.last()?);
    let further = 2.0 * (many.viewers - few.viewers) as f64;
    let mut table = vec![
        ["viewers", "allocations a frame", "bytes allocated a frame"].map(str::to_owned).to_vec(),
    ];
    for case in cases {
        table.push(vec![
            format!("{0} streaming and {0} MJPEG", case.viewers),
            show(case.allocations, ""),
            show(case.bytes, ""),
        ]);
    }
    let (from, to) = (2 * few.viewers, 2 * many.viewers);
    Some(Section {
        name: "copies".into(),
        title: "Copies".into(),
        how: format!(
            "The server inside a program whose allocator counts. {} frames of {} bytes come over the \
             publish WebSocket, each is read and compared by every viewer over a real socket, half of \
             them streaming, half MJPEG. What is allocated includes the frame itself and what the \
             publisher's socket is read into.",
            few.frames, few.frame_bytes
        ),
        goals: vec![
            Goal::at_most(
                format!("bytes a frame, {to} viewers more than {from}"),
                many.bytes - few.bytes,
                MAX_MORE_BYTES,
                "",
            ),
            Goal::at_most(
                "allocations a frame and further viewer",
                (many.allocations - few.allocations) / further,
                MAX_ALLOCATIONS,
                "",
            ),
        ],
        table,
        measured: String::new(),
    })
}
