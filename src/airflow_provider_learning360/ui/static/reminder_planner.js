/** Part 6, opened: the form of a policy, the plan that it makes, and its files. */

import { planReminders, runRequest } from "./api.js";
import { BusyButton } from "./busy_button.js";
import { Callout, FailureCallout } from "./callout.js";
import { html } from "./html.js";
import { Labelled } from "./labelled.js";
import { useLatestRequest } from "./latest_request.js";
import { useState } from "./preact_hooks.js";
import { ReminderFiles } from "./reminder_files.js";
import { ReminderForm } from "./reminder_form.js";
import { ReminderPlan } from "./reminder_plan.js";
import { newPolicy, toPolicy } from "./reminder_policy.js";
import { text } from "./texts.js";

/** @type {{plan: import("./api.js").ReminderPlan | null, sent: any, failure: import("./api.js").Failure | null}} */
const NOTHING = { plan: null, sent: null, failure: null };

/** @param {{connection: string, session: string}} props IDs; session: the selected one, empty if there is none */
export function ReminderPlanner({ connection, session }) {
  const [policy, setPolicy] = useState(newPolicy);
  const [settings, setSettings] = useState({ approval: false, isOne: false, days: 14 });
  const [{ plan, sent, failure }, setState] = useState(NOTHING);
  const latest = useLatestRequest();
  const change = (part) => setSettings((before) => ({ ...before, ...part }));

  function run() {
    const sessions = settings.isOne && session ? [session] : [];
    const body = { policy: toPolicy(policy), sessions, approval: settings.approval, days: settings.days };
    return runRequest(
      async () => setState({ plan: await planReminders(connection, body, latest.begin()), sent: body, failure: null }),
      (failure) => setState({ ...NOTHING, failure }),
    );
  }

  const problems = plan?.problems ?? [];
  return html`
    <${ReminderForm}
      policy=${policy}
      problems=${problems}
      onChange=${(part) => setPolicy((before) => ({ ...before, ...part }))}
    />
    <${Settings} settings=${settings} session=${session} onChange=${change} />
    <p><${BusyButton} id="plan-reminders" data-variant="primary" work=${run}>${text("policy.plan")}<//></p>
    <div id="reminders-trouble" role="alert">
      ${failure && html`<${FailureCallout} failure=${failure} onRetry=${run} />`}
      ${problems.length > 0 && html`<${Problems} problems=${problems} />`}
    </div>
    ${plan && problems.length === 0 && html`
      <${ReminderPlan} plan=${plan} onRetry=${run} />
      ${plan.files.length > 0 && html`<${ReminderFiles} files=${plan.files} connection=${connection} workflow=${sent} />`}
    `}
  `;
}

/** What is not in the policy itself. */
function Settings({ settings, session, onChange }) {
  const days = (event) => onChange({ days: Math.max(1, Math.min(event.currentTarget.valueAsNumber || 14, 366)) });
  return html`
    <div class="settings">
      <label class="tick">
        <input
          id="approval"
          type="checkbox"
          checked=${settings.approval}
          onChange=${(event) => onChange({ approval: event.currentTarget.checked })}
        />
        ${text("policy.approval")}
      </label>
      ${session && html`
        <label class="tick">
          <input
            id="one-session"
            type="checkbox"
            checked=${settings.isOne}
            onChange=${(event) => onChange({ isOne: event.currentTarget.checked })}
          />
          ${text("policy.one_session")}
        </label>
      `}
      <${Labelled} id="plan-days" label=${text("policy.days")}>
        ${(attributes) => html`
          <input ...${attributes} type="number" min="1" max="366" value=${settings.days} onChange=${days} />
        `}
      <//>
    </div>
  `;
}

/** @param {{problems: import("./api.js").Problem[]}} props */
function Problems({ problems }) {
  return html`
    <${Callout} kind="error" title=${text("policy.problems")}>
      <ul class="facts">
        ${problems.map(({ place, text: sentence }) => html`<li><code>${place}</code> <span lang="en">${sentence}</span></li>`)}
      </ul>
    <//>
  `;
}
