"use strict";
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
  }

  function compare(a, b, column, down) {
    const left = a.cells[column].dataset.sort, right = b.cells[column].dataset.sort;
    if (left === "" || right === "") return (left === "") - (right === "");  // what was not measured stays last
    const difference = Number(left) - Number(right);
    const order = Number.isNaN(difference) ? left.localeCompare(right, "en", { numeric: true }) : difference;
    return down ? -order : order;
  }

  const headers = Array.from(document.querySelectorAll("#samples thead th"));
  headers.forEach((header, column) => {
    header.querySelector("button").addEventListener("click", () => {
      const down = header.getAttribute("aria-sort") === "ascending";
      headers.forEach((other) => other.removeAttribute("aria-sort"));
      header.setAttribute("aria-sort", down ? "descending" : "ascending");
      body.append(...rows.slice().sort((a, b) => compare(a, b, column, down)));
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
  document.addEventListener("keydown", (event) => { if (event.key === "Escape" && lit !== null) light(null); });
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
  filter();
})();
