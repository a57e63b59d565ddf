/** The page. */

import { leaveFrameOnLinks } from "./airflow.js";
import { App } from "./app.js";
import { html } from "./html.js";
import { render } from "./preact.js";
import { locale, text } from "./texts.js";

document.documentElement.lang = locale;
document.getElementById("intro").textContent = text("page.intro");
leaveFrameOnLinks();
render(html`<${App} />`, document.getElementById("page"));
