/** The value of a field in the tree. */

import { date } from "./format.js";
import { html } from "./html.js";
import { text } from "./texts.js";

const MASK = "•••";
/** Longer texts are folded, with this many characters visible. */
const FOLDED_CHARACTERS = 160;
const PREVIEW_CHARACTERS = 120;
const PREVIEW_ITEMS = 6;

/** @typedef {import("./api.js").Field} Field */

/** @param {{field: Field}} props */
export function TreeValue({ field }) {
  if (field.state === "missing") return html`<span class="quiet">${text("field.not_sent")}</span>`;
  if (field.items) return html`<span class="preview">${preview(field)}</span>`;
  const { value } = field;
  if (value === MASK) return html`<${Masked} />`;
  if (typeof value !== "string") return html`<code class="code-word">${String(value)}</code>`;
  if (field.type === "date" && !Number.isNaN(Date.parse(value))) return html`<${DateValue} value=${value} />`;
  if (value === "") return html`<span class="quiet">${text("field.empty")}</span>`;
  if (value.length > FOLDED_CHARACTERS) return html`<${LongText} value=${value} />`;
  return html`<span class="text">${value}</span>`;
}

/** Dots to see, a word for screen readers. */
function Masked() {
  return html`
    <span><span class="masked" aria-hidden="true">${MASK}</span><span class="visually-hidden">${text("field.hidden")}</span></span>
  `;
}

/** @param {{value: string}} props as it was sent; the reader's local time is below it */
function DateValue({ value }) {
  return html`<span><span class="text">${value}</span><span class="tree-note quiet">${date(value)}</span></span>`;
}

/** @param {{value: string}} props */
function LongText({ value }) {
  return html`
    <details class="long">
      <summary>${`${value.slice(0, FOLDED_CHARACTERS)}…`}</summary>
      <span class="text">${value}</span>
    </details>
  `;
}

/** The content of a folded field, on one line. @param {Field} field */
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
