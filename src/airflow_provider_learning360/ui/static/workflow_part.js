/** Part 5: workflows for what was tested. */

import { runRequest } from "./api.js";
import { FailureCallout } from "./callout.js";
import { html } from "./html.js";
import { useLatestRequest } from "./latest_request.js";
import { Part } from "./part.js";
import { PickedFields } from "./picked_fields.js";
import { useEffect, useState } from "./preact_hooks.js";
import { useStoredChoice } from "./stored_choice.js";
import { text } from "./texts.js";
import { WorkflowList } from "./workflow_list.js";

const STORAGE_KEY = "learning360.dialect";
/** Milliseconds after the last change of the form before the workflows are written again. */
const EDITING_PAUSE = 300;

/**
 * @typedef {object} Load
 * @property {import("./api.js").OperationWorkflows | null} list
 * @property {import("./api.js").Failure | null} failure
 * @property {boolean} isIncomplete whether a required value is missing
 */

/** @type {Load} */
const NOTHING = { list: null, failure: null, isIncomplete: false };

/**
 * @param {object} props
 * @param {string} props.wanted the workflows are loaded when it changes; empty: there are none
 * @param {string} props.hint shown in place of the workflows
 * @param {(signal: AbortSignal) => Promise<import("./api.js").WorkflowList>} props.load
 * @param {string} props.kind of the workflow to show
 * @param {(kind: string) => void} props.onSelect
 * @param {(dialect: string, kind: string) => any} props.archive what downloads the files of a workflow
 * @param {boolean} [props.canPick] whether the page shows the response, so that fields can be picked
 * @param {ReturnType<typeof import("./picked_paths.js").usePickedPaths>} props.picking
 */
export function WorkflowPart({ wanted, hint, load, kind, onSelect, archive, picking, canPick = true }) {
  const [dialect, setDialect] = useStoredChoice(STORAGE_KEY);
  const [{ list, failure, isIncomplete }, setLoaded] = useState(NOTHING);
  const latest = useLatestRequest();

  const open = () =>
    runRequest(
      async () => setLoaded({ ...NOTHING, list: await load(latest.begin()) }),
      // What is wrong with the arguments is said at the form.
      (failure, { length }) => setLoaded({ ...NOTHING, ...(length > 0 ? { isIncomplete: true } : { failure }) }),
    );

  useEffect(() => {
    latest.cancel();
    if (!wanted) return setLoaded(NOTHING);
    const timer = setTimeout(open, list ? EDITING_PAUSE : 0);
    return () => clearTimeout(timer);
  }, [wanted]);

  const isShown = wanted && !hint && list?.workflows.length > 0;
  const shownDialect = dialect || list?.workflows[0]?.snippets[0]?.dialect;
  return html`
    <${Part} number=${5} id="workflows" title=${text("workflow.title")}>
      <p id="workflows-hint" class="quiet" role="status">${hint || (isIncomplete && text("workflow.incomplete"))}</p>
      <div id="workflows-trouble" role="alert">
        ${failure && html`<${FailureCallout} failure=${failure} onRetry=${open} />`}
      </div>
      ${isShown && html`
        <${WorkflowList}
          workflows=${list.workflows}
          kind=${kind}
          onSelect=${onSelect}
          dialect=${dialect}
          onDialect=${setDialect}
          archive=${archive}
        />
        ${canPick && html`<${PickedFields}
          picked=${picking.picked}
          expressions=${list.expressions ?? {}}
          dialect=${shownDialect}
          isLimited=${picking.isLimited}
          onLimit=${picking.limit}
          onPick=${picking.pick}
        />`}
      `}
    <//>
  `;
}
