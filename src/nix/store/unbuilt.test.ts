import * as v from "valibot";
import { expect, test } from "vitest";
import { StorePath } from "../../protocol/names.ts";
import type { Derivation } from "../store.ts";
import { createUnbuilt } from "./unbuilt.ts";

const path = (name: string): StorePath => v.parse(StorePath, `/nix/store/${"a".repeat(32)}-${name}`);
const namesOf = (paths: ReadonlySet<StorePath>): string[] =>
  [...paths].map((one) => one.replace(/^.*-|\.drv$/g, "")).toSorted();

/** A store in which each derivation has the outputs `out` and `dev`, and inputs like `zlib` or `zlib^dev`. */
function storeOf(
  graph: Readonly<Record<string, readonly string[]>>,
  there: readonly string[],
): Parameters<typeof createUnbuilt>[0] & { readonly read: StorePath[] } {
  const read: StorePath[] = [];
  const derivations = new Map<StorePath, Derivation>();
  for (const [name, inputs] of Object.entries(graph)) {
    derivations.set(path(`${name}.drv`), {
      outputs: new Map([
        ["out", path(name)],
        ["dev", path(`${name}_dev`)],
      ]),
      inputDrvs: new Map(
        inputs.map((input) => {
          const [of = "", output = "out"] = input.split("^");
          return [path(`${of}.drv`), [output]];
        }),
      ),
      system: "x86_64-linux",
    });
  }
  return {
    read,
    readDerivation: async (drvPath) => {
      read.push(drvPath);
      const derivation = derivations.get(drvPath);
      if (derivation === undefined) throw new Error("missing");
      return derivation;
    },
    present: async (output) => there.some((name) => path(name) === output),
  };
}

test("nothing is unbuilt when the outputs of the top are there", async () => {
  const store = storeOf({ top: ["a"], a: [] }, ["top", "top_dev"]);
  expect(await createUnbuilt(store)(path("top.drv"))).toEqual(new Set());
  expect(store.read).toEqual([path("top.drv")]);
});

test("finds what is missing, and does not look below what is there", async () => {
  const store = storeOf({ top: ["a", "b"], a: ["c"], b: ["d"], c: [], d: [] }, ["b"]);
  expect(namesOf(await createUnbuilt(store)(path("top.drv")))).toEqual(["a", "c", "top"]);
  expect(store.read).not.toContain(path("d.drv"));
});

test("only the outputs that somebody needs have to be there", async () => {
  const graph = { top: ["a", "b"], a: ["shared"], b: ["shared^dev"], shared: [] };
  expect(namesOf(await createUnbuilt(storeOf({ ...graph, b: [] }, ["shared"]))(path("top.drv")))).toEqual([
    "a",
    "b",
    "top",
  ]);
  expect(namesOf(await createUnbuilt(storeOf(graph, ["shared"]))(path("top.drv")))).toEqual([
    "a",
    "b",
    "shared",
    "top",
  ]);
});

test("a derivation that cannot be read is unbuilt", async () => {
  expect(namesOf(await createUnbuilt(storeOf({ top: ["gone"] }, []))(path("top.drv")))).toEqual([
    "gone",
    "top",
  ]);
});

test("a chain of any depth, and a derivation reached in many ways, is walked once", async () => {
  const graph: Record<string, string[]> = {};
  for (let depth = 0; depth < 5000; depth++) graph[`n${depth}`] = [`n${depth + 1}`, `n${depth + 2}`];
  graph["n5000"] = [];
  graph["n5001"] = [];
  const store = storeOf(graph, []);
  expect((await createUnbuilt(store)(path("n0.drv"))).size).toBe(5002);
  expect(store.read.length).toBeLessThan(2 * 5002);
});

test("the walk ends at its limit", async () => {
  const graph: Record<string, string[]> = {};
  for (let depth = 0; depth < 500; depth++) graph[`n${depth}`] = [`n${depth + 1}`];
  expect((await createUnbuilt(storeOf(graph, []), 100)(path("n0.drv"))).size).toBe(100);
});

test("other work continues during the walk, also when everything is in memory", async () => {
  const graph: Record<string, string[]> = {};
  for (let depth = 0; depth < 200; depth++) graph[`n${depth}`] = [`n${depth + 1}`];
  let turns = 0;
  let walking = true;
  const turn = (): void => {
    turns++;
    if (walking) setImmediate(turn);
  };
  setImmediate(turn);
  await createUnbuilt(storeOf(graph, []))(path("n0.drv"));
  walking = false;
  expect(turns).toBeGreaterThan(100);
});
