/** Light or dark, as Airflow is. Loaded on its own, before the page is painted. */

import { airflow } from "./airflow.js";

const system = window.matchMedia("(prefers-color-scheme: dark)");

applyTheme();
system.addEventListener("change", applyTheme);
window.addEventListener("storage", applyTheme);
if (airflow) {
  const changes = new MutationObserver(applyTheme);
  changes.observe(airflow.document.documentElement, { attributes: true, attributeFilter: ["class", "data-theme"] });
  window.addEventListener("pagehide", () => changes.disconnect());
}

function applyTheme() {
  document.documentElement.dataset.theme = themeOfAirflow() ?? storedTheme() ?? (system.matches ? "dark" : "light");
}

function themeOfAirflow() {
  const names = airflow?.document.documentElement.classList;
  return ["dark", "light"].find((name) => names?.contains(name));
}

/** What next-themes, which Airflow uses, stores; "system" is ignored. */
function storedTheme() {
  try {
    return ["dark", "light"].find((name) => name === localStorage.getItem("theme"));
  } catch {
    // Storage may be switched off.
    return undefined;
  }
}
