// SPDX-License-Identifier: MIT
// Starts the runtime on a page that a Lattice server painted. The only global is `window.lattice`,
// which tests and the inspector read.

import { Banner } from './banner';
import type { Socket, Stats } from './connection';
import { PROTOCOL_VERSION } from './opcodes';
import { Page } from './page';
import { Recovery } from './recovery';

interface Boot {
  readonly token: string;
  readonly nodes: number;
  readonly socket: string;
  readonly dev: boolean;
}

declare global {
  interface Window {
    lattice?: { readonly version: number; readonly nodeCount: () => number; readonly stats: Stats };
  }
}

function readBoot(): Boot {
  return JSON.parse(document.getElementById('lattice-boot')?.textContent ?? '') as Boot;
}

function socketUrl(path: string): string {
  const url = new URL(path, location.href);
  url.protocol = url.protocol.replace('http', 'ws');
  return url.href;
}

function isRestored(): boolean {
  const [entry] = performance.getEntriesByType('navigation') as PerformanceNavigationTiming[];
  return entry !== undefined && entry.type !== 'navigate';
}

async function isHealthy(timeoutMs: number): Promise<boolean> {
  const options: RequestInit = { cache: 'no-store', signal: AbortSignal.timeout(timeoutMs) };
  return (await fetch('/healthz', options)).ok;
}

function start(root: Element): void {
  const boot = readBoot();
  const reload = (): void => location.reload();
  const recovery = new Recovery({
    banner: new Banner(),
    storage: () => sessionStorage,
    random: Math.random,
    isHealthy,
    reload,
  });
  const page = new Page({
    root,
    token: boot.token,
    openSocket: (): Socket => new WebSocket(socketUrl(boot.socket)),
    isRestored: isRestored(),
    onReload: reload,
    onEnd: (ending, wasAlive) => recovery.ended(ending, wasAlive),
  });
  addEventListener('pagehide', () => {
    recovery.isLeaving = true;
  });
  // Out of the back/forward cache comes a page whose session is long gone.
  addEventListener('pageshow', (event) => {
    if (event.persisted) reload();
  });
  window.lattice = {
    version: PROTOCOL_VERSION,
    nodeCount: () => page.tree.nodeCount,
    stats: page.stats,
  };
}

const root = document.getElementById('lattice-root');
if (root !== null) start(root);
