/** The search for sessions: repeated until the server has read the whole list. */

import { findSessions, runRequest } from "./api.js";
import { useLatestRequest } from "./latest_request.js";
import { useState } from "./preact_hooks.js";

/** Milliseconds between two requests while the server reads the list. */
const READING_PAUSE = 300;

/**
 * @typedef {object} SearchState
 * @property {import("./api.js").SessionSearch | null} search what was found so far
 * @property {string} query that it was found for
 * @property {import("./api.js").Failure | null} failure
 * @property {boolean} isBusy whether the search goes on
 * @property {boolean} isOutdated whether the results are those of the previous query
 */

/** @type {SearchState} */
const NOTHING = { search: null, query: "", failure: null, isBusy: false, isOutdated: false };

/**
 * @param {string} connection ID
 * @param {(search: import("./api.js").SessionSearch) => void} onShow called before new results are shown
 * @returns {[SearchState, (query: string, delay: number) => Promise<void>]} the state, and how to start a search after
 *   a delay in milliseconds
 */
export function useSessionPolling(connection, onShow) {
  const [state, setState] = useState(NOTHING);
  const latest = useLatestRequest();

  async function poll(query, signal) {
    for (;;) {
      const search = await findSessions(connection, query, signal);
      onShow(search);
      setState({ search, query, failure: null, isBusy: !search.complete, isOutdated: false });
      if (search.complete) return;
      await pause(READING_PAUSE, signal);
    }
  }

  async function start(query, delay) {
    const signal = latest.begin();
    setState((before) => ({ ...before, isBusy: true, isOutdated: true }));
    await runRequest(
      async () => {
        await pause(delay, signal);
        await poll(query, signal);
      },
      (failure) => setState({ ...NOTHING, failure }),
    );
  }

  return [state, start];
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
