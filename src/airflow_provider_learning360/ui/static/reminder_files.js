/** The files of a reminder policy, to paste. */

import { ArchiveButton } from "./archive_button.js";
import { Code } from "./code.js";
import { CopyButton } from "./copy_button.js";
import { html } from "./html.js";
import { useState } from "./preact_hooks.js";
import { Tabs } from "./tabs.js";
import { text } from "./texts.js";

const LANGUAGES = /** @type {const} */ ({ py: "python", json: "json" });

/** @param {string} file */
function languageOf(file) {
  return LANGUAGES[file.split(".").at(-1)] ?? "yaml";
}

/**
 * @param {object} props
 * @param {{file: string, text: string}[]} props.files at least one
 * @param {string} props.connection ID
 * @param {{policy: any}} props.workflow what was sent to get them
 */
export function ReminderFiles({ files, connection, workflow }) {
  const [selected, setSelected] = useState("0");
  const { file, text: source } = files[Number(selected)] ?? files[0];
  const tabs = files.map((one, at) => ({ id: String(at), label: one.file.split("/").at(-1), panel: "reminder-file" }));
  return html`
    <div id="reminder-files">
      <h3>${text("files.title")}</h3>
      <p class="quiet">${text("files.how")}</p>
      <div class="bar">
        <${Tabs}
          id="file-tabs"
          data-size="small"
          label=${text("files.title")}
          tabs=${tabs}
          selected=${selected}
          onSelect=${setSelected}
        />
        <${ArchiveButton} connection=${connection} workflow=${workflow} dialect="blueprint" name=${workflow.policy.name} />
      </div>
      <div id="reminder-file" class="frame" role="tabpanel" aria-label=${file}>
        <div class="frame-head">
          <code>${file}</code>
          <${CopyButton} id="copy-reminder-file" source=${source} label=${text("workflow.copy")} />
        </div>
        <${Code} source=${source} language=${languageOf(file)} label=${`${text("workflow.source")}: ${file}`} />
      </div>
    </div>
  `;
}
