/** Step 2: the search for a session. */

import { findSessions, LatestRequest, runRequest } from "./api.js";
import { failureCallout } from "./callout.js";
import { byId, element, fill } from "./element.js";
import { date, timeZone } from "./format.js";
import { plural, text } from "./texts.js";

/** Milliseconds after the last key before the search is sent. */
const TYPING_PAUSE = 250;
/** Milliseconds between two requests while the server reads the list. */
const READING_PAUSE = 300;
const ID = /^[0-9a-f]{24}$/i;
const COLUMNS = ["name", "starts", "ends", "template", "modified"];
const MOVES = { ArrowUp: -1, ArrowDown: 1, Home: -Infinity, End: Infinity };

export class SessionSearch {
  #request = new LatestRequest();
  #connection = "";
  #selected = "";
  #shown = "";
  /** Whether the reader pressed Enter before the sessions were there. */
  #goToFirstLater = false;
  #field = byId("search");
  #useId = byId("use-id");
  #results = byId("results");
  #onSelect;
  #onFind;

  /**
   * @param {(session: {id: string}) => void} onSelect called with the session that the reader selected
   * @param {(session: import("./api.js").Session) => void} onFind called with the selected session if the list contains it
   */
  constructor(onSelect, onFind) {
    this.#onSelect = onSelect;
    this.#onFind = onFind;
    this.#field.addEventListener("input", () => this.#search(TYPING_PAUSE));
    this.#field.addEventListener("keydown", (event) => this.#onFieldKey(event));
    this.#field.addEventListener("blur", () => (this.#goToFirstLater = false));
    this.#useId.addEventListener("click", () => this.#useTyped());
    this.#results.addEventListener("keydown", (event) => this.#onResultKey(event));
  }

  get #query() {
    return this.#field.value.trim();
  }

  /**
   * Search in another connection.
   * @param {string} connection its ID; empty: none
   * @param {string} session ID of the session that is already selected, if any
   */
  open(connection, session) {
    this.#connection = connection;
    byId("session-hint").hidden = connection !== "";
    byId("session-choice").hidden = connection === "";
    // A link holds the ID of its session only; searching for it finds the name.
    if (session) this.#field.value = session;
    else if (ID.test(this.#query)) this.#field.value = "";
    this.mark(session);
    this.#clear();
    if (connection) this.#search(0);
    else this.#request.cancel();
  }

  /**
   * Mark a session as selected.
   * @param {string} id
   */
  mark(id) {
    this.#selected = id;
    for (const row of this.#results.querySelectorAll("tbody tr")) {
      row.toggleAttribute("data-selected", row.dataset.id === id);
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
    const signal = this.#request.begin();
    const query = this.#query;
    this.#goToFirstLater = false;
    this.#useId.hidden = !ID.test(query);
    this.#results.setAttribute("aria-busy", "true");
    // Results of the previous query must not be selected by mistake.
    this.#results.inert = true;
    fill(byId("search-news"));
    await runRequest(
      async () => {
        await pause(delay, signal);
        await this.#poll(query, signal);
      },
      (failure) => {
        this.#clear();
        fill(byId("search-trouble"), failureCallout(failure, this.#handlers));
      },
    );
    if (!signal.aborted) this.#results.setAttribute("aria-busy", "false");
  }

  /** Repeat the search until the server has read the whole list. Meanwhile, show what it found so far. */
  async #poll(query, signal) {
    for (;;) {
      const search = await findSessions(this.#connection, query, signal);
      this.#show(search, query);
      if (search.complete) return;
      await pause(READING_PAUSE, signal);
    }
  }

  /** @param {import("./api.js").SessionSearch} search @param {string} query */
  #show(search, query) {
    const { sessions, complete, error } = search;
    this.#results.inert = false;
    fill(byId("search-trouble"), error && failureCallout(error, this.#handlers));
    fill(byId("search-state"), summarize(search, query));
    byId("search-state").classList.toggle("loading", !complete);
    if (complete && !error) byId("search-news").textContent = announcementOf(search);
    this.#showSessions(sessions);
    if (complete && !error && sessions.length === 0) {
      fill(this.#results, element("div", { class: "empty" }, element("p", {}, adviceFor(query, search))));
    }
    if (this.#goToFirstLater) this.#goToFirst();
    const selected = sessions.find(({ id }) => id === this.#selected);
    if (selected) this.#onFind(selected);
  }

  /** @param {import("./api.js").Session[]} sessions */
  #showSessions(sessions) {
    const shown = JSON.stringify(sessions);
    if (shown === this.#shown && sessions.length > 0) return;
    this.#shown = shown;
    const focused = document.activeElement?.closest("#results tr")?.dataset.id;
    fill(this.#results, sessions.length > 0 && table(sessions, (session) => this.#pick(session)));
    this.mark(this.#selected);
    const again = this.#buttons.find((button) => button.closest("tr").dataset.id === focused);
    if (focused) (again ?? this.#field).focus({ preventScroll: true });
  }

  #pick(session) {
    this.mark(session.id);
    this.#onSelect(session);
  }

  #useTyped() {
    if (ID.test(this.#query)) this.#pick({ id: this.#query.toLowerCase() });
  }

  get #handlers() {
    return { retry: () => this.#search(0) };
  }

  get #buttons() {
    return [...this.#results.querySelectorAll("tbody button")];
  }

  /** Go to the first session, as soon as there is one. */
  #goToFirst() {
    const first = this.#results.inert ? undefined : this.#buttons[0];
    this.#goToFirstLater = first === undefined;
    first?.focus();
  }

  #onFieldKey(event) {
    if (event.key === "Enter" && ID.test(this.#query)) this.#useTyped();
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

/** @param {import("./api.js").Session[]} sessions @param {(session: import("./api.js").Session) => void} onSelect */
function table(sessions, onSelect) {
  const heads = COLUMNS.map((column) => element("th", { role: "columnheader", scope: "col" }, heading(column)));
  return element(
    "table",
    { class: "cards", role: "table" },
    element("thead", { role: "rowgroup" }, element("tr", { role: "row" }, ...heads)),
    element("tbody", { role: "rowgroup" }, ...sessions.map((session) => row(session, () => onSelect(session)))),
  );
}

/** @param {string} column */
function heading(column) {
  return text(`session.${column}`);
}

function row({ id, name, start, end, template, modified }, onSelect) {
  const label = name.trim() || text("session.unnamed");
  const title = `${label} (${id})`;
  const button = element("button", { type: "button", class: "pick", "aria-pressed": "false", title }, label);
  const cells = [button, date(start), date(end), template && element("code", {}, template), date(modified)];
  // The mouse selects with the whole row, the keyboard with its button.
  return element(
    "tr",
    { role: "row", "data-id": id, onclick: onSelect },
    ...cells.map((cell, column) => element("td", { role: "cell", "data-head": heading(COLUMNS[column]) }, cell ?? "–")),
  );
}

/**
 * What was found, in sentences.
 * @param {import("./api.js").SessionSearch} search @param {string} query
 */
function summarize({ matches, sessions, read, unreadable, complete, age, error }, query) {
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

/** @param {...(string | false)} parts */
function sentences(...parts) {
  return parts.filter(Boolean).join(" ");
}

/** @param {number | null} age seconds */
function ageOf(age) {
  if (age === null || age < 5) return "";
  return age < 90 ? plural("session.age_seconds", Math.round(age)) : plural("session.age_minutes", Math.round(age / 60));
}

/** @param {import("./api.js").SessionSearch} search */
function announcementOf({ matches, sessions }) {
  return sentences(
    plural("session.announce", matches),
    sessions.length < matches && text("session.shown", { shown: sessions.length }),
  );
}

/** What to do when nothing was found. @param {string} query @param {import("./api.js").SessionSearch} search */
function adviceFor(query, { read, unreadable }) {
  if (read === 0) return text(unreadable ? "session.advice_unreadable" : "session.advice_empty");
  return text(ID.test(query) ? "session.advice_id" : "session.advice_name");
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
