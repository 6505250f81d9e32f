"use strict";
(() => {
  const form = document.querySelector("#sign");
  if (!form) return;
  const facts = JSON.parse(form.dataset.form);
  const words = facts.words;
  const find = (id) => document.querySelector(`#sign-${id}`);
  const [call, reason, comment, name, status, problems] =
    ["call", "reason", "comment", "name", "status", "problems"].map(find);
  const radios = Array.from(form.querySelectorAll("input[name=decision]"));
  const prefix = `cd40l-flow review ${facts.sample} `;
  const key = prefix + facts.result_digest;
  let saved = null;  // the last file, to be saved again where a browser lost it

  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (all, word) => (word in values ? values[word] : all));
  const plain = (text) => text.normalize("NFKC").toLowerCase().replace(/[^\p{L}\p{N}]/gu, "");
  // What a file must not hold, and no keyboard types: control signs and those that turn the direction of a line.
  const clean = (text) => text.toWellFormed ? strip(text.toWellFormed()) : strip(text);
  const strip = (text) => text.replace(/\r\n?/g, "\n")
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, " ");

  // A choice and a comment under every gate of the sample.
  const gates = Array.from(document.querySelectorAll(".gate-verdict[data-gate]")).map((place) => {
    const [tube, stimulation, reagent, population] = JSON.parse(place.dataset.gate);
    const select = document.createElement("select");
    [["", "none"], ["accept", "accept"], ["adjust", "adjust"], ["exclude", "exclude"]].forEach(([value, word]) => {
      select.add(new Option(fill(facts.gate[word], facts), value));
    });
    const told = { population: place.dataset.name, tube: place.dataset.tube };
    select.setAttribute("aria-label", fill(facts.gate.label, told));
    const note = document.createElement("textarea");
    note.rows = 2;
    note.maxLength = 1000;
    note.placeholder = facts.gate.hint;
    note.setAttribute("aria-label", fill(facts.gate.comment, told));
    place.append(select, note);
    place.hidden = false;
    const words = `${told.population}, ${told.tube}`;
    return { tube, stimulation, reagent, population, select, note, words, id: place.dataset.gate };
  });

  const decision = () => (radios.find((radio) => radio.checked) || { value: "" }).value;
  const doubted = () => gates.filter((gate) => ["adjust", "exclude"].includes(gate.select.value));

  function show() {
    find("override").hidden = decision() !== "override";
    gates.forEach((gate) => {
      gate.note.hidden = !gate.select.value && !gate.note.value;
      gate.select.className = gate.select.value ? `is-${gate.select.value}` : "";
    });
    const judged = gates.filter((gate) => gate.select.value).length;
    find("gates").textContent = fill(words.gates, { judged, total: gates.length, open: doubted().length });
    const before = facts.signed.find((other) => plain(name.value) && plain(other) === plain(name.value));
    return before;
  }

  // The draft is read from the fields each time it is needed, so that what was typed last is never left out.
  function draft() {
    return {
      decision: decision(), call: call.value, reason: reason.value, comment: comment.value, name: name.value,
      gates: gates.filter((gate) => gate.select.value || gate.note.value)
        .map((gate) => [gate.id, gate.select.value, gate.note.value]),
    };
  }

  function keep() {
    const before = show();
    try {
      localStorage.setItem(key, JSON.stringify(draft()));
      status.textContent = before ? fill(words.signed_before, { name: before }) : words.kept;
    } catch {
      status.textContent = words.not_kept;
    }
  }

  function restore() {
    let text = null, earlier = false;
    try {
      text = localStorage.getItem(key);
      earlier = Object.keys(localStorage).some((other) => other.startsWith(prefix) && other !== key);
    } catch {
      status.textContent = words.not_kept;
    }
    if (earlier) status.textContent = words.earlier;
    if (!text) return;
    try {
      const old = JSON.parse(text);
      radios.forEach((radio) => { radio.checked = radio.value === old.decision && !radio.disabled; });
      [[call, old.call], [reason, old.reason], [comment, old.comment], [name, old.name]].forEach(([field, value]) => {
        field.value = value || "";
      });
      const verdicts = new Map((old.gates || []).map(([id, value, note]) => [id, [value, note]]));
      gates.forEach((gate) => { [gate.select.value, gate.note.value] = verdicts.get(gate.id) || ["", ""]; });
      status.textContent = words.restored;
    } catch {
      forget();
    }
  }

  function forget() {
    form.reset();
    gates.forEach((gate) => { gate.select.value = ""; gate.note.value = ""; });
    try {
      Object.keys(localStorage).filter((other) => other.startsWith(prefix)).forEach((other) => localStorage.removeItem(other));
    } catch { /* nothing was kept */ }
    show();
  }

  function faults() {
    const found = [], chosen = decision(), short = comment.value.trim().length < 3;
    if (!chosen) found.push(words.need_decision);
    if (chosen === "override" && !call.value) found.push(words.need_call);
    if (chosen === "override" && !reason.value) found.push(words.need_reason);
    if ((chosen === "override" || chosen === "repeat") && short) found.push(words.need_comment);
    doubted().filter((gate) => gate.note.value.trim().length < 3)
      .forEach((gate) => found.push(fill(words.need_comment_gate, { gate: gate.words })));
    if (chosen === "accept" && doubted().length && short) found.push(words.need_comment_gates);
    if (plain(name.value).length < 2 || !/\p{L}/u.test(name.value)) found.push(words.need_name);
    return found;
  }

  function review(now) {
    const chosen = decision(), override = chosen === "override";
    return {
      schema_version: facts.schema_version,
      sample: facts.sample,
      result_digest: facts.result_digest,
      automatic_call: facts.automatic_call,
      decision: chosen,
      reviewed_call: override ? call.value : null,
      reason_code: override ? reason.value : null,
      comment: clean(comment.value).trim(),
      reviewer: clean(name.value).replace(/\s+/g, " ").trim(),
      signed_at: now.replace(/\.\d+Z$/, "Z"),
      gates: gates.filter((gate) => gate.select.value).map((gate) => ({
        tube: gate.tube, stimulation: gate.stimulation, reagent: gate.reagent, population: gate.population,
        verdict: gate.select.value, comment: clean(gate.note.value).trim(),
      })),
    };
  }

  function download(file, text) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    link.download = file;
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const found = faults();
    problems.replaceChildren(...found.map((text) => {
      const item = document.createElement("li");
      item.textContent = text;
      return item;
    }));
    if (found.length) return;
    // The name of the file has the thousandths too: two signatures in one second must not be one file.
    const now = new Date().toISOString(), signed = review(now), stamp = now.replace(/[-:.]/g, "");
    saved = [`${signed.sample}_${stamp}_${signed.result_digest.slice(0, 6)}.json`, JSON.stringify(signed, null, 1) + "\n"];
    download(...saved);
    const grave = signed.decision === "override" || (signed.decision === "accept" && facts.grave.includes(facts.automatic_call));
    forget();
    find("again").hidden = false;
    const told = fill(words.saved, { file: saved[0], name: signed.reviewer });
    status.textContent = grave && !facts.signed.length ? `${told} ${words.second}` : told;
  });
  find("again").addEventListener("click", () => download(...saved));
  find("discard").addEventListener("click", () => {
    forget();
    problems.replaceChildren();
    status.textContent = words.discarded;
  });
  find("accept-gates").addEventListener("click", () => {
    gates.filter((gate) => !gate.select.value).forEach((gate) => { gate.select.value = "accept"; });
    keep();
  });
  form.addEventListener("input", keep);
  gates.forEach((gate) => [gate.select, gate.note].forEach((field) => field.addEventListener("input", keep)));

  restore();
  show();
  form.hidden = false;
})();
