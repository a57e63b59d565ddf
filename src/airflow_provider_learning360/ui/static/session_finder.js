/** Find a session for a parameter that takes the ID of one. */

import { html } from "./html.js";
import { useState } from "./preact_hooks.js";
import { SessionSearch } from "./session_search.js";
import { text } from "./texts.js";

/** Names of the parameter that takes the ID of the path of a session. */
const PATH_KEYS = ["pathId", "path_id"];

/**
 * @param {object} props
 * @param {string} props.connection ID
 * @param {import("./api.js").OperationDetail} props.detail
 * @param {import("./api.js").Parameter} props.parameter that takes the ID of a session
 * @param {ReturnType<typeof import("./operation_arguments.js").useArguments>} props.form
 */
export function SessionFinder({ connection, detail, parameter, form }) {
  const [isOpen, setOpen] = useState(false);
  const [opened] = useState({});
  const path = detail.parameters.find(({ key }) => PATH_KEYS.includes(key));

  /** @param {{id: string, template?: string | null}} found */
  function select({ id, template }) {
    form.setValues({ [parameter.key]: id, ...(path && template ? { [path.key]: template } : {}) });
    setOpen(false);
    document.getElementById("find-session").focus();
  }

  return html`
    <div class="finder">
      <button
        id="find-session"
        type="button"
        class="button"
        aria-expanded=${String(isOpen)}
        aria-controls="found-sessions"
        onClick=${() => setOpen(!isOpen)}
      >
        ${text(path ? "form.find_session_and_path" : "form.find_session")}
      </button>
      <div id="found-sessions">
        ${isOpen && html`
          <${SessionSearch}
            connection=${connection}
            selected=""
            opened=${opened}
            onSelect=${select}
            onFind=${() => {}}
          />
        `}
      </div>
    </div>
  `;
}
