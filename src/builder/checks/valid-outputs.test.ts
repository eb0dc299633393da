import { expect, test } from "vitest";
import { fakeDrv, fakeOut } from "../../../test/support/fake-nix.ts";
import type { Store } from "../../nix/store.ts";
import type { StorePath } from "../../protocol/names.ts";
import type { ReadyWork } from "../work.ts";
import { withValidOutput } from "./valid-outputs.ts";

const workOf = (host: string): ReadyWork => {
  const evaluation = { drvPath: fakeDrv(host), outPath: fakeOut(host), system: "", warnings: [] };
  return { host, evaluation } as object as ReadyWork;
};

test("an output counts that is there and valid; Nix is asked about none that is not there", async () => {
  const there = new Set([fakeOut("built"), fakeOut("half-written")]);
  const valid = new Set([fakeOut("built"), fakeOut("gone")]);
  const asked: StorePath[] = [];
  const store: Pick<Store, "present" | "validPaths"> = {
    present: async (path) => there.has(path),
    async validPaths(paths) {
      asked.push(...paths);
      return new Set(paths.filter((path) => valid.has(path)));
    },
  };
  const works = ["built", "half-written", "gone", "new"].map(workOf);
  const found = await withValidOutput(store, works, new AbortController().signal);
  expect(found.map(({ host }) => host)).toEqual(["built"]);
  expect(asked).toEqual([fakeOut("built"), fakeOut("half-written")]);
});
