import { expect, test } from "vitest";
import { judgedSettings } from "../src/nix/settings/unsafe-settings.ts";
import { codeOf, readPage, readSources, sectionOf, tableRows } from "./support/documents.ts";

const page = readPage("docs/reference/doctor.md");

test("every setting of Nix that is judged is explained, and no other", () => {
  const explained = tableRows(sectionOf(page, "Settings of Nix")).map(([setting]) => codeOf(setting));
  expect(explained.toSorted()).toEqual(judgedSettings.toSorted());
});

/** `secret …` of `secret ${name}`. */
const generalized = (name: string): string => name.replaceAll(/\$\{[^}]*\}/g, "…");

test("every check is explained", () => {
  const rows = tableRows(sectionOf(page, "Checks"));
  const explained = rows.flatMap(([names = ""]) =>
    [...names.matchAll(/`(?<name>[^`]+)`/g)].map(([, name]) => name),
  );
  const named = readSources()
    .filter(({ file }) => file.startsWith("src/cli/doctor/") || file.startsWith("src/cli/commands/doctor"))
    .flatMap(({ text }) => [
      ...text.matchAll(/\bcheck(?: =|:) (?:"(?<plain>[^"]+)"|`(?<made>[^`]+)`)/g),
      ...text.matchAll(
        /\b(?:ok|warning|wrong|unknown|findingOf)\(\s*(?:"(?<plain>[^"]+)"|`(?<made>[^`]+)`)/g,
      ),
    ])
    .map(({ groups }) => generalized(groups?.["plain"] ?? groups?.["made"] ?? ""))
    // `${check}: scope` and the like stand below the check that they belong to.
    .filter((name) => !name.startsWith("…") && name !== "");
  expect(named.length).toBeGreaterThan(15);
  expect([...new Set(named)].filter((name) => !explained.includes(name))).toEqual([]);
});
