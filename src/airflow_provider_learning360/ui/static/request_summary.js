/** The request and its response, on one line; and how the response differs from the documentation. */

import { number, size } from "./format.js";
import { html } from "./html.js";
import { plural, text } from "./texts.js";

/** Names above the tree, of each kind of difference. */
const MAX_NAMES = 12;

/** @param {{test: import("./api.js").RequestTest}} props */
export function RequestSummary({ test }) {
  const { ok, request, status, milliseconds, bytes, failure } = test;
  // The detail of a failure often names the request.
  const isShown = request && !failure?.detail?.includes(request);
  const code = status ?? text(request === null ? "request.not_sent" : "request.no_response");
  const time = text("request.milliseconds", { milliseconds });
  return html`
    <span class="summary-line">
      <span class="badge" data-kind=${ok ? "success" : "error"}>${code}</span>
      ${isShown && html`<code class="request-line">${request}</code>`}
      <span class="quiet">${bytes ? `${time} · ${size(bytes)}` : time}</span>
    </span>
  `;
}

/** @param {{drift: import("./api.js").Drift}} props */
export function Drift({ drift }) {
  const { unknown, missing, new_values: newValues, more } = drift;
  const parts = [
    differences(unknown, "unknown", "request.unknown_fields", more),
    differences(missing, "missing", "request.missing_fields"),
    differences(newValues, "unknown", "request.new_values"),
  ].filter(Boolean);
  const none = html`<span class="badge" data-kind="success">${text("request.as_documented")}</span>`;
  return html`<p id="drift">${parts.length > 0 ? parts : none}</p>`;
}

/**
 * @param {string[]} names @param {string} state @param {string} key
 * @param {number} [more] further ones, whose names were not sent
 */
function differences(names, state, key, more = 0) {
  const count = names.length + more;
  if (count === 0) return null;
  return html`
    <span class="drift">
      <span class="badge" data-state=${state}>${number(count)}</span>
      ${` ${plural(key, count)} `}
      <code>${names.slice(0, MAX_NAMES).join(", ")}${count > MAX_NAMES && ", …"}</code>
    </span>
  `;
}
