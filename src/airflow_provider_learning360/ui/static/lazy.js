/** Components whose scripts are loaded when they are first shown, so that the page opens faster. */

import { buildFailure } from "./api.js";
import { FailureCallout } from "./callout.js";
import { html } from "./html.js";
import { useEffect, useState } from "./preact_hooks.js";
import { text } from "./texts.js";

/**
 * @param {() => Promise<any>} load imports the script and returns the component
 * @returns {(props: any) => any} the component; it shows that it loads, until it is there
 */
export function lazy(load) {
  let component = null;
  return function Lazy(props) {
    const [, setAttempt] = useState(0);
    const [isFailed, setFailed] = useState(false);

    async function start() {
      setFailed(false);
      try {
        component = await load();
        setAttempt((before) => before + 1);
      } catch {
        setFailed(true);
      }
    }

    useEffect(() => {
      if (!component) start();
    }, []);
    if (component) return html`<${component} ...${props} />`;
    if (isFailed) {
      return html`<${FailureCallout} failure=${buildFailure("airflow_unreachable", "retry")} onRetry=${start} />`;
    }
    return html`<p class="quiet loading">${text("page.loading")}</p>`;
  };
}
