import { expect, test } from "vitest";
import { parseHostName, parseRepoName } from "../../protocol/names.ts";
import { selectAddresses, type HostSelection } from "./choose-hosts.ts";
import { decideWay } from "./decide-way.ts";

const address = (name: string, repo = "servers") => ({
  repo: parseRepoName(repo),
  host: parseHostName(name),
});
const states = [
  { ...address("web02"), tier: "prod", role: "web", labels: { site: "home" } },
  { ...address("web01"), tier: "prod", role: "web", labels: { site: "away" } },
  { ...address("testvm01"), tier: "test", labels: { site: "lab" } },
  { ...address("gunter", "desktops"), tier: "prod", labels: { site: "home" } },
];
/** It was built, and has never reported. */
const known = [...states, address("new01")];
const select = (names: readonly string[], selection: HostSelection, repo?: string): string[] =>
  selectAddresses(names, selection, repo, known, states).map(({ host }) => host);

test("all are those that ever spoke, by repo and name", () => {
  expect(select([], { all: true })).toEqual(["gunter", "testvm01", "web01", "web02"]);
  expect(select([], { all: true }, "servers")).toEqual(["testvm01", "web01", "web02"]);
});

test("selectors choose hosts that say all of it of themselves", () => {
  expect(select([], { tier: "prod" })).toEqual(["gunter", "web01", "web02"]);
  expect(select([], { tier: "prod", role: "web" })).toEqual(["web01", "web02"]);
  expect(select([], { label: new Map([["site", "home"]]) })).toEqual(["gunter", "web02"]);
});

test("selectors narrow hosts that are named; a named host alone need not have spoken", () => {
  expect(select(["web*"], { label: new Map([["site", "home"]]) })).toEqual(["web02"]);
  expect(select(["new01"], {})).toEqual(["new01"]);
});

test("no host is an error that says what was wanted", () => {
  expect(() => select([], { tier: "prod", role: "mail" })).toThrow(
    "no host has the tier prod and the role mail",
  );
  expect(() => select(["new01"], { tier: "prod" })).toThrow("no host has the tier prod");
  expect(() => selectAddresses([], { all: true }, undefined, [], [])).toThrow("no host has reported yet");
});

const several = [address("web01"), address("web02")];

test("several hosts of a repo are a rollout, one host is an order", () => {
  expect(decideWay(several, {})).toEqual({ type: "rollout", repo: "servers" });
  expect(decideWay([address("web01")], {})).toEqual({ type: "orders" });
});

test.each([
  [several, { allowDrift: true }, /--allow-drift is for a person's own key/],
  [several, { allowDowngrade: true, boot: true }, /--boot and --allow-downgrade are for/],
  [several, { key: "order.seed" }, /--key is for/],
  [[address("web01"), address("gunter", "desktops")], {}, /several repos/],
])(
  "what only a person may, and hosts of several repos, are orders, and it says why",
  (hosts, options, why) => {
    expect(decideWay(hosts, options)).toEqual({ type: "orders", why: expect.stringMatching(why) });
  },
);
