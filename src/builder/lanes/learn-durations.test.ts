import { expect, test } from "vitest";
import { fakeDrv, fakeOut } from "../../../test/support/fake-nix.ts";
import type { Derivation } from "../../nix/store.ts";
import type { StorePath } from "../../protocol/names.ts";
import { learnDurations } from "./learn-durations.ts";

const derivation = (outputs: Record<string, StorePath>): Derivation => ({
  outputs: new Map(Object.entries(outputs)),
  inputDrvs: new Map(),
  system: "x86_64-linux",
});

test("only what was built counts, what took a while, and whose end is known", async () => {
  const took = {
    built: 5000,
    quick: 900,
    failed: 60_000,
    half: 2000,
    nothing: 3000,
    late: 60_000,
    unfinished: 60_000,
  };
  const outputs: Readonly<Record<string, Derivation>> = {
    built: derivation({ out: fakeOut("built") }),
    failed: derivation({ out: fakeOut("failed") }),
    half: derivation({ out: fakeOut("built"), doc: fakeOut("failed") }),
    nothing: derivation({}),
  };
  const learnt: ReadonlyMap<string, number>[] = [];
  await learnDurations(
    {
      readDerivation: async (drvPath) => {
        const [, found] = Object.entries(outputs).find(([name]) => fakeDrv(name) === drvPath) ?? [];
        if (found === undefined) throw new Error(`${drvPath} was asked for`);
        return found;
      },
      validPaths: async (paths) => new Set(paths.filter((path) => path === fakeOut("built"))),
    },
    { of: () => undefined, learn: async (durations) => void learnt.push(durations) },
    new Map(
      Object.entries(took).map(([name, durationMs]) => {
        const end = name === "unfinished" ? undefined : name === "late" ? "late" : "known";
        return [fakeDrv(name), { durationMs, silentMs: 0, end }];
      }),
    ),
    new AbortController().signal,
  );
  expect(learnt).toEqual([new Map([["nixos-system-built", 5000]])]);
});
