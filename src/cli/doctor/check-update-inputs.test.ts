import { expect, test } from "vitest";
import { parseConfig } from "../../config/load.ts";
import { parseFlakeLock } from "../../nix/lock/flake-lock.ts";
import { judgeUpdateInputs } from "./check-update-inputs.ts";

const locked = { type: "path", path: "/x", narHash: `sha256-${"A".repeat(43)}=` };
const lockWith = (...inputs: readonly string[]) =>
  parseFlakeLock(
    JSON.stringify({
      nodes: {
        root: { inputs: Object.fromEntries(inputs.map((name) => [name, name])) },
        ...Object.fromEntries(inputs.map((name) => [name, { locked, original: locked }])),
      },
      root: "root",
      version: 7,
    }),
  );

const known = {
  locks: new Map([
    ["servers", lockWith("nixpkgs", "sops-nix")],
    ["laptops", lockWith("servers")],
  ]),
  inventories: new Map([["laptops", ["kai", "lea"]]]),
};

function judged(update: object) {
  const url = "https://git.lan/o/r.git";
  const text = JSON.stringify({ repos: { servers: { url, update }, laptops: { url } } });
  return judgeUpdateInputs(parseConfig(text, "test").config.repos, known);
}

test("names that are there are", () => {
  expect(judged({})).toEqual([]);
  const downstream = [{ repo: "laptops", input: "servers", hosts: ["kai"] }];
  expect(judged({ inputs: ["nixpkgs"], downstream }).map(({ state }) => state)).toEqual(["ok"]);
});

test.each([
  [{ inputs: ["nixpgks"] }, "update.inputs names nixpgks", "did you mean nixpkgs?"],
  [{ inputs: ["agenix"] }, "update.inputs names agenix", "it has nixpkgs, sops-nix"],
  [
    { downstream: [{ repo: "laptops", input: "server" }] },
    "names server as an input of laptops",
    "did you mean servers?",
  ],
  [
    { downstream: [{ repo: "laptops", input: "servers", hosts: ["kia"] }] },
    "the host kia",
    "did you mean kai?",
  ],
])("%j names what there is not", (update, message, advice) => {
  expect(judged(update)).toMatchObject([
    { state: "wrong", message: expect.stringContaining(message), hint: expect.stringContaining(advice) },
  ]);
});

test("of a repo that could not be read nothing is said", () => {
  const none = { locks: new Map(), inventories: new Map() };
  const text = JSON.stringify({ repos: { a: { url: "https://git.lan/a.git", update: { inputs: ["x"] } } } });
  expect(judgeUpdateInputs(parseConfig(text, "test").config.repos, none)).toEqual([]);
});
