// Which unit tests can notice a change of a source file, by who imports whom.
import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

const importPattern = /\b(?:from|import)\s*\(?\s*"(?<path>\.[^"]*\.ts)"/g;

/** Gives the unit tests that reach a file, those with the shortest way to it first. */
export function readTestGraph(root: string): (file: string) => readonly string[] {
  const importers = new Map<string, Set<string>>();
  for (const file of globSync(["src/**/*.ts", "test/**/*.ts"], { cwd: root })) {
    for (const { groups } of readFileSync(join(root, file), "utf8").matchAll(importPattern)) {
      const imported = join(dirname(file), groups?.["path"] ?? "");
      importers.set(imported, (importers.get(imported) ?? new Set()).add(file));
    }
  }
  return (file) => {
    const reached = new Set([file]);
    // A set gives what is added during the iteration as well: the nearest come first.
    for (const each of reached) for (const importer of importers.get(each) ?? []) reached.add(importer);
    return [...reached].filter(isUnitTest);
  };
}

const isUnitTest = (file: string): boolean =>
  file.endsWith(".test.ts") && !file.startsWith("test/integration/");
