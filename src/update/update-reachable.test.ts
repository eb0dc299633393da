import { expect, test } from "vitest";
import { HomelabError } from "../base/errors.ts";
import { silentLog } from "../base/log.ts";
import {
  InputUnavailableError,
  unavailableInputs,
  updateReachable,
  worstOf,
  type ReachableUpdate,
} from "./update-reachable.ts";

const all = ["alpha", "beta", "gamma"];
const names = async (): Promise<readonly string[]> => all;

/** Fails by the first of these that it is asked for. Where Nix names none, it continued with what it had. */
function upstreamWithout(down: readonly string[], { isNamed = true } = {}) {
  const asked: (readonly string[] | undefined)[] = [];
  return {
    asked,
    async update(inputs: readonly string[] | undefined): Promise<string> {
      asked.push(inputs);
      const failing = down.find((name) => inputs?.includes(name) !== false);
      const named = isNamed ? failing : undefined;
      if (failing !== undefined) throw new InputUnavailableError(named, `${failing} is down`, {});
      return "lock";
    },
  };
}
const reasonsOf = ({ lock, unavailable }: ReachableUpdate) => ({
  lock,
  unavailable: unavailableInputs(unavailable).map(({ input, reason }) => [input, reason]),
});

test("inputs that cannot be reached are left out one after the other, and said", async () => {
  const { update, asked } = upstreamWithout(["gamma", "alpha"]);
  expect(reasonsOf(await updateReachable({ update, names, inputs: undefined, log: silentLog }))).toEqual({
    lock: "lock",
    unavailable: [
      ["gamma", "gamma is down"],
      ["alpha", "alpha is down"],
    ],
  });
  expect(asked).toEqual([undefined, ["alpha", "beta"], ["beta"]]);
});

test("where Nix does not say which it is, each is asked for alone", async () => {
  const { update, asked } = upstreamWithout(["gamma", "alpha"], { isNamed: false });
  expect(reasonsOf(await updateReachable({ update, names, inputs: undefined, log: silentLog }))).toEqual({
    lock: "lock",
    unavailable: [
      ["alpha", "alpha is down"],
      ["gamma", "gamma is down"],
    ],
  });
  expect(asked).toEqual([undefined, ["alpha"], ["beta"], ["gamma"], ["beta"]]);
});

test("of chosen inputs the others of the choice are left", async () => {
  const { update, asked } = upstreamWithout(["beta"]);
  await updateReachable({ update, names, inputs: ["beta", "gamma"], log: silentLog });
  expect(asked).toEqual([["beta", "gamma"], ["gamma"]]);
});

test.each<[string, readonly string[], readonly string[] | undefined, boolean]>([
  ["none can be reached", all, undefined, true],
  ["none can be reached, and Nix names none", all, undefined, false],
  ["the only one that was asked for is down", ["beta"], ["beta"], true],
  ["the only one that was asked for is down, and Nix does not name it", ["beta"], ["beta"], false],
])("each has its own answer when %s", async (_name, down, inputs, isNamed) => {
  const { update } = upstreamWithout(down, { isNamed });
  const found = await updateReachable({ update, names, inputs, log: silentLog });
  expect(found.lock).toBeUndefined();
  expect([...found.unavailable].map(([input, { message }]) => [input, message])).toEqual(
    down.map((name) => [name, `${name} is down`]),
  );
});

test.each<[string, readonly string[], readonly string[]]>([
  ["the base's lock does not have it", ["delta"], all],
  ["the base has no lock", ["beta"], []],
])("it is an infrastructure fault when %s", async (_name, down, locked) => {
  const { update } = upstreamWithout(down);
  const found = updateReachable({ update, names: async () => locked, inputs: undefined, log: silentLog });
  await expect(found).rejects.toMatchObject({ kind: "unavailable", code: "INPUT_UPDATE_FAILED" });
});

test("what may pass by itself is said before what does not, when none can be reached", () => {
  const [down, gone] = (["unavailable", "failed"] as const).map(
    (kind) => new InputUnavailableError("a", kind, {}, kind),
  );
  expect(
    [[down, gone], [gone, down], [gone]].map((errors) => worstOf(errors.flatMap((one) => one ?? [])).kind),
  ).toEqual(["unavailable", "unavailable", "failed"]);
});

test("any other error is one at once", async () => {
  const update = () => Promise.reject(new HomelabError("failed", "flake.nix is broken", { code: "X" }));
  await expect(updateReachable({ update, names, inputs: undefined, log: silentLog })).rejects.toThrow(
    "flake.nix is broken",
  );
});
