import { expect, test } from "vitest";
import { startRig, type BuilderRig, type RigOptions } from "../../../test/support/builder-rig.ts";
import { someSigner } from "../../../test/support/deploy-orders.ts";
import { fakeOut } from "../../../test/support/fake-nix.ts";
import { HomelabError } from "../../base/errors.ts";
import { parseBranchName, parseCommit, type BuildId } from "../../protocol/names.ts";
import { openStatement } from "../../signing/open-envelope.ts";
import { createFakeNix } from "../../../test/support/fake-nix.ts";

const signer = someSigner("builder");
const served = { findUnserved: async () => new Map() };

const start = (options: RigOptions = {}, overrides: RigOptions["overrides"] = {}): Promise<BuilderRig> =>
  startRig({
    repos: { homelab: { web: {}, old: { build: "present" }, broken: { build: "fail" } } },
    ...options,
    overrides: { servingProof: served, statementSigner: signer, ...overrides },
  });

async function statedBy(rig: BuilderRig, id: BuildId): Promise<Record<string, unknown>> {
  const { hosts } = await rig.verdict(id);
  return Object.fromEntries(
    [...hosts.values()].map(({ host, finished }) => [
      host,
      finished?.statement === undefined ? undefined : openStatement(finished.statement),
    ]),
  );
}

test("hosts at the tip of the branch that are served are stated, a failure is not", async () => {
  const rig = await start();
  const stated = await statedBy(rig, await rig.ask("homelab/all"));
  const about = (host: string) => ({
    key: signer.key,
    statement: { repo: "homelab", branch: "master", host, system: "x86_64-linux", path: fakeOut(host) },
  });
  expect(stated).toMatchObject({ web: about("web"), old: about("old") });
  expect(stated["broken"]).toBeUndefined();
  await rig.stop();
});

test.each<[string, Parameters<BuilderRig["ask"]>[1]]>([
  ["a commit that was only named", { rev: parseCommit("b".repeat(40)) }],
  ["another branch", { branch: parseBranchName("feature") }],
])("%s is built and not stated", async (_, request) => {
  const rig = await start();
  const state = await statedBy(rig, await rig.ask("homelab/web", request));
  expect(state).toEqual({ web: undefined });
  await rig.stop();
});

test("what is not served is not stated", async () => {
  const servingProof = { findUnserved: async () => new Map([[fakeOut("web"), "gone"]]) };
  const rig = await start({}, { servingProof });
  expect(await statedBy(rig, await rig.ask("homelab/web"))).toEqual({ web: undefined });
  await rig.stop();
});

test("without a proof that it is served nothing is signed", async () => {
  const rig = await start({}, { servingProof: undefined });
  expect(await statedBy(rig, await rig.ask("homelab/web"))).toEqual({ web: undefined });
  await rig.stop();
});

test("a store that does not answer costs the statement, not the build, and is said", async () => {
  const nix = createFakeNix(new Map([["web", {}]]));
  nix.readFacts = () => Promise.reject(new HomelabError("unavailable", "the store is away"));
  const rig = await start({ repos: { homelab: { web: {} } }, nix });
  const id = await rig.ask("homelab/web");
  expect(await statedBy(rig, id)).toEqual({ web: undefined });
  expect(await rig.verdict(id)).toMatchObject({
    status: "succeeded",
    warnings: ["no statement was signed: the store is away"],
  });
  await rig.stop();
});
