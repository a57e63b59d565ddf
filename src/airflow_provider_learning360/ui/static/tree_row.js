/** A row of the tree: one field, its value, and its documentation. */

import { html } from "./html.js";
import { useMemo } from "./preact_hooks.js";
import { text, textOr } from "./texts.js";
import { TreeValue } from "./tree_value.js";

export const COLUMNS = ["name", "value", "type", "state", "meaning"];

/** @typedef {import("./api.js").Field} Field */

/** @param {string} column */
export function heading(column) {
  return text(`field.${column}`);
}

/** @param {Field} field */
export function isContainer(field) {
  return Boolean(field.items?.length);
}

/**
 * @param {object} props
 * @param {Field} props.field
 * @param {number} props.level
 * @param {boolean} props.isOpen
 * @param {boolean} props.isStop whether the Tab key reaches it
 * @param {() => void} props.onToggle
 * @param {() => void} props.onFocus
 */
export function TreeRow({ field, level, isOpen, isStop, onToggle, onFocus }) {
  const opens = isContainer(field);
  // The cells are made once: a long tree would take long at each key.
  const cells = useMemo(() => html`<${Cells} field=${field} onToggle=${opens ? onToggle : null} />`, [field, isOpen]);
  return html`
    <tr
      role="row"
      tabindex=${isStop ? 0 : -1}
      data-path=${field.path}
      data-state=${field.state}
      data-people=${field.people || null}
      aria-level=${level}
      aria-expanded=${opens ? String(isOpen) : null}
      onFocusIn=${onFocus}
      onKeyDown=${(event) => moveByKey(event, opens ? onToggle : null)}
    >
      ${cells}
    </tr>
  `;
}

/** @param {{field: Field, onToggle: (() => void) | null}} props */
function Cells({ field, onToggle }) {
  return html`
    <td role="gridcell" class="tree-name" title=${field.path} onClick=${onToggle}>
      <span class=${onToggle ? "twist" : "twist none"} aria-hidden="true"></span><code>${field.name}</code>
    </td>
    <td role="gridcell" class="tree-value" data-head=${heading("value")}><${TreeValue} field=${field} /></td>
    <td role="gridcell" class="tree-type" data-head=${heading("type")}>${typeOf(field)}</td>
    <td role="gridcell" data-head=${heading("state")}>
      <span class="badge" data-state=${field.state}>${text(`state.${field.state}`)}</span>
    </td>
    <td role="gridcell" class="tree-meaning" data-head=${heading("meaning")}><${Meaning} field=${field} /></td>
  `;
}

/** @param {Field} field */
function typeOf({ type, count }) {
  const name = textOr(`type.${type}`, type);
  return count === undefined ? name : text("field.count", { type: name, count });
}

/** @param {{field: Field}} props */
function Meaning({ field }) {
  const { meaning, documented_as: documentedAs, notes } = field;
  const remarks = notes.map(({ code, values }) => text(`note.${code}`, values));
  return html`
    <span>
      ${documentedAs && textOr(`meaning.${documentedAs}`, meaning)}
      ${remarks.length > 0 && html`<span class="tree-note">${remarks.join("; ")}</span>`}
    </span>
  `;
}

/** @param {KeyboardEvent} event @param {(() => void) | null} toggle */
function moveByKey(event, toggle) {
  const row = /** @type {HTMLElement} */ (event.currentTarget);
  if (event.target !== row || event.altKey || event.ctrlKey || event.metaKey) return;
  const opened = row.getAttribute("aria-expanded");
  const actions = {
    ArrowDown: () => focus(row.nextElementSibling),
    ArrowUp: () => focus(row.previousElementSibling),
    ArrowRight: () => (opened === "false" ? toggle() : opened && focus(row.nextElementSibling)),
    ArrowLeft: () => (opened === "true" ? toggle() : focus(parentOf(row))),
    Home: () => focus(row.parentElement.firstElementChild),
    End: () => focus(row.parentElement.lastElementChild),
    Enter: () => toggle?.(),
  };
  if (!actions[event.key]) return;
  event.preventDefault();
  actions[event.key]();
}

/** @param {any} row */
function focus(row) {
  row?.focus();
}

function parentOf(row) {
  let above = row.previousElementSibling;
  while (above && levelOf(above) >= levelOf(row)) above = above.previousElementSibling;
  return above;
}

/** @param {Element} row */
function levelOf(row) {
  return Number(row.getAttribute("aria-level"));
}
