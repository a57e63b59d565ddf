/** The watched assets, one a row. */

import { address } from "./airflow.js";
import { date, number } from "./format.js";
import { html } from "./html.js";
import { ReportedEvents } from "./reported_events.js";
import { text } from "./texts.js";

const COLUMNS = ["asset", "sessions", "last_polled", "last_seen", "last_event", "last_change", "dags"];

/** @typedef {import("./api.js").WatchedAsset} WatchedAsset */

/** @param {import("./api.js").WatchedAssets} list */
export function WatchedTable({ watched, polls_stored: isStored }) {
  return html`
    <table class="cards" role="table">
      <thead role="rowgroup">
        <tr role="row">
          ${COLUMNS.map((column) => html`<th role="columnheader" scope="col">${heading(column)}</th>`)}
        </tr>
      </thead>
      <tbody role="rowgroup">
        ${watched.map((asset) => html`<${Row} key=${asset.uri} asset=${asset} isStored=${isStored} />`)}
      </tbody>
    </table>
  `;
}

/** @param {string} column */
function heading(column) {
  return text(`watched.${column}`);
}

/** @param {{asset: WatchedAsset, isStored: boolean}} props */
function Row({ asset, isStored }) {
  const { sessions, dags } = asset;
  const none = text("watched.none_yet");
  const links = dags.map(({ id, url }) => html`<a key=${id} href=${address(url)}>${id}</a>`);
  const cells = [
    html`<${Name} ...${asset} />`,
    sessions === "all" ? text("watched.all") : sessions === null ? "–" : number(sessions),
    isStored ? date(asset.last_polled, none) : html`<${NotStored} />`,
    date(asset.last_seen, none),
    date(asset.last_event, none),
    changeOf(asset),
    links.length ? html`<span class="stack">${links}</span>` : "–",
  ];
  return html`
    <tr role="row">
      ${cells.map((cell, column) => html`<td role="cell" data-head=${heading(COLUMNS[column])}>${cell}</td>`)}
    </tr>
  `;
}

function NotStored() {
  return html`<span class="quiet" title=${text("watched.not_stored_why")}>${text("watched.not_stored")}</span>`;
}

/** @param {WatchedAsset} asset */
function changeOf({ last_change: fields, missing }) {
  return [fields, missing && text("watched.missing")].filter(Boolean).join(", ") || "–";
}

/** @param {WatchedAsset} asset */
function Name({ name, uri, active, in_trouble_since: since, reported }) {
  const hint = text("watched.inactive_why");
  return html`
    <span class="stack">
      <span class="name">
        ${name}${!active && html`<span class="badge" title=${hint}>${text("watched.inactive")}</span>`}
      </span>
      ${name !== uri && html`<code class="quiet">${uri}</code>`}
      ${since && html`<span class="trouble" data-kind="warning">${text("watched.in_trouble")}${" "}${date(since)}</span>`}
      <${ReportedEvents} events=${reported} />
    </span>
  `;
}
