// What doctor says of a forge, against one that checks rights and scopes as Gitea does.
import { expect, test } from "vitest";
import { checkForge } from "../../src/cli/doctor/check-forge.ts";
import type { Finding } from "../../src/cli/doctor/finding.ts";
import { createForgeRig, never, type ForgeRig } from "../support/forge-rig.ts";

const checked = async (rig: ForgeRig, token = rig.server.bot.token): Promise<readonly Finding[]> =>
  checkForge({ repo: "servers", branch: rig.base }, async () => rig.signIn({ token }), never);
const problems = (findings: readonly Finding[]): Record<string, string> =>
  Object.fromEntries(
    findings.filter(({ state }) => state !== "ok").map(({ check, state }) => [check, state]),
  );

test.each(["gitea", "forgejo", "github"] as const)(
  "nothing is wrong with a sound %s, and nothing is changed",
  async (kind) => {
    await using rig = await createForgeRig({ kind });
    const before = await rig.server.remote.git("for-each-ref");
    const findings = await checked(rig);
    expect(problems(findings)).toEqual({});
    expect(findings.map(({ state }) => state)).toContain("ok");
    expect(await rig.server.remote.git("for-each-ref")).toBe(before);
  },
);

test("each thing that keeps updates from working is named, with what to do", async () => {
  await using rig = await createForgeRig({ kind: "gitea" });
  const { state, bot } = rig.server;
  const found = async (token?: string) => {
    const findings = await checked(rig, token);
    for (const finding of findings.filter((each) => each.state !== "ok")) expect(finding.hint).toMatch(/\w/);
    return problems(findings);
  };
  expect(await found("wrong")).toEqual({ "forge of servers": "wrong" });

  const reader = state.addUser("reader", { canPush: false });
  expect(await found(reader.token)).toMatchObject({ "forge of servers: repository": "wrong" });

  const scopeless = state.addUser("scopeless", { scopes: ["read:repository", "read:user", "read:issue"] });
  expect(await found(scopeless.token)).toEqual({ "forge of servers: scope": "wrong" });

  const silent = state.addUser("silent", { scopes: ["write:repository", "read:user"] });
  expect(await found(silent.token)).toEqual({ "forge of servers: scope": "wrong" });

  state.protectedBranches.set(rig.base, { canPush: false, canMerge: true });
  expect(await found(bot.token)).toEqual({});
  state.protectedBranches.set(rig.base, { canPush: false, canMerge: true, requiredApprovals: 1 });
  expect(await found(bot.token)).toEqual({ "forge of servers: branch main": "warning" });
  state.protectedBranches.set(rig.base, { canPush: false, canMerge: false });
  expect(await found(bot.token)).toEqual({ "forge of servers: branch main": "warning" });

  state.archived = true;
  expect(await found(bot.token)).toMatchObject({ "forge of servers: repository": "wrong" });

  rig.server.isDown = true;
  expect(await found(bot.token)).toEqual({ "forge of servers": "wrong" });
});
