/** A row of tabs. The Tab key reaches the selected one, the arrow keys the others. */

import { byId, element, fill } from "./element.js";

const STEPS = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 };

export class Tabs {
  #list;
  #onSelect;

  /**
   * @param {HTMLElement} list has role=tablist
   * @param {(id: string) => void} onSelect called when the reader selects another tab
   */
  constructor(list, onSelect) {
    this.#list = list;
    this.#onSelect = onSelect;
    list.addEventListener("keydown", (event) => this.#onKey(event));
  }

  /**
   * @param {{id: string, label: string, panel: string}[]} tabs panel: ID of the element that shows the content of the tab
   * @param {string} selected
   */
  show(tabs, selected) {
    fill(this.#list, ...tabs.map((tab) => this.#tab(tab)));
    this.select(selected);
  }

  /** @param {string} id */
  select(id) {
    for (const tab of this.#list.children) {
      const selected = tab.dataset.id === id;
      tab.setAttribute("aria-selected", String(selected));
      tab.tabIndex = selected ? 0 : -1;
      if (selected) byId(tab.getAttribute("aria-controls")).setAttribute("aria-label", tab.textContent);
    }
  }

  #tab({ id, label, panel }) {
    const attributes = { type: "button", role: "tab", class: "tab", "data-id": id, "aria-controls": panel };
    return element("button", { ...attributes, onclick: () => this.#choose(id) }, label);
  }

  #choose(id) {
    this.select(id);
    this.#onSelect(id);
  }

  #onKey(event) {
    const tabs = [...this.#list.children];
    const at = tabs.indexOf(document.activeElement);
    const ends = { Home: 0, End: tabs.length - 1 };
    const next = ends[event.key] ?? (at + STEPS[event.key] + tabs.length) % tabs.length;
    if (!tabs[next]) return;
    event.preventDefault();
    tabs[next].focus();
    this.#choose(tabs[next].dataset.id);
  }
}
