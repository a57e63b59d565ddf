/** The sessions that a search found. */

import { date } from "./format.js";
import { html } from "./html.js";
import { text } from "./texts.js";

const COLUMNS = ["name", "starts", "ends", "template", "modified"];

/**
 * @param {object} props
 * @param {import("./api.js").Session[]} props.sessions
 * @param {string} props.selected ID
 * @param {(session: import("./api.js").Session) => void} props.onSelect
 */
export function SessionTable({ sessions, selected, onSelect }) {
  return html`
    <table class="cards" role="table">
      <thead role="rowgroup">
        <tr role="row">
          ${COLUMNS.map((column) => html`<th role="columnheader" scope="col">${heading(column)}</th>`)}
        </tr>
      </thead>
      <tbody role="rowgroup">
        ${sessions.map((session) => html`
          <${Row}
            key=${session.id}
            session=${session}
            isSelected=${session.id === selected}
            onSelect=${() => onSelect(session)}
          />
        `)}
      </tbody>
    </table>
  `;
}

/** @param {string} column */
function heading(column) {
  return text(`session.${column}`);
}

/** The mouse selects with the whole row, the keyboard with its button. */
function Row({ session, isSelected, onSelect }) {
  const { id, name, start, end, template, modified } = session;
  const label = name.trim() || text("session.unnamed");
  const button = html`
    <button type="button" class="pick" aria-pressed=${String(isSelected)} title=${`${label} (${id})`}>${label}</button>
  `;
  const cells = [button, date(start), date(end), template ? html`<code>${template}</code>` : "–", date(modified)];
  return html`
    <tr role="row" data-id=${id} data-selected=${isSelected || null} onClick=${onSelect}>
      ${cells.map((cell, column) => html`<td role="cell" data-head=${heading(COLUMNS[column])}>${cell}</td>`)}
    </tr>
  `;
}
