import { afterEach, expect, test } from "vitest";
import { startRig, verdictsOf, type BuilderRig } from "../../../test/support/builder-rig.ts";
import type { Realiser } from "../../nix/realiser.ts";

const never = new AbortController().signal;
const rigs: BuilderRig[] = [];
afterEach(async () => {
  await Promise.all(rigs.splice(0).map((started) => started.stop()));
});

test("Nix is stopped when one of its hosts is cancelled, and the others are built by another process", async () => {
  const rig = await startRig({ repos: { homelab: { web: {}, db: {} } } });
  rigs.push(rig);
  const { nix, bus, ask, verdict } = rig;
  const gate = nix.hold("realise");
  const evaluations = nix.hold("evaluate");
  const realise = nix.realise.bind(nix);
  const running: AbortSignal[] = [];
  const watched: Realiser["realise"] = async (drvPaths, options, onActivity, signal) => {
    running.push(signal);
    return realise(drvPaths, options, onActivity, signal);
  };
  Object.assign(nix, { realise: watched });
  const [web, db] = [await ask("homelab/web"), await ask("homelab/db")];
  await expect.poll(() => nix.evaluations).toHaveLength(2);
  evaluations.release();
  // However they come together: both are being built.
  await expect.poll(() => nix.realised.flat()).toHaveLength(2);

  await bus.control(web, { action: "cancel" }, never);
  expect((await verdict(web)).status).toBe("cancelled");
  await expect.poll(() => running.some(({ aborted }) => aborted)).toBe(true);
  gate.release();
  expect(verdictsOf(await verdict(db))).toEqual({ db: "built" });
});
