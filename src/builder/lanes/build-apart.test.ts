import { expect, test } from "vitest";
import { createFakeNix, fakeDrv } from "../../../test/support/fake-nix.ts";
import { systemClock } from "../../base/clock.ts";
import type { RealiseOptions } from "../../nix/realiser.ts";
import { buildApart } from "./build-apart.ts";
import { createFailedHooks } from "./failed-hooks.ts";

test.each([
  ["one job on a machine that has several", 4, undefined, 1],
  ["none on one that leaves all to remote builders", 0, undefined, 0],
  ["none where the configuration leaves all to them", 4, 0, 0],
  ["one where the configuration does not", 0, 4, 1],
])("a derivation that is built apart gets %s", async (_, here, maxJobs, expected) => {
  const fake = createFakeNix(new Map());
  const given: RealiseOptions[] = [];
  const nix = {
    slots: { here, remote: 2 },
    realise: (async (drvPaths, options, ...rest) => {
      given.push(options);
      return fake.realise(drvPaths, options, ...rest);
    }) satisfies typeof fake.realise,
  };
  await buildApart(
    { nix, clock: systemClock, failedHooks: createFailedHooks() },
    [fakeDrv("web")],
    { timeoutSeconds: 10, silenceSeconds: 10, ...(maxJobs === undefined ? {} : { maxJobs }) },
    () => undefined,
    AbortSignal.timeout(10_000),
  );
  expect(given.map((options) => options.maxJobs)).toEqual([expected]);
});
