// A deployment is broken off on a real host: one point of each kind. All of them, in every way, are in the campaign
// (`npm run campaign -- deploy`).
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { crashPoints, type CrashKind, type CrashRoute } from "../campaign/deploy/crash-points.ts";
import { crashVariants, prepareForCrashes, runCrashTrial } from "../campaign/deploy/crash-trial.ts";
import { runReplays } from "../campaign/deploy/replays.ts";
import { createScenario } from "../campaign/deploy/scenario.ts";
import { checked, unreachable } from "../campaign/deploy/steady-scenarios.ts";
import { createRandom } from "../campaign/random.ts";
import { impatient, startDeployLab, whyNoFirewall, type DeployLab } from "../support/lab/deploy-lab.ts";
import { whyNoLab } from "../support/lab/lab.ts";

const why = whyNoLab();
if (why !== undefined) console.log(`Deployments that are broken off on real hosts are not tested: ${why}`);
const random = createRandom(7);

describe.skipIf(why !== undefined)("a host whose deployments are broken off", () => {
  let lab: DeployLab;

  beforeAll(async () => {
    const firewall = unreachable["firewall for new connections"];
    lab = await startDeployLab({ checked, ...crashVariants, firewall: { policy: impatient, ...firewall } });
    await prepareForCrashes(lab);
    await lab.spoken();
  });
  afterAll(async () => lab[Symbol.asyncDispose]());

  test("a service that goes together with its check is missed by nobody", async () => {
    const scenario = createScenario("removal", lab);
    await scenario.deploy("one", "completed");
    expect(scenario.faults).toEqual([]);
  });

  test("an old connection is no proof: with a firewall for new ones the host goes back", async ({ skip }) => {
    const missing = whyNoFirewall();
    skip(missing !== undefined, missing ?? "");
    const scenario = createScenario("firewall", lab);
    await scenario.deploy("firewall", "rolled-back", "UNCONFIRMED");
    expect(scenario.faults).toEqual([]);
  });

  test.each<readonly [CrashRoute, string, CrashKind]>([
    ["switch", 'behind "checked"', "both"],
    ["switch", "between `--set` and `boot`", "power"],
    ["undo", "between `test` and `boot` of the old system", "activation"],
    ["boot", 'behind "rebooting"', "listener"],
  ])("%s, %s: after a crash (%s) the host comes to the end that it should", async (route, name, kind) => {
    const point = crashPoints.find((each) => each.name === `${route}: ${name}`);
    if (point === undefined) throw new Error("there is no such point");
    expect(await runCrashTrial(lab, point, kind, random)).toEqual([]);
  });

  test("orders that it has obeyed before are refused, whoever brings them", async () => {
    const { faults } = await runReplays(lab, { count: 9, handed: 2, systems: ["one", "two"], random });
    expect(faults).toEqual([]);
  });
});
