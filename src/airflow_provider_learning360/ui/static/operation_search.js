/** The search over all operations: a combobox, whose list is below the field. */

import { html } from "./html.js";
import { OperationOption, optionId } from "./operation_option.js";
import { useEffect, useLayoutEffect, useMemo, useState } from "./preact_hooks.js";
import { buildIndex, searchOperations } from "./search.js";
import { plural, text } from "./texts.js";

const MOVES = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 };

/**
 * @param {object} props
 * @param {import("./api.js").OperationList} props.list
 * @param {string} props.version of the API that the connection uses; empty if it is not known
 * @param {string} props.selected name; empty if none is selected
 * @param {(name: string) => void} props.onSelect
 */
export function OperationSearch({ list, version, selected, onSelect }) {
  const [query, setQuery] = useState("");
  const [isOpen, setOpen] = useState(!selected);
  /** Index of the option that Enter selects; -1: none. */
  const [active, setActive] = useState(-1);
  const [hasBoth, setBoth] = useState(false);
  const isOffered = (one) => hasBoth || !version || one.version === version;
  const offered = useMemo(() => list.operations.filter(isOffered), [list, version, hasBoth]);
  const index = useMemo(() => buildIndex(offered, list.topics), [offered]);
  const found = useMemo(() => searchOperations(index, query), [index, query]);
  const current = list.operations.find(({ name }) => name === selected);

  useEffect(() => setOpen(!selected), [selected]);
  useLayoutEffect(() => {
    document.getElementById(optionId(found[active]))?.scrollIntoView({ block: "nearest" });
  }, [active, found]);

  function type(value) {
    setQuery(value);
    setActive(value.trim() ? 0 : -1);
    setOpen(true);
  }

  function select(name) {
    setQuery("");
    setActive(-1);
    setOpen(false);
    onSelect(name);
  }

  function onKey(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key in MOVES) {
      setOpen(true);
      setActive((at) => Math.max(0, Math.min(at + MOVES[event.key], found.length - 1)));
    } else if (event.key === "Enter") {
      if (isOpen && found[active]) select(found[active].name);
    } else if (event.key === "Escape" && (query || (isOpen && selected))) {
      setQuery("");
      setActive(-1);
      setOpen(!selected);
    } else return;
    event.preventDefault();
  }

  return html`
    <div class="fields" role="search" aria-label=${text("task.any")}>
      <div class="field wide">
        <label for="operation">${text("operation.label")}</label>
        <input
          id="operation"
          type="text"
          role="combobox"
          autocomplete="off"
          spellcheck="false"
          maxlength="200"
          placeholder=${text("operation.placeholder")}
          aria-autocomplete="list"
          aria-expanded=${String(isOpen)}
          aria-controls="operations"
          aria-activedescendant=${isOpen && found[active] ? optionId(found[active]) : null}
          value=${query}
          onInput=${(event) => type(event.currentTarget.value)}
          onKeyDown=${onKey}
          onClick=${() => setOpen(true)}
        />
      </div>
    </div>
    ${isOpen && version && html`
      <label class="tick">
        <input id="both-versions" type="checkbox" checked=${hasBoth} onChange=${() => setBoth(!hasBoth)} />
        ${text("operation.both")}
      </label>
    `}
    <p id="operations-news" class="visually-hidden" role="status">${query && plural("operation.found", found.length)}</p>
    <div
      id="operations"
      class="options"
      role="listbox"
      aria-label=${text("operation.list")}
      hidden=${!isOpen || found.length === 0}
    >
      ${isOpen && found.map((one, at) => html`
        <${OperationOption} key=${one.name} operation=${one} isActive=${at === active} onSelect=${select} />
      `)}
    </div>
    ${isOpen && found.length === 0 && html`<div class="empty"><p>${text("operation.none", { query })}</p></div>`}
    ${!isOpen && current && html`<${Current} operation=${current} onChange=${() => setOpen(true)} />`}
  `;
}

/** @param {{operation: import("./api.js").Operation, onChange: () => void}} props */
function Current({ operation, onChange }) {
  return html`
    <div id="operation-selected" class="selected">
      <p><strong lang="en">${operation.text}</strong><code>${operation.name}</code></p>
      <button id="change-operation" type="button" class="button" data-variant="quiet" onClick=${onChange}>
        ${text("operation.change")}
      </button>
    </div>
  `;
}
