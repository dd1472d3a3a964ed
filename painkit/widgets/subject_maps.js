// Maps of up to four subjects side by side: what their landmarks contribute and, where the truth is shown, what
// moved them. Each column has its own subject, or none.

const CAUSES = ["pain", "decoys"];
const CAUSE_WORDS = { pain: "moved by pain", decoys: "moved by decoys" };

class SubjectMaps {
  constructor(explorer, face) {
    this.explorer = explorer;
    this.face = face;
    this.maps = html("div", { class: "pk-maps" });
    this.bars = [0, 1].map(() => svg("svg", { class: "pk-colours" }));
    this.root = html("div", {}, html("h3", {}, "Subjects side by side"), this.maps, ...this.bars);
    this.columns = [0, 1, 2, 3].map((i) => this.column(i));
    this.maps.append(...this.columns.map(({ box }) => box));
  }

  column(i) {
    const { explorer } = this,
      map = () => svg("svg", { class: "pk-map" });
    const column = {
      shares: map(),
      note: html("p", {}),
      told: html("p", {}),
      moved: { pain: map(), decoys: map() },
    };
    const choose = (to) => {
      const now = [...explorer.get("compared")];
      now.splice(i, 1, ...(to === "none" ? [] : [to]));
      explorer.set("compared", now);
    };
    column.chooser = explorer.chooser("compared", {
      label: `${i + 1}. subject`,
      offered: () => ["none", ...explorer.get("choices").subject],
      value: () => explorer.get("compared")[i] ?? "none",
      choose,
    });
    const causes = html("div", { class: "pk-causes" }, column.moved.pain, column.moved.decoys);
    column.box = html("div", {}, column.chooser, column.shares, column.note, causes, column.told);
    return column;
  }

  draw() {
    const maps = unpack(this.explorer.get("maps")),
      { name } = this.explorer.view;
    const top = largest(maps.flatMap(({ shares }) => [...shares]).filter(Number.isFinite));
    const most = largest(
      maps.flatMap(({ moved }) => CAUSES.flatMap((cause) => [...(moved[cause]?.px ?? [])])),
    );
    this.columns.forEach((column, i) => this.drawColumn(column, maps[i], name, top, most));
    const width = Math.floor(this.maps.clientWidth),
      [shares, distances] = this.bars;
    shares.style.display = maps.length ? "" : "none";
    colourBar(shares, width, VIRIDIS, 0, top, `share of the subject's contributions to ${name}, % of total`);
    distances.style.display = maps.some(({ moved }) => moved.pain) ? "" : "none";
    colourBar(distances, width, VIRIDIS, 0, most, "mean displacement over frames, pixels");
  }

  drawColumn({ box, shares, note, told, moved }, map, name, top, most) {
    const full = box.clientWidth,
      wide = Math.min(190, Math.floor(full));
    const narrow = full < 230 ? wide : Math.min(wide, Math.floor(full / 2) - 4);
    for (const part of [shares, note, told]) part.style.display = map ? "" : "none";
    for (const cause of CAUSES) moved[cause].style.display = map?.moved[cause] ? "" : "none";
    if (!map) return;
    const words = `Share of each landmark in the contributions to ${name} of ${map.subject}: ${map.note}`;
    drawMap(shares, wide, this.face, map.shares, top, words);
    note.textContent = unbroken(map.note);
    const known = CAUSES.filter((cause) => map.moved[cause]);
    told.textContent = known
      .map((cause) => `rank correlation with ${cause}: ${signed(map.moved[cause].rho, 1)}`)
      .join("; ");
    for (const cause of known) {
      const moves = `How far ${cause === "pain" ? "pain moves" : "decoys move"} each landmark of ${map.subject}`;
      drawMap(moved[cause], narrow, this.face, map.moved[cause].px, most, moves, CAUSE_WORDS[cause]);
    }
  }

  // Put the maps into a picture as they stand on the page, from (x, y) down: returns where they end.
  compose(put, tell, x, y) {
    const corner = this.maps.getBoundingClientRect();
    const place = (node) => {
      const { left, top } = node.getBoundingClientRect();
      return [x + left - corner.left, y + top - corner.top];
    };
    for (const { box, chooser, note, told } of this.columns.slice(0, this.explorer.get("compared").length)) {
      tell([chooser.querySelector("select").value], ...place(chooser), box.clientWidth);
      for (const words of [note, told]) tell([words.textContent], ...place(words), box.clientWidth);
      for (const picture of box.querySelectorAll(".pk-map")) put(picture, ...place(picture));
    }
    return this.bars.reduce((at, bar) => at + (put(bar, x, at) || 0), y + corner.height + 8);
  }
}
