/** Part 6: reminders. */

import { ActionButton } from "./callout.js";
import { html } from "./html.js";
import { lazy } from "./lazy.js";
import { Part } from "./part.js";
import { useState } from "./preact_hooks.js";
import { text } from "./texts.js";

const ReminderPlanner = lazy(async () => (await import("./reminder_planner.js")).ReminderPlanner);

/** @param {{connection: string, session: string}} props IDs; session: the selected one, empty if there is none */
export function ReminderPart({ connection, session }) {
  const [isOpen, setOpen] = useState(false);
  return html`
    <${Part} number=${6} id="reminders" title=${text("reminders.title")}>
      <p class="quiet">${text(connection ? "reminders.text" : "session.choose_connection")}</p>
      ${connection && !isOpen && html`
        <p><${ActionButton} id="open-reminders" onClick=${() => setOpen(true)}>${text("reminders.open")}<//></p>
      `}
      ${connection && isOpen && html`<${ReminderPlanner} key=${connection} connection=${connection} session=${session} />`}
    <//>
  `;
}
