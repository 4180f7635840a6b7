(() => {
  const BATCH = 24;
  const FEW = 3;

  // Sorting: numbers before text, what is empty last, equals as they were.

  const compare = (a, b) =>
    a.number !== undefined && b.number !== undefined
      ? a.number - b.number
      : words.compare(a.text, b.text);

  const sort = (header) => {
    const table = header.closest("table");
    const body = table.tBodies[0];
    // Of numbers the largest come first, unless they are there already.
    const before = header.getAttribute("aria-sort");
    const descending = before ? before === "ascending" : header.classList.contains("n");
    const rows = [...body.rows].map((row) => {
      const cell = row.cells[header.cellIndex];
      const number = cell.hasAttribute("data-v") ? Number(cell.dataset.v) : undefined;
      return { row, number, text: cell.textContent.trim() };
    });
    rows.sort((a, b) => {
      if (!a.text || !b.text) return !a.text - !b.text;
      return descending ? compare(b, a) : compare(a, b);
    });
    for (const other of all("th[aria-sort]", table)) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", descending ? "descending" : "ascending");
    body.append(...rows.map(({ row }) => row));
  };

  // Filtering: each word must be in the name.

  const filters = all(".filter input");
  const learners = all(".learner");
  const ranked = all("table[data-filterable] tbody tr");

  const filter = (text) => {
    const fits = filterOf(text);
    for (const row of ranked) row.hidden = !fits(row.cells[0].textContent);
    for (const learner of learners) {
      learner.hidden = !fits(learner.querySelector("summary span").textContent);
    }
    const count = learners.filter((learner) => !learner.hidden).length;
    const said = text.trim() ? `${count} of ${learners.length} learners` : "";
    for (const input of filters) {
      if (input.value !== text) input.value = text;
      input.closest(".filter").querySelector("[role=status]").textContent = said;
    }
  };

  // Single tracks.

  const largest = (values) => values.indexOf(Math.max(...values));

  const tracksOf = ({ tracks }) => tracks.map(([id, genre, said, probabilities]) =>
    ({ id, genre, said, probabilities, named: largest(probabilities) }));

  // How many learners of a split name another genre than the true one, by track.
  const errorsBySplit = {};
  const splitOf = (split) => {
    if (!errorsBySplit[split]) {
      const own = Object.values(data.learners).filter((one) => one.split === split);
      const errors = {};
      for (const track of own.flatMap(tracksOf)) {
        errors[track.id] = (errors[track.id] || 0) + (track.named !== track.genre);
      }
      errorsBySplit[split] = { errors, count: own.length };
    }
    return errorsBySplit[split];
  };

  const probabilities = (track, genres, said) =>
    make("dl", { class: "shares" }, ...track.probabilities
      .map((value, place) => ({ value, place }))
      .sort((a, b) => b.value - a.value)
      .slice(0, 4)
      .map(({ value, place }) => share(genres[place], value,
        place === track.genre ? "true" : place === said ? "said" : "")));

  const player = (id, name) => {
    const audio = make("audio", {
      controls: "", preload: "none", "aria-label": `Clip of ${name}`,
      src: data.wav + encodeURIComponent(id) + ".wav",
    });
    audio.addEventListener("error", () => audio.replaceWith(
      make("p", {}, make("small", {}, `The clip isn't beside this page: ${data.wav}${id}.wav`))));
    return audio;
  };

  const card = (id, ...said) => {
    const [title, artist, image] = data.tracks[id] || ["", "", ""];
    const name = title || id;
    const item = make("li", {}, make("p", {}, make("strong", {}, name),
      artist ? ` by ${artist}` : "", " ", make("small", {}, `track ${id}`)));
    if (image) item.append(make("img", { src: image, alt: `Log-mel image of ${name}` }));
    if (data.wav) item.append(player(id, name));
    item.append(...said);
    return item;
  };

  const predicted = (learner, track, said) => {
    const { genres, split } = learner;
    const times = track.said.filter((place) => place === said).length;
    const runs = track.said.length > 1 ? ` (in ${times} of ${track.said.length} runs)` : "";
    const { errors, count } = splitOf(split);
    const others = errors[track.id] && count > 1
      ? make("p", {}, make("small", {}, `${errors[track.id]} of ${count} learners err here`)) : "";
    return card(track.id,
      make("p", {}, `True: ${genres[track.genre]}, predicted: ${genres[said]}${runs}`),
      probabilities(track, genres, said), others);
  };

  // A list of cards that grows.
  const cards = (panel, learner, found, said, batch, ...heading) => {
    const list = make("ol");
    const more = make("button", { type: "button", class: "more" });
    const extend = () => {
      const rest = found.slice(list.children.length, list.children.length + batch);
      list.append(...rest.map((track) => predicted(learner, track, said(track))));
      const left = found.length - list.children.length;
      more.hidden = !left;
      more.textContent = `Show ${Math.min(batch, left)} more of ${left}`;
    };
    more.addEventListener("click", extend);
    extend();
    panel.replaceChildren(...heading, list, more);
  };

  const inCell = (learner, row, column) => tracksOf(learner)
    .filter((track) => track.genre === row && track.said.includes(column))
    .sort((a, b) => b.probabilities[column] - a.probabilities[column]);

  // Confusion matrices, each made when it is first seen.

  const cell = (learner, row, column) => {
    const { genres, counts } = learner;
    const count = counts[row][column];
    const total = counts[row].reduce((a, b) => a + b, 0);
    const made = make("td", {
      role: "gridcell", tabindex: "-1", "aria-selected": "false",
      "data-row": row, "data-column": column,
      class: count ? (row === column ? "right" : "wrong") : "none",
      title: `True: ${genres[row]}, predicted: ${genres[column]}`,
    }, String(count));
    made.style.setProperty("--s", total ? (count / total).toFixed(3) : 0);
    return made;
  };

  const rate = (part, whole) => make("td", { class: "rate" },
    whole ? String(Math.round(100 * part / whole)) : "–");

  const matrix = (details) => {
    const box = details.querySelector(".matrix");
    if (!box || box.firstChild) return;
    const learner = data.learners[details.id];
    const { genres, counts, name } = learner;
    const heading = (genre) => make("th", { scope: "col" }, make("span", {}, genre));
    const sums = genres.map((_, place) => counts.reduce((sum, row) => sum + row[place], 0));
    const runs = Number(box.dataset.runs);
    const rows = genres.map((genre, row) => make("tr", {}, make("th", { scope: "row" }, genre),
      ...genres.map((_, column) => cell(learner, row, column)),
      rate(counts[row][row], counts[row].reduce((a, b) => a + b, 0))));
    const table = make("table", { role: "grid", "aria-label": `Confusion matrix of ${name}` },
      make("caption", {}, make("span", {}, "Test tracks. Rows: true genre; columns: predicted genre"
        + (runs > 1 ? `; the sum of ${runs} runs` : ""))),
      make("thead", {}, make("tr", {}, make("td"), ...genres.map(heading), heading("Recall, %"))),
      make("tbody", {}, ...rows, make("tr", {}, make("th", { scope: "row" }, "Precision, %"),
        ...genres.map((_, place) => rate(counts[place][place], sums[place])), make("td"))));
    const scroll = make("div", { class: "scroll" }, table);
    box.append(scroll);
    boxes.observe(scroll);
    table.querySelector("[data-row]").tabIndex = 0;
  };

  const focusOn = (before, next) => {
    before.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  };

  const show = (chosen) => {
    const details = chosen.closest(".learner");
    const learner = data.learners[details.id];
    const row = Number(chosen.dataset.row);
    const column = Number(chosen.dataset.column);
    for (const other of all("[aria-selected=true]", details)) {
      other.setAttribute("aria-selected", "false");
    }
    chosen.setAttribute("aria-selected", "true");
    for (const other of all(".matrix [tabindex='0'][data-row]", details)) other.tabIndex = -1;
    chosen.tabIndex = 0;
    const found = inCell(learner, row, column);
    const count = learner.counts[row][column];
    const { genres } = learner;
    const outcome = row === column
      ? `${genres[row]}, recognised` : `True: ${genres[row]}, predicted: ${genres[column]}`;
    const listed = found.length === count ? "" : `, ${found.length} listed`;
    cards(details.querySelector(".clips"), learner, found, () => column, BATCH,
      make("h3", {}, `${outcome}: ${count}${listed}`));
  };

  const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

  // Arrow keys lead to every cell; only one of a matrix is on Tab's way.
  const step = (event) => {
    const before = event.target.closest(".matrix td[data-row]");
    if (!before) return;
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      show(before);
    }
    if (!STEPS[event.key]) return;
    event.preventDefault();
    const [down, right] = STEPS[event.key];
    const row = Number(before.dataset.row) + down;
    const column = Number(before.dataset.column) + right;
    const next = before.closest("tbody").querySelector(
      `[data-row="${row}"][data-column="${column}"]`);
    if (next) focusOn(before, next);
  };

  // Plots: arrow keys lead to the nearest point that way.

  const place = (point) => {
    const { left, top } = point.getBoundingClientRect();
    return [left, top];
  };

  const stroll = (event) => {
    const before = event.target.closest(".point");
    if (!before || !STEPS[event.key]) return;
    event.preventDefault();
    const [down, right] = STEPS[event.key];
    const [x, y] = place(before);
    let next = null;
    let least = Infinity;
    for (const other of all(".point:not(.faded)", before.parentElement)) {
      const [left, top] = place(other);
      const ahead = (left - x) * right + (top - y) * down;
      const aside = Math.abs((left - x) * down) + Math.abs((top - y) * right);
      if (other !== before && ahead > 0 && ahead + 2 * aside < least) {
        least = ahead + 2 * aside;
        next = other;
      }
    }
    if (next) focusOn(before, next);
  };

  const highlight = (button) => {
    const plot = button.closest(".plot");
    const isOn = button.getAttribute("aria-pressed") === "true";
    for (const other of all(".keys button", plot)) other.setAttribute("aria-pressed", "false");
    if (!isOn) button.setAttribute("aria-pressed", "true");
    for (const point of all(".point", plot)) {
      point.classList.toggle("faded", !isOn && point.dataset.group !== button.dataset.group);
    }
  };

  const name = ({ target }) => {
    const point = target.closest && target.closest(".point");
    if (point) point.closest(".plot").querySelector(".now").textContent = point.ariaLabel;
  };

  const hear = (point) => {
    const panel = point.closest("section").querySelector(".clips");
    panel.replaceChildren(make("ol", {},
      card(point.dataset.track, make("p", {}, point.ariaLabel))));
  };

  // What is seen without choosing anything.

  const hardest = (box) => {
    const learner = data.learners[box.dataset.learner];
    const [row, column] = box.dataset.pair.split(" ").map(Number);
    const { genres, counts } = learner;
    const total = counts[row].reduce((a, b) => a + b, 0);
    const list = make("div", { class: "clips" });
    cards(list, learner, inCell(learner, row, column).slice(0, 1), () => column, 1);
    const link = make("a", { href: `#${encodeURI(box.dataset.learner)}` }, "All that it confuses");
    box.append(
      make("p", {}, `${counts[row][column]} of ${total} ${genres[row]} tracks are predicted as `
        + `${genres[column]}. The one it was surest of:`),
      list, make("p", {}, link));
  };

  const errors = (section) => {
    const learner = data.learners[section.querySelector("select").value];
    const found = tracksOf(learner)
      .filter((track) => track.named !== track.genre)
      .sort((a, b) => b.probabilities[b.named] - a.probabilities[a.named]);
    const count = found.length ? [] : [make("p", {}, "It made no error on the tracks listed here.")];
    cards(section.querySelector(".clips"), learner, found, (track) => track.named, FEW, ...count);
  };

  const open = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const details = target && target.closest("details");
    if (!details) return;
    for (let outer = details; outer; outer = outer.parentElement.closest("details")) {
      outer.open = true;
      outer.hidden = false;
    }
    details.querySelector("summary").focus({ preventScroll: true });
    details.scrollIntoView();
  };

  // Boxes that scroll must be reached by the keyboard, the others had better not be in its way.
  const boxes = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      const scrolls = target.scrollWidth > target.clientWidth
        || target.scrollHeight > target.clientHeight;
      if (scrolls) target.tabIndex = 0;
      else target.removeAttribute("tabindex");
    }
  });

  all(".scroll").forEach((box) => boxes.observe(box));
  for (const area of all(".area")) {
    all(".point", area).forEach((point, number) => { point.tabIndex = number ? -1 : 0; });
  }
  filters.forEach((input) => input.addEventListener("input", () => filter(input.value)));
  all("[data-pair]").forEach(hardest);
  for (const section of all("#errors")) {
    section.querySelector("select").addEventListener("change", () => errors(section));
    errors(section);
  }
  learners.forEach((details) => details.addEventListener("toggle", () => matrix(details)));
  document.addEventListener("keydown", step);
  document.addEventListener("keydown", stroll);
  document.addEventListener("pointerover", name);
  document.addEventListener("focusin", name);
  document.addEventListener("click", ({ target }) => {
    const header = target.closest(".sortable thead button");
    const cellOf = target.closest(".matrix td[data-row]");
    const key = target.closest(".keys button");
    const point = target.closest(".point[data-track]");
    if (header) sort(header.closest("th"));
    if (cellOf) show(cellOf);
    if (key) highlight(key);
    if (point) hear(point);
  });
  window.addEventListener("hashchange", open);
  open();
})();
