import { expect, test } from "vitest";
import { judgeBuildUsers, parseGroup, type BuildUsersFacts } from "./build-users.ts";

const root: BuildUsersFacts = {
  group: "nixbld",
  allocatesUids: false,
  opensStoreItself: true,
  isRoot: true,
  members: undefined,
};

test.each([
  ["root without the group", {}, ["does not exist", "root"]],
  ["root with an empty group", { members: [] }, ["has no members", "root"]],
  ["root with users", { members: ["nixbld1"] }, [undefined, undefined]],
  ["a daemon without the group", { opensStoreItself: false }, ["does not exist", "daemon"]],
  [
    "a user with a daemon without it",
    { opensStoreItself: false, isRoot: false },
    ["does not exist", "daemon"],
  ],
  ["a user with a store of its own", { isRoot: false }, [undefined, undefined]],
  ["no group wanted", { group: "" }, [undefined, undefined]],
  ["user ids that Nix takes by itself", { allocatesUids: true }, [undefined, undefined]],
] as const)("%s", (_, more, expected) => {
  const { problem, builds } = judgeBuildUsers({ ...root, ...more }) ?? {};
  expect([problem, builds]).toEqual(expected);
});

test("members are those that the group lists", () => {
  expect(parseGroup("nixbld:x:30000:nixbld1,nixbld2\n")).toEqual(["nixbld1", "nixbld2"]);
  expect(parseGroup("nixbld:x:30000:\n")).toEqual([]);
});
