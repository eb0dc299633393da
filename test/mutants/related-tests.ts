// Which unit tests can notice a change of a source file, by who imports whom.
import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

const importPattern = /\b(?:from|import)\s*\(?\s*"(?<path>\.[^"]*\.ts)"/g;

/** Gives the unit tests that reach a file: its own first, then by the length of the way. */
export function readTestGraph(root: string): (file: string) => readonly string[] {
  const importers = new Map<string, string[]>();
  for (const file of globSync(["src/**/*.ts", "test/**/*.ts"], { cwd: root }).toSorted()) {
    for (const { groups } of readFileSync(join(root, file), "utf8").matchAll(importPattern)) {
      const imported = join(dirname(file), groups?.["path"] ?? "");
      importers.set(imported, [...(importers.get(imported) ?? []), file]);
    }
  }
  return (file) => {
    const distances = new Map([[file, 0]]);
    // A map gives what is added during the iteration as well.
    for (const [each, distance] of distances) {
      for (const importer of importers.get(each) ?? []) {
        if (!distances.has(importer)) distances.set(importer, distance + 1);
      }
    }
    const own = file.replace(/\.ts$/, ".test.ts");
    // Those in `test` are about everything at once, and take longest.
    const farness = (test: string): number =>
      test === own ? 0 : (distances.get(test) ?? 0) + (test.startsWith("src/") ? 0 : distances.size);
    return [...distances.keys()].filter(isUnitTest).toSorted((one, other) => farness(one) - farness(other));
  };
}

const isUnitTest = (file: string): boolean =>
  file.endsWith(".test.ts") && !file.startsWith("test/integration/");
