/** Part 2: the search for a session. */

import { attempt, findSessions, Turns } from "./api.js";
import { actionButton, callout, problemCallout } from "./callout.js";
import { byId, element, fill } from "./element.js";
import { counted, date, number, timeZone } from "./words.js";

/** Milliseconds without a key before it is asked. */
const TYPING = 250;
/** Milliseconds between two questions while the server still reads. */
const READING = 300;
const ID = /^[0-9a-f]{24}$/i;
const HEADS = ["Name", "Starts", "Ends", "Template", "Last change"];
const MOVES = { ArrowUp: -1, ArrowDown: 1, Home: -Infinity, End: Infinity };

export class SessionSearch {
  #turns = new Turns();
  #connection = "";
  #chosen = "";
  #shown = "";
  /** Whether the reader went on to the sessions before they were there. */
  #ahead = false;
  #field = byId("search");
  #useId = byId("use-id");
  #results = byId("results");
  #onChoose;
  #onFind;

  /**
   * @param {(session: {id: string}) => void} onChoose called with the session that the reader chose
   * @param {(session: import("./api.js").Session) => void} onFind called with the chosen session when the list has it
   */
  constructor(onChoose, onFind) {
    this.#onChoose = onChoose;
    this.#onFind = onFind;
    this.#field.addEventListener("input", () => this.#search(TYPING));
    this.#field.addEventListener("keydown", (event) => this.#onFieldKey(event));
    this.#field.addEventListener("blur", () => (this.#ahead = false));
    this.#useId.addEventListener("click", () => this.#useTyped());
    this.#results.addEventListener("keydown", (event) => this.#onResultKey(event));
  }

  get #text() {
    return this.#field.value.trim();
  }

  /**
   * Search in another connection.
   * @param {string} connection its ID; empty: none
   * @param {string} session ID of the session that is chosen already, if any
   */
  open(connection, session) {
    this.#connection = connection;
    byId("session-hint").hidden = connection !== "";
    byId("session-choice").hidden = connection === "";
    // A link holds the ID of its session only; searching for it finds the name.
    if (session) this.#field.value = session;
    else if (ID.test(this.#text)) this.#field.value = "";
    this.mark(session);
    this.#clear();
    if (connection) this.#search(0);
    else this.#turns.end();
  }

  /**
   * Mark a session as chosen.
   * @param {string} id
   */
  mark(id) {
    this.#chosen = id;
    for (const row of this.#results.querySelectorAll("tbody tr")) {
      row.toggleAttribute("data-chosen", row.dataset.id === id);
      row.querySelector("button").setAttribute("aria-pressed", String(row.dataset.id === id));
    }
  }

  focus() {
    this.#field.focus();
    this.#field.select();
  }

  #clear() {
    this.#shown = "";
    fill(this.#results);
    fill(byId("search-trouble"));
    fill(byId("search-state"));
  }

  async #search(delay) {
    const signal = this.#turns.next();
    const text = this.#text;
    this.#ahead = false;
    this.#useId.hidden = !ID.test(text);
    this.#results.setAttribute("aria-busy", "true");
    // What was found for other words is not to be chosen by mistake.
    this.#results.inert = true;
    fill(byId("search-news"));
    await attempt(
      async () => {
        await pause(delay, signal);
        await this.#follow(text, signal);
      },
      (problem) => {
        this.#clear();
        fill(byId("search-trouble"), problemCallout(problem, () => this.#search(0)));
      },
    );
    if (!signal.aborted) this.#results.setAttribute("aria-busy", "false");
  }

  /** Ask until the server has read the whole list; what it found so far is shown meanwhile. */
  async #follow(text, signal) {
    for (;;) {
      const answer = await findSessions(this.#connection, text, signal);
      this.#show(answer, text);
      if (answer.complete) return;
      await pause(READING, signal);
    }
  }

  /** @param {import("./api.js").Sessions} answer @param {string} text */
  #show(answer, text) {
    const { sessions, complete, error } = answer;
    this.#results.inert = false;
    const retry = actionButton(() => this.#search(0), "Retry");
    fill(byId("search-trouble"), error && callout("error", error, null, retry));
    fill(byId("search-state"), ...stateOf(answer, text));
    byId("search-state").classList.toggle("loading", !complete);
    if (complete && !error) byId("search-news").textContent = news(answer);
    this.#showSessions(sessions);
    if (complete && !error && sessions.length === 0) {
      fill(this.#results, element("div", { class: "empty" }, element("p", {}, advice(text, answer))));
    }
    if (this.#ahead) this.#goToFirst();
    const chosen = sessions.find(({ id }) => id === this.#chosen);
    if (chosen) this.#onFind(chosen);
  }

  /** @param {import("./api.js").Session[]} sessions */
  #showSessions(sessions) {
    const shown = JSON.stringify(sessions);
    if (shown === this.#shown && sessions.length > 0) return;
    this.#shown = shown;
    const focused = document.activeElement?.closest("#results tr")?.dataset.id;
    fill(this.#results, sessions.length > 0 && table(sessions, (session) => this.#choose(session)));
    this.mark(this.#chosen);
    const again = this.#buttons.find((button) => button.closest("tr").dataset.id === focused);
    if (focused) (again ?? this.#field).focus({ preventScroll: true });
  }

  #choose(session) {
    this.mark(session.id);
    this.#onChoose(session);
  }

  #useTyped() {
    if (ID.test(this.#text)) this.#choose({ id: this.#text.toLowerCase() });
  }

  get #buttons() {
    return [...this.#results.querySelectorAll("tbody button")];
  }

  /** Go to the first session, as soon as there is one. */
  #goToFirst() {
    const first = this.#results.inert ? undefined : this.#buttons[0];
    this.#ahead = first === undefined;
    first?.focus();
  }

  #onFieldKey(event) {
    if (event.key === "Enter" && ID.test(this.#text)) this.#useTyped();
    else if (event.key === "ArrowDown" || event.key === "Enter") this.#goToFirst();
    else return;
    event.preventDefault();
  }

  #onResultKey(event) {
    const buttons = this.#buttons;
    const at = buttons.indexOf(document.activeElement);
    if (at < 0 || !(event.key in MOVES)) return;
    event.preventDefault();
    const next = at + MOVES[event.key];
    if (next === -1) this.#field.focus();
    else buttons[Math.max(0, Math.min(next, buttons.length - 1))].focus();
  }
}

/** @param {import("./api.js").Session[]} sessions @param {(session: import("./api.js").Session) => void} onChoose */
function table(sessions, onChoose) {
  const heads = HEADS.map((head) => element("th", { role: "columnheader", scope: "col" }, head));
  return element(
    "table",
    { class: "cards", role: "table" },
    element("thead", { role: "rowgroup" }, element("tr", { role: "row" }, ...heads)),
    element("tbody", { role: "rowgroup" }, ...sessions.map((session) => row(session, () => onChoose(session)))),
  );
}

function row({ id, name, start, end, template, modified }, choose) {
  const label = name?.trim() || "Without a name";
  const title = `${label} (${id})`;
  const button = element("button", { type: "button", class: "choose", "aria-pressed": "false", title }, label);
  const cells = [button, date(start), date(end), template && element("code", {}, template), date(modified)];
  // The whole row for the mouse, its button for everybody.
  return element(
    "tr",
    { role: "row", "data-id": id, onclick: choose },
    ...cells.map((cell, column) => element("td", { role: "cell", "data-head": HEADS[column] }, cell ?? "–")),
  );
}

/** @param {import("./api.js").Sessions} answer @param {string} text */
function stateOf({ matches, sessions, read, unreadable, complete, age, error }, text) {
  if (!complete) return [`${counted(read, "session")} read so far`];
  const leftOut = unreadable ? ` ${counted(unreadable, "entry", "entries")} could not be read.` : "";
  if (error) return [leftOut.trim()];
  const all = counted(read, "session");
  if (read === 0) return [leftOut.trim() || "There are no program sessions."];
  if (matches === 0) return [`No session matches “${text}”, of ${all}.${leftOut}`];
  const found = text ? `${number(matches)} of ${all} found` : `${all}, those with the nearest start first`;
  const shown = `; ${number(sessions.length)} are shown, type more of the name to see others`;
  const part = sessions.length < matches ? shown : "";
  return [`${found}${part}. ${readAgo(age)}Times are those of ${timeZone}.${leftOut}`];
}

/** @param {number | null} age seconds */
function readAgo(age) {
  if (age === null || age < 5) return "";
  const time = age < 90 ? counted(Math.round(age), "second") : counted(Math.round(age / 60), "minute");
  return `The list is ${time} old. `;
}

/** @param {import("./api.js").Sessions} answer */
function news({ matches, sessions }) {
  return sessions.length < matches
    ? `${counted(matches, "session")} found, ${number(sessions.length)} are shown`
    : `${counted(matches, "session")} found`;
}

/** @param {string} text @param {import("./api.js").Sessions} answer */
function advice(text, { read, unreadable }) {
  if (read === 0 && unreadable) return "Report a change of the API, or use a session by its ID.";
  if (read === 0) return "Create a session in 360Learning, or choose a connection to a platform that has some.";
  if (ID.test(text)) {
    return "The list of sessions does not have this ID. Use it all the same: the test request says what is there.";
  }
  return (
    "Check the spelling, or type less of the name. If you know the ID of the session (24 characters, 0-9 and a-f), " +
    "paste it."
  );
}

/** @param {number} milliseconds @param {AbortSignal} signal */
function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}
