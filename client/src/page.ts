// SPDX-License-Identifier: MIT
// One live page: joins tree, listeners, inputs and errors to a connection.

import { adopt } from './adopt';
import { Connection, type Ending, type Socket, type Stats } from './connection';
import { DomTree } from './dom_tree';
import { ErrorBoxes } from './errors';
import { Inputs } from './inputs';
import { Listeners } from './listeners';
import type { Frame } from './patch_codec';
import { Patcher } from './patcher';

const EDITABLE = 'input,textarea,select,[contenteditable],details,dialog';

export interface PageOptions {
  readonly root: Element;
  readonly token: string;
  readonly openSocket: () => Socket;
  // Whether the browser may have filled fields with what an earlier page held.
  readonly isRestored: boolean;
  readonly onReload: () => void;
  readonly onEnd: (ending: Ending, wasAlive: boolean) => void;
}

export class Page {
  readonly stats: Stats = {
    frames: 0,
    bytes: 0,
    ops: 0,
    lastBytes: 0,
    eventsSent: 0,
    eventsAcked: 0,
  };
  readonly tree: DomTree;
  readonly #options: PageOptions;
  readonly #listeners: Listeners;
  readonly #inputs: Inputs;
  readonly #patcher: Patcher;
  readonly #connection: Connection;
  #isAlive = false;

  constructor(options: PageOptions) {
    this.#options = options;
    const { root } = options;
    const tree = (this.tree = new DomTree(root));
    adopt(tree);
    const sink = {
      send: (
        element: Element,
        type: string,
        fields: Parameters<Connection['sendEvent']>[2],
      ): void => {
        const id = tree.idOf(element);
        if (id !== undefined) this.#connection.sendEvent(id, type, fields);
      },
    };
    this.#listeners = new Listeners(
      root,
      sink,
      () => this.#inputs,
      () => tree.isMoving,
    );
    this.#inputs = new Inputs(root, this.#listeners);
    this.#patcher = new Patcher(
      tree,
      this.#listeners,
      this.#inputs,
      new ErrorBoxes(tree),
      options.onReload,
    );
    // What is open now is as the server painted it: a baseline for the first toggle.
    for (const element of root.querySelectorAll('details,dialog')) this.#inputs.revision(element);
    this.#connection = new Connection({
      socket: options.openSocket(),
      token: options.token,
      nodeCount: tree.nodeCount,
      stats: this.stats,
      onFrame: (frame) => this.#apply(frame),
      onEnd: (ending) => options.onEnd(ending, this.#isAlive),
    });
  }

  #apply(frame: Frame): void {
    if (this.#isAlive) {
      this.#patcher.apply(frame.ops);
      return;
    }
    const { root } = this.#options;
    this.#inputs.countEarlyEdits(root.querySelectorAll(EDITABLE), this.#options.isRestored);
    this.#patcher.apply(frame.ops);
    this.#isAlive = true;
    this.#inputs.sendEarlyEdits(root.querySelectorAll(EDITABLE));
    this.#listeners.replayEarly();
  }
}
