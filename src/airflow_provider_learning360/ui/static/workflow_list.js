/** Workflows as source: one of several kinds, in one of several dialects. */

import { Code } from "./code.js";
import { CopyButton } from "./copy_button.js";
import { html } from "./html.js";
import { Tabs } from "./tabs.js";
import { text } from "./texts.js";

/** A workflow that needs one of these has several files. */
const SEVERAL_FILES = ["blueprint_files", "dag_factory_loader"];

/**
 * @param {object} props
 * @param {import("./api.js").Workflow[]} props.workflows at least one
 * @param {string} props.kind of the one to show; the first one if there is none of this kind
 * @param {(kind: string) => void} props.onSelect
 * @param {string} props.dialect the first one if the workflow has none of this name
 * @param {(dialect: string) => void} props.onDialect
 * @param {(dialect: string, kind: string) => any} props.archive what downloads the files of a dialect
 */
export function WorkflowList({ workflows, kind, onSelect, dialect, onDialect, archive }) {
  const workflow = workflows.find((one) => one.kind === kind) ?? workflows[0];
  const snippet = workflow.snippets.find((one) => one.dialect === dialect) ?? workflow.snippets[0];
  const kinds = workflows.map((one) => ({ id: one.kind, label: titleOf(one), panel: "workflow" }));
  const dialects = workflow.snippets.map(({ dialect: id, label }) => ({ id, label, panel: "dialect" }));
  return html`
    <div id="workflows">
      ${workflows.length > 1 && html`
        <${Tabs}
          id="workflow-tabs"
          label=${text("workflow.kinds")}
          tabs=${kinds}
          selected=${workflow.kind}
          onSelect=${onSelect}
        />
      `}
      <div id="workflow" role=${workflows.length > 1 ? "tabpanel" : "group"} aria-label=${titleOf(workflow)}>
        <p id="workflow-text">${text(`workflow.${workflow.kind}.text`)}</p>
        <div class="bar">
          <${Tabs}
            id="dialect-tabs"
            data-size="small"
            label=${text("workflow.dialects")}
            tabs=${dialects}
            selected=${snippet.dialect}
            onSelect=${onDialect}
          />
          ${SEVERAL_FILES.some((need) => snippet.needs.includes(need)) && archive(snippet.dialect, workflow.kind)}
        </div>
        <${Snippet} snippet=${snippet} />
      </div>
    </div>
  `;
}

/** @param {import("./api.js").Workflow} workflow */
function titleOf({ kind }) {
  return text(`workflow.${kind}.title`);
}

/** @param {{snippet: import("./api.js").Snippet}} props */
function Snippet({ snippet }) {
  const { dialect, label, file, text: source, needs } = snippet;
  const language = dialect === "python" ? "python" : "yaml";
  return html`
    <div id="dialect" class="frame" role="tabpanel" aria-label=${label}>
      <div class="frame-head">
        <code id="snippet-file">${file}</code>
        <${CopyButton} id="copy" source=${source} label=${text("workflow.copy")} />
      </div>
      <${Code} id="snippet" source=${source} language=${language} label=${text("workflow.source")} />
    </div>
    ${needs.length > 0 && html`
      <div id="snippet-needs" class="note">
        <p id="needs-title">${text("workflow.needs")}</p>
        <ul id="needs" aria-labelledby="needs-title">${needs.map((need) => html`<li>${text(`need.${need}`)}</li>`)}</ul>
      </div>
    `}
  `;
}
