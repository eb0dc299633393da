import { expect, test } from "vitest";
import { parseConfig } from "../src/config/load.ts";
import { codeBlocks, codeOf, readPage, readSources, sectionOf, tableRows } from "./support/documents.ts";

const page = readPage("docs/guides/operations.md");
const sources = readSources();

/** `log.warn({ … }, "what happened")` */
const logCall =
  /\blog\.(?<level>info|warn|error)\(\s*\{(?:(?!\blog\.)[\s\S])*?\},\s*"(?<message>[^"]+)",?\s*\)/g;

test("every line of the daemon's log is explained, with its level, and no other", () => {
  const said = sources.flatMap(({ text }) =>
    [...text.matchAll(logCall)].map(({ groups }) => `${groups?.["level"]} ${groups?.["message"]}`),
  );
  const explained = tableRows(sectionOf(page, "What the daemon says")).map(
    ([level, message]) => `${level} ${codeOf(message)}`,
  );
  expect(said.length).toBeGreaterThan(30);
  expect(explained.toSorted()).toEqual([...new Set(said)].toSorted());
});

test("every metric is explained, and no other", () => {
  const metrics = sources
    .filter(({ file }) => file.startsWith("src/metrics/"))
    .flatMap(({ text }) => [...text.matchAll(/(?:"homelab_deploy_|\bgauge\(\s*")(?<name>\w+)"/g)])
    .map(({ groups }) => `homelab_deploy_${groups?.["name"]}`);
  const explained = tableRows(sectionOf(page, "Metrics")).map(([name]) => codeOf(name));
  // The builder and the deployer both count bugs.
  expect(explained.toSorted()).toEqual([...new Set(metrics)].toSorted());
});

test.each(["docs/guides/operations.md", "docs/guides/update.md", "docs/guides/cache.md"])(
  "the example configurations of %s are valid",
  (file) => {
    const examples = codeBlocks(readPage(file)).filter(({ language }) => language === "json");
    expect(examples.length).toBeGreaterThan(0);
    for (const { text } of examples) expect(parseConfig(text, "example").warnings).toEqual([]);
  },
);
