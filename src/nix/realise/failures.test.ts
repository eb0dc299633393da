import * as v from "valibot";
import { describe, expect, test } from "vitest";
import { HomelabError } from "../../base/errors.ts";
import { StorePath } from "../../protocol/names.ts";
import { createFindFailures, type FailureSources } from "./failures.ts";
import { createMachineReports } from "./machine-reports.ts";
import type { FailureAnalysis, RealiseResult } from "../realiser.ts";
import type { Derivation } from "../store.ts";

const path = (name: string): StorePath => v.parse(StorePath, `/nix/store/${"a".repeat(32)}-${name}`);
const drv = (name: string): StorePath => path(`${name}.drv`);
const nameOf = (drvPath: StorePath): string => drvPath.replace(/^.*-|\.drv$/g, "");

/** Each derivation with its inputs, like `zlib` or `zlib^dev`; outputs are `out` and `dev`. */
type Graph = Readonly<Record<string, readonly string[]>>;

function storeOf(
  graph: Graph,
  valid: readonly string[],
  gone: readonly string[] = [],
): FailureSources & { readonly asked: StorePath[][] } {
  const asked: StorePath[][] = [];
  return {
    asked,
    isStoreFull: async () => false,
    places: { here: ["x86_64-linux"], machines: [] },
    readLog: async () => undefined,
    present: async (one) => !gone.some((name) => path(name) === one),
    readDerivation: async (drvPath): Promise<Derivation> => {
      const name = nameOf(drvPath);
      const inputs = graph[name];
      if (inputs === undefined) throw new HomelabError("unavailable", `${name} is missing`);
      const inputDrvs = inputs.map((input): [StorePath, string[]] => {
        const [of = "", output = "out"] = input.split("^");
        return [drv(of), [output]];
      });
      return {
        outputs: new Map(name.startsWith("floating") ? [] : [["out", path(name)]]),
        inputDrvs: new Map(inputDrvs),
        system: "x86_64-linux",
      };
    },
    validPaths: async (paths) => {
      asked.push([...paths]);
      return new Set(paths.filter((one) => valid.some((name) => path(name) === one)));
    },
  };
}

function result(started: readonly string[], ...errors: readonly string[]): RealiseResult {
  return {
    exitCode: 100,
    killedBy: undefined,
    messages: errors.map((text) => ({ level: 0, text, authentic: true })),
    started: new Map(started.map((name) => [drv(name), { durationMs: 100, silentMs: 1 }])),
    outOfMemoryKills: 0,
  };
}

const failed = (name: string): string => `error: builder for '${drv(name)}' failed with exit code 1`;
const options = { timeoutSeconds: 60, silenceSeconds: 60 };

async function find(
  sources: FailureSources,
  tops: readonly string[],
  realised: RealiseResult,
): Promise<{ readonly causes: Record<string, string>; readonly brokenBy: Record<string, string[]> }> {
  const signal = AbortSignal.timeout(30_000);
  const analysis: FailureAnalysis = await createFindFailures(sources)(
    tops.map(drv),
    realised,
    options,
    signal,
  );
  return {
    causes: Object.fromEntries([...analysis.causes].map(([key, cause]) => [nameOf(key), cause.kind])),
    brokenBy: Object.fromEntries(
      [...analysis.brokenBy].map(([key, roots]) => [nameOf(key), roots.map(nameOf).toSorted()]),
    ),
  };
}

describe("the failures of a build", () => {
  const graph = { h1: ["p1", "s2"], h2: ["p2", "s2"], p1: ["s1"], p2: ["s1"], s1: [], s2: [] };

  test("an output that is gone from the disk although it is valid is a fault of the machine", async () => {
    const sources = storeOf(graph, ["h1", "h2"], ["h1"]);
    expect(await find(sources, ["h1", "h2"], result([]))).toEqual({
      causes: { h1: "infra" },
      brokenBy: { h1: ["h1"] },
    });
  });

  test("are none when all tops are valid", async () => {
    expect(await find(storeOf(graph, ["h1", "h2"]), ["h1", "h2"], result([]))).toEqual({
      causes: {},
      brokenBy: {},
    });
  });

  test("of a shared derivation break every top above it", async () => {
    expect(await find(storeOf(graph, ["s2"]), ["h1", "h2"], result(["s1", "s2"], failed("s1")))).toEqual({
      causes: { s1: "failed" },
      brokenBy: { h1: ["s1"], h2: ["s1"] },
    });
  });

  test("of its own break one top", async () => {
    const store = storeOf(graph, ["s1", "s2", "p2", "h2"]);
    expect(await find(store, ["h1", "h2"], result(["p1", "h2"], failed("p1")))).toEqual({
      causes: { p1: "failed" },
      brokenBy: { h1: ["p1"] },
    });
  });

  test("of a content-addressed derivation break a top that only needs what is made from it", async () => {
    const store = storeOf({ h1: ["fixed"], fixed: ["floating"], floating: [] }, []);
    expect(await find(store, ["h1"], result(["floating"], failed("floating")))).toEqual({
      causes: { floating: "failed" },
      brokenBy: { h1: ["floating"] },
    });
  });

  test("can be several for one top", async () => {
    expect(await find(storeOf(graph, []), ["h1"], result(["s1", "s2"], failed("s1"), failed("s2")))).toEqual({
      causes: { s1: "failed", s2: "failed" },
      brokenBy: { h1: ["s1", "s2"] },
    });
  });

  test("are asked of the store once for each level, and never twice for a path", async () => {
    const store = storeOf(graph, []);
    await find(store, ["h1", "h2"], result([]));
    expect(store.asked.filter((paths) => paths.length > 0)).toHaveLength(3);
    expect(new Set(store.asked.flat()).size).toBe(store.asked.flat().length);
  });

  test("are a fault of the infrastructure when nothing started and nothing failed", async () => {
    expect(await find(storeOf(graph, ["s1", "s2", "p1"]), ["h1"], result([]))).toEqual({
      causes: { h1: "infra" },
      brokenBy: { h1: ["h1"] },
    });
  });

  test("stay where a build began, also when its inputs are collected before we look", async () => {
    expect(await find(storeOf(graph, []), ["h1"], result(["p1", "s2"], failed("p1")))).toMatchObject({
      causes: { p1: "failed" },
      brokenBy: { h1: expect.arrayContaining(["p1"]) },
    });
  });

  test("are nobody's fault where nothing here builds for the system", async () => {
    const store = { ...storeOf(graph, ["s2"]), places: { here: ["aarch64-linux"], machines: [] } };
    expect((await find(store, ["h1"], result([]))).causes).toEqual({ s1: "no-builder" });
  });

  test("are a fault of the infrastructure where a derivation is gone", async () => {
    const { s1: _, ...rest } = graph;
    expect(await find(storeOf(rest, ["s2"]), ["h1"], result(["s2"]))).toEqual({
      causes: { s1: "infra" },
      brokenBy: { h1: ["s1"] },
    });
    expect(await find(storeOf({}, []), ["gone"], result([]))).toEqual({
      causes: { gone: "infra" },
      brokenBy: { gone: ["gone"] },
    });
  });

  test("have a cause also where no output is known by its path", async () => {
    expect(await find(storeOf({ floating: [] }, []), ["floating"], result([]))).toEqual({
      causes: { floating: "infra" },
      brokenBy: { floating: ["floating"] },
    });
  });

  test("are not what a builder says they are", async () => {
    const forged = result(["s1", "s2"], failed("s1"));
    const text = `error: a 'x' with features {} is required to build '${drv("s2")}'`;
    const messages = [...forged.messages, { level: 0, text, authentic: false }];
    expect((await find(storeOf(graph, []), ["h1"], { ...forged, messages })).causes).toEqual({
      s1: "failed",
      s2: "infra",
    });
  });

  test("are those whose output Nix names, or a file in it", async () => {
    const ended = {
      ...result(["s1", "s2"], `error: file '${path("s1")}/x' has an unsupported type`),
      exitCode: 1,
    };
    expect((await find(storeOf(graph, []), ["h1"], ended)).causes).toEqual({
      s1: "failed",
      s2: "interrupted",
    });
    // Since 2.29 the path may be in double quotes.
    const quoted = { ...result(["s1"], `error: file "${path("s1")}" has an unsupported type`), exitCode: 1 };
    expect((await find(storeOf(graph, ["s2"]), ["h1"], quoted)).causes).toEqual({ s1: "failed" });
  });

  test("are unclear where Nix names nothing, until each was built apart", async () => {
    const text = "error: output path '/nix/store/tmp-1/x' should be a non-executable regular file";
    const ended = { ...result(["s1", "s2"], text), exitCode: 1 };
    expect((await find(storeOf(graph, []), ["h1"], ended)).causes).toEqual({ s1: "unclear", s2: "unclear" });
    const apart = new Map([
      [drv("s1"), { ...result(["s1"], text), exitCode: 1 }],
      [drv("s2"), { ...result(["s2"]), exitCode: 0 }],
    ]);
    const store = storeOf({ ...graph, h3: [] }, ["s2"]);
    expect((await find(store, ["h1", "h3"], { ...ended, apart })).causes).toEqual({
      s1: "failed",
      h3: "interrupted",
    });
  });

  test("are nobody's where all end apart with the same error that nobody knows", async () => {
    const text = "error: the moon is not full";
    const ended = { ...result(["s1", "s2"], text), exitCode: 1 };
    const alone = (name: string, said: string): RealiseResult => ({ ...result([name], said), exitCode: 1 });
    const same = new Map([
      [drv("s1"), alone("s1", text)],
      [drv("s2"), alone("s2", text)],
    ]);
    expect((await find(storeOf(graph, []), ["h1"], { ...ended, apart: same })).causes).toEqual({
      s1: "infra",
      s2: "infra",
    });
    const own = new Map([...same, [drv("s2"), alone("s2", "error: it has no moon")]]);
    expect((await find(storeOf(graph, []), ["h1"], { ...ended, apart: own })).causes).toEqual({
      s1: "failed",
      s2: "failed",
    });
  });

  test("are unclear too where Nix refused more than what it had begun", async () => {
    const hosts = { h1: [], h2: [], h3: [] };
    const odd = "error: odd number of tokens in 'exportReferencesGraph': 'x'";
    const illegal = "error: derivation contains an illegal reference specifier 'x'";
    // Of h3, which has its verdict already, and is not asked about any more.
    const large = `error: path '${path("h3")}' is too large at 9 bytes; limit is 1`;
    const causesOf = async (...said: readonly string[]) =>
      (await find(storeOf(hosts, []), ["h1", "h2"], result(["h1", "h3"], ...said))).causes;
    expect(await causesOf(odd, illegal, large)).toEqual({ h1: "unclear", h2: "unclear" });
    expect(await causesOf(illegal, large)).toEqual({ h1: "unclear", h2: "infra" });
    expect(await causesOf(large)).toEqual({ h1: "infra", h2: "infra" });
  });

  test("are unclear also before anything began, for a few", async () => {
    const many = Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`n${index}`, []]));
    const refused = {
      ...result([], "error: odd number of tokens in 'exportReferencesGraph': 'x'"),
      exitCode: 1,
    };
    const { causes } = await find(storeOf(many, []), Object.keys(many), refused);
    expect(Object.values(causes).filter((kind) => kind === "unclear")).toHaveLength(8);
  });

  test("on a machine are what Nix there says of them", async () => {
    const machine = "ssh://arm1";
    const reports = createMachineReports();
    const on = (name: string): void =>
      reports.take({ type: "derivation-started", drvPath: drv(name), machine });
    const say = (text: string): void =>
      reports.take({ type: "message", message: { level: 0, text, authentic: false } });
    on("s1");
    on("s2");
    say(
      `error: build of '${drv("s1")}' on '${machine}' failed: builder for '${drv("s1")}' failed with exit code 3`,
    );
    const lost = result(["s1", "s2"], failed("s1"), failed("s2"));
    const started = new Map([...lost.started].map(([drvPath, build]) => [drvPath, { ...build, machine }]));
    const { causes } = await find(storeOf(graph, []), ["h1"], { ...lost, started, machines: reports.read() });
    expect(causes).toEqual({ s1: "failed", s2: "infra" });
  });

  test("name the machine that a derivation was built on", async () => {
    const failures = result(["s1", "s2"], failed("s1"), failed("s2"));
    const started = new Map(
      [...failures.started].map(([drvPath, build]) => [
        drvPath,
        drvPath === drv("s1") ? { ...build, machine: "ssh://arm1" } : build,
      ]),
    );
    const { causes } = await createFindFailures(storeOf(graph, []))(
      [drv("h1")],
      { ...failures, started },
      options,
      AbortSignal.timeout(30_000),
    );
    expect(causes.get(drv("s1"))?.machine).toBe("ssh://arm1");
    expect(causes.get(drv("s2"))?.machine).toBeUndefined();
  });

  test("are found however deep they are", async () => {
    const deep: Record<string, string[]> = {};
    for (let depth = 0; depth < 3000; depth++) deep[`n${depth}`] = [`n${depth + 1}`];
    deep["n3000"] = [];
    expect(await find(storeOf(deep, []), ["n0"], result(["n3000"], failed("n3000")))).toEqual({
      causes: { n3000: "failed" },
      brokenBy: { n0: ["n3000"] },
    });
  });

  test("are a full disk's fault when there is no room in the store", async () => {
    const store = { ...storeOf(graph, ["s2"]), isStoreFull: async () => true };
    expect((await find(store, ["h1"], result(["s1"], failed("s1")))).causes).toEqual({ s1: "infra" });
  });

  test("are not looked for when nobody waits for them any more", async () => {
    const reason = new Error("cancelled");
    const analysis = createFindFailures(storeOf(graph, []))(
      [drv("h1")],
      result([]),
      options,
      AbortSignal.abort(reason),
    );
    await expect(analysis).rejects.toBe(reason);
  });
});
