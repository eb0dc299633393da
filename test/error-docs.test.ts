import { expect, test } from "vitest";
import { errorJson } from "../src/cli/print/error.ts";
import { HomelabError, type ErrorKind } from "../src/base/errors.ts";
import { deployCodeNames, deployCodes } from "../src/protocol/deploy/deploy-codes.ts";
import { exitCodes } from "../src/protocol/exit-codes.ts";
import { codeOf, readPage, readSources, sectionOf, tableRows } from "./support/documents.ts";

const page = readPage("docs/reference/errors.md");
const codeRows = tableRows(sectionOf(page, "Codes"));

/** Where the sources name a code: in an error's details, or handed to a function that makes one of it. */
const positions = [
  /\bcode(?:: string)?\s*[:=]\s*(?<named>[^,}\n]*)/g,
  /\b(?:refuse|reject)\(\s*(?<named>"[^"]+")/g,
  /\bexplain\((?<named>[\s\S]*?)\);/g,
  /\binternalCode\s*=\s*(?<named>"\w+")/g,
];

function codesOf(text: string): readonly string[] {
  return positions
    .flatMap((position) => [...text.matchAll(position)])
    .flatMap(({ groups }) => [
      ...(groups?.["named"] ?? "").matchAll(/"(?<code>INTERNAL|UNSIGNED|[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)"/g),
    ])
    .map(({ groups }) => groups?.["code"] ?? "");
}

test("every error code of the sources is described, and no other", () => {
  const all = readSources().flatMap(({ text }) => codesOf(text));
  const used = new Set(all.filter((code) => !(code in deployCodes)));
  const described = codeRows.map(([code]) => codeOf(code));
  expect(used.size).toBeGreaterThan(50);
  expect(described.toSorted()).toEqual([...used].toSorted());
});

test("every code of a deployment has its section: its exit code, what it means, and what to do", () => {
  const sections = sectionOf(page, "Deployments");
  const headings = [...sections.matchAll(/^### (?<code>.+)$/gm)].map(({ groups }) => groups?.["code"] ?? "");
  expect(headings.toSorted()).toEqual([...deployCodeNames].toSorted());
  for (const code of deployCodeNames) {
    expect(sectionOf(sections, code)).toMatch(
      new RegExp(`^\\nExit code ${deployCodes[code]}\\. .{20,}\\n\\nWhat to do: .{20,}\\.`),
    );
  }
});

test("codes are found wherever the sources can name them", () => {
  const text = `
    { code: "A_B" } { code: exists ? "C_D" : "E_F", hint }
    const { code = "G_H", message } = error;
    reject("I_J", "message") refuse(
      "K_L",
    explain("usage", \`x\`, "M_N", "hint");
    env("NOT_THIS")`;
  expect(codesOf(text).toSorted()).toEqual(["A_B", "C_D", "E_F", "G_H", "I_J", "K_L", "M_N"]);
});

test("every code has a kind, a cause and something to do", () => {
  const kinds = new Set<string>([
    "usage",
    "config",
    "failed",
    "unavailable",
    "refused",
    "bug",
  ] satisfies ErrorKind[]);
  const incomplete = codeRows.filter(([, kind = "", cause, advice]) => {
    const named = [...kind.matchAll(/`(?<kind>\w+)`/g)].map(({ groups }) => groups?.["kind"] ?? "");
    return named.length === 0 || named.some((name) => !kinds.has(name)) || cause === "" || advice === "";
  });
  expect(incomplete).toEqual([]);
});

test("the exit codes are those of the program", () => {
  const described = tableRows(sectionOf(page, "Exit codes")).map(([name, code]) => [
    codeOf(name),
    Number(code),
  ]);
  expect(Object.fromEntries(described)).toEqual(exitCodes);
});

test("each kind exits as the program does", () => {
  const described = tableRows(sectionOf(page, "Kinds")).map(([kind, , code]) => [codeOf(kind), Number(code)]);
  const exits = (["usage", "config", "failed", "unavailable", "refused", "bug"] as const).map((kind) => [
    kind,
    errorJson(new HomelabError(kind, "")).error.exitCode,
  ]);
  expect(described).toEqual(exits);
  expect(errorJson(new Error("")).error).toMatchObject({ kind: "bug", code: "INTERNAL", exitCode: 70 });
});
