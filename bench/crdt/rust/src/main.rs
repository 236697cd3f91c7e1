// SPDX-License-Identifier: MIT
//! The Rust rivals of `./run bench crdt`: Yrs, Loro and diamond-types as native code.
//!
//! `lattice-crdt-rivals yrs|loro|diamond-types [--case PREFIX]` prints one JSON line per case, as
//! bench/README.md says. Each figure is the fastest of a few repetitions, in milliseconds.

mod diamond;
mod loro_cases;
mod measure;
mod traces;
mod yrs_cases;

use measure::Bench;

#[global_allocator]
static COUNTING: measure::Counting = measure::Counting;

fn main() {
    let mut words = std::env::args().skip(1);
    let rival = words.next().unwrap_or_default();
    let mut prefix = String::new();
    while let Some(word) = words.next() {
        if word == "--case" {
            prefix = words.next().unwrap_or_default();
        }
    }
    let bench = Bench::new(prefix);
    match rival.as_str() {
        "yrs" => yrs_cases::run(&bench),
        "loro" => loro_cases::run(&bench),
        "diamond-types" => diamond::run(&bench),
        _ => {
            eprintln!("usage: lattice-crdt-rivals yrs|loro|diamond-types [--case PREFIX]");
            std::process::exit(2);
        }
    }
}
