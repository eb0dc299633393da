import { expect, test } from "vitest";
import { HomelabError } from "../base/errors.ts";
import { silentLog } from "../base/log.ts";
import { InputUnavailableError, updateReachable } from "./update-reachable.ts";

const names = ["alpha", "beta", "gamma"];
const node = { locked: { type: "path" }, original: { type: "path" } };
const baseLock = JSON.stringify({
  version: 7,
  root: "root",
  nodes: {
    root: { inputs: { ...Object.fromEntries(names.map((name) => [name, name])), same: ["alpha"] } },
    ...Object.fromEntries(names.map((name) => [name, node])),
  },
});

/** Fails by the first of these that it is asked for. */
function upstreamWithout(...down: readonly string[]) {
  const asked: (readonly string[] | undefined)[] = [];
  return {
    asked,
    async update(inputs: readonly string[] | undefined): Promise<string> {
      asked.push(inputs);
      const failing = down.find((name) => inputs?.includes(name) !== false);
      if (failing !== undefined) throw new InputUnavailableError(failing, `${failing} is down`, {});
      return "lock";
    },
  };
}

test("inputs that are out of reach are left out one after the other, and said", async () => {
  const { update, asked } = upstreamWithout("gamma", "alpha");
  expect(await updateReachable({ update, baseLock, inputs: undefined, log: silentLog })).toEqual({
    lock: "lock",
    unavailable: [
      { input: "gamma", reason: "gamma is down" },
      { input: "alpha", reason: "alpha is down" },
    ],
  });
  expect(asked).toEqual([undefined, ["alpha", "beta"], ["beta"]]);
});

test("of chosen inputs the others of the choice are left", async () => {
  const { update, asked } = upstreamWithout("beta");
  await updateReachable({ update, baseLock, inputs: ["beta", "gamma"], log: silentLog });
  expect(asked).toEqual([["beta", "gamma"], ["gamma"]]);
});

test.each<[string, readonly string[], readonly string[] | undefined, string | undefined]>([
  ["none can be reached", names, undefined, baseLock],
  ["the only one that was asked for is down", ["beta"], ["beta"], baseLock],
  ["the base does not have it", ["delta"], undefined, baseLock],
  ["the base has no lock", ["beta"], undefined, undefined],
])("it is an infrastructure fault when %s", async (_name, down, inputs, lock) => {
  const { update } = upstreamWithout(...down);
  await expect(updateReachable({ update, baseLock: lock, inputs, log: silentLog })).rejects.toMatchObject({
    kind: "unavailable",
    code: "INPUT_UPDATE_FAILED",
  });
});

test("any other error is one at once", async () => {
  const update = () => Promise.reject(new HomelabError("failed", "flake.nix is broken", { code: "X" }));
  await expect(updateReachable({ update, baseLock, inputs: undefined, log: silentLog })).rejects.toThrow(
    "flake.nix is broken",
  );
});
