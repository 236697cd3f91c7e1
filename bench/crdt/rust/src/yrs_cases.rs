// SPDX-License-Identifier: MIT
//! Yrs, the Rust port of Yjs.

use crate::measure::{bytes_in_use, Bench, Random};
use crate::traces::{self, Trace};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use yrs::updates::decoder::Decode;
use yrs::{
    merge_updates_v1, Any, Array, ArrayRef, Doc, GetString, Map, MapRef, OffsetKind, Options,
    ReadTxn, StateVector, Text, TextRef, Transact, Update,
};

const N: u32 = 6000;
const CLIENTS: u64 = 1540;

fn new_doc(client: u64) -> Doc {
    Doc::with_options(Options {
        offset_kind: OffsetKind::Utf16,
        ..Options::with_client_id(yrs::block::ClientID::new(client))
    })
}

fn apply(doc: &Doc, update: &[u8]) {
    doc.transact_mut().apply_update(Update::decode_v1(update).expect("an update")).expect("applied");
}

/// Updates as they leave the document, one per transaction.
fn collect(doc: &Doc) -> Arc<Mutex<Vec<Vec<u8>>>> {
    let updates = Arc::new(Mutex::new(Vec::new()));
    let sink = updates.clone();
    doc.observe_update_v1("bench", move |_, event| sink.lock().unwrap().push(event.update.clone()))
        .expect("no open transaction");
    updates
}

fn text_of(doc: &Doc, text: &TextRef) -> String {
    text.get_string(&doc.transact())
}

fn replay_each(trace: &Trace) -> (Doc, Vec<Vec<u8>>) {
    let doc = new_doc(1);
    let text = doc.get_or_insert_text("text");
    let updates = collect(&doc);
    for transaction in &trace.transactions {
        let mut txn = doc.transact_mut();
        for patch in &transaction.patches {
            if patch.deleted > 0 {
                text.remove_range(&mut txn, patch.position as u32, patch.deleted as u32);
            }
            if !patch.inserted.is_empty() {
                text.insert(&mut txn, patch.position as u32, &patch.inserted);
            }
        }
    }
    let updates = std::mem::take(&mut *updates.lock().unwrap());
    (doc, updates)
}

fn paper(bench: &Bench) {
    let Some(trace) = traces::read("automerge-paper") else { return };
    // Yrs walks to its index, which takes seconds, so it is run once a round. In one transaction it
    // takes minutes, since nothing merges before the end: that case is left out.
    bench.time_n("paper/local, update each", 1, || (), |()| replay_each(&trace));
    let others = ["paper/remote", "paper/load", "paper/encode", "paper/diff", "paper/merge", "paper/memory"];
    if !others.iter().any(|case| bench.wants_family(case)) {
        return;
    }
    let updates = traces::stored_updates("paper", || replay_each(&trace).1);
    let apply_all = || {
        let doc = new_doc(2);
        for update in &updates {
            apply(&doc, update);
        }
        doc
    };
    let doc = apply_all();
    assert_eq!(text_of(&doc, &doc.get_or_insert_text("text")), trace.end);
    bench.time("paper/remote, one by one", apply_all);
    let v1 = doc.transact().encode_state_as_update_v1(&StateVector::default());
    let v2 = doc.transact().encode_state_as_update_v2(&StateVector::default());
    bench.time("paper/load v1", || {
        let doc = new_doc(3);
        apply(&doc, &v1);
        let text = doc.get_or_insert_text("text");
        let length = text.len(&doc.transact());
        (doc, length)
    });
    bench.time("paper/load v2", || {
        let doc = new_doc(3);
        doc.transact_mut().apply_update(Update::decode_v2(&v2).unwrap()).unwrap();
        let text = doc.get_or_insert_text("text");
        let length = text.len(&doc.transact());
        (doc, length)
    });
    bench.time("paper/encode v1", || {
        doc.transact().encode_state_as_update_v1(&StateVector::default())
    });
    bench.time("paper/encode v2", || {
        doc.transact().encode_state_as_update_v2(&StateVector::default())
    });
    let middle = new_doc(4);
    for update in &updates[..updates.len() / 2] {
        apply(&middle, update);
    }
    let state = middle.transact().state_vector();
    bench.time("paper/diff", || doc.transact().encode_state_as_update_v1(&state));
    bench.time("paper/merge 2000", || merge_updates_v1(&updates[..2000]).unwrap());
    if bench.wants("paper/memory") {
        drop(middle);
        let before = bytes_in_use();
        let loaded = new_doc(5);
        apply(&loaded, &v1);
        let text = loaded.get_or_insert_text("text");
        assert_eq!(text_of(&loaded, &text), trace.end);
        bench.print("paper/memory", "bytes", (bytes_in_use() - before) as f64);
    }
}

/// Each transaction's update, made by the agent that wrote it, after what it had seen.
fn friends_updates(trace: &Trace) -> Vec<Vec<u8>> {
    // A replica per agent; before it edits, it applies what its parents had seen and it has not.
    let docs: Vec<Doc> = (0..trace.agents).map(|agent| new_doc(agent as u64 + 1)).collect();
    let sinks: Vec<_> = docs.iter().map(collect).collect();
    let mut seen: Vec<Vec<bool>> = vec![vec![false; trace.transactions.len()]; trace.agents];
    let mut updates: Vec<Vec<u8>> = Vec::new();
    for (index, transaction) in trace.transactions.iter().enumerate() {
        let agent = transaction.agent;
        let mut missing = Vec::new();
        let mut stack = transaction.parents.clone();
        while let Some(parent) = stack.pop() {
            if !seen[agent][parent] {
                seen[agent][parent] = true;
                missing.push(parent);
                stack.extend(&trace.transactions[parent].parents);
            }
        }
        missing.sort_unstable();
        for &parent in &missing {
            apply(&docs[agent], &updates[parent]);
        }
        sinks[agent].lock().unwrap().clear();
        let text = docs[agent].get_or_insert_text("text");
        {
            let mut txn = docs[agent].transact_mut();
            for patch in &transaction.patches {
                if patch.deleted > 0 {
                    text.remove_range(&mut txn, patch.position as u32, patch.deleted as u32);
                }
                if !patch.inserted.is_empty() {
                    text.insert(&mut txn, patch.position as u32, &patch.inserted);
                }
            }
        }
        seen[agent][index] = true;
        updates.push(sinks[agent].lock().unwrap().pop().unwrap_or_default());
    }
    updates
}

fn friends(bench: &Bench) {
    let Some(trace) = traces::read("friendsforever") else { return };
    let updates = traces::stored_updates("friends", || friends_updates(&trace));
    let apply_all = || {
        let doc = new_doc(9);
        for update in updates.iter().filter(|update| !update.is_empty()) {
            apply(&doc, update);
        }
        doc
    };
    let doc = apply_all();
    bench.time("friends/remote", apply_all);
    let v1 = doc.transact().encode_state_as_update_v1(&StateVector::default());
    bench.time("friends/load", || {
        let doc = new_doc(3);
        apply(&doc, &v1);
        doc
    });
}

struct Pair {
    a: Doc,
    b: Doc,
    updates: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Pair {
    fn new() -> Self {
        let a = new_doc(1);
        let updates = collect(&a);
        Pair { a, b: new_doc(2), updates }
    }
    /// What A has just done reaches B.
    fn sync(&self) {
        for update in self.updates.lock().unwrap().drain(..) {
            apply(&self.b, &update);
        }
    }
}

fn text_case(bench: &Bench, case: &str, body: impl Fn(&Pair, &TextRef)) {
    bench.time(case, || {
        let pair = Pair::new();
        let text = pair.a.get_or_insert_text("text");
        body(&pair, &text);
        let other = pair.b.get_or_insert_text("text");
        assert_eq!(text_of(&pair.a, &text), text_of(&pair.b, &other));
        pair
    });
}

fn array_case(bench: &Bench, case: &str, body: impl Fn(&Pair, &ArrayRef)) {
    bench.time(case, || {
        let pair = Pair::new();
        let array = pair.a.get_or_insert_array("array");
        body(&pair, &array);
        let other = pair.b.get_or_insert_array("array");
        assert_eq!(array.len(&pair.a.transact()), other.len(&pair.b.transact()));
        pair
    });
}

fn insert(doc: &Doc, text: &TextRef, position: u32, chunk: &str) {
    text.insert(&mut doc.transact_mut(), position, chunk);
}

fn insert_or_delete(doc: &Doc, text: &TextRef, random: &mut Random) {
    let length = text.len(&doc.transact());
    let position = random.below(length + 1);
    if random.next() & 1 == 0 || length == 0 {
        insert(doc, text, position, &random.word());
    } else {
        let count = (length - position).min(1 + random.below(9));
        if count > 0 {
            text.remove_range(&mut doc.transact_mut(), position, count);
        }
    }
}

fn b1(bench: &Bench) {
    text_case(bench, "b1/1.1 append characters", |pair, text| {
        let mut random = Random::new(42);
        for index in 0..N {
            insert(&pair.a, text, index, random.letter().encode_utf8(&mut [0; 4]));
            pair.sync();
        }
    });
    text_case(bench, "b1/1.2 insert string", |pair, text| {
        let mut random = Random::new(42);
        let string: String = (0..N).map(|_| random.letter()).collect();
        insert(&pair.a, text, 0, &string);
        pair.sync();
    });
    text_case(bench, "b1/1.3 prepend characters", |pair, text| {
        let mut random = Random::new(42);
        for _ in 0..N {
            insert(&pair.a, text, 0, random.letter().encode_utf8(&mut [0; 4]));
            pair.sync();
        }
    });
    text_case(bench, "b1/1.4 random characters", |pair, text| {
        let mut random = Random::new(42);
        for index in 0..N {
            let position = random.below(index + 1);
            insert(&pair.a, text, position, random.letter().encode_utf8(&mut [0; 4]));
            pair.sync();
        }
    });
    text_case(bench, "b1/1.5 random words", |pair, text| {
        let mut random = Random::new(42);
        let mut length = 0;
        for _ in 0..N {
            let position = random.below(length + 1);
            let word = random.word();
            insert(&pair.a, text, position, &word);
            length += word.len() as u32;
            pair.sync();
        }
    });
    text_case(bench, "b1/1.6 insert string, delete it", |pair, text| {
        let mut random = Random::new(42);
        let string: String = (0..N).map(|_| random.letter()).collect();
        insert(&pair.a, text, 0, &string);
        pair.sync();
        text.remove_range(&mut pair.a.transact_mut(), 0, N);
        pair.sync();
    });
    text_case(bench, "b1/1.7 insert and delete strings", |pair, text| {
        let mut random = Random::new(42);
        for _ in 0..N {
            insert_or_delete(&pair.a, text, &mut random);
            pair.sync();
        }
    });
    array_case(bench, "b1/1.8 append numbers", |pair, array| {
        for index in 0..N {
            array.insert(&mut pair.a.transact_mut(), index, index as i64);
            pair.sync();
        }
    });
    array_case(bench, "b1/1.9 insert array of numbers", |pair, array| {
        array.insert_range(&mut pair.a.transact_mut(), 0, (0..N).map(|index| index as i64));
        pair.sync();
    });
    array_case(bench, "b1/1.10 prepend numbers", |pair, array| {
        for index in 0..N {
            array.insert(&mut pair.a.transact_mut(), 0, index as i64);
            pair.sync();
        }
    });
    array_case(bench, "b1/1.11 random numbers", |pair, array| {
        let mut random = Random::new(42);
        for index in 0..N {
            let position = random.below(index + 1);
            array.insert(&mut pair.a.transact_mut(), position, index as i64);
            pair.sync();
        }
    });
}

fn concurrent(bench: &Bench, case: &str, body: impl Fn(&Doc, &TextRef, &mut Random)) {
    bench.time_n(
        case,
        bench.repetitions,
        || {
            let docs = [new_doc(1), new_doc(2)];
            insert(&docs[0], &docs[0].get_or_insert_text("text"), 0, &"a".repeat(100));
            let state = docs[0].transact().encode_state_as_update_v1(&StateVector::default());
            apply(&docs[1], &state);
            docs
        },
        |docs| {
            let sinks = [collect(&docs[0]), collect(&docs[1])];
            for (index, doc) in docs.iter().enumerate() {
                body(doc, &doc.get_or_insert_text("text"), &mut Random::new(42 + index as u32));
            }
            let updates = sinks.map(|sink| std::mem::take(&mut *sink.lock().unwrap()));
            for update in &updates[1] {
                apply(&docs[0], update);
            }
            for update in &updates[0] {
                apply(&docs[1], update);
            }
            let [a, b] = &docs;
            assert_eq!(
                text_of(a, &a.get_or_insert_text("text")),
                text_of(b, &b.get_or_insert_text("text"))
            );
            docs
        },
    );
}

fn b2(bench: &Bench) {
    concurrent(bench, "b2/2.1 concurrent string at 0", |doc, text, random| {
        let string: String = (0..N).map(|_| random.letter()).collect();
        insert(doc, text, 0, &string);
    });
    concurrent(bench, "b2/2.2 concurrent random characters", |doc, text, random| {
        for index in 0..N {
            let position = random.below(100 + index + 1);
            insert(doc, text, position, random.letter().encode_utf8(&mut [0; 4]));
        }
    });
    concurrent(bench, "b2/2.3 concurrent random words", |doc, text, random| {
        let mut length = 100;
        for _ in 0..N {
            let position = random.below(length + 1);
            let word = random.word();
            insert(doc, text, position, &word);
            length += word.len() as u32;
        }
    });
    concurrent(bench, "b2/2.4 concurrent insert and delete", |doc, text, random| {
        for _ in 0..N {
            insert_or_delete(doc, text, random);
        }
    });
}

fn many(bench: &Bench, case: &str, body: impl Fn(&Doc, u64)) {
    bench.time_n(
        case,
        bench.repetitions,
        || {
            (0..CLIENTS)
                .map(|index| {
                    let doc = new_doc(index + 1);
                    body(&doc, index);
                    let update = doc.transact().encode_state_as_update_v1(&StateVector::default());
                    update
                })
                .collect::<Vec<_>>()
        },
        |updates| {
            let doc = new_doc(5000);
            for update in &updates {
                apply(&doc, update);
            }
            let state = doc.transact().encode_state_as_update_v1(&StateVector::default());
            let second = new_doc(5001);
            apply(&second, &state);
            (doc, second)
        },
    );
}

fn set(doc: &Doc, value: impl Into<Any>) {
    let map: MapRef = doc.get_or_insert_map("map");
    map.insert(&mut doc.transact_mut(), "v", value.into());
}

fn b3(bench: &Bench) {
    many(bench, "b3/3.1 number in map", |doc, index| set(doc, index as i64));
    many(bench, "b3/3.2 object in map", |doc, index| {
        let object = HashMap::from([
            ("name".to_owned(), Any::from(index.to_string())),
            ("address".to_owned(), Any::from("here")),
        ]);
        set(doc, object);
    });
    many(bench, "b3/3.3 string in map", |doc, index| set(doc, index.to_string().repeat(20)));
    many(bench, "b3/3.4 insert in array", |doc, index| {
        let array = doc.get_or_insert_array("array");
        array.insert(&mut doc.transact_mut(), 0, index as i64);
    });
    many(bench, "b3/3.5 insert text", |doc, index| {
        let text = doc.get_or_insert_text("text");
        insert(doc, &text, 0, &index.to_string());
    });
}

/// Clients that have seen nothing of one another all insert at the start of an empty text.
fn siblings(bench: &Bench) {
    bench.time_n(
        "siblings/10000 clients at one spot",
        1,
        || {
            (0..10_000u64)
                .map(|client| {
                    let doc = new_doc(client * 7919 % 10_007 + 1);
                    insert(&doc, &doc.get_or_insert_text("text"), 0, "x");
                    let update = doc.transact().encode_state_as_update_v1(&StateVector::default());
                    update
                })
                .collect::<Vec<_>>()
        },
        |updates| {
            let doc = new_doc(20_000);
            for update in &updates {
                apply(&doc, update);
            }
            doc
        },
    );
}

fn deleted_map(bench: &Bench) {
    let names = ["map/1000000 deleted entries load", "map/1000000 deleted entries encode"];
    if !names.iter().any(|name| bench.wants(name)) {
        return;
    }
    let doc = new_doc(1);
    let map = doc.get_or_insert_map("map");
    {
        let mut txn = doc.transact_mut();
        for index in 0..1_000_000u32 {
            map.insert(&mut txn, format!("k{}", index % 1000), index as i64);
        }
    }
    let state = doc.transact().encode_state_as_update_v1(&StateVector::default());
    bench.time(names[0], || {
        let doc = new_doc(2);
        apply(&doc, &state);
        doc
    });
    bench.time(names[1], || doc.transact().encode_state_as_update_v1(&StateVector::default()));
}

pub fn run(bench: &Bench) {
    let families: [(&str, fn(&Bench)); 7] = [
        ("paper/", paper),
        ("friends/", friends),
        ("b1/", b1),
        ("b2/", b2),
        ("b3/", b3),
        ("siblings/", siblings),
        ("map/", deleted_map),
    ];
    for (family, cases) in families {
        if bench.wants_family(family) {
            cases(bench);
        }
    }
}
