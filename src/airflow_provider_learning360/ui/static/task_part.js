/** Part 2: what to do, which is any operation, or reading a session. */

import { FailureCallout } from "./callout.js";
import { html } from "./html.js";
import { OperationSearch } from "./operation_search.js";
import { Part } from "./part.js";
import { Tabs } from "./tabs.js";
import { text } from "./texts.js";

/**
 * @param {object} props
 * @param {boolean} props.hasConnection
 * @param {"any" | "session"} props.task the selected tab
 * @param {(task: string) => void} props.onTask
 * @param {{content: import("./api.js").OperationList | null, failure: any, reload: () => Promise<void>}} props.operations
 * @param {string} props.version of the API that the connection uses; empty if it is not known
 * @param {string} props.selected name of the operation; empty if none is selected
 * @param {(name: string) => void} props.onSelect
 * @param {any} props.children the search for a session
 */
export function TaskPart({ hasConnection, task, onTask, operations, version, selected, onSelect, children }) {
  const { content: list, failure, reload } = operations;
  const tabs = ["any", "session"].map((id) => ({ id, label: text(`task.${id}`), panel: "task" }));
  return html`
    <${Part} number=${2} id="task" title=${text("task.title")}>
      ${!hasConnection && html`<p id="session-hint" class="quiet">${text("session.choose_connection")}</p>`}
      ${hasConnection && html`
        <${Tabs} id="task-tabs" label=${text("task.title")} tabs=${tabs} selected=${task} onSelect=${onTask} />
        <div id="task" role="tabpanel" aria-label=${text(`task.${task}`)}>
          ${task === "session" && children}
          ${task === "any" && list && html`
            <${OperationSearch} list=${list} version=${version} selected=${selected} onSelect=${onSelect} />
          `}
          ${task === "any" && !list && !failure && html`<p class="quiet loading">${text("operation.loading")}</p>`}
          <div id="operations-trouble" role="alert">
            ${task === "any" && failure && html`<${FailureCallout} failure=${failure} onRetry=${reload} />`}
          </div>
        </div>
      `}
    <//>
  `;
}
