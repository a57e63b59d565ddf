/** What an operation that changes something would send, and why it was not sent. */

import { Callout } from "./callout.js";
import { Code } from "./code.js";
import { html } from "./html.js";
import { useMemo } from "./preact_hooks.js";
import { text } from "./texts.js";

/** @param {{test: import("./api.js").OperationTest}} props */
export function UnsentRequest({ test }) {
  const { would_send: request, repeat, replaces } = test;
  const source = useMemo(() => toHttp(request), [request]);
  return html`
    <div id="unsent">
      <${Callout} kind="info" title=${text("unsent.title")}>
        <p class="callout-text">${text("unsent.why")} ${text(`repeat.${repeat}`)}</p>
        ${replaces && html`<p class="callout-text">${text("documentation.replaces", { what: replaces })}</p>`}
      <//>
      <div class="frame">
        <${Code} id="unsent-request" source=${source} language="json" label=${text("unsent.label")} />
      </div>
    </div>
  `;
}

/** As HTTP writes a request. @param {import("./api.js").SentRequest} request */
function toHttp({ method, path, query, headers = {}, body }) {
  const parameters = query.map(([name, value]) => `${name}=${value}`).join("\n  &");
  const lines = [
    `${method} ${path}${parameters && `\n  ?${parameters}`}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ];
  if (body !== null) lines.push("", JSON.stringify(body, null, 2));
  return lines.join("\n");
}
