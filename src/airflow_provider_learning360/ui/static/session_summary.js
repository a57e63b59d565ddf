/** What a search for sessions found, in sentences. */

import { timeZone } from "./format.js";
import { plural, text } from "./texts.js";

export const SESSION_ID = /^[0-9a-f]{24}$/i;

/**
 * @param {import("./api.js").SessionSearch} search
 * @param {string} query
 */
export function summarize({ matches, sessions, read, unreadable, complete, age, error }, query) {
  if (!complete) return plural("session.read_so_far", read);
  const leftOut = unreadable ? plural("session.unreadable", unreadable) : "";
  if (error) return leftOut;
  if (read === 0) return leftOut || text("session.none");
  if (matches === 0) return sentences(plural("session.no_match", read, { query }), leftOut);
  return sentences(
    query ? plural("session.matches", read, { matches }) : plural("session.all", read),
    sessions.length < matches && text("session.shown", { shown: sessions.length }),
    ageOf(age),
    text("session.time_zone", { zone: timeZone }),
    leftOut,
  );
}

/** For screen readers. @param {import("./api.js").SessionSearch} search */
export function announcementOf({ matches, sessions }) {
  return sentences(
    plural("session.announce", matches),
    sessions.length < matches && text("session.shown", { shown: sessions.length }),
  );
}

/** What to do when nothing was found. @param {string} query @param {import("./api.js").SessionSearch} search */
export function adviceFor(query, { read, unreadable }) {
  if (read === 0) return text(unreadable ? "session.advice_unreadable" : "session.advice_empty");
  return text(SESSION_ID.test(query) ? "session.advice_id" : "session.advice_name");
}

/** @param {...(string | false)} parts */
function sentences(...parts) {
  return parts.filter(Boolean).join(" ");
}

/** @param {number | null} age seconds */
function ageOf(age) {
  if (age === null || age < 5) return "";
  return age < 90 ? plural("session.age_seconds", Math.round(age)) : plural("session.age_minutes", Math.round(age / 60));
}
