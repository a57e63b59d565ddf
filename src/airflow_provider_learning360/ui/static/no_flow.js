/** Parts 3 to 5 before an operation or a session is selected. */

import { html } from "./html.js";
import { Part } from "./part.js";
import { text } from "./texts.js";

/** @param {{hint: string}} props what to do first */
export function NoFlow({ hint }) {
  return html`
    <${Part} number=${3} id="documentation" title=${text("documentation.title")}><p class="quiet">${hint}</p><//>
    <${Part} number=${4} id="request" title=${text("request.title")}><p id="request-hint" class="quiet">${hint}</p><//>
    <${Part} number=${5} id="workflows" title=${text("workflow.title")}>
      <p id="workflows-hint" class="quiet">${hint}</p>
    <//>
  `;
}
