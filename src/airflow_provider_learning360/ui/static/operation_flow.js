/** Parts 3 to 5 for an operation: its form, its test request, and its workflows. */

import { ApiError, buildFailure, listOperationWorkflows, readOperation, testOperation } from "./api.js";
import { ArchiveButton } from "./archive_button.js";
import { html } from "./html.js";
import { useLoaded } from "./loaded.js";
import { useArguments, withOption } from "./operation_arguments.js";
import { OperationPart } from "./operation_part.js";
import { Part } from "./part.js";
import { usePickedPaths } from "./picked_paths.js";
import { useState } from "./preact_hooks.js";
import { TestRequest } from "./test_request.js";
import { plural, text } from "./texts.js";
import { WorkflowPart } from "./workflow_part.js";

/**
 * @param {object} props
 * @param {string} props.connection ID
 * @param {string} props.name of the operation
 * @param {(name: string) => void} props.onSelect selects another operation
 * @param {() => void} props.onChooseOperation called when the reader wants another operation
 */
export function OperationFlow({ connection, name, onSelect, onChooseOperation }) {
  const loaded = useLoaded((signal) => readOperation(name, signal), [name]);
  const detail = loaded.content;
  const form = useArguments(detail);
  const picking = usePickedPaths();
  /** The call whose test request failed, as JSON: after a change of the form, it is another one. */
  const [failed, setFailed] = useState("");
  const call = { name, parameters: form.parameters, body: form.body.value ?? null };
  const options = picking.fields.length > 0 ? withOption(form.options, "fields", picking.fields) : form.options;
  const written = { ...call, options, picked: picking.picked };
  const isFailed = failed === JSON.stringify(call);
  const isReady = detail && form.missing.length === 0 && !form.body.problem;

  async function send(reveal, signal) {
    if (form.body.problem) throw new ApiError(buildFailure("arguments", "edit_request"));
    return testOperation(connection, call, reveal, signal);
  }

  function fail(problems) {
    form.setProblems(problems);
    setFailed(JSON.stringify(call));
  }

  const missing = form.missing.length > 0 && html`<span class="quiet">${plural("form.missing", form.missing.length)}</span>`;
  return html`
    <${OperationPart} connection=${connection} loaded=${loaded} form=${form} onSelect=${onSelect} />
    <${Part} number=${4} id="request" title=${text("request.title")}>
      ${detail && html`
        <${TestRequest}
          subject=${html`<strong>${name}</strong>${missing}`}
          send=${send}
          actions=${{ choose_operation: onChooseOperation, edit_request: goToProblem }}
          onSuccess=${() => setFailed("")}
          onFailure=${fail}
          picked=${picking.picked}
          onPick=${picking.pick}
          isSession=${false}
        />
      `}
    <//>
    <${WorkflowPart}
      wanted=${isReady && !isFailed ? JSON.stringify(written) : ""}
      hint=${isFailed ? text("workflow.after_failure") : detail && !isReady ? text("workflow.incomplete") : ""}
      load=${(signal) => listOperationWorkflows(connection, written, signal)}
      kind="operation"
      onSelect=${() => {}}
      archive=${(dialect) => html`
        <${ArchiveButton} connection=${connection} workflow=${written} dialect=${dialect} name=${name} />
      `}
      canPick=${detail?.repeat === "read"}
      picking=${picking}
    />
  `;
}

/** Show the first field with a problem. */
function goToProblem() {
  const field = document.querySelector("#operation-form [aria-invalid=true]");
  field?.closest("details")?.setAttribute("open", "");
  if (field instanceof HTMLElement) field.focus();
}
