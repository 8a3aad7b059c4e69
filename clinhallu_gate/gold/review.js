"use strict";
// The review sheet: all that it shows are text nodes and values of fields, all that it keeps is what its reader saves.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const $ = (id) => document.getElementById(id);
  const STATES = { open: ["open", "void"], approved: ["approved", "good"], edited: ["edited, approved", "good"], rejected: ["rejected", "bad"] };
  const fields = data.stages.map($);
  const rows = data.rows.map((row) => ({ ...row, draft: row.texts, texts: [...row.texts], decision: "open", note: "" }));
  let at = 0, unsaved = false;

  const edited = (row) => row.texts.some((text, i) => text.trim() !== row.draft[i].trim());
  const state = (row) => (row.decision === "approved" && edited(row) ? "edited" : row.decision);
  const say = (text) => { $("message").textContent = text; };
  const made = (name, text, className) => {
    const element = document.createElement(name);
    element.textContent = text;
    if (className) element.className = className;
    return element;
  };
  const mark = (chip, row) => {
    const [word, tone] = STATES[state(row)];
    chip.textContent = edited(row) && row.decision === "open" ? "open, edited" : word;
    chip.className = `chip ${tone}`;
  };

  // --- showing -------------------------------------------------------------------------------------------------------

  const buttons = rows.map((row, i) => {
    const button = document.createElement("button");
    button.type = "button";
    const chip = made("span", "");
    button.append(chip, made("span", row.name, "uid"), made("span", row.question, "asks"));
    button.addEventListener("click", () => { go(i); $("row-title").focus(); });
    const item = document.createElement("li");
    item.append(button);
    $("rows").append(item);
    return { button, chip };
  });

  function count() {
    const of = (name) => rows.filter((row) => row.decision === name).length;
    const open = of("open"), changed = rows.filter((row) => state(row) === "edited").length;
    $("count").textContent = `${rows.length - open} of ${rows.length} rows decided: ${of("approved")} approved (${changed} edited), ` +
      `${of("rejected")} rejected, ${open} open${unsaved ? "; not saved yet" : ""}`;
    $("done").value = rows.length - open;
    document.title = `${unsaved ? "* " : ""}${rows.length - open}/${rows.length} Review of gold: ${data.manifest}`;
  }

  function refresh(i) {
    mark(buttons[i].chip, rows[i]);
    if (i === at) {
      mark($("state"), rows[i]);
      $("reopen").disabled = rows[i].decision === "open";
    }
    count();
  }

  function go(i) {
    if (!rows.length) return;
    buttons[at].button.removeAttribute("aria-current");
    at = i;
    const row = rows[at];
    buttons[at].button.setAttribute("aria-current", "true");
    $("row-title").textContent = `Row ${at + 1} of ${rows.length}`;
    $("row-id").textContent = `${row.name} (${data.manifest}:${row.row})`;
    $("trouble").textContent = row.trouble;
    $("trouble").hidden = !row.trouble;
    $("question").textContent = row.question;
    $("options").replaceChildren(...row.options.map((option) => made("li", option)));
    $("answer").textContent = row.answer;
    $("report").textContent = row.report;
    $("pictures").replaceChildren(...row.pictures.map((picture, n) => {
      if (!picture.src) return made("p", picture.trouble, "trouble");
      const image = document.createElement("img");
      image.src = picture.src;
      image.alt = `Image ${n + 1} of ${row.pictures.length} of this row`;
      return image;
    }));
    fields.forEach((field, n) => {
      field.value = row.texts[n];
      field.readOnly = row.own[n];
      document.querySelector(`#${field.id}-hint .own`).hidden = !row.own[n];
    });
    $("note").value = row.note;
    refresh(at);
  }

  function step(by) {
    const only = $("only-open").checked;
    for (let i = at + by; i >= 0 && i < rows.length; i += by) {
      if (!only || rows[i].decision === "open") {
        go(i);
        $("row-title").focus();
        return;
      }
    }
    say(by > 0 ? "This is the last row." : "This is the first row.");
  }

  // --- deciding ------------------------------------------------------------------------------------------------------

  function changed() {
    unsaved = true;
    refresh(at);
  }

  function decide(decision) {
    taken();
    const row = rows[at];
    const empty = row.texts.findIndex((text) => !text.trim());
    if (decision === "approved" && empty >= 0) {
      say("A stage without text cannot be approved: write it, or reject the row.");
      fields[empty].focus();
      return;
    }
    row.decision = decision;
    say("");
    changed();
    if (decision === "open") return;
    const left = rows.findIndex((other, i) => i > at && other.decision === "open");
    const next = left >= 0 ? left : rows.findIndex((other) => other.decision === "open");
    if (next >= 0) {
      go(next);
      $("row-title").focus();
    } else {
      say("Every row is decided. Save it now.");
      $("reviewer").value.trim() ? $("save-json").focus() : $("reviewer").focus();
    }
  }

  function taken() {
    const row = rows[at], texts = fields.map((field) => field.value), note = $("note").value;
    if (note === row.note && texts.every((text, n) => text === row.texts[n])) return;
    if (row.decision === "approved" && texts.some((text, n) => text !== row.texts[n])) row.decision = "open"; // it was for other words
    row.texts = texts;
    row.note = note;
    changed();
  }
  for (const event of ["input", "change"]) $("stages").addEventListener(event, taken);
  $("reviewer").addEventListener("input", () => { unsaved = true; count(); });
  $("approve").addEventListener("click", () => decide("approved"));
  $("reject").addEventListener("click", () => decide("rejected"));
  $("reopen").addEventListener("click", () => decide("open"));
  $("previous").addEventListener("click", () => step(-1));
  $("next").addEventListener("click", () => step(1));
  $("stages").addEventListener("submit", (event) => event.preventDefault());

  const KEYS = {
    a: () => decide("approved"), r: () => decide("rejected"), o: () => decide("open"),
    e: () => (fields.find((field) => !field.readOnly) ?? fields[0]).focus(),
    j: () => step(1), ArrowRight: () => step(1), k: () => step(-1), ArrowLeft: () => step(-1),
  };
  document.addEventListener("keydown", (event) => {
    const writing = event.target.matches("textarea, input[type=text]");
    if (event.target.matches("textarea") && event.ctrlKey && event.key === "Enter") {
      event.preventDefault();
      decide("approved");
    } else if (writing && event.key === "Escape") {
      $("row-title").focus();
    } else if (!writing && $("keys").checked && !event.ctrlKey && !event.altKey && !event.metaKey && KEYS[event.key]) {
      event.preventDefault();
      KEYS[event.key]();
    }
  });

  // --- saving and going on -------------------------------------------------------------------------------------------

  const KEPT = ["id", "content_sha256", "report_sha256", "draft_sha256", "drafted_by", "decision", "note"];
  function saved(row) {
    const kept = Object.fromEntries(KEPT.map((name) => [name, row[name]]));
    data.stages.forEach((stage, n) => { kept[stage] = row.texts[n].trim(); });
    return kept;
  }

  function save(name, type, text) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    unsaved = false;
    count();
    say(`${name} was saved where this browser saves files; sign it with clinhallu-gate sign-gold.`);
  }

  function named() {
    if ($("reviewer").value.trim()) return true;
    say("Who reviewed this? Fill in the reviewer's name first.");
    $("reviewer").focus();
    return false;
  }

  const stem = data.manifest.replace(/\.[a-z]+$/, "");
  $("save-json").addEventListener("click", () => {
    if (!named()) return;
    const told = { schema_version: 1, manifest: data.manifest, reviewer: $("reviewer").value.trim(), saved: new Date().toISOString(), rows: rows.map(saved) };
    save(`${stem}.reviewed.json`, "application/json", `${JSON.stringify(told, null, 1)}\n`);
  });

  // As review.csv is written: no line ends within a cell, and nothing that a spreadsheet would run.
  const formula = /^\s*[=+\-@'\uff1d\uff0b\uff0d\uff20]/;
  function cell(value) {
    const line = String(value).replace(/\r\n?|\n/g, " \u23ce ");
    return `"${(formula.test(line) ? `'${line}` : line).replace(/"/g, '""')}"`;
  }
  $("save-csv").addEventListener("click", () => {
    if (!named()) return;
    const shown = (row) => ({ ...row, ...saved(row), reviewer: $("reviewer").value.trim(), options: row.options.join(" | "), decision: row.decision === "open" ? "" : row.decision });
    const lines = rows.map(shown).map((row) => data.columns.map((name) => cell(row[name] ?? "")).join(","));
    save(`${stem}.reviewed.csv`, "text/csv", `\ufeff${[data.columns.join(","), ...lines].join("\n")}\n`);
  });

  $("load").addEventListener("change", async () => {
    const [file] = $("load").files;
    if (!file) return;
    try {
      restore(JSON.parse(await file.text()));
    } catch {
      say(`${file.name} is no JSON that this page has saved.`);
    }
    $("load").value = "";
  });

  function restore(told) {
    if (told.schema_version !== 1 || !Array.isArray(told.rows)) throw new TypeError("another file");
    const known = new Map(told.rows.map((row) => [row.content_sha256, row]));
    let taken = 0;
    rows.forEach((row) => {
      const before = known.get(row.content_sha256);
      if (!before || !["approved", "rejected", "open"].includes(before.decision)) return;
      const texts = data.stages.map((stage) => String(before[stage] ?? ""));
      const same = before.draft_sha256 === row.draft_sha256; // or it was drafted anew, and nobody has seen that yet
      if (same || before.decision === "approved") row.texts = row.texts.map((text, n) => (row.own[n] ? text : texts[n]));
      row.decision = same && row.texts.every((text, n) => text.trim() === texts[n].trim()) ? before.decision : "open";
      row.note = String(before.note ?? "");
      taken += 1;
    });
    $("reviewer").value = String(told.reviewer ?? "");
    unsaved = false;
    rows.forEach((_, i) => refresh(i));
    const first = rows.findIndex((row) => row.decision === "open");
    go(Math.max(first, 0));
    say(`${taken} of ${rows.length} rows were taken from what was saved${taken < rows.length ? "; the others are not in it, or have changed since" : ""}.`);
  }

  window.addEventListener("beforeunload", (event) => {
    if (unsaved) event.preventDefault();
  });

  $("sheet").hidden = false;
  if (rows.length) go(0);
  else { $("row").hidden = true; say("Nothing is to be reviewed."); }
  rows.forEach((_, i) => refresh(i));
})();
