/** A row of the tree: one field, its value, and its documentation. */

import { html } from "./html.js";
import { useMemo } from "./preact_hooks.js";
import { Prose } from "./prose.js";
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
 * @param {boolean} props.isPicked
 * @param {Record<string, string>} props.meanings of the fields, in place of what the server sent
 * @param {() => void} props.onToggle
 * @param {() => void} props.onFocus
 * @param {() => void} props.onPick
 */
export function TreeRow({ field, level, isOpen, isStop, isPicked, meanings, onToggle, onFocus, onPick }) {
  const opens = isContainer(field);
  const toggle = opens ? onToggle : null;
  // The cells are made once: a long tree would take long at each key.
  const cells = useMemo(
    () => html`
      <${Cells} field=${field} isPicked=${isPicked} meanings=${meanings} onToggle=${toggle} onPick=${onPick} />
    `,
    [field, isOpen, isPicked, meanings],
  );
  return html`
    <tr
      role="row"
      tabindex=${isStop ? 0 : -1}
      data-path=${field.path}
      data-state=${field.state}
      data-people=${field.people || null}
      aria-level=${level}
      aria-expanded=${opens ? String(isOpen) : null}
      aria-selected=${String(isPicked)}
      onFocusIn=${onFocus}
      onKeyDown=${(event) => moveByKey(event, toggle, onPick)}
    >
      ${cells}
    </tr>
  `;
}

/** @param {{field: Field, isPicked: boolean, meanings: Record<string, string>, onToggle: any, onPick: () => void}} props */
function Cells({ field, isPicked, meanings, onToggle, onPick }) {
  return html`
    <td role="gridcell" class="tree-name" title=${field.path} onClick=${onToggle}>
      <span class=${onToggle ? "twist" : "twist none"} aria-hidden="true"></span>
      <code>${field.name}</code>
      <${PickButton} path=${field.path} isPicked=${isPicked} onPick=${onPick} />
    </td>
    <td role="gridcell" class="tree-value" data-head=${heading("value")}><${TreeValue} field=${field} /></td>
    <td role="gridcell" class="tree-type" data-head=${heading("type")}>${typeOf(field)}</td>
    <td role="gridcell" data-head=${heading("state")}>
      <span class="badge" data-state=${field.state}>${text(`state.${field.state}`)}</span>
    </td>
    <td role="gridcell" class="tree-meaning" data-head=${heading("meaning")}><${Meaning} field=${field} meanings=${meanings} /></td>
  `;
}

/**
 * For the mouse: the keyboard picks with the space bar.
 * @param {{path: string, isPicked: boolean, onPick: () => void}} props
 */
function PickButton({ path, isPicked, onPick }) {
  const pick = (event) => {
    event.stopPropagation();
    onPick();
  };
  const label = text("pick.button", { path });
  return html`
    <button
      type="button"
      class="pick-field"
      tabindex="-1"
      aria-pressed=${String(isPicked)}
      aria-label=${label}
      title=${label}
      onClick=${pick}
    >
      ${isPicked ? "✓" : "+"}
    </button>
  `;
}

/** @param {Field} field */
function typeOf({ type, count }) {
  const name = textOr(`type.${type}`, type);
  return count === undefined ? name : text("field.count", { type: name, count });
}

/** @param {{field: Field, meanings: Record<string, string>}} props */
function Meaning({ field, meanings }) {
  const { meaning, documented_as: documentedAs, notes } = field;
  const translated = meanings[documentedAs ?? ""];
  const remarks = notes.map(({ code, values }) => text(`note.${code}`, values));
  return html`
    <span>
      ${documentedAs && meaning && (translated ?? html`<${Prose} text=${meaning} />`)}
      ${remarks.length > 0 && html`<span class="tree-note">${remarks.join("; ")}</span>`}
    </span>
  `;
}

/** @param {KeyboardEvent} event @param {(() => void) | null} toggle @param {() => void} pick */
function moveByKey(event, toggle, pick) {
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
    " ": pick,
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
