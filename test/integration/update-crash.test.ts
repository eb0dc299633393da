// An update is ended after each line of its journal, as by `kill -9`: nothing that it had begun goes on, and nothing
// is tidied up. The next run must lead to the same state of the remote as one that was not disturbed.
import { expect, test as base } from "vitest";
import type { Journal } from "../../src/update/journal.ts";
import { branchOfDay } from "../../src/update/branch/decide-branch.ts";
import { createUpdateLab } from "../support/update-lab.ts";
import { startUpdateRig, type UpdateRig } from "../support/update-rig.ts";

const test = base
  .extend("lab", { scope: "file" }, async ({}, { onCleanup }) => {
    const lab = await createUpdateLab(["host01", "host02"]);
    onCleanup(() => lab[Symbol.asyncDispose]());
    return lab;
  })
  .extend("rig", { scope: "file" }, async ({ lab }, { onCleanup }) => {
    const rig = await startUpdateRig(lab);
    onCleanup(() => rig[Symbol.asyncDispose]());
    return rig;
  });

/** A journal whose process is gone after so many lines: what waits for the next one waits forever. */
function endingJournal(
  journal: Journal,
  lines: number,
): { readonly journal: Journal; readonly ended: Promise<void> } {
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  let left = lines;
  return {
    ended,
    journal: {
      ...journal,
      async append(entry) {
        await journal.append(entry);
        if (--left > 0) return;
        resolve();
        await new Promise(() => undefined);
      },
    },
  };
}

/** False when the run came to its end before. */
async function crashAfter(
  rig: UpdateRig,
  lines: number,
  options: Parameters<UpdateRig["update"]>[0] = {},
): Promise<boolean> {
  const { journal, ended } = endingJournal(await rig.journal(), lines);
  const whole = rig.update({ ...options, journal }).then(() => false);
  return Promise.race([ended.then(() => true), whole]);
}

test(
  "green: after a crash at any line the next run lands it, once, and tidies up",
  { timeout: 900_000 },
  async ({ lab, rig }) => {
    let lines = 1;
    for (; ; lines++) {
      const alpha = await lab.bump("alpha", { value: `green ${lines}` });
      const commits = Number(await lab.git("-C", lab.remote, "rev-list", "--count", "master"));
      rig.told.length = 0;
      const crashed = await crashAfter(rig, lines);
      await rig.update();
      expect(await lab.show("master", "flake.lock"), `after line ${lines}`).toContain(alpha);
      expect(
        Number(await lab.git("-C", lab.remote, "rev-list", "--count", "master")),
        `after line ${lines}`,
      ).toBe(commits + 1);
      expect(Object.keys(await lab.branches()), `after line ${lines}`).toEqual(["master"]);
      const news = new Set(rig.told.map(({ run, outcome }) => `${run} ${outcome}`));
      // Where the first run had landed it, the second has nothing left to update, and says so.
      const others = [...news].map((each) => each.split(" ")[1]).filter((outcome) => outcome !== "no-change");
      expect(others, `after line ${lines}`).toEqual(["landed"]);
      if (!crashed) break;
    }
    expect(lines).toBeGreaterThan(7);
  },
);

test(
  "red: after a crash at any line the next run leaves the same branch and the same master",
  { timeout: 900_000 },
  async ({ lab, rig }) => {
    const master = (await lab.branches())["master"];
    const day = branchOfDay(new Date());
    for (let lines = 1; ; lines++) {
      const beta = await lab.bump("beta", { value: `red ${lines}`, breaks: ["host02"] });
      const crashed = await crashAfter(rig, lines);
      const result = await rig.update();
      expect(result.type, `after line ${lines}`).toBe("proposed");
      const branches = await lab.branches();
      expect(Object.keys(branches).toSorted(), `after line ${lines}`).toEqual([day, "master"].toSorted());
      expect(branches["master"]).toBe(master);
      expect(await lab.show(day, "flake.lock"), `after line ${lines}`).toContain(beta);
      if (!crashed) break;
    }
  },
);
