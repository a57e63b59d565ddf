/** The response of a test request: as a tree with the documentation, and as JSON. */

import { BusyButton } from "./busy_button.js";
import { Code } from "./code.js";
import { CopyButton } from "./copy_button.js";
import { html } from "./html.js";
import { useMeanings } from "./meanings.js";
import { useMemo, useState } from "./preact_hooks.js";
import { Drift } from "./request_summary.js";
import { Tabs } from "./tabs.js";
import { plural, text } from "./texts.js";
import { containers, isAllOpen, Tree } from "./tree.js";

const VIEWS = [
  { id: "tree", panel: "view-tree" },
  { id: "json", panel: "view-json" },
];

/**
 * @param {object} props
 * @param {import("./api.js").OperationTest} props.test
 * @param {boolean} props.isRevealed whether people's data is shown
 * @param {Set<string>} props.open paths of the open fields
 * @param {(open: any) => void} props.onToggle
 * @param {() => Promise<void>} props.onReveal shows people's data, or hides it
 * @param {string[]} props.picked paths of the picked fields
 * @param {(path: string) => void} props.onPick
 * @param {boolean} props.isSession whether the answer is a session
 */
export function RequestResult({ test, isRevealed, open, onToggle, onReveal, picked, onPick, isSession }) {
  const meanings = useMeanings(isSession);
  const [view, setView] = useState("tree");
  const source = useMemo(() => JSON.stringify(test.document, null, 2), [test.document]);
  const tabs = VIEWS.map((one) => ({ ...one, label: text(`request.${one.id}`) }));
  const isOpen = isAllOpen(test.fields, open);
  const toggleAll = () => onToggle(new Set(isOpen ? [] : containers(test.fields)));
  const expand = html`
    <button id="expand-all" type="button" class="button" data-variant="quiet" onClick=${toggleAll}>
      ${text(isOpen ? "request.collapse" : "request.expand")}
    </button>
  `;
  const copy = html`<${CopyButton} id="copy-json" source=${source} label=${text("request.copy_json")} />`;
  return html`
    <div id="request-result">
      <${Drift} drift=${test.drift} />
      <div class="bar">
        <${Tabs} id="view-tabs" label=${text("request.view")} tabs=${tabs} selected=${view} onSelect=${setView} />
        <div class="bar-end">
          ${view === "tree" ? expand : copy}
          ${test.people.may_reveal && (isRevealed || test.has_hidden !== false) && html`
            <${BusyButton} id="reveal" work=${onReveal}>${text(isRevealed ? "request.hide" : "request.reveal")}<//>
          `}
        </div>
      </div>
      <p id="people" class="quiet" role="status">${peopleText(test, isRevealed)}</p>
      ${test.items !== undefined && test.items !== null && html`<p id="items" class="quiet">${itemsText(test)}</p>`}
      <div id="view-tree" class="frame" role="tabpanel" aria-label=${text("request.tree")} hidden=${view !== "tree"}>
        <${Tree} fields=${test.fields} open=${open} onToggle=${onToggle} picked=${picked} onPick=${onPick} meanings=${meanings} />
        ${test.more_fields > 0 && html`<p class="tree-rest quiet">${plural("field.more", test.more_fields)}</p>`}
      </div>
      <div id="view-json" class="frame" role="tabpanel" aria-label=${text("request.json")} hidden=${view !== "json"}>
        <${Code} id="json" source=${source} language="json" label=${text("request.json_label")} />
      </div>
    </div>
  `;
}

/** @param {import("./api.js").OperationTest} test @param {boolean} isRevealed */
function peopleText({ people, has_hidden: hasHidden }, isRevealed) {
  if (isRevealed) return text("request.people_shown");
  if (hasHidden === false) return text("request.people_none");
  return text(people.may_reveal ? "request.people_hidden" : "request.people_not_permitted");
}

/** @param {import("./api.js").OperationTest} test */
function itemsText({ items, more }) {
  return `${plural("request.items", items)} ${text(more ? "request.more_pages" : "request.no_more_pages")}`;
}
