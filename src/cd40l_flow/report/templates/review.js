(() => {
  const form = document.querySelector("#sign");
  if (!form) return;
  const facts = JSON.parse(form.dataset.form);
  const { words } = facts, store = cd40lStore, saving = cd40lSaving;
  const find = (id) => document.querySelector(`#sign-${id}`);
  const [call, reason, comment, name, status, problems] =
    ["call", "reason", "comment", "name", "status", "problems"].map(find);
  const radios = Array.from(form.querySelectorAll("input[name=decision]"));
  const listed = Array.from(form.querySelectorAll("#sign-people option")).map((option) => option.value);
  const prefix = `cd40l-flow review ${facts.sample} `;
  const key = prefix + facts.result_digest;

  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (all, word) => (word in values ? values[word] : all));
  const plain = (text) => text.normalize("NFKC").toLowerCase().replace(/[^\p{L}\p{N}]/gu, "");
  // What a file must not hold, and no keyboard types: control signs and those that turn the direction of a line.
  const clean = (text) => text.toWellFormed ? strip(text.toWellFormed()) : strip(text);
  const strip = (text) => text.replace(/\r\n?/g, "\n")
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, " ");
  const element = (tag, text, type = "") => {
    const made = document.createElement(tag);
    made.textContent = text;
    if (type) made.type = type;
    return made;
  };

  // A choice and a comment under every gate of the sample; a gate that all tubes share has one, under its first picture.
  const gates = [];
  document.querySelectorAll(".gate-verdict[data-gate]").forEach((place) => {
    const own = JSON.parse(place.dataset.gate), population = own[3];
    const where = facts.shared.includes(population) ? [null, null, null, population] : own;
    const id = JSON.stringify(where), values = { population: place.dataset.name, tube: place.dataset.tube };
    place.hidden = false;
    const first = gates.find((gate) => gate.id === id);
    if (first) {
      const line = element("button", "", "button");
      line.className = "elsewhere";
      line.addEventListener("click", () => first.select.focus());
      place.append(line);
      first.mirrors.push(line);
      return;
    }
    if (where[0] === null) values.tube = facts.gate.all_tubes;
    const select = document.createElement("select"), note = document.createElement("textarea");
    ["", "accept", "adjust", "exclude"].forEach((value) => {
      select.add(new Option(fill(facts.gate[value || (where[0] === null ? "none_shared" : "none")], facts), value));
    });
    select.setAttribute("aria-label", fill(facts.gate.label, values));
    note.rows = 2;
    note.maxLength = 1000;
    note.placeholder = facts.gate.hint;
    note.setAttribute("aria-label", fill(facts.gate.comment, values));
    place.append(select, note);
    gates.push({ where, select, note, id, mirrors: [], words: `${values.population}, ${values.tube}` });
  });

  const decision = () => (radios.find((radio) => radio.checked) || { value: "" }).value;
  const signedCall = () => ({ accept: facts.automatic_call, override: call.value })[decision()] || "";
  const doubted = () => gates.filter((gate) => ["adjust", "exclude"].includes(gate.select.value));
  const waiting = () => store.waiting(facts.sample, facts.known);

  function show() {
    find("override").hidden = decision() !== "override";
    gates.forEach((gate) => {
      gate.note.hidden = !gate.select.value && !gate.note.value;
      gate.select.className = gate.select.value ? `is-${gate.select.value}` : "";
      const word = gate.select.selectedOptions[0].textContent;
      gate.mirrors.forEach((line) => { line.textContent = fill(facts.gate.elsewhere, { verdict: gate.select.value ? word : facts.gate.not_judged }); });
    });
    const judged = gates.filter((gate) => gate.select.value).length;
    find("gates").textContent = fill(words.gates, { judged, total: gates.length, open: doubted().length });
    return facts.signed.find((other) => plain(name.value) && plain(other) === plain(name.value));
  }

  // Every field by a name of its own, so that two tabs can be merged field by field.
  const fields = new Map([["call", call], ["reason", reason], ["comment", comment]]);
  gates.forEach((gate) => { fields.set(`verdict ${gate.id}`, gate.select).set(`note ${gate.id}`, gate.note); });
  const draft = () => ({ decision: decision(), ...Object.fromEntries(Array.from(fields, ([id, field]) => [id, field.value])) });
  let seen = draft();  // as this tab and the browser's store last agreed

  function put(values) {
    radios.forEach((radio) => { radio.checked = radio.value === values.decision && !radio.disabled; });
    fields.forEach((field, id) => { if (field.value !== (values[id] ?? "")) field.value = values[id] ?? ""; });
  }

  // What was typed here since the two agreed goes before what another tab has stored; all else is the other's.
  function merge() {
    const here = draft(), there = store.parsed(store.read(key), {});
    const merged = Object.fromEntries(Object.keys(here).map((id) => [id, here[id] !== seen[id] ? here[id] : there[id] ?? here[id]]));
    put(merged);
    seen = draft();
    return seen;
  }

  function keep() {
    const kept = store.write(key, JSON.stringify(merge()));
    store.write(store.NAME, clean(name.value).trim());
    const before = show();
    status.textContent = before ? fill(words.signed_before, { name: before }) : kept ? words.kept : words.not_kept;
  }

  function restore() {
    let earlier = false;
    try {
      earlier = Object.keys(localStorage).some((other) => other.startsWith(prefix) && other !== key);
    } catch {
      status.textContent = words.not_kept;
    }
    name.value = store.read(store.NAME) || "";
    if (earlier) status.textContent = words.earlier;
    if (!store.read(key)) return;
    put({ ...seen, ...store.parsed(store.read(key), {}) });
    seen = draft();
    status.textContent = words.restored;
  }

  function forget() {
    const typed = name.value;
    form.reset();
    name.value = typed;
    gates.forEach((gate) => { gate.select.value = ""; gate.note.value = ""; });
    try {
      Object.keys(localStorage).filter((other) => other.startsWith(prefix)).forEach(store.forget);
    } catch { /* nothing was kept */ }
    seen = draft();
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
    if (facts.need_gates.includes(signedCall())) {
      const judged = gates.filter((gate) => gate.select.value).map((gate) => gate.id);
      const shown = gates.map((gate) => gate.id), due = facts.gates.map((where) => JSON.stringify(where));
      const open = due.filter((id) => !judged.includes(id)).length;
      if (due.some((id) => !shown.includes(id))) found.push(words.gates_unseen);
      else if (open) found.push(fill(words.need_gates, { open }));
    }
    if (plain(name.value).length < 2 || !/\p{L}/u.test(name.value)) found.push(words.need_name);
    else if (listed.length && !listed.some((other) => plain(other) === plain(name.value))) found.push(words.need_listed);
    return found;
  }

  function review(now) {
    const chosen = decision(), override = chosen === "override", here = waiting();
    // Signed after what the report shows, and after what was signed in this browser since.
    const named = new Set(here.flatMap((one) => store.parsed(one.text, {}).previous || []));
    const previous = [...facts.previous, ...here.map((one) => one.digest)].filter((digest) => !named.has(digest));
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
      gates: gates.filter((gate) => gate.select.value).map(({ where, select, note }) => ({
        tube: where[0], stimulation: where[1], reagent: where[2], population: where[3],
        verdict: select.value, comment: clean(note.value).trim(),
      })),
      previous: Array.from(new Set(previous)).sort(),
      missing: facts.missing,
      controls: facts.controls,
      parts: facts.parts,
    };
  }

  // Into the chosen folder, else to the downloads: a page cannot see what becomes of those. Returns the message about it.
  async function save(one) {
    const folder = await saving.folder();
    if (folder) {
      try {
        await saving.write(folder, one.file, one.text);
        one.saved = folder.name || "reviews";
        return fill(words.saved, { file: one.file, folder: one.saved });
      } catch {
        one.saved = "";
        saving.download(one.file, one.text);
        return fill(words.not_in_folder, { file: one.file, folder: folder.name || "reviews" });
      }
    }
    saving.download(one.file, one.text);
    return fill(words.handed, { file: one.file });
  }

  function update(one) {
    const others = waiting().filter((other) => other.digest !== one.digest);
    store.keepWaiting(facts.sample, [...others, one]);
    showWaiting();
  }

  function showWaiting() {
    const list = waiting(), place = find("waiting");
    store.keepWaiting(facts.sample, list);
    place.hidden = !list.length;
    document.querySelectorAll(".sign-mark").forEach((mark) => { mark.hidden = !list.length; });
    const named = new Set(list.flatMap((one) => store.parsed(one.text, {}).previous || []));
    place.querySelector("ul").replaceChildren(...list.map((one) => {
      const value = store.parsed(one.text, {}), item = document.createElement("li");
      const where = one.saved ? fill(words.in_folder, { folder: one.saved }) : words.unseen;
      const values = { decision: words.decisions[value.decision] || "", name: value.reviewer, when: `${value.signed_at.slice(0, 16).replace("T", " ")} UTC`, where };
      item.append(element("span", fill(words.waiting, values)), element("code", one.file));
      const again = element("button", words.again, "button"), back = element("button", words.withdraw, "button");
      again.addEventListener("click", async () => { status.textContent = await save(one); update(one); });
      back.addEventListener("click", () => {
        store.keepWaiting(facts.sample, waiting().filter((other) => other.digest !== one.digest));
        status.textContent = fill(words.withdrawn, { file: one.file });
        showWaiting();
      });
      item.append(again);
      if (!named.has(one.digest)) item.append(back);
      return item;
    }));
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const found = faults();
    problems.replaceChildren(...found.map((text) => element("li", text)));
    if (found.length) return;
    // The name of the file has the thousandths too: two signatures in one second must not be one file.
    const now = new Date().toISOString(), signed = review(now), stamp = now.replace(/[-:.]/g, "");
    const text = JSON.stringify(signed, null, 1) + "\n";
    const one = { file: `${signed.sample}_${stamp}_${signed.result_digest.slice(0, 6)}.json`, text, digest: saving.digest(text), saved: "" };
    // Kept before it is saved: whatever becomes of the file, it is not lost.
    update(one);
    const needsSecond = signed.decision === "override" || (signed.decision === "accept" && facts.second_for.includes(facts.automatic_call));
    forget();
    const message = await save(one);
    update(one);
    status.textContent = needsSecond && !facts.signed.length ? `${message} ${words.second}` : message;
  });
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
  window.addEventListener("storage", (event) => {
    if (event.key === key && event.newValue) { merge(); show(); }
    if (event.key === store.SIGNED + facts.sample) showWaiting();
    if (event.key === store.NAME && document.activeElement !== name) name.value = event.newValue || "";
  });

  const choose = find("folder");
  async function showFolder() {
    const folder = await saving.folder();
    find("where").textContent = folder ? fill(words.folder, { folder: folder.name || "reviews" }) : words.downloads;
    choose.hidden = !saving.canChoose;
  }
  choose.addEventListener("click", async () => {
    try { await saving.choose(); } catch { status.textContent = words.no_folder; }
    showFolder();
  });

  restore();
  show();
  showWaiting();
  showFolder();
  form.hidden = false;
})();
