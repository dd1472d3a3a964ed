// One map of the pixel explorer: its settings, the image under it, and how it reads. Colours, opacity and sign are of
// the page alone: what the kernel sends is the map.

// Colours of -1 to 1 in 255 steps.
const COLOURS = Array.from({ length: 255 }, (_, i) => shade(RED_BLUE, i / 254).match(/\d+/g).map(Number));

// Colours (RGBA) of an image, drawn towards grey by a share.
function greyed(pixels, share) {
  const colours = new Uint8ClampedArray((pixels.length / 3) * 4).fill(255);
  for (let i = 0, k = 0; i < pixels.length; i += 3, k += 4) {
    const grey = 0.299 * pixels[i] + 0.587 * pixels[i + 1] + 0.114 * pixels[i + 2];
    for (let c = 0; c < 3; c++) colours[k + c] = pixels[i + c] + share * (grey - pixels[i + c]);
  }
  return colours;
}
// Colours (RGBA) of a map; what is not shown is as pale as 0.
function coloured({ values, top, range }, shown) {
  const colours = new Uint8ClampedArray(4 * values.length).fill(255);
  const [low, high] = [shown === "positive" ? 0 : -127, shown === "negative" ? 0 : 127];
  const scale = (127 * top) / range / 32767;
  values.forEach((value, i) =>
    colours.set(COLOURS[127 + Math.round(Math.min(high, Math.max(low, value * scale)))], 4 * i),
  );
  return colours;
}

class PixelPanel {
  constructor(explorer, name) {
    this.explorer = explorer;
    this.name = name;
    const picture = (kind) => svg("svg", { class: kind });
    this.canvas = html("canvas", { class: "pk-photo", "aria-hidden": "true" });
    this.picture = picture("pk-large");
    this.truth = svg("g", { class: "pk-truth" });
    this.outline = svg("path", { class: "pk-region" });
    this.picture.append(this.truth, this.outline);
    this.busy = html("p", { class: "pk-busy", role: "status" });
    this.stage = html("div", { class: "pk-stage" }, this.canvas, this.picture, this.busy);
    this.bar = picture("pk-colours");
    this.problem = html("p", { class: "pk-problem" });
    this.sentence = html("p", { class: "pk-sentence" });
    this.facts = html("dl", {});
    this.bars = picture("pk-bars");
    this.bars.addEventListener("pointerover", (event) => this.highlight(event.target.closest(".pk-row")));
    this.bars.addEventListener("pointerleave", () => this.highlight(null));
    this.settings = this.makeSettings();
    this.left = html("div", { class: "pk-left" }, this.stage, this.bar);
    this.right = html("div", { class: "pk-right" }, this.problem, this.sentence, this.bars, this.facts);
    this.root = html(
      "div",
      { class: "pk-panel", role: "group", "aria-label": `${name} map` },
      this.settings,
      this.left,
      this.right,
    );
  }

  get now() {
    return this.explorer.get(this.name);
  }
  choose(change) {
    this.explorer.set(this.name, { ...this.now, ...change });
  }
  // Settings of relevance propagation; null where another method is chosen.
  get rules() {
    const { method } = this.now;
    return typeof method === "string" ? (this.explorer.get("presets")[method] ?? null) : method;
  }
  chooseRules(change) {
    this.choose({ method: { ...this.rules, ...change } });
  }

  makeSettings() {
    const { explorer, name } = this;
    const chooser = (part, label) =>
      explorer.chooser(name, {
        label,
        offered: () => explorer.get("choices")[part],
        value: () => this.now[part],
        choose: (to) => this.choose({ [part]: to }),
      });
    const methods = explorer.radios(name, "method", {
      words: (one) => one.replaceAll("_", " "),
      offered: () => explorer.get("choices").method,
      value: () => this.now.method,
      choose: (method) => this.choose({ method }),
    });
    const number = (rule, step, min, choose) =>
      explorer.number(name, rule, { min, step, value: () => this.rules?.[rule], choose });
    const check = (label, value, choose) => explorer.checkbox(name, label, { value: () => value() ?? false, choose });
    const alpha = (to) => this.chooseRules({ alpha: to, beta: +(to - 1).toFixed(6) });
    const numbers = [number("alpha", 0.5, 1, alpha), number("beta", 0.5, 0, (to) => alpha(+(to + 1).toFixed(6)))];
    const rules = html(
      "fieldset",
      { class: "pk-rules" },
      html("legend", {}, "rules of LRP"),
      check(
        "alpha-beta on convolutions",
        () => this.rules && this.rules.alpha !== null,
        (on) => this.chooseRules(on ? { alpha: 1, beta: 0 } : { alpha: null, beta: null, bias: "both" }),
      ),
      ...numbers,
      number("epsilon", "any", 0, (epsilon) => this.chooseRules({ epsilon })),
      check("flat first layer", () => this.rules?.flat, (flat) => this.chooseRules({ flat })),
      check(
        "split bias",
        () => this.rules?.bias === "split",
        (on) => this.chooseRules({ bias: on ? "split" : "both" }),
      ),
    );
    const split = rules.lastChild.firstChild;
    const able = () => {
      rules.disabled = !this.rules;
      for (const input of [...numbers.map((label) => label.lastChild), split])
        input.disabled = !this.rules || this.rules.alpha === null;
    };
    able();
    explorer.listen(name, able);
    const model = explorer.get("choices").model.length > 1 ? [chooser("model", "model")] : [];
    const some = explorer.get("choices").target.length > 3; // those of the image, and the classes
    const target = some ? [chooser("target", "class explained")] : [];
    return html(
      "div",
      { class: "pk-settings" },
      html("div", { class: "pk-options" }, ...model, ...target),
      methods,
      rules,
    );
  }

  highlight(row) {
    const outlines = this.explorer.image?.outlines[this.explorer.get("division")] ?? {};
    this.outline.setAttribute("d", (row && outlines[row.dataset.part]) || "");
  }

  resized(image) {
    const [rows, columns] = image.pixels.shape;
    const wide = Math.floor(this.left.clientWidth),
      scale = Math.min(wide / columns, 560 / rows);
    const [width, height] = [Math.floor(columns * scale), Math.floor(rows * scale)];
    const fine = window.devicePixelRatio || 1;
    fill(this.picture, { width, height, viewBox: `0 0 ${columns} ${rows}`, role: "img" }, []);
    Object.assign(this.stage.style, { width: `${width}px`, height: `${height}px` });
    Object.assign(this.canvas, { width: width * fine, height: height * fine });
    Object.assign(this.canvas.style, { width: `${width}px`, height: `${height}px` });
    this.truth.replaceChildren(
      ...Object.entries(image.truth).map(([name, d]) => svg("path", { d }, svg("title", {}, name))),
    );
    this.highlight(null);
  }

  // What is drawn of the image. Until a map is there, the one before it stays if it is of this image.
  painted(image, map, pending) {
    const { explorer } = this,
      own = [map, this.drawn].find((one) => one?.row === image.row);
    this.drawn = own;
    this.truth.style.display = explorer.get("regions") ? "" : "none";
    this.busy.textContent = pending ? (map?.values ? "seeing how stable it is …" : "making the map …") : "";
    this.root.setAttribute("aria-busy", String(pending));
    this.problem.textContent = own?.problem ?? "";
    this.sentence.textContent = unbroken((own?.sentence ?? "").replaceAll("*", ""));
    this.facts.replaceChildren(
      ...(own?.facts ?? []).flatMap(([name, words]) => [html("dt", {}, name), html("dd", {}, unbroken(words))]),
    );
    this.paintImage(image, own);
    this.bar.style.display = this.bars.style.display = own?.values ? "" : "none";
    if (!own?.values) return;
    const shown = explorer.get("shown"),
      range = own.range;
    colourBar(
      this.bar,
      this.picture.width.baseVal.value,
      RED_BLUE.slice(shown === "positive" ? 5 : 0, shown === "negative" ? 6 : 11),
      shown === "positive" ? 0 : -range,
      shown === "negative" ? 0 : range,
      `relevance of a pixel for ${own.target} (0.5 % lie beyond the ends)`,
    );
    this.paintBars(own, shown);
  }

  paintImage(image, map) {
    const { explorer } = this,
      opacity = map?.values ? explorer.get("opacity") : 0;
    const pen = this.canvas.getContext("2d"),
      { width, height } = this.canvas;
    // Skin would mix with the colours of the map: under it the image is grey.
    Object.assign(pen, { globalAlpha: 1, imageSmoothingEnabled: true, imageSmoothingQuality: "high" });
    pen.drawImage(this.pixels(image, greyed(image.pixels, Math.min(1, 2 * opacity))), 0, 0, width, height);
    // A pixel of the map is seen as it is.
    Object.assign(pen, { globalAlpha: opacity, imageSmoothingEnabled: false });
    if (opacity)
      pen.drawImage(this.pixels(image, coloured(map, explorer.get("shown"))), 0, 0, width, height);
    const words = map?.values ? `Map: ${map.title}` : "No map yet";
    this.picture.setAttribute("aria-label", `${image.caption}. ${words}`);
  }
  // A canvas as large as the image, with these colours.
  pixels(image, colours) {
    const [height, width] = image.pixels.shape;
    this.small ??= html("canvas");
    Object.assign(this.small, { width, height });
    this.small.getContext("2d").putImageData(new ImageData(colours, width, height), 0, 0);
    return this.small;
  }

  paintBars(map, shown) {
    const sides = { both: [1, -1], positive: [1], negative: [-1] }[shown];
    const told = (sign) => (sign > 0 ? "positive" : "negative");
    const share = (sign, end, i) => sign * (map.shares[`${told(sign)}${end}`]?.[i] ?? NaN);
    const rows = map.parts.map((name, i) => ({
      name,
      part: name,
      values: sides.map((sign) => share(sign, "", i)),
      classes: sides.map((sign) => `pk-${told(sign)}`),
      told: sides.map((sign) => signed(share(sign, "", i), 10).replace("+", "")).join(" / "),
      spreads: sides.map((sign) => [share(sign, "_low", i), share(sign, "_high", i)]),
    }));
    const size = ({ values }) => Math.abs(values.find(Number.isFinite) ?? 0);
    rows.sort((a, b) => size(b) - size(a));
    const all = rows.flatMap(({ values, spreads }) => [...values, ...spreads.flat()]).filter(Number.isFinite);
    const high = Math.min(100, 5 * Math.ceil(largest(all) / 5));
    this.bars.style.display = all.length ? "" : "none";
    if (!all.length) return;
    const titles = { both: "the positive (red) and of the negative relevance (blue)" };
    const unit = this.explorer.get("division") === "action units" ? ", % (units overlap)" : ", %";
    drawBars(this.bars, Math.floor(this.right.clientWidth), rows, {
      low: sides.includes(-1) ? -high : 0,
      high: sides.includes(1) ? high : 0,
      title: `share of ${titles[shown] ?? `the ${shown} relevance`}${unit}`,
      words: `Shares of ${shown === "both" ? "the positive and negative" : `the ${shown}`} relevance in %: ${rows
        .slice(0, 5)
        .map(({ name, told }) => `${name} ${told}`)
        .join(", ")}`,
    });
  }

  // Put the panel into a picture from (x, y) down: returns where it ends.
  compose(put, tell, x, y) {
    const wide = this.left.clientWidth;
    const beside = this.right.getBoundingClientRect().left - this.left.getBoundingClientRect().left;
    const top = tell([this.drawn?.title], x, y, wide);
    const under = put(this.bar, x, put(this.picture, x, top, this.canvas));
    const facts = [...this.facts.querySelectorAll("dt")].map(
      (dt) => `${dt.textContent}: ${dt.nextSibling.textContent}`,
    );
    const column = [x + beside, beside > 0 ? top : under];
    const read = tell([this.problem.textContent, this.sentence.textContent], ...column, this.right.clientWidth);
    const end = tell(facts, column[0], put(this.bars, column[0], read), this.right.clientWidth);
    return Math.max(under, end);
  }
}
