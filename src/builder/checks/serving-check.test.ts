import { expect, test } from "vitest";
import { HomelabError } from "../../base/errors.ts";
import type { FinishedHost } from "../../protocol/events.ts";
import type { BuildId } from "../../protocol/names.ts";
import { startRig, verdictsOf, type BuilderRig } from "../../../test/support/builder-rig.ts";
import type { FakeHost } from "../../../test/support/fake-nix.ts";
import type { ServingProof } from "./serving-check.ts";

interface ServingRig extends BuilderRig {
  /** What was asked for, a list for each question. */
  readonly questions: readonly (readonly string[])[];
}

async function startServingRig(
  hosts: Readonly<Record<string, FakeHost>>,
  answer: (host: string, question: number) => string | undefined | Promise<string | undefined>,
): Promise<ServingRig> {
  const questions: string[][] = [];
  const servingProof: ServingProof = {
    async findUnserved(outPaths) {
      const number = questions.push(outPaths.map((path) => path.replace(/^.*-/, "")));
      const reasons = new Map<(typeof outPaths)[number], string>();
      for (const path of outPaths) {
        const reason = await answer(path.replace(/^.*-/, ""), number);
        if (reason !== undefined) reasons.set(path, reason);
      }
      return reasons;
    },
  };
  const rig = await startRig({ repos: { homelab: hosts }, overrides: { servingProof } });
  return Object.assign(rig, { questions });
}

async function finishedHosts(rig: BuilderRig, id: BuildId): Promise<Record<string, Partial<FinishedHost>>> {
  const { hosts } = await rig.verdict(id);
  return Object.fromEntries(
    [...hosts.values()].map(({ host, finished }) => {
      const { verdict, cached, reason } = finished ?? {};
      return [
        host,
        { ...(verdict && { verdict }), ...(reason && { reason }), ...(cached !== undefined && { cached }) },
      ];
    }),
  );
}

test("what is served is a success, and says so; a failure has nothing to serve", async () => {
  const rig = await startServingRig(
    { new: {}, old: { build: "present" }, broken: { build: "fail" } },
    () => undefined,
  );
  expect(await finishedHosts(rig, await rig.ask("homelab/all"))).toEqual({
    new: { verdict: "built", cached: true },
    old: { verdict: "unchanged", cached: true },
    broken: { verdict: "build-failed", reason: expect.stringContaining("exit code 1") },
  });
  expect(rig.questions.flat().toSorted()).toEqual(["new", "old"]);
  await rig.stop();
});

test("what is not served at once is proven again, and keeps how it came to be", async () => {
  const rig = await startServingRig({ new: {} }, (_, question) =>
    question < 3 ? "it is missing" : undefined,
  );
  const id = await rig.ask("homelab/all");
  expect(await finishedHosts(rig, id)).toEqual({ new: { verdict: "built", cached: true } });
  const retries = (await rig.events(id)).filter((event) => event.type === "retrying");
  expect(retries).toMatchObject([{ reason: "it is missing" }, { reason: "it is missing" }]);
  expect(rig.nix.realised).toHaveLength(1);
  await rig.stop();
});

test("what is not served in the end is an infrastructure fault, of that host alone", async () => {
  const rig = await startServingRig({ web: {}, mail: {} }, (host) =>
    host === "mail" ? "it is missing" : undefined,
  );
  const id = await rig.ask("homelab/all");
  expect(await finishedHosts(rig, id)).toEqual({
    web: { verdict: "built", cached: true },
    mail: { verdict: "infra-failed", cached: false, reason: "it is missing (tried 3 times)" },
  });
  expect((await rig.verdict(id)).status).toBe("infra-failed");
  await rig.stop();
});

test("a proof that cannot be made is none", async () => {
  const rig = await startServingRig({ web: {} }, () =>
    Promise.reject(new HomelabError("unavailable", "the store is away")),
  );
  expect(await finishedHosts(rig, await rig.ask("homelab/all"))).toEqual({
    web: { verdict: "infra-failed", cached: false, reason: "the store is away (tried 3 times)" },
  });
  await rig.stop();
});

test("a proof that cannot be made of one host is made of the others", async () => {
  const rig = await startServingRig({ web: {}, mail: {}, nas: {} }, (host) => {
    if (host === "mail") throw new HomelabError("unavailable", "the store does not know what it needs");
    return undefined;
  });
  expect(await finishedHosts(rig, await rig.ask("homelab/all"))).toMatchObject({
    web: { verdict: "built", cached: true },
    mail: { verdict: "infra-failed", reason: expect.stringContaining("does not know what it needs") },
    nas: { verdict: "built", cached: true },
  });
  await rig.stop();
});

test("hosts that wait are proven together, and a build can be cancelled meanwhile", async () => {
  const gate = Promise.withResolvers<undefined>();
  const rig = await startServingRig({ a: { build: "present" }, b: { build: "present" } }, () => gate.promise);
  const id = await rig.ask("homelab/all");
  await expect.poll(() => rig.questions).toEqual([["a", "b"]]);
  await rig.bus.control(id, { action: "cancel" }, new AbortController().signal);
  const state = await rig.verdict(id);
  expect(verdictsOf(state)).toEqual({ a: "cancelled", b: "cancelled" });
  gate.resolve(undefined);
  await rig.stop();
});

test("without a proof nothing is said of the cache", async () => {
  const rig = await startRig();
  expect(await finishedHosts(rig, await rig.ask("homelab/all"))).toEqual({ testvm01: { verdict: "built" } });
  await rig.stop();
});
