// SPDX-License-Identifier: MIT
// The page's nodes by id. Node 0 is the root container; ids are never used twice in a session.
//
// Invariant: nodes and ids are inverse to each other, and hold exactly the numbered nodes in the
// page. Nodes without an id (error boxes, what is inside raw HTML) are not ours.

import { ProtocolError } from './bytes';
import { isElement, isText, moveNode } from './dom_api';

export class DomTree {
  readonly root: Element;
  // True while a move takes the focus away and gives it back: nobody has to hear of that.
  isMoving = false;
  readonly #nodes = new Map<number, Node>();
  readonly #ids = new Map<Node, number>();

  constructor(root: Element) {
    this.root = root;
    this.add(0, root);
  }

  // Numbered nodes below the root.
  get nodeCount(): number {
    return this.#nodes.size - 1;
  }

  add(id: number, node: Node): void {
    if (this.#nodes.has(id)) throw new ProtocolError(`node ${id} exists`);
    this.#nodes.set(id, node);
    this.#ids.set(node, id);
  }

  idOf(node: Node): number | undefined {
    return this.#ids.get(node);
  }

  has(id: number): boolean {
    return this.#nodes.has(id);
  }

  node(id: number): Node {
    const node = this.#nodes.get(id);
    if (node === undefined) throw new ProtocolError(`unknown node ${id}`);
    return node;
  }

  element(id: number): Element {
    const node = this.node(id);
    if (!isElement(node)) throw new ProtocolError(`node ${id} is no element`);
    return node;
  }

  setText(id: number, text: string): void {
    const node = this.node(id);
    if (!isText(node)) throw new ProtocolError(`node ${id} is no text`);
    node.data = text;
  }

  insert(node: Node, parent: number, before: number): void {
    this.element(parent).insertBefore(node, this.#reference(before));
  }

  move(id: number, parent: number, before: number): void {
    const node = this.node(id);
    moveNode(node, this.element(parent), this.#reference(before), (isMoving) => {
      this.isMoving = isMoving;
    });
  }

  remove(id: number): void {
    if (id === 0) throw new ProtocolError('the root stays');
    const node = this.node(id);
    this.#forget(node);
    node.parentNode?.removeChild(node);
  }

  reset(): void {
    this.#nodes.clear();
    this.#ids.clear();
    this.add(0, this.root);
    this.root.replaceChildren();
  }

  #reference(before: number): Node | null {
    return before === 0 ? null : this.node(before);
  }

  #forget(node: Node): void {
    const id = this.#ids.get(node);
    if (id !== undefined) {
      this.#ids.delete(node);
      this.#nodes.delete(id);
    }
    for (let child = node.firstChild; child !== null; child = child.nextSibling)
      this.#forget(child);
  }
}
