/** The documentation of an operation. */

import { listScopes } from "./api.js";
import { Callout } from "./callout.js";
import { Code } from "./code.js";
import { html } from "./html.js";
import { useLoaded } from "./loaded.js";
import { useMemo } from "./preact_hooks.js";
import { Prose } from "./prose.js";
import { text } from "./texts.js";

/** @typedef {import("./api.js").OperationDetail} OperationDetail */

/** @param {{connection: string, detail: OperationDetail, onSelect: (name: string) => void}} props */
export function OperationDocumentation({ connection, detail, onSelect }) {
  const { method, path, topic, version, text: sentence, warning, replaces, reference } = detail;
  return html`
    <div id="documentation" class="documentation">
      <div class="documentation-main">
        <p class="documentation-text"><${Prose} text=${sentence} /></p>
        <p class="about"><code class="request-line">${`${method} ${path}`}</code></p>
        <p class="about">
          <span class="badge" lang="en">${topic}</span>
          <span class="badge">${text(`version.${version}`)}</span>
          ${detail.confidence !== "documented" && html`
            <span class="badge" data-kind="warning">${text(`confidence.${detail.confidence}`)}</span>
          `}
        </p>
        <${Scope} connection=${connection} scope=${detail.scope} />
        ${warning && html`
          <${Callout} kind="warning" title=${text("documentation.warning")}>
            <p class="callout-text"><${Prose} text=${warning} /></p>
          <//>
        `}
        ${replaces && html`<${Callout} kind="warning" title=${text("documentation.replaces", { what: replaces })} />`}
        <ul class="facts">${factsOf(detail).map((fact) => html`<li key=${fact}>${fact}</li>`)}</ul>
        ${detail.counterpart && html`
          <p id="counterpart">
            ${text("documentation.counterpart")}${" "}
            <button type="button" class="link" onClick=${() => onSelect(detail.counterpart)}>${detail.counterpart}</button>
          </p>
        `}
        ${reference && html`
          <p><a href=${reference} target="_blank" rel="noopener noreferrer">${text("documentation.reference")}</a></p>
        `}
      </div>
      <div class="documentation-answer">
        <${ExampleAnswer} detail=${detail} />
        <${Errors} errors=${detail.errors} />
      </div>
    </div>
  `;
}

/** @param {OperationDetail} detail @returns {string[]} */
function factsOf({ repeat, people, asynchronous, page_size: size }) {
  return [
    text(`repeat.${repeat}`),
    people && text("documentation.people"),
    asynchronous && text("documentation.asynchronous"),
    size && text("documentation.page_size", { size }),
  ].filter(Boolean);
}

/** @param {{connection: string, scope: string | null}} props */
function Scope({ connection, scope }) {
  const { content } = useLoaded((signal) => listScopes(connection, signal), [connection], Boolean(connection && scope));
  if (!scope) return null;
  const granted = content?.scopes.find(({ name }) => name === scope)?.granted ?? null;
  const [kind, key] = granted === null ? ["", "unknown"] : granted ? ["success", "granted"] : ["error", "missing"];
  return html`
    <p id="scope" class="about">
      ${text("documentation.scope")} <code>${scope}</code>
      <span class="badge" data-kind=${kind}>${text(`scope.${key}`)}</span>
    </p>
  `;
}

/** @param {{detail: OperationDetail}} props */
function ExampleAnswer({ detail }) {
  const example = detail.example_answer;
  const source = useMemo(() => JSON.stringify(example, null, 2), [example]);
  if (example === null || example === undefined) return html`<p class="quiet">${text("documentation.no_answer")}</p>`;
  return html`
    <details open>
      <summary>${text("documentation.example", { status: String(detail.answer.status) })}</summary>
      <${Code} id="example-answer" source=${source} language="json" label=${text("documentation.example_label")} />
    </details>
  `;
}

/** @param {{errors: Record<string, string[]>}} props */
function Errors({ errors }) {
  const rows = Object.entries(errors);
  if (rows.length === 0) return null;
  return html`
    <details>
      <summary>${text("documentation.errors")}</summary>
      <dl class="facts">
        ${rows.map(([status, codes]) => html`<dt key=${status}>${status}</dt><dd><code>${codes.join(", ")}</code></dd>`)}
      </dl>
    </details>
  `;
}
