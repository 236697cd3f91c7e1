// SPDX-License-Identifier: MIT
// The page as Lattice may change it: every write to the document goes through these functions.
//
// They close the doors that bytes from a socket must not open (markup outside RAW_HTML, inline
// handlers), and they keep to what a strict Content-Security-Policy allows: styles by CSSOM only.

import { ProtocolError } from './bytes';
import type { Value } from './patch_codec';

const HTML = 'http://www.w3.org/1999/xhtml';
const SVG = 'http://www.w3.org/2000/svg';
const MATHML = 'http://www.w3.org/1998/Math/MathML';
const XLINK = 'http://www.w3.org/1999/xlink';

// Properties that parse markup, run code or change children behind the tree's back.
const FORBIDDEN_PROPERTY = /html|^text|text$|^on|^srcdoc$|^__|^nodeValue$/i;

// What is newer than the type library, or missing in some browsers.
interface MovableParent {
  moveBefore?(node: Node, before: Node | null): void;
}
interface Styled {
  readonly style: CSSStyleDeclaration;
}

export function isElement(node: Node): node is Element {
  return node.nodeType === 1;
}

export function isText(node: Node): node is Text {
  return node.nodeType === 3;
}

// The namespace follows from the tag above; `foreignObject` leads back to HTML.
export function createElement(tag: string, parent: Element): Element {
  const above = parent.localName === 'foreignObject' ? HTML : (parent.namespaceURI ?? HTML);
  const namespace = tag === 'svg' ? SVG : tag === 'math' ? MATHML : above;
  return document.createElementNS(namespace, tag);
}

export function createText(text: string): Text {
  return document.createTextNode(text);
}

export function createRawHtml(html: string): Element {
  const element = document.createElement('lattice-html');
  element.style.display = 'contents';
  element.innerHTML = html;
  return element;
}

export function setAttribute(element: Element, name: string, value: Value): void {
  const { raw } = value;
  if (/^on/i.test(name)) throw new ProtocolError(`attribute ${name}`);
  if (raw === null || raw === false) {
    element.removeAttribute(name);
  } else if (name === 'style') {
    // An inline style attribute needs 'unsafe-inline'; the CSSOM does not.
    (element as Element & Styled).style.cssText = value.text;
  } else {
    const text = raw === true ? '' : value.text;
    if (name.startsWith('xlink:')) element.setAttributeNS(XLINK, name, text);
    else element.setAttribute(name, text);
  }
}

export function setProperty(element: Element, name: string, value: Value): void {
  const kind = typeof Reflect.get(element, name);
  if (FORBIDDEN_PROPERTY.test(name) || kind === 'function')
    throw new ProtocolError(`property ${name}`);
  const { raw } = value;
  // Without a value: a number (progress, li) has no other way to say so than its attribute.
  if (raw === null && kind === 'number') element.removeAttribute(name);
  else Reflect.set(element, name, raw ?? (kind === 'boolean' ? false : ''));
}

export function setStyle(element: Element, name: string, value: Value): void {
  const { style } = element as Element & Styled;
  if (value.raw === null || value.raw === false) {
    style.removeProperty(name);
    return;
  }
  // setProperty() ignores a value that still carries its priority.
  const text = value.text.replace(/\s*!important\s*$/, '');
  style.setProperty(name, text, text === value.text ? '' : 'important');
}

export function setClass(element: Element, name: string, on: boolean): void {
  element.classList.toggle(name, on);
}

// Moves a node without resetting it where the browser can, and else puts back what a removal loses:
// focus, selection and scroll positions. `during` is told of the window in which focus events lie.
export function moveNode(
  node: Node,
  parent: Element,
  before: Node | null,
  during: (isMoving: boolean) => void,
): void {
  during(true);
  try {
    const movable = parent as MovableParent;
    if (movable.moveBefore) {
      movable.moveBefore(node, before);
      return;
    }
    const restore = rememberState(node);
    parent.insertBefore(node, before);
    restore();
  } finally {
    during(false);
  }
}

function rememberState(node: Node): () => void {
  const active = document.activeElement as (HTMLElement & Partial<HTMLInputElement>) | null;
  const focused = active !== null && node.contains(active) ? active : null;
  const [start, end] = [focused?.selectionStart ?? null, focused?.selectionEnd ?? null];
  const scrolled: [Element, number, number][] = [];
  if (isElement(node)) {
    for (const element of [node, ...node.querySelectorAll('*')]) {
      const { scrollLeft, scrollTop } = element;
      if (scrollLeft || scrollTop) scrolled.push([element, scrollLeft, scrollTop]);
    }
  }
  return () => {
    for (const [element, left, top] of scrolled) {
      element.scrollLeft = left;
      element.scrollTop = top;
    }
    if (focused === null || document.activeElement === focused) return;
    focused.focus({ preventScroll: true });
    if (start !== null) focused.setSelectionRange?.(start, end);
  };
}
