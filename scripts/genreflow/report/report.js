(() => {
  const BATCH = 24;

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
    for (const learner of learners) learner.hidden = !fits(learner.dataset.name);
    const count = learners.filter((learner) => !learner.hidden).length;
    const said = text.trim() ? `${count} of ${learners.length} learners` : "";
    for (const input of filters) {
      if (input.value !== text) input.value = text;
      input.closest(".filter").querySelector("[role=status]").textContent = said;
    }
  };

  // The cells of a confusion matrix, and the tracks in one.

  const probabilities = (track, genres, said) =>
    make("dl", { class: "shares" }, ...track.probabilities
      .map((value, place) => ({ value, place }))
      .sort((a, b) => b.value - a.value)
      .map(({ value, place }) => share(genres[place], value,
        place === track.genre ? "true" : place === said ? "said" : "")));

  const player = (track, name) => {
    const audio = make("audio", {
      controls: "", preload: "none", "aria-label": `Clip of ${name}`,
      src: data.wav + encodeURIComponent(track.id) + ".wav",
    });
    audio.addEventListener("error", () => audio.replaceWith(
      make("p", {}, make("small", {}, `The clip isn't beside this page: ${data.wav}${track.id}.wav`))));
    return audio;
  };

  const card = (track, genres, said) => {
    const [title, artist, image] = data.tracks[track.id] || ["", "", ""];
    const name = title || track.id;
    const item = make("li", {}, make("p", {}, make("strong", {}, name),
      artist ? ` by ${artist}` : "", " ", make("small", {}, `track ${track.id}`)));
    if (image) item.append(make("img", { src: image, alt: `Log-mel image of ${name}` }));
    if (data.wav) item.append(player(track, name));
    const times = track.said.filter((place) => place === said).length;
    const runs = track.said.length > 1 ? ` (in ${times} of ${track.said.length} runs)` : "";
    item.append(
      make("p", {}, `Is ${genres[track.genre]}, taken for ${genres[said]}${runs}`),
      probabilities(track, genres, said));
    return item;
  };

  const show = (button) => {
    const learner = button.closest(".learner");
    const panel = learner.querySelector(".clips");
    const { genres, tracks } = data.learners[learner.id];
    const row = Number(button.dataset.row);
    const said = Number(button.dataset.column);
    for (const other of all(".matrix [aria-pressed=true]", learner)) {
      other.setAttribute("aria-pressed", "false");
    }
    button.setAttribute("aria-pressed", "true");
    const found = tracks
      .map(([id, genre, predicted, values]) => ({ id, genre, said: predicted, probabilities: values }))
      .filter((track) => track.genre === row && track.said.includes(said))
      .sort((a, b) => b.probabilities[said] - a.probabilities[said]);
    const count = Number(button.textContent);
    const outcome = row === said
      ? `${genres[row]}, recognised` : `${genres[row]}, taken for ${genres[said]}`;
    const list = make("ol");
    const more = make("button", { type: "button", class: "more" });
    const extend = () => {
      const rest = found.slice(list.children.length, list.children.length + BATCH);
      list.append(...rest.map((track) => card(track, genres, said)));
      const left = found.length - list.children.length;
      more.hidden = !left;
      more.textContent = `Show ${Math.min(BATCH, left)} more of ${left}`;
    };
    more.addEventListener("click", extend);
    extend();
    const listed = found.length === count ? "" : `, ${found.length} listed`;
    panel.replaceChildren(make("h3", {}, `${outcome}: ${count}${listed}`), list, more);
  };

  const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

  // Arrow keys go on to the next cell that has tracks; only one cell of a matrix is on Tab's way.
  const step = (event) => {
    const button = event.target.closest(".matrix button");
    if (!button || !STEPS[event.key]) return;
    event.preventDefault();
    const [down, right] = STEPS[event.key];
    const body = button.closest("tbody");
    let row = Number(button.dataset.row);
    let column = Number(button.dataset.column);
    let next = null;
    while (!next) {
      row += down;
      column += right;
      const cell = body.rows[row] && body.rows[row].cells[column + 1];
      if (!cell || column < 0) return;
      next = cell.querySelector("button");
    }
    button.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  };

  const open = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const details = target && target.closest("details");
    if (!details) return;
    details.open = true;
    details.hidden = false;
    details.querySelector("summary").focus({ preventScroll: true });
    details.scrollIntoView();
  };

  // Boxes that scroll must be reached by the keyboard, the others had better not be in its way.
  const boxes = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
      else target.removeAttribute("tabindex");
    }
  });

  for (const matrix of all(".matrix")) {
    all("button", matrix).forEach((button, place) => { button.tabIndex = place ? -1 : 0; });
  }
  all(".scroll").forEach((box) => boxes.observe(box));
  filters.forEach((input) => input.addEventListener("input", () => filter(input.value)));
  document.addEventListener("keydown", step);
  document.addEventListener("click", ({ target }) => {
    const header = target.closest(".sortable thead button");
    const cell = target.closest(".matrix button");
    if (header) sort(header.closest("th"));
    if (cell) show(cell);
  });
  window.addEventListener("hashchange", open);
  open();
})();
