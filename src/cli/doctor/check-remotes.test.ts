import { expect, test } from "vitest";
import { parseConfig } from "../../config/load.ts";
import type { RepoSettings } from "../../config/repo-schema.ts";
import { parseRepoName } from "../../protocol/names.ts";
import { judgeRemote } from "./check-remotes.ts";

function settingsOf(settings: object): RepoSettings {
  const { config } = parseConfig(
    JSON.stringify({ repos: { r: { url: "https://git.lan/r.git", ...settings } } }),
    "test",
  );
  const repo = config.repos[parseRepoName("r")];
  if (repo === undefined) throw new Error("no repo");
  return repo;
}
const heads = new Map([["main", "a".repeat(40)]]);
const forge = { url: "https://git.lan", owner: "o", repository: "r", tokenFile: "/run/token" };

test("a branch that is there is ok, and one that is not is wrong, with the one that was meant", () => {
  expect(judgeRemote("repo r", settingsOf({ branch: "main" }), heads).map(({ state }) => state)).toEqual([
    "ok",
  ]);
  const [finding] = judgeRemote("repo r", settingsOf({ branch: "mian" }), heads);
  expect(finding).toMatchObject({
    state: "wrong",
    hint: expect.stringContaining("did you mean main") as string,
  });
  expect(judgeRemote("repo r", settingsOf({}), new Map())[0]).toMatchObject({
    message: expect.stringContaining("is empty") as string,
    hint: "push the flake to it",
  });
});

test("a forge that is not where the commits go is named", () => {
  const states = (update: object) =>
    judgeRemote("repo r", settingsOf({ branch: "main", update }), heads).map(({ state }) => state);
  expect(states({ forge })).toEqual(["ok"]);
  expect(states({ forge: { ...forge, url: "https://github.com" } })).toEqual(["ok", "warning"]);
  expect(states({ forge: { ...forge, repository: "other" } })).toEqual(["ok", "warning"]);
  const below = settingsOf({
    url: "https://git.lan/git/infra/r.git",
    branch: "main",
    update: { forge: { ...forge, owner: "Infra" } },
  });
  expect(judgeRemote("repo r", below, heads).map(({ state }) => state)).toEqual(["ok"]);
});
