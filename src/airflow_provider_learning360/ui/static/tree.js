/**
 * The document as a tree: a treegrid, in which only the visible rows exist.
 *
 * @typedef {import("./api.js").Field} Field
 */

import { html } from "./html.js";
import { useState } from "./preact_hooks.js";
import { plural, text } from "./texts.js";
import { COLUMNS, heading, isContainer, TreeRow } from "./tree_row.js";

/**
 * @param {object} props
 * @param {Field[]} props.fields
 * @param {Set<string>} props.open paths of the open fields
 * @param {(change: (open: Set<string>) => Set<string>) => void} props.onToggle called with the change to the open paths
 * @param {string[]} props.picked paths of the picked fields
 * @param {(path: string) => void} props.onPick picks a field, or takes it back
 * @param {Record<string, string>} props.meanings of the fields, in place of what the server sent
 */
export function Tree({ fields, open, onToggle, picked, onPick, meanings }) {
  /** Key of the one row that the Tab key reaches. */
  const [stop, setStop] = useState("0");
  const rows = [...visibleRows(fields, open, 1, "")];
  const current = rows.some(({ key }) => key === stop) ? stop : rows[0]?.key;
  const toggle = (path) => onToggle((before) => toggled(before, path));
  return html`
    <table id="tree" class="tree" role="treegrid" aria-multiselectable="true" aria-label=${text("request.tree_label")}>
      <thead role="rowgroup">
        <tr role="row">
          ${COLUMNS.map((column) => html`<th role="columnheader" scope="col">${heading(column)}</th>`)}
        </tr>
      </thead>
      <tbody role="rowgroup">
        ${rows.map(({ key, field, level, more }) => more
          ? html`<${MoreRow} key=${key} more=${more} level=${level} />`
          : html`
            <${TreeRow}
              key=${key}
              field=${field}
              level=${level}
              isOpen=${open.has(field.path)}
              isStop=${key === current}
              isPicked=${picked.includes(field.path)}
              meanings=${meanings}
              onPick=${() => onPick(field.path)}
              onToggle=${() => toggle(field.path)}
              onFocus=${() => setStop(key)}
            />
          `)}
      </tbody>
    </table>
  `;
}

/** @param {Set<string>} open @param {string} path */
function toggled(open, path) {
  const next = new Set(open);
  if (!next.delete(path)) next.add(path);
  return next;
}

/** @param {Field[]} fields @param {Set<string>} open */
export function isAllOpen(fields, open) {
  const paths = [...containers(fields)];
  return paths.length > 0 && paths.every((path) => open.has(path));
}

/** @param {Field[]} fields @returns {Generator<string>} the paths of all that can be opened */
export function* containers(fields) {
  for (const field of fields.filter(isContainer)) {
    yield field.path;
    yield* containers(field.items);
  }
}

/**
 * @param {Field[]} fields @param {Set<string>} open @param {number} level @param {string} above key of the parent
 * @returns {Generator<{key: string, level: number, field?: Field, more?: number}>}
 */
function* visibleRows(fields, open, level, above) {
  for (const [index, field] of fields.entries()) {
    const key = `${above}${index}`;
    yield { key, level, field };
    if (!isContainer(field) || !open.has(field.path)) continue;
    yield* visibleRows(field.items, open, level + 1, `${key}.`);
    if (field.more) yield { key: `${key}.more`, level: level + 1, more: field.more };
  }
}

/** @param {{more: number, level: number}} props */
function MoreRow({ more, level }) {
  return html`
    <tr role="row" tabindex="-1" aria-level=${level}>
      <td role="gridcell" colspan=${COLUMNS.length} class="tree-name quiet">${plural("field.more", more)}</td>
    </tr>
  `;
}
