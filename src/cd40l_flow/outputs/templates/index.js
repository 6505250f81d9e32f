"use strict";
(() => {
  const body = document.querySelector("#samples tbody");
  if (!body) return;
  const rows = Array.from(body.rows);
  const marks = new Map(rows.map((row) => [row.dataset.sample, []]));
  document.querySelectorAll("a[data-sample]").forEach((mark) => {
    const known = marks.get(mark.dataset.sample);
    if (known) known.push(mark);
  });
  const text = document.querySelector("#filter-text");
  const call = document.querySelector("#filter-call");
  const role = document.querySelector("#filter-role");
  const shown = document.querySelector("#shown");
  const none = document.querySelector("#none-shown");

  function filter() {
    const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    rows.forEach((row) => {
      const fits = words.every((word) => row.dataset.search.includes(word)) &&
        (!call.value || row.dataset.call === call.value) && (!role.value || row.dataset.role === role.value);
      row.hidden = !fits;
      count += fits ? 1 : 0;
      marks.get(row.dataset.sample).forEach((mark) => mark.classList.toggle("faded", !fits));
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

  const row_of = new Map(rows.map((row) => [row.dataset.sample, row]));
  function light(sample, on) {
    const row = row_of.get(sample);
    if (!row) return;
    row.classList.toggle("lit", on);
    marks.get(sample).forEach((mark) => mark.classList.toggle("lit", on));
  }
  [...rows, ...document.querySelectorAll("a[data-sample]")].forEach((item) => {
    const sample = item.dataset.sample;
    item.addEventListener("pointerenter", () => light(sample, true));
    item.addEventListener("pointerleave", () => light(sample, false));
    item.addEventListener("focusin", () => light(sample, true));
    item.addEventListener("focusout", () => light(sample, false));
  });
  [text, call, role].forEach((field) => field.addEventListener("input", filter));
  document.querySelectorAll(".screen-only[hidden]").forEach((part) => { part.hidden = false; });
  filter();
})();
