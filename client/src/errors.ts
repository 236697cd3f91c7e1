// SPDX-License-Identifier: MIT
// Error boxes: what went wrong, shown beside the node that it went wrong at.
//
// A box is a sibling that the tree does not know, so no id shifts. It stands behind its node, or
// behind the nearest ancestor where a box may stand at all (a table takes none between its rows,
// a drawing none among its shapes). After every frame boxes follow their nodes or go with them.

import type { DomTree } from './dom_tree';

const NO_BOX_INSIDE = new RegExp(
  '^(table|thead|tbody|tfoot|tr|colgroup|select|optgroup|datalist|ul|ol|dl|menu|svg|math' +
    '|button|picture|video|audio|p|h\\d|summary|label|legend|textarea)$',
);

export class ErrorBoxes {
  readonly #boxes = new Map<number, HTMLElement>();
  readonly #tree: DomTree;

  constructor(tree: DomTree) {
    this.#tree = tree;
  }

  show(id: number, title: string, detail: string): void {
    this.#tree.node(id);
    this.clear(id);
    const box = document.createElement('div');
    box.className = 'lattice-error';
    box.setAttribute('role', 'alert');
    box.append(make('strong', title), this.#dismissButton(id));
    if (detail !== '') box.append(make('pre', detail));
    // The page's own handlers around the box have nothing to do with it.
    for (const type of ['click', 'keydown'])
      box.addEventListener(type, (event) => event.stopPropagation());
    this.#boxes.set(id, box);
  }

  clear(id: number): void {
    this.#boxes.get(id)?.remove();
    this.#boxes.delete(id);
  }

  clearAll(): void {
    for (const id of [...this.#boxes.keys()]) this.clear(id);
  }

  settle(): void {
    for (const [id, box] of this.#boxes) {
      if (!this.#tree.has(id)) {
        this.clear(id);
        continue;
      }
      const anchor = this.#anchor(this.#tree.node(id));
      if (!this.#isBehind(box, anchor)) anchor.after(box);
    }
  }

  #dismissButton(id: number): HTMLElement {
    const button = make('button', '\u00d7');
    button.setAttribute('type', 'button');
    button.setAttribute('aria-label', 'Dismiss this error');
    button.addEventListener('click', () => this.clear(id));
    return button;
  }

  #anchor(node: Node): ChildNode {
    const { root } = this.#tree;
    let anchor = node;
    // From the outermost ancestor that takes no box downwards nothing does.
    for (
      let above: Node | null = node;
      above !== null && above !== root;
      above = above.parentNode
    ) {
      const parent = above.parentNode as Element | null;
      if (parent !== null && parent !== root && NO_BOX_INSIDE.test(parent.localName))
        anchor = parent;
      if (parent?.localName === 'td' || parent?.localName === 'th') break;
    }
    return anchor as ChildNode;
  }

  // Several boxes may share one place; none of them moves for that.
  #isBehind(box: HTMLElement, anchor: Node): boolean {
    let before = box.previousSibling;
    while (before !== null && before !== anchor && this.#isBox(before))
      before = before.previousSibling;
    return before === anchor;
  }

  #isBox(node: Node): boolean {
    return (node as Partial<Element>).className === 'lattice-error';
  }
}

function make(tag: string, text: string): HTMLElement {
  const element = document.createElement(tag);
  element.textContent = text;
  return element;
}
