/** What a watched asset has reported: its last events, folded. */

import { date } from "./format.js";
import { html } from "./html.js";
import { plural, text } from "./texts.js";

/** @param {{events: import("./api.js").WatchedAsset["reported"]}} props the newest first */
export function ReportedEvents({ events }) {
  if (events.length === 0) return null;
  return html`
    <details class="reported">
      <summary>${plural("watched.reported", events.length)}</summary>
      <ol class="facts">
        ${events.map(({ at, sessions, more }) => html`
          <li key=${at}>
            ${date(at)}
            ${sessions.map((session) => html`<${Session} key=${session.id} ...${session} />`)}
            ${more > 0 && html`<span class="quiet">${plural("watched.more_sessions", more)}</span>`}
          </li>
        `)}
      </ol>
    </details>
  `;
}

/** @param {{id: string, kind: string, fields: string[]}} session */
function Session({ id, kind, fields }) {
  return html`
    <span class="reported-session"><code>${id}</code> ${text(`kind.${kind}`)} <code>${fields.join(", ")}</code></span>
  `;
}
