// SPDX-License-Identifier: MIT
// Numbers the nodes of the first paint 1, 2, 3 ... in document order, as the server did.
//
// HTML cannot say "two text nodes side by side" nor "an empty text node": the comment `<!---->`
// stands between the former, `<!--e-->` for the latter. No other comment counts, nor anything
// inside raw HTML, nor the text of a textarea, which is its value. Whether both sides counted
// alike is for the server to judge (HELLO).

import { createText } from './dom_api';
import type { DomTree } from './dom_tree';

const CLOSED = /^(lattice-html|textarea)$/;

export function adopt(tree: DomTree): void {
  let next = 1;
  const visit = (parent: Node): void => {
    let child = parent.firstChild;
    while (child !== null) {
      const following: ChildNode | null = child.nextSibling;
      if (child.nodeType === 8) {
        const { data } = child as Comment;
        if (data === 'e') {
          const text = createText('');
          child.replaceWith(text);
          tree.add(next++, text);
        } else if (data === '') {
          child.remove();
        }
      } else if (child.nodeType === 1 || child.nodeType === 3) {
        tree.add(next++, child);
        if (!CLOSED.test((child as Element).localName)) visit(child);
      }
      child = following;
    }
  };
  visit(tree.root);
}
