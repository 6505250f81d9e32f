(() => {
  const body = document.querySelector("#samples tbody");
  if (!body) return;
  const rows = Array.from(body.rows);
  const row_of = new Map(rows.map((row) => [row.dataset.s, row]));
  const parts = new Map(rows.map((row) => [row.dataset.s, []]));
  document.querySelectorAll("[data-s]").forEach((part) => parts.get(part.dataset.s).push(part));
  const [text, call, review, role] = ["text", "call", "review", "role"].map((name) => document.querySelector(`#filter-${name}`));
  const shown = document.querySelector("#shown");
  const none = document.querySelector("#none-shown");

  function filter() {
    const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    rows.forEach((row) => {
      const { search, call: its_call, review: its_review, role: its_role } = row.dataset;
      const fits = words.every((word) => search.includes(word)) && (!call.value || its_call === call.value) &&
        (!review.value || its_review === review.value) && (!role.value || its_role === role.value);
      row.hidden = !fits;
      count += fits ? 1 : 0;
      parts.get(row.dataset.s).forEach((part) => part.classList.toggle("faded", !fits));
    });
    shown.textContent = shown.dataset.words.replace("{shown}", count).replace("{total}", rows.length);
    none.hidden = count > 0;
    remember();
  }

  // Filter and sort are kept in the address, and in this tab's store for whoever comes back by a link.
  const KEY = `cd40l-flow index ${location.pathname}`;
  const sorted = { column: "", down: false };
  let ready = false;

  function remember() {
    if (!ready) return;
    const state = new URLSearchParams();
    [["q", text.value], ["call", call.value], ["review", review.value], ["role", role.value],
      ["sort", sorted.column], ["down", sorted.down ? "1" : ""]].forEach(([name, value]) => { if (value) state.set(name, value); });
    const words = state.toString();
    try { sessionStorage.setItem(KEY, words); } catch { /* the address holds it */ }
    history.replaceState(null, "", words ? `#${words}` : location.pathname + location.search);
  }

  function recall() {
    let words = location.hash.slice(1);
    const next = new URLSearchParams(words).get("next");
    if (!words || next) try { words = sessionStorage.getItem(KEY) || ""; } catch { words = ""; }
    const state = new URLSearchParams(words);
    [[text, "q"], [call, "call"], [review, "review"], [role, "role"]].forEach(([field, name]) => {
      const value = state.get(name) || "";
      field.value = value;
      if (field.value !== value) field.value = "";
    });
    const place = columns.indexOf(state.get("sort") || "");
    if (place >= 0) sort(place, state.get("down") === "1");
    return next;
  }

  // Signed in this browser, and not yet taken up by a run.
  function waits(row) {
    return cd40lStore.waiting(row.dataset.sample, row.dataset.known.split(" ").filter(Boolean)).length > 0;
  }

  function showWaiting() {
    rows.forEach((row) => {
      const cell = row.querySelector(".review");
      cell.querySelectorAll(".waits").forEach((part) => part.remove());
      if (!waits(row)) return;
      const words = document.createElement("span");
      words.className = "waits";
      words.textContent = body.dataset.signed;
      cell.append(words);
    });
  }

  // The sample after this one, in the order shown, that nobody has signed; from the top where there is none below.
  function openNext(after) {
    const order = Array.from(body.rows).filter((row) => !row.hidden);
    const start = order.findIndex((row) => row.dataset.sample === after) + 1;
    const found = [...order.slice(start), ...order.slice(0, start)].find((row) =>
      ["unsigned", "stale"].includes(row.dataset.review) && row.dataset.sample !== after && !waits(row) && row.querySelector("th a"));
    if (!found) { shown.textContent = shown.dataset.none; return false; }
    location.assign(found.querySelector("th a").href);
    return true;
  }

  function compare(a, b, column, down) {
    const left = a.cells[column].dataset.sort, right = b.cells[column].dataset.sort;
    if (left === "" || right === "") return (left === "") - (right === "");  // what was not measured stays last
    const difference = Number(left) - Number(right);
    const order = Number.isNaN(difference) ? left.localeCompare(right, "en", { numeric: true }) : difference;
    return down ? -order : order;
  }

  const headers = Array.from(document.querySelectorAll("#samples thead th"));
  const columns = headers.map((header) => header.dataset.column);
  function sort(column, down) {
    headers.forEach((other) => other.removeAttribute("aria-sort"));
    headers[column].setAttribute("aria-sort", down ? "descending" : "ascending");
    [sorted.column, sorted.down] = [columns[column], down];
    body.append(...rows.slice().sort((a, b) => compare(a, b, column, down)));
  }
  headers.forEach((header, column) => {
    header.querySelector("button").addEventListener("click", () => {
      sort(column, header.getAttribute("aria-sort") === "ascending");
      remember();
    });
  });

  // One sample at a time is lit everywhere: in tables and contact sheet by a class, on a plot by a ring with its name.
  const chosen = document.querySelector("#selected");
  const open = document.querySelector("#selected-open");
  const clear = document.querySelector("#selected-clear");
  const namespace = "http://www.w3.org/2000/svg";
  let lit = null;

  function ring(mark, name) {
    const circle = document.createElementNS(namespace, "circle");
    const words = document.createElementNS(namespace, "text");
    const x = Number(mark.getAttribute("x")), y = Number(mark.getAttribute("y"));
    circle.setAttribute("class", "halo");
    [["cx", x], ["cy", y], ["r", 8]].forEach(([key, value]) => circle.setAttribute(key, value));
    words.setAttribute("class", "halo-name");
    words.textContent = name;
    [["x", Math.min(Math.max(x, 40), 520)], ["y", y - 12], ["text-anchor", "middle"]]
      .forEach(([key, value]) => words.setAttribute(key, value));
    mark.parentNode.append(circle, words);
  }

  function light(number) {
    document.querySelectorAll(".halo, .halo-name").forEach((part) => part.remove());
    (parts.get(lit) || []).forEach((part) => part.classList.remove("lit"));
    rows.forEach((row) => row.querySelector(".pick").setAttribute("aria-pressed", String(row.dataset.s === number)));
    lit = number;
    const row = row_of.get(number);
    chosen.textContent = row ? chosen.dataset.words.replace("{sample}", row.dataset.sample)
      .replace("{call}", row.cells[0].textContent.trim()) : "";
    clear.hidden = !row;
    const report = row && row.querySelector("th a");
    open.hidden = !report;
    if (!row) return;
    if (report) open.href = report.getAttribute("href");
    parts.get(number).forEach((part) => {
      part.classList.add("lit");
      if (part.localName === "use") ring(part, row.dataset.sample);
    });
  }

  document.addEventListener("click", (event) => {
    const part = event.target.closest("[data-s]");
    if (!part || event.target.closest("a")) return;
    light(part.dataset.s === lit ? null : part.dataset.s);
  });
  // By keys: rows by their link or mark, pictures by one stop for all of them.
  function move(event, list, current, step) {
    const next = list[current + step];
    if (!next) return;
    event.preventDefault();
    next.focus();
    next.scrollIntoView({ block: "nearest" });
  }

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && lit !== null) light(null);
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) return;
    const row = event.target.closest("#samples tbody tr"), thumb = event.target.closest(".thumb");
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key], side = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (row && step) {
      const way = event.target.closest("a") ? "th a" : ".pick";
      const list = Array.from(body.rows).filter((one) => !one.hidden).map((one) => one.querySelector(way)).filter(Boolean);
      move(event, list, list.indexOf(event.target.closest("a, button")), step);
    } else if (thumb && (side || step)) {
      const list = Array.from(document.querySelectorAll(".thumb")), place = list.indexOf(thumb);
      const across = list.filter((one) => one.offsetTop === thumb.offsetTop).length;
      move(event, list, place, side || step * across);
      list.forEach((one) => { one.tabIndex = one === document.activeElement ? 0 : -1; });
    } else if (thumb && (event.key === "Enter" || event.key === " ")) {
      event.preventDefault();
      light(thumb.dataset.s === lit ? null : thumb.dataset.s);
    } else if (row && event.key === "/") {
      // Single letters are keys only within the table: elsewhere they may be somebody's own, or spoken.
      event.preventDefault();
      text.focus();
    } else if (row && event.key === "n") {
      openNext(row.dataset.sample);
    }
  });
  clear.addEventListener("click", () => light(null));

  const gate = document.querySelector("#contact-gate");
  if (gate) {
    const pictures = document.querySelectorAll(".thumb use");
    const change = () => {
      pictures.forEach((picture) => picture.setAttribute("href", `#${gate.value}`));
      document.querySelector("#contact-title").textContent = gate.selectedOptions[0].textContent;
    };
    gate.addEventListener("input", change);
    change();
  }

  [text, call, review, role].forEach((field) => field.addEventListener("input", filter));
  document.querySelectorAll(".screen-only[hidden]").forEach((part) => {
    if (part !== open && part !== clear) part.hidden = false;
  });
  document.querySelector("#next").addEventListener("click", () => openNext(lit === null ? "" : row_of.get(lit).dataset.sample));
  window.addEventListener("storage", showWaiting);
  window.addEventListener("pageshow", showWaiting);
  const next = recall();
  showWaiting();
  filter();
  ready = true;
  if (next === null) remember();
  // Asked for by a report: the list is only passed through, unless there is nothing to pass to.
  else if (!openNext(next)) history.replaceState(null, "", location.pathname + location.search);
})();
