/* Figures that move.

   A chapter hands the page a still picture and data (oulib/report/moving.py). For each of them this
   puts controls, a drawing and a sentence of its numbers in the picture's place; if anything goes
   wrong, the picture stays. Nothing is loaded and nothing is kept. */
(() => {
  "use strict";

  const SVG = "http://www.w3.org/2000/svg";
  const NORMAL_90 = 1.6448536269514722;
  const figures = {}; // by the name in data-moving: (data, page) => (width) => {plot, alt, says}
  const formulas = {}; // what they compute, held against Python by the tests

  // --- texts

  /** A number with a true minus sign, as in the book's sentences. */
  function number(value, digits = 2) {
    const text = value.toLocaleString("en-GB", {
      minimumFractionDigits: digits,
      maximumFractionDigits: digits,
    });
    return (/[1-9]/.test(text) ? text : text.replace("-", "")).replace("-", "−");
  }

  /** A share in per cent, never rounded to 0 or 100 unless it is. */
  function percent(share) {
    if (share > 0 && share < 0.01) return "less than 1%";
    if (share > 0.99 && share < 1) return "more than 99%";
    return `${number(100 * share, 0)}%`;
  }

  // --- elements

  /** An element; children that are strings are text and never markup. */
  function make(create, name, attributes, children) {
    const made = create(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }
  const html = (name, attributes = {}, ...children) =>
    make((n) => document.createElement(n), name, attributes, children);
  const svg = (name, attributes = {}, ...children) =>
    make((n) => document.createElementNS(SVG, n), name, attributes, children);

  /** About `count` round numbers from low to high. */
  function ticks(low, high, count) {
    const raw = (high - low) / Math.max(count, 1);
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = power * [1, 2, 5, 10].find((times) => times * power >= raw * 0.999);
    const found = [];
    for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) {
      found.push(k * step);
    }
    const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
    return found.map((at) => [at, number(at, digits)]);
  }

  let [plots, ranges] = [0, 0]; // so many there are, for names that are given once in a page

  /** Axes of a drawing so many pixels wide, and marks in the units of the data. */
  class Plot {
    constructor(width, { x, y, height = 300, xlabel, ylabel, xticks, yticks, log = false }) {
      const left = ylabel === undefined ? 12 : 52;
      Object.assign(this, { x, y, log, left, right: width - 12, top: 22, bottom: height - 42 });
      const clip = `moving-clip-${++plots}`;
      this.svg = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img" });
      this.marks = svg("g", { "clip-path": `url(#${clip})` });
      const box = { x: left - 4, y: this.top - 4, width: this.right - left + 8 };
      box.height = this.bottom - this.top + 4;
      const axes = svg("g", { "aria-hidden": "true" });
      for (const [at, label] of xticks ?? ticks(...x, (this.right - left) / 90)) {
        axes.append(this._text(this.px(at), this.bottom + 17, label, "middle"));
        axes.append(this._line(this.px(at), this.bottom, this.px(at), this.bottom + 4, "axis"));
      }
      if (ylabel !== undefined) {
        for (const [at, label] of yticks ?? ticks(...y, (this.bottom - this.top) / 55)) {
          axes.append(this._text(left - 8, this.py(at) + 4, label, "end"));
          axes.append(this._line(left, this.py(at), this.right, this.py(at), "grid"));
        }
        axes.append(this._text(0, 12, ylabel, "start"));
      }
      axes.append(this._line(left, this.bottom, this.right, this.bottom, "axis"));
      axes.append(this._text(this.right, height - 6, xlabel, "end"));
      this.svg.append(svg("clipPath", { id: clip }, svg("rect", box)), axes, this.marks);
    }

    px(value) {
      const on = this.log ? Math.log : (one) => one;
      const [low, high] = this.x.map(on);
      return this.left + ((on(value) - low) / (high - low)) * (this.right - this.left);
    }

    py(value) {
      const [low, high] = this.y;
      return this.bottom - ((value - low) / (high - low)) * (this.bottom - this.top);
    }

    _text(x, y, label, anchor) {
      return svg("text", { x, y, "text-anchor": anchor }, label);
    }

    _line(x1, y1, x2, y2, kind) {
      return svg("line", { x1, y1, x2, y2, class: kind });
    }

    _path(points) {
      const at = points.map(([x, y]) => `${this.px(x).toFixed(2)},${this.py(y).toFixed(2)}`);
      return `M${at.join("L")}`;
    }

    line(points, kind) {
      this.marks.append(svg("path", { d: this._path(points), class: `line ${kind}` }));
    }

    /** Between two lines over the same places; each point is [x, low, high]. */
    area(points, kind) {
      const low = points.map(([x, a]) => [x, a]);
      const high = points.map(([x, , b]) => [x, b]).reverse();
      const d = `${this._path([...low, ...high])}Z`;
      this.marks.append(svg("path", { d, class: `area ${kind}` }));
    }

    bar(x, low, high, kind, shift = 0) {
      const at = this.px(x) + shift;
      this.marks.append(this._line(at, this.py(low), at, this.py(high), `bar ${kind}`));
    }

    dot(x, y, kind, radius = 4, shift = 0) {
      this.marks.append(
        svg("circle", { cx: this.px(x) + shift, cy: this.py(y), r: radius, class: kind }),
      );
    }

    cross(x, y, kind, size = 4) {
      const [a, b] = [this.px(x), this.py(y)];
      const wide = 2 * size;
      const d = `M${a - size},${b - size}l${wide},${wide}m0,${-wide}l${-wide},${wide}`;
      this.marks.append(svg("path", { d, class: `cross ${kind}` }));
    }

    across(y, kind) {
      this.marks.append(this._line(this.left, this.py(y), this.right, this.py(y), `rule ${kind}`));
    }

    up(x, kind) {
      this.marks.append(this._line(this.px(x), this.bottom, this.px(x), this.top, `rule ${kind}`));
    }
  }

  // --- a figure's place on the page

  const MARKS = {
    line: (kind) => svg("line", { x1: 0, x2: 24, y1: 6, y2: 6, class: `line ${kind}` }),
    area: (kind) => svg("rect", { width: 24, height: 12, class: `area ${kind}` }),
    dot: (kind) => svg("circle", { cx: 12, cy: 6, r: 4, class: `dot ${kind}` }),
    open: (kind) => svg("circle", { cx: 12, cy: 6, r: 4, class: `open ${kind}` }),
    cross: (kind) => svg("path", { d: "M8,2l8,8m0,-8l-8,8", class: `cross ${kind}` }),
  };

  /** Controls, drawing, key and readout of one figure. */
  class Page {
    constructor() {
      this.controls = html("div", { class: "moving-controls" });
      this.stage = html("div", { class: "moving-stage" });
      this.below = html("div");
      this.keys = html("ul", { class: "moving-key" });
      this.readout = html("p", { class: "moving-readout", role: "status" });
      this.live = html("div", { class: "moving-live" });
      this.live.append(this.controls, this.stage, this.below, this.keys, this.readout);
      this.redraw = () => {};
    }

    /** A range; `says(value)` is its value in words, `mark` a place on it with a label, and
       `then(value)` follows each change. */
    range({ label, min, max, step, value, says, mark, then = () => {} }) {
      const id = `moving-range-${++ranges}`;
      const input = html("input", { type: "range", id, min, max, step, value });
      const shown = html("span", { class: "moving-value", "aria-hidden": "true" });
      const tell = () => {
        shown.textContent = says(input.valueAsNumber);
        input.setAttribute("aria-valuetext", shown.textContent);
      };
      const parts = [html("label", { for: id }, label, shown), input];
      if (mark !== undefined) {
        const at = (mark.at - min) / (max - min);
        const place = html("span", { style: `--at: ${at}` }, `▲ ${mark.label}`);
        if (at > 0.5) place.textContent = `${mark.label} ▲`;
        parts.push(html("div", { class: "moving-mark", "aria-hidden": "true" }, place));
      }
      this.controls.append(html("div", { class: "moving-control" }, ...parts));
      input.addEventListener("input", () => {
        tell();
        then(input.valueAsNumber);
        this.redraw();
      });
      tell();
      return {
        get value() {
          return input.valueAsNumber;
        },
        set value(to) {
          input.value = to;
          tell();
        },
      };
    }

    /** Buttons in a row: [label, what it does] each. */
    buttons(...pairs) {
      const row = html("div", { class: "moving-buttons" });
      for (const [label, action] of pairs) {
        const button = html("button", { type: "button" }, label);
        button.addEventListener("click", () => {
          action();
          this.redraw();
        });
        row.append(button);
      }
      this.controls.append(row);
    }

    /** A button for each place of a plot, in whose columns they stand if there is room.

       One of them is in the order of the keys, and arrows go from there to the others. */
    toggles({ title, names, labels, is, press }) {
      const row = html("div", { class: "moving-toggles", role: "group", "aria-label": title });
      const all = names.map((name, place) => {
        const about = { type: "button", "aria-label": name, tabindex: place ? -1 : 0 };
        return html("button", about, labels[place]);
      });
      row.append(...all);
      this.below.append(html("p", { class: "moving-title", "aria-hidden": "true" }, title), row);
      const to = (place) => {
        all.forEach((one, at) => one.setAttribute("tabindex", at === place ? 0 : -1));
        all[place].focus();
      };
      all.forEach((button, place) => {
        button.addEventListener("click", () => {
          press(place);
          to(place);
          this.redraw();
        });
        button.addEventListener("keydown", (event) => {
          const across = getComputedStyle(row).gridTemplateColumns.split(" ").length;
          const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -across, ArrowDown: across };
          const wanted = { Home: 0, End: all.length - 1 }[event.key] ?? place + step[event.key];
          if (Number.isNaN(wanted)) return;
          event.preventDefault();
          if (wanted >= 0 && wanted < all.length) to(wanted);
        });
      });
      return (plot) => {
        all.forEach((one, place) => one.setAttribute("aria-pressed", is(place)));
        const room = [plot.right - plot.left, ...Array(5).fill(plot.right + 12)]; // by rows
        const rows = 1 + room.findIndex((one, at) => one >= 26 * Math.ceil(all.length / (at + 1)));
        const wide = rows === 1; // the buttons stand under their places
        const columns = Math.ceil(all.length / (rows || 6));
        row.style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`;
        row.style.marginLeft = wide ? `${plot.left}px` : 0;
        row.style.marginRight = wide ? "12px" : 0;
      };
    }

    /** What the marks mean: [mark, kind, text] each. */
    key(...entries) {
      for (const [mark, kind, text] of entries) {
        const sample = svg("svg", { viewBox: "0 0 24 12", "aria-hidden": "true" });
        sample.append(MARKS[mark](kind));
        this.keys.append(html("li", {}, sample, text));
      }
    }
  }

  function start(root) {
    const data = JSON.parse(root.querySelector('script[type="application/json"]').textContent);
    const page = new Page();
    const draw = figures[root.dataset.moving](data, page);
    let last = 0;
    page.redraw = () => {
      last = Math.max(page.stage.clientWidth, 240);
      const { plot, alt, says } = draw(last);
      plot.svg.setAttribute("aria-label", alt);
      page.stage.replaceChildren(plot.svg);
      page.readout.textContent = says;
    };
    root.append(page.live);
    root.classList.add("moving-on");
    page.redraw();
    new ResizeObserver(() => {
      if (page.stage.clientWidth > 0 && page.stage.clientWidth !== last) page.redraw();
    }).observe(page.stage);
  }

  function startAll() {
    for (const root of document.querySelectorAll(".moving:not(.moving-on)")) {
      try {
        start(root);
      } catch (error) {
        root.classList.remove("moving-on");
        root.querySelector(".moving-live")?.remove();
        console.error(error);
      }
    }
  }

  // --- pooling: slopes of units between their own estimates and the mean of all

  /** Slopes and sds given the sd of slopes, under a flat prior of their mean. */
  formulas.pooled = (slope, se, tau) => {
    const weight = se.map((s) => (tau === Infinity ? 1 : 1 / (s * s + tau * tau)));
    const total = weight.reduce((a, b) => a + b, 0);
    const mean = slope.reduce((sum, b, g) => sum + weight[g] * b, 0) / total;
    const drawn = se.map((s) => (tau === Infinity ? 0 : (s * s) / (s * s + tau * tau)));
    return {
      mean,
      slope: slope.map((b, g) => drawn[g] * mean + (1 - drawn[g]) * b),
      sd: se.map((s, g) =>
        Math.sqrt((1 - drawn[g]) * s * s + (drawn[g] === 0 ? 0 : (drawn[g] * drawn[g]) / total)),
      ),
    };
  };

  figures.pooling = ({ names, slope, se, typical, own, kept }, page) => {
    const shareOf = (tau) => (typical * typical) / (typical * typical + tau * tau);
    const tauOf = (share) => typical * Math.sqrt(1 / share - 1);
    const mark = own === null ? undefined : { at: 100 * shareOf(own), label: "the model’s own" };
    const near = (value) => mark !== undefined && Math.abs(value - mark.at) <= 0.25;
    const strength = page.range({
      label: "Pooling of a typical unit",
      min: 0,
      max: 100,
      step: 0.5,
      value: mark === undefined ? 50 : mark.at,
      says: (value) => percent(value / 100),
      mark,
    });
    const to = (value) => () => (strength.value = value);
    const steps = [["None", to(0)], ["Complete", to(100)]];
    if (mark !== undefined) steps.splice(1, 0, ["The model’s own", to(mark.at)]);
    page.buttons(...steps);
    page.key(
      ["open", "", "each unit alone, with 90% interval"],
      ["dot", "is-model", "pooled, with 90% interval"],
      ["line", "is-truth dotted", "mean of all units"],
    );
    const room = NORMAL_90 * typical;
    const y = [Math.min(0, ...slope) - room, Math.max(0, ...slope) + room];

    return (width) => {
      const at = strength.value;
      const tau = at === 0 ? Infinity : near(at) ? own : tauOf(at / 100);
      const now = formulas.pooled(slope, se, tau);
      const plot = new Plot(width, {
        x: [-0.7, kept.length - 0.3],
        y,
        xticks: [],
        xlabel: `${kept.length} units, in the order of their own estimates`,
        ylabel: "slope of a unit",
      });
      plot.across(0, "thin");
      plot.across(now.mean, "is-truth dotted");
      const apart = width > 500 ? 2.5 : 1.5;
      const size = kept.length > 30 || width < 500 ? 3 : 4;
      const interval = (middle, sd) => [middle - NORMAL_90 * sd, middle + NORMAL_90 * sd];
      kept.forEach((g, place) => {
        plot.bar(place, ...interval(slope[g], se[g]), "faint", -apart);
        plot.bar(place, ...interval(now.slope[g], now.sd[g]), "is-model", apart);
        plot.dot(place, slope[g], "open", size, -apart);
        plot.dot(place, now.slope[g], "dot is-model", size, apart);
      });
      const moved = now.slope.map((b, g) => Math.abs(b - slope[g]));
      const most = moved.indexOf(Math.max(...moved));
      const ends = (values) => values.map((v) => number(v)).join(" to ");
      const [alone, together] = [slope, now.slope].map((s) => [Math.min(...s), Math.max(...s)]);
      const sd =
        tau === Infinity
          ? "Slopes may differ by any amount."
          : `Slopes are taken to differ with a standard deviation of ${number(tau)}` +
            (near(at) ? ", which is the model’s own." : ".");
      const how =
        tau === Infinity
          ? "Nothing is pooled."
          : `${names[most]} moves most, from ${number(slope[most])} to ${number(now.slope[most])}.`;
      return {
        plot,
        alt:
          `Slopes of ${slope.length} units with 90% intervals, each unit alone and pooled by ` +
          `${percent(at / 100)}: alone they reach from ${ends(alone)}, pooled from ` +
          `${ends(together)}.`,
        says:
          `${sd} The pooled slopes reach from ${ends(together)}, around ${number(now.mean)}. ` +
          how,
      };
    };
  };

  // --- a slope's two signs: its density with more and more surveys

  figures.signs = ({ grid, surveys, density, positive, valley, slope }, page) => {
    const count = (k) => (k === 0 ? "no survey" : k === 1 ? "1 survey" : `${k} surveys`);
    const seen = page.range({
      label: "Surveys of the unit",
      min: 0,
      max: surveys.length - 1,
      step: 1,
      value: 0,
      says: (place) => count(surveys[place]),
    });
    page.buttons(
      ["One fewer", () => (seen.value -= 1)],
      ["One more", () => (seen.value += 1)],
    );
    page.key(
      ["area", "is-model", "density with these surveys"],
      ["line", "dashed thin", "without a survey"],
      ["line", "is-truth dotted", "the slope that the unit was made with"],
    );
    const top = 1.08 * Math.max(...density.flat());

    return (width) => {
      const now = seen.value;
      const plot = new Plot(width, {
        x: [grid[0], grid[grid.length - 1]],
        y: [0, top],
        xlabel: "slope of the unit",
      });
      const points = (line) => grid.map((at, place) => [at, line[place]]);
      plot.up(0, "thin");
      plot.up(slope, "is-truth dotted");
      plot.line(points(density[0]), "dashed thin");
      plot.area(grid.map((at, place) => [at, 0, density[now][place]]), "is-model");
      plot.line(points(density[now]), "is-model");
      const peaks =
        valley[now] === null
          ? "There is one peak."
          : "There are two peaks, and the lowest place between them is " +
            `${percent(valley[now])} as high as the lower of the two.`;
      const share = `The slope is positive with probability ${number(positive[now])}.`;
      return {
        plot,
        alt: `Density of the unit’s slope with ${count(surveys[now])}. ${share} ${peaks}`,
        says: `With ${count(surveys[now])}: ${share.replace("The", "the")} ${peaks}`,
      };
    };
  };

  // --- the band of one unit's score

  /** Mean and sd of each month's score, whose mean is not known; `n` respondents by month, or 0.

     Given the unit's mean the months are independent, so it is found first, and then each month:
     equations eq-latent, eq-measurement and eq-outcome of the book. */
  formulas.band = (scales, beta, n, survey, residual) => {
    const { mu_x, sigma_mu_x, sigma_x, sigma_meas, sigma_y } = scales;
    const own = 1 / sigma_x ** 2;
    const told = n.map((k) => k / sigma_meas ** 2 + beta ** 2 / sigma_y ** 2);
    const pull = n.map(
      (k, t) => (k / sigma_meas ** 2) * survey[t] + (beta / sigma_y ** 2) * residual[t],
    );
    let [precision, sum] = [1 / sigma_mu_x ** 2, mu_x / sigma_mu_x ** 2];
    told.forEach((d, t) => {
      precision += (own * d) / (own + d);
      sum += (own * pull[t]) / (own + d);
    });
    const level = sum / precision;
    return {
      mean: told.map((d, t) => (own * level + pull[t]) / (own + d)),
      sd: told.map((d) => Math.sqrt(1 / (own + d) + (own / (own + d)) ** 2 / precision)),
    };
  };

  figures.band = (data, page) => {
    const { scales, score } = data;
    const size = score.length;
    const sizes = [1, 2, 3, 5, 8, 10, 15, 20, 30, 50, 100, 200];
    const spacings = [0, 12, 8, 6, 4, 3, 2, 1];
    const every = (k) => score.map((_, t) => k > 0 && t % k === Math.floor((k - 1) / 2));
    let seen = every(data.spacing);
    page.range({
      label: "Set waves",
      min: 0,
      max: spacings.length - 1,
      step: 1,
      value: spacings.indexOf(data.spacing),
      says: (at) =>
        ["none", "every month"][[0, 1].indexOf(spacings[at])] ?? `every ${spacings[at]} months`,
      then: (at) => (seen = every(spacings[at])),
    });
    const respondents = page.range({
      label: "Respondents of a survey",
      min: 0,
      max: sizes.length - 1,
      step: 1,
      value: sizes.indexOf(data.respondents),
      says: (at) => number(sizes[at], 0),
    });
    const slope = page.range({
      label: "Slope of the unit",
      min: -1,
      max: 1,
      step: 0.05,
      value: data.beta,
      says: (value) => number(value),
    });
    const press = (t) => (seen[t] = !seen[t]);
    const arrange = page.toggles({
      title: "Surveys by month: press one to add it or to take it away",
      names: score.map((_, t) => `Survey in month ${t + 1}`),
      labels: score.map((_, t) => `${t + 1}`),
      is: (t) => seen[t],
      press,
    });
    page.key(
      ["area", "is-model", "90% band"],
      ["line", "is-model", "mean of the score"],
      ["dot", "is-text", "survey"],
      ["cross", "is-truth", "true score"],
    );

    return (width) => {
      const n = sizes[respondents.value];
      const beta = slope.value;
      const survey = score.map((x, t) => x + (scales.sigma_meas / Math.sqrt(n)) * data.surveyed[t]);
      const residual = score.map((x, t) => beta * x + scales.sigma_y * data.outcome[t]);
      const asked = seen.map((is) => (is ? n : 0));
      const { mean, sd } = formulas.band(scales, beta, asked, survey, residual);
      const plot = new Plot(width, {
        x: [0.5, size + 0.5],
        y: data.ends,
        xlabel: "month",
        ylabel: "score (sd)",
        xticks: [1, 6, 12, 18, 24].filter((t) => t <= size).map((t) => [t, `${t}`]),
      });
      const side = (sign) => (t) => mean[t] + sign * NORMAL_90 * sd[t];
      plot.area(score.map((_, t) => [t + 1, side(-1)(t), side(1)(t)]), "is-model");
      plot.line(mean.map((m, t) => [t + 1, m]), "is-model");
      score.forEach((x, t) => {
        plot.cross(t + 1, x, "is-truth");
        if (seen[t]) plot.dot(t + 1, survey[t], "dot is-text");
      });
      plot.svg.style.cursor = "pointer";
      plot.svg.addEventListener("click", (event) => {
        const box = plot.svg.getBoundingClientRect();
        const at = ((event.clientX - box.left) * width) / box.width;
        const t = Math.floor(((at - plot.left) / (plot.right - plot.left)) * size);
        if (t < 0 || t >= size) return;
        press(t);
        page.redraw();
      });
      arrange(plot);
      const months = score.map((_, t) => t).filter((t) => seen[t]);
      const others = score.map((_, t) => t).filter((t) => !seen[t]);
      const held =
        months.length === 0
          ? "no survey"
          : `${months.length} ${months.length === 1 ? "survey" : "surveys"} of ${n}`;
      const parts = [];
      if (months.length) parts.push(`${number(sd[months[0]])} in a month with a survey`);
      if (others.length) parts.push(`${number(sd[others[0]])} in a month without one`);
      const u = scales.sigma_x ** 2;
      const share = (beta ** 2 * u) / (scales.sigma_y ** 2 + beta ** 2 * u);
      const before = Math.hypot(scales.sigma_x, scales.sigma_mu_x);
      return {
        plot,
        alt:
          `Band of one unit’s score over ${size} months with ${held}` +
          (months.length ? `, in months ${months.map((t) => t + 1).join(", ")}` : "") +
          `. Its standard deviation is ${parts.join(" and ")}.`,
        says:
          `With ${held} the score is known with a standard deviation of ` +
          `${parts.join(", and of ")}; before any data it was ${number(before)}. ` +
          (others.length
            ? `Where there is no survey, the outcome takes away ${percent(share)} of what the ` +
              "month’s own deviation leaves open."
            : "Every month has a survey."),
      };
    };
  };

  // --- what a survey costs, and what it tells of slopes

  /** `values` at the logarithm of n, between the sizes that they are given for. */
  function between(n, sizes, values) {
    const at = sizes.findIndex((size) => size >= n);
    if (at === 0) return values[0];
    if (at < 0) return values[values.length - 1];
    const share = Math.log(n / sizes[at - 1]) / Math.log(sizes[at] / sizes[at - 1]);
    return values[at - 1] + share * (values[at] - values[at - 1]);
  }

  /** Sds of the average slope and of a unit's: eq-plan and eq-plan-ratio, with units alike. */
  formulas.plan = (given, waves, respondents, units) => {
    const score = given.sigma_x ** 2;
    const beta = given.sigma_beta ** 2;
    const total = score + given.sigma_meas ** 2 / respondents;
    const w = score / total;
    const surveys = given.answered * waves;
    const level = (surveys * given.sigma_mu_x ** 2) / (surveys * given.sigma_mu_x ** 2 + total);
    const spare = Math.max(1 - level / surveys, 0) * (1 - 1 / units);
    const told = (spare * w * score * surveys) / (given.noise + given.unknown * (1 - w) * score);
    const own = 1 / (told + 1 / beta);
    let sum = (units * told * own) / beta;
    if (given.level !== null) {
      const spread = given.sigma_mu_x ** 2;
      const left = given.level + (beta + given.slope ** 2 * (1 - level)) * spread;
      sum += ((units * level * spread) / left) * (1 - given.sites / units);
    }
    const variance = 1 / sum + given.site;
    const doubt = between(respondents, given.sizes, given.doubt);
    const learnt = between(respondents, given.sizes, given.learnt);
    const grown = (waves * units) / (given.waves * given.units);
    const ratio = doubt > 0 ? given.slope ** 2 / (1 / doubt + learnt * grown) : 0;
    const [average, known] = [ratio, 0].map(
      (more) => 1 / Math.sqrt(1 / (variance + more) + 1 / given.prior ** 2),
    );
    return {
      average,
      unit: Math.sqrt(own + ((own / beta) * known) ** 2 + ratio),
      floor: Math.sqrt(beta / units + given.site),
      reliability: w,
    };
  };

  figures.budget = (given, page) => {
    const sizes = [1, 2, 3, 5, 8, 10, 15, 20, 30, 50, 80, 100, 150, 200, 300, 500, 1000];
    if (!sizes.includes(given.respondents)) sizes.push(given.respondents);
    sizes.sort((a, b) => a - b);
    const costs = [0, 1, 2, 5, 10, 20, 50, 100, 200];
    const waves = page.range({
      label: "Waves",
      min: 1,
      max: given.months,
      step: 1,
      value: given.waves,
      says: (value) => number(value, 0),
    });
    const respondents = page.range({
      label: "Respondents of a survey",
      min: 0,
      max: sizes.length - 1,
      step: 1,
      value: sizes.indexOf(given.respondents),
      says: (at) => number(sizes[at], Number.isInteger(sizes[at]) ? 0 : 1),
    });
    const units = page.range({
      label: "Units",
      min: Math.min(4, given.units),
      max: 3 * given.units,
      step: 1,
      value: given.units,
      says: (value) => number(value, 0),
    });
    const cost = page.range({
      label: "Cost of holding a survey",
      min: 0,
      max: costs.length - 1,
      step: 1,
      value: 0,
      says: (at) => (costs[at] === 1 ? "1 questionnaire" : `${costs[at]} questionnaires`),
    });
    page.buttons([
      "The panel’s own design",
      () => {
        waves.value = given.waves;
        respondents.value = sizes.indexOf(given.respondents);
        units.value = given.units;
      },
    ]);
    page.key(
      ["line", "is-model", "average slope, these respondents"],
      ["line", "is-other", "slope of a unit, these respondents"],
      ["line", "is-model dashed", "average slope, same budget"],
      ["line", "is-other dashed", "slope of a unit, same budget"],
      ["line", "dotted", "floor of the average: units differ"],
    );
    const worst = formulas.plan(given, 1, given.respondents, given.units);
    const top = 1.15 * Math.max(worst.unit, worst.average);
    const all = Array.from({ length: given.months }, (_, at) => at + 1);
    const labelled = [1, 2, 3, 6, 12, 24, 48, 96].filter((k) => k <= given.months / 1.4);

    return (width) => {
      const [k, n, g] = [waves.value, sizes[respondents.value], units.value];
      const each = costs[cost.value];
      const budget = k * g * (n + each);
      const now = formulas.plan(given, k, n, g);
      const plot = new Plot(width, {
        x: [1, Math.max(given.months, 2)],
        y: [0, top],
        log: true,
        xlabel: "waves (logarithmic)",
        ylabel: "standard deviation",
        xticks: [...labelled, given.months].map((at) => [at, `${at}`]),
      });
      const same = all
        .map((at) => [at, budget / (at * g) - each])
        .filter(([, size]) => size >= 1)
        .map(([at, size]) => ({ waves: at, size, ...formulas.plan(given, at, size, g) }));
      const here = all.map((at) => [at, formulas.plan(given, at, n, g)]);
      plot.across(now.floor, "dotted");
      for (const [what, kind] of [["unit", "is-other"], ["average", "is-model"]]) {
        plot.line(here.map(([at, one]) => [at, one[what]]), kind);
        plot.line(same.map((one) => [one.waves, one[what]]), `${kind} dashed`);
        plot.dot(k, now[what], `dot ${kind}`, 6);
      }
      const best = same.reduce((a, b) => (b.average < a.average ? b : a), same[0]);
      const count = (value, one) =>
        `${number(value, Number.isInteger(value) ? 0 : 1)} ${value === 1 ? one : `${one}s`}`;
      const known =
        `The average slope is known with a standard deviation of ${number(now.average, 3)}, ` +
        `a unit’s own with ${number(now.unit, 3)}`;
      const design = `${count(k, "wave")} of ${count(n, "respondent")} in ${count(g, "unit")}`;
      const paid = each > 0 ? `, and cost as much as ${count(budget, "questionnaire")}` : "";
      return {
        plot,
        alt:
          `Standard deviations of slopes over waves, falling from left to right, for ${design}. ` +
          `${known}; the floor of the average is ${number(now.floor, 3)}.`,
        says:
          `${design} are ${count(k * g * n, "questionnaire")}${paid}. ` +
          `${known}. With the same budget the average is known best with ` +
          `${count(best.waves, "wave")} of ${number(best.size, best.size < 10 ? 1 : 0)} ` +
          `respondents: ${number(best.average, 3)}.`,
      };
    };
  };

  // --- scores that nobody saw, moved

  figures.shifts = (data, page) => {
    const { score, outcome, silent, shifts, lines } = data;
    const last = shifts.length - 1;
    const shift = page.range({
      label: "Shift of the silent scores",
      min: 0,
      max: last,
      step: 1,
      value: data.none,
      says: (at) => `${number(shifts[at])} sd`,
      mark: { at: data.none, label: "as the model has them" },
    });
    page.buttons(
      ["Lowest", () => (shift.value = 0)],
      ["None", () => (shift.value = data.none)],
      ["Highest", () => (shift.value = last)],
    );
    page.key(
      ["dot", "is-model", "answered: stays"],
      ["open", "is-other", "silent: moves"],
      ["line", "dashed thin", "slope among months of a kind"],
      ["line", "is-truth", "slope over all planned months"],
    );

    return (width) => {
      const at = shift.value;
      const [reach, top] = data.ends;
      const plot = new Plot(width, {
        x: [-reach, reach],
        y: [-top, top],
        xlabel: "score, above what is expected (sd)",
        ylabel: "outcome, above what is expected (sd)",
      });
      const line = (height, slope, kind) =>
        plot.line([-reach, reach].map((x) => [x, height + slope * x]), kind);
      const size = width > 500 ? 3.5 : 3;
      score.forEach((x, row) => {
        if (silent[row]) plot.dot(x + shifts[at], outcome[row], "open is-other", size);
        else plot.dot(x, outcome[row], "dot is-model", size);
      });
      line(0, data.within, "dashed thin");
      line(...lines[at], "is-truth");
      const means = [
        ["silent", data.apart[1], shifts[at]],
        ["answered", data.apart[0], 0],
      ].filter(([, mean]) => mean !== null);
      const where = means.map(([kind, mean, by]) => `${number(mean + by)} in ${kind} months`);
      const slope =
        `The slope over all planned months is ${number(data.mean[at])}, from ` +
        `${number(data.q5[at])} to ${number(data.q95[at])} with a probability of 90%`;
      const p = data.positive[at];
      const positive = p > 0.99 ? "above 0.99" : p < 0.01 ? "below 0.01" : number(p);
      return {
        plot,
        alt:
          "Scores and outcomes of planned months, the silent scores moved by " +
          `${number(shifts[at])} standard deviations and the answered ones where they were. ` +
          `${slope}.`,
        says:
          `Scores are on average ${where.join(" and ")}. ${slope}, and positive with probability ` +
          `${positive}. Surveys and outcomes are as probable as without a shift.`,
      };
    };
  };

  globalThis.oulibMoving = { figures, formulas, startAll };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", startAll);
  else startAll();
})();
