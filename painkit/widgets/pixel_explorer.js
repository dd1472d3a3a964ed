// The pixel explorer: see pixel_explorer.py for what its traits mean.

const PANELS = ["first", "second"];

class PixelExplorer extends Explorer {
  framesPerSecond = 1;

  build() {
    this.caption = html("h3", { class: "pk-caption" });
    this.panels = PANELS.map((name) => new PixelPanel(this, name));
    const classes = ["true_class", "predicted_class"].filter((name) => this.get("choices")[name].length > 2);
    this.controls.append(
      ...classes.map((name) => this.chooser(name)), // with one class there is nothing to choose
      this.chooser("image", {
        steps: true,
        value: () => this.get("choices").image[this.get("frame")],
        choose: (to) => this.goTo(this.get("choices").image.indexOf(to)),
      }),
    );
    const options = html(
      "div",
      { class: "pk-options" },
      this.checkbox("side_by_side", "side by side"),
      this.share("opacity", "opacity of the map"),
      this.radios("shown", "relevance shown"),
      this.chooser("division", { label: "shares of" }),
      this.chooser("uncertainty", { label: "uncertainty by" }),
    );
    if (this.get("has_regions")) options.append(this.checkbox("regions", "outline the true regions"));
    this.body.append(
      this.player,
      options,
      this.caption,
      html("div", { class: "pk-panels" }, ...this.panels.map(({ root }) => root)),
      this.saving(),
    );
    this.listen("image", () => this.open());
    this.listen("maps pending", () => this.came());
    this.listen("side_by_side", () => this.width && this.resize(this.width));
    this.listen("opacity shown regions", () => this.repaint());
  }

  came() {
    this.maps = unpack(this.get("maps"));
    this.repaint();
  }
  get open_panels() {
    return this.panels.slice(0, this.get("side_by_side") ? 2 : 1);
  }

  opened() {
    this.image = unpack(this.get("image"));
    this.maps = unpack(this.get("maps"));
    this.caption.textContent = this.image?.caption ?? "No image is like that.";
  }
  sliderName() {
    return "image";
  }
  ready() {
    return !this.get("pending").some(Boolean);
  }
  counted(frame) {
    return this.get("n_frames") ? `image ${frame + 1} of ${this.get("n_frames")}` : "no image";
  }
  spoken(frame) {
    return this.image ? `${this.counted(frame)}; ${this.image.caption}` : this.counted(frame);
  }
  fileName() {
    return this.image ? this.image.caption.replaceAll(/[^\p{L}\p{N}]+/gu, "-") : "no-image";
  }

  resized() {
    const two = this.get("side_by_side");
    this.root.classList.toggle("pk-narrow", this.width < 700);
    this.root.classList.toggle("pk-two", two);
    this.panels[1].root.style.display = two ? "" : "none";
    this.panels[0].root.parentElement.style.display = this.image ? "" : "none";
    if (this.image) for (const panel of this.open_panels) panel.resized(this.image);
  }

  painted() {
    if (!this.image) return;
    const pending = this.get("pending");
    this.open_panels.forEach((panel, i) => panel.painted(this.image, this.maps[i], Boolean(pending[i])));
  }

  composed() {
    const width = Math.ceil(this.body.clientWidth) + 24,
      blocks = [];
    const put = (picture, x, y, image) => {
      if (picture.style.display === "none") return y;
      blocks.push({ picture, image, x, y });
      return y + picture.height.baseVal.value + 10;
    };
    const tell = (words, x, y, wide) => {
      const lines = words.filter(Boolean).flatMap((one) => wrapped(one, wide / 1.1));
      if (lines.length) blocks.push({ lines, x, y });
      return y + 18 * lines.length + 8;
    };
    const top = tell([this.caption.textContent, this.get("mark")], 12, 8, width - 24);
    const left = this.body.getBoundingClientRect().left;
    let bottom = top;
    for (const panel of this.image ? this.open_panels : []) {
      const x = 12 + panel.root.getBoundingClientRect().left - left;
      bottom = Math.max(bottom, panel.compose(put, tell, x, x > 12 || panel === this.panels[0] ? top : bottom));
    }
    return { blocks, width, height: Math.ceil(bottom + 8) };
  }
}

export default {
  render({ model, el }) {
    const explorer = new PixelExplorer(model, el);
    return () => explorer.close();
  },
};
