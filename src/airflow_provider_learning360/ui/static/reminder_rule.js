/** One rule of the form of reminders: what it is about, when it is due, who gets it. */

import { html } from "./html.js";
import { Labelled, Select, Ticks } from "./labelled.js";
import { AUDIENCES, DATES } from "./reminder_policy.js";
import { text } from "./texts.js";

/** @param {string} group @param {string[]} ids */
function choices(group, ids) {
  return ids.map((id) => ({ id, label: text(`${group}.${id}`) }));
}

/**
 * @param {object} props
 * @param {import("./reminder_policy.js").Rule} props.rule
 * @param {(...fields: string[]) => string} props.problemOf what is wrong with these fields of the rule
 * @param {(part: Partial<import("./reminder_policy.js").Rule>) => void} props.onChange
 * @param {(() => void) | null} props.onRemove null: it is the only rule
 */
export function ReminderRule({ rule, problemOf, onChange, onRemove }) {
  const id = `rule-${rule.id}`;
  const isChange = rule.when === "date_changed";
  const input = (name) => (event) => onChange({ [name]: event.currentTarget.value });
  return html`
    <fieldset class="rule">
      <legend>${text("rule.title", { name: rule.name })}</legend>
      ${problemOf("") && html`<p class="problem">${problemOf("")}</p>`}
      <div class="columns">
        <${Labelled} id=${`${id}-name`} label=${text("rule.name")} problem=${problemOf("name")}>
          ${(attributes) => html`<input ...${attributes} maxlength="32" value=${rule.name} onInput=${input("name")} />`}
        <//>
        <${Labelled} id=${`${id}-when`} label=${text("rule.when")} problem=${problemOf("anchor", "on")}>
          ${(attributes) => html`
            <${Select} ...${attributes} values=${choices("date", DATES)} value=${rule.when} onChange=${input("when")} />
          `}
        <//>
        ${!isChange && html`<${Distance} id=${id} rule=${rule} problemOf=${problemOf} input=${input} />`}
      </div>
      ${!isChange && rule.side === "after" && html`
        <${Repetition} id=${id} rule=${rule} problemOf=${problemOf} input=${input} />
      `}
      <${Ticks}
        label=${text("rule.audience")}
        values=${choices("audience", AUDIENCES)}
        chosen=${rule.audience}
        problem=${problemOf("audience")}
        onChange=${(audience) => onChange({ audience })}
      />
      <div class="columns">
        <${Labelled} id=${`${id}-to`} label=${text("rule.to")} help=${text("rule.to_help")} problem=${problemOf("to")}>
          ${(attributes) => html`<input ...${attributes} value=${rule.to} onInput=${input("to")} />`}
        <//>
        <${Labelled} id=${`${id}-message`} label=${text("rule.message")} problem=${problemOf("message")}>
          ${(attributes) => html`
            <${Select}
              ...${attributes}
              values=${choices("message", ["each", "digest"])}
              value=${rule.message}
              onChange=${input("message")}
            />
          `}
        <//>
      </div>
      ${onRemove && html`
        <p><button type="button" class="button" data-variant="quiet" onClick=${onRemove}>${text("rule.remove")}</button></p>
      `}
    </fieldset>
  `;
}

/** How far from the date. */
function Distance({ id, rule, problemOf, input }) {
  return html`
    <${Labelled} id=${`${id}-side`} label=${text("rule.side")}>
      ${(attributes) => html`
        <${Select} ...${attributes} values=${choices("side", ["before", "after"])} value=${rule.side} onChange=${input("side")} />
      `}
    <//>
    <${Labelled} id=${`${id}-days`} label=${text("rule.days")} problem=${problemOf("before", "after")}>
      ${(attributes) => html`<input ...${attributes} type="number" min="0" value=${rule.days} onInput=${input("days")} />`}
    <//>
    <${Labelled} id=${`${id}-hours`} label=${text("rule.hours")}>
      ${(attributes) => html`<input ...${attributes} type="number" min="0" value=${rule.hours} onInput=${input("hours")} />`}
    <//>
  `;
}

/** Repetitions after the date. */
function Repetition({ id, rule, problemOf, input }) {
  const number = (name, key, problem) => html`
    <${Labelled} id=${`${id}-${name}`} label=${text(`rule.${name}`)} problem=${problem}>
      ${(attributes) => html`<input ...${attributes} type="number" min="1" value=${rule[key]} onInput=${input(key)} />`}
    <//>
  `;
  return html`
    <div class="columns">
      ${number("every", "every", problemOf("every"))}
      ${number("at_most", "at_most", problemOf("at_most"))}
      ${number("escalate", "escalate", problemOf("escalate_to_tutors_after"))}
    </div>
  `;
}
