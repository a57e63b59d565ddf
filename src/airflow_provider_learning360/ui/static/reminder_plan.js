/** Who would get what, and when: as a timeline, and as a table. */

import { FailureCallout } from "./callout.js";
import { date } from "./format.js";
import { html } from "./html.js";
import { ReminderTimeline } from "./reminder_timeline.js";
import { plural, text } from "./texts.js";

/** Recipients in a row of the table. */
const MAX_SHOWN = 8;
const COLUMNS = ["at", "rule", "session", "recipients", "who"];

/** @typedef {import("./api.js").PlannedReminder} PlannedReminder */

/** @param {{plan: import("./api.js").ReminderPlan, onRetry: () => void}} props */
export function ReminderPlan({ plan, onRetry }) {
  const { plan: rows, sessions, complete, not_planned: notPlanned, failure, until } = plan;
  return html`
    <div id="plan">
      <h3>${text("plan.title")}</h3>
      <div role="alert">${failure && html`<${FailureCallout} failure=${failure} onRetry=${onRetry} />`}</div>
      <p id="plan-summary" class="quiet" role="status">
        ${plural("plan.rows", rows.length)}${" "}${plural("plan.sessions", sessions)}
        ${!complete && ` ${text("plan.incomplete")}`}
      </p>
      ${notPlanned.length > 0 && html`<p class="quiet">${text("plan.not_planned", { rules: notPlanned.join(", ") })}</p>`}
      ${rows.length > 0 && html`
        <${ReminderTimeline} rows=${rows} until=${until} />
        <div class="rows" tabindex="0" role="region" aria-label=${text("plan.title")}><${Table} rows=${rows} /></div>
      `}
    </div>
  `;
}

/** @param {{rows: PlannedReminder[]}} props */
function Table({ rows }) {
  return html`
    <table class="cards" role="table">
      <thead role="rowgroup">
        <tr role="row">
          ${COLUMNS.map((column) => html`<th role="columnheader" scope="col">${text(`plan.${column}`)}</th>`)}
        </tr>
      </thead>
      <tbody role="rowgroup">
        ${rows.map((row, at) => html`<${Row} key=${at} row=${row} />`)}
      </tbody>
    </table>
  `;
}

/** @param {string[]} who */
function shortened(who) {
  return who.slice(0, MAX_SHOWN).join(", ") + (who.length > MAX_SHOWN ? ", …" : "");
}

/** @param {{row: PlannedReminder}} props */
function Row({ row }) {
  const { at, rule, session, title, recipients, who, without_address: without } = row;
  const cells = [
    date(at),
    html`<code>${rule}</code>`,
    html`<span title=${session}>${title || session}</span>`,
    html`<span>
      ${plural("plan.people", recipients)}
      ${without > 0 && html`<span class="tree-note">${plural("plan.without_address", without)}</span>`}
    </span>`,
    html`<span class="masked">${shortened(who) || "–"}</span>`,
  ];
  return html`
    <tr role="row">
      ${cells.map((cell, column) => html`<td role="cell" data-head=${text(`plan.${COLUMNS[column]}`)}>${cell}</td>`)}
    </tr>
  `;
}
