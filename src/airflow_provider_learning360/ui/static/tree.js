/**
 * The document as a tree: a treegrid, in which only the visible rows exist.
 *
 * @typedef {import("./api.js").Field} Field
 */

import { element, fill } from "./element.js";
import { date } from "./format.js";
import { plural, text, textOr } from "./texts.js";

const COLUMNS = ["name", "value", "type", "state", "meaning"];
const MASK = "•••";
/** Longer texts are folded, with this many characters visible. */
const FOLDED_CHARACTERS = 160;
const PREVIEW_CHARACTERS = 120;
const PREVIEW_ITEMS = 6;

export class Tree {
  #table;
  #onToggle;
  /** @type {Field[]} */
  #fields = [];
  /** Paths that the reader opened. */
  #open = new Set();
  /** @type {WeakMap<Element, Field>} */
  #fieldOf = new WeakMap();

  /**
   * @param {HTMLTableElement} table has role=treegrid
   * @param {(all: boolean) => void} onToggle called with whether everything is open, whenever that may have changed
   */
  constructor(table, onToggle) {
    this.#table = table;
    this.#onToggle = onToggle;
    table.addEventListener("keydown", (event) => this.#onKey(event));
    table.addEventListener("focusin", (event) => this.#moveStop(event.target.closest("tbody tr")));
  }

  /** @param {Field[]} fields */
  show(fields) {
    this.#fields = fields;
    const heads = COLUMNS.map((column) => element("th", { role: "columnheader", scope: "col" }, heading(column)));
    fill(
      this.#table,
      element("thead", { role: "rowgroup" }, element("tr", { role: "row" }, ...heads)),
      element("tbody", { role: "rowgroup" }, ...this.#rows(fields, 1)),
    );
    this.#moveStop(this.#body.firstElementChild);
    this.#onToggle(this.#isAllOpen);
  }

  /** Fold everything, for another session. */
  reset() {
    this.#open.clear();
  }

  /** Open everything, or fold everything if it is open. */
  toggleAll() {
    this.#open = new Set(this.#isAllOpen ? [] : containers(this.#fields));
    this.show(this.#fields);
  }

  get #isAllOpen() {
    const paths = [...containers(this.#fields)];
    return paths.length > 0 && paths.every((path) => this.#open.has(path));
  }

  get #body() {
    return this.#table.tBodies[0];
  }

  /** @returns {HTMLTableRowElement[]} the rows of these fields, and those inside the open ones */
  #rows(fields, level) {
    return fields.flatMap((field) => [
      this.#row(field, level),
      ...(isContainer(field) && this.#open.has(field.path) ? this.#inside(field, level) : []),
    ]);
  }

  #inside(field, level) {
    return [...this.#rows(field.items, level + 1), ...(field.more ? [moreRow(field.more, level + 1)] : [])];
  }

  /** @param {Field} field @param {number} level */
  #row(field, level) {
    const opens = isContainer(field);
    const row = element(
      "tr",
      {
        role: "row",
        tabindex: "-1",
        "data-path": field.path,
        "data-state": field.state,
        "data-people": field.people,
        "aria-level": level,
        "aria-expanded": opens ? String(this.#open.has(field.path)) : null,
      },
      nameCell(field, opens),
      cell(1, shownValue(field), "tree-value"),
      cell(2, typeOf(field), "tree-type"),
      cell(3, element("span", { class: "badge", "data-state": field.state }, text(`state.${field.state}`))),
      cell(4, meaning(field), "tree-meaning"),
    );
    if (opens) row.querySelector(".tree-name").addEventListener("click", () => this.#toggle(row, field));
    this.#fieldOf.set(row, field);
    return row;
  }

  #toggle(row, field) {
    const open = !this.#open.has(field.path);
    row.setAttribute("aria-expanded", String(open));
    if (open) this.#unfold(row, field);
    else this.#fold(row, field);
    this.#onToggle(this.#isAllOpen);
  }

  #unfold(row, field) {
    this.#open.add(field.path);
    row.after(...this.#inside(field, level(row)));
  }

  #fold(row, field) {
    this.#open.delete(field.path);
    while (row.nextElementSibling && level(row.nextElementSibling) > level(row)) row.nextElementSibling.remove();
    this.#moveStop(row);
  }

  /** The one row that the Tab key reaches. */
  #moveStop(row) {
    if (!row) return;
    for (const other of this.#body.querySelectorAll("tr[tabindex='0']")) other.tabIndex = -1;
    row.tabIndex = 0;
  }

  #onKey(event) {
    const row = event.target;
    if (!(row instanceof HTMLTableRowElement) || event.altKey || event.ctrlKey || event.metaKey) return;
    const opened = row.getAttribute("aria-expanded");
    const toggle = () => this.#toggle(row, this.#fieldOf.get(row));
    const actions = {
      ArrowDown: () => row.nextElementSibling?.focus(),
      ArrowUp: () => row.previousElementSibling?.focus(),
      ArrowRight: () => (opened === "false" ? toggle() : opened && row.nextElementSibling?.focus()),
      ArrowLeft: () => (opened === "true" ? toggle() : parentOf(row)?.focus()),
      Home: () => this.#body.firstElementChild.focus(),
      End: () => this.#body.lastElementChild.focus(),
      Enter: () => opened && toggle(),
    };
    if (!actions[event.key]) return;
    event.preventDefault();
    actions[event.key]();
  }
}

/** @param {string} column */
function heading(column) {
  return text(`field.${column}`);
}

function level(row) {
  return Number(row.getAttribute("aria-level"));
}

function parentOf(row) {
  let above = row.previousElementSibling;
  while (above && level(above) >= level(row)) above = above.previousElementSibling;
  return above;
}

/** @param {Field} field */
function isContainer(field) {
  return Boolean(field.items?.length);
}

/** @returns {Generator<string>} the paths of all that can be opened */
function* containers(fields) {
  for (const field of fields.filter(isContainer)) {
    yield field.path;
    yield* containers(field.items);
  }
}

function cell(column, content, className = "") {
  return element("td", { role: "gridcell", class: className, "data-head": heading(COLUMNS[column]) }, content ?? "");
}

/** @param {Field} field @param {boolean} opens */
function nameCell({ name, path }, opens) {
  const mark = element("span", { class: opens ? "twist" : "twist none", "aria-hidden": "true" });
  return element("td", { role: "gridcell", class: "tree-name", title: path }, mark, element("code", {}, name));
}

/** @param {Field} field */
function typeOf({ type, count }) {
  const name = textOr(`type.${type}`, type);
  return count === undefined ? name : text("field.count", { type: name, count });
}

/** @param {Field} field */
function meaning({ meaning: sent, documented_as: documentedAs, notes }) {
  const remarks = notes.map(({ code, values }) => text(`note.${code}`, values));
  return element(
    "span",
    {},
    documentedAs && textOr(`meaning.${documentedAs}`, sent),
    remarks.length > 0 && element("span", { class: "tree-note" }, remarks.join("; ")),
  );
}

/** @param {Field} field */
function shownValue(field) {
  if (field.state === "missing") return element("span", { class: "quiet" }, text("field.not_sent"));
  if (field.items) return element("span", { class: "preview" }, preview(field));
  const { value } = field;
  if (value === MASK) return masked();
  if (typeof value !== "string") return element("code", { class: "code-word" }, String(value));
  if (field.type === "date" && !Number.isNaN(Date.parse(value))) return dateValue(value);
  if (value === "") return element("span", { class: "quiet" }, text("field.empty"));
  return value.length > FOLDED_CHARACTERS ? longText(value) : element("span", { class: "text" }, value);
}

/** Dots to see, a word for screen readers. */
function masked() {
  const dots = element("span", { class: "masked", "aria-hidden": "true" }, MASK);
  return element("span", {}, dots, element("span", { class: "visually-hidden" }, text("field.hidden")));
}

/** @param {string} value as it was sent; the reader's local time is below it */
function dateValue(value) {
  const local = element("span", { class: "tree-note quiet" }, date(value));
  return element("span", {}, element("span", { class: "text" }, value), local);
}

/** @param {string} value */
function longText(value) {
  const start = element("summary", {}, `${value.slice(0, FOLDED_CHARACTERS)}…`);
  return element("details", { class: "long" }, start, element("span", { class: "text" }, value));
}

/** @param {number} more @param {number} level */
function moreRow(more, level) {
  return element(
    "tr",
    { role: "row", tabindex: "-1", "aria-level": level },
    element("td", { role: "gridcell", colspan: COLUMNS.length, class: "tree-name quiet" }, plural("field.more", more)),
  );
}

/**
 * The content of a folded field, on one line.
 * @param {Field} field
 */
function preview(field) {
  const line = inside(field, 2);
  return line.length > PREVIEW_CHARACTERS ? `${line.slice(0, PREVIEW_CHARACTERS)}…` : line;
}

/** @param {Field} field @param {number} depth levels that are written out */
function inside({ items, count, more = 0 }, depth) {
  const list = count !== undefined;
  const [before, after] = list ? "[]" : "{}";
  const sent = items.filter(({ state }) => state !== "missing");
  const parts = sent.slice(0, depth > 0 ? PREVIEW_ITEMS : 0).map((item) => (list ? "" : `${item.name}: `) + brief(item, depth));
  if (sent.length + more > parts.length) parts.push("…");
  return before + parts.join(", ") + after;
}

/** @param {Field} field @param {number} depth */
function brief(field, depth) {
  if (field.items) return inside(field, depth - 1);
  return field.value === MASK ? MASK : JSON.stringify(field.value);
}
