// SPDX-License-Identifier: MIT
// One write of a signal as every case does it: in a batch of its own.
import { endBatch, startBatch } from "alien-signals";

export function write(target, value) {
  startBatch();
  target(value);
  endBatch();
}
