/** The planned reminders on a line from now to the end of the plan: a row for each rule, a circle for each reminder. */

import { html } from "./html.js";
import { locale, plural, text } from "./texts.js";

const WIDTH = 720;
const LEFT = 150;
const RIGHT = 20;
const ROW = 30;
const TOP = 8;
const TICKS = 5;

const days = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short" });

/** @param {{rows: import("./api.js").PlannedReminder[], until: string}} props */
export function ReminderTimeline({ rows, until }) {
  const end = Date.parse(until);
  const start = Math.min(Date.now(), ...rows.map(({ at }) => Date.parse(at)));
  const rules = [...new Set(rows.map(({ rule }) => rule))];
  const place = (time) => LEFT + ((time - start) / Math.max(end - start, 1)) * (WIDTH - LEFT - RIGHT);
  const bottom = TOP + rules.length * ROW;
  return html`
    <div class="timeline" tabindex="0" role="region" aria-label=${text("plan.timeline")}>
      <svg role="img" aria-label=${describe(rows, rules)} viewBox=${`0 0 ${WIDTH} ${bottom + 24}`}>
        ${Array.from({ length: TICKS }, (_, at) => start + ((end - start) * at) / (TICKS - 1)).map((time) => html`
          <${Tick} x=${place(time)} bottom=${bottom} label=${days.format(time)} />
        `)}
        ${rules.map((rule, at) => html`
          <${Rule} y=${TOP + at * ROW + ROW / 2} name=${rule} rows=${rows.filter((one) => one.rule === rule)} place=${place} />
        `)}
      </svg>
    </div>
  `;
}

function Tick({ x, bottom, label }) {
  return html`
    <line class="tick-line" x1=${x} x2=${x} y1=${TOP} y2=${bottom} />
    <text class="tick-label" x=${x} y=${bottom + 16} text-anchor="middle">${label}</text>
  `;
}

/** @param {{y: number, name: string, rows: import("./api.js").PlannedReminder[], place: (time: number) => number}} props */
function Rule({ y, name, rows, place }) {
  return html`
    <text class="rule-name" x="0" y=${y + 4}>${name.length > 20 ? `${name.slice(0, 19)}…` : name}</text>
    <line class="rule-line" x1=${LEFT} x2=${WIDTH - RIGHT} y1=${y} y2=${y} />
    ${rows.map(({ at, recipients, title }) => html`
      <circle class="due" cx=${place(Date.parse(at))} cy=${y} r=${Math.min(4 + Math.sqrt(recipients), 12)}>
        <title>${`${title} · ${plural("plan.people", recipients)}`}</title>
      </circle>
    `)}
  `;
}

/** @param {import("./api.js").PlannedReminder[]} rows @param {string[]} rules */
function describe(rows, rules) {
  const counts = rules.map((rule) => `${rule}: ${rows.filter((one) => one.rule === rule).length}`);
  return `${text("plan.timeline")}. ${counts.join(", ")}`;
}
