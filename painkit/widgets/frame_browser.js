// A subject, one of its sequences and its frames, with their images: see frame_browser.py.
// An explorer of frames says with number(frame) what number the frame bears.

const IMAGES_AT_A_TIME = 8;

class FrameBrowser extends Explorer {
  build() {
    this.images = new Map();
    this.controls.append(this.chooser("subject", { steps: true }), this.chooser("sequence", { steps: true }));
  }
  close() {
    super.close();
    this.forgetImages();
  }
  open() {
    const now = { subject: this.get("subject"), sequence: this.get("sequence") };
    if (!this.isOpen(now)) this.forgetImages();
    this.shown = now;
    super.open();
  }
  isOpen({ subject, sequence }) {
    return this.shown?.subject === subject && this.shown.sequence === sequence;
  }
  repaint() {
    super.repaint();
    if (this.width) this.fetchImages();
  }
  fileName() {
    return [this.get("subject"), this.get("sequence"), `frame${this.number(this.get("frame"))}`].join("-");
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
    if (content.ask !== "images") return super.hear(content);
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
