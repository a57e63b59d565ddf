/** The search for a session, by name or ID. */

import { FailureCallout } from "./callout.js";
import { html } from "./html.js";
import { useEffect, useLayoutEffect, useRef, useState } from "./preact_hooks.js";
import { useSessionPolling } from "./session_polling.js";
import { adviceFor, announcementOf, SESSION_ID, summarize } from "./session_summary.js";
import { SessionTable } from "./session_table.js";
import { text } from "./texts.js";

/** Milliseconds after the last key before the search is sent. */
const TYPING_PAUSE = 250;
const MOVES = { ArrowUp: -1, ArrowDown: 1, Home: -Infinity, End: Infinity };

/**
 * @param {object} props
 * @param {string} props.connection ID
 * @param {string} props.selected ID of the selected session; empty if none is
 * @param {object} props.opened another object whenever the search starts again
 * @param {(session: {id: string, name?: string}) => void} props.onSelect called when the reader selected a session
 * @param {(session: import("./api.js").Session) => void} props.onFind called when the list contains the selected one
 */
export function SessionSearch({ connection, selected, opened, onSelect, onFind }) {
  const [query, setQuery] = useState("");
  const field = useRef(null);
  const results = useRef(null);
  const lastSelected = useRef(selected);
  /** Whether the reader pressed Enter before the sessions were there. */
  const goToFirstLater = useRef(false);
  const [state, start] = useSessionPolling(connection, (search) => keepFocus(search.sessions, field.current));
  const { search, failure, isBusy, isOutdated } = state;

  useLayoutEffect(() => {
    if (selected) lastSelected.current = selected;
  }, [selected]);

  // Before the reader can type: a later effect would overwrite what was typed first.
  useLayoutEffect(() => {
    // A link holds the ID of its session only; searching for it finds the name. An ID that was only typed stays.
    const wanted = selected || (query.trim().toLowerCase() === lastSelected.current ? "" : query);
    setQuery(wanted);
    start(wanted.trim(), 0);
  }, [opened]);

  useEffect(() => {
    const found = search?.sessions.find(({ id }) => id === selected);
    if (found) onFind(found);
  }, [search]);

  useLayoutEffect(() => {
    if (goToFirstLater.current) goToFirst();
  }, [state]);

  function type(value) {
    goToFirstLater.current = false;
    setQuery(value);
    start(value.trim(), TYPING_PAUSE);
  }

  const isId = SESSION_ID.test(query.trim());
  const useTyped = () => onSelect({ id: query.trim().toLowerCase() });

  /** Go to the first session, as soon as there is one. */
  function goToFirst() {
    const first = isOutdated ? undefined : buttonsIn(results.current)[0];
    goToFirstLater.current = first === undefined;
    first?.focus();
  }

  function onFieldKey(event) {
    if (event.key === "Enter" && isId) useTyped();
    else if (event.key === "ArrowDown" || event.key === "Enter") goToFirst();
    else return;
    event.preventDefault();
  }

  return html`
    <div id="session-choice">
      <div class="fields" role="search" aria-label=${text("task.session")}>
        <div class="field wide">
          <label for="search">${text("session.label")}</label>
          <input
            id="search"
            ref=${field}
            type="search"
            autocomplete="off"
            spellcheck="false"
            maxlength="200"
            placeholder=${text("session.placeholder")}
            aria-describedby="search-state"
            value=${query}
            onInput=${(event) => type(event.currentTarget.value)}
            onKeyDown=${onFieldKey}
            onBlur=${() => (goToFirstLater.current = false)}
          />
        </div>
        ${isId && html`<button id="use-id" type="button" class="button" onClick=${useTyped}>${text("session.use_id")}</button>`}
      </div>
      <p id="search-state" class=${search && isBusy && !search.complete ? "quiet loading" : "quiet"}>
        ${search && summarize(search, state.query)}
      </p>
      <p id="search-news" class="visually-hidden" role="status">
        ${search?.complete && !search.error && !isOutdated && announcementOf(search)}
      </p>
      <div id="search-trouble" role="alert">
        ${(failure || search?.error) && html`
          <${FailureCallout} failure=${failure ?? search.error} onRetry=${() => start(query.trim(), 0)} />
        `}
      </div>
      <div
        id="results"
        ref=${results}
        class="results"
        role="region"
        aria-label=${text("session.results")}
        aria-busy=${String(isBusy)}
        inert=${isOutdated}
        onKeyDown=${(event) => moveByKey(event, field.current)}
      >
        ${search && html`<${Results} state=${state} selected=${selected} onSelect=${onSelect} />`}
      </div>
    </div>
  `;
}

/** @param {{state: import("./session_polling.js").SearchState, selected: string, onSelect: any}} props */
function Results({ state, selected, onSelect }) {
  const { search, query } = state;
  if (search.sessions.length > 0) {
    return html`<${SessionTable} sessions=${search.sessions} selected=${selected} onSelect=${onSelect} />`;
  }
  return search.complete && !search.error && html`<div class="empty"><p>${adviceFor(query, search)}</p></div>`;
}

/** The field gets the focus of a row that is about to go. @param {{id: string}[]} sessions @param {HTMLElement} field */
function keepFocus(sessions, field) {
  const row = document.activeElement?.closest("#results tr");
  if (row instanceof HTMLElement && !sessions.some(({ id }) => id === row.dataset.id)) field.focus({ preventScroll: true });
}

/** @param {KeyboardEvent} event @param {HTMLElement} field above the results */
function moveByKey(event, field) {
  const buttons = buttonsIn(event.currentTarget);
  const at = buttons.indexOf(document.activeElement);
  if (at < 0 || !(event.key in MOVES)) return;
  event.preventDefault();
  const next = at + MOVES[event.key];
  if (next === -1) field.focus();
  else buttons[Math.max(0, Math.min(next, buttons.length - 1))].focus();
}

/** @returns {HTMLElement[]} */
function buttonsIn(place) {
  return [...place.querySelectorAll("tbody button")];
}
