// Markdown to DOM nodes. Text only ever becomes text nodes, elements only come from this file, and links only go where
// `safeAddress` lets them: so nothing that a bot or a person says can become a script.

const LONGEST = 20_000; // longer texts are shown as they are
const DEEPEST = 8;
const LONG_WORD = /\S{17}/; // a column of a table need not be wide enough for it

export function safeAddress(text) {
  try {
    const url = new URL(text, document.baseURI);
    return ["http:", "https:", "mailto:"].includes(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

export function linkTo(address, ...content) {
  const link = element("a", ...content);
  link.href = address;
  link.target = "_blank";
  link.rel = "noopener noreferrer nofollow";
  return link;
}

export function render(text) {
  const whole = document.createDocumentFragment();
  if (text.length > LONGEST) {
    whole.append(...broken(text));
    return whole;
  }
  blocks(text.replace(/\r\n?/g, "\n").split("\n"), whole, 0);
  return whole;
}

function element(name, ...content) {
  const made = document.createElement(name);
  made.append(...content);
  return made;
}

function broken(text) {
  return text.split("\n").flatMap((line, index) => (index ? [document.createElement("br"), line] : [line]));
}

// --- blocks ----------------------------------------------------------------------------------------------------------

const FENCE = /^ {0,3}(`{3,}|~{3,})\s*([\w+#.-]*)[^`]*$/;
const HEADING = /^ {0,3}(#{1,6})\s+(.*?)\s*#*\s*$/;
const RULE = /^ {0,3}([-*_])(?:\s*\1){2,}\s*$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^(\s*)([-*+•]|\d{1,9}[.)])(\s+)(?=\S)/;
const DIVIDER = /^\s*\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*$/;

function blocks(lines, into, depth) {
  let at = 0;
  while (at < lines.length) {
    const line = lines[at];
    let match;
    if (!line.trim()) {
      at += 1;
    } else if ((match = FENCE.exec(line))) {
      at = fenced(lines, at, match[1], into);
    } else if ((match = HEADING.exec(line))) {
      // The page has its own h1 and h2.
      const heading = element(`h${Math.min(6, match[1].length + 2)}`);
      inline(match[2], heading, 0);
      into.append(heading);
      at += 1;
    } else if (RULE.test(line)) {
      into.append(element("hr"));
      at += 1;
    } else if (QUOTE.test(line) && depth < DEEPEST) {
      const quoted = [];
      while (at < lines.length && QUOTE.test(lines[at])) quoted.push(lines[at++].replace(QUOTE, ""));
      const quote = element("blockquote");
      blocks(quoted, quote, depth + 1);
      into.append(quote);
    } else if (ITEM.test(line) && depth < DEEPEST) {
      at = list(lines, at, into, depth);
    } else if (line.includes("|") && DIVIDER.test(lines[at + 1] ?? "") && lines[at + 1].includes("-")) {
      at = table(lines, at, into);
    } else {
      at = paragraph(lines, at, into, depth);
    }
  }
}

function fenced(lines, at, fence, into) {
  const code = [];
  at += 1;
  while (at < lines.length && !(lines[at].trim().startsWith(fence) && !lines[at].trim().slice(fence.length).replaceAll(fence[0], ""))) {
    code.push(lines[at++]);
  }
  const box = element("pre", element("code", code.join("\n")));
  box.tabIndex = 0; // so that it can be scrolled by keyboard
  into.append(box);
  return at + 1;
}

function paragraph(lines, at, into, depth) {
  const text = [lines[at++]];
  const starts = (line) =>
    !line.trim() || FENCE.test(line) || HEADING.test(line) || RULE.test(line) ||
    (depth < DEEPEST && (QUOTE.test(line) || ITEM.test(line)));
  while (at < lines.length && !starts(lines[at])) text.push(lines[at++]);
  const made = element("p");
  inline(text.map((line) => line.trim()).join("\n"), made, 0);
  into.append(made);
  return at;
}

function list(lines, at, into, depth) {
  const first = ITEM.exec(lines[at]);
  const indent = first[1].length;
  const ordered = /\d/.test(first[2]);
  const made = element(ordered ? "ol" : "ul");
  if (ordered) made.start = Number.parseInt(first[2], 10);
  while (at < lines.length) {
    const match = ITEM.exec(lines[at]);
    if (!match || match[1].length < indent || /\d/.test(match[2]) !== ordered) break;
    const body = [lines[at].slice(match[0].length)];
    const inner = match[0].length;
    at += 1;
    while (at < lines.length) {
      const line = lines[at];
      const spaces = line.length - line.trimStart().length;
      const deeper = spaces > indent;
      if (!line.trim()) {
        const next = lines[at + 1] ?? "";
        if (!next.trim() || next.length - next.trimStart().length <= indent) break;
        body.push("");
      } else if (deeper) {
        body.push(line.slice(Math.min(spaces, inner)));
      } else {
        break;
      }
      at += 1;
    }
    const item = element("li");
    blocks(body, item, depth + 1);
    if (item.childNodes.length && item.firstChild.nodeName === "P") item.firstChild.replaceWith(...item.firstChild.childNodes);
    made.append(item);
    // A blank line between two items does not end the list.
    let next = at;
    while (next < lines.length && !lines[next].trim()) next += 1;
    if (next > at && ITEM.test(lines[next] ?? "")) at = next;
  }
  into.append(made);
  return at;
}

function cells(line) {
  return line.trim().replace(/^\|/, "").replace(/\|$/, "").split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|"));
}

function table(lines, at, into) {
  const sides = cells(lines[at + 1]).map((cell) => {
    if (!cell.endsWith(":")) return "";
    return cell.startsWith(":") ? "centre" : "right";
  });
  const row = (name, line) => {
    const made = element("tr");
    cells(line).slice(0, sides.length).forEach((text, index) => {
      const cell = element(name);
      if (name === "th") cell.scope = "col";
      if (sides[index]) cell.className = sides[index];
      inline(text, cell, 0);
      if (LONG_WORD.test(cell.textContent)) cell.classList.add("long");
      made.append(cell);
    });
    return made;
  };
  const made = element("table");
  // A heading without words is how Markdown writes a table that has none.
  if (cells(lines[at]).some(Boolean)) made.append(element("thead", row("th", lines[at])));
  const body = element("tbody");
  at += 2;
  while (at < lines.length && lines[at].includes("|")) body.append(row("td", lines[at++]));
  made.append(body);
  const box = element("div", made);
  box.className = "table";
  into.append(box);
  return at;
}

// --- within a line ---------------------------------------------------------------------------------------------------

const SPECIAL = /[\\`*_~[\nhH]/g;
const CODE = /(`+)(?!`)([\s\S]*?[^`])\1(?!`)/y;
const STRONG = /(\*\*|__)(?=\S)([\s\S]*?\S)\1/y;
const STRIKE = /~~(?=\S)([\s\S]*?\S)~~/y;
const STAR = /\*(?=[^\s*])([\s\S]*?[^\s*])\*(?!\*)/y;
const UNDERLINE = /_(?=[^\s_])([\s\S]*?[^\s_])_(?![\p{L}\p{N}_])/uy;
const LINK = /\[((?:[^[\]\\]|\\.)+)\]\(\s*<?([^\s<>()]*(?:\([^\s<>()]*\)[^\s<>()]*)*)>?(?:\s+"[^"]*")?\s*\)/y;
const BARE = /https?:\/\/[^\s<>"'`|]+/iy;

function inline(text, into, depth) {
  let plain = "";
  let at = 0;
  const flush = () => {
    if (plain) into.append(plain);
    plain = "";
  };
  const found = (pattern) => {
    pattern.lastIndex = at;
    return pattern.exec(text);
  };
  const wrap = (name, match, content) => {
    flush();
    const made = element(name);
    inline(content, made, depth + 1);
    into.append(made);
    at += match[0].length;
  };
  while (at < text.length) {
    SPECIAL.lastIndex = at;
    const next = SPECIAL.exec(text);
    if (!next || depth > DEEPEST) {
      plain += text.slice(at);
      break;
    }
    plain += text.slice(at, next.index);
    at = next.index;
    const wordBefore = at > 0 && /[\p{L}\p{N}]/u.test(text[at - 1]);
    let match;
    if (text[at] === "\\" && /[\\`*_~[\]()#>|+.!-]/.test(text[at + 1] ?? "")) {
      plain += text[at + 1];
      at += 2;
    } else if (text[at] === "\n") {
      flush();
      into.append(element("br"));
      at += 1;
    } else if (text[at] === "`" && (match = found(CODE))) {
      flush();
      into.append(element("code", match[2].replaceAll("\n", " ").trim()));
      at += match[0].length;
    } else if (!(text[at] === "_" && wordBefore) && (match = found(STRONG))) {
      wrap("strong", match, match[2]);
    } else if (text[at] === "~" && (match = found(STRIKE))) {
      wrap("s", match, match[1]);
    } else if (text[at] === "*" && (match = found(STAR))) {
      wrap("em", match, match[1]);
    } else if (text[at] === "_" && !wordBefore && (match = found(UNDERLINE))) {
      wrap("em", match, match[1]);
    } else if (text[at] === "[" && (match = found(LINK))) {
      const address = safeAddress(match[2]);
      if (address === null || !match[2]) {
        plain += match[0];
      } else {
        flush();
        const content = document.createDocumentFragment();
        inline(match[1], content, DEEPEST); // one level: a link holds no link
        into.append(linkTo(address, content));
      }
      at += match[0].length;
    } else if (/h/i.test(text[at]) && !wordBefore && depth < DEEPEST && (match = found(BARE))) {
      const bare = match[0].replace(/[.,;:!?*_~)\]]+$/, "");
      const address = safeAddress(bare);
      if (address === null) {
        plain += bare;
      } else {
        flush();
        into.append(linkTo(address, bare));
      }
      at += bare.length;
    } else {
      plain += text[at];
      at += 1;
    }
  }
  flush();
}
