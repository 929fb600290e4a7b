// What readers need who use no mouse or no eyes, and the theme leaves out.  `tools/check_pages.py`
// says what is missing.

(() => {
  const WIDE = {
    'mjx-container[display="true"]': "Equation",
    ".pst-scrollable-table-container": "Table",
    "div.output": "Output",
    pre: "Code",
  };

  const equation = (box) => box.closest("div.math")?.querySelector(".eqno")?.firstChild?.data ?? "";

  // A box that scrolls can be reached with the keyboard and has a name; one that does not is none.
  // The theme does a part of this, but not for equations and for what was folded at first.
  const reach = () => {
    for (const [selector, kind] of Object.entries(WIDE)) {
      for (const box of document.querySelectorAll(`main ${selector}`)) {
        const scrolls =
          box.scrollWidth > box.clientWidth &&
          ["auto", "scroll"].includes(getComputedStyle(box).overflowX);
        if (scrolls === (box.getAttribute("role") === "group")) continue;
        if (scrolls) {
          box.tabIndex = 0;
          box.setAttribute("role", "group");
          box.setAttribute("aria-label", `${kind} ${equation(box)}`.trim() + ", scrolls sideways");
        } else {
          for (const name of ["tabindex", "role", "aria-label"]) box.removeAttribute(name);
        }
      }
    }
  };

  const begin = () => {
    // Entries of a list of references have a role that is no longer one, and none that a list has.
    for (const entry of document.querySelectorAll('[role="doc-biblioentry"]')) {
      entry.setAttribute("role", "listitem");
    }
    // The title in the sidebar belongs to no landmark.
    const title = document.querySelector(".sidebar-primary-item:has(> .navbar-brand)");
    title?.setAttribute("role", "navigation");
    title?.setAttribute("aria-label", "Title page");
    // Whatever makes a box narrower or shows it also changes the size of the text around it.
    new ResizeObserver(reach).observe(document.querySelector("main"));
    window.addEventListener("resize", reach); // as slides say, too, when one is turned
    window.addEventListener("load", () => window.MathJax?.startup?.promise?.then(reach));
  };

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
})();
