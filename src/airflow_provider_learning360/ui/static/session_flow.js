/** Parts 3 to 5 for a session: the options of its workflows, its test request, and its workflows. */

import { listWorkflows, sessionWorkflow, testRequest } from "./api.js";
import { ArchiveButton } from "./archive_button.js";
import { html } from "./html.js";
import { withOption } from "./operation_arguments.js";
import { OptionsForm } from "./options_form.js";
import { Part } from "./part.js";
import { usePickedPaths } from "./picked_paths.js";
import { useState } from "./preact_hooks.js";
import { TestRequest } from "./test_request.js";
import { text } from "./texts.js";
import { WorkflowPart } from "./workflow_part.js";

const OPTIONS = ["fields", "exclude", "contract", "watch", "interval"];

/**
 * @param {object} props
 * @param {string} props.connection ID
 * @param {string} props.id of the session
 * @param {string} props.name of the session, if it is known
 * @param {() => void} props.onChooseSession called when the reader wants another session
 * @param {string} props.kind of the workflow to show
 * @param {(kind: string) => void} props.onKind
 */
export function SessionFlow({ connection, id, name, onChooseSession, kind, onKind }) {
  const [options, setOptions] = useState({});
  const [title, setTitle] = useState("");
  const [isFailed, setFailed] = useState(false);
  const picking = usePickedPaths();
  const written = picking.fields.length > 0 ? withOption(options, "fields", picking.fields) : options;
  const workflow = sessionWorkflow(id, name, written);
  const known = name.trim() || title;
  const subject = html`${known && html`<strong>${known}</strong>`}${!known.includes(id) && html`<code>${id}</code>`}`;

  function succeed(test) {
    setTitle(test.title);
    setFailed(false);
  }

  return html`
    <${Part} number=${3} id="documentation" title=${text("documentation.title")}>
      <div id="documentation" class="documentation">
        <p class="documentation-text">${text("session.about")}</p>
        <p class="quiet">${text("session.documented")}</p>
      </div>
      <${OptionsForm}
        names=${OPTIONS}
        options=${options}
        onChange=${(option, value) => setOptions((before) => withOption(before, option, value))}
      />
    <//>
    <${Part} number=${4} id="request" title=${text("request.title")}>
      <${TestRequest}
        subject=${subject}
        send=${(reveal, signal) => testRequest(connection, id, reveal, signal)}
        actions=${{ choose_session: onChooseSession }}
        onSuccess=${succeed}
        onFailure=${() => setFailed(true)}
        picked=${picking.picked}
        onPick=${picking.pick}
        isSession
      />
    <//>
    <${WorkflowPart}
      wanted=${isFailed ? "" : JSON.stringify(written)}
      hint=${isFailed ? text("workflow.after_failure") : ""}
      load=${(signal) => listWorkflows(connection, workflow, signal)}
      kind=${kind}
      onSelect=${onKind}
      archive=${(dialect, shown) => html`
        <${ArchiveButton} connection=${connection} workflow=${{ ...workflow, kind: shown }} dialect=${dialect} name=${shown} />
      `}
      picking=${picking}
    />
  `;
}
