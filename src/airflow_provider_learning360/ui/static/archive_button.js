/** A button that downloads the files of a workflow as a ZIP file. */

import { airflow } from "./airflow.js";
import { readArchive, runRequest } from "./api.js";
import { BusyButton } from "./busy_button.js";
import { html } from "./html.js";
import { announce } from "./live_region.js";
import { text } from "./texts.js";

/**
 * @param {object} props
 * @param {string} props.connection ID
 * @param {object} props.workflow what was sent to get it
 * @param {string} props.dialect
 * @param {string} props.name of the file, without its ending
 */
export function ArchiveButton({ connection, workflow, dialect, name }) {
  const download = () =>
    runRequest(
      async () => save(await readArchive(connection, workflow, dialect), `${name}.zip`),
      (failure) => announce(text(`failure.${failure.code}`, failure.values)),
    );
  return html`<${BusyButton} id="archive" data-variant="quiet" work=${download}>${text("workflow.archive")}<//>`;
}

/** @param {Blob} content @param {string} name */
function save(content, name) {
  // The sandbox of the frame allows no downloads, so Airflow's own document has the link.
  const { document: place } = airflow ?? window;
  const link = place.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  place.body.append(link);
  link.click();
  link.remove();
  URL.revokeObjectURL(link.href);
}
