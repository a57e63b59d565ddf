/** A row of tabs. The Tab key reaches the selected one, the arrow keys the others. */

import { html } from "./html.js";

const STEPS = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 };

/**
 * @param {object} props
 * @param {string} props.label
 * @param {{id: string, label: string, panel: string}[]} props.tabs panel: ID of the element that shows the content
 * @param {string} props.selected
 * @param {(id: string) => void} props.onSelect called when the reader selects another tab
 */
export function Tabs({ label, tabs, selected, onSelect, ...attributes }) {
  return html`
    <div class="tabs" role="tablist" aria-label=${label} ...${attributes} onKeyDown=${moveByKey}>
      ${tabs.map((tab) => html`<${Tab} key=${tab.id} ...${tab} isSelected=${tab.id === selected} onSelect=${onSelect} />`)}
    </div>
  `;
}

function Tab({ id, label, panel, isSelected, onSelect }) {
  return html`
    <button
      type="button"
      role="tab"
      id=${`${id}-tab`}
      class="tab"
      aria-controls=${panel}
      aria-selected=${String(isSelected)}
      tabindex=${isSelected ? 0 : -1}
      onClick=${() => onSelect(id)}
    >
      ${label}
    </button>
  `;
}

/** @param {KeyboardEvent} event */
function moveByKey(event) {
  const tabs = /** @type {HTMLElement[]} */ ([...event.currentTarget.children]);
  const at = tabs.indexOf(document.activeElement);
  const ends = { Home: 0, End: tabs.length - 1 };
  const next = ends[event.key] ?? (at + STEPS[event.key] + tabs.length) % tabs.length;
  if (!tabs[next]) return;
  event.preventDefault();
  tabs[next].focus();
  tabs[next].click();
}
