/** Part 3 for an operation: its form, and beside it its documentation. */

import { FailureCallout } from "./callout.js";
import { html } from "./html.js";
import { OperationDocumentation } from "./operation_documentation.js";
import { OperationForm } from "./operation_form.js";
import { Part } from "./part.js";
import { text } from "./texts.js";

/**
 * @param {object} props
 * @param {string} props.connection ID
 * @param {{content: import("./api.js").OperationDetail | null, failure: any, reload: () => Promise<void>}} props.loaded
 * @param {ReturnType<typeof import("./operation_arguments.js").useArguments>} props.form
 * @param {(name: string) => void} props.onSelect selects another operation
 */
export function OperationPart({ connection, loaded, form, onSelect }) {
  const { content: detail, failure, reload } = loaded;
  return html`
    <${Part} number=${3} id="documentation" title=${text("documentation.title")}>
      <div id="documentation-trouble" role="alert">
        ${failure && html`<${FailureCallout} failure=${failure} onRetry=${reload} />`}
      </div>
      ${!detail && !failure && html`<p class="quiet loading">${text("documentation.loading")}</p>`}
      ${detail && html`
        <div class="beside" data-short=${isShort(detail) || null}>
          <${OperationForm} connection=${connection} detail=${detail} form=${form} />
          <${OperationDocumentation} connection=${connection} detail=${detail} onSelect=${onSelect} />
        </div>
      `}
    <//>
  `;
}

/** Whether the form has little to show. @param {import("./api.js").OperationDetail} detail */
function isShort({ parameters, body }) {
  return !body && !parameters.some(({ required }) => required);
}
