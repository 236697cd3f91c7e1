// SPDX-License-Identifier: MIT
// After the connection: how the page comes back without hammering a server that is down.
//
// Lost: a banner, then /healthz with growing, jittered pauses, then a fresh page. Expired or
// broken: a fresh page at once. A page that never came alive, or broke, may do so only a few times
// in a row; then the user decides. The count outlives the page in sessionStorage; where there is
// none, the user decides right away, since an endless loop would be worse.

import type { Banner } from './banner';
import type { Ending } from './connection';

const PAUSE_FIRST_MS = 250;
const PAUSE_MAX_MS = 5_000;
const PROBE_TIMEOUT_MS = 5_000;
const RELOADS_MAX = 3;
const RELOADS_WINDOW_MS = 30_000;
const STORAGE_KEY = 'lattice-reloads';

export interface Surroundings {
  readonly banner: Banner;
  readonly storage: () => Pick<Storage, 'getItem' | 'setItem'>;
  readonly random: () => number;
  readonly isHealthy: (timeoutMs: number) => Promise<boolean>;
  readonly reload: () => void;
}

export class Recovery {
  // The user is leaving: the socket that closes is not lost.
  isLeaving = false;
  readonly #around: Surroundings;

  constructor(around: Surroundings) {
    this.#around = around;
  }

  ended(ending: Ending, wasAlive: boolean): void {
    if (this.isLeaving) return;
    switch (ending) {
      case 'lost':
        this.#around.banner.show('Reconnecting...');
        // A server that dies of every visit is given time.
        this.#probeLater(
          this.#recentReloads().length < RELOADS_MAX ? PAUSE_FIRST_MS : PAUSE_MAX_MS,
          wasAlive,
        );
        break;
      case 'expired':
      case 'broken':
        this.#reload(false);
        break;
      default:
        ending satisfies never;
    }
  }

  #reload(isForced: boolean): void {
    const { banner, reload, storage } = this.#around;
    const recent = this.#recentReloads();
    let isAllowed = isForced;
    try {
      storage().setItem(STORAGE_KEY, JSON.stringify([...recent, Date.now()].slice(-RELOADS_MAX)));
      isAllowed ||= recent.length < RELOADS_MAX;
    } catch {
      // Nobody would count: only what may always reload does.
    }
    if (isAllowed) reload();
    else banner.show('This page lost its connection.', reload);
  }

  #probeLater(pauseMs: number, wasAlive: boolean): void {
    // Between a half and the whole pause, so that a thousand tabs do not come back at once.
    const jittered = pauseMs * (0.5 + this.#around.random() / 2);
    setTimeout(() => void this.#probe(pauseMs, wasAlive), jittered);
  }

  async #probe(pauseMs: number, wasAlive: boolean): Promise<void> {
    const isHealthy = await this.#around.isHealthy(PROBE_TIMEOUT_MS).catch(() => false);
    if (this.isLeaving) return;
    if (isHealthy) this.#reload(wasAlive);
    else this.#probeLater(Math.min(2 * pauseMs, PAUSE_MAX_MS), wasAlive);
  }

  #recentReloads(): number[] {
    try {
      const stored: unknown = JSON.parse(this.#around.storage().getItem(STORAGE_KEY) ?? '[]');
      const times: unknown[] = Array.isArray(stored) ? stored : [];
      return times.filter(
        (time): time is number => typeof time === 'number' && Date.now() - time < RELOADS_WINDOW_MS,
      );
    } catch {
      return [];
    }
  }
}
