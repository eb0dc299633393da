// Updates under fire: inputs move, some of them break hosts, and `homelab-deploy update` is run and killed. Which
// revision breaks what is known here, so what master holds can be judged without building.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import * as v from "valibot";
import type { Homelab } from "../support/start-homelab.ts";
import { inputNames, type UpdateLab } from "../support/update-lab.ts";
import type { Fault } from "./judge-build.ts";

export interface Updates {
  /** Runs so many updates, one after the other, and kills about half of them; the last one is left alone. */
  run(count: number): Promise<void>;
  runs(): number;
  kills(): number;
  /** Commits on master beyond the first two. */
  landed(): Promise<number>;
  judge(): Promise<readonly Fault[]>;
}

export interface UpdatesOptions {
  readonly homelab: Homelab;
  readonly lab: UpdateLab;
  readonly random: () => number;
}

const Lock = v.object({
  nodes: v.record(v.string(), v.object({ locked: v.optional(v.object({ rev: v.string() })) })),
});

/** Exit codes of an update that says something true: landed or nothing to do, proposed, no verdict. */
const honest = [0, 1, 3];

export function createUpdates({ homelab, lab, random }: UpdatesOptions): Updates {
  const breaking = new Set<string>();
  const faults: Fault[] = [];
  let [runs, kills] = [0, 0];

  async function update(config: string, mayDie: boolean): Promise<void> {
    runs++;
    const ended = homelab.run(["update", "--repo", "lab"], {
      user: "updater",
      environment: { HOMELAB_DEPLOY_CONFIG: config },
      onStarted(child) {
        if (!mayDie || random() < 0.5) return;
        setTimeout(() => {
          if (child.kill("SIGKILL")) kills++;
        }, random() * 8000);
      },
    });
    const { exitCode, stderr } = await ended;
    if (typeof exitCode === "number" && !honest.includes(exitCode))
      faults.push({
        kind: "wrong",
        build: "update",
        what: `it exits with ${exitCode}: ${stderr.slice(-500)}`,
      });
  }

  const commits = async (): Promise<readonly string[]> =>
    (await lab.git("-C", lab.remote, "rev-list", "--reverse", "master")).split("\n");

  return {
    async run(count) {
      const config = await writeConfig(homelab, lab);
      for (let each = 1; each <= count; each++) {
        const breaks = random() < 0.4;
        const name = inputNames[Math.floor(random() * inputNames.length)] ?? "alpha";
        const commit = await lab.bump(name, { value: String(each + 1), breaks: breaks ? ["host02"] : [] });
        if (breaks) breaking.add(commit);
        await update(config, each < count);
        await sleep(random() * 500);
      }
      // The end of it, undisturbed by a kill of its own: whatever was left half done is finished now.
      if (count > 0) await update(config, false);
    },
    runs: () => runs,
    kills: () => kills,
    landed: async () => (await commits()).length - 2,
    async judge() {
      for (const commit of await commits()) {
        const text = await lab.git("-C", lab.remote, "show", `${commit}:flake.lock`).catch(() => undefined);
        if (text === undefined) continue; // the very first commit
        const { nodes } = v.parse(Lock, JSON.parse(text));
        for (const [name, { locked }] of Object.entries(nodes)) {
          if (locked === undefined || !breaking.has(locked.rev)) continue;
          faults.push({
            kind: "wrong",
            build: "update",
            what: `master has ${commit}, in which ${name} breaks host02`,
          });
        }
      }
      return faults;
    },
  };
}

async function writeConfig(homelab: Homelab, lab: UpdateLab): Promise<string> {
  const file = join(homelab.directory, "campaign-update.json");
  const identity = { email: "bot@homelab.invalid" };
  await writeFile(
    file,
    JSON.stringify({
      nats: { servers: [homelab.server.url], ...homelab.server.settingsOf("updater") },
      repos: { lab: { url: lab.url, branch: "master", update: { identity, partialLanding: true } } },
      update: { stateDirectory: join(homelab.directory, "campaign-update") },
    }),
  );
  return file;
}
