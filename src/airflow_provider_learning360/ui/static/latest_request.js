/** Requests of a component, of which only the newest one gets its response. */

import { LatestRequest } from "./api.js";
import { useEffect, useState } from "./preact_hooks.js";

/** @returns {LatestRequest} the same one for the life of the component; the end of the component cancels it */
export function useLatestRequest() {
  const [latest] = useState(() => new LatestRequest());
  useEffect(() => () => latest.cancel(), []);
  return latest;
}
