import { expect, test } from "vitest";
import { HomelabError } from "../base/errors.ts";
import { silentLog } from "../base/log.ts";
import { decodeStartRequest, encodeStartRequest } from "../protocol/rollout/start-request.ts";
import type { Commit } from "../protocol/names.ts";
import {
  commitNamed,
  createRolloutRig,
  hostNamed,
  repo,
  type RolloutRig,
} from "../../test/support/rollout-rig.ts";

const web = hostNamed("web01");
const [unsigned, signed] = [commitNamed("a"), commitNamed("b")];
const never = new AbortController().signal;

/** As git says it. */
const verifyCommit = async (commit: Commit): Promise<void> => {
  if (commit === signed) return;
  throw new HomelabError("refused", `commit ${commit.slice(0, 7)} is not signed`, {
    code: "COMMIT_UNSIGNED",
    hint: "sign it",
  });
};

const rigOf = (): RolloutRig => createRolloutRig([{ host: web }, { host: hostNamed("db1") }]);
const hosts = [web, hostNamed("db1")];

test("a build of a commit that nobody allowed has signed starts nothing, and it is logged once", async () => {
  await using rig = rigOf();
  const said: object[] = [];
  const log = { ...silentLog, error: (fields: object, what: string) => void said.push({ ...fields, what }) };
  await rig.build(unsigned, hosts);
  rig.start({ automatic: true }, { verifyCommit, log });
  await rig.sleep(3_600_000);
  expect(await rig.rollouts.rolloutIds(never)).toEqual([]);
  expect(rig.bus.orders).toEqual([]);
  expect(said).toMatchObject([
    {
      commit: unsigned,
      err: { code: "COMMIT_UNSIGNED" },
      hint: "sign it",
      what: "a rollout does not begin: its commit is not verified",
    },
  ]);

  await rig.build(signed, hosts);
  const rollout = await rig.until(({ end }) => end !== undefined);
  expect(rollout).toMatchObject({ commit: signed, end: { outcome: "completed" } });
  expect(said).toHaveLength(1);
});

test("and does not keep a host from what was rolled out before, when it is back", async () => {
  await using rig = rigOf();
  rig.goAway(web);
  await rig.sleep(600_000);
  await rig.build(signed, hosts);
  rig.start({ automatic: true }, { verifyCommit });
  await rig.until(({ end }) => end !== undefined);
  await rig.build(unsigned, hosts);
  rig.comeBack(web);
  const returned = await rig.until(({ trigger, end }) => trigger === "returned" && end !== undefined);
  expect(returned).toMatchObject({ commit: signed, end: { outcome: "completed" } });
});

test.each([true, false])("who asks for it is told why (only its plan: %s)", async (planOnly) => {
  await using rig = rigOf();
  await rig.build(unsigned, hosts);
  rig.start({}, { verifyCommit });
  await rig.sleep(1000);
  const request = decodeStartRequest(encodeStartRequest({ by: "kai", planOnly }));
  expect(await rig.rollouts.askForRollout(repo, request, never)).toMatchObject({
    type: "refused",
    code: "COMMIT_UNSIGNED",
    hint: "sign it",
  });
});

test("nothing begins while it cannot be verified, and all does once it can", async () => {
  await using rig = rigOf();
  let isDown = true;
  await rig.build(signed, hosts);
  rig.start(
    { automatic: true },
    {
      verifyCommit: async () => {
        if (isDown) throw new HomelabError("unavailable", "git.lan does not answer", { code: "GIT_REMOTE" });
      },
    },
  );
  await rig.sleep(1_000_000);
  expect(await rig.rollouts.rolloutIds(never)).toEqual([]);
  const request = decodeStartRequest(encodeStartRequest({ by: "kai" }));
  expect(await rig.rollouts.askForRollout(repo, request, never)).toMatchObject({
    type: "refused",
    code: "GIT_REMOTE",
    detail: expect.stringContaining("git.lan does not answer"),
  });
  isDown = false;
  expect((await rig.until(({ end }) => end !== undefined)).end?.outcome).toBe("completed");
});
