// Plain English: phrases that are German in English words, or our own idioms, do not come back. What to write in their place
// stands beside each. Everything that people read is looked at: pages, messages, settings, comments.
import { globSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readPage } from "./support/documents.ts";

const root = join(import.meta.dirname, "..");

/** JSON that programs read keeps its names. */
const kept = /\bguilty: found\.culprits|`guilty` was a plain list/;

const refused: readonly { readonly phrase: RegExp; readonly instead: string }[] = [
  { phrase: /\b(?:go|goes|going|gone|went) on with\b/i, instead: "resume, continue" },
  { phrase: /\banew\b/i, instead: "again; reinstalled, recreated, restarted" },
  { phrase: /\b(?:become|became|becomes) of\b/i, instead: "what happened to" },
  { phrase: /\bit is (?:not )?said\b/i, instead: "not configured; the report says" },
  {
    phrase: /\b(?:guilty|hindrances?|doorbells?|wish(?:es|ed)?)\b/i,
    instead: "culprit, blocker, notifier, specification",
  },
  { phrase: /\bgot round\b/i, instead: "bypassed" },
  { phrase: /\bit goes another time\b|\banother try\b/i, instead: "kept for now; retry" },
  { phrase: /\bto be had\b/i, instead: "available" },
  { phrase: /\b(?:has|have|had) not got\b/i, instead: "does not have" },
  { phrase: /\bfor ever\b/i, instead: "forever" },
  { phrase: /\bis none (?:that|of|to)\b|\b(?:its|it) \w+ is none\b/i, instead: "is not a …" },
  { phrase: /\bwhat is not there\b/i, instead: "limits; what is missing" },
  { phrase: /\bmends?\b|\bmending\b/i, instead: "fix" },
  { phrase: /\btalk to standard error\b/i, instead: "messages to standard error" },
  { phrase: /\bsays? what became\b|\bsay once how\b/i, instead: "reports what happened to" },
  { phrase: /\bnever spoken\b|\bspoken (?:once|yet)\b/i, instead: "reported" },
  { phrase: /\bout of reach\b/i, instead: "cannot be reached, unreachable" },
  { phrase: /\b(?:stand|stands|stood) in (?:the|a|its|it)\b/i, instead: "is in" },
  {
    phrase: /\bbrings? (?:it|them|this|both|the builder|the deployer) to\b/i,
    instead: "upgrade, move, install",
  },
  { phrase: /\blets? us in\b/i, instead: "accepts our credentials" },
  { phrase: /\bnobody can say\b/i, instead: "it is unknown" },
  { phrase: /\b(?:thereby|hereby|therein|whereby)\b/i, instead: "by this" },
  { phrase: /(?:\/\*\*|\/\/) Of /, instead: "name the subject: The exit code of …, Parses …" },
  { phrase: /\bAll without it\b/i, instead: "all hosts if absent" },
  { phrase: /\bby (?:its|their) own fault\b/i, instead: "on its own; is to blame" },
  { phrase: /(?:\/\/|\*) .*\b(?:says?|said|tells?|told|knows?|known) (?:nothing )?of\b/i, instead: "about" },
  {
    phrase: /(?<!there )\bis no (?:success|reason|answer|proof|fault|failure|news)\b/i,
    instead: "is not a …",
  },
  { phrase: /\bsince then\b|\bworth little\b/i, instead: "after this; means little" },
  { phrase: /\bworks? (?:it|them) off\b/i, instead: "empty, process" },
  {
    phrase: /\bdoes not (?:speak|let (?:us|the builder) in)\b/i,
    instead: "has stopped reporting; refuses access",
  },
];

/** What a user or a newcomer reads. Records of the past stay as they were written. */
const pages = globSync(["README.md", "CONTRIBUTING.md", "docs/**/*.md", "infra/*/*.md"], { cwd: root });
const sources = globSync(["src/**/*.ts", "nix/modules/*.nix", "bin/*", "infra/**/*.{yml,yaml,nix}"], {
  cwd: root,
  exclude: (file) => file.endsWith(".test.ts"),
});

const phrasesIn = (text: string): readonly string[] =>
  text
    .split("\n")
    .flatMap((line, index) =>
      (kept.test(line) ? [] : refused).flatMap(({ phrase, instead }) =>
        phrase.test(line) ? [`${index + 1}: ${line.trim().slice(0, 120)} (better: ${instead})`] : [],
      ),
    );

test("there is something to read", () => {
  expect(pages.length).toBeGreaterThan(40);
  expect(sources.length).toBeGreaterThan(900);
});

test.each(pages)("%s says nothing that only we would say", (page) => {
  expect(phrasesIn(readPage(page))).toEqual([]);
});

test("no message, setting or comment says what only we would say", () => {
  const found = sources.flatMap((file) => phrasesIn(readPage(file)).map((line) => `${file}:${line}`));
  expect(found).toEqual([]);
});

test.each(pages.filter((page) => page.startsWith("docs/")))("%s says first whom it is for", (page) => {
  const [title, , ...rest] = readPage(page).split("\n");
  expect(title).toMatch(/^# \S/);
  const opening = rest.join("\n").replace(/^<!--[\s\S]*?-->\n+/, "");
  expect(opening).toMatch(/^\*\*For:\*\* \S.{15,}/);
});

test("docs/README.md leads to every page", () => {
  const index = readPage("docs/README.md");
  const operations = readPage("docs/guides/operations.md");
  const missing = pages
    .filter((page) => page.startsWith("docs/") && page !== "docs/README.md")
    .map((page) => page.replace("docs/", ""))
    .filter((page) =>
      page.startsWith("guides/runbooks/")
        ? !operations.includes(`(${page.replace("guides/", "")})`)
        : !index.includes(`(${page})`),
    );
  expect(missing).toEqual([]);
});

test("what nobody would say is found", () => {
  expect(phrasesIn("a run is gone on with\nfine\nit is evaluated anew")).toEqual([
    "1: a run is gone on with (better: resume, continue)",
    "3: it is evaluated anew (better: again; reinstalled, recreated, restarted)",
  ]);
});
