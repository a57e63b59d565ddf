/** Part 7: the watched assets. */

import { listWatchedAssets, runRequest } from "./api.js";
import { BusyButton } from "./busy_button.js";
import { ActionButton, FailureCallout } from "./callout.js";
import { html } from "./html.js";
import { useLatestRequest } from "./latest_request.js";
import { Part } from "./part.js";
import { useEffect, useState } from "./preact_hooks.js";
import { text } from "./texts.js";
import { WatchedTable } from "./watched_table.js";

/** @param {{onShowWorkflow: () => void}} props called when the reader wants to see the workflow that watches a session */
export function WatchedPart({ onShowWorkflow }) {
  const [{ list, failure }, setLoaded] = useState({ list: null, failure: null });
  const latest = useLatestRequest();
  const load = () =>
    runRequest(
      async () => setLoaded({ list: await listWatchedAssets(latest.begin()), failure: null }),
      (failure) => setLoaded({ list: null, failure }),
    );

  useEffect(() => {
    load();
  }, []);

  const refresh = html`
    <${BusyButton} id="refresh-watched" data-variant="quiet" work=${load}>${text("watched.refresh")}<//>
  `;
  return html`
    <${Part} number=${7} id="watched" title=${text("watched.title")} action=${refresh}>
      <div id="watched-trouble" role="alert">
        ${failure && html`<${FailureCallout} failure=${failure} onRetry=${load} />`}
      </div>
      <div id="watched">
        ${list?.watched.length > 0 && html`<${WatchedTable} ...${list} />`}
        ${list?.watched.length === 0 && html`<${NothingWatched} onShowWorkflow=${onShowWorkflow} />`}
      </div>
    <//>
  `;
}

/** @param {{onShowWorkflow: () => void}} props */
function NothingWatched({ onShowWorkflow }) {
  return html`
    <div class="empty">
      <p class="empty-title">${text("watched.none")}</p>
      <p>${text("watched.how")}</p>
      <p><${ActionButton} onClick=${onShowWorkflow}>${text("watched.show_workflow")}<//></p>
    </div>
  `;
}
