/** What a component loads when it starts, and again after a failure. */

import { runRequest } from "./api.js";
import { useLatestRequest } from "./latest_request.js";
import { useEffect, useState } from "./preact_hooks.js";

/**
 * @template T
 * @param {(signal: AbortSignal) => Promise<T>} load
 * @param {any[]} inputs loaded again when one of them changes
 * @param {boolean} [isWanted] whether to load at all
 * @returns {{content: T | null, failure: import("./api.js").Failure | null, reload: () => Promise<void>}}
 */
export function useLoaded(load, inputs, isWanted = true) {
  const [state, setState] = useState({ content: null, failure: null });
  const latest = useLatestRequest();
  const reload = () =>
    runRequest(
      async () => {
        const signal = latest.begin();
        setState((before) => ({ ...before, failure: null }));
        setState({ content: await load(signal), failure: null });
      },
      (failure) => setState({ content: null, failure }),
    );
  useEffect(() => {
    setState({ content: null, failure: null });
    if (isWanted) reload();
    else latest.cancel();
  }, [...inputs, isWanted]);
  return { ...state, reload };
}
