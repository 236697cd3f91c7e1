// SPDX-License-Identifier: MIT
//! Time, memory and the random numbers that every contestant draws alike.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// The system's allocator, which also knows how many bytes are in use.
pub struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.fetch_add(layout.size(), Ordering::Relaxed);
        System.alloc(layout)
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        System.dealloc(pointer, layout)
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        IN_USE.fetch_add(size, Ordering::Relaxed);
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        System.realloc(pointer, layout, size)
    }
}

pub fn bytes_in_use() -> usize {
    IN_USE.load(Ordering::Relaxed)
}

/// xorshift32; the other contestants have the same.
pub struct Random(u32);

impl Random {
    pub fn new(seed: u32) -> Self {
        Random(seed)
    }
    pub fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }
    pub fn below(&mut self, bound: u32) -> u32 {
        self.next() % bound
    }
    pub fn letter(&mut self) -> char {
        (b'a' + self.below(26) as u8) as char
    }
    pub fn word(&mut self) -> String {
        let length = 2 + self.below(8);
        (0..length).map(|_| self.letter()).collect()
    }
}

pub struct Bench {
    prefix: String,
    pub repetitions: usize,
}

impl Bench {
    pub fn new(prefix: String) -> Self {
        let quick = std::env::var("LATTICE_BENCH_QUICK").is_ok_and(|value| value == "1");
        Bench { prefix, repetitions: if quick { 3 } else { 5 } }
    }

    /// Whether a case is asked for: its name begins with the prefix.
    pub fn wants(&self, case: &str) -> bool {
        case.starts_with(&self.prefix)
    }

    /// Whether any case of a family may be asked for.
    pub fn wants_family(&self, family: &str) -> bool {
        self.prefix.starts_with(family) || family.starts_with(&self.prefix)
    }

    pub fn print(&self, case: &str, unit: &str, value: f64) {
        if self.wants(case) {
            println!("{{\"case\": \"{case}\", \"{unit}\": {value}}}");
        }
    }

    /// Times `body` on what `prepare` makes; the fastest of `repetitions`. What `body` returns is
    /// dropped outside of the time.
    pub fn time_n<T, R>(
        &self,
        case: &str,
        repetitions: usize,
        mut prepare: impl FnMut() -> T,
        mut body: impl FnMut(T) -> R,
    ) {
        if !self.wants(case) {
            return;
        }
        let mut best = f64::INFINITY;
        for _ in 0..repetitions {
            let input = prepare();
            let start = Instant::now();
            let output = body(input);
            best = best.min(start.elapsed().as_secs_f64() * 1e3);
            drop(std::hint::black_box(output));
        }
        self.print(case, "ms", best);
    }

    pub fn time<R>(&self, case: &str, mut body: impl FnMut() -> R) {
        self.time_n(case, self.repetitions, || (), |()| body());
    }
}
