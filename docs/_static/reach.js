// Roles and keyboard access that the theme leaves out.
function set(selector, attributes) {
  for (const part of document.querySelectorAll(selector))
    for (const [name, value] of Object.entries(attributes)) part.setAttribute(name, value);
}

// What scrolls sideways can be reached with the Tab key; what fits is no stop on the way.
function reach() {
  for (const part of document.querySelectorAll("pre, .table-wrapper, .math-block"))
    if (part.scrollWidth > part.clientWidth) part.tabIndex = 0;
    else part.removeAttribute("tabindex");
}

addEventListener("DOMContentLoaded", () => {
  set(".caption[role=heading]", { "aria-level": 2 });
  set(".sidebar-drawer", { "aria-label": "All pages" });
  set(".toc-drawer", { "aria-label": "This page" });
  set("dt.sig > dl, dt.sig > dl > dd", { role: "none" }); // parameters, which are no definitions
  reach();
});
addEventListener("resize", reach);
