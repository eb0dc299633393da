import { expect, test } from "vitest";
import { checkWitnesses } from "./check-witnesses.ts";

const both = ["http://cache.lan", "192.168.1.1:443"];
const statesOf = (witnesses: readonly string[], answering: string[], oldNats = true) =>
  checkWitnesses(witnesses, { oldNats, witnesses: answering }).map(({ check, state }) => `${state} ${check}`);

test("each witness that is silent is named, unless nothing answers at all", () => {
  expect(statesOf(both, both)).toEqual(["ok witnesses"]);
  expect(statesOf(both, [])).toEqual(["warning witness http://cache.lan", "warning witness 192.168.1.1:443"]);
  expect(statesOf(both, ["http://cache.lan"], false)).toEqual(["warning witness 192.168.1.1:443"]);
  expect(statesOf(both, [], false)).toEqual(["wrong network"]);
});

test("a host without witnesses is told what that means", () => {
  expect(statesOf([], [], false)).toEqual(["warning witnesses"]);
});
