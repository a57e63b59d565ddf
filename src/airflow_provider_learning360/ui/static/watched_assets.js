/** Step 5: the watched assets. */

import { address } from "./airflow.js";
import { LatestRequest, listWatchedAssets, runRequest } from "./api.js";
import { actionButton, failureCallout } from "./callout.js";
import { byId, element, fill, runBusy } from "./element.js";
import { date, number } from "./format.js";
import { text } from "./texts.js";

const COLUMNS = ["asset", "sessions", "last_seen", "last_event", "last_change", "dags"];

export class WatchedAssetList {
  #request = new LatestRequest();
  #onShowWorkflow;

  /** @param {() => void} onShowWorkflow called when the reader wants to see the workflow that watches a session */
  constructor(onShowWorkflow) {
    this.#onShowWorkflow = onShowWorkflow;
    byId("refresh-watched").addEventListener("click", () => runBusy(byId("refresh-watched"), () => this.load()));
  }

  load() {
    const trouble = byId("watched-trouble");
    return runRequest(
      async () => {
        const list = await listWatchedAssets(this.#request.begin());
        fill(trouble);
        fill(byId("watched"), this.#list(list));
      },
      (failure) => {
        fill(byId("watched"));
        fill(trouble, failureCallout(failure, { retry: () => this.load() }));
      },
    );
  }

  /** @param {import("./api.js").WatchedAssets} list */
  #list({ watched, watermarks_stored: isStored }) {
    if (watched.length === 0) return nothingWatched(this.#onShowWorkflow);
    const heads = COLUMNS.map((column) => element("th", { role: "columnheader", scope: "col" }, heading(column)));
    return element(
      "table",
      { class: "cards", role: "table" },
      element("thead", { role: "rowgroup" }, element("tr", { role: "row" }, ...heads)),
      element("tbody", { role: "rowgroup" }, ...watched.map((asset) => row(asset, isStored))),
    );
  }
}

/** @param {string} column */
function heading(column) {
  return text(`watched.${column}`);
}

/** @param {import("./api.js").WatchedAsset} asset @param {boolean} isStored */
function row(asset, isStored) {
  const { sessions, dags } = asset;
  const none = text("watched.none_yet");
  const links = dags.map(({ id, url }) => element("a", { href: address(url) }, id));
  const cells = [
    nameOf(asset),
    sessions === "all" ? text("watched.all") : sessions === null ? "–" : number(sessions),
    isStored ? date(asset.last_seen, none) : notStored(),
    date(asset.last_event, none),
    changeOf(asset),
    links.length ? element("span", { class: "stack" }, ...links) : "–",
  ];
  return element(
    "tr",
    { role: "row" },
    ...cells.map((cell, column) => element("td", { role: "cell", "data-head": heading(COLUMNS[column]) }, cell)),
  );
}

function notStored() {
  return element("span", { class: "quiet", title: text("watched.not_stored_why") }, text("watched.not_stored"));
}

/** @param {import("./api.js").WatchedAsset} asset */
function changeOf({ last_change: fields, missing }) {
  return [fields, missing && text("watched.missing")].filter(Boolean).join(", ") || "–";
}

/** @param {import("./api.js").WatchedAsset} asset */
function nameOf({ name, uri, active }) {
  const hint = text("watched.inactive_why");
  const badge = !active && element("span", { class: "badge", title: hint }, text("watched.inactive"));
  return element(
    "span",
    { class: "stack" },
    element("span", { class: "name" }, name, badge),
    name !== uri && element("code", { class: "quiet" }, uri),
  );
}

/** @param {() => void} onShowWorkflow */
function nothingWatched(onShowWorkflow) {
  return element(
    "div",
    { class: "empty" },
    element("p", { class: "empty-title" }, text("watched.none")),
    element("p", {}, text("watched.how")),
    element("p", {}, actionButton(onShowWorkflow, text("watched.show_workflow"))),
  );
}
