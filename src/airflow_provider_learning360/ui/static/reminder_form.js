/** The form of a reminder policy. */

import { html } from "./html.js";
import { Labelled, Select, Ticks } from "./labelled.js";
import { DAYS, newRule } from "./reminder_policy.js";
import { ReminderRule } from "./reminder_rule.js";
import { text } from "./texts.js";

/** Names of time zones, where the browser knows them. */
const ZONES = Intl.supportedValuesOf?.("timeZone") ?? [];

/**
 * @param {object} props
 * @param {import("./reminder_policy.js").Policy} props.policy
 * @param {import("./api.js").Problem[]} props.problems
 * @param {(part: Partial<import("./reminder_policy.js").Policy>) => void} props.onChange
 */
export function ReminderForm({ policy, problems, onChange }) {
  const { rules } = policy;
  const input = (name) => (event) => onChange({ [name]: event.currentTarget.value });
  const changeRule = (id, part) => onChange({ rules: rules.map((one) => (one.id === id ? { ...one, ...part } : one)) });
  const addRule = () => onChange({ rules: [...rules, newRule(Math.max(...rules.map(({ id }) => id)) + 1)] });
  return html`
    <form id="reminder-form" class="form" onSubmit=${(event) => event.preventDefault()}>
      <div class="columns">
        <${Labelled} id="policy-name" label=${text("policy.name")} problem=${findProblem(problems, "name")}>
          ${(attributes) => html`<input ...${attributes} maxlength="32" value=${policy.name} onInput=${input("name")} />`}
        <//>
        <${Labelled} id="policy-zone" label=${text("policy.zone")} problem=${findProblem(problems, "time_zone")}>
          ${(attributes) => html`<input ...${attributes} list="zones" value=${policy.zone} onInput=${input("zone")} />`}
        <//>
        <datalist id="zones">${ZONES.map((zone) => html`<option key=${zone} value=${zone} />`)}</datalist>
      </div>
      <${QuietHours} policy=${policy} problem=${findProblem(problems, "quiet_hours")} input=${input} onChange=${onChange} />
      <${Ticks}
        label=${text("policy.working_days")}
        values=${DAYS.map((id) => ({ id, label: text(`day.${id}`) }))}
        chosen=${policy.days}
        problem=${findProblem(problems, "working_days")}
        onChange=${(days) => onChange({ days })}
      />
      ${rules.map((rule, at) => html`
        <${ReminderRule}
          key=${rule.id}
          rule=${rule}
          problemOf=${(...fields) => problemOfRule(problems, at, fields)}
          onChange=${(part) => changeRule(rule.id, part)}
          onRemove=${rules.length > 1 ? () => onChange({ rules: rules.filter(({ id }) => id !== rule.id) }) : null}
        />
      `)}
      <p><button id="add-rule" type="button" class="button" onClick=${addRule}>${text("policy.add_rule")}</button></p>
    </form>
  `;
}

function QuietHours({ policy, problem, input, onChange }) {
  const late = ["skip", "send"].map((id) => ({ id, label: text(`late.${id}`) }));
  return html`
    <fieldset class="ticks">
      <legend>${text("policy.quiet")}</legend>
      <label class="tick">
        <input
          type="checkbox"
          checked=${policy.isQuiet}
          onChange=${(event) => onChange({ isQuiet: event.currentTarget.checked })}
        />
        ${text("policy.is_quiet")}
      </label>
      ${policy.isQuiet && html`
        <div class="columns">
          <${Labelled} id="quiet-from" label=${text("policy.from")}>
            ${(attributes) => html`<input ...${attributes} type="time" value=${policy.from} onInput=${input("from")} />`}
          <//>
          <${Labelled} id="quiet-until" label=${text("policy.until")}>
            ${(attributes) => html`<input ...${attributes} type="time" value=${policy.until} onInput=${input("until")} />`}
          <//>
          <${Labelled} id="when-late" label=${text("policy.when_late")}>
            ${(attributes) => html`
              <${Select} ...${attributes} values=${late} value=${policy.when_late} onChange=${input("when_late")} />
            `}
          <//>
        </div>
      `}
      ${problem && html`<p class="problem" lang="en">${problem}</p>`}
    </fieldset>
  `;
}

/** @param {import("./api.js").Problem[]} problems @param {string} place what is inside it counts too */
export function findProblem(problems, place) {
  return problems.find((one) => one.place === place || one.place.startsWith(`${place}.`))?.text ?? "";
}

/** @param {import("./api.js").Problem[]} problems @param {number} at @param {string[]} fields "": of the whole rule */
function problemOfRule(problems, at, fields) {
  const found = fields.map((field) =>
    field ? findProblem(problems, `rules.${at}.${field}`) : problems.find(({ place }) => place === `rules.${at}`)?.text,
  );
  return found.find(Boolean) ?? "";
}
