/** The connections that the reader may use: loaded once, and again after a failure. */

import { listConnections, runRequest } from "./api.js";
import { useEffect, useState } from "./preact_hooks.js";

/**
 * @typedef {{list: import("./api.js").ConnectionList | null, failure: import("./api.js").Failure | null,
 *   isLoading: boolean}} ConnectionLoad
 */

/**
 * @param {(list: import("./api.js").ConnectionList) => void} onLoad
 * @returns {ConnectionLoad & {reload: () => Promise<void>}}
 */
export function useConnectionList(onLoad) {
  const [state, setState] = useState(/** @type {ConnectionLoad} */ ({ list: null, failure: null, isLoading: true }));

  async function reload() {
    setState({ list: null, failure: null, isLoading: true });
    await runRequest(
      async () => {
        const list = await listConnections();
        setState({ list, failure: null, isLoading: false });
        onLoad(list);
      },
      (failure) => setState({ list: null, failure, isLoading: false }),
    );
  }

  useEffect(() => {
    reload();
  }, []);
  return { ...state, reload };
}
