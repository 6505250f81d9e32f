"use strict";
(() => {
  const body = document.querySelector("#table tbody");
  if (!body) return;
  const data = JSON.parse(document.querySelector("#data").textContent);
  const total = data.sample.length;
  const PAGE = 50;
  const TONES = { NORMAL: "normal", REDUCED: "caution", MOSAIC: "caution", ABSENT: "alarm", FUNCTIONAL_DEFECT: "alarm", INDETERMINATE: "open", pass: "normal", warn: "caution", fail: "alarm" };
  const at = (selector) => document.querySelector(selector);
  const [find, shown, page] = ["#find", "#shown", "#page"].map(at);
  const filters = Array.from(document.querySelectorAll("[data-filter]"));
  const texts = new Map(data.texts.map((column) => [column.name, column]));
  const numbers = new Map(data.numbers.map((column) => [column.name, column]));
  const names = data.sample.map((name) => name.toLowerCase());
  document.querySelectorAll(".controls, .paging").forEach((part) => { part.hidden = false; });

  let order = Array.from({ length: total }, (_, row) => row);
  let found = order;
  let first = 0;
  const sorted = { name: "", down: false };

  // What is searched for is looked up in the few different texts of a column, not in every row.
  const BOUND = /^([a-z0-9_]+)(<=|>=|<|>|=)(-?[0-9.]+)$/;
  function test(word) {
    const bound = BOUND.exec(word);
    if (bound && numbers.has(bound[1])) {
      const [, name, sign, text] = bound;
      const { values } = numbers.get(name);
      const limit = Number(text);
      const fits = { "<": (value) => value < limit, ">": (value) => value > limit, "<=": (value) => value <= limit, ">=": (value) => value >= limit, "=": (value) => value === limit }[sign];
      return (row) => values[row] !== null && fits(values[row]);
    }
    const columns = data.texts.map((column) => [column.codes, column.values.map((value, code) => `${value} ${column.words[code]}`.toLowerCase().includes(word))])
      .filter(([, hits]) => hits.includes(true));
    return (row) => names[row].includes(word) || columns.some(([codes, hits]) => hits[codes[row]]);
  }

  function search() {
    const tests = find.value.toLowerCase().split(/\s+/).filter(Boolean).map(test);
    filters.filter((field) => field.value).forEach((field) => {
      const column = texts.get(field.dataset.filter);
      const code = column.values.indexOf(field.value);
      tests.push((row) => column.codes[row] === code);
    });
    found = tests.length ? order.filter((row) => tests.every((fits) => fits(row))) : order;
    first = 0;
    show();
    remember();
  }

  function sort(name) {
    sorted.down = sorted.name === name ? !sorted.down : false;
    sorted.name = name;
    const values = name === "sample" ? null : (texts.get(name) || {}).codes || numbers.get(name).values;
    const sign = sorted.down ? -1 : 1;
    order = Array.from({ length: total }, (_, row) => row);
    order.sort((one, other) => {
      const [a, b] = values ? [values[one], values[other]] : [names[one], names[other]];
      // What is missing comes last either way.
      if (a === null || b === null) return a === b ? one - other : a === null ? 1 : -1;
      return a < b ? -sign : a > b ? sign : one - other;
    });
    head();
    search();
  }

  const written = { percent: (value) => `${value.toFixed(1)}\u202f%`, fraction: (value) => `${(100 * value).toFixed(1)}\u202f%`, events: (value) => value.toLocaleString("en"), };
  const number = (column, row) => {
    const value = column.values[row];
    return value === null || value === undefined ? "–" : (written[column.kind] || ((plain) => plain.toFixed(2)))(value).replace("-", "−");
  };

  function cell(row, text, look) {
    const part = document.createElement("td");
    part.textContent = text;
    if (look) part.className = look;
    row.append(part);
    return part;
  }

  function show() {
    const rows = found.slice(first, first + PAGE).map((place) => {
      const row = document.createElement("tr");
      const name = document.createElement("th");
      name.scope = "row";
      if (data.report[place] === "1") {
        const link = document.createElement("a");
        const parts = [...data.folders[data.folder[place]].split("/"), "samples", data.sample[place], "report.html"];
        link.href = parts.map(encodeURIComponent).join("/");
        link.textContent = data.sample[place];
        name.append(link);
      } else name.textContent = data.sample[place];
      row.append(name);
      data.texts.forEach((column) => {
        const code = column.codes[place];
        if (TONES[column.values[code]] && (column.name === "call" || column.name === "qc")) {
          const tag = document.createElement("span");
          tag.className = `tag tone-${TONES[column.values[code]]}`;
          tag.textContent = column.words[code];
          cell(row, "").append(tag);
        } else cell(row, column.words[code], column.name === "reasons" ? "wide" : "").title = column.name === "reasons" ? column.values[code] : "";
      });
      data.numbers.forEach((column) => cell(row, number(column, place), "number"));
      return row;
    });
    body.replaceChildren(...rows);
    shown.textContent = `${found.length.toLocaleString("en")} of ${total.toLocaleString("en")} samples`;
    const last = Math.max(Math.ceil(found.length / PAGE), 1);
    page.textContent = `page ${first / PAGE + 1} of ${last.toLocaleString("en")}`;
    ["#first", "#before"].forEach((place) => { at(place).disabled = first === 0; });
    ["#after", "#last"].forEach((place) => { at(place).disabled = first + PAGE >= found.length; });
  }

  function head() {
    const cells = [["sample", "sample", false], ...data.texts.map((one) => [one.name, one.head, false]), ...data.numbers.map((one) => [one.name, one.head, true])];
    at("#table thead tr").replaceChildren(...cells.map(([name, words, right]) => {
      const part = document.createElement("th");
      part.scope = "col";
      if (right) part.className = "number";
      if (sorted.name === name) part.setAttribute("aria-sort", sorted.down ? "descending" : "ascending");
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = words;
      button.title = name;
      button.addEventListener("click", () => sort(name));
      part.append(button);
      return part;
    }));
  }

  // Search and filters are kept in the address.
  function remember() {
    const state = new URLSearchParams();
    if (find.value) state.set("q", find.value);
    filters.forEach((field) => { if (field.value) state.set(field.dataset.filter, field.value); });
    history.replaceState(null, "", state.toString() ? `#${state}` : location.pathname + location.search);
  }
  function recall() {
    const state = new URLSearchParams(location.hash.slice(1));
    find.value = state.get("q") || "";
    filters.forEach((field) => { field.value = state.get(field.dataset.filter) || ""; });
  }

  // A spreadsheet runs what begins so.
  const safe = (text) => (/^'*[=+\-@\t\r\n]/.test(text) ? `'${text}` : text).replace(/[\t\r\n]/g, " ");
  function save() {
    const lines = [["sample", ...data.texts.map((one) => one.name), ...data.numbers.map((one) => one.name)]];
    found.forEach((row) => lines.push([safe(data.sample[row]), ...data.texts.map((one) => safe(one.values[one.codes[row]])), ...data.numbers.map((one) => (one.values[row] === null ? "" : one.values[row]))]));
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([lines.map((line) => line.join("\t")).join("\n"), "\n"], { type: "text/tab-separated-values" }));
    link.download = "history.tsv";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  let waits = 0;
  find.addEventListener("input", () => { clearTimeout(waits); waits = setTimeout(search, 120); });
  filters.forEach((field) => field.addEventListener("change", search));
  at("#save").addEventListener("click", save);
  const turn = { "#first": () => 0, "#before": () => first - PAGE, "#after": () => first + PAGE, "#last": () => (Math.ceil(found.length / PAGE) - 1) * PAGE };
  Object.entries(turn).forEach(([place, to]) => at(place).addEventListener("click", () => { first = Math.max(to(), 0); show(); }));
  document.querySelector("#charts").addEventListener("click", (event) => {
    const { run } = event.target.dataset;
    if (!run) return;
    find.value = run.toLowerCase();
    search();
    at("#samples").scrollIntoView();
  });
  head();
  const jump = location.hash.slice(1);
  if (jump && document.getElementById(jump)) show();
  else { recall(); search(); }
})();
