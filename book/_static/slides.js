// A chapter as slides: made of the page that is open, so that they show what the chapter's fit gave
// and are never older than it.  A slide is a heading and one exhibit, a figure, equation, list,
// table, model or box; paragraphs around it are the speaker's notes.  Sources have a sentence a
// line, and so have the paragraphs of a page: that is how a lead is cut off.

(() => {
  const POINTS = 6; // sentences on a slide that has nothing else
  const SHORT = 20; // characters of a line that says nothing alone
  const SAID = 420; // characters of a sentence of the fit that is shown whole
  // What nobody wants on a wall.
  const APART = "#versions, #further-reading, [id^=appendix]";
  const NEEDED = "#what-you-need-and-how-long-it-takes"; // of which the promises are shown
  const BOX = ".admonition, .pst-scrollable-table-container, table, figure, .moving, img, svg";

  const element = (name, className, ...children) => {
    const made = document.createElement(name);
    if (className) made.className = className;
    made.append(...children);
    return made;
  };

  // A copy for reading: what is linked to is the original.
  const copy = (node) => {
    const made = node.cloneNode(true);
    for (const one of [made, ...made.querySelectorAll("[id]")]) {
      if (!one.closest?.("mjx-container")) one.removeAttribute?.("id");
    }
    return made;
  };

  // The lines of a paragraph, each with its links and formulas.
  const lines = (paragraph) => {
    const found = [element("span")];
    for (const node of copy(paragraph).childNodes) {
      if (node.nodeType !== Node.TEXT_NODE) {
        found.at(-1).append(node.cloneNode(true));
        continue;
      }
      node.data.split("\n").forEach((text, index) => {
        if (index) found.push(element("span"));
        found.at(-1).append(text);
      });
    }
    return found.filter((line) => line.textContent.trim() || line.querySelector("mjx-container"));
  };

  // The sentence that leads to what follows, and the one before where it is a mere "Then".
  const lead = (paragraph) => {
    const [last, ...before] = lines(paragraph).reverse();
    if (before.length && last.textContent.trim().length < SHORT) last.prepend(before[0], " ");
    return last;
  };

  const heading = (section) => {
    const made = copy(section.querySelector(":scope > :is(h1, h2, h3, h4)"));
    made.querySelector(".headerlink")?.remove();
    return made.innerHTML;
  };

  // The parts of a section: {say} a paragraph, {told} a sentence of the fit, {show} an exhibit, which
  // the sentence before it may lead to.
  const parts = function* (section) {
    for (const child of section.children) {
      if (child.matches("h1, h2, h3, h4, section, script, style, .visually-hidden")) continue;
      if (child.matches("p")) yield { say: child };
      else if (child.matches(".cell")) {
        if (child.matches(".tag_plain-model")) {
          const code = child.querySelector(".cell_input");
          if (code) yield { show: code };
        }
        if (child.matches(".tag_solution")) continue;
        for (const output of child.querySelectorAll(":scope > .cell_output > *")) {
          if (output.matches("p")) yield { told: output };
          else if (output.matches(BOX) || output.querySelector(BOX)) yield { show: output };
          else for (const text of output.querySelectorAll("p")) yield { told: text };
        }
      } else if (!child.matches("details, span, .toctree-wrapper, .headerlink")) {
        yield { show: child, leads: !child.matches("figure") };
      }
    }
  };

  const sections = function* (section) {
    yield section;
    for (const inner of section.querySelectorAll(`:scope > section:not(${APART})`)) {
      yield* sections(inner);
    }
  };

  // Slides as values: a title, the points on it, what is shown, and paragraphs for the speaker.
  const ofSection = (section) => {
    const title = heading(section);
    const slides = [];
    const intro = [];
    let [said, told] = [[], []];
    const discuss = () => {
      (slides.at(-1)?.notes ?? intro).push(...said);
      said = [];
    };
    const add = (points, show = null) => {
      slides.push({ title, points, show, notes: [] });
      told = [];
    };
    let fresh = null; // an exhibit of which nothing has been said yet
    for (const part of parts(section)) {
      if (part.say) {
        said.push(part.say);
        fresh = null;
      } else if (part.told) {
        (fresh?.points ?? told).push(part.told);
      } else {
        const before = part.leads ? said.at(-1) : null;
        discuss();
        add([...(before ? [lead(before)] : []), ...told], part.show);
        fresh = slides.at(-1).points.length ? null : slides.at(-1);
      }
    }
    discuss();
    if (section.matches(NEEDED)) return slides.slice(0, 1);
    if (told.length) add(told);
    if (intro.length > 1 || (intro.length && !slides.length) || section.matches("article > *")) {
      const points = intro.slice(0, POINTS).map((paragraph) => lines(paragraph)[0]);
      slides.unshift({ title, points, show: null, notes: intro });
    } else if (intro.length) slides[0].notes.unshift(...intro);
    return slides;
  };

  // The title has no text of its own: it stands over the question.
  const plan = (article) => {
    const all = [...sections(article.querySelector("section"))].flatMap(ofSection);
    const [first, second] = all;
    if (first.points.length || !second || second.show) return all;
    return [{ ...second, title: first.title }, ...all.slice(2)];
  };

  const point = (node) => {
    if (node.matches("span")) return element("li", "", node);
    const whole = node.textContent.length <= SAID;
    return element("li", "", ...(whole ? [...copy(node).childNodes] : [lines(node)[0]]));
  };

  const build = (slides, places) =>
    slides.map(({ title, points, show, notes }, index) => {
      const head = element(index ? "h2" : "h1");
      head.innerHTML = title;
      const body = element("div", "slide-body");
      if (points.length) {
        const list = element("ul", "slide-points", ...points.map(point));
        if (points.length === 1) list.classList.add("slide-lead");
        body.append(list);
      }
      if (show) {
        const place = document.createComment("on a slide");
        show.replaceWith(place);
        places.push([place, show]);
        body.append(element("div", "slide-exhibit", show));
      }
      const made = element("section", "slide", head, body);
      if (notes.length) {
        const aside = element("aside", "slide-notes", ...notes.map(copy));
        aside.setAttribute("aria-label", "Speaker's notes");
        made.append(aside);
      }
      body.tabIndex = 0; // what is too high for the screen is reached by arrows
      body.setAttribute("role", "region");
      body.setAttribute("aria-label", `Slide ${index + 1} of ${slides.length}`);
      return made;
    });

  let open = null;

  const present = async (at, article, opener) => {
    if (open) return;
    open = { places: [] };
    await window.MathJax?.startup?.promise;
    const made = build(plan(article), open.places);
    const number = element("span", "slides-number");
    number.setAttribute("role", "status");
    const button = (label, text, action) => {
      const one = element("button", "btn btn-sm", text);
      one.type = "button";
      one.setAttribute("aria-label", label);
      one.title = label;
      one.addEventListener("click", action);
      return one;
    };
    let now = Math.min(Math.max(at, 1), made.length) - 1;
    const go = (to) => {
      now = Math.min(Math.max(to, 0), made.length - 1);
      made.forEach((slide, index) => slide.classList.toggle("slide-now", index === now));
      number.textContent = `${now + 1} of ${made.length}`;
      const body = made[now].querySelector(".slide-body");
      body.scrollTop = 0;
      body.focus({ preventScroll: true });
      history.replaceState(null, "", `#slide-${now + 1}`);
      window.dispatchEvent(new Event("resize")); // what moves or scrolls takes the room that there is
    };
    const notes = button("Speaker's notes (N)", "Notes", () => {
      notes.setAttribute("aria-pressed", String(room.classList.toggle("slides-with-notes")));
    });
    notes.setAttribute("aria-pressed", "false");
    const close = () => {
      document.removeEventListener("keydown", keys);
      for (const [place, node] of open.places) place.replaceWith(node);
      room.remove();
      document.body.classList.remove("presenting");
      history.replaceState(null, "", location.pathname + location.search);
      open = null;
      opener.focus();
    };
    const bar = element(
      "nav",
      "slides-bar",
      button("Previous slide (left)", "‹", () => go(now - 1)),
      number,
      button("Next slide (right)", "›", () => go(now + 1)),
      notes,
      button("Back to the chapter (Escape)", "Close", close),
    );
    bar.setAttribute("aria-label", "Slides");
    const room = element("main", "slides bd-content", ...made, bar);
    const KEYS = {
      ArrowRight: () => go(now + 1),
      PageDown: () => go(now + 1),
      " ": () => go(now + 1),
      ArrowLeft: () => go(now - 1),
      PageUp: () => go(now - 1),
      Home: () => go(0),
      End: () => go(made.length - 1),
      n: () => notes.click(),
      Escape: close,
    };
    const keys = (event) => {
      const used = event.target.closest?.("input, select, textarea, summary, [role=group], button");
      if (event.ctrlKey || event.metaKey || event.altKey || (used && event.key !== "Escape")) return;
      const action = KEYS[event.key] ?? KEYS[event.key.toLowerCase()]; // N is n
      if (!action) return;
      event.preventDefault();
      action();
    };
    document.addEventListener("keydown", keys);
    document.body.append(room);
    document.body.classList.add("presenting");
    go(now);
  };

  const begin = () => {
    const article = document.querySelector("main article");
    const buttons = document.querySelector(".article-header-buttons");
    if (!article?.querySelector(".cell") || !buttons) return;
    const opener = element("button", "btn btn-sm slides-open", "Slides");
    opener.type = "button";
    opener.title = "Show this chapter as slides";
    opener.addEventListener("click", () => present(1, article, opener));
    buttons.prepend(opener);
    const asked = () => {
      const found = /^#slides?(?:-(\d+))?$/.exec(location.hash);
      if (found) present(Number(found[1] ?? 1), article, opener);
    };
    window.addEventListener("hashchange", asked);
    asked();
  };

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
})();
