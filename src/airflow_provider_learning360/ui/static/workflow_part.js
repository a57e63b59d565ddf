/** Part 4: workflows for what was selected. */

import { runRequest } from "./api.js";
import { FailureCallout } from "./callout.js";
import { html } from "./html.js";
import { useLatestRequest } from "./latest_request.js";
import { Part } from "./part.js";
import { useEffect, useState } from "./preact_hooks.js";
import { text } from "./texts.js";
import { WorkflowList } from "./workflow_list.js";

/** @typedef {{workflows: import("./api.js").Workflow[], failure: import("./api.js").Failure | null}} Load */

/** @type {Load} */
const NOTHING = { workflows: [], failure: null };

/**
 * @param {object} props
 * @param {string} props.subject names what the workflows are for; empty if nothing is selected
 * @param {boolean} props.isWithdrawn whether the test request failed, so that no workflow is offered
 * @param {(signal: AbortSignal) => Promise<import("./api.js").WorkflowList>} props.load
 * @param {string} props.kind of the workflow to show
 * @param {(kind: string) => void} props.onSelect
 */
export function WorkflowPart({ subject, isWithdrawn, load, kind, onSelect }) {
  const [{ workflows, failure }, setLoaded] = useState(NOTHING);
  const latest = useLatestRequest();

  async function open() {
    const signal = latest.begin();
    setLoaded(NOTHING);
    if (!subject || isWithdrawn) return;
    await runRequest(
      async () => setLoaded({ ...(await load(signal)), failure: null }),
      (failure) => setLoaded({ workflows: [], failure }),
    );
  }

  useEffect(() => {
    open();
  }, [subject, isWithdrawn]);

  return html`
    <${Part} number=${4} id="workflows" title=${text("workflow.title")}>
      <p id="workflows-hint" class="quiet" role="status">
        ${isWithdrawn ? text("workflow.after_failure") : !subject && text("request.choose_session")}
      </p>
      <div id="workflows-trouble" role="alert">
        ${failure && html`<${FailureCallout} failure=${failure} onRetry=${open} />`}
      </div>
      ${subject && !isWithdrawn && workflows.length > 0 && html`
        <${WorkflowList} workflows=${workflows} kind=${kind} onSelect=${onSelect} />
      `}
    <//>
  `;
}
