(() => {
  const list = document.getElementById("files");
  const clock = (seconds) => {
    const whole = Math.round(seconds);
    return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
  };

  // Shares come as genre, thousandths, genre, thousandths, the largest first.
  const pairs = (flat) => {
    const found = [];
    for (let place = 0; place < flat.length; place += 2) {
      found.push({ genre: flat[place], value: flat[place + 1] });
    }
    return found;
  };
  const told = (shares) => shares.slice(0, 2)
    .map(({ genre, value }) => `${data.genres[genre]} ${percent(value)}`).join(", ");

  const files = data.files.map(([name, folder, link, seconds, shares, windows, unsure], place) => ({
    name, folder, link, seconds, shares: pairs(shares), windows, unsure, place,
    genre: shares[0], confidence: shares[1],
  }));

  // Genres over time. Where windows overlap, each is drawn around its middle, as far as that of the
  // next: so a change is drawn where it is, and not a window earlier or later.

  const partsOf = ({ windows }) => {
    const middle = ([start, end]) => (start + end) / 2;
    return windows.map((own, place) => {
      const [start, end, ...shares] = own;
      const before = windows[place - 1];
      const after = windows[place + 1];
      return {
        start, end, shares: pairs(shares),
        from: before ? Math.max(start, (middle(before) + middle(own)) / 2) : start,
        to: after ? Math.min(end, (middle(own) + middle(after)) / 2) : end,
      };
    });
  };

  // Parts side by side with the same genre first.
  const runsOf = (parts) => {
    const runs = [];
    for (const { from, to, shares } of parts) {
      const last = runs.at(-1);
      const [{ genre }] = shares;
      if (last && last.genre === genre && from - last.to < 0.1) last.to = to;
      else runs.push({ from, to, genre });
    }
    return runs;
  };

  const ribbonOf = (file) => {
    const parts = partsOf(file);
    const length = Math.max(file.seconds, parts.at(-1).end);
    const share = (seconds) => `${100 * seconds / length}%`;
    const lay = (element, { from, to }) => {
      element.style.left = share(from);
      // A pixel more, for rounding leaves gaps.
      element.style.width = `min(${share(to - from)} + 1px, 100% - ${share(from)})`;
      return element;
    };
    // In the order of the whole file, so that a genre is a band.
    const order = new Map(file.shares.map(({ genre }, place) => [genre, place]));
    const rank = ({ genre }) => order.get(genre) ?? file.shares.length + genre;
    const bands = (shares) => [...shares].sort((a, b) => rank(a) - rank(b)).map(({ genre, value }) => {
      const band = make("span", { class: `look ${data.looks[genre]}` });
      band.style.height = `${value / 10}%`;
      return band;
    });
    const said = (part) => `${clock(part.start)} to ${clock(part.end)}: ${told(part.shares)}`;
    const buttons = parts.map((part, place) => lay(make("button", {
      type: "button", tabindex: place ? -1 : 0, "aria-label": `Play ${said(part)}`,
    }, ...bands(part.shares)), part));
    const head = make("span", { class: "head", hidden: "" });
    const ribbon = make("div", {
      class: "ribbon", role: "group", "aria-label": `Genres over time of ${file.name}`,
    }, ...buttons, head);
    const runs = make("div", { class: "runs", "aria-hidden": "true" }, ...runsOf(parts).map((run) =>
      lay(make("span", {}, make("span", {}, data.genres[run.genre], " ",
        make("small", {}, clock(run.from)))), run)));
    const now = make("p", { class: "now" });
    const tell = (part) => { now.textContent = part ? said(part) : ""; };
    const at = (seconds) => parts.find(({ from, to }) => from <= seconds && seconds < to);
    ribbon.addEventListener("pointerover", ({ target }) => {
      const place = buttons.indexOf(target.closest("button"));
      if (place >= 0) tell(parts[place]);
    });
    ribbon.addEventListener("focusin", ({ target }) => tell(parts[buttons.indexOf(target)]));
    const follow = (seconds) => {
      head.hidden = false;
      head.style.left = share(Math.min(seconds, length));
      tell(at(seconds));
    };
    const timeOf = (event) => {
      // Enter has no place on the screen: it means the part.
      if (!event.detail) return parts[buttons.indexOf(event.target)].from;
      const { left, width } = ribbon.getBoundingClientRect();
      return length * Math.min(1, Math.max(0, (event.clientX - left) / width));
    };
    return { elements: [ribbon, runs, now], ribbon, follow, timeOf };
  };

  // Rows: the names of all, the rest of those in sight.

  const fill = (file) => {
    const { row, name, link } = file;
    const player = make("audio", { controls: "", preload: "none", "aria-label": name, src: link });
    const { elements, ribbon, follow, timeOf } = ribbonOf(file);
    player.addEventListener("error", () => player.replaceWith(make("p", { class: "now" },
      "Not there any more, or not playable in this browser: ", make("a", { href: link }, name))));
    player.addEventListener("timeupdate", () => follow(player.currentTime));
    ribbon.addEventListener("click", (event) => {
      player.currentTime = timeOf(event);
      follow(player.currentTime);
      // What can't be played says so by an error of its own.
      player.play().catch(() => {});
    });
    file.player = player;
    row.append(
      make("dl", { class: "shares" }, ...file.shares.map(({ genre, value }) =>
        share(data.genres[genre], value, data.looks[genre]))),
      make("div", { class: "sound" }, player, ...elements));
  };

  const empty = (file) => {
    // Who listens, or has the keyboard there, finds it as it was.
    if (file.player.played.length || file.row.contains(document.activeElement)) return;
    while (file.row.children.length > 1) file.row.lastChild.remove();
    file.player = null;
  };

  const fileOf = new Map();
  const sight = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      const file = fileOf.get(target);
      if (isIntersecting && !file.player) fill(file);
      else if (!isIntersecting && file.player) empty(file);
    }
  }, { rootMargin: "1000px" });

  for (const file of files) {
    const about = [file.folder, clock(file.seconds)].filter(Boolean).join(" · ");
    const badge = file.unsure ? [make("span", { class: "badge" }, "unsure")] : [];
    file.row = make("li", {}, make("div", { class: "name" },
      make("h2", {}, file.name, " ", ...badge), make("small", {}, about)));
    fileOf.set(file.row, file);
    sight.observe(file.row);
  }

  // Sorting and filtering.

  const [name, confidence, order, none] =
    ["name", "confidence", "order", "none"].map((id) => document.getElementById(id));
  const status = document.querySelector(".tools [role=status]");
  const keys = all(".keys button");
  const surest = (a, b) => b.confidence - a.confidence;
  const ORDERS = {
    listed: (a, b) => a.place - b.place,
    name: (a, b) => words.compare(a.name, b.name),
    genre: (a, b) => words.compare(data.genres[a.genre], data.genres[b.genre]) || surest(a, b),
    surest,
    unsure: (a, b) => surest(b, a),
  };

  const arrange = () => {
    const fits = filterOf(name.value);
    const asked = confidence.value;
    const [least, most] = asked.split(" ").map((share) => 1000 * share);
    const sure = { unsure: ({ unsure }) => unsure, sure: ({ unsure }) => !unsure }[asked]
      ?? ((file) => file.confidence >= least && (file.confidence < most || most === 1000));
    const pressed = keys.filter((key) => key.ariaPressed === "true");
    const genres = new Set(pressed.map((key) => Number(key.dataset.genre)));
    const shown = files.filter((file) => fits(`${file.folder}/${file.name}`)
      && sure(file)
      && (!genres.size || genres.has(file.genre)));
    shown.sort(ORDERS[order.value]);
    list.replaceChildren(...shown.map(({ row }) => row));
    none.hidden = shown.length > 0;
    const [some, total] = [shown, files].map(({ length }) => length.toLocaleString("en"));
    status.textContent = some === total ? "" : `${some} of ${total} files`;
  };

  for (const field of [name, confidence, order]) field.addEventListener("input", arrange);
  for (const key of keys) {
    key.addEventListener("click", () => {
      key.ariaPressed = String(key.ariaPressed !== "true");
      arrange();
    });
  }
  document.querySelector(".tools").addEventListener("submit", (event) => event.preventDefault());

  // One plays at a time.
  document.addEventListener("play", ({ target }) => {
    for (const { player } of files) if (player && player !== target) player.pause();
  }, true);

  // In a ribbon arrow keys go from window to window; only one is on Tab's way.
  const STEPS = {
    ArrowLeft: (place) => place - 1, ArrowRight: (place) => place + 1,
    Home: () => 0, End: (place, last) => last,
  };
  document.addEventListener("keydown", (event) => {
    const ribbon = event.target.closest(".ribbon");
    if (!ribbon || !STEPS[event.key]) return;
    event.preventDefault();
    const buttons = all("button", ribbon);
    const next = buttons[STEPS[event.key](buttons.indexOf(event.target), buttons.length - 1)];
    if (!next) return;
    event.target.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  });

  arrange();
})();
