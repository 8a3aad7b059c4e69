// The instance explorer: a list to search and filter, and a dialog that shows one instance.
// Everything in the data is untrusted text: it enters the page as text nodes alone.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("instances").textContent);
  const PAGE = 50;
  const LONGEST_DIFF = 4e6; // cells of the table that marks differences
  const LEAST_COMMON = 0.25; // of a text's words: below it is worded in another way, and marks would say nothing
  const WORDS = {
    g: ["grounded", "good"], h: ["hallucinated", "bad"], c: ["correct", "good"], i: ["incorrect", "bad"],
    f: ["not delivered", "bad"], u: ["unjudged", "unsure"], n: ["not asked", "void"],
  };
  const BAD = "hif", GOOD = "gc", HEADLINES = 4;
  const byId = (id) => document.getElementById(id);
  const form = byId("filters"), list = byId("found"), count = byId("count"), more = byId("more");
  const dialog = byId("case"), body = byId("case-body");

  // --- drawing ------------------------------------------------------------------------------------------------------

  /** Return an element with properties and children; strings become text nodes. */
  function el(tag, properties = {}, ...children) {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children.filter((child) => child !== null));
    return made;
  }
  const chip = (word, tone) => el("span", {className: `chip ${tone}`}, byId(`icon-${tone}`).content.cloneNode(true), word);
  const tag = (text, name = "") => el("span", {className: `tag ${name}`}, text);
  const written = (number) => number.toLocaleString("en");
  const address = (uid) => `#${uid.split("/").map(encodeURIComponent).join("/")}`;

  function picture(name, alt, properties = {}) {
    const src = data.pictures ? data.pictures[name] : `report_assets/pictures/${name}`;
    return el("img", {src, alt, decoding: "async", ...properties});
  }

  // --- the list -----------------------------------------------------------------------------------------------------

  const rows = data.rows.map(([uid, dataset, stratum, type, tags, question, answer, verdicts, before, image], at) => ({
    at, uid, question, answer, verdicts, before, image,
    dataset: data.datasets[dataset], stratum: data.strata[stratum], type: data.types[type],
    tags: tags.map((number) => data.tags[number]),
    searched: [uid, data.strata[stratum], question, answer, ...tags.map((number) => data.tags[number])].join("\n").toLowerCase(),
    against: [...verdicts].reduce((sum, letter, part) => sum + BAD.includes(letter) * (part < HEADLINES ? 1 : 0.1), 0),
    changed: [...before].filter((letter, part) => flip(letter, verdicts[part])).length,
  }));
  const byUid = new Map(rows.map((row) => [row.uid, row]));
  let found = rows, shown = 0;

  /** Return "worse", "better" or "" for a part that was `before` and is `now`. */
  function flip(before, now) {
    if (GOOD.includes(before) && BAD.includes(now)) return "worse";
    return BAD.includes(before) && GOOD.includes(now) ? "better" : "";
  }

  const VERDICTS = {
    against: (letter) => BAD.includes(letter), good: (letter) => GOOD.includes(letter),
    failed: (letter) => letter === "f", unjudged: (letter) => letter === "u", not_asked: (letter) => letter === "n",
  };
  const SORTS = {
    worst: (a, b) => b.against - a.against || a.at - b.at,
    changed: (a, b) => b.changed - a.changed || a.at - b.at,
    data: (a, b) => a.at - b.at,
    id: (a, b) => (a.uid < b.uid ? -1 : 1),
  };

  function wanted() {
    const chosen = Object.fromEntries(new FormData(form));
    const words = (chosen.q || "").toLowerCase().split(/\s+/).filter(Boolean);
    const parts = chosen.part ? [Number(chosen.part)] : data.parts.map((_, part) => part);
    const verdict = VERDICTS[chosen.verdict];
    const turned = (row, part, way) => way === "any" ? flip(row.before[part], row.verdicts[part]) !== "" :
      flip(row.before[part], row.verdicts[part]) === way;
    return (row) =>
      words.every((word) => row.searched.includes(word)) &&
      (!chosen.dataset || row.dataset === chosen.dataset) && (!chosen.stratum || row.stratum === chosen.stratum) &&
      (!chosen.type || row.type === chosen.type) && (!chosen.tag || row.tags.includes(chosen.tag)) &&
      (!verdict || parts.some((part) => verdict(row.verdicts[part]))) &&
      (chosen.verdict !== "good" || parts.every((part) => "gcn".includes(row.verdicts[part]))) &&
      (!chosen.flip || (row.before !== "" && parts.some((part) => turned(row, part, chosen.flip))));
  }

  function filter() {
    found = rows.filter(wanted()).sort(SORTS[new FormData(form).get("sort")] || SORTS.worst);
    shown = 0;
    list.replaceChildren();
    showMore();
  }

  function showMore() {
    list.append(...found.slice(shown, shown + PAGE).map(line));
    shown = Math.min(shown + PAGE, found.length);
    more.hidden = shown >= found.length;
    const of = found.length === rows.length ? "" : ` of ${written(rows.length)}`;
    count.textContent = `${written(found.length)}${of} instances${more.hidden ? "" : `, the first ${written(shown)} listed`}`;
  }

  function line(row) {
    const marks = [...row.verdicts].slice(0, HEADLINES).map((letter, part) => ({part, letter}))
      .filter(({letter}) => BAD.includes(letter) || letter === "u")
      .map(({part, letter}) => tag(`${data.parts[part].name} ${WORDS[letter][0]}`, data.parts[part].class));
    if (!marks.length && row.against) marks.push(tag("wrong only in a repaired arm"));
    for (const way of ["worse", "better"]) {
      const turned = data.parts.filter((_, part) => part < HEADLINES && flip(row.before[part], row.verdicts[part]) === way);
      if (turned.length) marks.push(tag(`${way} than the release in use: ${turned.map((part) => part.name).join(", ")}`, way));
    }
    return el("li", {}, el("a", {href: address(row.uid)},
      row.image ? picture(row.image, "", {loading: "lazy"}) : null,
      el("span", {className: "about"}, el("span", {className: "uid"}, row.uid),
        el("span", {className: "question", dir: "auto"}, row.question),
        row.answer ? el("span", {className: "fine", dir: "auto"}, `Answer: ${row.answer}`) : null,
        el("span", {className: "chips"}, ...marks))));
  }

  // --- one instance -------------------------------------------------------------------------------------------------

  const waiting = new Map(); // by chunk: the promise of its instances, and how to keep it
  const policy = data.cases ? null : globalThis.trustedTypes?.createPolicy("chunks", {
    createScriptURL: (name) => /^report_assets\/cases-\d{4}\.js$/.test(name) ? name : "about:blank",
  });

  /** Called by the files in report_assets/, each with the instances it holds. */
  globalThis.clinhalluChunk = (run, number, cases) => {
    if (run === data.run) waiting.get(number)?.resolve(cases);
    else waiting.get(number)?.reject(new Error("report_assets/ belongs to another run than this page."));
  };

  async function caseOf(row) {
    if (data.cases) return data.cases[row.at];
    const number = Math.floor(row.at / data.chunk);
    if (!waiting.has(number)) {
      const entry = {};
      entry.cases = new Promise((resolve, reject) => Object.assign(entry, {resolve, reject}));
      waiting.set(number, entry);
      const name = `report_assets/cases-${String(number).padStart(4, "0")}.js`;
      const script = el("script", {src: policy ? policy.createScriptURL(name) : name});
      script.onload = () => entry.reject(new Error(`${name} cannot be read.`)); // no effect on what it has brought
      script.onerror = () => entry.reject(
        new Error(`${name} is missing: copy the folder report_assets/ beside this page.`));
      entry.cases.catch(() => waiting.delete(number));
      document.head.append(script);
    }
    return (await waiting.get(number).cases)[row.at % data.chunk];
  }

  let current = null;

  async function open(row) {
    current = row;
    const title = byId("case-title");
    title.textContent = row.uid;
    const at = found.indexOf(row);
    byId("case-place").textContent = at < 0 ? "not in the filtered list" :
      `${written(at + 1)} of ${written(found.length)}`;
    byId("case-previous").disabled = !neighbour(-1);
    byId("case-next").disabled = !neighbour(1);
    byId("case-copied").textContent = "";
    if (!data.cases) body.replaceChildren(el("p", {className: "fine"}, "Loading ..."));
    if (!dialog.open) dialog.showModal();
    try {
      const instance = await caseOf(row);
      if (current === row) body.replaceChildren(...drawn(instance));
    } catch (error) {
      if (current === row) body.replaceChildren(el("p", {className: "trouble"}, error.message));
    }
    dialog.scrollTop = 0;
    title.focus();
  }

  function neighbour(step) {
    const at = current === null ? -1 : found.indexOf(current);
    return at < 0 ? (step > 0 ? found[0] : undefined) : found[at + step];
  }

  function go(step) {
    const row = neighbour(step);
    if (row) history.replaceState(null, "", address(row.uid)), open(row);
  }

  function* drawn(instance) {
    if (instance.pictures.length) yield el("div", {className: "pictures"}, ...instance.pictures.map(zoomable));
    yield el("p", {className: "question", dir: "auto"}, instance.question || data.withheld || "no question");
    if (instance.options.length) {
      yield el("ul", {className: "options"}, ...instance.options.map((option) =>
        el("li", {className: option.gold ? "right" : "", dir: "auto"}, option.text,
          option.gold ? el("small", {}, " (gold)") : null)));
    }
    for (const part of instance.parts) yield partOf(part);
    yield el("details", {className: "more"}, el("summary", {}, "Its traces in every arm"), ...instance.arms.map((arm) =>
      el("section", {className: "arm"}, el("h3", {}, arm.title, " ", chip(arm.word, arm.tone)),
        ...arm.texts.flatMap((text) => [el("h4", {}, text.title), quote([[text.text, false]])]),
        el("p", {className: "reason", dir: "auto"}, arm.reason))));
    yield el("p", {className: "fine"}, [instance.stratum, instance.question_type, ...instance.tags].join(", "));
  }

  function zoomable(image, number, images) {
    if (image.name === null) return el("span", {className: "trouble"}, image.trouble);
    const name = `image ${number + 1} of ${images.length}`;
    const button = el("button", {type: "button", className: "zoom", title: "zoom"},
      picture(image.name, name, {width: image.width, height: image.height}));
    button.setAttribute("aria-pressed", "false");
    button.onclick = () => {
      const step = (Number(button.dataset.zoom || 0) + 1) % 3;
      button.dataset.zoom = step;
      button.setAttribute("aria-pressed", String(step > 0));
    };
    return button;
  }

  function partOf(part) {
    const texts = [["Gold", part.gold, part.candidate, "none in the data"], ["Model", part.candidate, part.gold, "no text"]];
    if (part.before) texts.push(["Release in use", part.before.text, part.gold, "no text"]);
    return el("section", {className: `part ${part.tone}`},
      el("h3", {}, part.title, " ", chip(part.word, part.tone), " ", el("small", {}, part.judged_in)),
      el("div", {className: "texts"}, ...texts.map(([title, text, other, none]) => el("div", {},
        el("h4", {}, title, ...(title === "Release in use" ? [" ", chip(part.before.word, part.before.tone)] : [])),
        text === null ? el("blockquote", {className: "none"}, data.withheld || none) : quote(marked(text, other))))),
      part.reason ? el("p", {className: "reason", dir: "auto"}, part.reason) : null);
  }

  const quote = (pieces) => el("blockquote", {dir: "auto"},
    ...pieces.map(([text, differs]) => differs ? el("mark", {}, text) : text));

  /** Return the pieces of `text`; those whose words are not, in this order, in `other` are marked. */
  function marked(text, other) {
    const ours = text.match(/\s+|\S+/g) || [], plain = (word) => word.toLowerCase().replace(/[.,;:!?]+$/, "");
    const words = ours.filter((piece) => piece.trim()).map(plain), theirs = (other || "").split(/\s+/).filter(Boolean).map(plain);
    if (!theirs.length || words.length * theirs.length > LONGEST_DIFF) return [[text, false]];
    const common = Array.from({length: words.length + 1}, () => new Uint16Array(theirs.length + 1));
    for (let i = words.length - 1; i >= 0; i--) {
      for (let j = theirs.length - 1; j >= 0; j--) {
        common[i][j] = words[i] === theirs[j] ? common[i + 1][j + 1] + 1 : Math.max(common[i + 1][j], common[i][j + 1]);
      }
    }
    if (common[0][0] < LEAST_COMMON * Math.min(words.length, theirs.length)) return [[text, false]];
    const differs = [];
    for (let i = 0, j = 0; i < words.length;) {
      if (j < theirs.length && words[i] === theirs[j]) differs.push(false), i++, j++;
      else if (j < theirs.length && common[i][j + 1] >= common[i + 1][j]) j++;
      else differs.push(true), i++;
    }
    let word = 0;
    return ours.map((piece) => piece.trim() ? [piece, differs[word++]] : [piece, false]);
  }

  /** Return what an engineer pastes into a bug tracker. */
  function bugReport(instance) {
    const quoted = (text) => (text || data.withheld || "-").split("\n").map((each) => `> ${each}`).join("\n");
    const parts = instance.parts.map((part) => [
      `**${part.title}** (${part.judged_in}): ${part.word}`, "Gold:", quoted(part.gold), "Model:", quoted(part.candidate),
      ...(part.before ? [`Release in use: ${part.before.word}`, quoted(part.before.text)] : []),
      ...(part.reason ? ["Why:", quoted(part.reason)] : []),
    ].join("\n\n"));
    const options = instance.options.map((option) => `- ${option.text}${option.gold ? " (gold)" : ""}`).join("\n");
    return [`### ${instance.uid}`, data.about, "Question:", quoted(instance.question), options, ...parts]
      .filter(Boolean).join("\n\n");
  }

  async function copy() {
    const row = current, instance = await caseOf(row).catch(() => null);
    if (row !== current) return;
    if (!instance) return void (byId("case-copied").textContent = "There is nothing to copy.");
    const area = el("textarea", {value: bugReport(instance), readOnly: true, rows: 12});
    area.setAttribute("aria-label", "bug report");
    body.prepend(area);
    area.select();
    // The old command, as the clipboard's promises wait for a permission that nobody is asked for on a file's page.
    const copied = document.execCommand("copy");
    if (copied) area.remove(), byId("case-copy").focus();
    byId("case-copied").textContent = copied ? "Copied." : "Press Ctrl+C to copy.";
  }

  // --- address and keys ---------------------------------------------------------------------------------------------

  function state() {
    const chosen = new URLSearchParams([...new FormData(form)].filter(([name, value]) => value && name !== "keys" &&
      !(name === "sort" && value === "worst")));
    return chosen.size ? `#?${chosen}` : "#cases";
  }

  function restore(query) {
    const chosen = new URLSearchParams(query);
    for (const field of form.elements) if (field.name && field.name !== "keys") {
      field.value = chosen.get(field.name) ?? (field.name === "sort" ? "worst" : "");
    }
    filter();
  }

  /** Show what the address names: an instance, or a filter. */
  function follow() {
    let named = location.hash.slice(1);
    if (named.startsWith("?")) {
      if (dialog.open) dialog.close();
      restore(named.slice(1));
      return byId("cases").scrollIntoView();
    }
    try { named = decodeURIComponent(named); } catch { return; }
    const row = byUid.get(named);
    if (row) open(row);
    else if (dialog.open) dialog.close();
    else if (named.includes("/")) {
      count.textContent = `There is no instance ${named} in this report.`;
      byId("cases").scrollIntoView();
    }
  }

  function key(event) {
    const typing = event.target.closest("input[type=search], select, textarea");
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    const letter = form.elements.keys.checked ? event.key : "";
    if (!dialog.open) {
      if (letter === "/") event.preventDefault(), form.elements.q.focus();
      return;
    }
    if (event.key === "ArrowRight" || letter === "j") go(1);
    else if (event.key === "ArrowLeft" || letter === "k") go(-1);
    else if (letter === "z") body.querySelector(".zoom")?.click();
    else if (letter === "c") copy();
    else return;
    event.preventDefault();
  }

  function refine() {
    filter();
    history.replaceState(null, "", state());
  }
  form.elements.q.addEventListener("input", refine);
  for (const field of form.querySelectorAll("select")) field.addEventListener("change", refine);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(() => { filter(); history.replaceState(null, "", "#cases"); }));
  more.addEventListener("click", showMore);
  dialog.addEventListener("close", () => { current = null; history.replaceState(null, "", state()); });
  byId("case-close").addEventListener("click", () => dialog.close());
  byId("case-previous").addEventListener("click", () => go(-1));
  byId("case-next").addEventListener("click", () => go(1));
  byId("case-copy").addEventListener("click", copy);
  document.addEventListener("keydown", key);
  addEventListener("hashchange", follow);
  byId("explorer").hidden = false;
  filter();
  follow();
})();
