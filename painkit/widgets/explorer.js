// What all explorers share on a page: choosers, a slider that plays, keys, saving, width.
// An explorer extends it: build() adds its panels, opened() takes over what has come to be drawn, resized(width) draws
// all anew, painted() draws what a frame changes, counted() and spoken() say a frame in words, composed() gives the
// picture to save as {blocks, width, height}, fileName() its name.

let explorers = 0;

class Explorer {
  framesPerSecond = 12;
  listeners = [];

  constructor(model, el) {
    this.model = model;
    this.id = `pk-${explorers++}`;
    this.controls = html("div", { class: "pk-controls" });
    this.body = html("div", { class: "pk-body" });
    this.root = html(
      "section",
      { class: "pk-root", "aria-label": this.get("heading"), "data-lm-suppress-shortcuts": "true" },
      html(
        "header",
        {},
        html("h2", {}, this.get("heading")),
        html("p", { class: "pk-mark" }, this.get("mark")),
      ),
      this.controls,
      this.body,
    );
    this.player = this.makePlayer();
    this.build();
    el.append(this.root);
    this.listen("frame", () => this.repaint());
    this.listen("playing", () => this.play());
    this.listen("n_frames", () => this.setEnds());
    model.on("msg:custom", (this.heard = (content, buffers) => this.hear(content, buffers)));
    this.widths = new ResizeObserver(
      ([entry]) => entry.contentRect.width > 0 && this.resize(entry.contentRect.width),
    );
    this.widths.observe(this.root);
    this.setEnds();
    this.open();
    if (this.get("playing")) this.play();
  }

  get(name) {
    return this.model.get(name);
  }
  set(name, value) {
    this.model.set(name, value);
    this.model.save_changes();
  }
  listen(names, reaction) {
    for (const name of names.split(" ")) {
      this.listeners.push([`change:${name}`, reaction]);
      this.model.on(`change:${name}`, reaction);
    }
  }
  close() {
    clearTimeout(this.timer);
    this.widths.disconnect();
    this.model.off("msg:custom", this.heard);
    for (const [event, reaction] of this.listeners) this.model.off(event, reaction);
  }

  // A labelled list; with steps, buttons to the one before and after.
  chooser(
    name,
    {
      label = name.replace("_", " "),
      steps = false,
      offered = () => this.get("choices")[name],
      value = () => this.get(name),
      choose = (to) => this.set(name, to),
    } = {},
  ) {
    const list = html("select", {
      id: `${this.id}-${name}-${this.listeners.length}`,
      onchange: () => choose(list.value),
    });
    let listed;
    const show = () => {
      const all = offered();
      if (all !== listed) list.replaceChildren(...all.map((one) => html("option", { value: one }, one)));
      listed = all;
      list.value = value();
    };
    show();
    this.listen(`choices ${name}`, show);
    const step = (by) => {
      const all = offered();
      choose(all[(all.indexOf(value()) + by + all.length) % all.length]);
    };
    const button = (by, word, sign) =>
      html(
        "button",
        {
          type: "button",
          "aria-label": `${word} ${label}`,
          title: `${word} ${label}`,
          onclick: () => step(by),
        },
        sign,
      );
    const group = html("div", { class: "pk-chooser" }, html("label", { for: list.id }, label));
    group.append(...(steps ? [button(-1, "previous", "‹"), list, button(1, "next", "›")] : [list]));
    return Object.assign(group, { show });
  }

  // A few choices that are all seen.
  radios(
    name,
    label,
    {
      words = (one) => one,
      offered = () => this.get("choices")[name],
      value = () => this.get(name),
      choose = (to) => this.set(name, to),
    } = {},
  ) {
    const box = html(
      "div",
      { class: "pk-radios", role: "radiogroup", "aria-label": label },
      html("span", { class: "pk-label" }, label),
    );
    const group = `${this.id}-${name}-${this.listeners.length}`;
    const inputs = offered().map((one) => {
      const input = html("input", { type: "radio", name: group, value: one, onchange: () => choose(one) });
      box.append(html("label", {}, input, html("span", {}, words(one))));
      return input;
    });
    const show = () => inputs.forEach((input) => (input.checked = input.value === value()));
    show();
    this.listen(name, show);
    return box;
  }

  checkbox(name, label, { value = () => this.get(name), choose = (to) => this.set(name, to) } = {}) {
    const input = html("input", { type: "checkbox", onchange: () => choose(input.checked) });
    const show = () => (input.checked = value());
    show();
    this.listen(name, show);
    return html("label", { class: "pk-check" }, input, label);
  }

  // A number from min up; what is none goes back to what it was.
  number(name, label, { min, step, value, choose }) {
    const input = html("input", {
      type: "number",
      min,
      step,
      onchange: () => (input.value !== "" && +input.value >= min ? choose(+input.value) : show()),
    });
    const show = () => (input.value = value() ?? "");
    show();
    this.listen(name, show);
    return html("label", { class: "pk-number" }, label, input);
  }

  // A share from 0 to 1.
  share(name, label) {
    const input = html("input", {
      type: "range",
      min: 0,
      max: 1,
      step: 0.05,
      oninput: () => this.set(name, +input.value),
    });
    const show = () => {
      input.value = this.get(name);
      input.setAttribute("aria-valuetext", `${Math.round(100 * this.get(name))} %`);
    };
    show();
    this.listen(name, show);
    return html("label", { class: "pk-share" }, label, input);
  }

  makePlayer() {
    this.playButton = html("button", { type: "button", class: "pk-play", onclick: () => this.togglePlay() });
    this.slider = html("input", {
      type: "range",
      min: 0,
      step: 1,
      "aria-label": this.sliderName(),
      oninput: () => this.goTo(+this.slider.value),
    });
    this.readout = html("output", {});
    const player = html(
      "div",
      { class: "pk-player", onkeydown: (event) => this.key(event) },
      this.playButton,
      this.slider,
      this.readout,
    );
    return player;
  }
  sliderName() {
    return "frame";
  }
  setEnds() {
    this.slider.max = Math.max(0, this.get("n_frames") - 1);
  }
  goTo(frame) {
    const to = Math.min(Math.max(frame, 0), this.get("n_frames") - 1);
    if (to === this.get("frame")) return;
    this.set("frame", to);
  }
  key(event) {
    const now = this.get("frame"),
      last = this.get("n_frames") - 1;
    const to = {
      ArrowLeft: now - 1,
      ArrowDown: now - 1,
      ArrowRight: now + 1,
      ArrowUp: now + 1,
      PageDown: now - 10,
      PageUp: now + 10,
      Home: 0,
      End: last,
    }[event.key];
    if (to !== undefined) this.goTo(to);
    else if (event.key === " " && event.target === this.slider) this.togglePlay();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
  togglePlay() {
    if (!this.get("playing") && this.get("frame") === this.get("n_frames") - 1) this.set("frame", 0);
    this.set("playing", !this.get("playing"));
  }
  // Whether the frame that is shown has been seen.
  ready() {
    return true;
  }
  // Each frame is due at a time of its own, so that a slow one does not slow the film.
  play() {
    clearTimeout(this.timer);
    const playing = this.get("playing");
    const icon = playing ? "M2 1h3v10h-3zM7 1h3v10h-3z" : "M2 1l9 5l-9 5z";
    this.playButton.replaceChildren(
      svg(
        "svg",
        { width: 12, height: 12, viewBox: "0 0 12 12", "aria-hidden": "true" },
        svg("path", { d: icon, fill: "currentColor" }),
      ),
      playing ? "Pause" : "Play",
    );
    if (!playing) return;
    let due = performance.now();
    const next = () => {
      if (!this.ready()) return (this.timer = setTimeout(next, 50));
      if (this.get("frame") >= this.get("n_frames") - 1) return this.set("playing", false);
      this.goTo(this.get("frame") + 1);
      due = Math.max(due + 1000 / this.framesPerSecond, performance.now() - 200);
      this.timer = setTimeout(next, Math.max(0, due - performance.now()));
    };
    this.timer = setTimeout(next, 0);
  }

  // The explorer calls it when what is to be drawn has come.
  open() {
    this.opened();
    this.play();
    if (this.width) this.resize(this.width);
  }
  resize(width) {
    this.width = width;
    this.resized(width);
    this.repaint();
  }
  repaint() {
    const frame = this.get("frame");
    this.slider.value = frame;
    this.readout.textContent = this.counted(frame);
    this.slider.setAttribute("aria-valuetext", this.spoken(frame));
    if (this.width) this.painted(frame);
  }

  hear(content) {
    if (content.ask !== "files") return;
    for (const [name, words] of Object.entries(content.files))
      download(name, new Blob([words], { type: "text/csv" }));
  }

  saving() {
    const composed = () => {
      const { blocks, width, height } = this.composed();
      return [assemble(blocks, width, height, this.root), width, height];
    };
    const button = (words, onclick) =>
      html("button", { type: "button", "aria-label": `save as ${words}`, onclick }, words);
    return html(
      "div",
      { class: "pk-saving", role: "group", "aria-label": "save" },
      html("span", { class: "pk-label" }, "save as"),
      button("PNG", () => savePng(this.fileName(), ...composed())),
      button("SVG", () => saveSvg(this.fileName(), composed()[0])),
      button("CSV", () => this.model.send({ ask: "files" })),
    );
  }
}
