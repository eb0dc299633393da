import { expect, test } from "vitest";
import { parseRegistrations } from "./path-facts.ts";

const path = (letter: string): string => `/nix/store/${letter.repeat(32)}-${letter}`;
const hash = "0f".repeat(32);

test("reads what the store has registered", () => {
  const text = [
    path("b"),
    hash,
    "120",
    "",
    "2",
    path("b"),
    path("a"),
    path("a"),
    hash,
    "7",
    path("x"),
    "0",
    "",
  ];
  expect(parseRegistrations(text.join("\n"))).toEqual([
    {
      path: path("b"),
      narHash: expect.stringMatching(/^sha256:\w{52}$/),
      narSize: 120,
      references: [path("a"), path("b")],
    },
    { path: path("a"), narHash: expect.stringMatching(/^sha256:\w{52}$/), narSize: 7, references: [] },
  ]);
});

test.each([
  ["cut off", [path("b"), hash, "120", "", "2", path("a")]],
  ["without a count", [path("b"), hash, "120", "", ""]],
  ["with another hash", [path("b"), "0f", "120", "", "0"]],
  ["that is something else", ["error: no such path"]],
])("an answer %s is not taken for one", (_, lines) => {
  expect(() => parseRegistrations(lines.join("\n"))).toThrow("does not list what belongs to a path");
});
