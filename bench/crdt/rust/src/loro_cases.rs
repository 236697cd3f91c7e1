// SPDX-License-Identifier: MIT
//! Loro: an event graph, replayed where edits are concurrent, with snapshots that load lazily.

use crate::measure::{bytes_in_use, Bench, Random};
use crate::traces::{self, Trace};
use loro::{ExportMode, LoroDoc, LoroText, LoroValue};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

const N: u32 = 6000;
const CLIENTS: u64 = 1540;

fn new_doc(peer: u64) -> LoroDoc {
    let doc = LoroDoc::new();
    doc.set_peer_id(peer).expect("a peer id");
    doc
}

struct Sink {
    updates: Arc<Mutex<Vec<Vec<u8>>>>,
    _subscription: loro::Subscription,
}

/// Updates as they leave the document, one per commit.
fn collect(doc: &LoroDoc) -> Sink {
    let updates = Arc::new(Mutex::new(Vec::new()));
    let sink = updates.clone();
    let subscription = doc.subscribe_local_update(Box::new(move |bytes| {
        sink.lock().unwrap().push(bytes.clone());
        true
    }));
    Sink { updates, _subscription: subscription }
}

fn replay(trace: &Trace, each: bool) -> (LoroDoc, Vec<Vec<u8>>) {
    let doc = new_doc(1);
    let text = doc.get_text("text");
    let sink = collect(&doc);
    for transaction in &trace.transactions {
        for patch in &transaction.patches {
            if patch.deleted > 0 {
                text.delete(patch.position, patch.deleted).unwrap();
            }
            if !patch.inserted.is_empty() {
                text.insert(patch.position, &patch.inserted).unwrap();
            }
        }
        if each {
            doc.commit();
        }
    }
    doc.commit();
    let updates = std::mem::take(&mut *sink.updates.lock().unwrap());
    (doc, updates)
}

fn paper(bench: &Bench) {
    let Some(trace) = traces::read("automerge-paper") else { return };
    bench.time_n("paper/local, update each", 1, || (), |()| replay(&trace, true));
    bench.time_n("paper/local, one transaction", 1, || (), |()| replay(&trace, false));
    let others = ["paper/remote", "paper/load", "paper/encode", "paper/memory"];
    if !others.iter().any(|case| bench.wants_family(case)) {
        return;
    }
    let (doc, updates) = replay(&trace, true);
    assert_eq!(doc.get_text("text").to_string(), trace.end);
    bench.time_n("paper/remote, one by one", 1, || (), |()| {
        let doc = new_doc(2);
        for update in &updates {
            doc.import(update).unwrap();
        }
        doc
    });
    let snapshot = doc.export(ExportMode::Snapshot).unwrap();
    let all = doc.export(ExportMode::all_updates()).unwrap();
    // What a user waits for: the text, and one edit.
    bench.time("paper/load own format", || {
        let doc = LoroDoc::from_snapshot(&snapshot).unwrap();
        let text = doc.get_text("text");
        let content = text.to_string();
        text.insert(100, "x").unwrap();
        doc.commit();
        (doc, content)
    });
    bench.time("paper/load v1", || {
        let doc = new_doc(3);
        doc.import(&all).unwrap();
        let length = doc.get_text("text").len_unicode();
        (doc, length)
    });
    bench.time("paper/encode v1", || doc.export(ExportMode::all_updates()).unwrap());
    if bench.wants("paper/memory") {
        let before = bytes_in_use();
        let loaded = new_doc(5);
        loaded.import(&all).unwrap();
        assert_eq!(loaded.get_text("text").to_string(), trace.end);
        bench.print("paper/memory", "bytes", (bytes_in_use() - before) as f64);
    }
}

struct Pair {
    a: LoroDoc,
    b: LoroDoc,
    sink: Sink,
}

impl Pair {
    fn new() -> Self {
        let a = new_doc(1);
        let sink = collect(&a);
        Pair { a, b: new_doc(2), sink }
    }
    fn sync(&self) {
        self.a.commit();
        for update in self.sink.updates.lock().unwrap().drain(..) {
            self.b.import(&update).unwrap();
        }
    }
}

fn text_case(bench: &Bench, case: &str, body: impl Fn(&Pair, &LoroText)) {
    bench.time(case, || {
        let pair = Pair::new();
        body(&pair, &pair.a.get_text("text"));
        assert_eq!(pair.a.get_text("text").to_string(), pair.b.get_text("text").to_string());
        pair
    });
}

fn array_case(bench: &Bench, case: &str, body: impl Fn(&Pair, &loro::LoroList)) {
    bench.time(case, || {
        let pair = Pair::new();
        body(&pair, &pair.a.get_list("array"));
        assert_eq!(pair.a.get_list("array").len(), pair.b.get_list("array").len());
        pair
    });
}

fn insert_or_delete(text: &LoroText, random: &mut Random) {
    let length = text.len_unicode() as u32;
    let position = random.below(length + 1);
    if random.next() & 1 == 0 || length == 0 {
        text.insert(position as usize, &random.word()).unwrap();
    } else {
        let count = (length - position).min(1 + random.below(9));
        if count > 0 {
            text.delete(position as usize, count as usize).unwrap();
        }
    }
}

fn b1(bench: &Bench) {
    let long = || {
        let mut random = Random::new(42);
        (0..N).map(|_| random.letter()).collect::<String>()
    };
    text_case(bench, "b1/1.1 append characters", |pair, text| {
        let mut random = Random::new(42);
        for index in 0..N {
            text.insert(index as usize, random.letter().encode_utf8(&mut [0; 4])).unwrap();
            pair.sync();
        }
    });
    text_case(bench, "b1/1.2 insert string", |pair, text| {
        text.insert(0, &long()).unwrap();
        pair.sync();
    });
    text_case(bench, "b1/1.3 prepend characters", |pair, text| {
        let mut random = Random::new(42);
        for _ in 0..N {
            text.insert(0, random.letter().encode_utf8(&mut [0; 4])).unwrap();
            pair.sync();
        }
    });
    text_case(bench, "b1/1.4 random characters", |pair, text| {
        let mut random = Random::new(42);
        for index in 0..N {
            let position = random.below(index + 1) as usize;
            text.insert(position, random.letter().encode_utf8(&mut [0; 4])).unwrap();
            pair.sync();
        }
    });
    text_case(bench, "b1/1.5 random words", |pair, text| {
        let mut random = Random::new(42);
        let mut length = 0;
        for _ in 0..N {
            let position = random.below(length + 1);
            let word = random.word();
            text.insert(position as usize, &word).unwrap();
            length += word.len() as u32;
            pair.sync();
        }
    });
    text_case(bench, "b1/1.6 insert string, delete it", |pair, text| {
        text.insert(0, &long()).unwrap();
        pair.sync();
        text.delete(0, N as usize).unwrap();
        pair.sync();
    });
    text_case(bench, "b1/1.7 insert and delete strings", |pair, text| {
        let mut random = Random::new(42);
        for _ in 0..N {
            insert_or_delete(text, &mut random);
            pair.sync();
        }
    });
    array_case(bench, "b1/1.8 append numbers", |pair, array| {
        for index in 0..N {
            array.insert(index as usize, index as i64).unwrap();
            pair.sync();
        }
    });
    array_case(bench, "b1/1.9 insert array of numbers", |pair, array| {
        for index in 0..N {
            array.insert(index as usize, index as i64).unwrap();
        }
        pair.sync();
    });
    array_case(bench, "b1/1.10 prepend numbers", |pair, array| {
        for index in 0..N {
            array.insert(0, index as i64).unwrap();
            pair.sync();
        }
    });
    array_case(bench, "b1/1.11 random numbers", |pair, array| {
        let mut random = Random::new(42);
        for index in 0..N {
            array.insert(random.below(index + 1) as usize, index as i64).unwrap();
            pair.sync();
        }
    });
}

fn concurrent(bench: &Bench, case: &str, body: impl Fn(&LoroDoc, &LoroText, &mut Random)) {
    bench.time_n(
        case,
        bench.repetitions,
        || {
            let docs = [new_doc(1), new_doc(2)];
            docs[0].get_text("text").insert(0, &"a".repeat(100)).unwrap();
            docs[0].commit();
            docs[1].import(&docs[0].export(ExportMode::all_updates()).unwrap()).unwrap();
            docs
        },
        |docs| {
            let sinks = [collect(&docs[0]), collect(&docs[1])];
            for (index, doc) in docs.iter().enumerate() {
                body(doc, &doc.get_text("text"), &mut Random::new(42 + index as u32));
            }
            let updates =
                [0, 1].map(|index: usize| std::mem::take(&mut *sinks[index].updates.lock().unwrap()));
            // In one batch: Loro replays the concurrent part at each import, which takes minutes.
            docs[0].import_batch(&updates[1]).unwrap();
            docs[1].import_batch(&updates[0]).unwrap();
            assert_eq!(docs[0].get_text("text").to_string(), docs[1].get_text("text").to_string());
            docs
        },
    );
}

fn b2(bench: &Bench) {
    concurrent(bench, "b2/2.1 concurrent string at 0", |doc, text, random| {
        let string: String = (0..N).map(|_| random.letter()).collect();
        text.insert(0, &string).unwrap();
        doc.commit();
    });
    concurrent(bench, "b2/2.2 concurrent random characters", |doc, text, random| {
        for index in 0..N {
            let position = random.below(100 + index + 1) as usize;
            text.insert(position, random.letter().encode_utf8(&mut [0; 4])).unwrap();
            doc.commit();
        }
    });
    concurrent(bench, "b2/2.3 concurrent random words", |doc, text, random| {
        let mut length = 100;
        for _ in 0..N {
            let position = random.below(length + 1);
            let word = random.word();
            text.insert(position as usize, &word).unwrap();
            length += word.len() as u32;
            doc.commit();
        }
    });
    concurrent(bench, "b2/2.4 concurrent insert and delete", |doc, text, random| {
        for _ in 0..N {
            insert_or_delete(text, random);
            doc.commit();
        }
    });
}

fn many(bench: &Bench, case: &str, body: impl Fn(&LoroDoc, u64)) {
    bench.time_n(
        case,
        bench.repetitions,
        || {
            (0..CLIENTS)
                .map(|index| {
                    let doc = new_doc(index + 1);
                    body(&doc, index);
                    doc.commit();
                    doc.export(ExportMode::all_updates()).unwrap()
                })
                .collect::<Vec<_>>()
        },
        |updates| {
            let doc = new_doc(5000);
            doc.import_batch(&updates).unwrap();
            let second = new_doc(5001);
            second.import(&doc.export(ExportMode::all_updates()).unwrap()).unwrap();
            (doc, second)
        },
    );
}

fn b3(bench: &Bench) {
    let set = |doc: &LoroDoc, value: LoroValue| doc.get_map("map").insert("v", value).unwrap();
    many(bench, "b3/3.1 number in map", |doc, index| set(doc, (index as i64).into()));
    many(bench, "b3/3.2 object in map", |doc, index| {
        let object: HashMap<String, LoroValue> = HashMap::from([
            ("name".to_owned(), index.to_string().into()),
            ("address".to_owned(), "here".into()),
        ]);
        set(doc, object.into());
    });
    many(bench, "b3/3.3 string in map", |doc, index| set(doc, index.to_string().repeat(20).into()));
    many(bench, "b3/3.4 insert in array", |doc, index| {
        doc.get_list("array").insert(0, index as i64).unwrap();
    });
    many(bench, "b3/3.5 insert text", |doc, index| {
        doc.get_text("text").insert(0, &index.to_string()).unwrap();
    });
}

pub fn run(bench: &Bench) {
    let families: [(&str, fn(&Bench)); 4] =
        [("paper/", paper), ("b1/", b1), ("b2/", b2), ("b3/", b3)];
    for (family, cases) in families {
        if bench.wants_family(family) {
            cases(bench);
        }
    }
}
