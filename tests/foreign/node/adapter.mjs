// SPDX-License-Identifier: MIT
// Lattice as the suite wants to see a framework: names, and nothing that keeps state or schedules.

export function lattice(addon) {
  return {
    name: "lattice",
    signal(initial) {
      const handle = addon.signal(initial);
      return {
        read: () => addon.readSignal(handle),
        write: (value) => addon.writeSignal(handle, value),
      };
    },
    computed(body) {
      const handle = addon.memo(body);
      return { read: () => addon.readMemo(handle) };
    },
    effect(body) {
      const handle = addon.effect(body);
      return () => addon.disposeEffect(handle);
    },
    run: (body) => body(),
    batch: (body) => addon.batch(body),
    untracked: (body) => addon.untracked(body),
  };
}
