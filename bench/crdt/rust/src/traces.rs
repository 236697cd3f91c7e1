// SPDX-License-Identifier: MIT
//! Editing traces, and the stored updates of one of them.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

pub struct Patch {
    pub position: usize,
    pub deleted: usize,
    pub inserted: String,
}

pub struct Transaction {
    pub parents: Vec<usize>,
    pub agent: usize,
    pub patches: Vec<Patch>,
}

pub struct Trace {
    pub end: String,
    pub agents: usize,
    pub transactions: Vec<Transaction>,
}

fn folder() -> PathBuf {
    std::env::var_os("LATTICE_TRACES").map_or_else(|| PathBuf::from("../shared/traces"), PathBuf::from)
}

/// None, with a word on standard error, when the trace is not there.
pub fn read(name: &str) -> Option<Trace> {
    let path = folder().join(format!("{name}.json.gz"));
    let Ok(file) = File::open(&path) else {
        eprintln!("{}: not there, its cases are left out", path.display());
        return None;
    };
    let mut text = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).expect("a gzip file");
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let number = |value: &serde_json::Value| value.as_u64().unwrap_or(0) as usize;
    let transactions = json["txns"]
        .as_array()
        .expect("txns")
        .iter()
        .map(|transaction| Transaction {
            parents: transaction["parents"]
                .as_array()
                .map(|parents| parents.iter().map(number).collect())
                .unwrap_or_default(),
            agent: number(&transaction["agent"]),
            patches: transaction["patches"]
                .as_array()
                .expect("patches")
                .iter()
                .map(|patch| Patch {
                    position: number(&patch[0]),
                    deleted: number(&patch[1]),
                    inserted: patch[2].as_str().unwrap_or("").to_owned(),
                })
                .collect(),
        })
        .collect();
    Some(Trace {
        end: json["endContent"].as_str().unwrap_or("").to_owned(),
        agents: number(&json["numAgents"]).max(1),
        transactions,
    })
}

/// The updates of a trace in Yjs's format, one per transaction: `u32` little-endian length, bytes.
/// Another contestant may have stored them; otherwise `make` does the work once.
pub fn stored_updates(name: &str, make: impl FnOnce() -> Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let path = PathBuf::from(format!("build/bench/crdt/{name}_updates.bin"));
    if let Ok(bytes) = std::fs::read(&path) {
        let mut rest = bytes.as_slice();
        let mut updates = Vec::new();
        while rest.len() >= 4 {
            let length = u32::from_le_bytes(rest[..4].try_into().unwrap()) as usize;
            updates.push(rest[4..4 + length].to_vec());
            rest = &rest[4 + length..];
        }
        return updates;
    }
    let updates = make();
    let mut bytes = Vec::new();
    for update in &updates {
        bytes.extend_from_slice(&(update.len() as u32).to_le_bytes());
        bytes.extend_from_slice(update);
    }
    std::fs::create_dir_all(path.parent().unwrap()).ok();
    // Under another name first: a run that is cut off leaves no half file behind.
    let partial = path.with_extension("partial");
    if std::fs::write(&partial, bytes).is_ok() {
        std::fs::rename(partial, path).ok();
    }
    updates
}
