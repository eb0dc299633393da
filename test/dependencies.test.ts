import { readFileSync } from "node:fs";
import * as v from "valibot";
import { expect, test } from "vitest";

const Versions = v.record(v.string(), v.string());
const Manifest = v.object({ dependencies: Versions, devDependencies: Versions });
const LockedPackage = v.object({
  integrity: v.optional(v.string()),
  hasInstallScript: v.optional(v.boolean()),
});
const Lock = v.object({ packages: v.record(v.string(), LockedPackage) });

const read = (file: string): string => readFileSync(new URL(`../${file}`, import.meta.url), "utf8");
const { dependencies, devDependencies } = v.parse(Manifest, JSON.parse(read("package.json")));
const locked = Object.entries(v.parse(Lock, JSON.parse(read("package-lock.json"))).packages).filter(
  ([path]) => path !== "",
);
const page = read("docs/internals/dependencies.md");

/** The packages and versions in the table below a heading of docs/internals/dependencies.md. */
function described(heading: string): Record<string, string> {
  const section = page.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? "";
  return Object.fromEntries(
    [...section.matchAll(/^\| `(?<name>[^`]+)` +\| (?<version>[^ |]+) +\|/gm)].map(({ groups }) => [
      groups?.["name"] ?? "",
      groups?.["version"] ?? "",
    ]),
  );
}

test("docs/internals/dependencies.md describes every dependency in its version, and no other", () => {
  expect(described("At run time")).toEqual(dependencies);
  expect(described("For development")).toEqual(devDependencies);
});

test("every dependency has one exact version", () => {
  const versions = Object.entries({ ...dependencies, ...devDependencies });
  expect(versions.length).toBeGreaterThan(10);
  expect(versions.filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
});

test("the lock file knows the integrity of every package of the tree", () => {
  expect(locked.length).toBeGreaterThan(50);
  expect(locked.filter(([, { integrity }]) => integrity?.startsWith("sha512-") !== true)).toEqual([]);
});

test("only the package that brings Node runs a script when it is installed", () => {
  const withScript = locked.filter(([, { hasInstallScript }]) => hasInstallScript === true);
  expect(withScript.map(([path]) => path)).toEqual(["node_modules/node"]);
});
