// What all explorers share on a page: choosers, frame slider, play, keys, images, saving, width.
// An explorer extends it: build() adds its panels, opened() takes over what a sequence brings,
// resized(width) draws all anew, painted() draws what a frame changes, spoken() says a frame in words.

let browsers = 0;
const FRAMES_PER_SECOND = 12;
const IMAGES_AT_A_TIME = 8;

class FrameBrowser {
  constructor(model, el) {
    this.model = model;
    this.id = `pk-${browsers++}`;
    this.images = new Map();
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
    this.controls.append(this.chooser("subject", { steps: true }), this.chooser("sequence", { steps: true }));
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
  listeners = [];
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
    this.forgetImages();
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
    const show = () => {
      list.replaceChildren(...offered().map((one) => html("option", { value: one }, one)));
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
  radios(name, label, words = (one) => one) {
    const box = html(
      "div",
      { class: "pk-radios", role: "radiogroup", "aria-label": label },
      html("span", { class: "pk-label" }, label),
    );
    const inputs = this.get("choices")[name].map((one) => {
      const input = html("input", {
        type: "radio",
        name: `${this.id}-${name}`,
        value: one,
        onchange: () => this.set(name, one),
      });
      box.append(html("label", {}, input, html("span", {}, words(one))));
      return input;
    });
    const show = () => inputs.forEach((input) => (input.checked = input.value === this.get(name)));
    show();
    this.listen(name, show);
    return box;
  }

  checkbox(name, label) {
    const input = html("input", { type: "checkbox", onchange: () => this.set(name, input.checked) });
    const show = () => (input.checked = this.get(name));
    show();
    this.listen(name, show);
    return html("label", { class: "pk-check" }, input, label);
  }

  makePlayer() {
    this.playButton = html("button", { type: "button", class: "pk-play", onclick: () => this.togglePlay() });
    this.slider = html("input", {
      type: "range",
      min: 0,
      step: 1,
      "aria-label": "frame",
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
      if (this.get("frame") >= this.get("n_frames") - 1) return this.set("playing", false);
      this.goTo(this.get("frame") + 1);
      due = Math.max(due + 1000 / FRAMES_PER_SECOND, performance.now() - 200);
      this.timer = setTimeout(next, Math.max(0, due - performance.now()));
    };
    this.timer = setTimeout(next, 0);
  }

  // The explorer calls it when what is drawn of a sequence has come.
  open() {
    const now = { subject: this.get("subject"), sequence: this.get("sequence") };
    if (!this.isOpen(now)) this.forgetImages();
    this.shown = now;
    this.opened();
    this.play();
    if (this.width) this.resize(this.width);
  }
  isOpen({ subject, sequence }) {
    return this.shown?.subject === subject && this.shown.sequence === sequence;
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
    if (!this.width) return;
    this.painted(frame);
    this.fetchImages();
  }

  // Images come a few at a time, from the frame that is shown onwards, and stay while their sequence is open.
  wantsImages() {
    return true;
  }
  forgetImages() {
    for (const image of this.images.values()) if (image.src) URL.revokeObjectURL(image.src);
    this.images.clear();
    this.asked = false;
  }
  fetchImages() {
    if (this.asked || !this.wantsImages()) return;
    const n = this.get("n_frames"),
      from = this.get("frame"),
      frames = [];
    for (let i = 0; i < n && frames.length < IMAGES_AT_A_TIME; i++)
      if (!this.images.has((from + i) % n)) frames.push((from + i) % n);
    if (!frames.length) return;
    this.asked = true;
    this.model.send({ ask: "images", ...this.shown, frames });
  }
  async hear(content, buffers) {
    if (content.ask === "files") {
      for (const [name, words] of Object.entries(content.files))
        download(name, new Blob([words], { type: "text/csv" }));
    } else if (content.ask === "images") {
      if (!this.isOpen(content)) return;
      await Promise.all(
        content.frames.map(async (frame, i) => {
          const image = Object.assign(new Image(), { problem: content.problems[i] });
          if (!image.problem) {
            image.src = URL.createObjectURL(new Blob([buffers[i]], { type: "image/jpeg" }));
            await image.decode();
          }
          if (this.isOpen(content)) this.images.set(frame, image);
        }),
      );
      this.asked = false;
      if (this.width && content.frames.includes(this.get("frame"))) this.painted(this.get("frame"));
      this.fetchImages();
    }
  }

  // composed() of the explorer returns {blocks, width, height}.
  saving() {
    const name = () =>
      [this.get("subject"), this.get("sequence"), `frame${this.number(this.get("frame"))}`].join("-");
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
      button("PNG", () => savePng(name(), ...composed())),
      button("SVG", () => saveSvg(name(), composed()[0])),
      button("CSV", () => this.model.send({ ask: "files" })),
    );
  }
}
