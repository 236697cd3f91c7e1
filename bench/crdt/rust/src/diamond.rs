// SPDX-License-Identifier: MIT
//! diamond-types: an operation log of plain text with a rope beside it.

use crate::measure::{bytes_in_use, Bench};
use crate::traces::{self, Trace};
use diamond_types::list::encoding::{EncodeOptions, ENCODE_PATCH};
use diamond_types::list::{ListCRDT, OpLog};

/// Replays a trace; with `patches`, each transaction's patch is encoded for the other peers.
fn replay(trace: &Trace, patches: bool) -> (ListCRDT, Vec<Vec<u8>>) {
    let mut list = ListCRDT::new();
    let agent = list.get_or_create_agent_id("ada");
    let mut encoded = Vec::new();
    for transaction in &trace.transactions {
        let before = list.oplog.local_version();
        for patch in &transaction.patches {
            if patch.deleted > 0 {
                list.delete_without_content(agent, patch.position..patch.position + patch.deleted);
            }
            if !patch.inserted.is_empty() {
                list.insert(agent, patch.position, &patch.inserted);
            }
        }
        if patches {
            encoded.push(list.oplog.encode_from(ENCODE_PATCH, &before));
        }
    }
    (list, encoded)
}

fn paper(bench: &Bench) {
    let Some(trace) = traces::read("automerge-paper") else { return };
    bench.time_n("paper/local, update each", 1, || (), |()| replay(&trace, true));
    bench.time("paper/local, one transaction", || replay(&trace, false));
    let (list, patches) = replay(&trace, true);
    assert_eq!(list.branch.content().to_string(), trace.end);
    let apply_all = |patches: &[Vec<u8>]| {
        let mut list = ListCRDT::new();
        for patch in patches {
            list.merge_data_and_ff(patch).expect("a patch");
        }
        list
    };
    bench.time_n("paper/remote, one by one", 1, || (), |()| apply_all(&patches));
    let bytes = list.oplog.encode(EncodeOptions::default());
    bench.time("paper/load own format", || ListCRDT::load_from(&bytes).expect("an operation log"));
    bench.time("paper/encode v1", || list.oplog.encode(EncodeOptions::default()));
    if bench.wants("paper/memory") {
        let before = bytes_in_use();
        let loaded = ListCRDT::load_from(&bytes).expect("an operation log");
        bench.print("paper/memory", "bytes", (bytes_in_use() - before) as f64);
        drop(loaded);
    }
}

fn friends(bench: &Bench) {
    let Some(trace) = traces::read("friendsforever") else { return };
    // The whole graph in one log; then each transaction as a patch of its own.
    let mut log = OpLog::new();
    let agents: Vec<_> =
        (0..trace.agents).map(|agent| log.get_or_create_agent_id(&format!("agent{agent}"))).collect();
    let mut versions: Vec<usize> = Vec::with_capacity(trace.transactions.len());
    let mut patches = Vec::with_capacity(trace.transactions.len());
    for transaction in &trace.transactions {
        let mut parents: Vec<usize> =
            transaction.parents.iter().map(|&parent| versions[parent]).collect();
        parents.sort_unstable();
        let before = log.local_version();
        let agent = agents[transaction.agent];
        let mut last = parents.last().copied().unwrap_or(0);
        for patch in &transaction.patches {
            if patch.deleted > 0 {
                let range = patch.position..patch.position + patch.deleted;
                last = log.add_delete_at(agent, &parents, range);
                parents = vec![last];
            }
            if !patch.inserted.is_empty() {
                last = log.add_insert_at(agent, &parents, patch.position, &patch.inserted);
                parents = vec![last];
            }
        }
        versions.push(last);
        patches.push(log.encode_from(ENCODE_PATCH, &before));
    }
    assert_eq!(log.checkout_tip().content().to_string(), trace.end);
    bench.time_n("friends/remote", 1, || (), |()| {
        let mut list = ListCRDT::new();
        for patch in &patches {
            list.merge_data_and_ff(patch).expect("a patch");
        }
        list
    });
    let bytes = log.encode(EncodeOptions::default());
    bench.time("friends/load", || ListCRDT::load_from(&bytes).expect("an operation log"));
}

pub fn run(bench: &Bench) {
    if bench.wants_family("paper/") {
        paper(bench);
    }
    if bench.wants_family("friends/") {
        friends(bench);
    }
}
