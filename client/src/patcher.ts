// SPDX-License-Identifier: MIT
// Ops -> the page. One frame at a time, in order; what depends on the whole frame comes after it.

import {
  createElement,
  createRawHtml,
  createText,
  setAttribute,
  setClass,
  setProperty,
  setStyle,
} from './dom_api';
import type { DomTree } from './dom_tree';
import type { ErrorBoxes } from './errors';
import { isEdit } from './event_fields';
import type { Inputs } from './inputs';
import type { Listeners } from './listeners';
import { OP, TREE } from './opcodes';
import type { AttributeOp, Op, Tree } from './patch_codec';

export class Patcher {
  readonly #tree: DomTree;
  readonly #listeners: Listeners;
  readonly #inputs: Inputs;
  readonly #errors: ErrorBoxes;
  readonly #reload: (reason: string) => void;
  #autofocus: HTMLElement | null = null;

  constructor(
    tree: DomTree,
    listeners: Listeners,
    inputs: Inputs,
    errors: ErrorBoxes,
    reload: (reason: string) => void,
  ) {
    this.#tree = tree;
    this.#listeners = listeners;
    this.#inputs = inputs;
    this.#errors = errors;
    this.#reload = reload;
  }

  // Throws on what the page cannot be: unknown ids, a node inside itself, names that are none.
  apply(ops: readonly Op[]): void {
    for (const op of ops) this.#applyOp(op);
    this.#inputs.settle();
    this.#errors.settle();
    this.#autofocus?.focus();
    this.#autofocus = null;
  }

  #applyOp(op: Op): void {
    const tree = this.#tree;
    switch (op.op) {
      case OP.TEXT:
        tree.setText(op.id, op.text);
        break;
      case OP.SET_ATTR:
      case OP.SET_PROP:
      case OP.SET_STYLE:
      case OP.SET_CLASS:
      case OP.LISTEN:
        this.#applyAttribute(tree.element(op.id), op);
        break;
      case OP.INSERT:
        this.#insert(op.parent, op.before, op.firstId, op.tree);
        break;
      case OP.REMOVE:
        tree.remove(op.id);
        break;
      case OP.MOVE:
        tree.move(op.id, op.parent, op.before);
        break;
      case OP.UNLISTEN:
        this.#listeners.unlisten(tree.element(op.id), op.name);
        break;
      case OP.INPUT_VALUE:
        this.#inputs.queue(tree.element(op.id), op.revision, op.value);
        break;
      case OP.RESET:
        this.#errors.clearAll();
        tree.reset();
        break;
      case OP.TITLE:
        document.title = op.text;
        break;
      case OP.RELOAD:
        this.#reload(op.reason);
        break;
      case OP.ERROR:
        this.#errors.show(op.id, op.title, op.detail);
        break;
      case OP.CLEAR_ERROR:
        this.#errors.clear(op.id);
        break;
      default:
        op satisfies never;
    }
  }

  #applyAttribute(element: Element, op: AttributeOp): void {
    switch (op.op) {
      case OP.SET_ATTR:
        setAttribute(element, op.name, op.value);
        if (op.name === 'open') this.#inputs.noteWrite(element);
        break;
      case OP.SET_PROP:
        setProperty(element, op.name, op.value);
        this.#inputs.noteWrite(element);
        break;
      case OP.SET_STYLE:
        setStyle(element, op.name, op.value);
        break;
      case OP.SET_CLASS:
        setClass(element, op.name, op.on);
        break;
      case OP.LISTEN:
        this.#listeners.listen(element, op.name, op.options);
        if (isEdit(op.name)) this.#inputs.noteWrite(element);
        break;
      default:
        op satisfies never;
    }
  }

  #insert(parent: number, before: number, firstId: number, tree: Tree): void {
    let next = firstId;
    const build = (branch: Tree, above: Element): Node => {
      // Pre-order: the number is taken before the children take theirs.
      const id = next++;
      const node = this.#create(branch, above);
      this.#tree.add(id, node);
      if (branch.kind === TREE.ELEMENT) {
        const element = node as Element;
        for (const child of branch.children) element.append(build(child, element));
        // A select knows its value only among its options; a slider only once it has its range.
        for (const op of branch.attributes)
          if (op.op === OP.SET_PROP) this.#applyAttribute(element, op);
      }
      return node;
    };
    this.#tree.insert(build(tree, this.#tree.element(parent)), parent, before);
  }

  #create(branch: Tree, above: Element): Node {
    switch (branch.kind) {
      case TREE.TEXT:
        return createText(branch.text);
      case TREE.RAW_HTML:
        return createRawHtml(branch.html);
      case TREE.ELEMENT: {
        const element = createElement(branch.tag, above);
        for (const op of branch.attributes)
          if (op.op !== OP.SET_PROP) this.#applyAttribute(element, op);
        // Browsers heed the attribute only while they load the page.
        if (element.hasAttribute('autofocus')) this.#autofocus = element as HTMLElement;
        return element;
      }
    }
  }
}
