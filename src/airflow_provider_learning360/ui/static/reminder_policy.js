/**
 * The policy that the form of reminders holds, and the policy as the server reads it.
 *
 * @typedef {object} Rule
 * @property {number} id for the list on the page
 * @property {string} name
 * @property {string} when date of the session, or `date_changed`
 * @property {"before" | "after"} side of the date
 * @property {string} days @property {string} hours
 * @property {string} every days between repetitions; empty: none
 * @property {string} at_most @property {string} escalate reminders after which the tutors get them too
 * @property {string[]} audience
 * @property {string} to addresses
 * @property {string} message
 *
 * @typedef {object} Policy
 * @property {string} name @property {string} zone
 * @property {boolean} isQuiet @property {string} from @property {string} until @property {string} when_late
 * @property {string[]} days on which mails go out
 * @property {string} shift
 * @property {Rule[]} rules
 */

import { linesOf } from "./argument_values.js";
import { timeZone } from "./format.js";

export const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
export const AUDIENCES = ["learners", "not_completed", "late", "tutors"];
export const DATES = ["startDate", "endDate", "dueDate", "date_changed"];

/** @returns {Policy} */
export function newPolicy() {
  return {
    name: "course_reminders",
    zone: timeZone,
    isQuiet: true,
    from: "20:00",
    until: "08:00",
    when_late: "skip",
    days: DAYS.slice(0, 5),
    shift: "",
    rules: [newRule(1)],
  };
}

/** @param {number} id @returns {Rule} */
export function newRule(id) {
  const repetition = { every: "", at_most: "", escalate: "" };
  const due = { when: "startDate", side: /** @type {const} */ ("before"), days: "1", hours: "", ...repetition };
  return { id, name: id === 1 ? "day_before" : `rule_${id}`, ...due, audience: ["learners"], to: "", message: "each" };
}

/** The policy as its YAML file has it; null stands for what is not filled in. @param {Policy} policy */
export function toPolicy({ name, zone, isQuiet, from, until, when_late, days, shift, rules }) {
  return {
    name: name.trim(),
    time_zone: zone.trim() || null,
    quiet_hours: isQuiet ? { from, to: until, when_late } : null,
    working_days: days.length < DAYS.length ? DAYS.filter((day) => days.includes(day)) : null,
    shift: shift || null,
    rules: rules.map(toRule),
  };
}

/** @param {Rule} rule */
function toRule({ name, when, side, days, hours, every, at_most, escalate, audience, to, message }) {
  const isChange = when === "date_changed";
  const distance = { days: toNumber(days), hours: toNumber(hours) };
  const isRepeated = !isChange && side === "after";
  const addresses = linesOf(to);
  return {
    name: name.trim(),
    on: isChange ? when : null,
    anchor: isChange ? null : when,
    before: !isChange && side === "before" ? distance : null,
    after: isRepeated ? distance : null,
    every: isRepeated && every ? { days: toNumber(every) } : null,
    at_most: isRepeated ? toNumber(at_most) : null,
    escalate_to_tutors_after: isRepeated ? toNumber(escalate) : null,
    audience: audience.length > 0 ? audience : null,
    to: addresses.length > 0 ? addresses : null,
    message: message === "each" ? null : message,
  };
}

/** @param {string} value */
function toNumber(value) {
  return value === "" ? null : Number(value);
}
