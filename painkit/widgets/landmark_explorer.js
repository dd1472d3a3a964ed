// The landmark explorer: see landmark_explorer.py for what its traits mean.

const EXAGGERATED = 3; // Most movements are smaller than a point.

class LandmarkExplorer extends FrameBrowser {
  build() {
    super.build();
    const picture = (name) => svg("svg", { class: name });
    this.face = unpack(this.get("face"));
    if (this.face.image) {
      this.average = Object.assign(new Image(), { src: this.face.image });
      this.average.decode().then(() => this.width && !this.onFrame() && this.repaint());
    }
    this.controls.append(
      this.radios("target", "estimate", { words: (one) => one.toUpperCase() }),
      this.radios("background", "drawn on"),
    );
    this.photo = html("canvas", { class: "pk-photo", "aria-hidden": "true" });
    this.picture = picture("pk-large");
    this.bar = picture("pk-colours");
    this.stage = html("div", { class: "pk-stage" }, this.photo, this.picture);
    this.problem = html("p", { class: "pk-problem" });
    const options = html(
      "div",
      { class: "pk-options" },
      this.chooser("colour_range", { label: "colour range of the" }),
      this.checkbox("vectors", "x and y as vectors"),
    );
    if (this.get("has_truth")) options.append(this.checkbox("truth", "what really moved the landmarks"));
    this.bars = picture("pk-bars");
    this.moves = picture("pk-bars");
    this.movesTitle = html(
      "div",
      {},
      html("h3", {}, "What really moved the landmarks"),
      html(
        "p",
        {},
        `On the face, a stroke leads back from each landmark, ${EXAGGERATED} times as far as it was moved.`,
      ),
    );
    this.facts = html("dl", {});
    this.trace = picture("pk-trace");
    this.left = html("div", { class: "pk-left" }, this.stage, this.problem, this.player, this.bar, options);
    this.right = html(
      "div",
      { class: "pk-right" },
      html(
        "div",
        { class: "pk-title" },
        html("h3", {}, "Largest contributions"),
        this.chooser("division", { label: "of" }),
      ),
      this.bars,
      this.movesTitle,
      this.moves,
      this.facts,
    );
    this.subjects = new SubjectMaps(this, this.face);
    this.body.append(
      html("div", { class: "pk-columns" }, this.left, this.right),
      this.trace,
      this.subjects.root,
      this.saving(),
    );
    this.buildFace();
    this.trace.addEventListener("pointerdown", (event) => this.point(event));
    this.trace.addEventListener("pointermove", (event) => event.buttons && this.point(event));
    this.bars.addEventListener("pointerover", (event) => this.highlight(event.target.closest(".pk-row")));
    this.bars.addEventListener("pointerleave", () => this.highlight(null));
    this.listen("view", () => this.open());
    this.listen("maps", () => this.width && this.subjects.draw());
    this.listen("background", () => this.width && this.resize(this.width));
    this.listen("division colour_range vectors", () => this.repaint());
  }

  buildFace() {
    this.shapes = faceShapes(this.face.lines);
    this.arrows = svg("path", { class: "pk-arrows" });
    this.moved = Object.fromEntries(
      CAUSES.map((cause) => [cause, svg("path", { class: `pk-moved pk-${cause}` })]),
    );
    this.points = this.face.names.map(() => svg("circle", { class: "pk-point" }, svg("title")));
    this.picture.append(
      this.shapes.group,
      ...CAUSES.map((cause) => this.moved[cause]),
      this.arrows,
      ...this.points,
    );
  }
  point(event) {
    this.goTo(this.scale.nearest(event.clientX - this.trace.getBoundingClientRect().left));
  }
  highlight(row) {
    const members = row ? this.view.members[this.get("division")][row.dataset.part] : [];
    this.points.forEach((point, i) => point.classList.toggle("pk-chosen", members.includes(i)));
  }

  opened() {
    this.view = unpack(this.get("view"));
    this.points_of = (frame) => (this.onFrame() ? rowOf(this.view.points, frame) : this.face.points);
    this.moves.style.display = this.movesTitle.style.display = this.view.moved ? "" : "none";
    this.facts.replaceChildren();
    const fact = (name, words) => {
      const told = html("dd", {}, unbroken(words));
      this.facts.append(html("dt", {}, name), told);
      return told;
    };
    this.told = this.view.frame_facts.map(([name, words]) => [fact(name, words[0]), words]);
    this.view.facts.forEach(([name, words]) => fact(name, words));
  }
  onFrame() {
    return this.get("background") === "frame";
  }
  wantsImages() {
    return this.onFrame();
  }
  number(frame) {
    return this.view.frames[frame];
  }
  counted(frame) {
    return `frame ${this.number(frame)}, ${frame + 1} of ${this.view.frames.length}`;
  }
  spoken(frame) {
    const { name, trace, facts } = this.view,
      [top] = this.ranked(frame);
    return `frame ${this.number(frame)}, ${frame + 1} of ${this.view.frames.length}; estimate ${plain(trace.estimate[frame])} ${name}; ${this.view.frame_facts[1].flat()[0]} ${this.view.frame_facts[1][1][frame]}; largest contribution ${top.name} ${signed(top.value, this.range(frame))}`;
  }

  // Parts of the division by the size of their contribution to a frame.
  ranked(frame) {
    const division = this.get("division"),
      values = rowOf(this.view.values[division], frame);
    return this.view.parts[division]
      .map((name, part) => ({ name, part, value: values[part] }))
      .sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
  }
  range(frame, division = this.get("division")) {
    return (
      this.view.ranges[division][this.get("colour_range")] ??
      largest(rowOf(this.view.values[division], frame))
    );
  }

  resized() {
    this.root.classList.toggle("pk-narrow", this.width < 700);
    const wide = Math.floor(this.left.clientWidth);
    const box = boundsOf(this.onFrame() ? this.view.points : this.face.points);
    const high = Math.round(Math.min(wide * 0.95, 540));
    this.view_at = fitting(box, wide, high);
    fill(this.picture, { width: wide, height: high, viewBox: `0 0 ${wide} ${high}`, role: "img" }, []);
    const fine = window.devicePixelRatio || 1;
    Object.assign(this.photo, { width: wide * fine, height: high * fine });
    Object.assign(this.photo.style, { width: `${wide}px`, height: `${high}px` });
    this.scale = drawTrace(
      this.trace,
      Math.floor(this.trace.parentElement.clientWidth),
      this.width < 700 ? 190 : 220,
      this.view,
    );
    this.cursor = svg(
      "g",
      { class: "pk-cursor" },
      line(0, this.scale.top, 0, this.scale.bottom),
      svg("circle", { r: 4 }),
    );
    this.trace.append(this.cursor);
    this.barred = undefined;
    this.subjects.draw();
  }

  painted(frame) {
    const { view, scale } = this;
    this.paintFace(frame);
    this.cursor.setAttribute("transform", `translate(${scale.x(frame)},0)`);
    this.cursor.lastChild.setAttribute("cy", scale.y(view.trace.estimate[frame]));
    for (const [place, words] of this.told) place.textContent = unbroken(words[frame]);
    this.paintBars(frame);
  }

  paintFace(frame) {
    const { view } = this,
      points = this.view_at.place(this.points_of(frame)),
      high = this.picture.height.baseVal.value;
    const image = this.onFrame() ? this.images.get(frame) : this.average,
      seen = Boolean(image && !image.problem && image.naturalWidth);
    const pen = this.photo.getContext("2d"),
      fine = window.devicePixelRatio || 1;
    pen.setTransform(fine, 0, 0, fine, 0, 0);
    pen.clearRect(0, 0, this.photo.width, this.photo.height);
    if (seen)
      pen.drawImage(
        image,
        this.view_at.x,
        this.view_at.y,
        image.naturalWidth * this.view_at.scale,
        image.naturalHeight * this.view_at.scale,
      );
    this.problem.textContent = image?.problem ?? "";
    this.shapes.group.classList.toggle("pk-on-photo", seen);
    this.shapes.draw(points);
    const values = rowOf(view.values.landmarks, frame),
      range = this.range(frame, "landmarks");
    const radius = Math.max(3, high / 95);
    points.forEach(([cx, cy], i) => {
      fill(
        this.points[i],
        {
          cx: cx.toFixed(1),
          cy: cy.toFixed(1),
          r: radius,
          fill: shade(RED_BLUE, 0.5 + values[i] / range / 2),
        },
        [],
      );
      this.points[i].firstChild.textContent =
        `${this.face.names[i]}: ${signed(values[i], range)} ${view.name}`;
    });
    const contributions = rowOf(view.vectors, frame),
      longest = (0.12 * high) / (this.get("vectors") ? longestVector(contributions) : 1);
    this.arrows.setAttribute("d", this.get("vectors") ? strokes(points, contributions, longest) : "");
    for (const cause of CAUSES)
      this.moved[cause].setAttribute(
        "d",
        view.moved
          ? strokes(points, rowOf(view.moved.vectors[cause], frame), -EXAGGERATED * this.view_at.scale)
          : "",
      );
    this.picture.setAttribute("aria-label", `Face of ${this.get("subject")}, ${this.spoken(frame)}`);
  }

  paintBars(frame) {
    const { view } = this,
      division = this.get("division"),
      wide = Math.floor(this.right.clientWidth);
    const count = this.width < 700 ? 10 : view.moved ? 9 : 15;
    const rows = this.ranked(frame).slice(0, count),
      range = this.range(frame);
    drawBars(
      this.bars,
      wide,
      rows.map(({ name, part, value }) => ({
        name,
        part,
        values: [value],
        classes: [value < 0 ? "pk-negative" : "pk-positive"],
      })),
      {
        low: -range,
        high: range,
        title: `contribution to the estimate, ${view.unit}${division === "action units" ? " (units share landmarks)" : ""}`,
        words: `Largest contributions: ${rows
          .slice(0, 5)
          .map(({ name, value }) => `${name} ${signed(value, range)}`)
          .join(", ")}`,
      },
    );
    const shown = this.range(frame, "landmarks");
    if (this.barred !== shown)
      colourBar(
        this.bar,
        Math.floor(this.left.clientWidth),
        RED_BLUE,
        -shown,
        shown,
        `contribution of a landmark, ${view.unit}`,
      );
    this.barred = shown;
    if (!view.moved) return;
    const of = view.moved.parts[division],
      both = (part) => CAUSES.map((cause) => rowOf(of[cause], frame)[part]);
    const most = view.parts[division].map((name, part) => ({
      name,
      part,
      values: both(part),
      classes: ["pk-pain", "pk-decoys"],
    }));
    most.sort((a, b) => Math.max(...b.values) - Math.max(...a.values));
    const top = view.moved.ranges[division];
    drawBars(this.moves, wide, most.slice(0, count), {
      low: 0,
      high: top,
      title: "distance moved, pixels on the mean face",
      legend: CAUSES.map((cause) => ({
        name: CAUSE_WORDS[cause],
        mark: () => line(0, 0, 20, 0, `pk-moved pk-${cause}`),
      })),
      words: `What moved the landmarks, pain and decoys in pixels: ${most
        .slice(0, 5)
        .map(({ name, values }) => `${name} ${values.map(plain).join(" and ")}`)
        .join(", ")}`,
    });
  }

  composed() {
    const width = Math.ceil(this.body.clientWidth) + 24,
      blocks = [],
      half = this.right.offsetLeft - this.left.offsetLeft;
    const tall = (node) => (node.style.display === "none" ? 0 : node.height.baseVal.value);
    const put = (picture, x, y) => {
      if (tall(picture)) blocks.push({ picture, x, y });
      return tall(picture);
    };
    const tell = (words, x, y, wide) => {
      const lines = words.flatMap((one) => wrapped(one, wide / 1.1));
      blocks.push({ lines, x, y });
      return y + 18 * lines.length + 12;
    };
    const about = [
      `${this.get("subject")}, ${this.get("sequence")}, ${this.counted(this.get("frame"))}`,
      this.get("mark"),
    ];
    let y = tell(about.filter(Boolean), 12, 8, width - 24);
    blocks.push({ image: this.photo, picture: this.picture, x: 12, y });
    put(this.bar, 12, y + tall(this.picture) + 8);
    const under = y + tall(this.picture) + 8 + tall(this.bar) + 12;
    let [x, at] = half > 0 ? [12 + half, y] : [12, under];
    for (const bars of [this.bars, this.moves]) (put(bars, x, at), (at += tall(bars) && tall(bars) + 12));
    const facts = [...this.facts.querySelectorAll("dt")].map(
      (dt) => `${dt.textContent}: ${dt.nextSibling.textContent}`,
    );
    y = Math.max(under, tell(facts, x, at, this.right.clientWidth));
    put(this.trace, 12, y);
    y += tall(this.trace) + 12;
    y = this.subjects.compose(put, tell, 12, y);
    return { blocks, width, height: Math.ceil(y + 8) };
  }
}

export default {
  render({ model, el }) {
    const explorer = new LandmarkExplorer(model, el);
    return () => explorer.close();
  },
};
